"""Sessions in which TensorFlow computes what the graph says."""
import tensorflow as tf
from tensorflow.core.protobuf import rewriter_config_pb2


def plain_session(graph=None):
    """One without TensorFlow's fusing of operators, which makes wrong kernels of normalisations without scale and center (values
    that differ from run to run, or "scale must be 1D"), and of convolutions in groups one that TensorFlow has not."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.remapping = rewriter_config_pb2.RewriterConfig.OFF
    return tf.compat.v1.Session(graph=graph, config=config)
