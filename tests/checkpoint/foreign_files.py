"""Weights in files that others make, for tests/checkpoint/foreign_files_test.cpp.

foreign_files.py DIR: writes DIR/dict.npy and .npz of the same arrays with numpy; DIR/net.caffemodel, a caffe.NetParameter
whose fields are those of caffe.proto 1.0, and DIR/v1.caffemodel in the form of 2014; OpenCV's reader of Caffe's files must
find the same weights in them. DIR/net.npz and v1.npz hold what tensorpack's load_caffe makes of these nets.
"""
import sys
from types import SimpleNamespace

import cv2
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorpack.utils.loadcaffe import CaffeLayerProcessor

folder = sys.argv[1] + '/'
rng = np.random.RandomState(1)


def values(*shape):
    return rng.randn(*shape).astype(np.float32)


arrays = {'conv1/W': values(3, 3, 1, 2), 'b': np.arange(3, dtype='>i4'), 'fortran': np.asfortranarray(values(2, 3)),
          'scalar': np.float64(2.5) * np.ones(()), 'text': 'no array'}
np.save(folder + 'dict.npy', arrays)
np.savez(folder + 'dict.npz', **{name: value for name, value in arrays.items() if name != 'text'})
np.save(folder + 'array.npy', arrays['b'])
np.save(folder + 'list.npy', np.array(['a', None], dtype=object))

# caffe.proto, as far as weights need it.
file = descriptor_pb2.FileDescriptorProto(name='caffe.proto', package='caffe')
F = descriptor_pb2.FieldDescriptorProto


def message_type(name, fields):
    message = file.message_type.add(name=name)
    for field, number, kind, repeated in fields:
        entry = message.field.add(name=field, number=number, label=F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL)
        if isinstance(kind, str):
            entry.type, entry.type_name = F.TYPE_MESSAGE, '.caffe.' + kind
        else:
            entry.type = kind
        if repeated and kind in (F.TYPE_FLOAT, F.TYPE_INT64):
            entry.options.packed = True


message_type('BlobShape', [('dim', 1, F.TYPE_INT64, True)])
message_type('BlobProto', [('num', 1, F.TYPE_INT32, False), ('channels', 2, F.TYPE_INT32, False),
                           ('height', 3, F.TYPE_INT32, False), ('width', 4, F.TYPE_INT32, False),
                           ('data', 5, F.TYPE_FLOAT, True), ('shape', 7, 'BlobShape', False)])
message_type('LayerParameter', [('name', 1, F.TYPE_STRING, False), ('type', 2, F.TYPE_STRING, False),
                                ('bottom', 3, F.TYPE_STRING, True), ('top', 4, F.TYPE_STRING, True),
                                ('blobs', 7, 'BlobProto', True)])
message_type('V1LayerParameter', [('bottom', 2, F.TYPE_STRING, True), ('top', 3, F.TYPE_STRING, True),
                                  ('name', 4, F.TYPE_STRING, False), ('type', 5, F.TYPE_INT32, False),
                                  ('blobs', 6, 'BlobProto', True)])
message_type('NetParameter', [('name', 1, F.TYPE_STRING, False), ('layers', 2, 'V1LayerParameter', True),
                              ('layer', 100, 'LayerParameter', True)])
pool = descriptor_pool.DescriptorPool()
pool.Add(file)
Net = message_factory.GetMessageClass(pool.FindMessageTypeByName('caffe.NetParameter'))
V1_TYPES = {'Convolution': 4, 'InnerProduct': 14, 'Pooling': 17, 'ReLU': 18, 'Data': 5}


def write(name, layers, shapes, prototxt=None):
    """layers: (name, type, bottoms, top, blobs). shapes: of the tops, [N, ...]."""
    v1 = name == 'v1'
    net = Net(name=name)
    for layer_name, kind, bottoms, top, blobs in layers:
        layer = (net.layers if v1 else net.layer).add(name=layer_name, bottom=bottoms, top=[top])
        layer.type = V1_TYPES[kind] if v1 else kind
        for blob in blobs:
            entry = layer.blobs.add()
            entry.data.extend(blob.reshape(-1).tolist())
            if v1:
                entry.num, entry.channels, entry.height, entry.width = [1] * (4 - blob.ndim) + list(blob.shape)
            else:
                entry.shape.dim.extend(blob.shape)
    with open(folder + name + '.caffemodel', 'wb') as f:
        f.write(net.SerializeToString())
    if prototxt:
        with open(folder + 'net.prototxt', 'w') as f:
            f.write(prototxt)
        read = cv2.dnn.readNetFromCaffe(folder + 'net.prototxt', folder + name + '.caffemodel')
        for layer_name, kind, _, _, blobs in layers:
            if kind in ('Convolution', 'InnerProduct'):
                found = read.getParam(layer_name, 0)
                assert np.array_equal(found.reshape(-1), blobs[0].reshape(-1)), layer_name
    as_blob = lambda array: SimpleNamespace(data=array)
    processor = CaffeLayerProcessor(SimpleNamespace(
        _layer_names=[layer[0] for layer in layers],
        layers=[SimpleNamespace(type=layer[1], blobs=[as_blob(b) for b in layer[4]]) for layer in layers],
        bottom_names={layer[0]: layer[2] for layer in layers},
        blobs={top: as_blob(np.zeros(shape)) for top, shape in shapes.items()}))
    np.savez(folder + name + '.npz', **processor.process())


conv1, conv2 = values(4, 3, 3, 3), values(6, 2, 1, 1)  # conv2 has two groups
LAYERS = [
    ('data', 'Input', [], 'data', []),
    ('conv1', 'Convolution', ['data'], 'conv1', [conv1, values(4)]),
    ('bn1', 'BatchNorm', ['conv1'], 'conv1', [values(4), np.abs(values(4)), np.float32([0.999])]),
    ('scale1', 'Scale', ['conv1'], 'conv1', [values(4), values(4)]),
    ('relu1', 'ReLU', ['conv1'], 'conv1', []),
    ('conv2', 'Convolution', ['conv1'], 'conv2', [conv2]),
    ('both', 'Concat', ['conv1', 'conv2'], 'both', []),
    ('fc1', 'InnerProduct', ['both'], 'fc1', [values(5, 10 * 4 * 4), values(5)]),
    ('fc2', 'InnerProduct', ['fc1'], 'fc2', [values(7, 5), values(7)]),
]
PROTOTXT = '''name: "net" input: "data" input_dim: 1 input_dim: 3 input_dim: 6 input_dim: 6
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
        convolution_param { num_output: 6 kernel_size: 1 group: 2 bias_term: false } }
layer { name: "both" type: "Concat" bottom: "conv1" bottom: "conv2" top: "both" }
layer { name: "fc1" type: "InnerProduct" bottom: "both" top: "fc1" inner_product_param { num_output: 5 } }
layer { name: "fc2" type: "InnerProduct" bottom: "fc1" top: "fc2" inner_product_param { num_output: 7 } }
'''
write('net', LAYERS, {'data': (1, 3, 6, 6), 'conv1': (1, 4, 4, 4), 'conv2': (1, 6, 4, 4), 'both': (1, 10, 4, 4),
                      'fc1': (1, 5), 'fc2': (1, 7)}, PROTOTXT)
write('v1', [LAYERS[1], ('pool', 'Pooling', ['conv1'], 'pool', []),
             ('fc', 'InnerProduct', ['pool'], 'fc', [values(5, 4 * 2 * 2), values(5)])],
      {'data': (1, 3, 6, 6), 'conv1': (1, 4, 4, 4), 'pool': (1, 4, 2, 2)})
write('oblong', [LAYERS[1], ('fc', 'InnerProduct', ['conv1'], 'fc', [values(5, 4 * 2 * 3), values(5)])],
      {'data': (1, 3, 6, 6), 'conv1': (1, 4, 2, 3)})
