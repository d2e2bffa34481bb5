"""Losses, and whether a label is among the k largest."""
import numpy as np

from case import Case, family
from draw import FLOATS, INTEGERS

KINDS = ["normal", "normal", "whole", "notable", "large"]


@family
def losses(draw):
    operator = draw.pick(["sparse_softmax_cross_entropy"] * 2 + [
        "softmax_cross_entropy", "sigmoid_cross_entropy", "weighted_cross_entropy_with_logits", "mean_squared_error",
        "absolute_difference", "psnr", "l2_loss", "huber_loss"])
    dtype = draw.pick(FLOATS)
    kind = draw.pick(KINDS)
    if operator == "sparse_softmax_cross_entropy":
        shape, classes = draw.shape(1, 3), draw.integer(1, 5)
        labels = np.asarray(draw.numbers.integers(0, classes, shape), draw.pick(INTEGERS))
        if draw.chance(0.1) and labels.size:
            labels.flat[0] = draw.pick([-1, classes, -100, 1000, 255])
        return Case(operator, [draw.array(dtype, shape + [classes], kind), labels], kind=kind)
    if operator == "softmax_cross_entropy":
        shape = draw.shape(1, 3) + [draw.integer(1, 5)]
        labels = draw.array(dtype, shape, "positive")
        return Case(operator, [draw.array(dtype, shape, kind), labels / labels.sum(-1, keepdims=True)], kind=kind)
    shape = draw.shape()
    if operator in ("sigmoid_cross_entropy", "weighted_cross_entropy_with_logits"):
        labels = draw.array(dtype, shape, "unit") if draw.chance(0.5) else draw.array("bool", shape).astype(dtype)
        return Case(operator, [draw.array(dtype, shape, kind), labels], {"positive_weight": draw.pick([0.5, 2.0, 1.0, 0.0])}, kind=kind)
    if operator == "l2_loss":
        return Case(operator, [draw.array(dtype, shape, draw.pick(["normal", "whole", "zero"]))])
    if operator != "huber_loss" and 0 in shape:
        shape = [2]
    kind = draw.pick(["normal", "normal", "whole", "large"])
    x = draw.array(dtype, shape, kind)
    y = x.copy() if draw.chance(0.1) else draw.array(dtype, shape, kind)
    return Case(operator, [x, y], {"delta": draw.pick([1.0, 0.5, 2.0]), "max": draw.pick([255.0, 1.0])}, kind=kind)


@family
def in_top_k(draw):
    batch, classes = draw.integer(0, 5), draw.integer(1, 6)
    labels = np.asarray(draw.numbers.integers(0, classes, [batch]), draw.pick(INTEGERS))
    if draw.chance(0.2) and labels.size:
        labels.flat[0] = draw.pick([-1, classes, 1000])
    kind = draw.pick(["normal", "whole", "whole", "wild"])
    return Case(draw.pick(["in_top_k", "in_top_k", "not_in_top_k"]), [draw.array("float32", [batch, classes], kind), labels],
                {"k": draw.integer(1, classes + 1) if draw.chance(0.9) else 0}, gradient=False, kind=kind)
