"""Writes optimizer_baseline.h: variables over 20 steps of real TensorFlow's optimizers.

    .env/python/bin/python3 tests/optim/optimizer_baseline.py > tests/optim/optimizer_baseline.h

The problem: variables matrix [2, 3], kernel [2, 1, 1, 2] and scalar [], loss sum(c * (v - t)^2) over all elements,
where the learning rate changes every 5 steps.
"""
import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
tf1.disable_eager_execution()

SHAPES = {"matrix": [2, 3], "kernel": [2, 1, 1, 2], "scalar": []}
STEPS = 20


def ramp(shape, start, step):
    """start, start + step, ... in float32"""
    count = int(np.prod(shape))
    return (np.float32(start) + np.float32(step) * np.arange(count, dtype=np.float32)).reshape(shape)


def learning_rate(step):
    return np.float32([0.05, 0.02, 0.1, 0.01][step // 5])


def run(make_optimizer):
    with tf1.Graph().as_default(), tf1.Session() as session:
        rate = tf1.get_variable("learning_rate", initializer=np.float32(0), trainable=False)
        variables, losses = [], []
        for name, shape in SHAPES.items():
            v = tf1.get_variable(name, initializer=ramp(shape, 1.0, 0.5))
            variables.append(v)
            losses.append(tf.reduce_sum(ramp(shape, 0.5, 0.25) * tf.square(v - ramp(shape, -1.0, 0.125))))
        train = make_optimizer(rate).minimize(tf.add_n(losses))
        session.run(tf1.global_variables_initializer())
        rows = []
        for step in range(STEPS):
            rate.load(learning_rate(step), session)
            session.run(train)
            rows.append(np.concatenate([v.ravel() for v in session.run(variables)]))
        names = sorted(v.op.name for v in tf1.global_variables())
    return names, np.stack(rows)


CASES = {
    "gradient_descent": lambda rate: tf1.train.GradientDescentOptimizer(rate),
    "momentum": lambda rate: tf1.train.MomentumOptimizer(rate, 0.9),
    "nesterov": lambda rate: tf1.train.MomentumOptimizer(rate, 0.9, use_nesterov=True),
    "momentum_of_0": lambda rate: tf1.train.MomentumOptimizer(rate, 0.0),
    "nesterov_of_0": lambda rate: tf1.train.MomentumOptimizer(rate, 0.0, use_nesterov=True),
    "adam": lambda rate: tf1.train.AdamOptimizer(rate),
    "adam_large_epsilon": lambda rate: tf1.train.AdamOptimizer(rate, beta1=0.5, beta2=0.9, epsilon=0.1),
}


def main():
    print("#pragma once\n\n// Written by optimizer_baseline.py.\n")
    print("#include <string>\n#include <vector>\n")
    print("namespace belfry::test {\n")
    print("/// The variables of a graph, and the values of the trained ones, one after the other, after each step.")
    print("struct OptimizerBaseline {\n  std::vector<std::string> variables;\n"
          "  std::vector<std::vector<float>> steps;\n};\n")
    print("// clang-format off")
    for name, make in CASES.items():
        names, rows = run(make)
        print("inline const OptimizerBaseline k_%s = {" % name)
        print("    {%s}," % ", ".join('"%s"' % n for n in names))
        print("    {")
        for row in rows:
            print("        {%s}," % ", ".join("%.9gf" % x if "." in "%.9g" % x or "e" in "%.9g" % x
                                              else "%.9g.0f" % x for x in row))
        print("    },\n};\n")
    print("// clang-format on\n}  // namespace belfry::test")


main()
