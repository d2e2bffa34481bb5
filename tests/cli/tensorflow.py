"""TensorFlow's side of the tests of the program `belfry`.

    tensorflow.py write FOLDER         checkpoints that TensorFlow wrote: FOLDER/model-1 and -2, of a TF1 graph that was
                                       trained; FOLDER/objects-1, of TF2, with a string; and FOLDER/average.npz, numpy's
                                       average of the first two
    tensorflow.py list PREFIX          name, dtype and sizes of each tensor, as tf.train.list_variables says
    tensorflow.py same PREFIX PREFIX   fails unless both load to the same bytes
"""

import os
import sys

# This file's name shall not stand in for the package's.
sys.path.pop(0)

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1


def values_of(prefix):
    reader = tf.train.load_checkpoint(prefix)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def write_trained(folder):
    with tf1.Graph().as_default(), tf1.Session() as session:
        step = tf1.train.get_or_create_global_step()
        weights = tf1.get_variable("fc0/W", [5, 3], initializer=tf1.random_normal_initializer(seed=1))
        tf1.get_variable("fc0/flags", dtype=tf.bool, initializer=np.array([True, False]))
        cost = tf.reduce_sum(tf.square(weights))
        train = tf1.train.AdamOptimizer(0.1).minimize(cost, global_step=step)
        saver = tf1.train.Saver()
        session.run(tf1.global_variables_initializer())
        for _ in range(2):
            session.run(train)
            saver.save(session, os.path.join(folder, "model"), global_step=step, write_meta_graph=False)


def write(folder):
    write_trained(folder)
    tf.train.Checkpoint(kernel=tf.Variable(tf.ones([2, 2], tf.bfloat16))).save(os.path.join(folder, "objects"))
    first, second = (values_of(os.path.join(folder, name)) for name in ("model-1", "model-2"))
    average = {}
    for name, last in second.items():
        is_float = np.issubdtype(last.dtype, np.floating)
        mean = (first[name].astype(np.float64) + last.astype(np.float64)) / 2 if is_float else last
        average[name] = np.asarray(mean, last.dtype)
    np.savez(os.path.join(folder, "average.npz"), **average)


def list_variables(prefix):
    dtypes = tf.train.load_checkpoint(prefix).get_variable_to_dtype_map()
    for name, shape in tf.train.list_variables(prefix):
        print(name, dtypes[name].name, "[" + ",".join(map(str, shape)) + "]")


def same(first, second):
    first, second = values_of(first), values_of(second)
    assert sorted(first) == sorted(second), (sorted(first), sorted(second))
    for name, value in first.items():
        assert value.dtype == second[name].dtype and value.shape == second[name].shape, name
        assert value.tobytes() == second[name].tobytes(), name


{"write": write, "list": list_variables, "same": same}[sys.argv[1]](*sys.argv[2:])
