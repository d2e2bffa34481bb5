"""Writes CIFAR's Python version with random pictures, and what tensorpack reads of it.

usage: tests/dataflow/cifar_pickles.py FOLDER

FOLDER gets cifar-10-batches-py/test_batch and cifar-100-python/test with their lists of names, pickled as the published
files are: by Python 2, protocol 2, where text is a plain string of bytes. A line for each data set follows on stdout: the
number of pictures, a sum over the labels and one over the pixels, both weighted by their places, and the last name.
"""
import os
import pathlib
import struct
import sys

sys.modules["tensorflow"] = None  # tensorpack's dataflows do without, and start ten times faster
out, sys.stdout = sys.stdout, sys.stderr  # where tensorpack's log goes

import numpy as np
from tensorpack.dataflow.dataset import Cifar10, Cifar100


class Pickler:
    """Writes what Python 2's cPickle does for the values below, its memo counting from 1."""

    def __init__(self):
        self.out, self.count = [b"\x80\x02"], 0

    def put(self):
        self.count += 1
        self.out.append(b"q" + bytes([self.count]) if self.count < 256 else b"r" + struct.pack("<I", self.count))

    def write(self, value):
        if isinstance(value, dict):
            self.out.append(b"}")
            self.put()
            self.out.append(b"(")
            for key, item in value.items():
                self.write(key)
                self.write(item)
            self.out.append(b"u")
        elif isinstance(value, list):
            self.out.append(b"]")
            self.put()
            for begin in range(0, len(value), 1000):
                self.out.append(b"(")
                for item in value[begin:begin + 1000]:
                    self.write(item)
                self.out.append(b"e")
        elif isinstance(value, (str, bytes)):
            text = value.encode() if isinstance(value, str) else value
            self.out.append(b"U" + bytes([len(text)]) if len(text) < 256 else b"T" + struct.pack("<I", len(text)))
            self.out.append(text)
            self.put()
        elif isinstance(value, np.ndarray):
            self.out.append(b"cnumpy.core.multiarray\n_reconstruct\n")
            self.put()
            self.out.append(b"cnumpy\nndarray\n")
            self.put()
            self.out.append(b"K\x00\x85")
            self.put()
            self.write("b")
            self.out.append(b"\x87")
            self.put()
            self.out.append(b"R")
            self.put()
            self.out.append(b"(K\x01M" + struct.pack("<H", value.shape[0]) + b"M" + struct.pack("<H", value.shape[1]) + b"\x86")
            self.put()
            self.out.append(b"cnumpy\ndtype\n")
            self.put()
            self.write("u1")
            self.out.append(b"K\x00K\x01\x87")
            self.put()
            self.out.append(b"R")
            self.put()
            self.out.append(b"(K\x03")
            self.write("|")
            self.out.append(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t")
            self.put()
            self.out.append(b"b\x89")
            self.write(value.tobytes())
            self.out.append(b"t")
            self.put()
            self.out.append(b"b")
        else:
            self.out.append(b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value))

    def bytes(self, value):
        self.write(value)
        return b"".join(self.out) + b"."


def write(folder, files):
    folder.mkdir(parents=True)
    for name, value in files.items():
        (folder / name).write_bytes(Pickler().bytes(value))


def show(dataset):
    dataset.reset_state()
    pixels = labels = count = 0
    weights = np.arange(3072).reshape(32, 32, 3) % 7 + 1
    for image, label in dataset:
        count += 1
        labels += label * (count % 11)
        pixels += int((image * weights).sum()) * (count % 5 + 1)
    print(count, labels, pixels, dataset.get_label_names()[-1], file=out)


def main():
    root = pathlib.Path(sys.argv[1])
    rng = np.random.RandomState(3)
    data = rng.randint(0, 256, (10000, 3072)).astype("uint8")
    names = [f"test_{i:05}.png" for i in range(10000)]
    tens = rng.randint(0, 10, 10000).tolist()
    fine, coarse = rng.randint(0, 100, 10000).tolist(), rng.randint(0, 20, 10000).tolist()
    write(root / "cifar-10-batches-py", {
        "test_batch": {"batch_label": "testing batch 1 of 1", "labels": tens, "data": data, "filenames": names},
        "batches.meta": {"num_cases_per_batch": 10000, "label_names": [f"class {i}" for i in range(10)], "num_vis": 3072},
    })
    write(root / "cifar-100-python", {
        "test": {"filenames": names, "batch_label": "testing batch 1 of 1", "fine_labels": fine, "coarse_labels": coarse,
                 "data": data[::-1].copy()},
        "meta": {"fine_label_names": [f"fine {i}" for i in range(100)], "coarse_label_names": [f"coarse {i}" for i in range(20)]},
    })
    assert os.path.getsize(root / "cifar-10-batches-py/batches.meta") == 158 + 10 * len("class 0") - len(
        "airplaneautomobilebirdcatdeerdogfroghorseshiptruck")  # the published one has 158 bytes
    show(Cifar10("test", dir=str(root)))
    show(Cifar100("test", dir=str(root)))


if __name__ == "__main__":
    main()
