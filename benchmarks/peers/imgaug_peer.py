#!/usr/bin/env python3
"""Microseconds for each image of tensorpack's augmentors: the peer of benchmarks/imgaug.cpp, under the same names.

usage: benchmarks/peers/imgaug_peer.py [FILTER]
"""
import sys
import time

sys.modules["tensorflow"] = None  # tensorpack's dataflows do without

import cv2
import numpy as np
from tensorpack.dataflow import imgaug
from tensorpack.dataflow.imgaug.deform import GaussianDeform

EIGVAL = np.asarray([0.2175, 0.0188, 0.0045]) * 255.0
EIGVEC = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])


def lighting():
    return imgaug.Lighting(0.1, EIGVAL, EIGVEC)


def imagenet_train():
    return imgaug.AugmentorList([
        imgaug.GoogleNetRandomCropAndResize(interp=cv2.INTER_CUBIC),
        imgaug.ToFloat32(),
        imgaug.RandomOrderAug([
            imgaug.BrightnessScale((0.6, 1.4)),
            imgaug.Contrast((0.6, 1.4), rgb=False),
            imgaug.Saturation(0.4, rgb=False),
            lighting(),
        ]),
        imgaug.ToUint8(),
        imgaug.Flip(horiz=True),
    ])


BOTH_DTYPES = {
    "Brightness": imgaug.Brightness(30),
    "BrightnessScale": imgaug.BrightnessScale((0.6, 1.4)),
    "Contrast": imgaug.Contrast((0.6, 1.4)),
    "ContrastGray": imgaug.Contrast((0.6, 1.4), rgb=False),
    "Saturation": imgaug.Saturation(0.4),
    "Lighting": lighting(),
    "Hue": imgaug.Hue(),
    "Gamma": imgaug.Gamma(),
    "Clip": imgaug.Clip(20, 200),
    "GaussianBlur": imgaug.GaussianBlur((1, 2)),
    "MeanVarianceNormalize": imgaug.MeanVarianceNormalize(),
    "MinMaxNormalize": imgaug.MinMaxNormalize(),
    "Grayscale": imgaug.Grayscale(),
    "ToFloat32": imgaug.ToFloat32(),
    "ToUint8": imgaug.ToUint8(),
    "GaussianNoise": imgaug.GaussianNoise(5),
    "SaltPepperNoise": imgaug.SaltPepperNoise(),
    "Flip": imgaug.Flip(horiz=True, prob=1),
    "Transpose": imgaug.Transpose(1),
    "RandomCrop": imgaug.RandomCrop(200),
    "RandomCutout": imgaug.RandomCutout(50, 50),
    "CenterPaste": imgaug.CenterPaste((256, 256)),
    "Resize": imgaug.Resize(160),
    "ResizeCubic": imgaug.Resize(160, cv2.INTER_CUBIC),
    "Shift": imgaug.Shift(0.1, 0.1),
    "Rotation": imgaug.Rotation(30),
    "Affine": imgaug.Affine((0.8, 1.2), rotate_max_deg=20, shear=10),
    "GaussianDeform": GaussianDeform([(0.2, 0.2), (0.7, 0.2), (0.8, 0.8), (0.5, 0.5)], (224, 224)),
    "JpegNoise": imgaug.JpegNoise(),
}
ON_PHOTOS = {
    "GoogleNetRandomCropAndResize": imgaug.GoogleNetRandomCropAndResize(),
    "GoogleNetRandomCropAndResizeCubic": imgaug.GoogleNetRandomCropAndResize(interp=cv2.INTER_CUBIC),
    "ImageNetTrain": imagenet_train(),
    "ImageNetEvaluation": imgaug.AugmentorList(
        [imgaug.ResizeShortestEdge(256, cv2.INTER_CUBIC), imgaug.CenterCrop((224, 224))]),
}


def measure(name, augmentor, image, seconds=0.5):
    if len(sys.argv) > 1 and sys.argv[1] not in name:
        return
    augmentor.reset_state()

    def augment():  # crops and flips are views there: what a batch needs is contiguous
        return np.ascontiguousarray(augmentor.augment(image.copy() if "Cutout" in name or "Salt" in name else image))

    try:
        augment()
    except TypeError as error:  # tensorpack's Affine passes a numpy number where OpenCV 4.6 wants Python's
        print(f"{name:<42} fails: {error}")
        return
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        augment()
        count += 1
    print(f"{name:<42} {1e6 * (time.process_time() - start) / count:10.1f} us", flush=True)


def main():
    cv2.setNumThreads(0)
    print("OpenCV", cv2.__version__, "numpy", np.__version__)
    rng = np.random.RandomState(0)
    image = rng.randint(0, 256, (224, 224, 3)).astype("uint8")
    photo = rng.randint(0, 256, (375, 500, 3)).astype("uint8")
    for name, augmentor in BOTH_DTYPES.items():
        measure(name + "/byte", augmentor, image)
        measure(name + "/float", augmentor, image.astype("float32"))
    for name, augmentor in ON_PHOTOS.items():
        measure("Photo/" + name, augmentor, photo)


if __name__ == "__main__":
    main()
