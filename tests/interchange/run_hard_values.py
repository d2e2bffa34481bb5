"""Runs many small models on many inputs in one process.

usage: run_hard_values.py onnx|frozen FOLDER

FOLDER/in.npz has the inputs as NAME/NUMBER/INPUT, of FOLDER/NAME.onnx, or of FOLDER/NAME.pb with the names of its
outputs in FOLDER/NAME.outputs. FOLDER/out.npz gets the results as NAME/NUMBER/0, NAME/NUMBER/1, ... Prints a line
"NAME/NUMBER: why" for each trouble, "NAME: why" for a model that cannot be loaded. FOLDER/at says what runs now: both
runtimes can end their process.
"""
import collections
import pathlib
import sys

import numpy as np

way, folder = sys.argv[1], pathlib.Path(sys.argv[2])


def onnx_runner(name):
    import onnx
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    path = str(folder / f"{name}.onnx")
    onnx.checker.check_model(path, full_check=True)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)


def frozen_runner(name):
    import tensorflow as tf
    graph_def = tf.compat.v1.GraphDef.FromString((folder / f"{name}.pb").read_bytes())
    outputs = [f"{o}:0" for o in (folder / f"{name}.outputs").read_text().split()]
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    session = tf.compat.v1.Session(graph=graph, config=config)
    return lambda feeds: session.run(outputs, {f"{k}:0": v for k, v in feeds.items()})


runner = {"onnx": onnx_runner, "frozen": frozen_runner}[way]
inputs = collections.defaultdict(lambda: collections.defaultdict(dict))
with np.load(folder / "in.npz") as arrays:
    for key in arrays.files:
        name, number, tensor = key.split("/", 2)
        inputs[name][number][tensor] = arrays[key]
results = {}
with open(folder / "at", "w") as at:
    for name, numbers in inputs.items():
        try:
            run = runner(name)
        except Exception as error:
            print(f"{name}: {' '.join(str(error).split())}")
            continue
        for number, feeds in numbers.items():
            at.seek(0)
            at.write(f"{name}/{number}\n")
            at.flush()
            try:
                results.update({f"{name}/{number}/{i}": np.asarray(r) for i, r in enumerate(run(feeds))})
            except Exception as error:
                print(f"{name}/{number}: {' '.join(str(error).split())}")
np.savez(folder / "out.npz", **results)
