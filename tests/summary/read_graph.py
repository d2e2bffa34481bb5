"""read_graph.py FOLDER NODE...: prints the nodes of those names in the graph that TensorBoard finds in FOLDER, with their
operators, inputs and outputs, then the texts."""
import sys

from tensorboard.backend.event_processing import event_accumulator

events = event_accumulator.EventAccumulator(sys.argv[1]).Reload()
nodes = {node.name: node for node in events.Graph().node}
for name in sys.argv[2:]:
    node = nodes[name]
    print(name, node.op, *node.input, node.attr['outputs'].s.decode())
for tag, content in sorted(events.PluginTagToContent('text').items()):
    for e in events.Tensors(tag):
        print('text', tag, e.step, repr(e.tensor_proto.string_val[0].decode()))
