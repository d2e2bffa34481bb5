"""Saves a model of random weights, with its inputs and what it gives, for model_parity.h."""

import os

import numpy as np
import tensorflow.compat.v1 as tf
from tensorpack.tfutils.tower import PredictTowerContext


def save(name, build, folder, random_value):
    """`build` gives {placeholder: value} and {name: output}; `random_value` a value for each variable."""
    with tf.Graph().as_default(), PredictTowerContext(""):
        inputs, outputs = build()
        with tf.Session() as session:
            for variable in tf.global_variables():
                variable.load(random_value(variable), session)
            values = session.run(outputs, inputs)
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            tf.train.Saver().save(session, os.path.join(folder, name, "model"), write_meta_graph=False)
        fed = {tensor.op.name: value.astype(tensor.dtype.as_numpy_dtype) for tensor, value in inputs.items()}
        np.savez(os.path.join(folder, name + ".npz"), **fed, **{k.replace("/", "|"): v for k, v in values.items()})
