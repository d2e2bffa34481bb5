"""Runs exported graphs in TensorFlow.

usage: run_tensorflow.py FOLDER

For each FOLDER/NAME.pb, a frozen GraphDef, and FOLDER/NAME, a SavedModel if there is one: a run for each
FOLDER/NAME.N.in.npz, whose results go to FOLDER/NAME.N.frozen.npz and FOLDER/NAME.N.saved.npz as "0", "1", ... in the
order of the names in FOLDER/NAME.outputs. Prints a line for each trouble.
"""
import pathlib
import sys

import numpy as np
import tensorflow as tf

folder = pathlib.Path(sys.argv[1])


def save(path, results):
    np.savez(path, **{str(i): np.asarray(r) for i, r in enumerate(results)})


def run_frozen(path, name, feeds, outputs):
    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            for stem, feed in feeds.items():
                save(f"{stem}.frozen.npz", session.run([f"{o}:0" for o in outputs], {f"{k}:0": v for k, v in feed.items()}))


def run_saved(path, name, feeds, outputs):
    model = tf.saved_model.load(str(path))
    function = model.signatures["serving_default"]
    for stem, feed in feeds.items():
        results = function(**{k: tf.constant(v) for k, v in feed.items()})
        save(f"{stem}.saved.npz", [results[o] for o in outputs])


for path in sorted(folder.glob("*.pb")):
    name = path.stem
    outputs = (folder / f"{name}.outputs").read_text().split()
    feeds = {str(p).removesuffix(".in.npz"): dict(np.load(p)) for p in sorted(folder.glob(f"{name}.*.in.npz"))}
    for run, source in [(run_frozen, path), (run_saved, folder / name)]:
        if not source.exists():
            continue
        try:
            run(source, name, feeds, outputs)
        except Exception as error:
            print(f"{name}, {run.__name__}: {error}")
