"""One peer of benchmarks/training on one net.

Usage: training_peer.py PEER NET BATCH THREADS DTYPE LOSSES

Loads its libraries, and waits for a line. Then it reads and prints what benchmarks/train_step.cpp does, but "work".
"""
import functools
import os
import resource
import statistics
import sys
import time

from training_nets import CASES


# Each peer: imports its libraries and returns a function that makes an object whose `step()` does one step and returns
# its losses as numbers.

def pytorch(threads, compiled=False):
    import torch
    from torch_training import TorchTraining
    torch.set_num_threads(threads)
    return functools.partial(TorchTraining, compiled=compiled)


def pytorch_compile(threads):
    return pytorch(threads, compiled=True)


def tensorpack(threads):
    from tensorpack_training import TensorpackTraining
    return functools.partial(TensorpackTraining, threads=threads)


def keras(threads):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])  # XLA takes as many threads as it may use
    os.environ["KERAS_BACKEND"] = "jax"
    from keras_training import KerasTraining
    return KerasTraining


PEERS = {peer.__name__: peer for peer in (pytorch, pytorch_compile, tensorpack, keras)}


def median_time(step, seconds):
    """Of the steps that begin in so many seconds; in several processes, of so many steps."""
    times, start = [], time.perf_counter()
    end = start + seconds
    alone = int(os.environ.get("WORLD_SIZE", 1)) == 1
    while not times or (start < end if alone else len(times) < seconds):
        step()
        now = time.perf_counter()
        times.append((now - start) * 1e3)
        start = now
    return statistics.median(times)


def main():
    peer, net, batch, threads, dtype, losses = sys.argv[1:]
    batch, threads, losses = int(batch), int(threads), int(losses)

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # tensorpack's log goes to the standard output
    load = PEERS[peer](threads)
    sys.stdin.readline()

    def make(dropout):
        return load(CASES[net], batch, dtype, dropout)

    training = None
    if losses > 0:
        training = make(dropout=False)
        print("losses", *(f"{loss:.8g}" for _ in range(losses) for loss in training.step()), file=answers)
    if training is None or net == "mnist":  # the one net with dropout
        training = make(dropout=True)
        for _ in range(2):  # the first steps compile, and find their memory
            training.step()
    print("ready", file=answers)
    for line in sys.stdin:
        milliseconds = median_time(training.step, float(line))
        print(f"{milliseconds:.4f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}", file=answers)


if __name__ == "__main__":
    main()
