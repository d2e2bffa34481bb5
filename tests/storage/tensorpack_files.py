"""Files between Belfry's serializers and tensorpack's, h5py's and TensorFlow's.

tensorpack_files.py DIR: prints what is in the files that Belfry has left in DIR/ours*, a line for each component of each
datapoint (file, dtype, shape, hex), and writes DIR/theirs*.
"""
import os
import sys

os.environ['TENSORPACK_SERIALIZE'] = 'msgpack'
os.environ['TQDM_DISABLE'] = '1'
import h5py
import lmdb
import numpy as np
import tensorflow as tf
from tensorpack.dataflow import DataFromList, HDF5Serializer, LMDBSerializer, NumpySerializer, TFRecordSerializer
from tensorpack.utils import serialize

folder = sys.argv[1] + '/'


def show(label, datapoints):
    for datapoint in datapoints:
        for component in datapoint:
            array = np.asarray(component)
            print(label, array.dtype.name, list(array.shape), array.tobytes().hex())


def run(flow):
    flow.reset_state()
    return list(flow)


def as_pickle(save):
    """What `save` writes with tensorpack's default serializer."""
    import tensorpack.dataflow.serialize as module
    module.dumps = serialize.PickleSerializer.dumps
    save()
    module.dumps = serialize.dumps


show('ours.lmdb', run(LMDBSerializer.load(folder + 'ours.lmdb', shuffle=False)))
show('ours_folder', sorted(run(LMDBSerializer.load(folder + 'ours_folder', shuffle=True)), key=lambda dp: dp[1]))

show('ours.tfrecord', run(TFRecordSerializer.load(folder + 'ours.tfrecord')))
for name in ['00000.tfrecord', '00001.tfrecord', '00002.tfrecord']:
    show('ours_shards', run(TFRecordSerializer.load(folder + 'ours_shards/' + name)))
arrays = np.load(folder + 'ours.npz')
show('ours.npz', zip(*[arrays[name] for name in sorted(arrays)]))
show('ours.h5', run(HDF5Serializer.load(folder + 'ours.h5', ['group/images', 'labels', 'flags'], shuffle=False)))

flow = DataFromList([[np.arange(6, dtype='float32').reshape(2, 3) + i, i, np.frombuffer(b'jpeg', np.uint8)]
                     for i in range(12)], shuffle=False)
LMDBSerializer.save(flow, folder + 'theirs.lmdb', write_frequency=5)
as_pickle(lambda: LMDBSerializer.save(flow, folder + 'theirs_pickle.lmdb'))
os.mkdir(folder + 'theirs_folder')
LMDBSerializer.save(flow, folder + 'theirs_folder')
with lmdb.open(folder + 'theirs_other.lmdb', subdir=False) as db, db.begin(write=True) as txn:
    for i in range(5):
        txn.put(f'key {i}'.encode(), f'value {i}'.encode())
TFRecordSerializer.save(flow, folder + 'theirs.tfrecord')
as_pickle(lambda: TFRecordSerializer.save(flow, folder + 'theirs_pickle.tfrecord'))
np.savez(folder + 'theirs.npz', *[np.stack(components) for components in zip(*run(flow))])
np.object = object  # tensorpack asks for it; numpy 1.24 and later have it no more
NumpySerializer.save(flow, folder + 'theirs_pickle.npz')
NumpySerializer.save(DataFromList([[i, f'{i}.jpg'] for i in range(5)], shuffle=False), folder + 'theirs_text.npz')
HDF5Serializer.save(flow, folder + 'theirs.h5', ['a/b', 'label', 'jpeg'])
with h5py.File(folder + 'theirs_types.h5', 'w') as f:
    values = np.arange(6).reshape(3, 2)
    for t in ['float16', 'float32', 'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64',
              'bool', '>i4', '>f8']:
        f[t] = values.astype(t)
    f.create_dataset('packed', data=np.zeros([100, 100], 'int32'), chunks=(10, 100), compression='gzip')
    f['scalar'] = 3
    f['words'] = ['a', 'b']
    f.create_dataset('unwritten', shape=(1 << 40,), dtype='f8')

examples = [dict(image=[b'\xff\xd8' + bytes([i])], label=[i], box=[i + .5, 2.]) for i in range(4)]
with tf.io.TFRecordWriter(folder + 'theirs_examples.tfrecord') as writer:
    for example in examples:
        writer.write(tf.train.Example(features=tf.train.Features(feature={
            'image': tf.train.Feature(bytes_list=tf.train.BytesList(value=example['image'])),
            'label': tf.train.Feature(int64_list=tf.train.Int64List(value=example['label'])),
            'box': tf.train.Feature(float_list=tf.train.FloatList(value=example['box'])),
        })).SerializeToString())
