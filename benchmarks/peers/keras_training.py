"""A step of training in Keras on JAX, compiled by XLA."""
import jax
import keras
from keras import layers

import formula

EPSILON = 1e-5


class LayerOps:
    """Applies Keras' layers to its symbolic tensors, and keeps them by name."""

    def __init__(self, dropout):
        self.dropout_too, self.layers = dropout, {}

    def layer(self, name, make):
        if name not in self.layers:
            self.layers[name] = make()
        return self.layers[name]

    def conv(self, name, x, filters, kernel, stride=1, groups=1, bias=False):
        edge = (kernel - 1) // 2 if stride > 1 else 0
        if edge:
            x = layers.ZeroPadding2D(edge)(x)
        options = dict(strides=stride, padding="valid" if edge else "same", use_bias=bias)
        if groups == 1:
            return self.layer(name, lambda: layers.Conv2D(filters, kernel, **options))(x)
        return self.layer(name, lambda: layers.DepthwiseConv2D(kernel, **options))(x)

    def conv_transpose(self, name, x, filters):
        return self.layer(name, lambda: layers.Conv2DTranspose(filters, 4, strides=2, padding="same"))(x)

    def batch_norm(self, name, x):
        return self.layer(name, lambda: layers.BatchNormalization(momentum=0.9, epsilon=EPSILON))(x)

    def fully_connected(self, name, x, units):
        x = layers.Flatten()(x) if len(x.shape) == 4 else x
        return self.layer(name, lambda: layers.Dense(units))(x)

    def layer_norm(self, name, x):
        return self.layer(name, lambda: layers.LayerNormalization(epsilon=EPSILON))(x)

    def attention(self, qkv, heads):
        batch, time, width = qkv.shape
        parts = (keras.ops.reshape(part, (batch, time, heads, width // 3 // heads))
                 for part in keras.ops.split(qkv, 3, axis=-1))
        return keras.ops.reshape(keras.ops.dot_product_attention(*parts), (batch, time, width // 3))

    def dropout(self, x, rate):
        return layers.Dropout(rate, seed=0)(x) if self.dropout_too else x

    def max_pool(self, x, pool):
        return layers.MaxPooling2D(pool, 2, padding="same")(x)

    def avg_pool(self, x, pool):
        return layers.AveragePooling2D(pool)(x)

    def pad_channels(self, x, count):
        return keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (count, count)))

    def global_avg_pool(self, x):
        return layers.GlobalAveragePooling2D()(x)

    def as_images(self, x, height, width, channels):
        return layers.Reshape((height, width, channels))(x)

    def embedding(self, name, ids, count, width):
        return self.layer(name, lambda: layers.Embedding(count, width))(ids)

    def lstm(self, name, x, units):
        """Of [N, T, C], unlike the others'."""
        return self.layer(name, lambda: layers.LSTM(units, return_sequences=True))(x)

    def flatten_steps(self, x):
        return keras.ops.reshape(keras.ops.transpose(x, (1, 0, 2)), (-1, x.shape[-1]))

    def mean_of_steps(self, x):
        return keras.ops.mean(x, 1)

    relu, relu6, tanh = (staticmethod(op) for op in (keras.ops.relu, keras.ops.relu6, keras.ops.tanh))
    gelu = staticmethod(lambda x: keras.ops.gelu(x, approximate=False))
    leaky_relu = staticmethod(lambda x: keras.ops.leaky_relu(x, 0.2))

    def set_weights(self):
        names = {"kernel": "W", "bias": "b", "recurrent_kernel": "Wh", "gamma": "gamma", "beta": "beta"}
        for name, layer in self.layers.items():
            for variable in layer.trainable_variables:
                key, shape = f"{name}/{names.get(variable.name)}", tuple(variable.shape)
                if isinstance(layer, layers.Embedding):
                    key = name
                elif isinstance(layer, layers.LSTM) and variable.name == "kernel":
                    key = f"{name}/Wx"
                elif isinstance(layer, layers.DepthwiseConv2D):
                    shape = (*shape[:2], 1, shape[2])  # as Belfry has it
                    key = f"{name}/W"
                variable.assign(formula.weights(key, shape).reshape(variable.shape))


def make_optimizer(optimizer):
    if optimizer.kind == "adam":
        return keras.optimizers.Adam(optimizer.rate, optimizer.beta, epsilon=optimizer.epsilon)
    return keras.optimizers.SGD(optimizer.rate, momentum=optimizer.beta)


def cross_entropy(logits, labels):
    return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, keras.ops.cast(logits, "float32"),
                                                                       from_logits=True))


class KerasTraining:
    """`step()` does what benchmarks/nets/training.h says and returns the losses."""

    def __init__(self, case, batch, dtype, dropout):
        keras.config.set_dtype_policy("mixed_bfloat16" if dtype == "bfloat16" else "float32")
        keras.utils.clear_session()
        self.optimizer, self.ops = case.optimizer, LayerOps(dropout)
        self.data = [jax.numpy.asarray(array) for array in case.net.data(batch)]
        if hasattr(case.net, "generator"):
            self.models = [self.model(net, example)
                           for net, example in zip((case.net.generator, case.net.discriminator), self.data)]
            costs = [(self.generator_cost, 0), (self.discriminator_cost, 1)]
        else:
            self.models = [self.model(case.net.function, self.data[0])]
            costs = [(self.cost, 0)]
        self.ops.set_weights()
        self.variables = [([v.value for v in model.trainable_variables],
                           [v.value for v in model.non_trainable_variables]) for model in self.models]
        self.steps = [self.compiled(cost, trained) for cost, trained in costs]

    def model(self, function, example):
        x = keras.Input(batch_shape=example.shape, dtype=example.dtype)
        return keras.Model(x, function(self.ops, x))

    def call(self, index, variables, x):
        """The output, and the variables after the updates of moving averages."""
        trainable, rest = variables[index]
        y, rest = self.models[index].stateless_call(trainable, rest, x, training=True)
        return y, [*variables[:index], (trainable, rest), *variables[index + 1:]]

    def cost(self, variables, x, labels):
        logits, variables = self.call(0, variables, x)
        return cross_entropy(logits, labels), variables

    def adversarial(self, logits, target):
        logits = keras.ops.cast(logits, "float32")
        return keras.ops.mean(keras.ops.binary_crossentropy(keras.ops.full_like(logits, target), logits,
                                                            from_logits=True))

    def generator_cost(self, variables, noise, real):
        fake, variables = self.call(0, variables, noise)
        logits, _ = self.call(1, variables, fake)
        return self.adversarial(logits, 1.0), variables

    def discriminator_cost(self, variables, noise, real):
        fake, _ = self.call(0, variables, noise)
        real_logits, variables = self.call(1, variables, real)
        fake_logits, variables = self.call(1, variables, fake)
        return (self.adversarial(real_logits, 1.0) + self.adversarial(fake_logits, 0.0)) * 0.5, variables

    def compiled(self, cost, trained):
        optimizer = make_optimizer(self.optimizer)
        optimizer.build(self.models[trained].trainable_variables)

        def step(variables, state, *data):
            def of(trainable):
                return cost([*variables[:trained], (trainable, variables[trained][1]), *variables[trained + 1:]], *data)

            (loss, variables), gradients = jax.value_and_grad(of, has_aux=True)(variables[trained][0])
            trainable, state = optimizer.stateless_apply(state, gradients, variables[trained][0])
            variables[trained] = (trainable, variables[trained][1])
            return loss, variables, state

        return {"run": jax.jit(step, donate_argnums=(0, 1)), "state": [v.value for v in optimizer.variables]}

    def step(self):
        losses = []
        for step in self.steps:
            loss, self.variables, step["state"] = step["run"](self.variables, step["state"], *self.data)
            losses.append(float(loss))
        jax.block_until_ready(self.variables)
        return losses
