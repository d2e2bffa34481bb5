"""read_events.py FOLDER: prints what TensorBoard shows of the event files in FOLDER, one line per value."""
import sys

import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

events = event_accumulator.EventAccumulator(
    sys.argv[1], size_guidance={event_accumulator.HISTOGRAMS: 0, event_accumulator.SCALARS: 0}).Reload()
tags = events.Tags()
for tag in sorted(tags['scalars']):
    print('scalar', tag, *[f'{e.step}:{e.value:.6g}' for e in events.Scalars(tag)])
for tag in sorted(tags['histograms']):
    for e in events.Histograms(tag):
        h = e.histogram_value
        print('histogram', tag, e.step, f'min={h.min:g} max={h.max:g} num={h.num:g} sum={h.sum:g}', 'counts', sum(h.bucket))
for tag in sorted(tags['images']):
    for e in events.Images(tag):
        pixels = tf.io.decode_png(e.encoded_image_string).numpy()
        print('image', tag, e.step, e.height, e.width, pixels.shape[2], *pixels.reshape(-1)[:6])
