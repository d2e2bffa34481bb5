"""Runs what the driver exported in ONNX Runtime and in TensorFlow, against the session's outputs."""
import concurrent.futures.process
import multiprocessing
import os

import numpy as np

from compare import difference


def feeds_of(c):
    if c.spec["runner"] == "layers":
        return {"x0": c.inputs["x"][0]}
    return {f"x{i}": c.inputs[f"x{i}"] for i, spec in enumerate(c.spec["inputs"]) if not spec["constant"]}


def outputs_of(c):
    count = sum(name.startswith("session/") for name in c.out)
    return [f"y{k}" for k in range(count)], [c.out[f"session/{k}"] for k in range(count)]


def run_onnx(path, feeds, names):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    needed = {i.name for i in session.get_inputs()}
    return session.run(names, {k: v for k, v in feeds.items() if k in needed})


def run_frozen(path, feeds, names):
    import tensorflow as tf

    from plain_session import plain_session
    with open(path, "rb") as file:
        graph_def = tf.compat.v1.GraphDef.FromString(file.read())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        there = {operation.name for operation in graph.get_operations()}
        with plain_session(graph) as session:
            return session.run([f"{name}:0" for name in names], {f"{k}:0": v for k, v in feeds.items() if k in there})


def run_saved(path, feeds, names):
    import tensorflow as tf

    from plain_session import plain_session
    with tf.Graph().as_default() as graph, plain_session(graph) as session:
        model = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature = model.signature_def["serving_default"]
        fed = {signature.inputs[k].name: v for k, v in feeds.items() if k in signature.inputs}
        return session.run([signature.outputs[name].name for name in names], fed)


WAYS = {"onnx": (".onnx", run_onnx), "frozen": (".pb", run_frozen), "saved_model": ("", run_saved)}


class Runner:
    """Another process that runs the models, since both libraries end theirs on some (the least integer divided by -1)."""

    def __init__(self):
        self.pool = None

    def __call__(self, *call):
        if self.pool is None:
            self.pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        try:
            return self.pool.submit(run, *call).result()
        except concurrent.futures.process.BrokenProcessPool:
            self.pool = None
            raise RuntimeError("the process died") from None

    def close(self):
        if self.pool is not None:
            self.pool.shutdown()


def run(way, path, feeds, names):
    try:
        return [np.asarray(r) for r in WAYS[way][1](path, feeds, names)]
    except Exception as problem:
        # Not every library's exceptions can be pickled.
        raise RuntimeError(f"{type(problem).__name__}: {problem}") from None


def compare_exports(c, folder, runner):
    """Returns which formats ran."""
    ran = []
    names, session = outputs_of(c)
    for way, (suffix, _) in WAYS.items():
        path = f"{folder}/exports/{c.spec['id']}{suffix}"
        if not (os.path.exists(path) and session):
            continue
        try:
            results = runner(way, path, feeds_of(c), names)
        except Exception as problem:
            # ONNX Runtime has no kernels of some operators for these dtypes.
            if "NOT_IMPLEMENTED" not in str(problem):
                c.add(f"{way} error", problem)
            continue
        ran.append(way)
        for actual, expected in zip(results, session):
            if actual.dtype.name == "bfloat16":
                actual = actual.astype(np.float32)
            c.add(way, difference(actual, expected, loose=5 if c.spec["runner"] == "layers" else 1, double=1e-6))
            if actual.dtype != expected.dtype:
                c.add(f"{way} dtype", f"{actual.dtype}, session {expected.dtype}")
    return ran
