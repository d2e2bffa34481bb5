"""tensorpack's own form of the models of examples/basics, Saliency, DeepQNetwork, OpticalFlow, HED and SuperResolution.

    vision_models.py FOLDER [NET...]     for each net, of random weights: FOLDER/<net>/model, a checkpoint, and FOLDER/<net>.npz,
                                         inputs and outputs by name

Small images and few units, where the net allows them; tests/examples/vision_parity_test.cpp has the same nets.
"""

import math
import sys

import numpy as np
import tensorflow.compat.v1 as tf
from tensorpack import *  # noqa
from tensorpack.models import *  # noqa
from tensorpack.tfutils import get_global_step_var, varreplace
from tensorpack.tfutils.scope_utils import auto_reuse_variable_scope
from tensorpack.utils import logger
from save_model import save

RNG = np.random.default_rng(1)


def cifar_convnet():
    image = tf.placeholder(tf.float32, [None, 30, 30, 3], "input")
    with argscope(Conv2D, activation=BNReLU, use_bias=False, kernel_size=3):
        logits = LinearWrap(image / 4.0) \
            .Conv2D("conv1.1", filters=64) \
            .Conv2D("conv1.2", filters=64) \
            .MaxPooling("pool1", 3, stride=2, padding="SAME") \
            .Conv2D("conv2.1", filters=128) \
            .Conv2D("conv2.2", filters=128) \
            .MaxPooling("pool2", 3, stride=2, padding="SAME") \
            .Conv2D("conv3.1", filters=128, padding="VALID") \
            .Conv2D("conv3.2", filters=128, padding="VALID") \
            .FullyConnected("fc0", 1024 + 512, activation=tf.nn.relu) \
            .Dropout(rate=tf.constant(0.0)) \
            .FullyConnected("fc1", 512, activation=tf.nn.relu) \
            .FullyConnected("linear", out_dim=10)()
    return {image: RNG.normal(size=[2, 30, 30, 3])}, {"logits": logits}


def mnist_visualizations():
    def weights_image(filters):
        filters = tf.unstack(tf.transpose(filters, (3, 2, 0, 1)))
        filters = tf.concat(tf.unstack(tf.concat(filters, 1)), 1)
        return tf.expand_dims(tf.expand_dims(filters, 0), -1)

    def activations_image(activation):
        c = activation.get_shape().as_list()[3]
        rows, c_per_row = [], int(math.sqrt(c))
        for y in range(0, c - c_per_row, c_per_row):
            rows.append(tf.concat(tf.unstack(activation[:, :, :, y:y + c_per_row], axis=3), 1))
        return tf.expand_dims(tf.concat(rows, 2), -1)

    image = tf.placeholder(tf.float32, [None, 28, 28], "input")
    x = tf.expand_dims(image * 2 - 1, 3)
    with argscope(Conv2D, kernel_shape=3, nl=tf.nn.relu, out_channel=32):
        c0 = Conv2D("conv0", x)
        c1 = Conv2D("conv1", MaxPooling("pool0", c0, 2))
        c2 = Conv2D("conv2", c1)
        c3 = Conv2D("conv3", MaxPooling("pool1", c2, 2))
        fc = FullyConnected("fc0", c3, 512, nl=tf.nn.relu)
        logits = FullyConnected("fc1", fc, out_dim=10, nl=tf.identity)
    return {image: RNG.random([2, 28, 28])}, {
        "logits": logits,
        "visualizations/visualize_w_conv1/pixels": weights_image(c1.variables.W),
        "visualizations/visualize_act_conv2/pixels": activations_image(c2)}


def svhn_digit_convnet():
    image = tf.placeholder(tf.float32, [None, 40, 40, 3], "input")
    with argscope(Conv2D, activation=BNReLU, use_bias=False):
        logits = (LinearWrap(image / 128.0 - 1)
                  .Conv2D("conv1", 24, 5, padding="VALID")
                  .MaxPooling("pool1", 2, padding="SAME")
                  .Conv2D("conv2", 32, 3, padding="VALID")
                  .Conv2D("conv3", 32, 3, padding="VALID")
                  .MaxPooling("pool2", 2, padding="SAME")
                  .Conv2D("conv4", 64, 3, padding="VALID")
                  .Dropout("drop", rate=0.5)
                  .FullyConnected("fc0", 512, bias_initializer=tf.constant_initializer(0.1), activation=tf.nn.relu)
                  .FullyConnected("linear", units=10)())
    return {image: RNG.integers(0, 256, [2, 40, 40, 3])}, {"output": tf.nn.softmax(logits)}


def saliency_maps():
    """slim is no part of TensorFlow 2; this is its resnet_v1 in plain operators, of two blocks, on 32 x 32 pixels."""

    @tf.RegisterGradient("GuidedReLU")
    def guided_relu(op, grad):
        return tf.where(0.0 < grad, grad * tf.cast(op.outputs[0] > 0, tf.float32), tf.zeros_like(grad))

    def conv2d(name, x, filters, kernel=1, stride=1, relu=True):
        with tf.variable_scope(name):
            padding = "SAME"
            if stride > 1 and kernel > 1:
                total = kernel - 1
                before, after = total // 2, total - total // 2
                x = tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]])
                padding = "VALID"
            weights = tf.get_variable("weights", [kernel, kernel, x.shape[-1], filters])
            x = tf.nn.conv2d(x, weights, strides=[1, stride, stride, 1], padding=padding)
            with tf.variable_scope("BatchNorm"):
                gamma, beta, mean, variance = (tf.get_variable(n, [filters])
                                               for n in ["gamma", "beta", "moving_mean", "moving_variance"])
            x = tf.nn.fused_batch_norm(x, gamma, beta, mean, variance, epsilon=1e-5, is_training=False)[0]
            return tf.nn.relu(x) if relu else x

    def bottleneck(x, depth, stride):
        with tf.variable_scope("bottleneck_v1"):
            if depth == x.shape[-1]:
                shortcut = x if stride == 1 else tf.nn.max_pool2d(x, 1, stride, "SAME")
            else:
                shortcut = conv2d("shortcut", x, depth, 1, stride, relu=False)
            y = conv2d("conv1", x, depth // 4)
            y = conv2d("conv2", y, depth // 4, 3, stride)
            y = conv2d("conv3", y, depth, relu=False)
            return tf.nn.relu(shortcut + y)

    image = tf.placeholder(tf.float32, [32, 32, 3], "image")
    with tf.variable_scope("resnet_v1_50"), tf.get_default_graph().gradient_override_map({"Relu": "GuidedReLU"}):
        x = tf.expand_dims(image - tf.get_variable("mean_rgb", [3]), 0)
        x = tf.nn.max_pool2d(conv2d("conv1", x, 64, 7, 2), 3, 2, "SAME")
        for b, (depth, units, stride) in enumerate([(32, 2, 2), (48, 2, 1)]):
            for unit in range(units):
                with tf.variable_scope(f"block{b + 1}/unit_{unit + 1}"):
                    x = bottleneck(x, depth, stride if unit == units - 1 else 1)
        x = tf.reduce_mean(x, [1, 2], keepdims=True)
        with tf.variable_scope("logits"):
            weights, biases = tf.get_variable("weights", [1, 1, x.shape[-1], 7]), tf.get_variable("biases", [7])
        logits = tf.squeeze(tf.nn.conv2d(x, weights, strides=1, padding="SAME") + biases, [1, 2])
    saliency = tf.gradients(tf.reduce_max(logits, 1), image)[0]
    return {image: RNG.integers(0, 256, [32, 32, 3])}, {"saliency": saliency, "resnet_v1_50/output": logits}


def cam_resnet():
    def basicblock(x, ch_out, stride, preact):
        shortcut = x
        if preact == "bnrelu":
            x = BNReLU("preact", x)
        n_in = x.get_shape().as_list()[3]
        x = Conv2D("conv1", x, ch_out, 3, strides=stride, activation=BNReLU)
        x = Conv2D("conv2", x, ch_out, 3)
        if n_in != ch_out:
            shortcut = Conv2D("convshortcut", shortcut, ch_out, 1, strides=stride)
        return x + shortcut

    def group(name, x, features, count, stride):
        with tf.variable_scope(name):
            for i in range(count):
                with tf.variable_scope(f"block{i}"):
                    x = basicblock(x, features, stride if i == 0 else 1, "no_preact" if i == 0 else "bnrelu")
            return BNReLU("bnlast", x)

    image = tf.placeholder(tf.uint8, [None, 32, 32, 3], "input")
    mean, std = (np.array(v[::-1], "f") * 255 for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    x = (tf.cast(image, tf.float32) - mean) / std
    # TensorFlow has no channels_first convolutions for CPUs: the numbers are the same.
    with argscope(Conv2D, use_bias=False):
        x = Conv2D("conv0", x, 8, 7, strides=2, activation=BNReLU)
        x = MaxPooling("pool0", x, 3, strides=2, padding="SAME")
        x = group("group0", x, 8, 2, 1)
        x = group("group1", x, 16, 2, 2)
        x = group("group2", x, 32, 2, 2)
        x = group("group3new", x, 64, 2, 1)
        logits = FullyConnected("linearnew", GlobalAvgPooling("gap", x), 1000)
    return {image: RNG.integers(0, 256, [2, 32, 32, 3])}, {
        "prob": tf.nn.softmax(logits), "convmaps": tf.transpose(x, [0, 3, 1, 2])}


def dqn(method):
    """DQNModel.py and DQN.py, on frames of 32 x 32 pixels."""
    comb_state = tf.placeholder(tf.uint8, [None, 32, 32, 5], "comb_state")

    @auto_reuse_variable_scope
    def prediction(image):
        image = image / 255.0
        with argscope(Conv2D, activation=lambda x: PReLU("prelu", x), use_bias=True):
            x = (LinearWrap(image)
                 .Conv2D("conv0", 32, 8, strides=4)
                 .Conv2D("conv1", 64, 4, strides=2)
                 .Conv2D("conv2", 64, 3)
                 .FullyConnected("fc0", 512)
                 .tf.nn.leaky_relu(alpha=0.01)())
        if method != "Dueling":
            return FullyConnected("fct", x, 3)
        value, advantages = FullyConnected("fctV", x, 1), FullyConnected("fctA", x, 3)
        return tf.add(advantages, value - tf.reduce_mean(advantages, 1, keepdims=True))

    state = tf.slice(tf.cast(comb_state, tf.float32), [0] * 4, [-1] * 3 + [4])
    return {comb_state: RNG.integers(0, 256, [2, 32, 32, 5])}, {"Qvalue": prediction(state)}


def dqn_double():
    return dqn("Double")


def dqn_dueling():
    return dqn("Dueling")


# flownet_models.py on images of 64 x 64 pixels. TensorFlow has no channels_first convolutions for CPUs: the layers
# of tf.layers are written out, between transposes.

DISP_SCALE = 20.0


def channels_last(x):
    return tf.transpose(x, [0, 2, 3, 1])


def channels_first(x):
    return tf.transpose(x, [0, 3, 1, 2])


def lrelu(x):
    return tf.nn.leaky_relu(x, 0.1)


def conv2d(x, filters, name, pad, kernel_size=3, strides=2, activation=lrelu):
    with tf.variable_scope(name):
        kernel = tf.get_variable("kernel", [kernel_size, kernel_size, x.shape[1], filters])
        bias = tf.get_variable("bias", [filters])
    x = channels_last(tf.pad(x, [[0, 0], [0, 0], [pad, pad], [pad, pad]]))
    return activation(channels_first(tf.nn.conv2d(x, kernel, strides=strides, padding="VALID") + bias))


def conv2d_transpose(x, filters, name, use_bias=True, activation=tf.identity):
    b, c, h, w = x.shape.as_list()
    with tf.variable_scope(name):
        kernel = tf.get_variable("kernel", [4, 4, filters, c])
        bias = tf.get_variable("bias", [filters]) if use_bias else 0.0
    x = tf.nn.conv2d_transpose(channels_last(x), kernel, [b, 2 * h, 2 * w, filters], strides=2, padding="SAME")
    return activation(channels_first(x + bias))


def correlation(ina, inb, max_displacement, stride_2):
    pad, (_, _, h, w) = max_displacement, ina.shape.as_list()
    inb = tf.pad(inb, [[0, 0], [0, 0], [pad, pad], [pad, pad]])
    res = []
    for start_h in range(0, 2 * pad + 1, stride_2):
        for start_w in range(0, 2 * pad + 1, stride_2):
            s = tf.slice(inb, [0, 0, start_h, start_w], [-1, -1, h, w])
            res.append(tf.reduce_mean(ina * s, axis=1, keepdims=True))
    return tf.concat(res, axis=1)


def resample(img, flow):
    b, c, h, w = img.shape.as_list()
    img_flat = tf.reshape(channels_last(img), [-1, c])
    dx, dy = tf.unstack(flow, axis=1)
    xf, yf = tf.meshgrid(tf.cast(tf.range(w), tf.float32), tf.cast(tf.range(h), tf.float32))
    xf, yf = xf + dx, yf + dy
    alpha, beta = (tf.expand_dims(v - tf.floor(v), axis=-1) for v in (xf, yf))
    x_left, x_right = (tf.clip_by_value(tf.cast(tf.floor(xf) + d, tf.int32), 0, w - 1) for d in (0, 1))
    y_top, y_bottom = (tf.clip_by_value(tf.cast(tf.floor(yf) + d, tf.int32), 0, h - 1) for d in (0, 1))

    def get(y, x):
        return tf.reshape(tf.gather(img_flat, tf.reshape(y * w + x, [-1])), [-1, h, w, c])

    val = (1 - alpha) * (1 - beta) * get(y_top, x_left) + alpha * (1 - beta) * get(y_top, x_right)
    val += (1 - alpha) * beta * get(y_bottom, x_left) + alpha * beta * get(y_bottom, x_right)
    return channels_first(val)


def resize(x, mode, factor=4):
    size = [d * factor for d in x.shape.as_list()[2:]]
    if mode == "bilinear":
        return channels_first(tf.image.resize_bilinear(channels_last(x), size, align_corners=True))
    return channels_first(tf.image.resize_nearest_neighbor(channels_last(x), size, align_corners=False))


def channel_norm(x):
    return tf.norm(x, axis=1, keepdims=True)


def contract_and_refine(conv2, conv3, upsample_bias=True, inter_conv=False):
    """What the original writes out for each net: conv4 to conv6_1, and from there back to flow2."""
    features = {2: conv2, 3: conv3}
    x = conv3
    for level, filters in [(4, 512), (5, 512), (6, 1024)]:
        x = conv2d(x, filters, f"conv{level}", 1)
        features[level] = x = conv2d(x, filters, f"conv{level}_1", 1, strides=1)
    flow = conv2d(x, 2, "predict_flow6", 1, strides=1, activation=tf.identity)
    for level, filters in [(5, 512), (4, 256), (3, 128), (2, 64)]:
        up = conv2d_transpose(flow, 2, f"upsampled_flow{level + 1}_to_{level}", use_bias=upsample_bias)
        x = tf.concat([features[level], conv2d_transpose(x, filters, f"deconv{level}", activation=lrelu), up], axis=1)
        seen = x
        if inter_conv:
            seen = conv2d(x, filters, f"inter_conv{level}", 1, strides=1, activation=tf.identity)
        flow = conv2d(seen, 2, f"predict_flow{level}", 1, strides=1, activation=tf.identity)
    return flow


def flownet_s(x):
    conv2 = conv2d(conv2d(x, 64, "conv1", 3, 7), 128, "conv2", 2, 5)
    conv3 = conv2d(conv2d(conv2, 256, "conv3", 2, 5), 256, "conv3_1", 1, strides=1)
    return contract_and_refine(conv2, conv3, upsample_bias=False)


def flownet_c(x1x2):
    conv2 = conv2d(conv2d(x1x2, 64, "conv1", 3, 7), 128, "conv2", 2, 5)
    conv3 = conv2d(conv2, 256, "conv3", 2, 5)
    conv2a, _ = tf.split(conv2, 2, axis=0)
    conv3a, conv3b = tf.split(conv3, 2, axis=0)
    corr = lrelu(correlation(conv3a, conv3b, 20, 2))
    redir = conv2d(conv3a, 32, "conv_redir", 0, 1, strides=1)
    return contract_and_refine(conv2a, conv2d(tf.concat([redir, corr], axis=1), 256, "conv3_1", 1, strides=1))


def flownet_sd(x):
    x = conv2d(x, 64, "conv0", 1, strides=1)
    conv1 = conv2d(conv2d(x, 64, "conv1", 1), 128, "conv1_1", 1, strides=1)
    conv2 = conv2d(conv2d(conv1, 128, "conv2", 1), 128, "conv2_1", 1, strides=1)
    conv3 = conv2d(conv2d(conv2, 256, "conv3", 1), 256, "conv3_1", 1, strides=1)
    return resize(contract_and_refine(conv2, conv3, inter_conv=True) / DISP_SCALE, "nearest")


def flownet_fusion(x):
    conv0 = conv2d(x, 64, "conv0", 1, strides=1)
    conv1 = conv2d(conv2d(conv0, 64, "conv1", 1), 128, "conv1_1", 1, strides=1)
    conv2 = conv2d(conv2d(conv1, 128, "conv2", 1), 128, "conv2_1", 1, strides=1)
    flow2 = conv2d(conv2, 2, "predict_flow2", 1, strides=1, activation=tf.identity)
    x = tf.concat([conv1, conv2d_transpose(conv2, 32, "deconv1", activation=lrelu),
                   conv2d_transpose(flow2, 2, "upsampled_flow2_to_1")], axis=1)
    inter = conv2d(x, 32, "inter_conv1", 1, strides=1, activation=tf.identity)
    flow1 = conv2d(inter, 2, "predict_flow1", 1, strides=1, activation=tf.identity)
    x = tf.concat([conv0, conv2d_transpose(x, 16, "deconv0", activation=lrelu),
                   conv2d_transpose(flow1, 2, "upsampled_flow1_to_0")], axis=1)
    inter = conv2d(x, 16, "inter_conv0", 1, strides=1, activation=tf.identity)
    return conv2d(inter, 2, "predict_flow0", 1, strides=1, activation=tf.identity)


def flownet2_structure(x):
    x1, x2 = tf.split(x, 2, axis=0)
    x1x2 = tf.concat([x1, x2], axis=1)
    flow_c = resize(flownet_c(x) * DISP_SCALE, "bilinear")
    seen = resample(x2, flow_c)
    with tf.variable_scope("flownet_s1"):
        flow = flownet_s(tf.concat([x1x2, seen, flow_c / DISP_SCALE, channel_norm(x1 - seen)], axis=1))
    flow_s1 = resize(flow * DISP_SCALE, "bilinear")
    seen = resample(x2, flow_s1)
    with tf.variable_scope("flownet_s2"):
        flow = flownet_s(tf.concat([x1x2, seen, flow_s1 / DISP_SCALE, channel_norm(x1 - seen)], axis=1))
    flow_s2 = resize(flow * DISP_SCALE, "nearest")
    with tf.variable_scope("flownet_sd"):
        flow_sd = flownet_sd(x1x2)
    with tf.variable_scope("flownet_fusion"):
        return flownet_fusion(tf.concat([
            x1, flow_sd, flow_s2, channel_norm(flow_sd), channel_norm(flow_s2),
            channel_norm(x1 - resample(x2, flow_sd)), channel_norm(x1 - resample(x2, flow_s2))], axis=1))


def flow_net(structure, postprocess):
    left, right = (tf.placeholder(tf.float32, [1, 3, 64, 64], name) for name in ["left", "right"])
    gt_flow = tf.placeholder(tf.float32, [1, 2, 64, 64], "gt_flow")
    x = tf.concat([left, right], axis=0)
    x = (x - tf.reduce_mean(x, axis=[0, 2, 3], keepdims=True)) / 255.0
    prediction = postprocess(structure(x))
    feeds = {image: RNG.integers(0, 256, [1, 3, 64, 64]) for image in [left, right]}
    feeds[gt_flow] = RNG.normal(size=[1, 2, 64, 64])
    return feeds, {"prediction": prediction, "epe": tf.reduce_mean(tf.norm(prediction - gt_flow, axis=1))}


def enlarge(flow):
    return resize(flow * DISP_SCALE, "bilinear")


def flownet2_s():
    return flow_net(lambda x: flownet_s(tf.concat(tf.split(x, 2, axis=0), axis=1)), enlarge)


def flownet2_c():
    return flow_net(flownet_c, enlarge)


def flownet2():
    return flow_net(flownet2_structure, tf.identity)


def flownet_parts():
    """What FlowNet2 has besides these two."""
    image, flow = (tf.placeholder(tf.float32, [1, c, 16, 24], n) for c, n in [(11, "image"), (2, "flow")])
    seen = resample(image, flow)
    return {image: RNG.normal(size=[1, 11, 16, 24]), flow: RNG.normal(size=[1, 2, 16, 24]) * 5}, {
        "seen": seen, "fused": flownet_fusion(seen)}


def hed():
    """hed.py on images of 32 x 48 pixels, channels last, with a quarter of its channels."""
    def class_balanced_sigmoid_cross_entropy(logits, label):
        y = tf.cast(label, tf.float32)
        count_neg, count_pos = tf.reduce_sum(1. - y), tf.reduce_sum(y)
        beta = count_neg / (count_neg + count_pos)
        cost = tf.nn.weighted_cross_entropy_with_logits(logits=logits, labels=y, pos_weight=beta / (1 - beta))
        return tf.where(tf.equal(count_pos, 0.0), 0.0, tf.reduce_mean(cost * (1 - beta)))

    def upsample(x, shape):
        side = 2 * shape
        f = np.ceil(side / 2)
        c = (2 * f - 1 - f % 2) / (2 * f)
        w = np.array([[(1 - abs(i / f - c)) * (1 - abs(j / f - c)) for j in range(side)] for i in range(side)], "f")
        x = tf.pad(x, [[0, 0], [shape - 1] * 2, [shape - 1] * 2, [0, 0]], mode="SYMMETRIC")
        b, height, width, _ = x.shape.as_list()
        x = tf.nn.conv2d_transpose(x, w.reshape([side, side, 1, 1]), [b, height * shape, width * shape, 1],
                                   [1, shape, shape, 1], "SAME")
        edge = shape * (shape - 1)
        return x[:, edge:-edge, edge:-edge, :]

    def branch(name, x, up):
        with tf.variable_scope(name):
            x = Conv2D("convfc", x, 1, kernel_size=1, activation=tf.identity)
            while up != 1:
                x = upsample(x, 2)
                up = up // 2
            return x

    image = tf.placeholder(tf.float32, [2, 32, 48, 3], "image")
    edgemap = tf.placeholder(tf.int32, [2, 32, 48], "edgemap")
    maps, x = [], image - tf.constant([104, 116, 122], dtype="float32")
    with argscope(Conv2D, kernel_size=3, activation=tf.nn.relu):
        for stage, (filters, count) in enumerate([(16, 2), (32, 2), (64, 3), (128, 3), (128, 3)], 1):
            x = MaxPooling(f"pool{stage - 1}", x, 2) if stage > 1 else x
            for i in range(count):
                x = Conv2D(f"conv{stage}_{i + 1}", x, filters)
            maps.append(branch(f"branch{stage}", x, 2 ** (stage - 1)))
        maps.append(Conv2D("convfcweight", tf.concat(maps, 3), 1, kernel_size=1, use_bias=False, activation=tf.identity))
    get_global_step_var()
    edgemap4d = tf.expand_dims(edgemap, 3)
    outputs = {}
    for i, b in enumerate(maps):
        outputs[f"output{i + 1}"] = tf.nn.sigmoid(b)
        outputs[f"xentropy{i + 1}"] = class_balanced_sigmoid_cross_entropy(b, edgemap4d)
    wrong = tf.not_equal(tf.cast(tf.greater(outputs["output6"], 0.5), tf.int32), edgemap4d)
    outputs["train_error"] = tf.reduce_mean(tf.cast(wrong, tf.float32))
    return {image: RNG.integers(0, 256, [2, 32, 48, 3]), edgemap: RNG.random([2, 32, 48]) < 0.1}, outputs


def enet_pat():
    """enet-pat.py, from images of 16 x 16 pixels."""
    mean = tf.constant([123.68, 116.779, 103.939])

    def generator(x, bicubic):
        def upsample(x):
            return tf.image.resize_nearest_neighbor(x, [2 * d for d in x.shape.as_list()[1:3]], align_corners=True)

        with argscope(Conv2D, kernel_size=3, activation=tf.nn.relu):
            x = Conv2D("conv1", x - mean / 255.0, 64)
            for i in range(10):
                with tf.variable_scope(f"block_{i}"):
                    x += Conv2D("conv1", Conv2D("conv0", x, 64), 64, activation=tf.identity)
            x = Conv2D("conv_post_1", upsample(x), 64)
            x = Conv2D("conv_post_2", upsample(x), 64)
            x = Conv2D("conv_post_3", x, 64)
            return bicubic + Conv2D("conv_post_4", x, 3, activation=tf.identity)

    @auto_reuse_variable_scope
    def discriminator(x):
        x = x - mean / 255.0
        with argscope(Conv2D, kernel_size=3, activation=tf.nn.leaky_relu):
            for i, filters in enumerate([32, 64, 128, 256, 512]):
                x = Conv2D(f"conv{i}b", Conv2D(f"conv{i}", x, filters), filters, strides=2)
        return FullyConnected("fc1", FullyConnected("fc0", x, 1024, activation=tf.nn.leaky_relu), 1)

    def normalize(v):
        return v / tf.reduce_mean(v, axis=[1, 2, 3], keepdims=True)

    def gram_matrix(v):
        _, h, w, c = v.shape.as_list()
        v = tf.reshape(v, [-1, h * w, c])
        return tf.matmul(v, v, transpose_a=True)

    def texture_loss(x, p=16):
        _, h, w, c = x.shape.as_list()
        x = tf.space_to_batch_nd(normalize(x), [p, p], [[0, 0], [0, 0]])
        x = tf.transpose(tf.reshape(x, [p, p, -1, h // p, w // p, c]), [2, 3, 4, 0, 1, 5])
        a, b = (gram_matrix(tf.reshape(half, [-1, p, p, c])) for half in tf.split(x, 2, axis=0))
        return tf.losses.mean_squared_error(a, b, reduction=tf.losses.Reduction.MEAN)

    def perceptual_loss(x):
        return tf.losses.mean_squared_error(*tf.split(normalize(x), 2, axis=0), reduction=tf.losses.Reduction.MEAN)

    low, high = (tf.placeholder(tf.float32, [2, side, side, 3], name) for side, name in [(16, "Ilr"), (64, "Ihr")])
    bicubic = tf.image.resize_bicubic(low / 255.0, [64, 64], align_corners=True)
    with tf.variable_scope("gen"):
        fake = generator(low / 255.0, bicubic)
    with tf.variable_scope("discrim"):
        real_score, fake_score = discriminator(high / 255.0), discriminator(fake)

    def cross_entropy(logits, label):
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=tf.fill(tf.shape(logits), label)))

    layers = {}
    with tf.variable_scope("VGG19"), varreplace.freeze_variables(), \
            argscope(Conv2D, kernel_size=3, activation=tf.nn.relu):
        x = tf.concat([fake, high / 255.0], axis=0) * 255.0 - mean
        for stage, (filters, count) in enumerate([(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)], 1):
            for i in range(count):
                layers[f"conv{stage}_{i + 1}"] = x = Conv2D(f"conv{stage}_{i + 1}", x, filters)
            layers[f"pool{stage}"] = x = MaxPooling(f"pool{stage}", x, 2)
    losses = {
        "LA": 2.0 * cross_entropy(fake_score, 1.), "LP1": 2e-1 * perceptual_loss(layers["pool2"]),
        "LP2": 2e-2 * perceptual_loss(layers["pool5"]), "LT1": 3e-7 * texture_loss(layers["conv1_1"]),
        "LT2": 1e-6 * texture_loss(layers["conv2_1"]), "LT3": 1e-6 * texture_loss(layers["conv3_1"])}
    return {low: RNG.integers(0, 256, [2, 16, 16, 3]), high: RNG.integers(0, 256, [2, 64, 64, 3])}, {
        "prediction": fake * 255.0, "bicubic_baseline": bicubic, "discrim/fc1/output": real_score,
        "discrim/fc1_1/output": fake_score, "total_g_loss": tf.add_n(list(losses.values())),
        "d_loss": cross_entropy(real_score, 1.) + cross_entropy(fake_score, 0.),
        **{f"additional_losses/loss_{name}": loss for name, loss in losses.items()}}


def random_value(variable):
    shape, name = variable.shape.as_list(), variable.op.name
    if name.endswith(("gamma", "variance/EMA", "moving_variance")):
        return RNG.uniform(0.5, 1.5, shape)
    if len(shape) < 2:
        return RNG.normal(size=shape) * 0.1
    size = 0.3 if name.startswith(("gen/block_", "gen/conv_post_4")) else 1.0  # of enet_pat: sums stay pixels
    return RNG.standard_normal(shape, "f") * np.float32(size * np.sqrt(2 / np.prod(shape[:-1])))


if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    logger._logger.setLevel("WARNING")
    nets = [cifar_convnet, mnist_visualizations, svhn_digit_convnet, saliency_maps, cam_resnet, dqn_double, dqn_dueling,
            flownet2_s, flownet2_c, flownet_parts, hed, enet_pat]
    if len(sys.argv) > 2:
        nets = [globals()[name] for name in sys.argv[2:]]
    for net in nets:
        save(net.__name__, net, sys.argv[1], random_value)
