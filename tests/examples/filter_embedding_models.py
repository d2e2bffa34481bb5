"""tensorpack's own form of the models of examples/DynamicFilterNetwork and SimilarityLearning.

    filter_embedding_models.py FOLDER    for each net, of random weights: FOLDER/<net>/model, a checkpoint, and FOLDER/<net>.npz,
                                         inputs and outputs by name

And FOLDER/filters.npz: images that steering-filter.py's pairs of filters, by scipy, have filtered.
tests/examples/filter_embedding_test.cpp has the same nets.
"""

import os
import sys

import numpy as np
import tensorflow.compat.v1 as tf
from scipy.signal import convolve2d
from tensorpack import *  # noqa
from tensorpack.models import *  # noqa
from tensorpack.utils import logger
from save_model import save
from vision_models import RNG, random_value

BATCH, SHAPE, KERNEL = 32, 64, 9


def steering_filter():
    theta, image, gt_image, gt_filter = (tf.placeholder(tf.float32, shape, name) for shape, name in [
        ([BATCH], "theta"), ([BATCH, SHAPE, SHAPE], "image"), ([BATCH, SHAPE, SHAPE], "gt_image"),
        ([BATCH, KERNEL, KERNEL], "gt_filter")])
    net = tf.reshape(theta, [BATCH, 1, 1, 1]) - np.pi
    with argscope(FullyConnected, activation=tf.nn.leaky_relu):
        net = FullyConnected("fc2", FullyConnected("fc1", net, 64), 128)
    pred_filter = tf.reshape(FullyConnected("fc3", net, KERNEL ** 2), [BATCH, KERNEL, KERNEL, 1])
    pred_image = tf.concat([
        tf.nn.conv2d(tf.reshape(d, [1, SHAPE, SHAPE, 1]), tf.reshape(k, [KERNEL, KERNEL, 1, 1]), [1] * 4, padding="SAME")
        for d, k in zip(tf.unstack(image), tf.unstack(pred_filter))], axis=0)
    filters = tf.concat([pred_filter, tf.expand_dims(gt_filter, 3)], axis=2)
    images = tf.concat([pred_image, tf.expand_dims(gt_image, 3)], axis=2)
    cost = tf.reduce_mean(tf.squared_difference(pred_image, tf.expand_dims(gt_image, 3)))
    return {theta: RNG.uniform(0, 2 * np.pi, BATCH), image: RNG.random([BATCH, SHAPE, SHAPE]),
            gt_image: RNG.random([BATCH, SHAPE, SHAPE]), gt_filter: RNG.random([BATCH, KERNEL, KERNEL])}, {
        "pred_filter": pred_filter, "dfn/output": pred_image, "visualization/filters": filters,
        "visualization/images": images, "cost": cost}


def dynamic_conv_filter():
    """The layer with all its options: two channels in, three out, strides, no padding."""
    inputs = tf.placeholder(tf.float32, [4, 13, 11, 2], "inputs")
    filters = tf.get_variable("filters", [4, 5 * 5 * 2 * 3])
    output = tf.concat([
        tf.nn.conv2d(tf.expand_dims(d, 0), k, [1, 2, 1, 1], padding="VALID")
        for d, k in zip(tf.unstack(inputs), tf.unstack(tf.reshape(filters, [4, 5, 5, 2, 3])))], axis=0)
    return {inputs: RNG.normal(size=inputs.shape)}, {"dfn/output": output}


def save_filters(folder):
    """ThetaImages.filter_with_theta."""
    theta, image = RNG.uniform(0, 2 * np.pi, 8), RNG.integers(0, 256, [8, 21, 17]).astype("u1")
    x = np.arange(-KERNEL // 2 + 1, KERNEL // 2 + 1)
    g = np.array([np.exp(-(x ** 2) / 2)])
    gp = np.array([-x * np.exp(-(x ** 2) / 2)])
    filters, filtered = [], []
    for t, im in zip(theta, image):
        ix = convolve2d(convolve2d(im, -gp, mode="same"), g.T, mode="same")
        iy = convolve2d(convolve2d(im, g, mode="same"), -gp.T, mode="same")
        filtered.append(np.cos(t) * ix + np.sin(t) * iy)
        k = np.matmul(g.T, gp)
        filters.append(np.cos(t) * k + np.sin(t) * k.T)
    np.savez(os.path.join(folder, "filters.npz"), theta=theta, image=image, filter=filters, filtered=filtered)


def slim_layer(name, x, shape):
    with tf.variable_scope(name):
        weights, biases = tf.get_variable("weights", shape), tf.get_variable("biases", shape[-1:])
    return (tf.nn.conv2d(x, weights, 1, "SAME") if len(shape) == 4 else tf.matmul(x, weights)) + biases


def embed(x, nfeatures=2):
    """slim is no part of TensorFlow 2; these are its layers."""
    count = len(x)
    x = tf.expand_dims(tf.concat(x, 0), 3) * 2 - 1
    x = tf.nn.max_pool2d(tf.nn.relu(slim_layer("conv1", x, [5, 5, 1, 20])), 2, 2, "VALID")
    x = tf.nn.max_pool2d(tf.nn.relu(slim_layer("conv2", x, [5, 5, 20, 50])), 2, 2, "VALID")
    x = tf.nn.relu(slim_layer("fully_connected4", tf.reshape(x, [-1, 7 * 7 * 50]), [7 * 7 * 50, 500]))
    return tf.split(slim_layer("fully_connected5", x, [500, nfeatures]), count, 0)


def digits(*names):
    placeholders = [tf.placeholder(tf.float32, [None, 28, 28], name) for name in names]
    return placeholders, {p: RNG.random([6, 28, 28]) for p in placeholders}


def siamese():
    (x, y), feeds = digits("input", "input_y")
    label = tf.placeholder(tf.int32, [None], "label")
    left, right = embed([x, y])
    same = tf.cast(label, tf.float32)
    delta = tf.reduce_sum(tf.square(left - right), 1)
    delta_sqrt = tf.sqrt(delta + 1e-10)
    loss = tf.reduce_mean(0.5 * (same * delta + (1 - same) * tf.square(tf.nn.relu(5. - delta_sqrt))))
    num_pos, num_neg = tf.count_nonzero(same), tf.count_nonzero(1 - same)
    pos_dist = tf.where(tf.equal(num_pos, 0), 0., tf.reduce_sum(same * delta_sqrt) / tf.cast(num_pos, tf.float32))
    neg_dist = tf.where(tf.equal(num_neg, 0), 0., tf.reduce_sum((1 - same) * delta_sqrt) / tf.cast(num_neg, tf.float32))
    feeds[label] = np.array([0, 1, 1, 0, 1, 1])
    return feeds, {"emb": left, "cost": loss, "loss/pos-dist": pos_dist, "loss/neg-dist": neg_dist}


def siamese_all_alike():
    """A batch without a pair of two kinds."""
    feeds, outputs = siamese()
    label = next(p for p in feeds if p.op.name == "label")
    feeds[label] = np.ones(6)
    return feeds, outputs


def cosine():
    (x, y), feeds = digits("input", "input_y")
    label = tf.placeholder(tf.int32, [None], "label")
    left, right = embed([x, y])
    signs = 2 * tf.cast(label, tf.float32) - 1
    norms = [tf.sqrt(tf.reduce_sum(tf.square(t), 1) + 1e-12) for t in [left, right]]
    pred = tf.reduce_sum(left * right, 1) / (norms[0] * norms[1] + 1e-10)
    cost = tf.nn.l2_loss(signs - pred) / tf.cast(tf.shape(left)[0], tf.float32)
    feeds[label] = np.array([0, 1, 1, 0, 1, 1])
    return feeds, {"emb": left, "cost": cost}


def triplet(soft=False):
    images, feeds = digits("input", "input_p", "input_n")
    anchor, positive, negative = embed(images)
    d_pos, d_neg = (tf.reduce_sum(tf.square(anchor - other), 1) for other in [positive, negative])
    pos, neg = tf.sqrt(d_pos + 1e-10), tf.sqrt(d_neg + 1e-10)
    if soft:
        ones = tf.ones_like(tf.squeeze(pos), dtype="int32")
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=tf.stack([pos, neg], axis=1), labels=ones)
    else:
        loss = tf.maximum(0., 5. + d_pos - d_neg)
    return feeds, {"emb": anchor, "cost": tf.reduce_mean(loss), "loss/pos-dist": tf.reduce_mean(pos),
                   "loss/neg-dist": tf.reduce_mean(neg)}


def softtriplet():
    return triplet(soft=True)


def center():
    (x,), feeds = digits("input")
    label = tf.placeholder(tf.int32, [None], "label")
    x, = embed([x])
    centers = tf.get_variable("centers", [10, 2], trainable=False)
    emb_cost = tf.reduce_mean(tf.square(x - tf.gather(centers, label)))
    logits = slim_layer("logits", tf.nn.relu(x), [2, 10])
    cls_cost = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=label))
    feeds[label] = np.array([3, 0, 9, 3, 3, 5])
    return feeds, {"emb": x, "center_loss": emb_cost, "classification_costs": cls_cost, "cost": emb_cost + 100 * cls_cost}


if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    logger._logger.setLevel("WARNING")
    for net in [steering_filter, dynamic_conv_filter, siamese, siamese_all_alike, cosine, triplet, softtriplet, center]:
        save(net.__name__, net, sys.argv[1], random_value)
    save_filters(sys.argv[1])
