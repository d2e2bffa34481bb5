"""Draws configurations of operators and computes them with TensorFlow."""
import numpy as np
import tensorflow as tf

import families  # noqa: F401
from case import FAMILIES, nodes_of, spec_of, weights_of
from draw import Draw
from reference import call


def outputs_of(case, tensors):
    everything = list(tensors)
    for node in nodes_of(case):
        everything += call(node.operator, [everything[i] for i in node.inputs], node.attributes)
    if case.outputs is None:
        case.outputs = list(range(len(tensors), len(everything)))
    return [everything[i] for i in case.outputs]


def compute(case, draw, weights):
    """(outputs, gradients by input; what TensorFlow has none for is missing)."""
    tensors = [tf.constant(a) for a in case.arrays]
    if case.in_float64:
        tensors = [tf.cast(t, tf.float64) for t in tensors]
    floats = {i: t for i, t in enumerate(tensors) if t.dtype in (tf.float32, tf.float64)}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(list(floats.values()))
        outputs = outputs_of(case, tensors)
        if case.in_float64:
            outputs = [tf.cast(o, tf.float32) for o in outputs]
        arrays = [o.numpy() if o.dtype != tf.bfloat16 else tf.cast(o, tf.float32).numpy() for o in outputs]
        weights.update(weights_of(arrays, draw) if case.gradient else {})
        terms = [tf.cast(tf.reduce_sum(outputs[k] * w), tf.float64) for k, w in weights.items()]
        loss = tf.add_n(terms) if terms else None
    if loss is None:
        return arrays, {}
    try:
        gradients = tape.gradient(loss, floats)
    except Exception:
        # Some operators have kernels for values only.
        case.gradient, gradients = False, {}
    found = {i: tf.convert_to_tensor(g) for i, g in gradients.items() if g is not None}
    return arrays, {i: (tf.cast(g, tf.float32) if case.in_float64 else g).numpy() for i, g in found.items()}


def draw_case(name, seed, index):
    draw = Draw(name, seed, index)
    while True:
        case = FAMILIES[name](draw)
        if case is not None:
            return case, draw


def generate(name, seed, index):
    """(spec, inputs, expected arrays, TensorFlow's error or None) of a configuration."""
    case, draw = draw_case(name, seed, index)
    weights, expected, error = {}, {}, None
    try:
        outputs, gradients = compute(case, draw, weights)
        expected.update({f"session/{k}": o for k, o in enumerate(outputs)})
        expected.update({f"gradient/{i}": g for i, g in gradients.items()})
    except Exception as problem:
        error = f"{type(problem).__name__}: {str(problem)[:300]}"
        # How many outputs there are of what TensorFlow refuses is not known; Belfry is to refuse it too.
        case.outputs = case.outputs or [len(case.arrays)]
    inputs = {f"x{i}": np.asarray(a) for i, a in enumerate(case.arrays)}
    inputs.update({f"w{k}": w for k, w in weights.items()})
    return spec_of(case, f"{name}-{seed}-{index}", draw), inputs, expected, error
