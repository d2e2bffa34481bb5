"""Datapoints between tensorpack and Belfry.

python_datapoints.py DIR: loads DIR/ours.msgpack with tensorpack and prints a line for each component (type, dtype,
shape, hex); then writes DIR/<case>.msgpack, .pickle and .pickle4 (of Python 3.4 to 3.7) and prints what is in each, as
arrays, in the same form.
"""
import os
import pickle
import sys

os.environ['TENSORPACK_SERIALIZE'] = 'msgpack'
import numpy as np
from tensorpack.utils import serialize

folder = sys.argv[1]
TYPES = ['float16', 'float32', 'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64',
         'bool', 'complex64', 'complex128']


def write(name, value):
    for suffix, content in [('msgpack', serialize.dumps(value)), ('pickle', serialize.PickleSerializer.dumps(value)),
                            ('pickle4', pickle.dumps(value, protocol=4))]:
        with open(f'{folder}/{name}.{suffix}', 'wb') as f:
            f.write(content)


def as_array(value):
    if isinstance(value, str):
        value = value.encode()
    return np.frombuffer(value, np.uint8) if isinstance(value, bytes) else np.asarray(value)


def show(label, datapoint):
    values = datapoint.values() if isinstance(datapoint, dict) else datapoint
    for value in map(as_array, values):
        little = value.astype(value.dtype.newbyteorder('<'))
        print(label, value.dtype.name, list(value.shape), little.tobytes().hex())


with open(folder + '/ours.msgpack', 'rb') as f:
    ours = serialize.loads(f.read())
for component in ours:
    show('ours ' + type(component).__name__, [component])

values = np.arange(24).reshape(2, 3, 4)
cases = {
    'arrays': [values.astype(t) for t in TYPES],
    'scalars': [np.dtype(t).type(1) for t in TYPES],
    'numbers': [0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, -1, -32, -33,
                -128, -129, -32768, -32769, -2**31, -2**31 - 1, -2**63, 1.5, float('inf'), True, False],
    'texts': ['', 'x' * 31, 'x' * 32, 'x' * 255, 'x' * 256, 'x' * 65536, '\u00fc', b'', b'\xff' * 255, b'\0' * 256,
              b'\1' * 65536],
    'lists': [[1, 2, 3], [1.5], [[1, 2], [3, 4]], (True, False), [np.float32([1, 2]), np.float32([3, 4])], [],
              [2**63, 2**64 - 1], [np.uint16([1]), np.uint16([2])], list(range(70000))],
    'layouts': [np.asfortranarray(values.astype('int32')), values.astype('>i4')[:, ::2],
                (values * (1 + 2j)).astype('>c8'), values.astype('>f2').T, np.zeros([0, 3], np.float32), np.zeros([]), np.int64(5)],
    'many': [np.uint8([i]) for i in range(20)],
    'dict': {'image': values.astype('float32'), 'file': 'dog.jpg', 'label': np.int64(3)},
    'large_dict': {f'component {i}': np.uint8([i]) for i in range(70)},
}
for name, datapoint in cases.items():
    write(name, datapoint)
    show(name, datapoint)
for name, value in {'none': [None], 'objects': [np.array([{}], dtype=object)], 'dictionary': [{'a': 1}],
                    'words': [np.array(['a', 'b'])], 'structure': [np.zeros(2, [('x', 'f4')])], 'no_list': 3,
                    'mixed': [[1, 2.5]]}.items():
    write('bad_' + name, value)


class Code:
    def __reduce__(self):
        return os.system, ('true',)


for suffix, protocol in [('pickle', 5), ('pickle4', 4)]:
    with open(f'{folder}/bad_code.{suffix}', 'wb') as f:
        pickle.dump([Code()], f, protocol=protocol)
