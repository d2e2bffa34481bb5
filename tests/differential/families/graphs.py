"""Graphs of several operators, of matrices and of images."""
import numpy as np

from case import Case, Node, family
from draw import FLOATS
from reference import evaluate

SMOOTH = ["tanh", "sigmoid", "relu", "softplus", "sin", "square", "elu", "silu", "neg", "abs", "leaky_relu", "relu6"]


class Growing:
    """A graph whose nodes are evaluated as they are drawn, so that each gets inputs that it accepts."""

    def __init__(self, arrays):
        self.arrays, self.nodes = list(arrays), []

    def add(self, operator, inputs, attributes=None):
        node = Node(operator, inputs, attributes or {})
        try:
            results = evaluate(operator, [self.arrays[i] for i in inputs], node.attributes)
        except Exception:
            return
        if any(r.size > 4000 or not np.isfinite(r).all() or np.abs(r).max(initial=0) > 1e4 for r in results):
            return
        self.nodes.append(node)
        self.arrays += results


def anything(draw, graph):
    return draw.integer(0, len(graph.arrays) - 1)


def smooth(draw, graph):
    graph.add(draw.pick(SMOOTH), [anything(draw, graph)], {"alpha": 0.2})


def pairs(draw, graph):
    graph.add(draw.pick(["add", "subtract", "multiply", "maximum", "minimum", "squared_difference"]),
              [anything(draw, graph), anything(draw, graph)])


def numbers(draw, graph):
    graph.add(draw.pick(["add_number", "multiply_number", "number_subtract"]), [anything(draw, graph)], {"y": draw.pick([0.5, -1.5, 2.0])})


def reduction(draw, graph):
    i = anything(draw, graph)
    rank = graph.arrays[i].ndim
    if rank:
        graph.add(draw.pick(["reduce_sum", "reduce_mean", "reduce_max", "softmax", "cumsum"]), [i],
                  {"axis": draw.axis(rank), "keep": draw.chance(0.5)})


def rearrangement(draw, graph):
    i = anything(draw, graph)
    shape = graph.arrays[i].shape
    if not shape:
        return
    rank, axis = len(shape), draw.axis(len(shape))
    operator = draw.pick(["transpose", "expand_dims", "concat", "stack", "strided_slice", "split_sizes", "tile", "reverse", "pad", "reshape"])
    first = draw.integer(0, shape[axis])
    attributes = {
        "transpose": {"permutation": draw.permutation(rank)}, "expand_dims": {"axis": axis}, "concat": {"axis": axis}, "stack": {"axis": axis},
        "strided_slice": {"begin": [draw.integer(-3, 3)], "end": [draw.integer(-3, 7)], "strides": [draw.pick([1, 2, -1])]},
        "split_sizes": {"axis": axis, "sizes": [first, shape[axis] - first]}, "tile": {"multiples": draw.integers(rank, 1, 2)},
        "reverse": {"axes": [axis]}, "pad": {"mode": "CONSTANT", "paddings": [draw.integers(2, 0, 1) for _ in shape], "value": 0},
        "reshape": {"shape": [-1]}}.get(operator, {})
    graph.add(operator, [i, i] if operator in ("concat", "stack") else [i], attributes)


def product(draw, graph):
    i = anything(draw, graph)
    if graph.arrays[i].ndim == 2:
        graph.add("matmul", [i, anything(draw, graph)], {"ta": draw.chance(0.3), "tb": draw.chance(0.3)})


def image_step(draw, graph):
    images = [i for i, x in enumerate(graph.arrays) if x.ndim == 4 and x.size]
    if not images:
        return
    i = draw.pick(images)
    channels = graph.arrays[i].shape[3]
    operator = draw.pick(["max_pool2d", "avg_pool2d", "conv2d", "conv2d", "conv2d", "depthwise_conv2d", "bias_add", "batch_norm", "resize"])
    attributes = {"padding": draw.pick(["SAME", "VALID"]), "strides": draw.pick([1, 1, 2]), "pool": draw.integer(2, 3), "size": draw.integer(2, 6),
                  "method": "bilinear", "align_corners": False, "epsilon": 1e-3, "scale": True, "offset": True}
    fits = {"conv2d": lambda x: x.ndim == 4 and x.shape[0] < 4 and x.shape[2] == channels, "depthwise_conv2d": lambda x: x.ndim == 4 and x.shape[2] == channels,
            "bias_add": lambda x: x.shape == (channels,)}
    if operator == "batch_norm":
        vectors = [k for k, x in enumerate(graph.arrays) if x.shape == (channels,) and x.min(initial=1) > 0.05]
        if vectors:
            graph.add(operator, [i] + [draw.pick(vectors) for _ in range(4)], attributes)
    elif operator in fits:
        fitting = [k for k, x in enumerate(graph.arrays) if fits[operator](x)]
        if fitting:
            graph.add(operator, [i, draw.pick(fitting)], attributes)
    else:
        graph.add(operator, [i], attributes)


def grown(draw, arrays, steps, constants):
    graph = Growing(arrays)
    for _ in range(draw.integer(3, 9)):
        draw.pick(steps)(draw, graph)
    if not graph.nodes:
        return None
    made = range(len(arrays), len(graph.arrays))
    outputs = [i for i in made if draw.chance(0.25)] or [made[-1]]
    return Case("graph", arrays, nodes=graph.nodes, outputs=outputs, constants=constants)


@family
def graph(draw):
    dtype = draw.pick(FLOATS)
    shape = draw.shape(1, 3, empty=0.03)
    arrays = [draw.array(dtype, s) for s in [shape, shape, draw.broadcast(shape), draw.integers(2, 1, 4)][:draw.integer(1, 4)]]
    return grown(draw, arrays, [smooth, smooth, pairs, pairs, numbers, reduction, rearrangement, rearrangement, product],
                 [draw.chance(0.1) for _ in arrays])


@family
def image_graph(draw):
    n, h, w, c = draw.integer(1, 3), draw.integer(2, 9), draw.integer(2, 9), draw.integer(1, 4)
    arrays = [draw.array("float32", [n, h, w, c])]
    for shape in ([3, 3, c, c], [1, 1, c, c], [2, 3, c, 1]):
        arrays.append(draw.array("float32", shape, "unit"))
    arrays += [draw.array("float32", [c], "positive") for _ in range(2)]
    return grown(draw, arrays, [image_step] * 4 + [smooth, pairs, numbers, rearrangement],
                 [False] + [draw.chance(0.8) for _ in arrays[1:]])
