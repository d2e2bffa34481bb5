"""Writes control_flow_baseline.h: values and gradients of TensorFlow's control flow.

    .env/python/bin/python3 tests/ops/control_flow_baseline.py > tests/ops/control_flow_baseline.h

Element i of a tensor is sin(0.7 i) plus what control_flow_test.cpp adds; all are float64.
"""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf


def waves(*shape):
    return tf.constant(np.sin(0.7 * np.arange(int(np.prod(shape))).reshape(shape)))


def weighted(y):
    """A loss that no two elements enter alike."""
    return tf.reduce_sum(y * (1 + tf.reshape(tf.range(tf.size(y), dtype=y.dtype), tf.shape(y))))


X, W, R = waves(4, 3), waves(3) + 1.5, waves(3, 3) + 0.2


def cond(shift):
    def run(x, w):
        return tf.cond(tf.reduce_sum(x) + shift > 0, lambda: x * w, lambda: tf.reduce_max(x, 0, keepdims=True) - w * w)
    return run


def power(x, w):
    return tf.while_loop(lambda y, n: tf.reduce_max(tf.abs(y)) < 20, lambda y, n: (y * w, n + 1), (x, 0))[0]


def limited(x, w):
    return tf.while_loop(lambda y: True, lambda y: (y * w,), (x,), maximum_iterations=3)[0]


def growing(x, w):
    return tf.while_loop(lambda y: tf.shape(y)[0] < 10, lambda y: (tf.concat([y, y[:1] * w], 0),), (x,),
                         shape_invariants=(tf.TensorShape([None, 3]),))[0]


def rows(x, r):
    return tf.map_fn(lambda row: tf.tanh(tf.linalg.matvec(r, row)), x)


def pairs(x, w):
    a, b = tf.map_fn(lambda e: (e[0] * e[1], tf.reduce_sum(e[0])), (x, tf.tile(w[None], [4, 1])),
                     fn_output_signature=(tf.float64, tf.float64))
    return a + b[:, None]


def recurrent(reverse):
    def run(x, r):
        return tf.scan(lambda h, e: tf.tanh(tf.linalg.matvec(r, h) + e), x, tf.ones(3, tf.float64), reverse=reverse)
    return run


def products(reverse):
    return lambda x, w: tf.scan(lambda a, e: a * w + e, x, reverse=reverse)


def nested(x, w):
    return tf.map_fn(lambda row: tf.cond(row[0] > 0, lambda: row * w, lambda: -row), x)


CASES = {
    "cond_then": (cond(5), X, W), "cond_else": (cond(-5), X, W), "while_power": (power, X, W),
    "while_limited": (limited, X, W), "while_growing": (growing, X, W), "map_rows": (rows, X, R),
    "map_pairs": (pairs, X, W), "scan_recurrent": (recurrent(False), X, R), "scan_reverse": (recurrent(True), X, R),
    "scan_products": (products(False), X, W), "scan_products_reverse": (products(True), X, W),
    "map_of_cond": (nested, X, W),
}


def numbers(tensor):
    return "{" + ", ".join("%.17g" % v for v in np.asarray(tensor).ravel()) + "}"


print("""#pragma once

// Written by control_flow_baseline.py.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace belfry::test {

struct ControlFlowBaseline {
  std::vector<int64_t> shape;
  std::vector<double> value, by_x, by_w;
};

// clang-format off
inline const std::map<std::string, ControlFlowBaseline> kControlFlowBaselines = {""")
for name, (function, x, w) in CASES.items():
    with tf.GradientTape() as tape:
        tape.watch([x, w])
        y = tf.function(function)(x, w)
        loss = weighted(y)
    by_x, by_w = tape.gradient(loss, [x, w])
    by_w = tf.zeros_like(w) if by_w is None else by_w
    print('    {"%s", {{%s}, %s,\n        %s,\n        %s}},' % (
        name, ", ".join(map(str, y.shape)), numbers(y), numbers(by_x), numbers(by_w)))
print("""};
// clang-format on

}  // namespace belfry::test""")
