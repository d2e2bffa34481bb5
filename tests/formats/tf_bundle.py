"""Checkpoints written and read by real TensorFlow.

tf_bundle.py write DIR          writes the checkpoints below into DIR, and DIR/raw/<tensor> with each tensor's bytes
tf_bundle.py read DIR PREFIX    reads the checkpoint that Belfry wrote and prints one line per tensor: name, dtype,
                                shape, hex of its bytes
Together, so that one start of TensorFlow serves a test: tf_bundle.py write DIR read DIR PREFIX
"""
import os
import sys

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
v1.disable_eager_execution()


def tensors():
    """Of every type that is stored as plain bytes; shapes with a scalar, an empty one, a 1-D and a 3-D one."""
    for dtype in ['float32', 'float64', 'float16', 'bfloat16', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16',
                  'uint32', 'uint64', 'bool', 'complex64', 'complex128']:
        numpy_type = tf.dtypes.as_dtype(dtype).as_numpy_dtype
        for name, shape in [('scalar', []), ('empty', [0, 3]), ('vector', [5]), ('cube', [2, 3, 4])]:
            values = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape) + 1
            if dtype.startswith('complex'):
                values = values * (1 - 2j)
            yield dtype + '/' + name, values.astype(numpy_type)


def save(prefix, named, slices=None):
    with tf.Graph().as_default(), v1.Session() as session:
        names = sorted(named)
        v = [tf.constant(named[n]) for n in names]
        session.run(tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=slices or [''] * len(v),
                                      tensors=v))


def write(folder):
    os.makedirs(folder + '/raw', exist_ok=True)
    named = dict(tensors())
    for name, value in named.items():
        with open(folder + '/raw/' + name.replace('/', '.'), 'wb') as f:
            f.write(np.asarray(value).tobytes())
    save(folder + '/types', named)
    save(folder + '/strings', {'words': np.array([['ab', ''], ['x' * 300, 'z\0y']], dtype=object),
                               'none': np.zeros([0], dtype=object), 'word': np.array('one', dtype=object)})
    save(folder + '/many', {'layer%05d/with/a/long/name/W' % i: np.float32(i) for i in range(9000)})
    write_partitioned(folder + '/partitioned')
    write_sharded(folder + '/sharded')


def write_partitioned(prefix):
    whole = np.arange(4 * 3 * 5, dtype=np.float32).reshape(4, 3, 5)
    with tf.Graph().as_default(), v1.Session() as session:
        parts, specs = [], []
        for rows in [(0, 1), (1, 3)]:
            for columns in [(0, 2), (2, 1)]:
                parts.append(whole[rows[0]:sum(rows), columns[0]:sum(columns)])
                specs.append('4 3 5 %d,%d:%d,%d:-' % (rows + columns))
        wide = np.arange(70000, dtype=np.int32)
        parts += [wide[:66000], wide[66000:]]
        specs += ['70000 0,66000', '70000 66000,4000']
        session.run(tf.raw_ops.SaveV2(prefix=prefix, tensor_names=['grid'] * 4 + ['wide'] * 2, shape_and_slices=specs,
                                      tensors=[tf.constant(p) for p in parts]))


def write_sharded(prefix):
    for i in range(3):
        save('%s_part%d' % (prefix, i), {'shard%d' % i: np.full([4], i, np.float32)})
    with tf.Graph().as_default(), v1.Session() as session:
        session.run(tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=['%s_part%d' % (prefix, i) for i in range(3)],
                                                  destination_prefix=prefix))


def read(folder, prefix):
    reader = tf.train.load_checkpoint(folder + '/' + prefix)
    for name in sorted(reader.get_variable_to_shape_map()):
        value = reader.get_tensor(name)
        dtype = reader.get_variable_to_dtype_map()[name]
        array = np.array(value, dtype=object) if dtype == tf.string else np.asarray(value)
        data = b'|'.join(array.ravel()) if dtype == tf.string else array.tobytes()
        print(name, dtype.name, list(array.shape), data.hex())


if __name__ == '__main__':
    arguments = sys.argv[1:]
    while arguments:
        command = arguments.pop(0)
        if command == 'write':
            write(arguments.pop(0))
        else:
            read(arguments.pop(0), arguments.pop(0))
