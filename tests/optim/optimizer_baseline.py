"""Writes optimizer_baseline.h: variables over 20 steps of real TensorFlow's optimizers, and of tensorpack's around them.

    .env/python/bin/python3 tests/optim/optimizer_baseline.py LARS > tests/optim/optimizer_baseline.h

LARS is the file tensorflow/contrib/opt/python/training/lars_optimizer.py of TensorFlow 1.15, which later versions
have not.

The problem: variables matrix [2, 3], kernel [2, 1, 1, 2] and scalar [], loss sum(c * (v - t)^2) over all elements,
where the learning rate changes every 5 steps.
"""
import importlib.util
import sys

import numpy as np
import tensorflow as tf
from tensorpack.tfutils.optimizer import AccumGradOptimizer, VariableAssignmentOptimizer

tf1 = tf.compat.v1
tf1.disable_eager_execution()
tf1.disable_resource_variables()
tf1.disable_control_flow_v2()
tf.get_default_graph = tf1.get_default_graph  # for tensorpack

SHAPES = {"matrix": [2, 3], "kernel": [2, 1, 1, 2], "scalar": []}
STEPS = 20


spec = importlib.util.spec_from_file_location("lars_optimizer", sys.argv[1])
lars = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lars)


def ramp(shape, start, step):
    """start, start + step, ... in float32"""
    count = int(np.prod(shape))
    return (np.float32(start) + np.float32(step) * np.arange(count, dtype=np.float32)).reshape(shape)


def learning_rate(step):
    return np.float32([0.05, 0.02, 0.1, 0.01][step // 5])


def with_average(rate, num_updates):
    """Gradient descent, and averages of the variables after each step."""
    class Averaged(tf1.train.GradientDescentOptimizer):
        def apply_gradients(self, grads_and_vars, global_step=None, name=None):
            update = super().apply_gradients(grads_and_vars, global_step, name)
            count = tf1.get_variable("count", initializer=np.float32(0), trainable=False) if num_updates else None
            averages = tf1.train.ExponentialMovingAverage(0.9, count)
            with tf1.control_dependencies([update]):
                average = averages.apply([v for _, v in grads_and_vars])
            shown[:] = [averages.average(v) for _, v in grads_and_vars]
            return tf1.group(average, tf1.assign_add(count, 1)) if num_updates else average
    return Averaged(rate)


shown = []  # in place of the variables


def run(make_optimizer):
    with tf1.Graph().as_default(), tf1.Session() as session:
        rate = tf1.get_variable("learning_rate", initializer=np.float32(0), trainable=False)
        variables, losses = [], []
        shown.clear()
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
            rows.append(np.concatenate([v.ravel() for v in session.run(shown or variables)]))
        names = sorted(v.op.name for v in tf1.global_variables())
    return names, np.stack(rows)


CASES = {
    "gradient_descent": lambda rate: tf1.train.GradientDescentOptimizer(rate),
    "momentum": lambda rate: tf1.train.MomentumOptimizer(rate, 0.9),
    "nesterov": lambda rate: tf1.train.MomentumOptimizer(rate, 0.9, use_nesterov=True),
    "momentum_of_0": lambda rate: tf1.train.MomentumOptimizer(rate, 0.0),
    "nesterov_of_0": lambda rate: tf1.train.MomentumOptimizer(rate, 0.0, use_nesterov=True),
    "adam": lambda rate: tf1.train.AdamOptimizer(rate),
    "rms_prop": lambda rate: tf1.train.RMSPropOptimizer(rate),
    "rms_prop_momentum": lambda rate: tf1.train.RMSPropOptimizer(rate, decay=0.8, momentum=0.5, epsilon=0.01),
    "rms_prop_centered": lambda rate: tf1.train.RMSPropOptimizer(rate, momentum=0.5, epsilon=0.01, centered=True),
    "adagrad": lambda rate: tf1.train.AdagradOptimizer(rate),
    "adadelta": lambda rate: tf1.train.AdadeltaOptimizer(rate),
    "adadelta_large_epsilon": lambda rate: tf1.train.AdadeltaOptimizer(rate, rho=0.7, epsilon=0.1),
    "ftrl": lambda rate: tf1.train.FtrlOptimizer(rate),
    "ftrl_regularized": lambda rate: tf1.train.FtrlOptimizer(
        rate, learning_rate_power=-0.7, initial_accumulator_value=0.5, l1_regularization_strength=0.3,
        l2_regularization_strength=0.2, l2_shrinkage_regularization_strength=0.1, beta=0.05),
    "lars": lambda rate: lars.LARSOptimizer(rate, eeta=0.3),
    "lars_nesterov": lambda rate: lars.LARSOptimizer(rate, weight_decay=0.05, eeta=0.3, epsilon=0.1,
                                                     skip_list=["scalar"], use_nesterov=True),
    "accum_grad": lambda rate: AccumGradOptimizer(tf1.train.MomentumOptimizer(rate, 0.9), 3),
    "assignment": lambda rate: VariableAssignmentOptimizer(
        tf1.train.MomentumOptimizer(rate, 0.9), lambda v: tf.clip_by_value(v, -0.3, 0.7)),
    "accum_of_assignment": lambda rate: AccumGradOptimizer(VariableAssignmentOptimizer(
        tf1.train.AdamOptimizer(rate), lambda v: tf.clip_by_value(v, -0.3, 0.7)), 2),
    "moving_average": lambda rate: with_average(rate, False),
    "moving_average_of_count": lambda rate: with_average(rate, True),
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
