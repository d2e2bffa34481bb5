"""Writes decay_baseline.h: values of real TensorFlow's learning rate decays.

    .env/python/bin/python3 tests/optim/decay_baseline.py > tests/optim/decay_baseline.h
"""
import tensorflow as tf

tf1 = tf.compat.v1
tf1.disable_eager_execution()
train = tf1.train

STEPS = [0, 1, 4, 5, 6, 9, 10, 11, 20, 25, 31, 99]

CASES = {
    "exponential": lambda s: train.exponential_decay(0.3, s, 10, 0.5),
    "exponential_staircase": lambda s: train.exponential_decay(0.3, s, 10, 0.5, staircase=True),
    "natural_exp": lambda s: train.natural_exp_decay(0.3, s, 10, 0.5),
    "inverse_time_staircase": lambda s: train.inverse_time_decay(0.3, s, 10, 0.5, staircase=True),
    "piecewise_constant": lambda s: train.piecewise_constant(s, [5, 10], [0.3, 0.2, 0.1]),
    "polynomial": lambda s: train.polynomial_decay(0.3, s, 10),
    "polynomial_power": lambda s: train.polynomial_decay(0.3, s, 10, 0.05, power=2.5),
    "polynomial_cycle": lambda s: train.polynomial_decay(0.3, s, 10, 0.05, power=0.5, cycle=True),
    "cosine": lambda s: train.cosine_decay(0.3, s, 10, alpha=0.1),
    "cosine_restarts": lambda s: train.cosine_decay_restarts(0.3, s, 5, t_mul=1.5, m_mul=0.8, alpha=0.1),
    "cosine_restarts_alike": lambda s: train.cosine_decay_restarts(0.3, s, 5, t_mul=1.0),
}


def main():
    print("#pragma once\n\n// Written by decay_baseline.py.\n")
    print("#include <cstdint>\n#include <vector>\n\nnamespace belfry::test {\n")
    print("// clang-format off")
    print("inline const std::vector<int64_t> k_decay_steps = {%s};\n" % ", ".join(map(str, STEPS)))
    for name, make in CASES.items():
        with tf1.Graph().as_default(), tf1.Session() as session:
            step = tf1.placeholder(tf.int64, [])
            rate = make(step)
            values = [session.run(rate, {step: s}) for s in STEPS]
        texts = ["%.9g" % v for v in values]
        print("inline const std::vector<float> k_%s = {%s};" %
              (name, ", ".join(t + ("f" if "." in t or "e" in t else ".0f") for t in texts)))
    print("// clang-format on\n\n}  // namespace belfry::test")


main()
