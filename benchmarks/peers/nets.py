"""The nets of benchmarks/inference, written once for all engines that are called from Python.

A net is a function of `ops`, an engine's operators (torch_ops.py, tensorflow_ops.py), and its input `x`. Names of
layers, and so of variables, are those of benchmarks/inference_net.cpp. Convolutions pad by half a kernel on every side;
poolings pad as TensorFlow's "SAME" does.
"""
import collections


def conv_bn(ops, name, x, *args, **options):
    return ops.batch_norm(f"{name}/bn", ops.conv(name, x, *args, **options))


def conv_bn_relu(ops, name, x, *args, **options):
    return ops.relu(conv_bn(ops, name, x, *args, **options))


def mnist(ops, x):
    def conv(name, x):
        return ops.relu(ops.conv(name, x, 32, 3, bias=True))

    x = ops.max_pool(conv("conv0", x * 2 - 1), 2)
    x = ops.max_pool(conv("conv2", conv("conv1", x)), 2)
    x = ops.dropout(ops.relu(ops.fully_connected("fc0", conv("conv3", x), 512)), 0.5)
    return ops.fully_connected("fc1", x, 10)


def cifar(ops, x):
    """Pre-activation ResNet-20, as tensorpack's example."""
    x = conv_bn_relu(ops, "conv0", x, 16, 3)
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            name, increase = f"res{stage + 1}.{block}", stage > 0 and block == 0
            y = x if stage == block == 0 else ops.relu(ops.batch_norm(f"{name}/bn", x))
            y = conv_bn_relu(ops, f"{name}/conv1", y, filters, 3, stride=2 if increase else 1)
            y = ops.conv(f"{name}/conv2", y, filters, 3)
            if increase:
                x = ops.pad_channels(ops.avg_pool(x, 2), filters // 4)
            x = y + x
    x = ops.relu(ops.batch_norm("bn", x))
    return ops.fully_connected("linear", ops.global_avg_pool(x), 10)


def resnet(ops, x, blocks, bottleneck):
    x = ops.max_pool(conv_bn_relu(ops, "conv0", x, 64, 7, stride=2), 3)
    for group, count in enumerate(blocks):
        filters = 64 << group
        for block in range(count):
            name, stride = f"group{group}/block{block}", 2 if group > 0 and block == 0 else 1
            if bottleneck:
                y = conv_bn_relu(ops, f"{name}/conv1", x, filters, 1)
                y = conv_bn_relu(ops, f"{name}/conv2", y, filters, 3, stride=stride)
                y = conv_bn(ops, f"{name}/conv3", y, 4 * filters, 1)
            else:
                y = conv_bn_relu(ops, f"{name}/conv1", x, filters, 3, stride=stride)
                y = conv_bn(ops, f"{name}/conv2", y, filters, 3)
            if block == 0 and (bottleneck or group > 0):
                x = conv_bn(ops, f"{name}/shortcut", x, (4 if bottleneck else 1) * filters, 1, stride=stride)
            x = ops.relu(y + x)
    return ops.fully_connected("linear", ops.global_avg_pool(x), 1000)


def resnet18(ops, x):
    return resnet(ops, x, (2, 2, 2, 2), bottleneck=False)


def resnet50(ops, x):
    return resnet(ops, x, (3, 4, 6, 3), bottleneck=True)


def mobilenet_v2(ops, x):
    x = ops.relu6(conv_bn(ops, "conv0", x, 32, 3, stride=2))
    channels, index = 32, 0
    for expansion, filters, count, first_stride in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(count):
            name, stride, wide = f"block{index}", first_stride if block == 0 else 1, channels * expansion
            y = x if expansion == 1 else ops.relu6(conv_bn(ops, f"{name}/expand", x, wide, 1))
            y = ops.relu6(conv_bn(ops, f"{name}/depthwise", y, wide, 3, stride=stride, groups=wide))
            y = conv_bn(ops, f"{name}/project", y, filters, 1)
            x = y + x if stride == 1 and channels == filters else y
            channels, index = filters, index + 1
    x = ops.relu6(conv_bn(ops, "conv1", x, 1280, 1))
    return ops.fully_connected("linear", ops.global_avg_pool(x), 1000)


def vgg16(ops, x):
    for stage, (count, filters) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for i in range(1, count + 1):
            x = ops.relu(ops.conv(f"conv{stage}_{i}", x, filters, 3, bias=True))
        x = ops.max_pool(x, 2)
    for name in ("fc6", "fc7"):
        x = ops.relu(ops.fully_connected(name, x, 4096))
    return ops.fully_connected("fc8", x, 1000)


def transformer(ops, x):
    """Post-norm encoder, from embeddings to the states of its last layer."""
    for layer in range(4):
        name = f"layer{layer}"
        y = ops.attention(ops.fully_connected(f"{name}/qkv", x, 3 * 256), heads=4)
        x = ops.layer_norm(f"{name}/norm1", x + ops.fully_connected(f"{name}/out", y, 256))
        y = ops.gelu(ops.fully_connected(f"{name}/ff1", x, 1024))
        x = ops.layer_norm(f"{name}/norm2", x + ops.fully_connected(f"{name}/ff2", y, 256))
    return x


# `shape`: of one sample, channels last.
Net = collections.namedtuple("Net", "function shape batches")
NETS = {
    "mnist": Net(mnist, (28, 28, 1), (1, 128)),
    "cifar": Net(cifar, (32, 32, 3), (1, 128)),
    "resnet18": Net(resnet18, (224, 224, 3), (1, 32)),
    "resnet50": Net(resnet50, (224, 224, 3), (1, 32)),
    "mobilenet_v2": Net(mobilenet_v2, (224, 224, 3), (1, 32)),
    "vgg16": Net(vgg16, (224, 224, 3), (1,)),
    "transformer": Net(transformer, (128, 256), (1, 16)),
}
