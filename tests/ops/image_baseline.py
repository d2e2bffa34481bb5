"""Writes what TensorFlow gives for convolutions and poolings of many shapes to the .npz of the first argument.

Each name holds the arguments: op,height,width,channels,out,kernel h,kernel w,stride h,stride w,dilation,groups,padding.
Inputs are sin(0.7 * index), filters cos(0.3 * index), as the test computes them too.
"""
import itertools
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf


def wave(function, factor, shape):
    return function(np.arange(np.prod(shape)) * factor).reshape(shape)


def run(op, h, w, c, o, kh, kw, sh, sw, d, groups, padding):
    x = tf.constant(wave(np.sin, 0.7, [2, h, w, c]))  # max_pool2d would take an array for float32
    if op == "max":
        return tf.nn.max_pool2d(x, [kh, kw], [sh, sw], padding)
    if op == "avg":
        return tf.nn.avg_pool2d(x, [kh, kw], [sh, sw], padding)
    if op == "transpose":
        layer = tf.keras.layers.Conv2DTranspose(o, [kh, kw], [sh, sw], padding.lower(), use_bias=False, dtype="float64")
        layer.build(x.shape)
        layer.set_weights([wave(np.cos, 0.3, [kh, kw, o, c])])
        return layer(x)
    if op == "depthwise":
        return tf.nn.depthwise_conv2d(x, wave(np.cos, 0.3, [kh, kw, c, o]), [1, sh, sw, 1], padding, dilations=[d, d])
    f = wave(np.cos, 0.3, [kh, kw, c // groups, o])
    parts = zip(tf.split(x, groups, 3), np.split(f, groups, 3))
    return tf.concat([tf.nn.conv2d(a, b, [sh, sw], padding, dilations=d) for a, b in parts], 3)


def cases():
    kernels = [(1, 1), (2, 2), (3, 3), (3, 2), (4, 5)]
    strides = [(1, 1), (2, 2), (3, 2)]
    for (h, w), (kh, kw), (sh, sw), padding in itertools.product(
            [(6, 7), (13, 8)], kernels, strides, ["SAME", "VALID"]):
        yield "conv", h, w, 3, 4, kh, kw, sh, sw, 1, 1, padding
        yield "max", h, w, 3, 3, kh, kw, sh, sw, 1, 1, padding
        yield "avg", h, w, 3, 3, kh, kw, sh, sw, 1, 1, padding
        yield "transpose", h, w, 3, 4, kh, kw, sh, sw, 1, 1, padding
    for padding in ["SAME", "VALID"]:
        yield "conv", 9, 8, 4, 6, 3, 2, 2, 2, 1, 2, padding
        yield "conv", 9, 8, 3, 4, 3, 2, 1, 1, 2, 1, padding
        yield "depthwise", 9, 8, 3, 2, 3, 3, 2, 2, 1, 1, padding
        yield "depthwise", 9, 8, 3, 2, 3, 3, 1, 1, 2, 1, padding


np.savez(sys.argv[1], **{",".join(map(str, case)): np.asarray(run(*case)) for case in cases()})
