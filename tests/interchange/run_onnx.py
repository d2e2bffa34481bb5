"""Checks ONNX models and runs them in ONNX Runtime.

usage: run_onnx.py FOLDER

For each FOLDER/NAME.onnx: onnx.checker with shape inference, then a run for each FOLDER/NAME.N.in.npz, whose results go
to FOLDER/NAME.N.out.npz as "0", "1", ... in the order of the outputs. Prints a line for each trouble.
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort

folder = pathlib.Path(sys.argv[1])
options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
for path in sorted(folder.glob("*.onnx")):
    try:
        onnx.checker.check_model(str(path), full_check=True)
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for inputs in sorted(folder.glob(f"{path.stem}.*.in.npz")):
            with np.load(inputs) as arrays:
                results = session.run(None, dict(arrays))
            np.savez(str(inputs).replace(".in.npz", ".out.npz"), **{str(i): r for i, r in enumerate(results)})
    except Exception as error:
        print(f"{path.stem}: {error}")
