"""Writes layer_baseline.h: variables and outputs of real tensorpack's layers.

    .env/python/bin/python3 tests/layers/layer_baseline.py > tests/layers/layer_baseline.h

Element i of the input is sin(0.7 i), element i of a variable cos(0.3 i), and 1.5 + cos(0.3 i) of a variance
or standard deviation.
"""
import logging

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
tf1.disable_v2_behavior()
logging.disable(logging.CRITICAL)  # tensorpack logs to stdout
from tensorpack.models import *  # noqa: E402
from tensorpack.tfutils.tower import TrainTowerContext, PredictTowerContext  # noqa: E402

IMAGE = [2, 7, 5, 4]


def group_norm(x, groups):
    """Each group of channels by its own moments. tensorpack has the layer in an example, for NCHW."""
    with tf1.variable_scope("layer"):
        n, h, w, c = x.shape.as_list()
        gamma = tf1.get_variable("gamma", [c], initializer=tf1.ones_initializer())
        beta = tf1.get_variable("beta", [c], initializer=tf1.zeros_initializer())
        parts = tf.reshape(x, [n, h, w, groups, c // groups])
        mean, variance = tf.nn.moments(parts, [1, 2, 4], keepdims=True)
        return tf.reshape((parts - mean) / tf.sqrt(variance + 1e-5), x.shape) * gamma + beta


CASES = {
    # name: (input shape, training, layer)
    "conv_same_odd_stride": (IMAGE, True, lambda x: Conv2D("layer", x, 3, 3, strides=2)),
    "conv_even_kernel": (IMAGE, True, lambda x: Conv2D("layer", x, 3, (2, 4), strides=(1, 2))),
    "conv_valid_no_bias": (IMAGE, True, lambda x: Conv2D(
        "layer", x, 3, (3, 5), padding="VALID", use_bias=False, activation=tf.nn.relu)),
    "conv_dilated": (IMAGE, True, lambda x: Conv2D("layer", x, 3, 3, dilation_rate=2)),
    "conv_groups": (IMAGE, True, lambda x: Conv2D("layer", x, 6, 3, split=2)),
    "conv_bn_relu": (IMAGE, True, lambda x: Conv2D("layer", x, 3, 3, activation=BNReLU)),
    "transpose_same": ([2, 3, 5, 4], True, lambda x: Conv2DTranspose("layer", x, 3, 3, strides=2)),
    "transpose_valid": ([2, 3, 5, 4], True, lambda x: Conv2DTranspose("layer", x, 3, 4, strides=2, padding="valid")),
    "transpose_gaps": ([2, 3, 5, 4], True, lambda x: Conv2DTranspose("layer", x, 3, 2, strides=3, padding="valid")),
    "fully_connected": (IMAGE, True, lambda x: FullyConnected("layer", x, 3, activation=tf.nn.relu)),
    "fully_connected_no_bias": ([3, 5], True, lambda x: FullyConnected("layer", x, 2, use_bias=False)),
    "max_pooling_valid": (IMAGE, True, lambda x: MaxPooling("layer", x, 2)),
    "max_pooling_same": (IMAGE, True, lambda x: MaxPooling("layer", x, 3, 2, padding="SAME")),
    "avg_pooling_same": (IMAGE, True, lambda x: AvgPooling("layer", x, (3, 2), (2, 1), padding="same")),
    "global_avg_pooling": (IMAGE, True, lambda x: GlobalAvgPooling("layer", x)),
    "bn_image": (IMAGE, True, lambda x: BatchNorm("layer", x)),
    "bn_matrix": ([6, 4], True, lambda x: BatchNorm("layer", x, momentum=0.7, epsilon=1e-3)),
    "bn_inference": (IMAGE, False, lambda x: BatchNorm("layer", x)),
    "bn_matrix_inference": ([6, 4], False, lambda x: BatchNorm("layer", x)),
    "bn_frozen": (IMAGE, True, lambda x: BatchNorm("layer", x, training=False)),
    "bn_no_scale": (IMAGE, True, lambda x: BatchNorm("layer", x, scale=False)),
    "bn_no_center": (IMAGE, True, lambda x: BatchNorm("layer", x, center=False)),
    "bn_skip": (IMAGE, True, lambda x: BatchNorm("layer", x, ema_update="skip")),
    "bn_internal": (IMAGE, True, lambda x: BatchNorm("layer", x, ema_update="internal")),
    "bn_axis": ([6, 4], True, lambda x: BatchNorm("layer", x, axis=1)),
    "bn_virtual": (IMAGE, True, lambda x: BatchNorm("layer", x, virtual_batch_size=1)),
    "bn_virtual_matrix": ([6, 4], True, lambda x: BatchNorm("layer", x, virtual_batch_size=3, center=False)),
    "bn_virtual_inference": (IMAGE, False, lambda x: BatchNorm("layer", x, virtual_batch_size=1)),
    "renorm": (IMAGE, True, lambda x: BatchRenorm("layer", x, rmax=1.5, dmax=0.3, gamma_initializer=tf1.ones_initializer())),
    "renorm_wide": (IMAGE, True, lambda x: BatchRenorm("layer", x, rmax=9.0, dmax=9.0, gamma_initializer=tf1.ones_initializer())),
    "renorm_no_scale": (IMAGE, True, lambda x: BatchRenorm("layer", x, rmax=1.5, dmax=0.3, scale=False)),
    "renorm_inference": (IMAGE, False, lambda x: BatchRenorm("layer", x, rmax=1.5, dmax=0.3, gamma_initializer=tf1.ones_initializer())),
    "group_norm": (IMAGE, True, lambda x: group_norm(x, 2)),
    "unpooling": (IMAGE, True, lambda x: FixedUnPooling("layer", x, 2)),
    "unpooling_matrix": (IMAGE, True, lambda x: FixedUnPooling(
        "layer", x, (2, 3), unpool_mat=np.arange(6, dtype="float32").reshape(2, 3))),
    "concat_with": (IMAGE, True, lambda x: ConcatWith(x, [x * 2, x], 3)),
    "layer_norm": (IMAGE, True, lambda x: LayerNorm("layer", x)),
    "layer_norm_matrix": ([6, 4], True, lambda x: LayerNorm("layer", x, epsilon=1e-3, center=False)),
    "instance_norm": (IMAGE, True, lambda x: InstanceNorm("layer", x)),
    # tensorpack's own Maxout divides sizes as floats, which Python 3 refuses.
    "maxout_matrix": ([6, 4], True, lambda x: tf.reduce_max(tf.reshape(x, [-1, 2, 2]), 2)),
    "prelu": (IMAGE, True, lambda x: PReLU("layer", x)),
    "bn_relu": (IMAGE, True, lambda x: BNReLU("layer", x)),
    "dropout_inference": (IMAGE, False, lambda x: Dropout("layer", x, rate=0.5)),
}


def count(shape):
    return int(np.prod(shape))


def run(shape, training, layer):
    with tf1.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder(tf.float32, shape)
        with TrainTowerContext("") if training else PredictTowerContext(""):
            y = layer(x)
        with tf.control_dependencies([y]):
            step = tf.group(*tf1.get_collection(tf1.GraphKeys.UPDATE_OPS))
        variables = sorted(tf1.global_variables(), key=lambda v: v.op.name)
        for v in variables:
            value = np.cos(0.3 * np.arange(count(v.shape.as_list())))
            if "variance" in v.op.name or "stddev" in v.op.name:
                value += 1.5
            v.load(value.reshape(v.shape.as_list()).astype(np.float32), session)
        image = np.sin(0.7 * np.arange(count(shape))).reshape(shape).astype(np.float32)
        output, _ = session.run([y, step], {x: image})
        after = [(v.op.name, v.shape.as_list(), v.trainable, session.run(v)) for v in variables]
    return output, after


def floats(values):
    texts = ["%.9g" % x for x in np.asarray(values).ravel()]
    return "{%s}" % ", ".join(t + "f" if "." in t or "e" in t else t + ".0f" for t in texts)


def ints(values):
    return "{%s}" % ", ".join(str(v) for v in values)


def main():
    print("#pragma once\n\n// Written by layer_baseline.py.\n")
    print("#include <cstdint>\n#include <map>\n#include <string>\n#include <vector>\n")
    print("namespace belfry::test {\n")
    print("struct BaselineVariable {\n  std::string name;\n  std::vector<int64_t> shape;\n  bool trainable;\n"
          "  std::vector<float> after;  ///< value after one step, if that changes it\n};\n")
    print("struct LayerBaseline {\n  std::vector<int64_t> input;\n  bool training;\n  std::vector<int64_t> shape;\n"
          "  std::vector<float> output;\n  std::vector<BaselineVariable> variables;\n};\n")
    print("// clang-format off")
    print("inline const std::map<std::string, LayerBaseline> kLayerBaselines = {")
    for name, (shape, training, layer) in CASES.items():
        output, variables = run(shape, training, layer)
        print('    {"%s", {%s, %s, %s,' % (name, ints(shape), "true" if training else "false", ints(output.shape)))
        print("        %s," % floats(output))
        print("        {")
        for v, v_shape, trainable, after in variables:
            print('            {"%s", %s, %s, %s},' % (v, ints(v_shape), "true" if trainable else "false",
                                                       floats(after) if not trainable else "{}"))
        print("        }}},")
    print("};\n// clang-format on\n\n}  // namespace belfry::test")


main()
