"""MATLAB files as those of SVHN, Caltech 101 silhouettes and BSDS500, written by scipy into DIR.

mat_files.py DIR

DIR/tensorpack has two whole images of BSDS500, and bsds500.npz what tensorpack makes of them, by name; images as RGB.
"""
import glob
import os
import sys

import cv2
import numpy as np
from scipy.io import savemat
from tensorpack.dataflow.dataset import BSDS500

folder = sys.argv[1] + '/'


def save(path, **variables):
    os.makedirs(os.path.dirname(folder + path), exist_ok=True)
    savemat(folder + path, variables, do_compression=True)


images = np.arange(5 * 32 * 32 * 3).reshape(5, 32, 32, 3)
svhn = (images % 251).astype('uint8').transpose(1, 2, 3, 0)
save('train_32x32.mat', X=svhn, y=np.uint8([[1], [10], [3], [9], [5]]))
save('test_32x32.mat', X=np.full((32, 32, 3, 2), 200, 'uint8'), y=np.uint8([[1], [2]]))
save('damaged/train_32x32.mat', X=svhn[:31], y=np.uint8([[1]] * 5))
save('damaged/test_32x32.mat', X=svhn, y=np.uint8([[11]] * 5))
save('damaged/extra_32x32.mat', X=svhn, y=np.uint8([[1]] * 4))

silhouettes = np.zeros([3, 28, 28], 'uint8')
silhouettes[1, 2, 3] = 1
save('caltech101_silhouettes_28_split1.mat', train_data=silhouettes.reshape(3, -1), train_labels=np.uint8([[1, 101, 7]]))


def annotator(edges):
    truth = np.zeros((1, 1), dtype=[('Segmentation', 'O'), ('Boundaries', 'O')])
    truth[0, 0] = (np.zeros_like(edges, 'uint16'), edges)
    return truth


cells = np.empty((1, 4), dtype=object)
for i in range(4):
    edges = np.zeros((481, 321), 'uint8')
    edges[7, 11] = i > 0
    edges[8, 300] = i == 2
    cells[0, i] = annotator(edges)
save('BSR/BSDS500/data/groundTruth/val/12003.mat', groundTruth=cells)
save('BSR/BSDS500/data/groundTruth/val/5.mat', groundTruth=np.zeros(3))
for part, name in [('val', '12003'), ('val', '5'), ('val', '9')]:
    os.makedirs(folder + 'BSR/BSDS500/data/images/' + part, exist_ok=True)
    with open(f'{folder}BSR/BSDS500/data/images/{part}/{name}.jpg', 'wb') as f:
        f.write(b'jpeg of ' + name.encode())

rng = np.random.default_rng(1)
sizes = {'wide': (321, 481), 'high': (481, 321)}
for part, name, size in [('train', name, size) for name, size in sizes.items()] + [('test', 'small', (320, 481))]:
    cells = np.empty((1, 5), dtype=object)
    for i in range(5):
        cells[0, i] = annotator((rng.random(size) < 0.1).astype('uint8'))
    save(f'tensorpack/BSR/BSDS500/data/groundTruth/{part}/{name}.mat', groundTruth=cells)
    images = f'{folder}tensorpack/BSR/BSDS500/data/images/{part}/'
    os.makedirs(images, exist_ok=True)
    coarse = rng.integers(0, 256, [size[0] // 20, size[1] // 20, 3]).astype('uint8')
    cv2.imwrite(f'{images}{name}.jpg', cv2.resize(coarse, size[::-1]))
data = BSDS500('train', folder + 'tensorpack', shuffle=False)
files = glob.glob(f'{folder}tensorpack/BSR/BSDS500/data/images/train/*.jpg')
arrays = {}
for path, (image, edges) in zip(files, data):
    name = os.path.basename(path)[:-4]
    arrays[f'{name}_image'], arrays[f'{name}_edges'] = image[:, :, ::-1], edges
np.savez(folder + 'bsds500.npz', **arrays)
