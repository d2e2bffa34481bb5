#!/usr/bin/env python3
"""Datapoints per second of tensorpack's LMDBSerializer on the files of benchmarks/storage.cpp: its peer.

usage: benchmarks/peers/storage_peer.py [FOLDER]
"""
import os
import sys
import time

sys.modules["tensorflow"] = None  # tensorpack's dataflows do without
os.environ["TENSORPACK_SERIALIZE"] = "msgpack"
from tensorpack.dataflow import LMDBSerializer

ROUNDS = 3


def forget(path):
    with open(path) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def rate(path, shuffle, is_cold):
    """Of the best round."""
    best = 0
    for _ in range(ROUNDS):
        if is_cold:
            forget(path)
        flow = LMDBSerializer.load(path, shuffle=shuffle)
        flow.reset_state()
        start = time.perf_counter()
        count = sum(1 for _ in flow)
        best = max(best, count / (time.perf_counter() - start))
        flow.ds._close_lmdb()  # the system does not forget a file that is mapped
    return best


folder = sys.argv[1] if len(sys.argv) > 1 else "."
for workload in ["image", "digit"]:
    path = f"{folder}/storage_{workload}.lmdb"
    for is_cold in [True, False]:
        for shuffle in [True, False]:
            order = "shuffled" if shuffle else "in order"
            print(f"{workload} {'cold' if is_cold else 'warm'} tensorpack LMDB {order} "
                  f"{rate(path, shuffle, is_cold):8.0f} datapoints/s", flush=True)
