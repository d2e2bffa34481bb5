"""Reductions, the places of extremes, and statistics of values far from 0."""
import numpy as np

from case import Case, family
from draw import FLOATS, INTEGERS

FLOATING = ["mean", "logsumexp", "variance", "stddev", "norm"]
SUMS = ["sum", "mean", "variance", "stddev", "norm", "moments"]
ANY_NUMBER = ["sum", "max", "min", "prod"]


def drawn_axis(draw, rank):
    if rank == 0 or draw.chance(0.25):
        return None
    return draw.axis(rank) if draw.chance(0.3) else draw.axes(rank, at_least=1)


@family
def reduce(draw):
    name = draw.pick(FLOATING + ANY_NUMBER + ["any", "all", "moments", "argmax", "argmin"])
    place = name.startswith("arg")
    dtype = "bool" if name in ("any", "all") else draw.pick(FLOATS + (INTEGERS if name in ANY_NUMBER or place else []))
    shape = draw.shape(1 if place else 0)
    kind = draw.kind() if dtype in FLOATS else draw.pick(["normal", "normal", "wild"]) if dtype != "bool" else "normal"
    # A sum in which 1e18 and -1e18 cancel depends on the order; a product of many large numbers on where it overflows.
    if kind == "notable" and name in SUMS:
        kind = "large"
    if name == "prod" and dtype in FLOATS:
        kind = draw.pick(["normal", "whole"])
    if place:
        # Which is the largest of values among which is a NaN depends on the library.
        kind = "notable" if kind == "wild" else kind
        return Case(name, [draw.array(dtype, shape, kind)], {"axis": draw.axis(len(shape))}, kind=kind)
    return Case(name if name == "moments" else f"reduce_{name}", [draw.array(dtype, shape, kind)],
                {"axis": drawn_axis(draw, len(shape)), "keep": draw.chance(0.4)}, kind=kind)


PLAIN = {"scale": False, "offset": False, "epsilon": 1e-5}


@family
def statistics(draw):
    """Of float32 values far from 0 against float64: a mean of squares less a square of the mean has no digits there."""
    operator = draw.pick(["batch_norm_training", "layer_norm", "group_norm", "moments", "reduce_variance", "reduce_stddev",
                          "reduce_mean", "reduce_sum", "reduce_logsumexp", "softmax", "avg_pool2d", "cumsum", "reduce_norm",
                          "l2_normalize"])
    n, h, w, c = draw.integer(1, 4), draw.pick([2, 4, 32, 64]), draw.pick([1, 4, 32, 64]), draw.pick([1, 2, 8])
    offset, deviation = draw.pick([0, 1e2, 1e3, 1e4]), draw.pick([1, 10, 0.1])
    arrays = [(draw.numbers.normal(size=[n, h, w, c]) * deviation + offset).astype("float32")]
    if operator == "layer_norm":
        arrays.append(np.ones([h, w, c], "float32"))
    attributes = {
        "batch_norm_training": {**PLAIN, "unbiased": True}, "layer_norm": {**PLAIN, "scale": True},
        "group_norm": {**PLAIN, "groups": 1}, "avg_pool2d": {"pool": [h, w], "padding": "VALID"},
        "softmax": {"axis": -1}, "l2_normalize": {"axis": -1, "epsilon": 1e-12}, "cumsum": {"axis": 1},
    }.get(operator, {"axis": draw.pick([[0, 1, 2], [1, 2], [3], None, [0]]), "keep": draw.chance(0.5)})
    return Case(operator, arrays, attributes, constants=[False] + [True] * (len(arrays) - 1), dynamic=0, export=False,
                in_float64=True, slack=5e-7 * offset / deviation, kind=f"{offset} +- {deviation}")
