"""Writes what TensorFlow gives for the cases of op_cases.cpp.

    python3 tests/ops/op_baseline.py inputs.npz expected.npz

Inputs are "<case>/<i>", and outputs are written under such names. A case is the name of a function with its number among
the cases of that function: the lists below are in the order of op_cases.cpp.
"""
import os
import sys
from collections import defaultdict

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def nchw(function):
    """`function` of an NHWC image, for one in NCHW: TensorFlow has few NCHW kernels for the CPU."""
    return lambda x, *rest: tf.transpose(function(tf.transpose(x, [0, 2, 3, 1]), *rest), [0, 3, 1, 2])


def grouped_conv(x, f, b, padding):
    parts = zip(tf.split(x, 2, 3), tf.split(f, 2, 3))
    return tf.concat([tf.nn.conv2d(a, c, [2, 1], padding) for a, c in parts], 3) + b


def transposed_conv(strides, padding):
    def run(x, f, *b):
        kernel, out = f.shape[:2], f.shape[2]
        layer = tf.keras.layers.Conv2DTranspose(out, kernel, strides, padding.lower(), use_bias=False, dtype="float64")
        layer.build(x.shape)
        layer.set_weights([f.numpy()])
        return tf.add_n([layer(x)] + [tf.broadcast_to(c, layer(x).shape) for c in b])
    return run


def strided_slices(x, ends):
    return [
        tf.strided_slice(x, ends - [2, 4], ends - 1, [1, 2]),
        tf.strided_slice(x, ends, -ends, [-1, -2]),
        tf.strided_slice(x, -ends - 1, -ends - 3, [-1, -1]),
        tf.strided_slice(x, [0], ends[1:] - 2, [1]),
    ]


def reductions(function):
    return [lambda x: [function(x), function(x, -1), function(x, [0, 2], keepdims=True)]]


def normalized(axes, x, scale=None, offset=None):
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-5)


def group_norm(x, scale, offset):
    n, h, w, c = x.shape
    y = normalized([1, 2, 4], tf.reshape(x, [n, h, w, 2, c // 2]))
    return tf.reshape(y, x.shape) * scale + offset


def attention(q, k, v, scale=0.5, mask=0.0):
    return tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * scale + mask), v)


def causal_attention(q, k, v):
    return attention(q, k, v, 0.3, (1 - np.tri(3)) * -1e30)


def floats(x):
    return tf.cast(x, tf.float32)


def turned(x, lengths, reverse):
    return tf.reverse_sequence(x, lengths, seq_axis=0, batch_axis=1) if reverse else x


def last(x, lengths, first):
    """The state of each sequence after its last step."""
    states = tf.concat([floats(first)[None], x], 0)
    return tf.stack([states[n, i] for i, n in enumerate(np.asarray(lengths))])


def in_time(x, lengths):
    return x * tf.transpose(tf.sequence_mask(lengths, len(x), tf.float32))[:, :, None]


def lstm(x, w, b, cell, output, lengths, forget_bias, reverse):
    none = tf.zeros(2)
    y = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.constant(3, tf.int64), x=turned(floats(x), lengths, reverse), cs_prev=floats(cell), b=floats(b),
        h_prev=floats(output), w=floats(w), wci=none, wcf=none, wco=none, forget_bias=forget_bias, cell_clip=-1.0)
    return [in_time(turned(y.h, lengths, reverse), lengths), last(y.cs, lengths, cell), last(y.h, lengths, output)]


def gru(x, w, b, w_c, b_c, first, lengths, reverse):
    state, states = floats(first), []
    for step in turned(floats(x), lengths, reverse):
        state = tf.raw_ops.GRUBlockCell(x=step, h_prev=state, w_ru=floats(w), w_c=floats(w_c), b_ru=floats(b),
                                        b_c=floats(b_c)).h
        states.append(state)
    y = tf.stack(states)
    return [in_time(turned(y, lengths, reverse), lengths), last(y, lengths, first)]


def sparse(x, lengths):
    rows, columns = np.nonzero(tf.sequence_mask(lengths, x.shape[1]))
    indices = np.stack([rows, columns], 1)
    return tf.SparseTensor(indices, tf.gather_nd(x, indices), x.shape)


def decoded(paths, score, sign):
    dense = tf.sparse.to_dense(paths[0], -1)
    return [dense, tf.reduce_sum(tf.cast(dense >= 0, tf.int64), 1), score[:, 0]]


def between(x):
    return tf.concat([x, x + tf.abs(x) + 0.5], -1)


def centre_and_size(boxes):
    low, high = tf.split(boxes, 2, -1)
    return (low + high) / 2, high - low


def encoded(boxes, anchors):
    (centre, size), (anchor, unit) = centre_and_size(boxes), centre_and_size(anchors)
    return tf.concat([(centre - anchor) / unit, tf.math.log(size / unit)], -1)


def restored(x, anchors, most):
    (anchor, unit), (shift, growth) = centre_and_size(anchors), tf.split(x, 2, -1)
    centre, size = anchor + shift * unit, unit * tf.minimum(tf.exp(growth), most / 16)
    return tf.concat([centre - size / 2, centre + size / 2], -1)


def iou(a, b):
    result = np.zeros([len(a), len(b)])
    for i, p in enumerate(np.asarray(a)):
        for j, q in enumerate(np.asarray(b)):
            common = np.prod(np.maximum(np.minimum(p[2:], q[2:]) - np.maximum(p[:2], q[:2]), 0))
            result[i, j] = common / (np.prod(p[2:] - p[:2]) + np.prod(q[2:] - q[:2]) - common)
    return result


def roi_align(x, boxes, which, rows, columns):
    """2 x 2 samples in each part of a box, by TensorFlow's bilinear sampling of an image with its border repeated."""
    image = tf.pad(floats(x), [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    height, width = image.shape[1] - 1, image.shape[2] - 1
    corners = []
    for x1, y1, x2, y2 in np.asarray(boxes) + 1:
        down, right = (y2 - y1) / (2 * rows), (x2 - x1) / (2 * columns)
        corners.append([(y1 + down / 2 - 0.5) / height, (x1 + right / 2 - 0.5) / width,
                        (y2 - down / 2 - 0.5) / height, (x2 - right / 2 - 0.5) / width])
    samples = tf.image.crop_and_resize(image, np.float32(corners), tf.cast(which, tf.int32), [2 * rows, 2 * columns])
    return tf.nn.avg_pool2d(samples, 2, 2, "VALID")


def sort_all(function):
    return [lambda x: [function(x), function(x, axis=0, direction="DESCENDING")]]


CASES = {
    "operator_plus": [lambda x, y: [x + y, x + 2, 1.5 + x]],
    "operator_minus": [lambda x, y: [x - y, x - 2, 1.5 - x, -x]],
    "operator_times": [lambda x, y: [x * y, x * 2, 1.5 * x]],
    "operator_over": [lambda x, y: [x / y, x / 2, 1.5 / x]],
    "operator_plus_equal": [lambda x, y: x + y + 2],
    "operator_minus_equal": [lambda x, y: x - y - 2],
    "operator_times_equal": [lambda x, y: x * y * 2],
    "operator_over_equal": [lambda x, y: x / y / 2],
    "operator_less": [lambda x, y: [x < y, x < 0.5, 0.5 < x]],
    "operator_less_equal": [lambda x, y: [x <= y, x <= 0.5, 0.5 <= x]],
    "operator_greater": [lambda x, y: [x > y, x > 0.5, 0.5 > x]],
    "operator_greater_equal": [lambda x, y: [x >= y, x >= 0.5, 0.5 >= x]],
    "less": [lambda x, y: x < y, lambda x: x < 0.5],
    "less_equal": [lambda x, y: x <= y, lambda x: x <= 0.5],
    "greater": [lambda x, y: x > y, lambda x: x > 0.5],
    "greater_equal": [lambda x, y: x >= y, lambda x: x >= 0.5],
    "equal": [tf.equal, lambda x: tf.equal(x, 0.5)],
    "not_equal": [tf.not_equal, lambda x: tf.not_equal(x, 0.5)],
    "pow": [lambda x, y: [tf.pow(x, y), tf.pow(x, 3), tf.pow(tf.constant(1.5, tf.float64), y)]],
    "floor_div": [lambda x, y: [tf.math.floordiv(x, y), tf.math.floordiv(x, 0.4)]],
    "floor_mod": [lambda x, y: [tf.math.floormod(x, y), tf.math.floormod(x, 0.4)]],
    "maximum": [tf.maximum] * 2 + [lambda x: tf.maximum(x, 0.3)],
    "minimum": [tf.minimum] * 2 + [lambda x: tf.minimum(x, 0.3)],
    "add_n": [lambda *x: tf.add_n(x)],
    "clip_by_value": [lambda x: tf.clip_by_value(x, -0.5, 0.6)],
    "clip_by_norm": [lambda x: [tf.clip_by_norm(x, 0.7), tf.clip_by_norm(x, 70)]],
    "global_norm": [lambda *x: tf.linalg.global_norm(x)],
    "clip_by_global_norm": [lambda *x: [*tf.clip_by_global_norm(x, 0.7)[0], tf.linalg.global_norm(x)]],
    "matmul": [tf.matmul, lambda x, y: tf.matmul(x, tf.transpose(y))],
    "einsum": [lambda x, y: tf.einsum("bij,bjk->bik", x, y)],
    "tensordot": [lambda x, y: [tf.tensordot(x, y, 2), tf.tensordot(x, y, [[2, 1], [1, 0]])]],
    "cumsum": [lambda x: tf.cumsum(x, 1), lambda x: tf.cumsum(tf.cast(x, tf.int32), 0)],
    "cumprod": [lambda x: tf.math.cumprod(x, 1)],
    "cast": [lambda x: x, lambda x: [tf.cast(x, tf.int32), tf.cast(x, tf.float32)]],
    "asin": [lambda x: tf.asin(x * 0.8)],
    "acos": [lambda x: tf.acos(x * 0.8)],
    "acosh": [lambda x: tf.acosh(x + 1.0)],
    "atanh": [lambda x: tf.atanh(x * 0.8)],
    "atan2": [tf.atan2],
    "sum": reductions(tf.reduce_sum) + [lambda x: tf.reduce_sum(tf.cast(x * 9, tf.int32), 0)],
    "mean": reductions(tf.reduce_mean),
    "max": reductions(tf.reduce_max),
    "min": reductions(tf.reduce_min),
    "prod": reductions(tf.reduce_prod) + [lambda x: tf.reduce_prod(tf.cast(x * 9, tf.int32), 0)],
    "logsumexp": reductions(tf.reduce_logsumexp),
    "variance": reductions(tf.math.reduce_variance),
    "stddev": reductions(tf.math.reduce_std),
    "norm": reductions(lambda x, axis=None, **keep: tf.norm(x, axis=axis, **keep)),
    "any": reductions(tf.reduce_any),
    "all": reductions(tf.reduce_all),
    "moments": [lambda x: tf.nn.moments(x, [0, 1])],
    "argmax": [lambda x: [tf.argmax(x, -1), tf.argmax(tf.round(x), -1)]],
    "argmin": [lambda x: [tf.argmin(x, 0), tf.argmin(tf.round(x), 0)]],
    "reshape": [lambda x: tf.reshape(x, [-1, 2]), lambda x: tf.reshape(x, [4, 3])],
    "batch_flatten": [lambda x: tf.reshape(x, [3, -1])],
    "transpose": [lambda x: tf.transpose(x, [2, 0, 1])],
    "expand_dims": [lambda x: tf.expand_dims(x, -1)],
    "squeeze": [lambda x: tf.squeeze(x, 1), tf.squeeze],
    "broadcast_to": [lambda x: tf.broadcast_to(x, [3, 2, 4])],
    "tile": [lambda x: tf.tile(x, [2, 3])],
    "concat": [lambda *x: tf.concat(x, 1)],
    "stack": [lambda *x: tf.stack(x, 1)],
    "split": [lambda x: tf.split(x, 2, 1), lambda x: tf.split(x, [1, 3], 1)],
    "unstack": [lambda x: tf.unstack(x, axis=1)],
    "slice": [
        lambda x: tf.slice(x, [0, 1], [-1, 2]),
        lambda x: [tf.slice(x, tf.shape(x) - [2, 3], [-1, 2]), tf.slice(x, [1, 0], tf.shape(x) - [2, 3])],
        lambda x: tf.slice(x, tf.shape(x) - [2, 4], [2, 3]),
    ],
    "strided_slice": [
        lambda x: [x[::-1, 3:0:-2], x[-2:9:1], x[2:0:-1, ::3]],
        lambda x: strided_slices(x, tf.shape(x)),
    ],
    "select": [lambda x: x[:, 2]],
    "gather": [lambda x, i: tf.gather(x, i, axis=1)],
    "gather_nd": [tf.gather_nd, tf.gather_nd],
    "scatter_nd": [lambda i, x: tf.scatter_nd(i, x, [4, 2])],
    "embedding_lookup": [tf.nn.embedding_lookup],
    "boolean_mask": [tf.boolean_mask],
    "where": [tf.where, lambda c, x: [tf.where(c, x, 2), tf.where(c, 2, x)], tf.where],
    "reverse": [lambda x: tf.reverse(x, [0, 1])],
    "pad": [
        lambda x: tf.pad(x, [[1, 2], [0, 3]], constant_values=2),
        lambda x: tf.pad(x, [[1, 2], [0, 3]], "REFLECT"),
        lambda x: tf.pad(x, [[1, 2], [0, 3]], "SYMMETRIC"),
        lambda x: tf.pad(x, [[len(x) - 2, 2], [0, len(x)]], constant_values=2),
        lambda x: tf.pad(x, [[len(x) - 2, 2], [0, len(x)]], "REFLECT"),
        lambda x: tf.pad(x, [[len(x) - 2, 2], [0, len(x)]], "SYMMETRIC"),
    ],
    "topk": [lambda x: tf.math.top_k(x, 2), lambda x: tf.math.top_k(x, tf.shape(x)[0] - 1)],
    "sort": sort_all(tf.sort),
    "argsort": sort_all(lambda x, **options: tf.argsort(tf.round(x), stable=True, **options)),
    "one_hot": [lambda i: tf.one_hot(i, 5), lambda i: tf.one_hot(i, tf.shape(i)[0] + 2)],
    "sequence_mask": [lambda i: [tf.sequence_mask(i, 5), tf.sequence_mask(i, 5, tf.float32)]],
    "zeros": [lambda: tf.zeros([2, 3]), lambda x: tf.zeros(tf.shape(x))],
    "ones": [lambda: tf.ones([2, 3], tf.int32), lambda x: tf.ones(tf.shape(x))],
    "fill": [lambda: tf.fill([2, 3], 1.5), lambda x: tf.fill(tf.shape(x), 1.5)],
    "range": [lambda: [tf.range(1, 10, 3), tf.range(5, 0, -2), tf.range(0.0, 1.0, 0.3)], lambda x: tf.range(tf.size(x))],
    "linspace": [lambda: tf.linspace(-1.0, 2.0, 7)],
    "eye": [lambda: tf.eye(2, 3)],
    "diag": [tf.linalg.diag],
    "diag_part": [tf.linalg.diag_part],
    "constant": [lambda: 1.5, lambda: np.array([[1, 2], [3, 4]])],
    "conv2d": [
        lambda x, f, b: grouped_conv(x, f, b, "SAME"),
        nchw(lambda x, f: tf.nn.conv2d(x, f, 1, "SAME", dilations=2)),
        lambda x, f, b: grouped_conv(x, f, b, "VALID"),
        nchw(lambda x, f: tf.nn.conv2d(x, f, 1, "VALID", dilations=2)),
    ],
    "depthwise_conv2d": [
        lambda x, f: tf.nn.depthwise_conv2d(x, f, [1, 2, 2, 1], "SAME"),
        lambda x, f: tf.nn.depthwise_conv2d(x, f, [1, 2, 2, 1], "VALID"),
    ],
    "separable_conv2d": [
        lambda x, d, p: tf.nn.separable_conv2d(x, d, p, [1, 2, 2, 1], "SAME"),
        lambda x, d, p: tf.nn.separable_conv2d(x, d, p, [1, 2, 2, 1], "VALID"),
    ],
    "conv1d": [lambda x, f: tf.nn.conv1d(x, f, 2, "SAME"), lambda x, f: tf.nn.conv1d(x, f, 2, "VALID")],
    "conv2d_transpose": [
        transposed_conv([2, 2], "SAME"),
        transposed_conv([3, 2], "SAME"),
        transposed_conv([2, 2], "VALID"),
        transposed_conv([3, 2], "VALID"),
    ],
    "max_pool2d": [lambda x, p=p, k=k, s=s: tf.nn.max_pool2d(x, k, s, p)
                   for p in ["SAME", "VALID"] for k in [[2, 2], [3, 2]] for s in [1, 2]],
    "avg_pool2d": [lambda x, p=p, k=k, s=s: tf.nn.avg_pool2d(x, k, s, p)
                   for p in ["SAME", "VALID"] for k in [[2, 2], [3, 2]] for s in [1, 2]],
    "resize": [
        lambda x: tf.image.resize(x, [5, 7]),
        lambda x: v1.image.resize_bilinear(x, [5, 7], align_corners=True),
        lambda x: tf.image.resize(x, [5, 7], "nearest"),
        lambda x: v1.image.resize_nearest_neighbor(x, [5, 7], align_corners=True),
        lambda x: v1.image.resize_nearest_neighbor(x, [5, 7]),
        lambda x: v1.image.resize_bilinear(x, [5, 7]),
        lambda x: tf.image.resize(x, [6, 8], "bicubic"),
        lambda x: v1.image.resize_bicubic(x, [5, 7], align_corners=True),
        lambda x: v1.image.resize_bicubic(x, [6, 8]),
        *[lambda x, m=m: [tf.image.resize(x, tf.shape(x)[1:3] * 2, m), tf.image.resize(x, [6, tf.shape(x)[2] * 4], m)]
          for m in ["bilinear", "nearest", "bicubic"]],
    ],
    "lstm": [lambda x, w, b: lstm(x, w, b, tf.zeros([2, 2]), tf.zeros([2, 2]), [3, 3], 1.0, False)]
            + [lambda *all, r=r: lstm(*all, 0.5, r) for r in [False, True]],
    "gru": [lambda *all: gru(*all, tf.zeros([2, 2]), [3, 3], False)]
           + [lambda *all, r=r: gru(*all, r) for r in [False, True]],
    "ctc_loss": [lambda x, labels, n: tf.nn.ctc_loss(labels, floats(x), n, [5, 5], blank_index=-1)] * 2,
    "ctc_greedy_decoder": [lambda x, n, m=m: decoded(*tf.nn.ctc_greedy_decoder(floats(x), tf.cast(n, tf.int32), m), -1)
                           for m in [True, False]],
    "ctc_beam_search_decoder": [
        lambda x, n, m=m: decoded(*v1.nn.ctc_beam_search_decoder(floats(x), tf.cast(n, tf.int32), 4, 1, m), 1)
        for m in [True, False]],
    "edit_distance": [lambda x, n, y, m, r=r: tf.edit_distance(sparse(x, n), sparse(y, tf.maximum(m, 1)), r)
                      for r in [True, False]],
    "non_max_suppression": [
        lambda x, s: tf.image.non_max_suppression(floats(x), floats(s), 4, 0.3, -0.5),
        # Classes are as far apart as no box reaches.
        lambda x, s, c: tf.image.non_max_suppression(floats(x + 100 * tf.cast(c, x.dtype)[:, None]), floats(s), 6, 0.1),
    ],
    "combined_non_max_suppression": [lambda x, s: list(tf.image.combined_non_max_suppression(
        floats(x), floats(s), 2, 8, 0.2, 0.1, pad_per_class=True, clip_boxes=False))] * 2,
    "crop_and_resize": [lambda x, boxes, n, m=m: tf.image.crop_and_resize(
        floats(x), floats(boxes), tf.cast(n, tf.int32), [3, 2], m, 0.5) for m in ["bilinear", "nearest"]],
    "roi_align": [lambda x, boxes, n: roi_align(x, boxes * 3 + 1, n, 2, 3)],
    "encode_bbox_target": [lambda x, a: encoded(between(x), between(a))],
    "decode_bbox_target": [lambda x, a: restored(x, between(a), 20)],
    "clip_boxes": [lambda x: tf.clip_by_value(x, tf.zeros(4, x.dtype), tf.constant([0.4, 0.7] * 2, x.dtype))],
    "pairwise_iou": [lambda x, y: iou(between(x), between(y))],
    "space_to_depth": [lambda x: tf.nn.space_to_depth(x, 2), nchw(lambda x: tf.nn.space_to_depth(x, 2))],
    "depth_to_space": [lambda x: tf.nn.depth_to_space(x, 2), nchw(lambda x: tf.nn.depth_to_space(x, 2))],
    "bias_add": [tf.nn.bias_add, nchw(tf.nn.bias_add)],
    "batch_norm_training": [
        lambda *x: normalized([0, 1, 2], *x),
        nchw(lambda *x: normalized([0, 1, 2], *x)),
        lambda *x: normalized([0], *x),
    ],
    "batch_norm": [lambda x, mean, variance, scale, offset:
                   tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-5)],
    "layer_norm": [lambda *x: normalized([-1], *x)] * 2,
    "group_norm": [group_norm],
    "local_response_normalization": [
        lambda x: tf.nn.lrn(tf.cast(x, tf.float32)),
        lambda x: tf.nn.lrn(tf.cast(x, tf.float32), 1, 2, 0.3, 0.75),
    ],
    "l2_normalize": [lambda x: tf.nn.l2_normalize(x, 1)],
    "softmax": [tf.nn.softmax],
    "log_softmax": [lambda x: tf.nn.log_softmax(x, 0)],
    "leaky_relu": [lambda x: tf.nn.leaky_relu(x, 0.2)],
    "prelu": [lambda x, alpha: tf.maximum(x, 0) + alpha * tf.minimum(x, 0)],
    "gelu": [lambda x: tf.nn.gelu(x, approximate=False)],
    "gelu_tanh": [lambda x: tf.nn.gelu(x, approximate=True)],
    "hardswish": [lambda x: x * tf.nn.relu6(x + 3) / 6],
    "scaled_dot_product_attention": [attention, causal_attention],
    "sparse_softmax_cross_entropy": [
        lambda x, labels: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=x)],
    "softmax_cross_entropy": [lambda x, labels: tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=x)],
    "sigmoid_cross_entropy": [lambda x, labels: tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=x)],
    "weighted_cross_entropy_with_logits": [
        lambda x, labels: tf.nn.weighted_cross_entropy_with_logits(labels=labels, logits=x, pos_weight=1.7)],
    "mean_squared_error": [lambda x, labels: v1.losses.mean_squared_error(labels, x)],
    "absolute_difference": [lambda x, labels: v1.losses.absolute_difference(labels, x)],
    "psnr": [lambda x, y: tf.image.psnr(x, y, 255)],
    "huber_loss": [lambda x, labels: v1.losses.huber_loss(labels, x, delta=0.5, reduction="none")],
    "in_top_k": [
        lambda x, labels: tf.math.in_top_k(labels, tf.cast(x, tf.float32), 2),
        lambda x, labels: tf.math.in_top_k(labels, tf.round(tf.cast(x * 2, tf.float32)), 1),
        lambda x, labels: tf.math.in_top_k(labels, tf.cast(x, tf.float32), tf.shape(x, tf.int64)[0] - 1),
    ],
    "not_in_top_k": [lambda x, labels: not_in_top_2(x, labels)] * 2,
}


def not_in_top_2(x, labels):
    return tf.cast(tf.logical_not(tf.math.in_top_k(labels, tf.cast(x, tf.float32), 2)), tf.float32)


SAME_NAME = {
    tf: ["abs", "exp", "square", "sin", "cos", "tan", "atan", "sinh", "cosh", "asinh", "sigmoid", "tanh", "identity", "sign",
         "floor", "round", "zeros_like", "ones_like", "shape", "size", "stop_gradient", "sqrt", "logical_not",
         "logical_and", "logical_or"],
    tf.math: ["expm1", "erf", "reciprocal", "log", "log1p", "rsqrt", "ceil", "is_nan", "is_inf", "is_finite",
              "log_sigmoid", "logical_xor"],
    tf.nn: ["relu", "relu6", "silu", "elu", "selu", "softplus", "softsign", "l2_loss"],
}
SAME_NAME_TWICE = {tf: ["add", "subtract", "multiply", "divide"], tf.math: ["squared_difference"]}
for times, table in [(1, SAME_NAME), (2, SAME_NAME_TWICE)]:
    for module, names in table.items():
        CASES.update({name: [getattr(module, name)] * times for name in names})
CASES["neg"] = [tf.negative]


def main():
    inputs = defaultdict(dict)
    for key, value in np.load(sys.argv[1]).items():
        case, index = key.split("/")
        inputs[case][int(index)] = tf.constant(value)
    outputs = {}
    for function, numbered in CASES.items():
        for number, run in enumerate(numbered):
            case = "%s_%d" % (function, number)
            results = run(*[value for _, value in sorted(inputs[case].items())])
            results = results if isinstance(results, (list, tuple)) else [results]
            outputs.update({"%s/%d" % (case, i): np.asarray(r) for i, r in enumerate(results)})
    np.savez(sys.argv[2], **outputs)


main()
