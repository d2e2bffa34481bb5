"""Images as examples/SuperResolution reads them, and what tensorpack's data_sampler.py makes of them with OpenCV.

    super_resolution_data.py FOLDER     FOLDER/images.zip, of images "wide", "high" and "small" and of a text; images.npz:
                                        the squares of 256 x 256 as RGB, by name, and "encoded_wide", that of the first as
                                        it lies in a database
"""

import sys
import zipfile

import cv2
import numpy as np

folder = sys.argv[1]
rng = np.random.default_rng(1)
arrays = {}


def center_square_resize(img):
    h, w, _ = img.shape
    off = abs(h - w) // 2
    if h > w and off > 0:
        img = img[off:-off, :, :]
    if w > h and off > 0:
        img = img[:, off:-off, :]
    return cv2.resize(img, (256, 256))


with zipfile.ZipFile(folder + "/images.zip", "w") as archive:
    archive.writestr("train/README.txt", "no image")
    for i, (name, h, w) in enumerate([("wide", 400, 451), ("high", 500, 384), ("small", 383, 500)]):
        picture = cv2.resize(rng.integers(0, 256, [h // 20, w // 20, 3]).astype("uint8"), (w, h))
        data = cv2.imencode(".jpg", picture)[1].tobytes()
        archive.writestr(f"train/{name}.jpg", data, zipfile.ZIP_DEFLATED if i else zipfile.ZIP_STORED)
        square = center_square_resize(cv2.imdecode(np.frombuffer(data, "uint8"), cv2.IMREAD_COLOR))
        arrays[name] = square[:, :, ::-1]
        if name == "wide":
            arrays["encoded_wide"] = cv2.imencode(".jpg", cv2.cvtColor(square, cv2.COLOR_BGR2RGB))[1]
np.savez(folder + "/images.npz", **arrays)
