"""read_events.py FILE VALUES: prints what real TensorBoard's loader sees in FILE, one line per event or value, and then
TensorFlow's histogram of the comma-separated VALUES."""
import sys

import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

for event in LegacyEventFileLoader(sys.argv[1]).Load():
    what = event.WhichOneof('what')
    if what == 'file_version':
        print('version', event.file_version)
    elif what == 'session_log':
        print('session', event.step, event.session_log.status)
    for value in event.summary.value:
        kind = value.WhichOneof('value')
        if kind == 'simple_value':
            print('scalar', event.step, value.tag, value.simple_value)
        elif kind == 'image':
            pixels = tf.io.decode_png(value.image.encoded_image_string).numpy()
            print('image', event.step, value.tag, value.image.height, value.image.width, value.image.colorspace,
                  list(pixels.shape), pixels.tobytes().hex())
        else:
            h = value.histo
            print('histogram', event.step, value.tag, h.min, h.max, h.num, h.sum, h.sum_squares)
            print('limits', *map(repr, h.bucket_limit))
            print('counts', *h.bucket)

v1 = tf.compat.v1
with tf.Graph().as_default(), v1.Session() as session:
    text = session.run(v1.summary.histogram('h', tf.constant([float(v) for v in sys.argv[2].split(',')])))
h = v1.Summary.FromString(text).value[0].histo
print('limits', *map(repr, h.bucket_limit))
print('counts', *h.bucket)
