"""Applies tensorpack's own transforms, as Belfry's describe themselves, to photographs.

usage: tests/imgaug/tensorpack_images.py CASES OUTPUT.npz

Each line of CASES is "name<TAB>image<TAB>description". The output holds the images (image/NAME), what each case makes of
its image (result/NAME) and, where tensorpack can say it, of some points (coords/NAME).
"""
import pathlib
import sys

sys.modules["tensorflow"] = None  # tensorpack's dataflows do without, and start ten times faster

import cv2
import numpy as np
from tensorpack.dataflow import imgaug
from tensorpack.dataflow.imgaug.deform import GaussianDeform as TensorpackDeform
from tensorpack.dataflow.imgaug.transform import (
    CropTransform, FlipTransform, NoOpTransform, PhotometricTransform, ResizeTransform, TransposeTransform)
from tensorpack.dataflow.imgaug.transform import WarpAffineTransform as TensorpackWarp

H, W = 97, 131
ANCHORS = [(0.2, 0.3), (0.7, 0.8), (0.5, 0.1)]
POINTS = np.array([[0, 0], [131, 97], [12.25, 80.5], [-3, 200]], dtype="float32")

linear, nearest, cubic, area, lanczos4 = (
    cv2.INTER_LINEAR, cv2.INTER_NEAREST, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
constant, replicate, reflect, wrap, reflect101 = (
    cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT, cv2.BORDER_WRAP, cv2.BORDER_REFLECT_101)
none, true, false = None, True, False


def WarpAffineTransform(matrix, h, w, interp, border, border_value):
    return TensorpackWarp(
        np.array(matrix, dtype="float64").reshape(2, 3), (w, h), interp, border, border_value)


def TransformList(*transforms):
    return imgaug.TransformList(list(transforms))


def color(augmentor, parameters=None):
    """The transform of a colour augmentor that drew these parameters."""
    return PhotometricTransform(lambda image: augmentor._augment(image, parameters))


def Brightness(value, clip):
    return color(imgaug.Brightness(1, clip), np.float32(value))


def BrightnessScale(value, clip):
    return color(imgaug.BrightnessScale((0, 1), clip), np.float32(value))


def Contrast(factor, rgb, clip):
    return color(imgaug.Contrast((0, 1), rgb, clip), np.float32(factor))


def Saturation(factor, rgb, clip):
    return color(imgaug.Saturation(0.4, rgb, clip), 1 + np.float32(np.float32(factor) - 1))


def Lighting(shift, clip):
    return color(imgaug.Lighting(1, np.ones(3), np.eye(3), clip), np.array(shift, dtype="float32"))


def Hue(hue, rgb):
    return color(imgaug.Hue(rgb=rgb), np.float32(hue))


def Gamma(gamma):
    return color(imgaug.Gamma(), np.float32(gamma))


def Clip(low, high):
    return color(imgaug.Clip(low, high))


def GaussianBlur(size, sigma):
    return color(imgaug.GaussianBlur(), (size, sigma))


def JpegNoise(quality):
    return color(imgaug.JpegNoise(), quality)


def MeanVarianceNormalize(all_channel):
    return color(imgaug.MeanVarianceNormalize(all_channel))


def MinMaxNormalize(low, high, all_channel):
    return color(imgaug.MinMaxNormalize(low, high, all_channel))


def ColorSpace(code, keepdims):
    return color(imgaug.ColorSpace(code, keepdims))


def Grayscale(rgb, keepshape, keepdims):
    return color(imgaug.Grayscale(keepdims=keepdims, rgb=rgb, keepshape=keepshape))


def ToUint8():
    return color(imgaug.ToUint8())


def ToFloat32():
    return color(imgaug.ToFloat32())


def Cutout(y0, x0, h, w, fill):
    return PhotometricTransform(
        lambda image: imgaug.RandomCutout._cutout(image, y0, x0, h, w, fill))


def PasteTransform(y0, x0, h, w):
    paste = imgaug.RandomPaste((h, w), imgaug.ConstantBackgroundFiller(7))
    return imgaug.TransformFactory(apply_image=lambda image: paste._impl(image, (x0, y0)).astype(image.dtype))


def GaussianDeform(offsets):
    deform = TensorpackDeform(ANCHORS, (H, W))
    offsets = np.array(offsets, dtype="float32").reshape(-1, 2)
    return imgaug.TransformFactory(apply_image=lambda image: deform._augment(image, offsets).astype("float32"))


def photograph():
    photos = sorted(pathlib.Path("../shared/data/photos").glob("*.JPEG"))
    if photos:
        image = cv2.imread(str(photos[0]))
        return np.ascontiguousarray(cv2.resize(image, (2 * W, 2 * H), interpolation=cv2.INTER_AREA)[:H, :W])
    rng = np.random.RandomState(0)
    return cv2.GaussianBlur(rng.randint(0, 256, (H, W, 3)).astype("uint8"), (5, 5), 0)


def main():
    cv2.ipp.setUseIPP(False)  # not part of Debian's OpenCV; its last digits differ
    photo = photograph()
    images = {
        "photo": photo,
        "float": photo.astype("float32") + np.float32(0.37),
        "unit": photo.astype("float32") / 255,
        "gray": photo[:, :, :1].copy(),
        "mask": photo[:, :, 0].copy(),
        "flow": photo[:, :, :2].astype("float32") / 7 - 20,
        "bands": np.concatenate([photo, 255 - photo[:, :, 1:]], axis=2),
        "rgba": np.concatenate([photo, photo[::-1, :, :1]], axis=2),
    }
    output = {"image/" + name: image for name, image in images.items()}
    for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
        name, image, description = line.split("\t")
        transform = eval(description)  # what Belfry wrote
        output["result/" + name] = np.ascontiguousarray(transform.apply_image(images[image].copy()))
        try:
            output["coords/" + name] = np.ascontiguousarray(transform.apply_coords(POINTS.copy()), dtype="float32")
        except NotImplementedError:
            pass
    np.savez(sys.argv[2], **output)


if __name__ == "__main__":
    main()
