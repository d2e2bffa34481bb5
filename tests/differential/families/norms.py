"""Softmax, norms and attention."""
import numpy as np

from case import Case, family
from draw import FLOATS


def affine(draw, dtype, shape, attributes):
    """The drawn scale and offset."""
    attributes.update(scale=draw.chance(0.7), offset=draw.chance(0.7))
    return [draw.array(dtype, shape) for name in ("scale", "offset") if attributes[name]]


@family
def softmax(draw):
    operator = draw.pick(["softmax", "log_softmax", "l2_normalize"])
    shape = draw.shape(1)
    kind = draw.pick(["normal", "normal", "whole", "zero", "large"])
    x = draw.array(draw.pick(FLOATS), shape, kind)
    if kind == "large" and draw.chance(0.5):
        x = x * np.asarray(1e4, x.dtype)
    if kind == "normal" and operator != "l2_normalize" and x.size and draw.chance(0.2):
        x.flat[0] = draw.pick([-np.inf, np.nan])
    return Case(operator, [x], {"axis": draw.axis(len(shape)), "epsilon": draw.pick([1e-12, 1e-12, 1e-3])}, kind=kind)


@family
def norms(draw):
    operator = draw.pick(["batch_norm_training", "batch_norm", "layer_norm", "group_norm", "local_response_normalization"])
    dtype = draw.pick(FLOATS)
    a = {"epsilon": draw.pick([1e-5, 1e-3, 0.1])}
    if operator == "local_response_normalization":
        a = {"radius": draw.integer(0, 6), "bias": draw.pick([1, 2, 0.5]), "alpha": draw.pick([1, 0.3, 1e-4]), "beta": draw.pick([0.5, 0.75, 1])}
        return Case(operator, [draw.array("float32", draw.integers(3, 1, 3) + [draw.integer(1, 9)])], a)
    if operator == "layer_norm":
        shape = draw.shape(1, 4, empty=0.02)
        x = draw.array(dtype, shape, draw.pick(["normal", "normal", "whole", "zero"]))
        return Case(operator, [x] + affine(draw, dtype, shape[len(shape) - draw.integer(1, min(len(shape), 2)):], a), a)
    if operator == "group_norm":
        a["groups"] = draw.integer(1, 3)
        channels = a["groups"] * draw.integer(1, 3)
        shape = draw.laid_out([draw.integer(1, 3), draw.integer(1, 4), draw.integer(1, 4), channels], a)
        return Case(operator, [draw.array(dtype, shape)] + affine(draw, dtype, [channels], a), a, dynamic=0.2)
    if draw.chance(0.3):
        shape = draw.integers(2, 1, 5)
        channels = shape[1]
    else:
        nhwc = draw.integers(4, 1, 4)
        channels = nhwc[3]
        shape = draw.laid_out(nhwc, a)
    a["unbiased"] = draw.chance(0.5)
    arrays = [draw.array(dtype, shape, draw.pick(["normal", "normal", "whole", "zero", "large"]))]
    if operator == "batch_norm":
        arrays += [draw.array(dtype, [channels]), draw.array(dtype, [channels], "positive")]
    return Case(operator, arrays + affine(draw, dtype, [channels], a), a)


@family
def attention(draw):
    dtype = draw.pick(FLOATS)
    batch = draw.shape(1, 2, empty=0, most=3)
    queries, keys, depth, width = draw.integers(4, 1, 5)
    arrays = [draw.array(dtype, batch + size) for size in ([queries, depth], [keys, depth], [keys, width])]
    a = {"causal": False}
    masked = draw.pick(["no", "bool", "float", "causal"])
    if masked == "bool":
        mask = draw.array("bool", [queries, keys])
        mask[:, 0] = True
        arrays.append(mask)
    elif masked == "float":
        arrays.append(draw.array(dtype, draw.pick([[queries, keys], [1, keys], batch + [queries, keys]])))
    a["causal"] = masked == "causal"
    if draw.chance(0.5):
        a["scale"] = draw.pick([0.5, 1, 2])
    return Case("attention", arrays, a, dynamic=0.15)
