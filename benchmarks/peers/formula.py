"""Numbers that only depend on a name and an index, so that all programs of benchmarks/training have the same weights
and data; benchmarks/nets/formula.cpp gives the same."""
import math

import numpy as np


def fnv1a(name):
    result = 0xcbf29ce484222325
    for byte in name.encode():
        result = (result ^ byte) * 0x100000001b3 % 2**64
    return result


def uniform(name, shape):
    """Float64 in [0, 1): SplitMix64 (Steele et al., 2014), cut to 24 bits."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a(name)) + np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float64).reshape(shape) / 2**24


def floats(name, shape, limit=1.0):
    """Float32 in [-limit, limit)."""
    return ((2 * uniform(name, shape) - 1) * limit).astype(np.float32)


def integers(name, shape, limit):
    """Int64 in [0, limit)."""
    return np.floor(uniform(name, shape) * limit).astype(np.int64)


def weights(name, shape):
    """The first value of a variable, by Belfry's name and in Belfry's layout."""
    if len(shape) < 2:
        return np.full(shape, 1 if name.endswith("gamma") else 0, np.float32)
    return floats(name, shape, math.sqrt(3 / math.prod(shape[:-1])))
