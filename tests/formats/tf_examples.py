"""tf.train.Example records between TensorFlow and Belfry.

tf_examples.py DIR: prints what TensorFlow finds in DIR/ours.tfrecord, a line for each feature, and writes
DIR/theirs.tfrecord.
"""
import sys

import tensorflow as tf

folder = sys.argv[1]
for record in tf.data.TFRecordDataset(folder + '/ours.tfrecord'):
    example = tf.train.Example.FromString(record.numpy())
    for key, feature in sorted(example.features.feature.items()):
        kind = feature.WhichOneof('kind')
        print(key, kind, list(getattr(feature, kind).value))


def of(**features):
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def integers(*values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def floats(*values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def texts(*values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


with tf.io.TFRecordWriter(folder + '/theirs.tfrecord') as writer:
    writer.write(of(label=integers(7), image=texts(b'\xff\xd8jpeg'), box=floats(0.5, -1.5, 2, 3)))
    writer.write(of(label=integers(-1), image=texts(b''), box=floats(0, 0, 1, 1), many=integers(1, 2**62, -2**63)))
    writer.write(of(none=tf.train.Feature(), words=texts(b'a', b'', b'bc'), empty=floats()))
