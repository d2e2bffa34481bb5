"""Writes what the engines of benchmarks/inference read.

Usage: export_nets.py FOLDER NET-BATCH...

NET.npz: random weights by Belfry's names; NET-BATCH.npz: an input and the output expected of it, by PyTorch;
NET-BATCH.onnx. What is there already is kept, unless the nets were defined otherwise then.
"""
import hashlib
import logging
import pathlib
import sys

import numpy as np
import torch

import nets
import torch_ops


def start_over_when_changed(folder):
    """Removes what was made by another definition of the nets."""
    sources = b"".join(pathlib.Path(module.__file__).read_bytes() for module in (nets, torch_ops))
    definition, stamp = hashlib.sha256(sources).hexdigest(), folder / "definition"
    if not stamp.exists() or stamp.read_text() != definition:
        for file in (*folder.glob("*.npz"), *folder.glob("*.onnx")):
            file.unlink()
        stamp.write_text(definition)


def publish(path, write):
    """An interrupted run leaves no half a file."""
    new = path.with_name("new-" + path.name)
    write(new)
    new.rename(path)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    start_over_when_changed(folder)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    for case in sys.argv[2:]:
        name, batch = case.rsplit("-", 1)
        net, weights_path = nets.NETS[name], folder / f"{name}.npz"
        if (folder / f"{case}.npz").exists():
            continue
        print(f"exporting {case}", flush=True)
        weights = dict(np.load(weights_path)) if weights_path.exists() else {}
        # ONNX images are [C, H, W] in memory too, which a flattened one shows.
        module = torch_ops.TorchNet(net, weights, channels_last=False)
        if not weights_path.exists():
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
