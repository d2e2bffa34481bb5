"""Writes what the engines of benchmarks/inference read.

Usage: export_nets.py FOLDER NET-BATCH...

NET.npz: random weights by Belfry's names; NET-BATCH.npz: an input and the output expected of it, by PyTorch;
NET-BATCH.onnx. Files newer than the nets' definition are kept.
"""
import logging
import pathlib
import sys

import numpy as np
import torch

import nets
import torch_ops


def newer_than_definition(path):
    definition = max(pathlib.Path(module.__file__).stat().st_mtime for module in (nets, torch_ops))
    return path.exists() and path.stat().st_mtime > definition


def publish(path, write):
    """An interrupted run leaves no half a file."""
    new = path.with_name("new-" + path.name)
    write(new)
    new.rename(path)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    for case in sys.argv[2:]:
        name, batch = case.rsplit("-", 1)
        net, weights_path = nets.NETS[name], folder / f"{name}.npz"
        fresh = newer_than_definition(weights_path)
        if fresh and newer_than_definition(folder / f"{case}.npz"):
            continue
        print(f"exporting {case}", flush=True)
        weights = dict(np.load(weights_path)) if fresh else {}
        # ONNX images are [C, H, W] in memory too, which a flattened one shows.
        module = torch_ops.TorchNet(net, weights, channels_last=False)
        if not fresh:
            publish(weights_path, lambda path: np.savez(path, **weights))
        images = torch.rand((int(batch), *net.shape), generator=torch.Generator().manual_seed(1))
        model_input = torch_ops.to_torch(images).contiguous()
        torch.onnx.export(module, (model_input,), folder / f"{case}.onnx", dynamo=True, external_data=False,
                          verbose=False)
        with torch.inference_mode():
            expected = module(model_input)
        # Last: it says that the case is complete.
        publish(folder / f"{case}.npz", lambda path: np.savez(path, input=images.numpy(), expected=expected.numpy()))


main()
