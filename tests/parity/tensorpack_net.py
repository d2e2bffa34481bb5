"""tensorpack's side of the interchange test: a small convolutional net on 8x8 digits.

    tensorpack_net.py train FOLDER OPTIMIZER   one epoch, saved as FOLDER/first/model-20, and a second one from
                                               there, saved as FOLDER/second/model-40. Writes FOLDER/batches.npz,
                                               which both epochs train on, in order, and FOLDER/probe.npz: images
                                               and what the net of model-20 predicts for them
    tensorpack_net.py resume FOLDER OPTIMIZER  takes FOLDER/belfry/model-40, the second epoch trained by Belfry,
                                               and FOLDER/belfry_probe.npz, what Belfry predicts then: compares
                                               both with tensorpack's own, and trains a third epoch
                                               from each

OPTIMIZER is momentum or adam. tests/parity/tensorpack_test.cpp has the same net in Belfry's layers.
"""

import logging
import os
import sys

import numpy as np
import tensorpack as tp
import tensorflow.compat.v1 as tf
from tensorpack.utils import logger

STEPS, BATCH = 20, 32
PREDICTION_TOLERANCE = 1e-5
# Twenty steps of two independent float32 implementations drift apart by rounding, forty more so.
WEIGHT_TOLERANCE = 1e-3
COST_TOLERANCE = 1e-2


class Digits(tp.ModelDesc):
    def __init__(self, optimizer_name):
        self.optimizer_name = optimizer_name

    def inputs(self):
        return [tf.TensorSpec((None, 8, 8, 1), tf.float32, "image"), tf.TensorSpec((None,), tf.int32, "label")]

    def build_graph(self, image, label):
        # Without a bias: under BatchNorm its gradient is rounding noise, from which Adam would make whole steps.
        x = tp.Conv2D("conv0", image, 8, 3, use_bias=False, activation=tp.BNReLU)
        x = tp.MaxPooling("pool0", x, 2)
        x = tp.Conv2D("conv1", x, 12, 3, strides=2, activation=tf.nn.relu)
        x = tp.BatchNorm("bn1", x)
        x = tp.FullyConnected("fc0", x, 32, activation=tf.nn.relu)
        logits = tp.FullyConnected("fc1", x, 10)
        tf.nn.softmax(logits, name="prob")
        cost = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=label)
        return tf.reduce_mean(cost, name="cost")

    def optimizer(self):
        learning_rate = tf.get_variable("learning_rate", initializer=0.01, trainable=False)
        if self.optimizer_name == "adam":
            return tf.train.AdamOptimizer(learning_rate)
        return tf.train.MomentumOptimizer(learning_rate, 0.9)


def make_digits(count, seed):
    """Ten fixed patterns under noise."""
    patterns = np.random.default_rng(0).random([10, 8, 8, 1])
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).astype("i4")
    images = patterns[labels] + 0.4 * rng.standard_normal([count, 8, 8, 1])
    return images.astype("f"), labels


class RecordCost(tp.Callback):
    def _before_run(self, _):
        return ["cost:0"]

    def _after_run(self, _, values):
        self.costs.append(values.results[0])

    def _before_train(self):
        self.costs = []


def train(optimizer, batches, folder, restore=None, starting_epoch=1):
    """One epoch on `batches`; returns the cost of every step."""
    os.makedirs(folder, exist_ok=True)
    logger.set_logger_dir(folder, action="k")
    logger._logger.setLevel(logging.WARNING)
    data = tp.dataflow.DataFromList([list(pair) for pair in zip(*batches)], shuffle=False)
    record = RecordCost()
    config = tp.TrainConfig(
        model=Digits(optimizer), data=tp.QueueInput(data), callbacks=[tp.ModelSaver(), record],
        extra_callbacks=[tp.RunUpdateOps()], monitors=[],
        session_init=tp.SaverRestore(restore) if restore else None, steps_per_epoch=STEPS, max_epoch=starting_epoch,
        starting_epoch=starting_epoch)
    tf.reset_default_graph()
    tf.set_random_seed(1)
    tp.launch_train_with_config(config, tp.SimpleTrainer())
    return record.costs


def predict(optimizer, checkpoint, images):
    return tp.OfflinePredictor(
        tp.PredictConfig(model=Digits(optimizer), session_init=tp.SaverRestore(checkpoint), input_names=["image"],
                         output_names=["prob"]))(images)[0]


def read_all(checkpoint):
    reader = tf.train.load_checkpoint(checkpoint)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def first_and_second_epoch(folder, optimizer):
    images, labels = make_digits(STEPS * BATCH, seed=1)
    batches = images.reshape(STEPS, BATCH, 8, 8, 1), labels.reshape(STEPS, BATCH)
    first, second = os.path.join(folder, "first"), os.path.join(folder, "second")
    train(optimizer, batches, first)
    checkpoint = os.path.join(first, f"model-{STEPS}")
    train(optimizer, batches, second, restore=checkpoint, starting_epoch=2)
    probe = make_digits(13, seed=2)[0]
    np.savez(os.path.join(folder, "batches.npz"), image=batches[0], label=batches[1])
    np.savez(os.path.join(folder, "probe.npz"), image=probe, prob=predict(optimizer, checkpoint, probe))


class Warnings(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def third_epoch(folder, optimizer):
    ours, theirs = (os.path.join(folder, name, f"model-{2 * STEPS}") for name in ["belfry", "second"])
    compare(read_all(ours), read_all(theirs))

    probe, belfry_probe = (np.load(os.path.join(folder, name)) for name in ["probe.npz", "belfry_probe.npz"])
    error = np.abs(predict(optimizer, ours, probe["image"]) - belfry_probe["prob"]).max()
    assert error < PREDICTION_TOLERANCE, f"predictions differ by {error}"

    warnings = Warnings()
    logger._logger.addHandler(warnings)
    loaded = np.load(os.path.join(folder, "batches.npz"))
    batches = loaded["image"], loaded["label"]
    costs = train(optimizer, batches, os.path.join(folder, "third"), restore=ours, starting_epoch=3)
    mismatches = [m for m in warnings.messages if "not found in" in m]
    assert not mismatches, mismatches
    last = read_all(os.path.join(folder, "third", f"model-{3 * STEPS}"))
    assert last["global_step"] == 3 * STEPS, last["global_step"]
    expected = train(optimizer, batches, os.path.join(folder, "third_of_theirs"), restore=theirs, starting_epoch=3)
    cost_error = np.abs(np.subtract(costs, expected)).max()
    assert cost_error < COST_TOLERANCE, f"costs of the third epoch differ by {cost_error}"
    print(f"ok, errors: prediction {error:.2g}, costs of the third epoch {cost_error:.2g}")


def compare(ours, theirs):
    """Every variable: weights, moving averages, slots, global_step."""
    assert set(ours) == set(theirs), set(ours) ^ set(theirs)
    for name in sorted(ours):
        assert ours[name].dtype == theirs[name].dtype, name
        assert ours[name].shape == theirs[name].shape, name
        error = np.abs(ours[name] - theirs[name]).max()
        assert error < WEIGHT_TOLERANCE, f"{name} differs by {error}"


if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    {"train": first_and_second_epoch, "resume": third_epoch}[sys.argv[1]](*sys.argv[2:])
