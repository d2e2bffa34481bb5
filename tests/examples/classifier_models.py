"""Writes, for each classifier of examples/, a checkpoint with random values of all variables, inputs and what the
model of real tensorpack computes of them.

    .env/python/bin/python3 tests/examples/classifier_models.py FOLDER

For a model NAME: FOLDER/NAME (a checkpoint of TensorFlow) and FOLDER/NAME.npz with the inputs and outputs. Models are
those of tensorpack's examples, in inference mode, with small images where they allow that. TensorFlow convolves
[N, H, W, C] only on a CPU: what is [N, C, H, W] there becomes so where its order shows, before fully connected layers.
"""
import logging
import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
tf1.disable_v2_behavior()
logging.disable(logging.CRITICAL)  # tensorpack logs to stdout
from tensorpack.models import *  # noqa: E402
from tensorpack.tfutils.argscope import argscope  # noqa: E402
from tensorpack.tfutils.tower import PredictTowerContext  # noqa: E402
from tensorpack.tfutils.varreplace import remap_variables  # noqa: E402


def global_step():
    """What a decayed rate of weight decay leaves in the graph."""
    tf1.train.get_or_create_global_step()


def cifar10_resnet(image, n=2):
    def residual(name, x, increase=False, first=False):
        channels = x.shape[3]
        out = channels * 2 if increase else channels
        with tf1.variable_scope(name):
            c = x if first else BNReLU(x)
            c = Conv2D("conv1", c, out, strides=2 if increase else 1, activation=BNReLU)
            c = Conv2D("conv2", c, out)
            if increase:
                x = AvgPooling("pool", x, 2)
                x = tf.pad(x, [[0, 0], [0, 0], [0, 0], [channels // 2, channels // 2]])
        return c + x

    global_step()
    with argscope(Conv2D, use_bias=False, kernel_size=3):
        x = Conv2D("conv0", image / 128.0, 16, activation=BNReLU)
        for stage in [1, 2, 3]:
            for k in range(n):
                x = residual(f"res{stage}.{k}", x, stage > 1 and k == 0, stage == 1 and k == 0)
        x = BNReLU("bnlast", x)
    return FullyConnected("linear", GlobalAvgPooling("gap", x), 10)


def cifar10_preact18(image):
    def block(x, filters, stride):
        net = BNReLU(x)
        c = Conv2D("conv1", net, filters, 3, strides=stride, activation=BNReLU)
        c = Conv2D("conv2", c, filters, 3)
        if stride != 1 or x.shape[3] != filters:
            x = Conv2D("shortcut", net, filters, 1, strides=stride)
        return x + c

    with argscope(Conv2D, use_bias=False):
        x = (image / 255.0 - [0.4914, 0.4822, 0.4465]) / [0.2023, 0.1994, 0.2010]
        x = Conv2D("conv0", x, 64, 3)
        for i, filters in enumerate([64, 128, 256, 512]):
            for j in range(2):
                with tf1.variable_scope(f"res{i}.{j}"):
                    x = block(x, filters, 2 if j == 0 and i > 0 else 1)
    return FullyConnected("linear", GlobalAvgPooling("gap", x), 10)


def imagenet_preprocess(image):
    mean = np.array([0.406, 0.456, 0.485], "float32") * 255
    std = np.array([0.225, 0.224, 0.229], "float32") * 255
    return (tf.cast(image, tf.float32) - mean) / std


def bn(x, name=None):
    return BatchNorm("bn", x)


def imagenet_resnet(image, mode, blocks):
    def shortcut(x, out, stride, activation=None):
        if x.shape[3] == out:
            return x
        return Conv2D("convshortcut", x, out, 1, strides=stride, activation=activation)

    def basic(x, ch, stride, first):
        y = Conv2D("conv1", x, ch, 3, strides=stride, activation=BNReLU)
        y = Conv2D("conv2", y, ch, 3, activation=bn)
        return tf.nn.relu(y + shortcut(x, ch, stride, bn))

    def bottleneck(x, ch, stride, first):
        wide = 2 if mode == "resnext32x4d" else 1
        y = Conv2D("conv1", x, ch * wide, 1, activation=BNReLU)
        y = Conv2D("conv2", y, ch * wide, 3, strides=stride, activation=BNReLU, split=32 if wide == 2 else 1)
        y = Conv2D("conv3", y, ch * 4, 1, activation=bn)
        if mode == "se":
            s = GlobalAvgPooling("gap", y)
            s = FullyConnected("fc1", s, ch // 4, activation=tf.nn.relu)
            s = FullyConnected("fc2", s, ch * 4, activation=tf.nn.sigmoid)
            y = y * tf.reshape(s, [-1, 1, 1, ch * 4])
        return tf.nn.relu(y + shortcut(x, ch * 4, stride, bn))

    def preact_basic(x, ch, stride, first):
        y = x if first else BNReLU("preact", x)
        y = Conv2D("conv1", y, ch, 3, strides=stride, activation=BNReLU)
        return Conv2D("conv2", y, ch, 3) + shortcut(x, ch, stride)

    def preact_bottleneck(x, ch, stride, first):
        y = x if first else BNReLU("preact", x)
        y = Conv2D("conv1", y, ch, 1, activation=BNReLU)
        y = Conv2D("conv2", y, ch, 3, strides=stride, activation=BNReLU)
        return Conv2D("conv3", y, ch * 4, 1) + shortcut(x, ch * 4, stride)

    if mode == "preact":
        block = preact_basic if sum(blocks) < 16 else preact_bottleneck
    else:
        block = basic if sum(blocks) < 16 else bottleneck
    with argscope(Conv2D, use_bias=False):
        x = Conv2D("conv0", imagenet_preprocess(image), 64, 7, strides=2, activation=BNReLU)
        x = MaxPooling("pool0", x, 3, strides=2, padding="SAME")
        for g, (features, count) in enumerate(zip([64, 128, 256, 512], blocks)):
            with tf1.variable_scope(f"group{g}"):
                for i in range(count):
                    with tf1.variable_scope(f"block{i}"):
                        x = block(x, features, 2 if g > 0 and i == 0 else 1, i == 0)
                if mode == "preact":
                    x = BNReLU("bnlast", x)
        return FullyConnected("linear", GlobalAvgPooling("gap", x), 1000)


def alexnet(image):
    with argscope([Conv2D, FullyConnected], activation=tf.nn.relu):
        x = tf.pad(imagenet_preprocess(image), [[0, 0], [2, 2], [2, 2], [0, 0]])
        x = Conv2D("conv1", x, 96, 11, strides=4, padding="VALID")
        x = tf.nn.lrn(x, 2, bias=1.0, alpha=2e-5, beta=0.75)
        x = MaxPooling("pool1", x, 3, strides=2, padding="VALID")
        x = Conv2D("conv2", x, 256, 5, split=2)
        x = tf.nn.lrn(x, 2, bias=1.0, alpha=2e-5, beta=0.75)
        x = MaxPooling("pool2", x, 3, strides=2, padding="VALID")
        x = Conv2D("conv3", x, 384, 3)
        x = Conv2D("conv4", x, 384, 3, split=2)
        x = Conv2D("conv5", x, 256, 3, split=2)
        x = MaxPooling("pool3", x, 3, strides=2, padding="VALID")
        x = FullyConnected("fc7", FullyConnected("fc6", x, 4096), 4096)
    return FullyConnected("fc8", x, 1000)


def to_nchw(x):
    return tf.transpose(x, [0, 3, 1, 2])


def vgg16(image, norm):
    def group_norm(x, groups):
        x = to_nchw(x)
        n, c, h, w = x.shape.as_list()
        beta = tf1.get_variable("beta", [c])
        gamma = tf1.get_variable("gamma", [c])
        parts = tf.reshape(x, [-1, groups, c // groups, h, w])
        mean, variance = tf.nn.moments(parts, [2, 3, 4], keepdims=True)
        shape = [1, groups, c // groups, 1, 1]
        y = tf.nn.batch_normalization(parts, mean, variance, tf.reshape(beta, shape), tf.reshape(gamma, shape), 1e-5)
        return tf.transpose(tf.reshape(y, [-1, c, h, w]), [0, 2, 3, 1])

    x = imagenet_preprocess(image)
    for stage, (filters, count) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], 1):
        for i in range(1, count + 1):
            name = f"conv{stage}_{i}"
            x = Conv2D(name, x, filters, 3)
            if norm == "bn":
                x = BatchNorm(name + "_bn", x)
            elif norm == "gn":
                with tf1.variable_scope(name + "_gn"):
                    x = group_norm(x, 32)
            x = tf.nn.relu(x)
        x = MaxPooling(f"pool{stage}", x, 2)
    x = to_nchw(x)
    x = tf.nn.relu(FullyConnected("fc6", x, 4096))
    x = tf.nn.relu(FullyConnected("fc7", x, 4096))
    return FullyConnected("fc8", x, 1000)


def inception_bn(image):
    def inception(name, x, n1, n3r, n3, n23r, n23, npool, pooling):
        stride = 2 if n1 == 0 else 1
        with tf1.variable_scope(name):
            outs = [Conv2D("conv1x1", x, n1, 1)] if n1 else []
            outs.append(Conv2D("conv3x3", Conv2D("conv3x3r", x, n3r, 1), n3, 3, strides=stride))
            y = Conv2D("conv233a", Conv2D("conv233r", x, n23r, 1), n23, 3)
            outs.append(Conv2D("conv233b", y, n23, 3, strides=stride))
            y = pooling("pool", x, 3, stride, padding="SAME")
            outs.append(Conv2D("poolproj", y, npool, 1) if npool else y)
            return tf.concat(outs, 3)

    def side(name, x):
        x = FullyConnected(name + "fc", Conv2D(name + "conv", x, 128, 1), 1024, activation=tf.nn.relu)
        return FullyConnected(name + "logit", x, 1000)

    global_step()
    with argscope(Conv2D, activation=BNReLU, use_bias=False):
        x = Conv2D("conv0", image / 128.0, 64, 7, strides=2)
        x = MaxPooling("pool0", x, 3, 2, padding="SAME")
        x = Conv2D("conv2", Conv2D("conv1", x, 64, 1), 192, 3)
        x = MaxPooling("pool2", x, 3, 2, padding="SAME")
        x = inception("incep3a", x, 64, 64, 64, 64, 96, 32, AvgPooling)
        x = inception("incep3b", x, 64, 64, 96, 64, 96, 64, AvgPooling)
        x = inception("incep3c", x, 0, 128, 160, 64, 96, 0, MaxPooling)
        first = side("loss1", x)
        x = inception("incep4a", x, 224, 64, 96, 96, 128, 128, AvgPooling)
        x = inception("incep4b", x, 192, 96, 128, 96, 128, 128, AvgPooling)
        x = inception("incep4c", x, 160, 128, 160, 128, 160, 128, AvgPooling)
        x = inception("incep4d", x, 96, 128, 192, 160, 192, 128, AvgPooling)
        x = inception("incep4e", x, 0, 128, 192, 192, 256, 0, MaxPooling)
        second = side("loss2", x)
        x = inception("incep5a", x, 352, 192, 320, 160, 224, 128, AvgPooling)
        x = inception("incep5b", x, 352, 192, 320, 192, 224, 128, MaxPooling)
        return FullyConnected("linear", GlobalAvgPooling("gap", x), 1000), first, second


def shufflenet(image, v2, ratio, group):
    def depth_conv(name, x, stride):
        with tf1.variable_scope(name):
            w = tf1.get_variable("W", [3, 3, x.shape[3], 1])
            return tf.nn.depthwise_conv2d(x, w, [1, stride, stride, 1], "SAME")

    def shuffle(x, groups):
        n, h, w, c = x.shape.as_list()
        x = tf.reshape(x, [-1, h, w, c // groups, groups])
        return tf.reshape(tf.transpose(x, [0, 1, 2, 4, 3]), [-1, h, w, c])

    def unit(x, out, stride):
        channels = x.shape[3]
        y = Conv2D("conv1", x, out // 4, 1, split=group if channels > 24 else 1, activation=BNReLU)
        y = BatchNorm("dconv_bn", depth_conv("dconv", shuffle(y, group), stride))
        y = BatchNorm("conv2_bn", Conv2D("conv2", y, out if stride == 1 else out - channels, 1, split=group))
        if stride == 1:
            return tf.nn.relu(x + y)
        return tf.concat([AvgPooling("avgpool", x, 3, 2, padding="SAME"), tf.nn.relu(y)], 3)

    def unit_v2(x, out, stride):
        shortcut, y = tf.split(x, 2, axis=3) if stride == 1 else (x, x)
        channels = shortcut.shape[3]
        y = Conv2D("conv1", y, out // 2, 1, activation=BNReLU)
        y = BatchNorm("dconv_bn", depth_conv("dconv", y, stride))
        y = Conv2D("conv2", y, out - channels, 1, activation=BNReLU)
        if stride == 2:
            shortcut = BatchNorm("shortcut_dconv_bn", depth_conv("shortcut_dconv", shortcut, 2))
            shortcut = Conv2D("shortcut_conv", shortcut, channels, 1, activation=BNReLU)
        return shuffle(tf.concat([shortcut, y], 3), 2)

    def up(x, multiple):
        return int(-(-x // multiple) * multiple)

    if v2:
        first, channels = 24, {0.5: [48, 96, 192], 1.0: [116, 232, 464]}[ratio]
    else:
        whole = {3: [240, 480, 960], 4: [272, 544, 1088], 8: [384, 768, 1536]}[group]
        first, channels = up(24 * ratio, group), [up(c * ratio, group * 4) for c in whole]
    with argscope(Conv2D, use_bias=False):
        x = Conv2D("conv1", imagenet_preprocess(image), first, 3, strides=2, activation=BNReLU)
        x = MaxPooling("pool1", x, 3, 2, padding="SAME")
        for stage, (out, count) in enumerate(zip(channels, [4, 8, 4]), 2):
            for i in range(count):
                with tf1.variable_scope(f"stage{stage}/block{i}"):
                    x = (unit_v2 if v2 else unit)(x, out, 2 if i == 0 else 1)
        if v2:
            x = Conv2D("conv5", x, 1024, 1, activation=BNReLU)
        return FullyConnected("linear", GlobalAvgPooling("gap", x), 1000)


def quantize(x, bits):
    n = 2.0**bits - 1
    return tf.round(x * n) / n


def quantize_weight(x, bits):
    if bits == "t":
        limit = tf.reduce_max(tf.abs(x)) * 0.05
        positive = tf1.get_variable("Wp", [])
        negative = tf1.get_variable("Wn", [])
        one = tf.ones_like(x)
        scale = tf.where(x < -limit, one * negative, tf.where(x > limit, one * positive, one))
        return tf.sign(x) * tf.where(tf.abs(x) < limit, tf.zeros_like(x), one) * scale
    if bits == 1:
        e = tf.reduce_mean(tf.abs(x))
        return tf.where(tf.equal(x, 0), tf.ones_like(x), tf.sign(x / e)) * e
    x = tf.tanh(x)
    return 2 * quantize(x / tf.reduce_max(tf.abs(x)) * 0.5 + 0.5, bits) - 1


class DoReFa:
    def __init__(self, bits_w, bits_a, kept):
        self.bits_w, self.bits_a, self.kept = bits_w, bits_a, kept

    def variable(self, v):
        name = v.op.name
        if not name.endswith("W") or "conv0" in name or self.kept in name or self.bits_w == 32:
            return v
        return quantize_weight(v, self.bits_w)

    def nonlin(self, x):
        return tf.nn.relu(x) if self.bits_a == 32 else tf.clip_by_value(x, 0.0, 1.0)

    def activate(self, x):
        x = self.nonlin(x)
        return x if self.bits_a == 32 else quantize(x, self.bits_a)


def svhn_dorefa(image, bits_w, bits_a):
    q = DoReFa(bits_w, bits_a, "fc")
    with remap_variables(q.variable), argscope(BatchNorm, momentum=0.9, epsilon=1e-4), argscope(Conv2D, use_bias=False):
        x = Conv2D("conv0", image / 256.0, 48, 5, padding="VALID", use_bias=True)
        x = q.activate(MaxPooling("pool0", x, 2, padding="SAME"))
        x = q.activate(BatchNorm("bn1", Conv2D("conv1", x, 64, 3)))
        x = BatchNorm("bn2", Conv2D("conv2", x, 64, 3))
        x = q.activate(MaxPooling("pool1", x, 2, padding="SAME"))
        x = q.activate(BatchNorm("bn3", Conv2D("conv3", x, 128, 3, padding="VALID")))
        x = q.activate(BatchNorm("bn4", Conv2D("conv4", x, 128, 3)))
        x = q.activate(BatchNorm("bn5", Conv2D("conv5", x, 128, 3, padding="VALID")))
        x = q.nonlin(BatchNorm("bn6", Conv2D("conv6", x, 512, 5, padding="VALID")))
        return FullyConnected("fc1", x, 10)


def alexnet_dorefa(image, bits_w, bits_a):
    q = DoReFa(bits_w, bits_a, "fct")
    with remap_variables(q.variable), argscope(BatchNorm, momentum=0.9, epsilon=1e-4), argscope(Conv2D, use_bias=False):
        x = imagenet_preprocess(image)
        x = q.activate(Conv2D("conv0", x, 96, 12, strides=4, padding="VALID", use_bias=True))
        x = BatchNorm("bn1", Conv2D("conv1", x, 256, 5, split=2))
        x = q.activate(MaxPooling("pool1", x, 3, 2, padding="SAME"))
        x = BatchNorm("bn2", Conv2D("conv2", x, 384, 3))
        x = q.activate(MaxPooling("pool2", x, 3, 2, padding="SAME"))
        x = q.activate(BatchNorm("bn3", Conv2D("conv3", x, 384, 3, split=2)))
        x = BatchNorm("bn4", Conv2D("conv4", x, 256, 3, split=2))
        x = to_nchw(q.activate(MaxPooling("pool4", x, 3, 2, padding="VALID")))
        x = q.activate(BatchNorm("bnfc0", FullyConnected("fc0", x, 4096)))
        x = q.nonlin(BatchNorm("bnfc1", FullyConnected("fc1", x, 4096, use_bias=False)))
        return FullyConnected("fct", x, 1000, use_bias=True)


MODELS = {
    # name: (image size, dtype, function of the images that gives logits)
    "cifar10_resnet": (32, "float32", cifar10_resnet),
    "cifar10_preact18": (32, "float32", cifar10_preact18),
    "resnet18": (64, "uint8", lambda x: imagenet_resnet(x, "resnet", [2, 2, 2, 2])),
    "resnet50": (64, "uint8", lambda x: imagenet_resnet(x, "resnet", [3, 4, 6, 3])),
    "preact18": (64, "uint8", lambda x: imagenet_resnet(x, "preact", [2, 2, 2, 2])),
    "preact50": (64, "uint8", lambda x: imagenet_resnet(x, "preact", [3, 4, 6, 3])),
    "se50": (64, "uint8", lambda x: imagenet_resnet(x, "se", [3, 4, 6, 3])),
    "resnext50": (64, "uint8", lambda x: imagenet_resnet(x, "resnext32x4d", [3, 4, 6, 3])),
    "alexnet": (115, "uint8", alexnet),
    "vgg16_bn": (32, "uint8", lambda x: vgg16(x, "bn")),
    "vgg16_gn": (64, "uint8", lambda x: vgg16(x, "gn")),
    "inception_bn": (64, "float32", inception_bn),
    "shufflenet_v1": (64, "uint8", lambda x: shufflenet(x, False, 0.5, 3)),
    "shufflenet_v2": (64, "uint8", lambda x: shufflenet(x, True, 0.5, 0)),
    "svhn_dorefa": (40, "float32", lambda x: svhn_dorefa(x, 1, 2)),
    "svhn_dorefa_8": (40, "float32", lambda x: svhn_dorefa(x, 8, 32)),
    "alexnet_dorefa": (96, "uint8", lambda x: alexnet_dorefa(x, "t", 32)),
}


def random_value(variable, rng):
    name, shape = variable.op.name, variable.shape.as_list()
    if variable.dtype.base_dtype != tf.float32:
        return np.zeros(shape, variable.dtype.as_numpy_dtype)
    if name.endswith("/W"):  # so that activations keep their size
        fan_in = np.prod(shape[:2]) if "dconv" in name else np.prod(shape[:-1])
        return rng.standard_normal(shape, "float32") * np.float32(np.sqrt(2 / fan_in))
    if name.endswith("conv3/bn/gamma"):  # sums of many blocks would grow, and saturate the sigmoid of SE
        return rng.uniform(0.1, 0.3, shape).astype("float32")
    low, high = (0.5, 1.5) if name.endswith(("variance/EMA", "gamma", "Wp", "Wn")) else (-0.2, 0.2)
    return rng.uniform(low, high, shape).astype("float32")


def write(folder, name, size, dtype, model):
    rng = np.random.default_rng(0)
    with tf.Graph().as_default():
        images = rng.integers(0, 256, [2, size, size, 3]).astype(dtype)
        with PredictTowerContext(""):
            outputs = model(tf.constant(images))
        variables = tf1.global_variables()
        values = [random_value(v, rng) for v in variables]
        with tf1.Session() as session:
            for variable, value in zip(variables, values):
                variable.load(value, session)
            outputs = session.run(outputs if isinstance(outputs, tuple) else (outputs,))
            tf1.train.Saver(variables).save(session, f"{folder}/{name}", write_meta_graph=False, write_state=False)
    np.savez(f"{folder}/{name}.npz", input=images, **{f"output{i}": y for i, y in enumerate(outputs)})


if __name__ == "__main__":
    for name in sys.argv[2:] or MODELS:
        write(sys.argv[1], name, *MODELS[name])
