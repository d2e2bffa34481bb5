"""read_steps.py FOLDER: prints the steps of each scalar in FOLDER, one line per tag, as each way to load them shows them:
TensorBoard's plugin_event_accumulator, its older event_accumulator, and the data provider that its pages ask."""
import os
import sys

from tensorboard.backend.event_processing import data_provider
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard import context
from tensorboard.data import provider

folder = sys.argv[1]

plugin = plugin_event_accumulator.EventAccumulator(folder, size_guidance={plugin_event_accumulator.TENSORS: 0}).Reload()
for tag in sorted(set(plugin.Tags()['tensors']) - {'__run_graph__'}):
    print('plugin', tag, *[e.step for e in plugin.Tensors(tag)])

older = event_accumulator.EventAccumulator(folder, size_guidance={event_accumulator.SCALARS: 0}).Reload()
for tag in sorted(older.Tags()['scalars']):
    print('older', tag, *[e.step for e in older.Scalars(tag)])

multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={'scalars': 0})
multiplexer.AddRunsFromDirectory(folder)
multiplexer.Reload()
pages = data_provider.MultiplexerDataProvider(multiplexer, os.path.abspath(folder))
for run, tags in pages.read_scalars(context.RequestContext(), experiment_id='', plugin_name='scalars', downsample=10000,
                                    run_tag_filter=provider.RunTagFilter()).items():
    for tag in sorted(tags):
        print('provider', tag, *[e.step for e in tags[tag]])
