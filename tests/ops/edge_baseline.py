"""Writes what TensorFlow gives where formulas differ: at kinks, limits and zeros, among equals, for nothing.

    python3 tests/ops/edge_baseline.py edges.npz

For each case "<case>/0" and "<case>/1" are the inputs, "<case>/value" the result and, where it has one, "<case>/d0" and
"<case>/d1" the gradients of its sum by the inputs. edge_test.cpp has the cases by the same names.
"""
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf

INF, NAN = np.inf, np.nan
F = np.float32


def grid(values, dtype):
    """All pairs of the values."""
    x, y = np.meshgrid(np.array(values, dtype), np.array(values, dtype), indexing="ij")
    return [x.ravel(), y.ravel()]


def whole_quotients(dtype):
    """n * d and d, whose quotient in floating point is n or a little less."""
    n, d = np.meshgrid(np.arange(-40, 41), np.array([0.1, 0.2, 0.3, 0.7, 1.1, -0.1, -0.3]))
    return [(n * d).ravel().astype(dtype), d.ravel().astype(dtype)]


FLOATS = [1.0, 0.1, -1.0, -0.1, 0.0, -0.0, INF, -INF, NAN, 3.5, -3.5, 1e-30, 1e30, 7.0, 2.0]
INTS = [-7, -6, -2, -1, 1, 2, 3, 7]
TIES = [F([-1, 0, 1, 2, NAN, INF, 1, 1]), F([-1, 0, 2, 1, 1, INF, 1, NAN])]
ON_LIMITS = F([-2, -1, -0.5, 0, 0.5, 1, 2, INF, -INF])

CASES = {
    "floor_div": (tf.math.floordiv, grid(FLOATS, F)),
    "floor_div_whole": (tf.math.floordiv, whole_quotients(F)),
    "floor_div_float64": (tf.math.floordiv, whole_quotients(np.float64)),
    "floor_div_int32": (tf.math.floordiv, grid(INTS, np.int32)),
    "floor_div_int64": (tf.math.floordiv, grid(INTS + [-(2**63), 2**63 - 1], np.int64)),
    "floor_div_uint8": (tf.math.floordiv, grid([1, 2, 7, 254, 255], np.uint8)),
    "floor_div_by_number": (lambda x: tf.math.floordiv(x, 0.1), [whole_quotients(F)[0]]),
    "floor_mod": (tf.math.floormod, grid(FLOATS, F)),
    "floor_mod_whole": (tf.math.floormod, whole_quotients(F)),
    "floor_mod_float64": (tf.math.floormod, whole_quotients(np.float64)),
    "floor_mod_int32": (tf.math.floormod, grid(INTS, np.int32)),
    "floor_mod_int64": (tf.math.floormod, grid(INTS + [-(2**63), 2**63 - 1], np.int64)),
    "floor_mod_by_number": (lambda x: tf.math.floormod(x, 0.1), [whole_quotients(F)[0]]),
    "remainder_of_floor_div": (lambda x: x - tf.math.floordiv(x, 2.0) * 2, [F([-3, -0.5, 0, 1, 2.5, 4])]),
    "clip": (lambda x: tf.clip_by_value(x, -1.0, 1.0), [ON_LIMITS]),
    "clip_int64": (lambda x: tf.clip_by_value(x, 0, 10**9), [np.int64([123456789, -5, 2**40, 16777217])]),
    "clip_uint8": (lambda x: tf.clip_by_value(x, 0, 200), [np.uint8([0, 7, 200, 255])]),
    "maximum": (tf.maximum, TIES),
    "minimum": (tf.minimum, TIES),
    "maximum_of_number": (lambda x: tf.maximum(x, 0.0), [ON_LIMITS]),
    "minimum_of_number": (lambda x: tf.minimum(x, 1.0), [ON_LIMITS]),
    "maximum_broadcast": (tf.maximum, [F([[1, 2], [3, 4]]), F([1, 4])]),
    "pow": (tf.pow, [F([-2, -2, 0, 0, 2, 0.5, 3]), F([2, 3, 2, 1, 3, -1, 0])]),
    "pow_of_number": (lambda y: tf.pow(F(-2.0), y), [F([0, 1, 2, 3])]),
    "pow_int32": (tf.pow, [np.int32([2, -3, 0, 5]), np.int32([3, 3, 0, 1])]),
    "selu": (tf.nn.selu, [F([-1, -0.0, 0, 1])]),
    "relu6": (tf.nn.relu6, [F([-1, 0, 6, 7])]),
    "max_of_nothing": (lambda x: tf.reduce_max(x, 1), [np.zeros([2, 0], F)]),
    "min_of_nothing": (lambda x: tf.reduce_min(x), [np.zeros([0, 3], np.float64)]),
    "max_of_no_int32": (lambda x: tf.reduce_max(x, 1), [np.zeros([2, 0], np.int32)]),
    "min_of_no_int64": (lambda x: tf.reduce_min(x, 1), [np.zeros([2, 0], np.int64)]),
    "max_of_no_uint8": (lambda x: tf.reduce_max(x, [0, 1]), [np.zeros([2, 0, 3], np.uint8)]),
    "one_hot_of_depth_0": (lambda x: tf.one_hot(x, 0), [np.int64([1, 2])]),
    "space_to_depth_of_nothing": (lambda x: tf.nn.space_to_depth(x, 2), [np.zeros([0, 4, 6, 3], F)]),
    "depth_to_space_of_nothing": (lambda x: tf.nn.depth_to_space(x, 2), [np.zeros([0, 2, 3, 4], F)]),
    "absolute_difference": (
        lambda x, y: tf.reduce_mean(tf.abs(x - y)),
        [F([[1, 2, 3], [4, 5, 6]]), F([[2, 2, -3]])],
    ),
    "top_k": (lambda x: tf.math.top_k(x, 5)[1], [np.zeros([1, 8], F)]),
    "top_k_of_few": (lambda x: tf.math.top_k(x, 7)[1], [np.tile(F([0, 2, 1, 2, 0]), [3, 40])]),
    "top_k_of_many": (lambda x: tf.math.top_k(x, 100)[1], [np.arange(100000, dtype=F)[None] * 7919 % 13]),
    "top_k_of_int32": (lambda x: tf.math.top_k(x, 1000)[1], [np.arange(5000, dtype=np.int32) * 7919 % 13]),
    "argmax": (lambda x: tf.argmax(x, 1), [np.stack([np.arange(200000, dtype=F) * 7919 % 13] * 3)]),
    "argmin": (lambda x: tf.argmin(x, 1), [np.stack([np.arange(200000, dtype=F) * 7919 % 13] * 3)]),
    "argmax_of_columns": (lambda x: tf.argmax(x, 0), [(np.arange(60000, dtype=F) * 7919 % 13).reshape(-1, 3)]),
    "argsort": (lambda x: tf.argsort(x, stable=True), [np.arange(100000, dtype=F) * 7919 % 13]),
    "argsort_descending": (
        lambda x: tf.argsort(x, direction="DESCENDING", stable=True),
        [np.arange(100000, dtype=F) * 7919 % 13],
    ),
    "in_top_k": (
        lambda x, y: tf.math.in_top_k(y, x, 2),
        [F([[1, 1, 1, 0], [3, 3, 3, 1], [NAN, 1, 2, 3], [INF, 1, 2, 3]]), np.int64([2, 3, 3, 3])],
    ),
}


def main(path):
    result = {}
    for name, (function, inputs) in CASES.items():
        tensors = [tf.constant(x) for x in inputs]
        value = function(*tensors)
        for i, x in enumerate(inputs):
            result[f"{name}/{i}"] = x
        result[f"{name}/value"] = value.numpy()
        if not value.dtype.is_floating:
            continue
        for i, tensor in enumerate(tensors):
            if not tensor.dtype.is_floating:
                continue
            with tf.GradientTape() as tape:
                tape.watch(tensor)
                total = tf.reduce_sum(function(*tensors))
            gradient = tape.gradient(total, tensor)
            # No gradient at all is one of 0 in a graph of Belfry.
            result[f"{name}/d{i}"] = np.zeros_like(inputs[i]) if gradient is None else gradient.numpy()
    np.savez(path, **result)


main(sys.argv[1])
