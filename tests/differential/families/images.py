"""Convolutions, pooling, resizing."""
import numpy as np

from case import Case, family
from draw import FLOATS, INTEGERS

PADDINGS = ["SAME", "VALID"]


def case_of(draw, operator, arrays, attributes):
    """Filters are constants in half of the cases: those are what the compiler works on."""
    constants = [False, draw.chance(0.5), True][:len(arrays)]
    return Case(operator, arrays, attributes, constants=constants, dynamic=draw.pick([0, 0.3]))


@family
def conv2d(draw):
    dtype = draw.pick(FLOATS)
    a = {"padding": draw.pick(PADDINGS), "groups": draw.integer(1, 3) if draw.chance(0.35) else 1}
    image = draw.image()
    image[3] = a["groups"] * draw.integer(1, 3)
    filters = a["groups"] * draw.integer(1, 3)
    if draw.chance(0.5):
        a["strides"] = draw.pick([1, 2, 3, [1, 2], [2, 1], [3, 2], 4, 6])
    if draw.chance(0.35):
        a["dilations"] = draw.pick([2, 3, [1, 2], [2, 1], [3, 2]])
    arrays = [draw.array(dtype, draw.laid_out(image, a)), draw.array(dtype, draw.integers(2, 1, 5) + [image[3] // a["groups"], filters])]
    if draw.chance(0.5):
        arrays.append(draw.array(dtype, [filters]))
    return case_of(draw, "conv2d", arrays, a)


@family
def conv_others(draw):
    operator = draw.pick(["depthwise_conv2d", "separable_conv2d", "conv1d", "conv2d_transpose", "conv2d_transpose"])
    dtype = draw.pick(FLOATS)
    a = {"padding": draw.pick(PADDINGS)}
    image = draw.image()
    kernel = draw.integers(2, 1, 5)
    if operator == "conv1d":
        a["stride"] = draw.integer(1, 3)
        a["dilation"] = draw.integer(1, 3) if a["stride"] == 1 else 1
        return case_of(draw, operator, [draw.array(dtype, image[:2] + image[3:]), draw.array(dtype, [kernel[0], image[3], draw.integer(1, 4)])], a)
    if operator == "conv2d_transpose":
        a["strides"] = draw.pick([1, 2, 3, [1, 2], [3, 1], [2, 3], 4])
        image[1:3] = draw.integers(2, 1, 5)
        filters = draw.integer(1, 3)
        arrays = [draw.array(dtype, draw.laid_out(image, a)), draw.array(dtype, kernel + [filters, image[3]])]
        return case_of(draw, operator, arrays + [draw.array(dtype, [filters])] * draw.chance(0.4), a)
    a.update(strides=draw.pick([1, 1, 2, 3, [2, 1]]), dilations=draw.pick([1, 1, 2, [1, 2]]))
    multiplier = draw.integer(1, 3)
    arrays = [draw.array(dtype, draw.laid_out(image, a)), draw.array(dtype, kernel + [image[3], multiplier])]
    if operator == "separable_conv2d":
        arrays.append(draw.array(dtype, [1, 1, image[3] * multiplier, draw.integer(1, 4)]))
    return case_of(draw, operator, arrays, a)


def filters_of(operator, kernel, channels, filters, groups=1):
    return kernel + {"conv2d": [channels // groups, filters], "conv2d_transpose": [filters, channels],
                     "depthwise_conv2d": [channels, min(filters, 2)]}[operator]


@family
def conv_narrow(draw):
    """Narrow images of few channels, for which oneDNN has kernels of their own."""
    operator = draw.pick(["conv2d", "conv2d", "conv2d_transpose", "depthwise_conv2d"])
    a = {"padding": draw.pick(PADDINGS), "strides": draw.integers(2, 1, 3)}
    sizes = [draw.integer(1, 10), draw.integer(1, 4)]
    if draw.chance(0.3):
        sizes.reverse()
    channels = draw.pick([1, 1, 2, 3])
    image = draw.laid_out([draw.integer(1, 5)] + sizes + [channels], a)
    kernel = filters_of(operator, draw.integers(2, 1, 4), channels, draw.pick([1, 2, 3, 8]))
    return case_of(draw, operator, [draw.array("float32", image), draw.array("float32", kernel)], a)


@family
def conv_wide(draw):
    """More channels, also odd numbers of them."""
    operator = draw.pick(["conv2d"] * 5 + ["conv2d_transpose"] * 3 + ["depthwise_conv2d"])
    most = 9 if operator == "conv2d_transpose" else 20
    channels = draw.pick([1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 48])
    filters = draw.pick([1, 2, 3, 4, 5, 8, 10, 16, 17, 24, 31, 32, 40])
    a = {"padding": draw.pick(PADDINGS), "strides": draw.pick([1, 1, 1, 2, 2, 3, [1, 2], [2, 1], [3, 1], [1, 3]])}
    groups = 1
    if operator == "conv2d" and draw.chance(0.2):
        groups = a["groups"] = draw.pick([g for g in range(1, channels + 1) if channels % g == 0])
        filters = groups * draw.integer(1, 3)
    image = draw.laid_out([draw.integer(1, 5)] + draw.integers(2, 1, most) + [channels], a)
    kernel = filters_of(operator, [draw.pick([1, 2, 3, 3, 4, 5, 7]) for _ in range(2)], channels, filters, groups)
    return case_of(draw, operator, [draw.array("float32", image), draw.array("float32", kernel)], a)


@family
def pool(draw):
    a = {"padding": draw.pick(PADDINGS), "pool": draw.pick([1, 2, 3, [2, 3], [3, 1], [1, 4], 5])}
    if draw.chance(0.6):
        a["strides"] = draw.pick([1, 2, 3, [1, 2], [2, 3], 4])
    image = draw.laid_out(draw.image(), a)
    return Case(draw.pick(["max_pool2d", "avg_pool2d"]), [draw.array(draw.pick(FLOATS), image, draw.pick(["normal", "normal", "whole", "large"]))],
                a, dynamic=draw.pick([0, 0.3]))


@family
def resize(draw):
    operator = draw.pick(["resize", "resize", "resize", "space_to_depth", "depth_to_space"])
    image = draw.image()
    if operator != "resize":
        a = {"block": draw.integer(2, 3)}
        if operator == "space_to_depth":
            image[1:3] = [size * a["block"] for size in image[1:3]]
        else:
            image[3] *= a["block"] ** 2
        return Case(operator, [draw.array(draw.pick(FLOATS + INTEGERS), draw.laid_out(image, a))], a, dynamic=draw.pick([0, 0.3]))
    method = draw.pick(["nearest", "bilinear"])
    a = {"method": method, "align_corners": method == "bilinear" and draw.chance(0.4),
         "size": draw.pick([draw.integer(1, 12), draw.integers(2, 1, 12)])}
    dtype = draw.pick(["float32"] * 9 + ["uint8", "float64"])
    x = draw.array(dtype, draw.laid_out(image, a))
    if draw.chance(0.3):
        size = np.broadcast_to(np.asarray(a.pop("size"), draw.pick(["int32", "int64"])), [2])
        return Case("resize_to_tensor", [x, size], a, constants=[False, draw.chance(0.3)])
    return Case(operator, [x], a, dynamic=draw.pick([0, 0.3]))
