"""TensorFlow's counterparts of the operators of neural networks; what it has no CPU kernel for is written out."""
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def pair(value):
    return list(value) if isinstance(value, (list, tuple)) else [value, value]


def in_nhwc(function):
    """TensorFlow's CPU kernels know NHWC only: the first input and output are transposed for NCHW."""
    def call(x, a):
        if a.get("data_format") != "NCHW" or x[0].shape.rank != 4:
            return function(x, a)
        results = function([tf.transpose(x[0], [0, 2, 3, 1])] + list(x[1:]), a)
        if isinstance(results, list):
            return [tf.transpose(results[0], [0, 3, 1, 2])] + results[1:]
        return tf.transpose(results, [0, 3, 1, 2])
    return call


def check_window(image, window, padding):
    """TensorFlow ends the process on some windows that are larger than the image."""
    if padding == "VALID" and (image.shape[1] < window[0] or image.shape[2] < window[1]):
        raise ValueError("the window is larger than the image")


def padded_for_same(x, window, strides):
    pads = []
    for size, extent, stride in zip(x.shape[1:3], window, strides):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        pads.append([total // 2, total - total // 2])
    return tf.pad(x, [[0, 0]] + pads + [[0, 0]])


def convolution_by_definition(x, filters, strides, padding, dilations):
    kernel = filters.shape[:2]
    window = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    if padding == "SAME":
        x = padded_for_same(x, window, strides)
    sizes = [(size - extent) // stride + 1 for size, extent, stride in zip(x.shape[1:3], window, strides)]
    y = 0
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilations[0], j * dilations[1]
            piece = x[:, top:top + (sizes[0] - 1) * strides[0] + 1:strides[0], left:left + (sizes[1] - 1) * strides[1] + 1:strides[1]]
            y = y + tf.tensordot(piece, filters[i, j], 1)
    return y


def convolution(x, filters, strides, padding, dilations, groups):
    window = [(k - 1) * d + 1 for k, d in zip(filters.shape[:2], dilations)]
    check_window(x, window, padding)
    # TensorFlow has no gradients of dilated convolutions on the CPU, nor both dilations and strides.
    plain = max(dilations) == 1
    one = (lambda i, f: tf.nn.conv2d(i, f, strides, padding, dilations=dilations)) if plain and x.shape[0] else (
        lambda i, f: convolution_by_definition(i, f, strides, padding, dilations))
    if groups == 1:
        return one(x, filters)
    return tf.concat([one(i, f) for i, f in zip(tf.split(x, groups, 3), tf.split(filters, groups, 3))], 3)


def options(a):
    return pair(a.get("strides", 1)), a.get("padding", "SAME"), pair(a.get("dilations", 1))


def conv2d(x, a):
    y = convolution(x[0], x[1], *options(a), a.get("groups", 1))
    return y + x[2] if len(x) > 2 else y


def depthwise(x, a):
    channels = x[0].shape[3]
    pieces = [convolution(x[0][..., c:c + 1], x[1][:, :, c:c + 1], *options(a), 1) for c in range(channels)]
    return tf.concat(pieces, 3)


def conv1d(x, a):
    return convolution(x[0][:, None], x[1][None], [1, a["stride"]], a["padding"], [1, a["dilation"]], 1)[:, 0]


def conv2d_transpose(x, a):
    strides, kernel = pair(a["strides"]), x[1].shape[:2]
    sizes = [size * stride + (max(k - stride, 0) if a["padding"] == "VALID" else 0)
             for size, stride, k in zip(x[0].shape[1:3], strides, kernel)]
    y = tf.nn.conv2d_transpose(x[0], x[1], [x[0].shape[0]] + sizes + [x[1].shape[2]], strides, a["padding"])
    return y + x[2] if len(x) > 2 else y


def pool(function):
    def call(x, a):
        window, padding = pair(a["pool"]), a.get("padding", "VALID")
        check_window(x[0], window, padding)
        return function(x[0], window, pair(a.get("strides", a["pool"])), padding)
    return in_nhwc(call)


def resize(x, a):
    function = v1.image.resize_nearest_neighbor if a["method"] == "nearest" else v1.image.resize_bilinear
    corners = {"align_corners": True} if a["align_corners"] else {"half_pixel_centers": True}
    return function(x[0], tf.cast(x[1], tf.int32) if len(x) > 1 else pair(a["size"]), **corners)


def bias_add(x, a):
    if a.get("data_format") == "NCHW":
        return x[0] + tf.reshape(x[1], [-1] + [1] * (x[0].shape.rank - 2))
    return x[0] + x[1]


def affine(x, a, first):
    scale = x[first] if a["scale"] else None
    offset = x[first + a["scale"]] if a["offset"] else None
    return offset, scale


def normalized(x, axes, a, offset=None, scale=None):
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, offset, scale, a["epsilon"]), mean, variance


def batch_norm_training(x, a):
    y, mean, variance = normalized(x[0], list(range(x[0].shape.rank - 1)), a, *affine(x, a, 1))
    mean, variance = tf.reshape(mean, [-1]), tf.reshape(variance, [-1])
    count = float(np.prod(x[0].shape[:-1]))
    if a["unbiased"]:
        variance = variance * tf.constant(count / max(count - 1, 1), variance.dtype)
    return [y, tf.stop_gradient(mean), tf.stop_gradient(variance)]


def batch_norm(x, a):
    return tf.nn.batch_normalization(x[0], x[1], x[2], *affine(x, a, 3), a["epsilon"])


def layer_norm(x, a):
    rank = x[0].shape.rank
    normalized_rank = x[1].shape.rank if len(x) > 1 else 1
    return normalized(x[0], list(range(rank - normalized_rank, rank)), a, *affine(x, a, 1))[0]


def group_norm(x, a):
    n, h, w, c = x[0].shape
    y = normalized(tf.reshape(x[0], [n, h, w, a["groups"], c // a["groups"]]), [1, 2, 4], a)[0]
    offset, scale = affine(x, a, 1)
    y = tf.reshape(y, x[0].shape)
    y = y if scale is None else y * scale
    return y if offset is None else y + offset


def attention(x, a):
    queries, keys, values = x[:3]
    scores = tf.matmul(queries, keys, transpose_b=True) * tf.cast(a.get("scale", 1 / np.sqrt(queries.shape[-1])), queries.dtype)
    hidden = tf.constant(-1e30, queries.dtype)
    if a["causal"]:
        scores = tf.where(tf.constant(np.tri(queries.shape[-2], keys.shape[-2]) > 0), scores, hidden)
    if len(x) > 3:
        scores = tf.where(x[3], scores, hidden) if x[3].dtype == tf.bool else scores + x[3]
    return tf.matmul(tf.nn.softmax(scores), values)


def huber(x, a):
    error = tf.abs(x[0] - x[1])
    small = tf.minimum(error, tf.constant(a["delta"], error.dtype))
    return 0.5 * small * small + a["delta"] * (error - small)


NN = {
    "softmax": lambda x, a: tf.nn.softmax(x[0], a["axis"]), "log_softmax": lambda x, a: tf.nn.log_softmax(x[0], a["axis"]),
    "l2_normalize": lambda x, a: tf.nn.l2_normalize(x[0], a["axis"], a["epsilon"]),
    "conv2d": in_nhwc(conv2d), "depthwise_conv2d": in_nhwc(depthwise), "conv1d": conv1d,
    "separable_conv2d": in_nhwc(lambda x, a: tf.nn.conv2d(depthwise(x, a), x[2], 1, "SAME")),
    "conv2d_transpose": in_nhwc(conv2d_transpose), "max_pool2d": pool(tf.nn.max_pool2d), "avg_pool2d": pool(tf.nn.avg_pool2d),
    "resize": in_nhwc(resize), "resize_to_tensor": in_nhwc(resize), "space_to_depth": in_nhwc(lambda x, a: tf.nn.space_to_depth(x[0], a["block"])),
    "depth_to_space": in_nhwc(lambda x, a: tf.nn.depth_to_space(x[0], a["block"])), "bias_add": bias_add,
    "batch_norm_training": in_nhwc(batch_norm_training), "batch_norm": in_nhwc(batch_norm), "layer_norm": layer_norm,
    "group_norm": in_nhwc(group_norm),
    "local_response_normalization": lambda x, a: tf.nn.lrn(x[0], a["radius"], a["bias"], a["alpha"], a["beta"]),
    "attention": attention, "in_top_k": lambda x, a: tf.math.in_top_k(x[1], x[0], a["k"]),
    "not_in_top_k": lambda x, a: tf.cast(~tf.math.in_top_k(x[1], x[0], a["k"]), tf.float32),
    "sparse_softmax_cross_entropy": lambda x, a: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=x[1], logits=x[0]),
    "softmax_cross_entropy": lambda x, a: tf.nn.softmax_cross_entropy_with_logits(labels=x[1], logits=x[0]),
    "sigmoid_cross_entropy": lambda x, a: tf.nn.sigmoid_cross_entropy_with_logits(labels=x[1], logits=x[0]),
    "weighted_cross_entropy_with_logits": lambda x, a: tf.nn.weighted_cross_entropy_with_logits(
        labels=x[1], logits=x[0], pos_weight=tf.constant(a["positive_weight"], x[0].dtype)),
    "mean_squared_error": lambda x, a: tf.reduce_mean(tf.square(x[0] - x[1])),
    "absolute_difference": lambda x, a: tf.reduce_mean(tf.abs(x[0] - x[1])), "huber_loss": huber,
    "psnr": lambda x, a: tf.math.log(tf.constant(a["max"], x[0].dtype) ** 2 / tf.reduce_mean(tf.square(x[0] - x[1]))) * (10 / np.log(10.0)),
}
