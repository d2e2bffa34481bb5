"""One engine of benchmarks/inference on one net.

Usage: inference_peer.py ENGINE NET BATCH THREADS DTYPE FOLDER

FOLDER holds what export_nets.py wrote. Prints, as benchmarks/inference_net.cpp does, the largest difference of the
outputs from the expected ones and the largest expected value; then for each line of standard input, a number of
seconds, the median latency in ms over that time. "unsupported: REASON" where the engine has no such dtype.
"""
import os
import pathlib
import statistics
import sys
import time

import numpy as np

from nets import NETS


class Unsupported(Exception):
    pass


# Each engine: a function that runs the net on the input that it was made for and gives its output as an array. Only
# the call itself is timed: inputs and, where the engine has a way, outputs stay in the engine's own memory.

def onnxruntime(model, array, threads, dtype):
    import onnxruntime as ort
    if dtype != "float32":
        raise Unsupported("ONNX Runtime has no convolutions and products of bfloat16 on the CPU")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    path = model.with_suffix(".onnx")
    content = optimized_transformer(path) if array.ndim == 3 else path.read_bytes()
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.get_inputs()[0].name, ort.OrtValue.ortvalue_from_numpy(channels_first(array)))
    output = session.get_outputs()[0]
    result = ort.OrtValue.ortvalue_from_shape_and_type(output.shape, np.float32)
    binding.bind_ortvalue_output(output.name, result)
    return lambda: session.run_with_iobinding(binding), result.numpy


def optimized_transformer(path):
    """ONNX Runtime leaves these fusions to a tool of its own, to be run before."""
    from onnxruntime.transformers.optimizer import optimize_model
    return optimize_model(str(path), "bert", num_heads=4, hidden_size=256, opt_level=0).model.SerializeToString()


def openvino(model, array, threads, dtype):
    import openvino as ov
    config = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
              "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[dtype]}
    core = ov.Core()
    if dtype == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise Unsupported("OpenVINO does not use bfloat16 on this processor")
    request = core.compile_model(core.read_model(model.with_suffix(".onnx")), "CPU", config).create_infer_request()
    request.get_input_tensor().data[:] = channels_first(array)
    return request.infer, lambda: request.get_output_tensor().data


def tensorflow(model, array, threads, dtype):
    import tensorflow as tf
    from tensorflow_ops import TensorFlowNet
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if dtype == "bfloat16":
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
    net = TensorFlowNet(net_of(model), dict(np.load(weights_of(model))))
    function = tf.function(net).get_concrete_function(tf.TensorSpec(array.shape, tf.float32))
    images = tf.constant(array)
    return lambda: function(images).numpy(), lambda: function(images).numpy()


def pytorch(model, array, threads, dtype, compiled=False):
    import torch
    from torch_ops import TorchNet, to_torch
    torch.set_num_threads(threads)
    element = getattr(torch, dtype)
    net = TorchNet(net_of(model), dict(np.load(weights_of(model)))).to(element)
    if compiled:
        net = torch.compile(net)
    images = to_torch(torch.from_numpy(array))

    def call():
        with torch.inference_mode():
            return net(images.to(element)).float()

    return call, lambda: call().numpy()


def pytorch_compile(*arguments):
    return pytorch(*arguments, compiled=True)


ENGINES = {engine.__name__: engine for engine in (onnxruntime, openvino, tensorflow, pytorch, pytorch_compile)}


def net_of(model):
    return NETS[model.name.rsplit("-", 1)[0]]


def weights_of(model):
    return model.with_name(model.name.rsplit("-", 1)[0] + ".npz")


def channels_first(array):
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def median_latency(call, seconds):
    times, start = [], time.perf_counter()
    end = start + seconds
    while start < end:
        call()
        now = time.perf_counter()
        times.append((now - start) * 1e3)
        start = now
    return statistics.median(times)


def main():
    engine, net, batch, threads, dtype, folder = sys.argv[1:]
    model = pathlib.Path(folder) / f"{net}-{batch}"
    case = np.load(f"{model}.npz")
    try:
        call, output = ENGINES[engine](model, case["input"], int(threads), dtype)
        for _ in range(2):  # the first calls compile, and find their memory
            call()
    except Unsupported as reason:
        print(f"unsupported: {reason}")
        return
    print(np.abs(output() - case["expected"]).max(), np.abs(case["expected"]).max(), flush=True)
    for line in sys.stdin:
        print(f"{median_latency(call, float(line)):.4f}", flush=True)


if __name__ == "__main__":
    main()
