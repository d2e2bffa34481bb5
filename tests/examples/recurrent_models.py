"""tensorpack's own form of the models of examples/Char-RNN, PennTreebank, CTC-TIMIT and SpatialTransformer.

    recurrent_models.py FOLDER     for each net, of random weights: FOLDER/<net>/model, a checkpoint, and FOLDER/<net>.npz,
                                   inputs and outputs by name

Few units, where the net allows them; tests/examples/recurrent_parity_test.cpp has the same nets. TensorFlow 2 has no
LSTMBlockCell: LSTMCell computes the same from variables of the same names.
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf
from tensorpack import *  # noqa
from tensorpack.models import *  # noqa
from tensorpack.utils import logger
from save_model import save

RNG = np.random.default_rng(1)
rnn = tf.nn.rnn_cell


def cross_entropy(logits, label):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=tf.reshape(label, [-1]))


def char_rnn():
    batch, size, steps, vocab = 3, 8, 5, 11
    chars, following = (tf.placeholder(tf.int32, [None, steps], name) for name in ["input", "nextinput"])
    fed = {tensor: RNG.integers(0, vocab, [2, steps]) for tensor in [chars, following]}

    def state_part(name):
        zeros = tf.get_variable(name + "_unused", [batch, size], trainable=False)
        part = tf.placeholder_with_default(zeros, [None, size], name)
        fed[part] = RNG.normal(size=[2, size])
        return part

    cell = rnn.MultiRNNCell([rnn.LSTMCell(size, name="lstm_cell") for _ in range(2)])
    initial = tuple(rnn.LSTMStateTuple(state_part("c%d" % k), state_part("h%d" % k)) for k in range(2))
    table = tf.get_variable("embedding", [vocab, size])
    steps_in = tf.unstack(tf.nn.embedding_lookup(table, chars), axis=1)
    outputs, last = tf.nn.static_rnn(cell, steps_in, initial, scope="rnnlm")
    logits = FullyConnected("fc", tf.reshape(tf.concat(outputs, 1), [-1, size]), vocab)
    return fed, {"prob": tf.nn.softmax(logits / 0.7), "last_state": tf.identity(last),
                 "cost": tf.reduce_mean(cross_entropy(logits, following))}


def ptb_lstm():
    batch, size, steps, vocab = 4, 8, 5, 13
    words, following = (tf.placeholder(tf.int32, [None, steps], name) for name in ["input", "nextinput"])
    cell = rnn.MultiRNNCell([rnn.BasicLSTMCell(size, forget_bias=0.0) for _ in range(2)])
    state = tuple(rnn.LSTMStateTuple(*(tf.get_variable("%s%d" % (part, k), [batch, size], trainable=False)
                                       for part in "ch")) for k in range(2))
    table = tf.get_variable("embedding", [vocab, size])
    steps_in = tf.unstack(tf.nn.embedding_lookup(table, words), axis=1)
    with tf.variable_scope("LSTM"):
        outputs, last = tf.nn.static_rnn(cell, steps_in, state, scope="rnn")
    logits = FullyConnected("fc", tf.reshape(tf.concat(outputs, 1), [-1, size]), vocab)
    cost = tf.reduce_sum(cross_entropy(logits, following)) / batch
    return {t: RNG.integers(0, vocab, [batch, steps]) for t in [words, following]}, {
        "cost": cost, "perplexity": tf.exp(cost / steps), "last_state": tf.identity(last)}


def train_timit():
    hidden, classes, lengths, label_lengths = 8, 62, [9, 6, 12], [3, 2, 4]
    feat = tf.placeholder(tf.float32, [None, None, 39], "feat")
    label = tf.placeholder(tf.int32, [None, None], "label")
    label_length, length = (tf.placeholder(tf.int32, [None], name) for name in ["labellen", "seqlen"])
    places = tf.where(tf.sequence_mask(label_length, tf.shape(label)[1]))
    sparse = tf.SparseTensor(places, tf.gather_nd(label, places), tf.shape(label, out_type=tf.int64))
    cell = rnn.MultiRNNCell([rnn.LSTMCell(hidden, name="lstm_cell") for _ in range(2)])
    outputs, _ = tf.nn.dynamic_rnn(cell, feat, length, dtype=tf.float32, scope="rnn")
    logits = FullyConnected("fc", tf.reshape(outputs, [-1, hidden]), classes)
    logits = tf.reshape(logits, (len(lengths), -1, classes))
    loss = tf.nn.ctc_loss(sparse, logits, length, time_major=False)
    found = tf.cast(tf.nn.ctc_beam_search_decoder(tf.transpose(logits, [1, 0, 2]), length)[0][0], tf.int32)
    return {feat: RNG.normal(size=[3, 12, 39]), label: RNG.integers(0, 61, [3, 4]), label_length: np.array(label_lengths),
            length: np.array(lengths)}, {
        "cost": tf.reduce_mean(loss), "error": tf.reduce_mean(tf.edit_distance(found, sparse))}


def mnist_addition():
    image_size, target, half = 42, 28, 7

    def sample(img, coords):
        coords = tf.cast(tf.clip_by_value(coords, 0., image_size - 1.), tf.int32)
        batch_index = tf.reshape(tf.range(tf.shape(img)[0]), [-1, 1, 1, 1])
        batch_index = tf.tile(batch_index, [1, target, target, 1])
        return tf.gather_nd(img, tf.concat([batch_index, coords], axis=3))

    def grid_sample(image, coords):
        mapping = tf.maximum(coords, 0.0)
        low = tf.floor(mapping)
        (low_y, low_x), (up_y, up_x) = tf.split(low, 2, 3), tf.split(low + 1, 2, 3)
        dy, dx = tf.split(mapping - low, 2, 3)
        values = (sample(image, low) * (1 - dx) * (1 - dy) + sample(image, low + 1) * dx * dy
                  + sample(image, tf.concat([low_y, up_x], 3)) * (1 - dy) * dx
                  + sample(image, tf.concat([up_y, low_x], 3)) * dy * (1 - dx))
        inside = tf.reduce_all((coords >= 0.0) & (coords <= image_size - 1.0), [3], keepdims=True)
        return values * tf.cast(inside, tf.float32)

    def transformer(name, image):
        with tf.variable_scope(name), argscope([Conv2D, FullyConnected], activation=tf.nn.relu):
            affine = (LinearWrap(image)
                      .AvgPooling("downsample", 2)
                      .Conv2D("conv0", 20, 5, padding="VALID")
                      .MaxPooling("pool0", 2)
                      .Conv2D("conv1", 20, 5, padding="VALID")
                      .FullyConnected("fc1", 32)
                      .FullyConnected("fct", 6, activation=tf.identity)())
        affine = tf.reshape(affine, [-1, 2, 3])
        places = np.array([(y, x, 1) for y in range(target) for x in range(target)], dtype="float32")
        coords = tf.matmul(places, tf.reshape(tf.transpose(affine, [2, 0, 1]), [3, -1]))
        coords = tf.transpose(tf.reshape(coords, [target, target, -1, 2]), [2, 0, 1, 3])
        return affine, grid_sample(image, coords)

    image = tf.placeholder(tf.float32, [None, image_size, image_size, 2], "input")
    label = tf.placeholder(tf.int32, [None], "label")
    scaled = image / 255.0 - 0.5
    (affine1, sampled1), (affine2, sampled2) = transformer("STN1", scaled), transformer("STN2", scaled)
    pieces = [scaled] + [tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]]) for x in [sampled1, sampled2]]
    viz = tf.concat([tf.concat([x[:, :, :, 0], x[:, :, :, 1]], 1) for x in pieces], 2)
    logits = (LinearWrap(tf.concat([sampled1, sampled2], 3))
              .FullyConnected("fc1", 256, activation=tf.nn.relu)
              .FullyConnected("fc2", 128, activation=tf.nn.relu)
              .FullyConnected("fct", 19, activation=tf.identity)())
    return {image: RNG.integers(0, 256, [2, image_size, image_size, 2]), label: np.array([3, 17])}, {
        "STN1/affine": affine1, "STN2/affine": affine2, "visualization/viz": viz, "prob": tf.nn.softmax(logits),
        "cross_entropy_loss": tf.reduce_mean(cross_entropy(logits, label))}


def random_value(variable):
    shape, name = variable.shape.as_list(), variable.op.name
    if name.endswith("fct/b") and name.startswith("STN"):
        return np.array([1, 0, 7, 0, 1, 7]) + RNG.normal(size=shape) * 0.2
    if name.endswith("fct/W") and name.startswith("STN"):
        return RNG.normal(size=shape) * 0.1
    return RNG.normal(size=shape) * (0.1 if len(shape) < 2 else np.sqrt(2 / np.prod(shape[:-1])))


if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    logger._logger.setLevel("WARNING")
    for net in [char_rnn, ptb_lstm, train_timit, mnist_addition]:
        save(net.__name__, net, sys.argv[1], random_value)
