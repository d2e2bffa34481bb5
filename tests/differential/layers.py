"""Draws layers, alone and stacked, and trains them for some steps with tensorpack."""
import contextlib
import logging

import numpy as np
import tensorflow as tf

logging.disable(logging.CRITICAL)
import tensorpack.models as tp  # noqa: E402
from tensorpack.tfutils.argscope import argscope  # noqa: E402
from tensorpack.tfutils.tower import PredictTowerContext, TrainTowerContext  # noqa: E402

from draw import Draw  # noqa: E402
from plain_session import plain_session  # noqa: E402
from reference_nn import convolution, pair  # noqa: E402

v1 = tf.compat.v1
STEPS = 3
ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.nn.tanh, "BNReLU": tp.BNReLU}
PASSED = ["use_bias", "strides", "padding", "epsilon", "momentum", "center", "scale", "training", "ema_update"]
REGULARIZERS = ["kernel_regularizer", "bias_regularizer", "activity_regularizer"]
ALONE = ["Conv2D"] * 5 + ["Conv2DTranspose"] * 3 + ["FullyConnected"] * 2 + ["BatchNorm"] * 4 + [
    "MaxPooling", "AvgPooling", "GlobalAvgPooling", "BNReLU", "LayerNorm", "InstanceNorm", "PReLU", "Maxout", "Dropout"]
STACKED = ["Conv2D"] * 6 + ["BatchNorm"] * 4 + ["relu"] * 3 + ["BNReLU"] * 2 + [
    "MaxPooling", "AvgPooling", "FullyConnected", "PReLU", "Maxout", "LayerNorm", "InstanceNorm", "GlobalAvgPooling", "Conv2DTranspose",
    "Dropout"]
OF_IMAGES = ["Conv2D", "Conv2DTranspose", "MaxPooling", "AvgPooling", "GlobalAvgPooling", "InstanceNorm"]
OF_ANY_FORMAT = OF_IMAGES + ["BatchNorm", "LayerNorm"]
PADDINGS = ["same", "valid", "SAME", "VALID"]


def draw_options(draw, layer, shape, may_be_nchw):
    options = {}

    def maybe(probability, name, choices):
        if draw.chance(probability):
            options[name] = draw.pick(choices)

    if may_be_nchw and layer in OF_ANY_FORMAT:
        maybe(0.3, "data_format", ["channels_first"])
    channels = shape[1] if "data_format" in options else shape[-1]
    if layer in ("Conv2D", "Conv2DTranspose"):
        options["kernel"] = draw.pick([1, 2, 3, 4, 5, [3, 1], [1, 4], [2, 3]])
        options["filters"] = draw.integer(1, 8)
        maybe(0.6, "strides", [1, 2, 3, [1, 2], [3, 2], 4])
        maybe(0.5, "padding", PADDINGS)
    if layer == "Conv2D":
        maybe(0.2, "dilation", [2, [1, 2], 3])
        if draw.chance(0.3):
            options["groups"] = draw.pick([g for g in range(1, channels + 1) if channels % g == 0])
            options["filters"] = options["groups"] * draw.integer(1, 3)
    if layer == "FullyConnected":
        options["units"] = draw.integer(1, 6)
    if layer in ("Conv2D", "Conv2DTranspose", "FullyConnected"):
        maybe(0.4, "use_bias", [True, False])
        maybe(0.4, "activation", ["relu", "tanh"] + ["BNReLU"] * (layer != "Conv2DTranspose" and "data_format" not in options))
    if layer in ("MaxPooling", "AvgPooling"):
        options["pool"] = draw.pick([1, 2, 3, [2, 3], [3, 1]])
        maybe(0.6, "strides", [1, 2, 3, [1, 2]])
        maybe(0.6, "padding", PADDINGS)
    if layer == "BatchNorm":
        maybe(0.5, "momentum", [0.9, 0.99, 0.5, 0.0, 1.0])
        maybe(0.25, "training", [True, False])
        maybe(0.3, "ema_update", ["skip", "internal", "collection"])
    if layer in ("BatchNorm", "LayerNorm", "InstanceNorm"):
        maybe(0.5, "epsilon", [1e-3, 1e-5, 0.1])
        maybe(0.3, "center", [True, False])
        maybe(0.3, "scale", [True, False])
    if layer == "Maxout":
        options["units"] = draw.pick([u for u in range(1, channels + 1) if channels % u == 0])
    if layer in ("Conv2D", "FullyConnected") and "groups" not in options and "dilation" not in options:
        for name in REGULARIZERS:
            if name[0] != "b" or options.get("use_bias", True):
                maybe(0.15, name, [["l1", 0.1], ["l2", 1e-3], ["l2", 0.1]])
    return options


def regularizer(pair_):
    return (tp.l2_regularizer if pair_[0] == "l2" else tp.l1_regularizer)(pair_[1])


def written_out_conv(name, x, o):
    """TensorFlow has no gradients on the CPU for groups and dilations."""
    strides, dilations, groups = pair(o.get("strides", 1)), pair(o.get("dilation", 1)), o.get("groups", 1)
    with v1.variable_scope(name):
        filters = v1.get_variable("W", pair(o["kernel"]) + [int(x.shape[3]) // groups, o["filters"]], dtype=x.dtype)
        y = convolution(x, filters, strides, o.get("padding", "same").upper(), dilations, groups)
        if o.get("use_bias", True):
            y = y + v1.get_variable("b", [o["filters"]], dtype=x.dtype)
        return ACTIVATIONS[o["activation"]](y) if "activation" in o else y


def maxout(x, units):
    """By groups of neighbours, as tensorpack's documentation has it."""
    shape = [int(d) if d.value is not None else -1 for d in x.shape]
    return tf.reduce_max(tf.reshape(x, shape[:-1] + [shape[-1] // units, units]), -1)


def special(o):
    return o.get("groups", 1) > 1 or pair(o.get("dilation", 1)) != [1, 1]


def apply_layer(layer, name, x, o, scope):
    passed = {k: tuple(o[k]) if isinstance(o[k], list) else o[k] for k in PASSED if k in o}
    passed.update({k: regularizer(o[k]) for k in REGULARIZERS if k in o})
    if "activation" in o:
        passed["activation"] = ACTIVATIONS[o["activation"]]
    if layer == "Conv2D":
        if special(o):
            return written_out_conv(name, x, {**scope.get("Conv2D", {}), **o})
        return tp.Conv2D(name, x, o["filters"], tuple(pair(o["kernel"])), **passed)
    if layer == "Conv2DTranspose":
        return tp.Conv2DTranspose(name, x, o["filters"], tuple(pair(o["kernel"])), passed.pop("strides", 1), **passed)
    if layer == "FullyConnected":
        return tp.FullyConnected(name, x, o["units"], **passed)
    if layer in ("MaxPooling", "AvgPooling"):
        return getattr(tp, layer)(name, x, tuple(pair(o["pool"])), **passed)
    if layer == "Dropout":
        return tp.Dropout(name, x, rate=0.5)
    if layer == "Maxout":
        return maxout(x, o["units"])
    if layer == "relu":
        return tf.nn.relu(x)
    if layer == "BNReLU":
        with v1.variable_scope(name):
            return tp.BNReLU(x)
    return getattr(tp, layer)(name, x, **passed)


def build(spec, x):
    scope = spec.get("scope", {})
    with contextlib.ExitStack() as stack:
        for layer, options in scope.items():
            given = {k: ACTIVATIONS[v] if k == "activation" else v for k, v in options.items()}
            stack.enter_context(argscope(getattr(tp, layer), **given))
        for layer in spec["layers"]:
            before, options = x, dict(layer["options"])
            nchw = options.pop("data_format", None) and len(x.shape) == 4
            x = apply_layer(layer["layer"], layer["name"], tf.transpose(x, [0, 2, 3, 1]) if nchw else x, options, scope)
            if nchw and len(x.shape) == 4:
                x = tf.transpose(x, [0, 3, 1, 2])
            if layer["residual"]:
                x = x + before
            if "noise" in spec:
                noise = 1e-7 * tf.random.stateless_normal(tf.shape(x), [spec["noise"], len(x.op.name)], dtype=x.dtype)
                x = x + tf.stop_gradient(noise * tf.reduce_max(tf.abs(x)))
    return x


def shape_after(layer, dtype, shape):
    """None where tensorpack refuses the layer."""
    with v1.Graph().as_default(), PredictTowerContext(""):
        try:
            after = build({"layers": [layer]}, v1.placeholder(dtype, [None] + shape[1:])).shape.as_list()
        except Exception:
            return None
    after = shape[:1] + after[1:]
    return None if None in after or 0 in after else after


def draw_layers(draw, stacked, dtype, shape, training):
    if not stacked:
        layer = draw.pick([k for k in ALONE if (len(shape) == 4 or k not in OF_IMAGES) and not (training and k == "Dropout")])
        return [{"layer": layer, "name": "layer", "residual": False, "options": draw_options(draw, layer, shape, len(shape) == 4)}]
    layers = []
    for i in range(draw.integer(2, 6)):
        kind = draw.pick([k for k in STACKED if (len(shape) == 4 or k not in OF_IMAGES) and not (training and k == "Dropout")])
        layer = {"layer": kind, "name": f"l{i}", "residual": False, "options": draw_options(draw, kind, shape, False)}
        after = shape_after(layer, dtype, shape)
        if after:
            layer["residual"] = after == shape and draw.chance(0.35)
            layers.append(layer)
            shape = after
    return layers


def draw_spec(draw, name, identity):
    stacked = name == "stacks"
    spec = {"id": identity, "runner": "layers", "operator": name, "is_training": draw.chance(0.75)}
    spec["dtype"] = "float32" if draw.chance(0.9) else "float64"
    batch = [draw.integer(1, 5)]
    images = draw.chance(0.9 if stacked else 0.75)
    shape = batch + (draw.integers(2, 1, 9) if images else []) + [draw.integer(1, 8)]
    spec["layers"] = draw_layers(draw, stacked, spec["dtype"], shape, spec["is_training"])
    if not spec["layers"]:
        return None
    if not stacked:
        spec["operator"] = spec["layers"][0]["layer"]
    elif draw.chance(0.3):
        spec["scope"] = {"Conv2D": draw.pick([{"use_bias": False}, {"activation": "relu"}]), "BatchNorm": {"momentum": 0.7, "epsilon": 1e-2}}
    if draw.chance(0.2):
        spec.update(regularized=draw.pick([".*/W", "layer/W", "l[01]/b", ".*", "W$|gamma"]), regularizer=[draw.pick(["l1", "l2"]), 0.05])
    probabilities = [0.6] + [0.15] * (len(shape) - 2) + [0]
    fixed = any(layer["layer"] == "FullyConnected" for layer in spec["layers"])
    nchw = "data_format" in spec["layers"][0]["options"]
    spec["dynamic"] = [i for i, p in enumerate(probabilities) if draw.chance(p) and not (i and fixed) and not (i == 1 and nchw)]
    spec["shape"] = shape
    spec["kind"] = draw.pick(["normal"] * 4 + ["whole"] + ["zero"] * (not stacked))
    spec.update(export=True, reimport=draw.chance(0.3), saved_model=draw.chance(0.08), graph_file=draw.chance(0.1))
    return spec


def load_variables(session, values):
    for variable in v1.global_variables():
        variable.load(values[variable.op.name], session)


def train(spec, draw, inputs):
    """The expected arrays by name. Draws the variables and the weights of the loss, where `inputs` has none yet."""
    expected = {}
    with v1.Graph().as_default():
        x = v1.placeholder(spec["dtype"], spec["shape"])
        with TrainTowerContext("") if spec["is_training"] else PredictTowerContext(""):
            y = build(spec, x)
            penalty = tp.regularize_cost_from_collection()
            if "regularized" in spec:
                penalty = penalty + tp.regularize_cost(spec["regularized"], regularizer(spec["regularizer"]))
        if "w" not in inputs:
            inputs["w"] = draw.array(spec["dtype"], y.shape.as_list())
        loss = tf.reduce_sum(y * inputs["w"]) + tf.cast(penalty, spec["dtype"])
        trained = v1.trainable_variables()
        names = spec["trainable"] = ["x"] + [v.op.name for v in trained]
        gradients = {f"gradient/{n}": tf.convert_to_tensor(g) for n, g in zip(names, v1.gradients(loss, [x] + trained)) if g is not None}
        with plain_session() as session:
            for v in v1.global_variables():
                if f"variable/{v.op.name}" not in inputs:
                    inputs[f"variable/{v.op.name}"] = draw.array(
                        v.dtype.base_dtype.name, v.shape.as_list(), "positive" if "variance" in v.op.name else "normal")
            values = {v.op.name: inputs[f"variable/{v.op.name}"] for v in v1.global_variables()}
            session.run(v1.global_variables_initializer())
            load_variables(session, values)
            for step, value in enumerate(inputs["x"]):
                results, _ = session.run([{"y": y, "penalty": penalty, **gradients}, v1.get_collection(v1.GraphKeys.UPDATE_OPS)], {x: value})
                expected.update({f"step{step}/{n}": r for n, r in results.items()})
            after = {v.op.name: session.run(v) for v in v1.global_variables()}
    expected.update({f"after/{n}": value for n, value in after.items()})
    expected["session/0"] = infer(spec, inputs["x"][0], {**values, **after})
    return expected


def train_in_float64(spec, inputs):
    """What `train` gives for the same inputs, computed in float64."""
    return train({**spec, "dtype": "float64"}, None, {n: a.astype(float) for n, a in inputs.items()})


def train_nearby(spec, inputs, seed):
    """What `train` gives where inputs, variables and what each layer gives are moved by about the last digit of float32."""
    random = np.random.default_rng(seed)
    moved = {n: (a * (1 + 1e-7 * random.standard_normal(a.shape))).astype(a.dtype) for n, a in inputs.items()}
    return train({**spec, "noise": seed}, None, moved)


def infer_rounded(spec, inputs, after):
    """What `infer` gives when the input and the trained variables are rounded to bfloat16."""
    def rounded(a):
        return a.astype(tf.bfloat16.as_numpy_dtype).astype(a.dtype)
    return infer(spec, rounded(inputs["x"][0]), {n: rounded(a) for n, a in after.items()})


def infer(spec, value, variables):
    with v1.Graph().as_default():
        x = v1.placeholder(spec["dtype"], spec["shape"])
        with PredictTowerContext(""):
            y = build(spec, x)
        with plain_session() as session:
            session.run(v1.global_variables_initializer())
            load_variables(session, variables)
            return session.run(y, {x: value})


def generate(name, seed, index):
    draw, spec = Draw(name, seed, index), None
    while spec is None:
        spec = draw_spec(draw, name, f"{name}-{seed}-{index}")
    inputs = {"x": draw.array(spec["dtype"], [STEPS] + spec["shape"], spec["kind"])}
    try:
        return spec, inputs, train(spec, draw, inputs), None
    except Exception as problem:
        inputs.setdefault("w", np.zeros([1], spec["dtype"]))
        return spec, inputs, {}, f"{type(problem).__name__}: {str(problem)[:300]}"


FAMILIES = ["layers", "stacks"]
