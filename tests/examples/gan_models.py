"""tensorpack's own form of the models of examples/GAN.

    gan_models.py FOLDER     for each net, of random weights: FOLDER/<net>/model, a checkpoint, and FOLDER/<net>.npz, inputs
                             and outputs by name

Small images and few channels, where the net allows them; tests/examples/gan_parity_test.cpp has the same nets.
TensorFlow has no channels_first convolutions for CPUs: such nets are channels_last here, with the same weights.
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf
from tensorpack import *  # noqa
from tensorpack.models import *  # noqa
from tensorpack.tfutils import get_global_step_var
from tensorpack.tfutils.scope_utils import auto_reuse_variable_scope
from tensorpack.utils import logger
from save_model import save

RNG = np.random.default_rng(1)


def pixels(name, side, channels=3):
    return tf.placeholder(tf.float32, [None, side, side, channels], name), RNG.integers(0, 256, [2, side, side, channels])


def scoped(name, build, *args):
    with tf.variable_scope(name):
        return build(*args)


def gan_losses(real, fake):
    def cross_entropy(logits, label):
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=tf.fill(tf.shape(logits), label)))
    return cross_entropy(fake, 1.), .5 * cross_entropy(real, 1.) + .5 * cross_entropy(fake, 0.)


def bn_lrelu(x, name=None):
    return tf.nn.leaky_relu(BatchNorm("bn", x), alpha=0.2, name=name)


def dcgan_generator(z):
    nf = 64
    x = FullyConnected("fc0", z, nf * 8 * 4 * 4)
    x = BNReLU(tf.reshape(x, [-1, 4, 4, nf * 8]))
    with argscope(Conv2DTranspose, activation=BNReLU, kernel_size=4, strides=2):
        x = Conv2DTranspose("deconv1", x, nf * 4)
        x = Conv2DTranspose("deconv2", x, nf * 2)
        x = Conv2DTranspose("deconv3", x, nf)
        x = Conv2DTranspose("deconv4", x, 3, activation=tf.identity)
    return tf.tanh(x)


def dcgan_discriminator(norm, prefix):
    @auto_reuse_variable_scope
    def discriminator(imgs):
        nf = 64
        with argscope(Conv2D, kernel_size=4, strides=2):
            x = Conv2D("conv0", imgs, nf, activation=tf.nn.leaky_relu)
            for k in (1, 2, 3):
                x = Conv2D(f"conv{k}", x, nf * 2 ** k)
                x = tf.nn.leaky_relu(norm(f"{prefix}{k}", x))
        return FullyConnected("fct", x, 1)
    return discriminator


def dcgan():
    image, image_value = pixels("input", 64)
    z = tf.placeholder(tf.float32, [None, 100], "z")
    fake = scoped("gen", dcgan_generator, z)
    discriminator = dcgan_discriminator(BatchNorm, "bn")
    real_logits = scoped("discrim", discriminator, image / 128.0 - 1)
    fake_logits = scoped("discrim", discriminator, fake)
    g_loss, d_loss = gan_losses(real_logits, fake_logits)
    return {image: image_value, z: RNG.uniform(-1, 1, [2, 100])}, {
        "gen/gen": fake, "discrim/fct/output": real_logits, "discrim/fct_1/output": fake_logits,
        "GAN_loss/gen/loss": g_loss, "GAN_loss/discrim/loss": d_loss}


def improved_wgan():
    image, image_value = pixels("input", 64)
    z = tf.placeholder(tf.float32, [None, 128], "z")
    alpha = tf.placeholder(tf.float32, [2, 1, 1, 1], "alpha")
    real = image / 128.0 - 1
    fake = scoped("gen", dcgan_generator, z)
    interp = real + alpha * (fake - real)
    discriminator = dcgan_discriminator(LayerNorm, "ln")
    real_logits, fake_logits, interp_logits = [
        tf.reshape(scoped("discrim", discriminator, x), [-1]) for x in (real, fake, interp)]
    slopes = tf.sqrt(tf.reduce_sum(tf.square(tf.gradients(interp_logits, interp)[0]), [1, 2, 3]))
    return {image: image_value, z: RNG.normal(size=[2, 128]), alpha: RNG.uniform(size=[2, 1, 1, 1])}, {
        "d_loss": tf.reduce_mean(fake_logits - real_logits), "g_loss": -tf.reduce_mean(fake_logits),
        "gradient_rms": tf.sqrt(tf.reduce_mean(tf.square(slopes))),
        "gradient_penalty": tf.reduce_mean(tf.square(slopes - 1))}


def began():
    nf, nh = 8, 16

    @auto_reuse_variable_scope
    def decoder(z):
        x = tf.reshape(FullyConnected("fc", z, nf * 8 * 8), [-1, 8, 8, nf])
        with argscope(Conv2D, activation=tf.nn.elu, kernel_size=3, strides=1):
            for k in (1, 2, 3, 4):
                x = Conv2D(f"conv{k}.1", x, nf)
                x = Conv2D(f"conv{k}.2", x, nf)
                if k < 4:
                    x = tf.image.resize_nearest_neighbor(x, [8 * 2 ** k] * 2, align_corners=True)
            return Conv2D("conv4.3", x, 3, activation=tf.identity)

    @auto_reuse_variable_scope
    def encoder(imgs):
        with argscope(Conv2D, activation=tf.nn.elu, kernel_size=3, strides=1):
            return (LinearWrap(imgs)
                    .Conv2D("conv1.1", nf).Conv2D("conv1.2", nf).Conv2D("conv1.3", nf * 2)
                    .AvgPooling("pool1", 2)
                    .Conv2D("conv2.1", nf * 2).Conv2D("conv2.2", nf * 3)
                    .AvgPooling("pool2", 2)
                    .Conv2D("conv3.1", nf * 3).Conv2D("conv3.2", nf * 4)
                    .AvgPooling("pool3", 2)
                    .Conv2D("conv4.1", nf * 4).Conv2D("conv4.2", nf * 4)
                    .FullyConnected("fc", nh)())

    image, image_value = pixels("input", 64)
    z = tf.placeholder(tf.float32, [None, nh], "z")
    real = image / 128.0 - 1
    fake = scoped("gen", decoder, z)
    with tf.variable_scope("discrim"):
        hidden = [scoped("enc", encoder, x) for x in (real, fake)]
        recon_real, recon_fake = [scoped("dec", decoder, h) for h in hidden]
    l_pos, l_neg = tf.reduce_mean(tf.abs(recon_real - real)), tf.reduce_mean(tf.abs(recon_fake - fake))
    tf.get_variable("kt", initializer=0.0)
    return {image: image_value, z: RNG.uniform(-1, 1, [2, nh])}, {
        "gen/conv4.3/output": fake, "discrim/dec/conv4.3/output": recon_real,
        "losses/equilibrium": 0.5 * l_pos - l_neg, "losses/measure": l_pos + tf.abs(0.5 * l_pos - l_neg)}


def conditional_gan():
    def generator(z, y):
        x = FullyConnected("fc0", tf.concat([z, y], 1), 1024, activation=BNReLU)
        x = FullyConnected("fc1", tf.concat([x, y], 1), 64 * 2 * 7 * 7, activation=BNReLU)
        x = tf.reshape(x, [-1, 7, 7, 64 * 2])
        y = tf.reshape(y, [-1, 1, 1, 10])
        x = tf.concat([x, tf.tile(y, [1, 7, 7, 1])], 3)
        x = Conv2DTranspose("deconv1", x, 64 * 2, 5, 2, activation=BNReLU)
        x = tf.concat([x, tf.tile(y, [1, 14, 14, 1])], 3)
        return tf.nn.tanh(Conv2DTranspose("deconv2", x, 1, 5, 2, activation=tf.identity))

    @auto_reuse_variable_scope
    def discriminator(imgs, yv):
        y = tf.reshape(yv, [-1, 1, 1, 10])
        with argscope(Conv2D, kernel_size=5, strides=2):  # 1 there, which does not fit its own tile of 14 x 14
            x = tf.nn.leaky_relu(Conv2D("conv0", tf.concat([imgs, tf.tile(y, [1, 28, 28, 1])], 3), 11))
            x = Conv2D("conv1", tf.concat([x, tf.tile(y, [1, 14, 14, 1])], 3), 74)
            x = tf.nn.leaky_relu(BatchNorm("bn1", x))
        x = tf.concat([tf.reshape(x, [-1, 7 * 7 * 74]), yv], 1)
        x = tf.nn.leaky_relu(BatchNorm("bn2", FullyConnected("fc1", x, 1024)))
        return FullyConnected("fct", tf.concat([x, yv], 1), 1)

    image, z = tf.placeholder(tf.float32, [None, 28, 28], "input"), tf.placeholder(tf.float32, [None, 100], "z")
    label = tf.placeholder(tf.int64, [None], "label")
    y = tf.one_hot(label, 10)
    fake = scoped("gen", generator, z, y)
    real_logits = scoped("discrim", discriminator, tf.expand_dims(image * 2.0 - 1, -1), y)
    fake_logits = scoped("discrim", discriminator, fake, y)
    return {image: RNG.random([2, 28, 28]), label: np.array([3, 8]), z: RNG.uniform(-1, 1, [2, 100])}, {
        "gen/gen": fake, "discrim/fct/output": real_logits, "discrim/fct_1/output": fake_logits}


def infogan():
    def generator(z):
        x = FullyConnected("fc0", z, 1024, activation=BNReLU)
        x = tf.reshape(FullyConnected("fc1", x, 128 * 7 * 7, activation=BNReLU), [-1, 7, 7, 128])
        x = Conv2DTranspose("deconv1", x, 64, 4, 2, activation=BNReLU)
        return tf.sigmoid(Conv2DTranspose("deconv2", x, 1, 4, 2, activation=tf.identity))

    @auto_reuse_variable_scope
    def discriminator(imgs):
        with argscope(Conv2D, kernel_size=4, strides=2):
            x = (LinearWrap(imgs)
                 .Conv2D("conv0", 64).tf.nn.leaky_relu()
                 .Conv2D("conv1", 128).BatchNorm("bn1").tf.nn.leaky_relu()
                 .FullyConnected("fc1", 1024).BatchNorm("bn2").tf.nn.leaky_relu()())
        code = LinearWrap(x).FullyConnected("fce1", 128).BatchNorm("bne").tf.nn.leaky_relu().FullyConnected("fce-out", 12)()
        return FullyConnected("fct", x, 1), code

    image = tf.placeholder(tf.float32, [None, 28, 28], "input")
    code, noise = tf.placeholder(tf.float32, [None, 12], "z_code"), tf.placeholder(tf.float32, [None, 62], "z_noise")
    fake = scoped("gen", generator, tf.concat([code, noise], 1))
    real_logits, _ = scoped("discrim", discriminator, tf.expand_dims(image, -1))
    fake_logits, params = scoped("discrim", discriminator, fake)

    def distributions(params):
        return tf.distributions.Categorical(logits=params[..., :10]), tf.distributions.Normal(params[..., 10:], scale=1.)

    cat, uni = distributions(tf.constant([1.] * 10 + [0.] * 2))
    entropy = cat.entropy() + tf.reduce_sum(uni.entropy())
    cat, uni = distributions(params)
    information = entropy + tf.reduce_mean(cat.log_prob(tf.argmax(code[:, :10], 1))) + tf.reduce_sum(
        tf.reduce_mean(uni.log_prob(code[:, 10:]), 0))
    g_loss, d_loss = gan_losses(real_logits, fake_logits)
    codes = np.concatenate([np.eye(10)[[2, 7]], RNG.uniform(-1, 1, [2, 2])], 1)
    return {image: RNG.random([2, 28, 28]), code: codes, noise: RNG.uniform(-1, 1, [2, 62])}, {
        "gen/gen": fake, "discrim/fct/output": real_logits, "discrim/fce-out_1/output": params,
        "mutual_information/mutual_information": information,
        "total_g_loss": g_loss - information, "total_d_loss": d_loss - information}


def cyclegan():
    nf = 8

    def in_relu(x, name=None):
        return tf.nn.relu(InstanceNorm("inorm", x), name=name)

    def in_lrelu(x, name=None):
        return tf.nn.leaky_relu(InstanceNorm("inorm", x), alpha=0.2, name=name)

    def pad(x, n):
        return tf.pad(x, [[0, 0], [n, n], [n, n], [0, 0]], mode="SYMMETRIC")

    def res_block(x, chan):
        y = Conv2D("conv0", pad(x, 1), chan, 3, padding="VALID")
        y = Conv2D("conv1", pad(y, 1), chan, 3, padding="VALID", activation=tf.identity)
        return InstanceNorm("inorm", y) + x

    @auto_reuse_variable_scope
    def generator(img):
        with argscope([Conv2D, Conv2DTranspose], activation=in_relu):
            x = Conv2D("conv0", pad(img, 3), nf, 7, padding="VALID")
            x = Conv2D("conv1", x, nf * 2, 3, strides=2)
            x = Conv2D("conv2", x, nf * 4, 3, strides=2)
            for k in range(9):
                x = scoped(f"res{k}", res_block, x, nf * 4)
            x = Conv2DTranspose("deconv0", x, nf * 2, 3, strides=2)
            x = Conv2DTranspose("deconv1", x, nf, 3, strides=2)
            return Conv2D("convlast", pad(x, 3), 3, 7, padding="VALID", activation=tf.tanh, use_bias=True)

    @auto_reuse_variable_scope
    def discriminator(img):
        with argscope(Conv2D, activation=in_lrelu, kernel_size=4, strides=2):
            return (LinearWrap(img)
                    .Conv2D("conv0", nf, activation=tf.nn.leaky_relu)
                    .Conv2D("conv1", nf * 2).Conv2D("conv2", nf * 4).Conv2D("conv3", nf * 8, strides=1)
                    .Conv2D("conv4", 1, strides=1, activation=tf.identity, use_bias=True)())

    (image_a, value_a), (image_b, value_b) = pixels("inputA", 32), pixels("inputB", 32)
    a, b = image_a / 128.0 - 1.0, image_b / 128.0 - 1.0
    with argscope([Conv2D, Conv2DTranspose], use_bias=False):
        ab, ba, aba, bab, a_real, a_fake, b_real, b_fake = two_domains(generator, discriminator, a, b)

    def lsgan_losses(real, fake):
        return tf.reduce_mean(tf.squared_difference(fake, 1)), 0.5 * (
            tf.reduce_mean(tf.squared_difference(real, 1)) + tf.reduce_mean(tf.square(fake)))

    g_a, d_a = lsgan_losses(a_real, a_fake)
    g_b, d_b = lsgan_losses(b_real, b_fake)
    recon = tf.reduce_mean(tf.abs(a - aba)) + tf.reduce_mean(tf.abs(b - bab))
    return {image_a: value_a, image_b: value_b}, {
        "gen/B/convlast/output": tf.transpose(ab, [0, 3, 1, 2]), "gen/A/convlast/output": tf.transpose(ba, [0, 3, 1, 2]),
        "discrim/A/conv4/output": tf.transpose(a_real, [0, 3, 1, 2]),
        "losses/G_loss_total": g_a + g_b + recon * 10.0, "losses/D_loss_total": d_a + d_b}


def two_domains(generator, discriminator, a, b):
    with tf.variable_scope("gen"):
        ab, ba = scoped("B", generator, a), scoped("A", generator, b)
        aba, bab = scoped("A", generator, ab), scoped("B", generator, ba)
    with tf.variable_scope("discrim"):
        judged = [scoped(name, discriminator, x) for name, x in [("A", a), ("A", ba), ("B", b), ("B", ab)]]
    return [ab, ba, aba, bab] + judged


def discogan():
    nf = 8

    @auto_reuse_variable_scope
    def generator(img):
        with argscope([Conv2D, Conv2DTranspose], activation=bn_lrelu, kernel_size=4, strides=2), \
                argscope(Conv2DTranspose, activation=BNReLU):
            return (LinearWrap(img)
                    .Conv2D("conv0", nf, activation=tf.nn.leaky_relu)
                    .Conv2D("conv1", nf * 2).Conv2D("conv2", nf * 4).Conv2D("conv3", nf * 8)
                    .Conv2DTranspose("deconv0", nf * 4).Conv2DTranspose("deconv1", nf * 2).Conv2DTranspose("deconv2", nf)
                    .Conv2DTranspose("deconv3", 3, activation=tf.identity)
                    .tf.sigmoid()())

    @auto_reuse_variable_scope
    def discriminator(img):
        with argscope(Conv2D, activation=bn_lrelu, kernel_size=4, strides=2):
            x = Conv2D("conv0", img, nf, activation=tf.nn.leaky_relu)
            features = []
            for k in (1, 2, 3):
                x = Conv2D(f"conv{k}", x, nf * 2 ** k)
                features.append(x)
        return FullyConnected("fc", tf.transpose(x, [0, 3, 1, 2]), 1), features

    def feature_match_loss(real, fake):
        return tf.add_n([tf.reduce_mean(tf.squared_difference(tf.reduce_mean(r, 0), tf.reduce_mean(f, 0)))
                         for r, f in zip(real, fake)])

    (image_a, value_a), (image_b, value_b) = pixels("inputA", 32), pixels("inputB", 32)
    a, b = image_a / 255.0, image_b / 255.0
    with argscope([Conv2D, Conv2DTranspose, FullyConnected], use_bias=False):
        ab, ba, aba, bab, a_real, a_fake, b_real, b_fake = two_domains(generator, discriminator, a, b)
    get_global_step_var()
    (g_a, d_a), (g_b, d_b) = gan_losses(a_real[0], a_fake[0]), gan_losses(b_real[0], b_fake[0])
    match = feature_match_loss(a_real[1], a_fake[1]) + feature_match_loss(b_real[1], b_fake[1])
    recon_a, recon_b = tf.reduce_mean(tf.squared_difference(a, aba)), tf.reduce_mean(tf.squared_difference(b, bab))
    rate = 0.01
    return {image_a: value_a, image_b: value_b}, {
        "viz_A_recon": tf.transpose(tf.concat([a, ab, aba], 2), [0, 3, 1, 2]), "discrim/A/fc/output": a_real[0],
        "LossA/recon_loss": recon_a,
        "G_loss_total": ((g_a + g_b) * 0.1 + match * 0.9) * (1 - rate) + (recon_a + recon_b) * rate,
        "D_loss_total": d_a + d_b}


def image2image():
    nf = 4

    def generator(imgs):
        with argscope(BatchNorm, training=True), argscope(Conv2D, kernel_size=4, strides=2, activation=bn_lrelu):
            es = [Conv2D("conv1", imgs, nf, activation=tf.nn.leaky_relu)]
            for k, width in enumerate([2, 4, 8, 8, 8, 8]):
                es.append(Conv2D(f"conv{k + 2}", es[-1], nf * width))
            x = Conv2D("conv8", es[-1], nf * 8, activation=BNReLU)
            with argscope(Conv2DTranspose, activation=BNReLU, kernel_size=4, strides=2):
                for k, width in enumerate([8, 8, 8, 8, 4, 2, 1]):
                    x = tf.concat([Conv2DTranspose(f"deconv{k + 1}", x, nf * width), es[6 - k]], 3)
                return Conv2DTranspose("deconv8", x, 3, activation=tf.tanh)

    @auto_reuse_variable_scope
    def discriminator(inputs, outputs):
        with argscope(Conv2D, kernel_size=4, strides=2, activation=bn_lrelu):
            return (LinearWrap(tf.concat([inputs, outputs], 3))
                    .Conv2D("conv0", nf, activation=tf.nn.leaky_relu)
                    .Conv2D("conv1", nf * 2).Conv2D("conv2", nf * 4)
                    .Conv2D("conv3", nf * 8, strides=1, padding="VALID")
                    .Conv2D("convlast", 1, strides=1, padding="VALID", activation=tf.identity)())

    (image, image_value), (target, target_value) = pixels("input", 256), pixels("output", 256)
    x, y = image / 128.0 - 1, target / 128.0 - 1
    fake = scoped("gen", generator, x)
    real_logits, fake_logits = scoped("discrim", discriminator, x, y), scoped("discrim", discriminator, x, fake)
    l1 = tf.reduce_mean(tf.abs(fake - y))
    return {image: image_value, target: target_value}, {
        "gen/deconv8/output": fake, "discrim/convlast/output": real_logits, "discrim/convlast_1/output": fake_logits,
        "L1_loss": l1, "total_g_loss": gan_losses(real_logits, fake_logits)[0] + 100 * l1}


def random_value(variable):
    shape, name = variable.shape.as_list(), variable.op.name
    if name == "global_step" or name == "kt":
        return 0
    if name.endswith(("gamma", "variance/EMA")):
        return RNG.uniform(0.5, 1.5, shape)
    if len(shape) < 2:
        return RNG.normal(size=shape) * 0.1
    return RNG.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))


if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    logger._logger.setLevel("WARNING")
    for net in [dcgan, improved_wgan, began, conditional_gan, infogan, cyclegan, discogan, image2image]:
        save(net.__name__, net, sys.argv[1], random_value)
