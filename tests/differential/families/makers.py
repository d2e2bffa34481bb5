"""Tensors of nothing, and bias_add of every rank."""
import numpy as np

from case import Case, family
from draw import FLOATS, INTEGERS


@family
def makers(draw):
    operator = draw.pick(["zeros", "ones", "fill", "range", "range", "linspace", "linspace", "eye", "range_of_tensor"])
    dtype = draw.pick(FLOATS + INTEGERS + ["bool"])
    if operator in ("zeros", "ones"):
        return Case(operator, [], {"shape": draw.shape(), "dtype": dtype})
    if operator == "fill":
        value = draw.pick([0, 1, -3, 2.5, "nan", "inf"] if dtype in FLOATS else [0, 1])
        return Case(operator, [], {"shape": draw.shape(), "dtype": dtype, "value": value})
    if operator == "eye":
        return Case(operator, [], {"rows": draw.integer(0, 4), "columns": draw.integer(0, 4), "dtype": dtype})
    if operator == "linspace":
        return Case(operator, [], {"start": draw.pick([0.0, -1.0, 0.1, 5.0, 1e6]), "stop": draw.pick([1.0, 2.0, -3.0, 0.7, 5.0]),
                                   "count": draw.pick([1, 2, 3, 7, 10, 100, 1000]), "dtype": draw.pick(FLOATS)})
    if operator == "range_of_tensor":
        return Case(operator, [np.asarray(draw.integer(-1, 6), draw.pick(INTEGERS))], constants=[False])
    if draw.chance(0.4):
        a = {"start": draw.integer(-9, 9), "limit": draw.integer(-9, 9), "delta": draw.pick([1, 2, 3, -1, -2, 5])}
    else:
        # Steps that binary fractions hold: of others the last element depends on rounding.
        a = {"start": draw.pick([0.0, 0.5, -1.0, 1.25]), "limit": draw.pick([1.0, 2.0, -2.0, 0.75]), "delta": draw.pick([0.125, 0.25, -0.5, 0.03125])}
    if draw.chance(0.8) and (a["limit"] - a["start"]) * a["delta"] < 0:
        a["delta"] = -a["delta"]
    return Case(operator, [], a)


@family
def bias_add(draw):
    """Sizes are often equal, so that adding along the wrong dimension is no error."""
    channels_first = draw.chance(0.6)
    shape = [draw.pick([2, 3, 4, 0 if draw.chance(0.1) else 4]) for _ in range(draw.integer(2, 5))]
    channels = shape[1] if channels_first else shape[-1]
    dtype = draw.pick(FLOATS)
    return Case("bias_add", [draw.array(dtype, shape), draw.array(dtype, [channels])],
                {"data_format": "NCHW" if channels_first else "NHWC"}, constants=[False, draw.chance(0.5)], dynamic=draw.pick([0, 0.3]))
