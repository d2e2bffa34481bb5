"""Draws optimizers, initializers, random operators and inferencers beside TensorFlow's and tensorpack's."""
import logging

import numpy as np
import tensorflow as tf

logging.disable(logging.CRITICAL)
from tensorpack.callbacks.inference import BinaryClassificationStats, ClassificationError  # noqa: E402
from tensorpack.tfutils import gradproc, optimizer as tensorpack_optimizer  # noqa: E402

from draw import Draw  # noqa: E402

v1 = tf.compat.v1
STEPS = 20
PROCESSORS = {
    "GlobalNormClip": lambda limit: gradproc.GlobalNormClip(limit),
    "ScaleGradient": lambda pattern, factor: gradproc.ScaleGradient([(pattern, factor)]),
    "MapGradient": lambda limit: gradproc.MapGradient(lambda g: tf.clip_by_value(g, -limit, limit)),
    "FilterNoneGrad": lambda: gradproc.FilterNoneGrad()}


def draw_optimizer(draw):
    rate = draw.pick([0.1, 0.01, 1.0, 1e-3])
    spec = {
        "runner": "optimizer", "optimizer": draw.pick(["GradientDescent", "Momentum", "Momentum", "Adam", "Adam"]),
        "momentum": draw.pick([0.9, 0.5, 0.99, 0.0]), "nesterov": draw.chance(0.5), "beta1": draw.pick([0.9, 0.5, 0.0]),
        "beta2": draw.pick([0.999, 0.9, 0.99]), "epsilon": draw.pick([1e-8, 1e-3, 1.0]), "rate_is_variable": draw.chance(0.4)}
    spec["operator"] = spec["optimizer"]
    spec["rates"] = [rate * (0.8 ** step if spec["rate_is_variable"] else 1) for step in range(STEPS)]
    # At most one variable is gathered, since its ids have one name.
    uses = ["dense", "dense", "gathered"] if draw.chance(0.5) else ["dense"]
    spec["variables"] = [draw.pick(uses)] + [draw.pick(["dense"] * 4 + ["unused"]) for _ in range(draw.integer(0, 2))]
    inputs = {}
    for i, use in enumerate(spec["variables"]):
        dtype = draw.pick(["float32"] * 4 + ["float64"])
        shape = draw.shape(1, 3, empty=0) if use != "gathered" else [5, draw.integer(1, 3)]
        inputs[f"v{i}"] = draw.array(dtype, shape)
        if use == "gathered":
            inputs["ids"] = draw.numbers.integers(0, 5, [STEPS, 3])
            shape = [3] + shape[1:]
        gradient = draw.array(dtype, [STEPS] + shape, draw.pick(["normal", "normal", "whole", "large"]))
        gradient[draw.numbers.random(STEPS) < 0.2] = 0
        inputs[f"g{i}"] = gradient * np.asarray(1e-8 if draw.chance(0.1) else 1, dtype)
    choices = [["GlobalNormClip", draw.pick([0.5, 5.0, 100.0])], ["ScaleGradient", "v0", draw.pick([2.0, 0.0, 0.5])],
               ["ScaleGradient", ".*1", 3.0], ["MapGradient", 0.5]]
    spec["processors"] = draw.subset(choices)[:2] if draw.chance(0.5) else []
    if "unused" in spec["variables"]:
        spec["processors"].insert(0, ["FilterNoneGrad"])
    return spec, inputs


def train(spec, inputs):
    with v1.Graph().as_default():
        feeds, cost = {}, 0.0
        for i, use in enumerate(spec["variables"]):
            variable = v1.get_variable(f"v{i}", initializer=inputs[f"v{i}"])
            if use == "unused":
                continue
            if use == "gathered":
                feeds["ids"] = v1.placeholder(tf.int64, [3])
            used = tf.gather(variable, feeds["ids"]) if use == "gathered" else variable
            feeds[f"g{i}"] = v1.placeholder(variable.dtype.base_dtype, used.shape)
            cost = cost + tf.cast(tf.reduce_sum(used * feeds[f"g{i}"]), tf.float32)
        rate = v1.placeholder(tf.float32, [])
        optimizer = {
            "GradientDescent": lambda: v1.train.GradientDescentOptimizer(rate),
            "Momentum": lambda: v1.train.MomentumOptimizer(rate, spec["momentum"], use_nesterov=spec["nesterov"]),
            "Adam": lambda: v1.train.AdamOptimizer(rate, spec["beta1"], spec["beta2"], spec["epsilon"])}[spec["optimizer"]]()
        processors = [PROCESSORS[p[0]](*p[1:]) for p in spec["processors"]]
        if processors:
            optimizer = tensorpack_optimizer.apply_grad_processors(optimizer, processors)
        step = optimizer.minimize(cost, global_step=v1.train.get_or_create_global_step())
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            for t, value in enumerate(spec["rates"]):
                session.run(step, {rate: value, **{p: inputs[n][t] for n, p in feeds.items()}})
            return {f"after/{v.op.name}": session.run(v) for v in v1.global_variables()}


INITIALIZERS = {
    "variance_scaling": lambda s: v1.variance_scaling_initializer(s["scale"], s["mode"], s["distribution"]),
    "glorot_uniform": lambda s: v1.glorot_uniform_initializer(), "glorot_normal": lambda s: v1.glorot_normal_initializer(),
    "he_normal": lambda s: tf.keras.initializers.he_normal(), "he_uniform": lambda s: tf.keras.initializers.he_uniform(),
    "orthogonal": lambda s: v1.orthogonal_initializer(s["gain"]), "random_uniform": lambda s: v1.random_uniform_initializer(s["a"], s["b"]),
    "random_normal": lambda s: v1.random_normal_initializer(s["a"], s["b"]),
    "truncated_normal": lambda s: v1.truncated_normal_initializer(s["a"], s["b"]), "default": lambda s: v1.glorot_uniform_initializer()}


def draw_initializer(draw):
    spec = {"runner": "initializer", "initializer": draw.pick(["variance_scaling"] * 6 + sorted(INITIALIZERS)),
            "shape": draw.pick([[500, 400], [3, 3, 64, 128], [5, 1, 100, 300], [100000], [1, 1, 256, 512], [7, 7, 3, 640]]),
            "dtype": draw.pick(["float32", "float32", "float64"]), "a": draw.pick([-1.0, 0.0, -0.05]), "b": draw.pick([0.5, 1.0, 0.05]),
            "gain": draw.pick([1.0, 2.0]), "scale": draw.pick([1.0, 2.0, 0.5]), "mode": draw.pick(["fan_in", "fan_out", "fan_avg"]),
            "distribution": draw.pick(["truncated_normal", "untruncated_normal", "uniform"])}
    if spec["initializer"] == "orthogonal":
        spec["shape"] = draw.pick([[60, 40], [40, 60], [3, 3, 4, 16], [2, 2, 64]])
    if spec["initializer"] != "default" and draw.chance(0.4):
        spec["seed"] = draw.integer(0, 100)
    return {**spec, "operator": spec["initializer"]}, {}


def initialize(spec, inputs):
    with v1.Graph().as_default(), v1.Session() as session:
        return {"drawn": session.run(INITIALIZERS[spec["initializer"]](spec)(spec["shape"], dtype=spec["dtype"]))}


RANDOM = {
    "random_uniform": lambda s, i: v1.random_uniform(s["shape"], *bounds(s), dtype=s["dtype"]),
    "random_uniform_like": lambda s, i: v1.random_uniform(s["shape"], s["a"], s["b"]),
    "random_normal": lambda s, i: v1.random_normal(s["shape"], s["a"], s["b"], dtype=s["dtype"]),
    "random_normal_like": lambda s, i: v1.random_normal(s["shape"], s["a"], s["b"]),
    "truncated_normal": lambda s, i: v1.truncated_normal(s["shape"], s["a"], s["b"], dtype=s["dtype"]),
    "random_bernoulli": lambda s, i: tf.cast(v1.random_uniform(s["shape"]) < s["a"], tf.float32),
    "random_shuffle": lambda s, i: v1.random_shuffle(tf.range(s["shape"][0], dtype=tf.int64)),
    "random_categorical": lambda s, i: v1.multinomial(i["logits"], s["shape"][0]),
    "dropout": lambda s, i: tf.nn.dropout(tf.ones(s["shape"]), rate=s["a"], noise_shape=s.get("noise_shape")),
    "Dropout": lambda s, i: tf.nn.dropout(tf.ones(s["shape"]), rate=s["a"])}


def bounds(spec):
    return [int(spec[k]) if spec["dtype"][0] == "i" else spec[k] for k in ("a", "b")]


def draw_random(draw):
    name = draw.pick(sorted(RANDOM))
    spec = {"runner": "random", "operator": name, "function": name, "shape": [200, 500], "a": draw.pick([0.0, -1.0]), "b": draw.pick([1.0, 0.1, 10.0])}
    spec["dtype"] = draw.pick(["float32", "float64"]) if name in ("random_normal", "truncated_normal") else "float32"
    inputs = {}
    if name.startswith("random_uniform"):
        spec.update(a=draw.pick([0.0, -1.0, 3.0]), b=draw.pick([6.0, 10.0]))
        if name == "random_uniform":
            spec["dtype"] = draw.pick(["float32", "float64", "int32", "int64"])
    if name in ("random_bernoulli", "dropout", "Dropout"):
        spec["a"] = draw.pick([0.5, 0.1, 0.9, 0.0] + [1.0] * (name == "random_bernoulli"))
    if name == "dropout" and draw.chance(0.4):
        spec["noise_shape"] = draw.pick([[1, 500], [200, 1]])
    if name == "random_shuffle":
        spec["shape"] = [1000]
    if name == "random_categorical":
        spec["shape"], inputs = [40000], {"logits": draw.array("float32", [3, 5])}
    if draw.chance(0.4):
        spec["seed"] = draw.integer(0, 1000)
    elif name != "Dropout" and draw.chance(0.4):
        spec["graph_seed"] = draw.integer(0, 1000)
    return spec, inputs


def draw_numbers(spec, inputs):
    with v1.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        return {"drawn": session.run(RANDOM[spec["function"]](spec, inputs))}


def draw_inferencer(draw):
    name = draw.pick(["ScalarStats", "ClassificationError", "BinaryClassificationStats"])
    sizes = draw.integers(draw.integer(1, 5), 1, 6)
    inputs = {}
    for i, size in enumerate(sizes):
        outcomes = draw.numbers.random(size) < draw.pick([0.3, 0.5, 0.0, 1.0])
        inputs[f"a{i}"] = draw.array("float32", []) if name == "ScalarStats" else outcomes.astype(draw.pick(["float32", "int32", "bool", "int64"]))
        if name == "BinaryClassificationStats":
            inputs[f"b{i}"] = (draw.numbers.random(size) < draw.pick([0.3, 0.5, 0.0, 1.0])).astype("int64")
    return {"runner": "inferencer", "operator": name, "inferencer": name, "sizes": sizes}, inputs


def infer(spec, inputs):
    count = len(spec["sizes"])
    if spec["inferencer"] == "ScalarStats":
        # Belfry weighs each batch by its samples; tensorpack, which does not know them, weighs all alike.
        spec["results"] = {"validation_a": float(np.average([inputs[f"a{i}"] for i in range(count)], weights=spec["sizes"]))}
        return {}
    binary = spec["inferencer"] == "BinaryClassificationStats"
    inferencer = BinaryClassificationStats("a", "b") if binary else ClassificationError("a", "error")
    inferencer._before_inference()
    for i in range(count):
        inferencer._on_fetches([inputs[f"a{i}"]] + ([inputs[f"b{i}"]] if binary else []))
    spec["results"] = {name: float(value) for name, value in inferencer._after_inference().items()}
    return {}


TABLE = {"optimizers": (draw_optimizer, train), "initializers": (draw_initializer, initialize), "random": (draw_random, draw_numbers),
         "inferencers": (draw_inferencer, infer)}
FAMILIES = list(TABLE)


def generate(name, seed, index):
    draw = Draw(name, seed, index)
    make, compute = TABLE[name]
    spec, inputs = make(draw)
    spec["id"] = f"{name}-{seed}-{index}"
    try:
        return spec, inputs, compute(spec, inputs), None
    except Exception as problem:
        return spec, inputs, {}, f"{type(problem).__name__}: {str(problem)[:300]}"
