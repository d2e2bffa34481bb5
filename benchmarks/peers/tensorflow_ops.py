"""The nets of nets.py in TensorFlow, channels last. Weights are constants, which grappler folds."""
import numpy as np
import tensorflow as tf

EPSILON = 1e-5


class TensorFlowNet:
    """`weights`: arrays by Belfry's names, in Belfry's layouts, which are TensorFlow's."""

    def __init__(self, net, weights):
        self.net, self.weights = net, weights

    def __call__(self, x):
        return self.net.function(self, x)

    def conv(self, name, x, filters, kernel, stride=1, groups=1, bias=False):
        weights = self.weights[f"{name}/W"]
        strides, pad = [1, stride, stride, 1], [kernel // 2, kernel // 2]
        padding = [[0, 0], pad, pad, [0, 0]] if kernel > 1 else "VALID"
        if groups == 1:
            x = tf.nn.conv2d(x, weights, strides, padding)
        else:  # one channel a group
            x = tf.nn.depthwise_conv2d(x, np.swapaxes(weights, 2, 3), strides, padding)
        return tf.nn.bias_add(x, self.weights[f"{name}/b"]) if bias else x

    def batch_norm(self, name, x):
        gamma, beta, mean, variance = (self.weights[f"{name}/{part}"]
                                       for part in ("gamma", "beta", "mean/EMA", "variance/EMA"))
        return tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, mean, variance, EPSILON, is_training=False)[0]

    def fully_connected(self, name, x, units):
        weights, bias = self.weights[f"{name}/W"], self.weights[f"{name}/b"]
        outer = x.shape[:-1] if len(x.shape) == 3 else x.shape[:1]
        y = tf.nn.bias_add(tf.matmul(tf.reshape(x, [-1, weights.shape[0]]), weights), bias)
        return tf.reshape(y, [*outer, units]) if len(x.shape) == 3 else y

    def layer_norm(self, name, x):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, self.weights[f"{name}/beta"],
                                         self.weights[f"{name}/gamma"], EPSILON)

    def attention(self, qkv, heads):
        batch, time, width = qkv.shape
        size = width // 3 // heads
        query, key, value = (tf.transpose(tf.reshape(part, [batch, time, heads, size]), [0, 2, 1, 3])
                             for part in tf.split(qkv, 3, axis=-1))
        scores = tf.nn.softmax(tf.matmul(query * size**-0.5, key, transpose_b=True))
        return tf.reshape(tf.transpose(tf.matmul(scores, value), [0, 2, 1, 3]), [batch, time, width // 3])

    def dropout(self, x, rate):
        return x

    def max_pool(self, x, pool):
        return tf.nn.max_pool2d(x, pool, 2, "SAME")

    def avg_pool(self, x, pool):
        return tf.nn.avg_pool2d(x, pool, pool, "VALID")

    def pad_channels(self, x, count):
        return tf.pad(x, [[0, 0], [0, 0], [0, 0], [count, count]])

    def global_avg_pool(self, x):
        return tf.reduce_mean(x, [1, 2])

    relu, relu6 = staticmethod(tf.nn.relu), staticmethod(tf.nn.relu6)
    gelu = staticmethod(lambda x: tf.nn.gelu(x, approximate=False))
