"""numpy's side of the tests of `belfry predict`, with a model of the sum of two arrays and the mean of the first.

    numpy_arrays.py write FOLDER   a.npy, in Fortran's order and big-endian, and b.npy
    numpy_arrays.py check FOLDER   fails unless sum.npy and mean.npy are what numpy computes
"""

import os
import sys

import numpy as np

folder = sys.argv[2]
a = np.random.default_rng(1).standard_normal([5, 3]).astype("f")
b = np.arange(3, dtype="f").reshape(1, 3)

if sys.argv[1] == "write":
    np.save(os.path.join(folder, "a.npy"), np.asfortranarray(a.astype(">f4")))
    np.save(os.path.join(folder, "b.npy"), b)
else:
    total, mean = (np.load(os.path.join(folder, name)) for name in ("sum.npy", "mean.npy"))
    assert total.dtype == np.float32 and (total == a + b).all(), total
    assert mean.shape == () and abs(mean - a.mean()) < 1e-6, mean
