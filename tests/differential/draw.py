"""Random numbers, shapes and arrays of one configuration, all from its key: (family, seed, index)."""
import zlib

import numpy as np

FLOATS = ["float32", "float32", "float64"]
INTEGERS = ["int32", "int64"]
# Values at which formulas differ: zeros of both signs, halves (rounding), limits of exp, values beyond float32's square.
NOTABLE = [0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 1.0, -1.0, 1e18, -1e18, 1e-30, -1e-30, 1e10, -1e10, 100.0, -100.0, 88.0]
NOT_FINITE = [np.inf, -np.inf, np.nan]
NOTABLE_INTEGERS = {
    "int32": [0, 1, -1, 2**31 - 1, -2**31, 7, -7, 46341],
    "int64": [0, 1, -1, 2**63 - 1, -2**63, 7, -7, 2**53 + 1],
    "uint8": [0, 1, 255, 128],
}


class Draw:
    def __init__(self, family, seed, index):
        self.numbers = np.random.default_rng([zlib.crc32(family.encode()), seed, index])

    def chance(self, probability):
        return bool(self.numbers.random() < probability)

    def pick(self, options):
        return options[int(self.numbers.integers(len(options)))]

    def integer(self, low, high):
        """From low to high, both included."""
        return int(self.numbers.integers(low, high + 1))

    def integers(self, count, low, high):
        return [self.integer(low, high) for _ in range(count)]

    def subset(self, items, at_least=0):
        count = self.integer(min(at_least, len(items)), len(items))
        return [items[i] for i in self.numbers.permutation(len(items))[:count]]

    def permutation(self, count):
        return [int(i) for i in self.numbers.permutation(count)]

    def shape(self, least_rank=0, most_rank=4, empty=0.04, most=5):
        rank = self.integer(least_rank, most_rank)
        return [0 if self.chance(empty) else self.integer(1, most) for _ in range(rank)]

    def broadcast(self, shape):
        """A shape that broadcasts to `shape`."""
        sizes = [size if self.chance(0.65) else 1 for size in shape]
        return sizes[self.integer(0, len(sizes)):] if self.chance(0.3) else sizes

    def axis(self, rank):
        return self.integer(-rank, rank - 1)

    def axes(self, rank, at_least=0):
        """Different axes, some counted from the end."""
        return [axis - rank if self.chance(0.3) else axis for axis in self.subset(range(rank), at_least)]

    def image(self, most_channels=4):
        batch = 0 if self.chance(0.03) else self.integer(1, 3)
        return [batch, self.integer(1, 9), self.integer(1, 9), self.integer(1, most_channels)]

    def laid_out(self, nhwc, attributes):
        """The sizes in a data format that goes to the attributes."""
        if not self.chance(0.35):
            return nhwc
        attributes["data_format"] = "NCHW"
        return [nhwc[0], nhwc[3], nhwc[1], nhwc[2]]

    def kind(self):
        return self.pick(["normal", "normal", "normal", "whole", "whole", "notable", "wild", "large"])

    def array(self, dtype, shape, kind="normal"):
        return np.asarray(self._array(dtype, list(shape), kind)).astype(dtype)

    def _array(self, dtype, shape, kind):
        random = self.numbers
        if dtype == "bool":
            return random.random(shape) < 0.5
        if not dtype.startswith("float"):
            if kind in ("wild", "notable"):
                notable = np.asarray(NOTABLE_INTEGERS[dtype], dtype)
                chosen = notable[random.integers(0, len(notable), shape)]
                return np.where(random.random(shape) < 0.6, chosen, random.integers(0, 10, shape).astype(dtype))
            low, high = (0, 10) if dtype == "uint8" else (1, 8) if kind == "positive" else (-6, 7)
            return random.integers(low, high, shape)
        if kind in ("wild", "notable"):
            notable = np.asarray(NOTABLE + (NOT_FINITE if kind == "wild" else []))
            chosen = notable[random.integers(0, len(notable), shape)]
            return np.where(random.random(shape) < 0.5, chosen, random.normal(size=shape) * 5)
        return {
            "normal": lambda: random.normal(size=shape),
            "whole": lambda: random.integers(-3, 4, shape),
            "positive": lambda: np.abs(random.normal(size=shape)) + 0.1,
            "unit": lambda: random.uniform(-0.95, 0.95, shape),
            "large": lambda: random.normal(size=shape) * 100,
            "zero": lambda: np.zeros(shape),
        }[kind]()
