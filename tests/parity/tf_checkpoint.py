"""TensorFlow's side of the checkpoint tests.

    tf_checkpoint.py write FOLDER           checkpoints that TensorFlow wrote, and FOLDER/manifest
    tf_checkpoint.py verify PREFIX MANIFEST  reads a checkpoint that Belfry wrote, in TensorFlow's two ways

A manifest has one line for each tensor: checkpoint, name, dtype, sizes, and the elements' bytes in hexadecimal,
between tabs.
"""

import os
import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1

DTYPES = [
    tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16,
    tf.uint32, tf.uint64, tf.bool, tf.complex64, tf.complex128
]
SHAPES = {"scalar": [], "vector": [13], "matrix": [3, 5], "empty": [0], "empty_matrix": [4, 0, 2], "kernel": [3, 3, 2, 4]}


def random_array(rng, dtype, shape):
    """Any bit pattern that is a value: NaNs and infinities too, for the floating point types."""
    numpy_type = np.dtype(dtype.as_numpy_dtype)
    count = int(np.prod(shape, dtype=np.int64))
    if dtype == tf.bool:
        return rng.integers(0, 2, shape).astype(bool)
    return np.frombuffer(rng.bytes(count * numpy_type.itemsize), numpy_type).reshape(shape)


def manifest_line(checkpoint, name, dtype, array):
    return "\t".join([checkpoint, name, dtype.name, ",".join(map(str, array.shape)), array.tobytes().hex()])


def save_all_dtypes(folder, rng):
    tensors = {}
    for dtype in DTYPES:
        for shape_name, shape in SHAPES.items():
            tensors[f"{dtype.name}/{shape_name}"] = (dtype, random_array(rng, dtype, shape))
    names = sorted(tensors)
    tf.raw_ops.SaveV2(
        prefix=os.path.join(folder, "dtypes"), tensor_names=names, shape_and_slices=[""] * len(names),
        tensors=[tf.constant(tensors[name][1], tensors[name][0]) for name in names])
    return [manifest_line("dtypes", name, *tensors[name]) for name in names]


def save_partitioned(folder, rng):
    """Variables in three parts by row and in four by column, as TensorFlow's partitioners make, beside a plain one."""
    values = {
        "rows": rng.standard_normal([10, 3]).astype("f"),
        "columns": rng.standard_normal([2, 9]).astype("f"),
        "plain": rng.standard_normal([7]).astype("f")
    }
    parts = [("plain", "", values["plain"])]
    for begin, end in [(0, 4), (4, 7), (7, 10)]:
        parts.append(("rows", f"10 3 {begin},{end - begin}:-", values["rows"][begin:end]))
    for begin, end in [(0, 3), (3, 5), (5, 7), (7, 9)]:
        parts.append(("columns", f"2 9 -:{begin},{end - begin}", values["columns"][:, begin:end]))
    names, slices, tensors = zip(*parts)
    tf.raw_ops.SaveV2(prefix=os.path.join(folder, "partitioned"), tensor_names=names, shape_and_slices=slices,
                      tensors=tensors)
    return [manifest_line("partitioned", name, tf.float32, value) for name, value in values.items()]


def save_shards(folder, rng):
    parts = []
    lines = []
    for i in range(3):
        name, value = f"part{i}/W", rng.standard_normal([i + 1, 4]).astype("f")
        parts.append(os.path.join(folder, f"part{i}"))
        tf.raw_ops.SaveV2(prefix=parts[-1], tensor_names=[name], shape_and_slices=[""], tensors=[value])
        lines.append(manifest_line("shards", name, tf.float32, value))
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=os.path.join(folder, "shards"))
    return lines


def write(folder):
    rng = np.random.default_rng(1)
    lines = save_all_dtypes(folder, rng) + save_partitioned(folder, rng) + save_shards(folder, rng)
    with open(os.path.join(folder, "manifest"), "w") as f:
        f.write("\n".join(lines) + "\n")


def verify(prefix, manifest):
    with open(manifest) as f:
        expected = {}
        for line in f.read().splitlines():
            _, name, dtype, sizes, data = line.split("\t")
            expected[name] = (tf.as_dtype(dtype), [int(s) for s in sizes.split(",") if s], bytes.fromhex(data))

    def check(name, array, how):
        dtype, shape, data = expected[name]
        assert array.dtype == dtype.as_numpy_dtype, (how, name, array.dtype, dtype)
        assert list(array.shape) == shape, (how, name, array.shape, shape)
        assert array.tobytes() == data, (how, name)

    reader = tf.train.load_checkpoint(prefix)
    assert set(reader.get_variable_to_shape_map()) == set(expected)
    for name in expected:
        check(name, np.asarray(reader.get_tensor(name)), "load_checkpoint")

    with tf.Graph().as_default(), tf1.Session() as session:
        variables = {
            name: tf1.get_variable(name, shape, dtype, initializer=tf1.zeros_initializer(), use_resource=True)
            for name, (dtype, shape, _) in expected.items()
        }
        tf1.train.Saver(variables).restore(session, prefix)
        for name, variable in variables.items():
            check(name, session.run(variable.read_value()), "Saver")
    print("ok", len(expected))


if __name__ == "__main__":
    {"write": write, "verify": verify}[sys.argv[1]](*sys.argv[2:])
