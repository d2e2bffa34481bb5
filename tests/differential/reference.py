"""TensorFlow's counterpart of each operator of driver/operators_*.cpp: REFERENCE[name](tensors, attributes)."""
import numpy as np
import tensorflow as tf

from reference_nn import NN

v1 = tf.compat.v1


def number(value):
    """JSON has no infinities: those are text."""
    return float(value) if isinstance(value, str) else value


def with_number(function, reverse=False, divides=False):
    """The number takes the tensor's dtype; a fraction beside integers makes both float32."""
    def call(x, a):
        tensor, y = x[0], number(a["y"])
        if not tensor.dtype.is_floating and (divides or isinstance(y, float)):
            tensor = tf.cast(tensor, tf.float32)
        operands = [tensor, tf.constant(float(y) if tensor.dtype.is_floating else y, tensor.dtype)]
        return function(*(operands[::-1] if reverse else operands))
    return call


def on(function):
    return lambda x, a: function(*x)


def reduction(function):
    return lambda x, a: function(x[0], axis=a["axis"], keepdims=a["keep"])


def floating(x):
    return x if x.dtype.is_floating else tf.cast(x, tf.float32)


def norm(x, axis, keepdims):
    return tf.sqrt(tf.reduce_sum(x * x, axis, keepdims=keepdims))


def moments(x, a):
    axis = a["axis"] if a["axis"] is not None else list(range(x[0].shape.rank))
    return list(tf.nn.moments(x[0], [axis] if isinstance(axis, int) else axis, keepdims=a["keep"]))


def clip_by_global_norm(x, a):
    clipped, total = tf.clip_by_global_norm(x, a["max"])
    return clipped + [total]


def slice_(x, a):
    for begin, size, whole in zip(a["begin"], a["size"], x[0].shape):
        if begin < 0 or begin > whole or size != -1 and begin + size > whole:
            raise ValueError("beyond the tensor")
    return tf.slice(x[0], a["begin"], a["size"])


def select(x, a):
    size = x[0].shape[a["axis"]]
    if not -size <= a["index"] < size:
        raise ValueError("index out of range")
    return tf.gather(x[0], a["index"] % size, axis=a["axis"])


def gelu(x, a):
    """tf.nn.gelu's constants have float32's digits even for float64."""
    return 0.5 * x[0] * (1 + tf.math.erf(x[0] * tf.constant(0.5, x[0].dtype) ** 0.5))


def gelu_tanh(x, a):
    cubic = x[0] + tf.constant(0.044715, x[0].dtype) * x[0] * x[0] * x[0]
    return 0.5 * x[0] * (1 + tf.tanh(tf.constant(2 / np.pi, x[0].dtype) ** 0.5 * cubic))


def one_hot(x, a):
    booleans = {"on_value": True, "off_value": False} if a["dtype"] == "bool" else {}
    return tf.one_hot(x[0], a["depth"], dtype=a["dtype"], **booleans)


def order(a):
    return "DESCENDING" if a["descending"] else "ASCENDING"


def range_(x, a):
    values = [a["start"], a["limit"], a["delta"]]
    return tf.range(*values, dtype=tf.int64 if all(isinstance(v, int) for v in values) else tf.float32)


def linspace(x, a):
    return tf.linspace(tf.constant(a["start"], a["dtype"]), tf.constant(a["stop"], a["dtype"]), a["count"])


FUNCTIONS = {
    "add": tf.add, "subtract": tf.subtract, "multiply": tf.multiply, "floor_div": tf.math.floordiv, "floor_mod": tf.math.floormod,
    "maximum": tf.maximum, "minimum": tf.minimum, "pow": tf.pow, "equal": tf.equal, "not_equal": tf.not_equal, "less": tf.less,
    "less_equal": tf.less_equal, "greater": tf.greater, "greater_equal": tf.greater_equal, "divide": tf.divide}
UNARY = {name: on(getattr(tf, name)) for name in """abs sign exp sqrt square sin cos tan asin acos atan sinh cosh floor round
    logical_not shape size zeros_like ones_like sigmoid tanh stop_gradient identity""".split()}
UNARY.update({name: on(getattr(tf.math, name)) for name in """expm1 log log1p rsqrt reciprocal erf ceil is_nan is_inf is_finite
    log_sigmoid""".split()})
UNARY.update({name: on(getattr(tf.nn, name)) for name in "relu relu6 silu elu selu softplus softsign l2_loss".split()})
OTHERS = {
    "squared_difference": on(tf.math.squared_difference), "atan2": on(tf.atan2), "logical_and": on(tf.logical_and),
    "logical_or": on(tf.logical_or), "logical_xor": on(tf.math.logical_xor), "neg": on(tf.negative),
    "divide": lambda x, a: tf.divide(floating(x[0]), floating(x[1])),
    "gelu": gelu, "gelu_tanh": gelu_tanh,
    "hardswish": lambda x, a: x[0] * tf.nn.relu6(x[0] + 3) / 6,
    "prelu": lambda x, a: tf.where(x[0] > 0, x[0], x[1] * x[0]),
    "leaky_relu": lambda x, a: tf.where(x[0] > 0, x[0], tf.constant(a["alpha"], x[0].dtype) * x[0]),
    "clip_by_value": lambda x, a: tf.clip_by_value(x[0], number(a["min"]), number(a["max"])),
    "clip_by_norm": lambda x, a: tf.clip_by_norm(x[0], a["max"]), "global_norm": lambda x, a: tf.linalg.global_norm(x),
    "clip_by_global_norm": clip_by_global_norm, "add_n": lambda x, a: tf.add_n(x),
    "matmul": lambda x, a: tf.matmul(x[0], x[1], transpose_a=a["ta"], transpose_b=a["tb"]),
    "einsum": lambda x, a: tf.einsum(a["equation"], *x), "tensordot": lambda x, a: tf.tensordot(x[0], x[1], a["axes"]),
    "tensordot_lists": lambda x, a: tf.tensordot(x[0], x[1], a["axes"]),
    "cumsum": lambda x, a: tf.cumsum(x[0], a["axis"]), "cumprod": lambda x, a: tf.math.cumprod(x[0], a["axis"]),
    "cast": lambda x, a: tf.cast(x[0], a["dtype"]), "moments": moments,
    "argmax": lambda x, a: tf.argmax(x[0], a["axis"]), "argmin": lambda x, a: tf.argmin(x[0], a["axis"]),
    "batch_flatten": lambda x, a: tf.reshape(x[0], [x[0].shape[0], int(np.prod(x[0].shape[1:]))]),
    "diag": on(tf.linalg.diag), "diag_part": on(tf.linalg.diag_part), "where_indices": on(tf.where),
    "reshape": lambda x, a: tf.reshape(x[0], a["shape"]), "reshape_to_tensor": on(tf.reshape),
    "transpose": lambda x, a: tf.transpose(x[0], [p % len(a["permutation"]) for p in a["permutation"]]),
    "expand_dims": lambda x, a: tf.expand_dims(x[0], a["axis"]), "squeeze": lambda x, a: tf.squeeze(x[0], a["axes"] or None),
    "broadcast_to": lambda x, a: tf.broadcast_to(x[0], a["full"]), "tile": lambda x, a: tf.tile(x[0], a["multiples"]),
    "reverse": lambda x, a: tf.reverse(x[0], a["axes"]), "concat": lambda x, a: tf.concat(x, a["axis"]),
    "stack": lambda x, a: tf.stack(x, a["axis"]), "split": lambda x, a: tf.split(x[0], a["count"], a["axis"]),
    "split_sizes": lambda x, a: tf.split(x[0], a["sizes"], a["axis"]), "unstack": lambda x, a: tf.unstack(x[0], axis=a["axis"]),
    "slice": slice_, "strided_slice": lambda x, a: tf.strided_slice(x[0], a["begin"], a["end"], a["strides"]), "select": select,
    "gather": lambda x, a: tf.gather(x[0], x[1], axis=a["axis"]), "gather_nd": on(tf.gather_nd), "boolean_mask": on(tf.boolean_mask),
    "slice_tensors": on(tf.slice), "strided_slice_tensors": on(tf.strided_slice),
    "pad_tensor": lambda x, a: tf.pad(x[0], x[1], a["mode"], constant_values=tf.cast(a["value"], x[0].dtype)),
    "one_hot_tensor": lambda x, a: one_hot(x[:1], {"depth": tf.cast(x[1], tf.int32), "dtype": a["dtype"]}),
    "topk_tensor": lambda x, a: list(tf.math.top_k(x[0], tf.cast(x[1], tf.int32))),
    "embedding_lookup": on(tf.nn.embedding_lookup),
    "scatter_nd": lambda x, a: tf.scatter_nd(x[0], x[1], tf.constant(a["shape"], x[0].dtype)), "where": on(tf.where),
    "pad": lambda x, a: tf.pad(x[0], a["paddings"], a["mode"], constant_values=tf.cast(a["value"], x[0].dtype)),
    "one_hot": one_hot, "topk": lambda x, a: list(tf.math.top_k(x[0], a["k"])), "sort": lambda x, a: tf.sort(x[0], a["axis"], order(a)),
    "argsort": lambda x, a: tf.argsort(x[0], a["axis"], order(a), stable=True),
    "sequence_mask": lambda x, a: tf.sequence_mask(x[0], a["length"], a["dtype"]),
    "zeros": lambda x, a: tf.zeros(a["shape"], a["dtype"]), "ones": lambda x, a: tf.ones(a["shape"], a["dtype"]),
    "fill": lambda x, a: tf.fill(a["shape"], tf.cast(number(a["value"]), a["dtype"])), "range": range_,
    "range_of_tensor": on(tf.range), "linspace": linspace, "eye": lambda x, a: tf.eye(a["rows"], a["columns"], dtype=a["dtype"])}
REDUCTIONS = {"sum": tf.reduce_sum, "mean": tf.reduce_mean, "max": tf.reduce_max, "min": tf.reduce_min, "prod": tf.reduce_prod,
              "any": tf.reduce_any, "all": tf.reduce_all, "logsumexp": tf.reduce_logsumexp, "variance": tf.math.reduce_variance,
              "stddev": tf.math.reduce_std, "norm": norm}

REFERENCE = {name: on(function) for name, function in FUNCTIONS.items()}
REFERENCE.update({f"{name}_number": with_number(function, divides=name == "divide") for name, function in FUNCTIONS.items()})
REFERENCE.update({f"number_{name}": with_number(FUNCTIONS[name], reverse=True, divides=name == "divide")
                  for name in ("add", "subtract", "multiply", "divide", "pow")})
REFERENCE.update({f"reduce_{name}": reduction(function) for name, function in REDUCTIONS.items()})
REFERENCE.update(UNARY)
REFERENCE.update(OTHERS)
REFERENCE.update(NN)
REFERENCE["where_number"] = lambda x, a: with_number(lambda y, n: tf.where(x[0], y, n))([x[1]], a)
REFERENCE["number_where"] = lambda x, a: with_number(lambda y, n: tf.where(x[0], n, y))([x[1]], a)


def call(operator, tensors, attributes):
    results = REFERENCE[operator](tensors, attributes)
    return list(results) if isinstance(results, (list, tuple)) else [results]


def evaluate(operator, arrays, attributes):
    """The same of arrays."""
    return [r.numpy() for r in call(operator, [tf.constant(a) for a in arrays], attributes)]
