"""The nets of benchmarks/training, written once for all peers, with their data and optimizers.

A net is a function of `ops`, a peer's operators, and its input `x`, as in nets.py. benchmarks/nets/training.cpp has the
same in Belfry.
"""
import collections

import formula
import nets

WORDS, STEPS, UNITS = 10000, 35, 650
NOISE = 100


def transformer(ops, x):
    return ops.fully_connected("linear", ops.mean_of_steps(nets.transformer(ops, x)), 10)


def language_model(ops, words):
    """[N, T] to logits [T * N, WORDS] of the next words; `ops.lstm` takes and gives [T, N, C]."""
    x = ops.embedding("embedding", words, WORDS, UNITS)
    x = ops.lstm("lstm1", ops.lstm("lstm0", x, UNITS), UNITS)
    return ops.fully_connected("linear", ops.flatten_steps(x), WORDS)


def dcgan_generator(ops, noise, filters=64):
    x = ops.as_images(ops.fully_connected("gen/fc0", noise, filters * 8 * 4 * 4), 4, 4, filters * 8)
    x = ops.relu(ops.batch_norm("gen/bn", x))
    for i, factor in enumerate((4, 2, 1), 1):
        name = f"gen/deconv{i}"
        x = ops.relu(ops.batch_norm(f"{name}/bn", ops.conv_transpose(name, x, filters * factor)))
    return ops.tanh(ops.conv_transpose("gen/deconv4", x, 3))


def dcgan_discriminator(ops, x, filters=64):
    for i in range(4):
        name = f"discrim/conv{i}"
        x = ops.conv(name, x, filters << i, 4, stride=2, bias=True)
        x = ops.leaky_relu(ops.batch_norm(f"{name}/bn", x) if i > 0 else x)
    return ops.fully_connected("discrim/fct", x, 1)


class Classifier:
    """Trained with labels: logits [N, classes] of an input, and their mean cross-entropy."""

    def __init__(self, function, shape, classes):
        self.function, self.shape, self.classes = function, shape, classes

    def data(self, batch):
        return formula.floats("image", (batch, *self.shape)), formula.integers("label", (batch,), self.classes)


class LanguageModel:
    """Logits [T * N, WORDS] of words [N, T]; labels are [T * N] too."""

    function, shape = staticmethod(language_model), (STEPS,)

    def data(self, batch):
        words, following = (formula.integers(name, (batch, STEPS), WORDS) for name in ("words", "next"))
        return words, following.T.reshape(-1)


class Dcgan:
    """Two steps: the generator's, then the discriminator's, on the same noise and images."""

    generator, discriminator = staticmethod(dcgan_generator), staticmethod(dcgan_discriminator)

    def data(self, batch):
        return formula.floats("noise", (batch, NOISE)), formula.floats("image", (batch, 64, 64, 3))


# "adam": `beta` is its beta1, its beta2 is 0.999, `epsilon` TensorFlow's; "sgd": `beta` is its momentum.
Optimizer = collections.namedtuple("Optimizer", "kind rate beta epsilon", defaults=[1e-8])
# Rates are low where, with larger ones, rounding in float32 changes the losses of ten steps by percents.
Case = collections.namedtuple("Case", "net optimizer")
CASES = {
    "mnist": Case(Classifier(nets.mnist, (28, 28, 1), 10), Optimizer("adam", 1e-3, 0.9)),
    "cifar": Case(Classifier(nets.cifar, (32, 32, 3), 10), Optimizer("sgd", 0.01, 0.9)),
    "resnet50": Case(Classifier(nets.resnet50, (224, 224, 3), 1000), Optimizer("sgd", 3e-6, 0.9)),
    "mobilenet_v2": Case(Classifier(nets.mobilenet_v2, (224, 224, 3), 1000), Optimizer("sgd", 3e-5, 0.9)),
    "dcgan": Case(Dcgan(), Optimizer("adam", 2e-4, 0.5, 1e-3)),
    "lstm": Case(LanguageModel(), Optimizer("sgd", 10.0, 0.0)),
    "transformer": Case(Classifier(transformer, (128, 256), 10), Optimizer("adam", 1e-4, 0.9)),
}
