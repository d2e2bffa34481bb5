"""Training step time of the benchmark models in tensorpack on TensorFlow.

Usage: tensorpack_train.py MODEL BATCH STEPS THREADS; prints the median step time in ms.
Work per step: forward, backward, optimizer, moving averages; the input is a constant batch.
"""
import os
import statistics
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
from tensorpack import (AvgPooling, BNReLU, Conv2D, Dropout, FullyConnected, GlobalAvgPooling, MaxPooling,
                        TowerContext, argscope)
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()


def mnist_convnet(image):
    x = image * 2 - 1
    with argscope(Conv2D, kernel_size=3, activation=tf.nn.relu, filters=32):
        x = Conv2D("conv0", x)
        x = MaxPooling("pool0", x, 2)
        x = Conv2D("conv1", x)
        x = Conv2D("conv2", x)
        x = MaxPooling("pool1", x, 2)
        x = Conv2D("conv3", x)
    x = FullyConnected("fc0", x, 512, activation=tf.nn.relu)
    x = Dropout("dropout", x, rate=0.5)
    return FullyConnected("fc1", x, 10)


def residual(name, x, increase, first):
    channels = x.shape[3]
    out, stride = (channels * 2, 2) if increase else (channels, 1)
    with tf.variable_scope(name):
        b = x if first else BNReLU(x)
        c = Conv2D("conv1", b, out, strides=stride, activation=BNReLU)
        c = Conv2D("conv2", c, out)
        if increase:
            x = AvgPooling("pool", x, 2)
            x = tf.pad(x, [[0, 0], [0, 0], [0, 0], [channels // 2, channels // 2]])
        return c + x


def cifar_resnet(image):
    with argscope(Conv2D, use_bias=False, kernel_size=3):
        x = Conv2D("conv0", image, 16, activation=BNReLU)
        for stage in range(3):
            for i in range(3):
                x = residual(f"res{stage + 1}.{i}", x, stage > 0 and i == 0, stage == 0 and i == 0)
    return FullyConnected("linear", GlobalAvgPooling("gap", BNReLU(x)), 10)


def main():
    model, batch, steps, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    shape = (batch, 28, 28, 1) if model == "mnist" else (batch, 32, 32, 3)
    image = tf.get_variable("image", initializer=np.random.rand(*shape).astype("float32"), trainable=False)
    label = tf.get_variable("label", initializer=np.random.randint(0, 10, batch), trainable=False)
    with TowerContext("", is_training=True):
        logits = mnist_convnet(image) if model == "mnist" else cifar_resnet(image)
        cost = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=label))
    optimizer = tf.train.AdamOptimizer(1e-3) if model == "mnist" else tf.train.MomentumOptimizer(0.1, 0.9)
    train = tf.group(optimizer.minimize(cost), *tf.get_collection(tf.GraphKeys.UPDATE_OPS))
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    with tf.Session(config=config) as session:
        session.run(tf.global_variables_initializer())
        times = []
        for step in range(steps + 5):
            start = time.perf_counter()
            session.run([train, cost])
            if step >= 5:
                times.append((time.perf_counter() - start) * 1e3)
    print(f"{statistics.median(times):.3f}")


main()
