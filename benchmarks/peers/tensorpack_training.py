"""A step of training in tensorpack on TensorFlow's graph."""
import tensorflow.compat.v1 as tf
from tensorpack import BatchNorm, Conv2D, Conv2DTranspose, Dropout, FullyConnected, TowerContext

import formula
from tensorflow_ops import EPSILON, TensorFlowNet

tf.disable_v2_behavior()
tf.enable_v2_tensorshape()


class TrainedNet(TensorFlowNet):
    """tensorpack's layers, and TensorFlow's operators where it has none."""

    def __init__(self, dropout):
        self.dropout_too = dropout

    def conv(self, name, x, filters, kernel, stride=1, groups=1, bias=False):
        edge = (kernel - 1) // 2 if stride > 1 else 0
        if edge:
            x = tf.pad(x, [[0, 0], [edge, edge], [edge, edge], [0, 0]])
        padding = "valid" if edge else "same"
        if groups == 1:
            return Conv2D(name, x, filters, kernel, strides=stride, padding=padding, use_bias=bias)
        filter = tf.get_variable(f"{name}/W", [kernel, kernel, groups, 1])
        return tf.nn.depthwise_conv2d(x, filter, [1, stride, stride, 1], padding.upper())

    def conv_transpose(self, name, x, filters):
        return Conv2DTranspose(name, x, filters, 4, strides=2)

    def batch_norm(self, name, x):
        return BatchNorm(name, x)

    def fully_connected(self, name, x, units):
        return FullyConnected(name, x, units) if len(x.shape) != 3 else tf.reshape(
            FullyConnected(name, tf.reshape(x, [-1, x.shape[-1]]), units), [*x.shape[:-1], units])

    def layer_norm(self, name, x):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        beta, gamma = (tf.get_variable(f"{name}/{part}", [x.shape[-1]]) for part in ("beta", "gamma"))
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, EPSILON)

    def dropout(self, x, rate):
        return Dropout("dropout", x, rate=rate) if self.dropout_too else x

    def as_images(self, x, height, width, channels):
        return tf.reshape(x, [-1, height, width, channels])

    def embedding(self, name, ids, count, width):
        return tf.nn.embedding_lookup(tf.get_variable(name, [count, width]), tf.transpose(ids))

    def lstm(self, name, x, units):
        """As BasicLSTMCell in static_rnn, but the products with the inputs of all steps are one."""
        steps, batch, channels = x.shape
        by_input, by_state, bias = (tf.get_variable(f"{name}/{part}", shape) for part, shape in (
            ("Wx", [channels, 4 * units]), ("Wh", [units, 4 * units]), ("b", [4 * units])))
        products = tf.nn.bias_add(tf.matmul(tf.reshape(x, [-1, channels]), by_input), bias)
        cell = output = None
        outputs = []
        for step in tf.unstack(tf.reshape(products, [steps, batch, 4 * units])):
            gates = step if output is None else step + tf.matmul(output, by_state)
            i, f, g, o = tf.split(gates, 4, axis=1)
            write = tf.sigmoid(i) * tf.tanh(g)
            cell = write if cell is None else tf.sigmoid(f) * cell + write
            output = tf.sigmoid(o) * tf.tanh(cell)
            outputs.append(output)
        return tf.stack(outputs)

    def flatten_steps(self, x):
        return tf.reshape(x, [-1, x.shape[-1]])

    def mean_of_steps(self, x):
        return tf.reduce_mean(x, 1)

    tanh = staticmethod(tf.tanh)
    leaky_relu = staticmethod(lambda x: tf.nn.leaky_relu(x, 0.2))


def make_optimizer(optimizer):
    if optimizer.kind == "adam":
        return tf.train.AdamOptimizer(optimizer.rate, optimizer.beta, epsilon=optimizer.epsilon)
    if optimizer.beta == 0:
        return tf.train.GradientDescentOptimizer(optimizer.rate)
    return tf.train.MomentumOptimizer(optimizer.rate, optimizer.beta)


class TensorpackTraining:
    """`step()` does what benchmarks/nets/training.h says and returns the losses."""

    def __init__(self, case, batch, dtype, dropout, threads):
        tf.reset_default_graph()
        ops = TrainedNet(dropout)
        # Constants might be folded; variables are not.
        data = [tf.get_variable(f"data{i}", initializer=array, trainable=False)
                for i, array in enumerate(case.net.data(batch))]
        with TowerContext("", is_training=True):
            costs = self.dcgan(case, ops, *data) if hasattr(case.net, "generator") else self.other(case, ops, *data)
        self.runs = []
        for cost, scope in costs:
            updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope)
            minimized = make_optimizer(case.optimizer).minimize(cost, var_list=tf.trainable_variables(scope))
            self.runs.append([cost, tf.group(minimized, *updates)])
        self.session = tf.Session(config=self.config(threads, dtype))
        self.session.run(tf.global_variables_initializer())
        for variable in tf.trainable_variables():
            shape = variable.shape.as_list()
            if len(shape) == 4 and shape[3] == 1 and variable.op.name.endswith("depthwise/W"):
                shape[2:] = 1, shape[2]  # as Belfry has it
            value = formula.weights(variable.op.name, tuple(shape))
            variable.load(value.reshape(variable.shape.as_list()), self.session)

    def other(self, case, ops, x, labels):
        logits = case.net.function(ops, x)
        return [(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels)), None)]

    def dcgan(self, case, ops, noise, real):
        fake = case.net.generator(ops, noise)
        real_logits = case.net.discriminator(ops, real)
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            fake_logits = case.net.discriminator(ops, fake)

        def cost(logits, target):
            labels = tf.fill(logits.shape, target)
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=labels))

        return [(cost(fake_logits, 1.0), "gen/"), ((cost(real_logits, 1.0) + cost(fake_logits, 0.0)) * 0.5, "discrim/")]

    def config(self, threads, dtype):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
        if dtype == "bfloat16":
            rewrites = config.graph_options.rewrite_options
            rewrites.auto_mixed_precision_onednn_bfloat16 = type(rewrites).ON
        return config

    def step(self):
        return [self.session.run(run)[0] for run in self.runs]
