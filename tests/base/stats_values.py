"""Prints what tests/base/stats_test.cpp expects, by tensorpack's own classes and functions."""
import numpy as np
from tensorpack.utils import stats
from tensorpack.utils.utils import humanize_time_delta

values = [3.5, -1.25, 7.0, 0.125, 2.0]
counter, moments, rows = stats.StatCounter(), stats.OnlineMoments(), stats.OnlineMoments()
for value in values:
    counter.feed(value)
    moments.feed(value)
    rows.feed(np.array([value, 10 * value + 1]))
print('counter', counter.count, repr(counter.average), repr(counter.sum), counter.max, counter.min)
print('moments', repr(moments.mean), repr(moments.variance), repr(moments.std))
print('rows', list(rows.mean), list(rows.variance))

binary = stats.BinaryStatistics()
binary.feed(np.array([1, 1, 1, 0, 0, 0, 0]), np.array([1, 0, 1, 0, 0, 1, 1]))
print('binary', repr(binary.precision), repr(binary.recall), repr(binary.false_positive), repr(binary.false_negative),
      binary.nr_pos, binary.nr_neg, binary.nr_pred_pos, binary.nr_pred_neg)
for seconds in [0, 0.01, 1, 1.5, 59.99, 60, 61, 87.6, 3600, 3601, 86401, 86400 + 9 * 3600 + 123, 12345678.9, -2]:
    print(f'{seconds}: {humanize_time_delta(seconds)}')
