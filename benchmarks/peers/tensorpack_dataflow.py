"""The cost of tensorpack's dataflow stages for each datapoint: the same work as benchmarks/dataflow_overhead.cpp.

usage: .env/python/bin/python3 benchmarks/peers/tensorpack_dataflow.py
"""
import statistics
import time

import numpy as np
import tensorpack.dataflow as td

COUNT, REPEATS = 12800, 5


def source():
    return td.DataFromList([[np.float32(1), np.float32(2)]] * COUNT, shuffle=False)


def same(datapoint):
    return datapoint


def three_maps(flow):
    return td.MapData(td.MapData(td.MapData(flow, same), same), same)


FLOWS = {
    "List": source,
    "Map": lambda: td.MapData(source(), same),
    "Map3": lambda: three_maps(source()),
    "Batch": lambda: td.BatchData(source(), 128),
    "ParallelMap/1": lambda: td.MultiThreadMapData(source(), 1, same, strict=True),
    "ParallelMap/2": lambda: td.MultiThreadMapData(source(), 2, same, strict=True),
}


def seconds_of_a_pass(flow):
    begin = time.perf_counter()
    for _ in flow:
        pass
    return time.perf_counter() - begin


if __name__ == "__main__":
    for name, make in FLOWS.items():
        flow = make()
        flow.reset_state()
        seconds_of_a_pass(flow)
        times = sorted(seconds_of_a_pass(flow) / COUNT * 1e9 for _ in range(REPEATS))
        print(f"{name:15} {statistics.median(times):10.0f} ns per datapoint ({times[0]:.0f} to {times[-1]:.0f})", flush=True)
