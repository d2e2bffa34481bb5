"""npz and safetensors files written and read by numpy and the reference safetensors package.

numpy_files.py DIR: reads DIR/ours.npz and DIR/ours.safetensors (printing one line per array: name, dtype, shape, hex)
and writes DIR/theirs.npz, DIR/plain.npz, DIR/theirs.safetensors and DIR/mixed.npz.
"""
import sys

import numpy as np
import safetensors.numpy

folder = sys.argv[1]
for file in ['ours.npz', 'ours.safetensors']:
    path = folder + '/' + file
    arrays = np.load(path) if file.endswith('.npz') else safetensors.numpy.load_file(path)
    for name in sorted(arrays):
        print(file, name, arrays[name].dtype, list(arrays[name].shape), arrays[name].tobytes().hex())

values = np.arange(24).reshape(2, 3, 4)
arrays = {t + '/W:0': values.astype(t) for t in
          ['float16', 'float32', 'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64',
           'bool', 'complex64', 'complex128']}
arrays['fortran'] = np.asfortranarray(values.astype('int32'))
arrays['big'] = values.astype('>i4')
arrays['big_complex'] = (values * (1 + 2j)).astype('>c8')
arrays['scalar'] = np.float32(7)
arrays['empty'] = np.zeros([0, 3], np.float32)
np.savez_compressed(folder + '/theirs.npz', **arrays)
np.savez(folder + '/plain.npz', a=values.astype('float32'))
np.savez(folder + '/mixed.npz', w=np.float32([[1, 2, 3], [4, 5, 6]]), names=np.array(['conv0', 'fc']),
         bytes=np.array([b'ab']), meta=np.array({'epoch': 3}, dtype=object), dates=np.array(['2020-01-01'], 'M8[s]'),
         pairs=np.zeros(2, [('x', '<f4'), ('y', '<i8', (2,))]), raw=np.zeros(3, 'V2'), long=np.zeros(1, np.longdouble))
safetensors.numpy.save_file({'a': values.astype('float32'), 'b': np.float16([1.5]), 'c': np.zeros([0], np.int64)},
                            folder + '/theirs.safetensors', metadata={'by': 'reference'})
