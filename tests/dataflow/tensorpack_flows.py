"""Prints what tensorpack's dataflows produce, a line for each: name, then the values of each pass, passes apart by |.

tests/dataflow/tensorpack_test.cpp builds the same dataflows and compares.
"""
import itertools

import numpy as np
import tensorpack.dataflow as td


def counting(n, first=0):
    return td.DataFromList([[np.int64(first + i)] for i in range(n)], shuffle=False)


def of_lengths():
    return td.DataFromList([[np.int64(i), np.zeros(i % 3 + 1)] for i in range(13)], shuffle=False)


def show(name, flow, passes=2, first=None, component=0):
    flow.reset_state()
    texts = []
    for _ in range(passes):
        datapoints = itertools.islice(iter(flow), first)
        texts.append(" ".join(str(v) for dp in datapoints for v in np.ravel(dp[component])))
    print(f"{name}: {' | '.join(texts)}")


def main():
    show("BatchData", td.BatchData(counting(13), 4))
    show("BatchData remainder", td.BatchData(counting(13), 4, remainder=True))
    show("BatchDataByShape", td.BatchDataByShape(of_lengths(), 2, 1), passes=1)
    show("FixedSizeData", td.FixedSizeData(counting(5), 3), passes=4)
    show("FixedSizeData without state", td.FixedSizeData(counting(5), 7, keep_state=False), passes=3)
    show("MapData", td.MapData(counting(13), lambda dp: None if dp[0] % 3 == 0 else [dp[0] * 2]))
    show("MapDataComponent", td.MapDataComponent(td.JoinData([counting(5), counting(5)]), lambda x: x + 7, 1), component=1)
    show("RepeatedData", td.RepeatedData(counting(3), 3))
    show("RepeatedDataPoint", td.RepeatedDataPoint(counting(3), 3))
    show("ConcatData", td.ConcatData([counting(3), counting(0), counting(2, 10)]))
    show("JoinData", td.JoinData([counting(5), counting(3, 10)]), component=1)
    show("SelectComponent", td.SelectComponent(td.JoinData([counting(3), counting(3, 10)]), [1, 0, 1]), component=0)
    show("LocallyShuffleData", td.LocallyShuffleData(counting(5), 4, num_reuse=2, shuffle_interval=10**6), passes=1, first=30)
    show("CacheData", td.CacheData(counting(5)))


if __name__ == "__main__":
    main()
