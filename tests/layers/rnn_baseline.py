"""Runs TensorFlow's recurrent cells, for rnn_test.cpp.

    python3 tests/layers/rnn_baseline.py write FOLDER     # a checkpoint and what the net computes, for each case
    python3 tests/layers/rnn_baseline.py restore FOLDER   # the same from the checkpoints <case>-ours

FOLDER/<case>.npz has the outputs "output/i", and the gradients of a loss "gradient/x" and "gradient/<variable>". Element i
of the input is sin(0.7 i), element i of a variable cos(0.3 i) / 2; the loss weighs element i of output k by cos(0.9 i + k).
"""
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import logging
import warnings

import numpy as np
import tensorflow as tf

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
tf1 = tf.compat.v1
tf1.disable_v2_behavior()
cells = tf1.nn.rnn_cell
BATCH, TIME, CHANNELS, UNITS = 3, 4, 5, 2
LENGTHS = [4, 1, 2]


def flat(state):
    return tf.nest.flatten(state)


def dynamic(make, **options):
    def build(x):
        outputs, state = tf1.nn.dynamic_rnn(make(), x, dtype=tf.float32, **options)
        return [outputs, *flat(state)]
    return build


def static(make, **options):
    def build(x):
        outputs, state = tf1.nn.static_rnn(make(), tf.unstack(x, axis=1), dtype=tf.float32, **options)
        return [tf.stack(outputs, 1), *flat(state)]
    return build


def full_cell():
    return cells.LSTMCell(UNITS, use_peepholes=True, cell_clip=0.3, num_proj=3, proj_clip=0.15, forget_bias=0.5)


def both_ways(x):
    (forward, backward), states = tf1.nn.bidirectional_dynamic_rnn(
        cells.LSTMCell(UNITS), cells.LSTMCell(UNITS), x, LENGTHS, dtype=tf.float32)
    return [forward, backward, *flat(states)]


def both_ways_static(x):
    outputs, *states = tf1.nn.static_bidirectional_rnn(
        cells.GRUCell(UNITS), cells.GRUCell(UNITS), tf.unstack(x, axis=1), dtype=tf.float32)
    return [tf.stack(outputs, 1), *flat(states)]


def stacked():
    return cells.MultiRNNCell([cells.BasicLSTMCell(UNITS, forget_bias=0.0), cells.BasicLSTMCell(UNITS + 1)])


CASES = {
    "basic_lstm": dynamic(lambda: cells.BasicLSTMCell(UNITS)),
    "basic_lstm_static": static(lambda: cells.BasicLSTMCell(UNITS, forget_bias=0.5)),
    "stacked_static": static(stacked),
    "stacked_lengths": dynamic(stacked, sequence_length=LENGTHS),
    "lstm": dynamic(lambda: cells.LSTMCell(UNITS), sequence_length=LENGTHS),
    "lstm_peepholes": dynamic(lambda: cells.LSTMCell(UNITS, use_peepholes=True)),
    "lstm_projection": static(lambda: cells.LSTMCell(UNITS, num_proj=UNITS + 1)),
    "lstm_full": dynamic(full_cell, sequence_length=LENGTHS),
    "gru": dynamic(lambda: cells.GRUCell(UNITS)),
    "gru_lengths": dynamic(lambda: cells.GRUCell(UNITS), sequence_length=LENGTHS),
    "basic_rnn": dynamic(lambda: cells.BasicRNNCell(UNITS)),
    "basic_rnn_lengths": static(lambda: cells.BasicRNNCell(UNITS), sequence_length=LENGTHS),
    "both_ways": both_ways,
    "both_ways_static": both_ways_static,
}


def count(shape):
    return int(np.prod(shape))


def values(shape, function):
    return function(np.arange(count(shape))).reshape(shape).astype(np.float32)


def loss_of(outputs):
    return tf.add_n([tf.reduce_sum(y * values(y.shape.as_list(), lambda i, k=k: np.cos(0.9 * i + k)))
                     for k, y in enumerate(outputs)])


def main():
    mode, folder = sys.argv[1:]
    for case, build in CASES.items():
        with tf1.Graph().as_default(), tf1.Session() as session:
            x = tf1.placeholder(tf.float32, [BATCH, TIME, CHANNELS])
            outputs = build(x)
            variables = tf1.trainable_variables()
            saver = tf1.train.Saver(variables)
            if mode == "write":
                for v in variables:
                    v.load(values(v.shape.as_list(), lambda i: np.cos(0.3 * i) / 2), session)
                saver.save(session, os.path.join(folder, case), write_meta_graph=False)
            else:
                saver.restore(session, os.path.join(folder, case + "-ours"))
            gradients = tf1.gradients(loss_of(outputs), [x] + variables)
            names = ["output/%d" % i for i in range(len(outputs))]
            names += ["gradient/" + name for name in ["x"] + [v.op.name for v in variables]]
            fed = {x: values(x.shape.as_list(), lambda i: np.sin(0.7 * i))}
            results = session.run(outputs + gradients, fed)
            suffix = "" if mode == "write" else "-ours"
            np.savez(os.path.join(folder, case + suffix + ".npz"), **dict(zip(names, results)))


main()
