"""Operators that move, choose and count elements."""
import numpy as np

from case import Case, family
from draw import FLOATS, INTEGERS

ANY = FLOATS + INTEGERS + ["bool"]
SIMPLE = ["shape", "size", "zeros_like", "ones_like", "batch_flatten", "diag", "diag_part", "where_indices"]


@family
def simple(draw):
    operator = draw.pick(SIMPLE)
    least = {"batch_flatten": 1, "diag": 1, "diag_part": 2, "where_indices": 1}.get(operator, 0)
    return Case(operator, [draw.array("bool" if operator == "where_indices" else draw.pick(ANY), draw.shape(least))])


def factors(draw, count):
    """Sizes whose product is `count`, one of them perhaps -1."""
    sizes = []
    while count > 1 and draw.chance(0.7):
        size = draw.pick([i for i in range(1, count + 1) if count % i == 0])
        sizes.append(size)
        count //= size
    sizes = draw.subset(sizes + [count], at_least=9)
    if draw.chance(0.4):
        sizes[draw.integer(0, len(sizes) - 1)] = -1
    return sizes + [7] if draw.chance(0.03) else sizes


@family
def reshapes(draw):
    operator = draw.pick(["reshape", "reshape_to_tensor", "transpose", "expand_dims", "squeeze", "broadcast_to", "tile", "reverse"])
    shape = draw.shape(1)
    rank = len(shape)
    x = draw.array(draw.pick(ANY), shape)
    if operator == "reshape":
        return Case(operator, [x], {"shape": factors(draw, x.size)})
    if operator == "reshape_to_tensor":
        return Case(operator, [x, np.asarray(factors(draw, x.size), draw.pick(INTEGERS))], constants=[False, False])
    if operator == "transpose":
        return Case(operator, [x], {"permutation": [axis - rank * draw.chance(0.1) for axis in draw.permutation(rank)]})
    if operator == "expand_dims":
        return Case(operator, [x], {"axis": draw.integer(-rank - 1, rank)})
    if operator == "squeeze":
        shape = [1 if draw.chance(0.5) else size for size in shape]
        axes = [axis - rank * draw.chance(0.4) for axis in draw.subset([i for i, size in enumerate(shape) if size == 1])]
        return Case(operator, [draw.array("float32", shape)], {"axes": axes}, dynamic=0.3 if axes else 0)
    if operator == "broadcast_to":
        full = draw.shape(1, 5)
        source = draw.broadcast(full)
        missing = len(full) - len(source)
        kept = [i >= missing and source[i - missing] == size and draw.chance(0.15) for i, size in enumerate(full)]
        return Case(operator, [draw.array(str(x.dtype), source)],
                    {"shape": [-1 if k else size for k, size in zip(kept, full)], "full": full})
    if operator == "tile":
        return Case(operator, [x], {"multiples": [draw.pick([1, 1, 2, 3, 0]) for _ in shape]})
    return Case(operator, [x], {"axes": draw.axes(rank)})


@family
def joins(draw):
    operator = draw.pick(["concat", "stack", "split", "split_sizes", "unstack"])
    dtype = draw.pick(ANY)
    shape = draw.shape(1)
    axis = draw.axis(len(shape))
    if operator == "concat":
        parts = [list(shape) for _ in range(draw.integer(1, 4))]
        for part in parts:
            part[axis] = draw.integer(0, 3)
        return Case(operator, [draw.array(dtype, part) for part in parts], {"axis": axis})
    if operator == "stack":
        return Case(operator, [draw.array(dtype, shape) for _ in range(draw.integer(1, 3))],
                    {"axis": draw.integer(-len(shape) - 1, len(shape))})
    if operator == "unstack":
        shape[axis] = shape[axis] or 2
        return Case(operator, [draw.array(dtype, shape)], {"axis": axis}, dynamic=0)
    count = draw.integer(1, 4)
    if operator == "split":
        if draw.chance(0.9):
            shape[axis] = count * draw.integer(0, 3)
        return Case(operator, [draw.array(dtype, shape)], {"count": count, "axis": axis}, dynamic=0.1)
    sizes = draw.integers(count, 0, 3)
    shape[axis] = sum(sizes)
    if draw.chance(0.2):
        sizes[draw.integer(0, count - 1)] = -1
    return Case(operator, [draw.array(dtype, shape)], {"sizes": sizes, "axis": axis}, dynamic=0.1)


@family
def slices(draw):
    operator = draw.pick(["slice", "strided_slice", "strided_slice", "select"])
    shape = draw.shape(1)
    x = draw.array(draw.pick(ANY), shape)
    if operator == "slice":
        begin = [draw.integer(0, size) for size in shape]
        sizes = [draw.pick([-1, draw.integer(0, size - b), size - b]) for b, size in zip(begin, shape)]
        if draw.chance(0.06):
            sizes[0] = shape[0] + 1
        return Case(operator, [x], {"begin": begin, "size": sizes})
    if operator == "strided_slice":
        count = draw.integer(1, len(shape))
        strides = [draw.pick([1, 1, 2, 3, -1, -2]) for _ in range(count)]
        if draw.chance(0.03):
            strides[0] = 0
        return Case(operator, [x], {"begin": draw.integers(count, -7, 7), "end": draw.integers(count, -7, 7), "strides": strides})
    axis = draw.axis(len(shape))
    return Case(operator, [x], {"index": draw.integer(-shape[axis], shape[axis]), "axis": axis})


def spoil(draw, indices, size):
    """Sometimes an index that is out of range."""
    if draw.chance(0.15) and indices.size:
        indices.flat[0] = draw.pick([-1, size, -size, 1000])
    return indices


@family
def gathers(draw):
    operator = draw.pick(["gather", "gather", "gather_nd", "scatter_nd", "embedding_lookup", "boolean_mask"])
    shape = draw.shape(*((2, 2) if operator == "embedding_lookup" else (1, 4)))
    x = draw.array(draw.pick(FLOATS if operator == "embedding_lookup" else ANY), shape)
    if operator == "boolean_mask":
        return Case(operator, [x, draw.array("bool", shape[:draw.integer(1, len(shape))])])
    dtype = draw.pick(INTEGERS)
    if operator in ("gather", "embedding_lookup"):
        axis = draw.axis(len(shape)) if operator == "gather" else 0
        indices = draw.numbers.integers(0, max(shape[axis], 1), draw.shape(0, 3))
        indices = spoil(draw, np.asarray(indices, dtype), shape[axis])
        return Case(operator, [x, indices], {"axis": axis} if operator == "gather" else {})
    # TensorFlow's scatter takes a list of numbers for a list of places, not for one place.
    places = draw.shape(operator == "scatter_nd", 2)
    depth = draw.integer(1, len(shape))
    indices = np.zeros(places + [depth], dtype)
    for i in range(depth):
        indices[..., i] = draw.numbers.integers(0, max(shape[i], 1), places)
    indices = spoil(draw, indices, shape[0])
    if operator == "gather_nd":
        return Case(operator, [x, indices])
    return Case(operator, [indices, draw.array(draw.pick(FLOATS + INTEGERS), places + shape[depth:])], {"shape": shape})


@family
def where(draw):
    operator = draw.pick(["where", "where", "where_number", "number_where"])
    shape = draw.shape(1)
    condition = draw.array("bool", draw.broadcast(shape))
    if operator == "where":
        dtype = draw.pick(ANY)
        kind = draw.kind() if dtype in FLOATS else "normal"
        return Case(operator, [condition, draw.array(dtype, draw.broadcast(shape), kind), draw.array(dtype, shape, kind)], kind=kind)
    dtype = draw.pick(FLOATS + INTEGERS)
    return Case(operator, [condition, draw.array(dtype, draw.broadcast(shape))],
                {"y": draw.pick([0, 1, -2, 0.5, "inf"] if dtype in FLOATS else [0, 3, 0.5])})


@family
def pads(draw):
    mode = draw.pick(["CONSTANT", "REFLECT", "SYMMETRIC"])
    dtype = draw.pick(FLOATS + INTEGERS)
    shape = draw.shape(1)
    paddings = [draw.integers(2, 0, 3) for _ in shape]
    if mode != "CONSTANT" and draw.chance(0.85):
        limits = [max(size - (mode == "REFLECT"), 0) for size in shape]
        paddings = [[min(p, limit) for p in pair] for pair, limit in zip(paddings, limits)]
    value = draw.pick([0, 0, 2, -1.5]) if mode == "CONSTANT" and dtype in FLOATS else draw.pick([0, 2])
    return Case("pad", [draw.array(dtype, shape)], {"mode": mode, "paddings": paddings, "value": value})


@family
def orders(draw):
    operator = draw.pick(["topk", "sort", "argsort", "one_hot", "sequence_mask"])
    dtype = draw.pick(FLOATS + INTEGERS)
    shape = draw.shape(1)
    if operator == "one_hot":
        indices = np.asarray(draw.numbers.integers(-2, 6, draw.shape(0, 3)), draw.pick(INTEGERS))
        return Case(operator, [indices], {"depth": draw.pick([1, 3, 5, 0]), "dtype": draw.pick(["float32", "int32", "int64", "bool", "float64"])})
    if operator == "sequence_mask":
        lengths = np.asarray(draw.numbers.integers(-2, 7, draw.shape(0, 3)), draw.pick(INTEGERS))
        return Case(operator, [lengths], {"length": draw.pick([0, 3, 5]), "dtype": draw.pick(["bool", "float32", "int64"])})
    # Whole numbers make ties: the lower index comes first.
    kind = draw.pick(["normal", "whole", "whole", "large"]) if dtype in FLOATS else "normal"
    x = draw.array(dtype, shape, kind)
    if operator == "topk":
        return Case(operator, [x], {"k": draw.integer(0, shape[-1] + draw.chance(0.1))}, kind=kind)
    return Case(operator, [x], {"axis": draw.axis(len(shape)), "descending": draw.chance(0.5)}, kind=kind)


@family
def numbers_of_the_graph(draw):
    """Operators whose places, sizes and counts are tensors."""
    made = draw.pick([slices, slices, pads, orders])(draw)
    names = {"slice": ["begin", "size"], "strided_slice": ["begin", "end", "strides"], "pad": ["paddings"], "topk": ["k"], "one_hot": ["depth"]}
    if made.operator not in names:
        return None
    dtype = draw.pick(["int32", "int64"])
    moved = [np.asarray(made.attributes.pop(name), dtype) for name in names[made.operator]]
    many = "_tensors" if len(moved) > 1 else "_tensor"
    constants = [False] + [draw.chance(0.3) for _ in moved]
    return Case(made.operator + many, made.arrays + moved, made.attributes, kind=made.kind, constants=constants)
