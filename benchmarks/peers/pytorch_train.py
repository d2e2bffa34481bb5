"""Training step time of the benchmark models in PyTorch eager, channels-last.

Usage: pytorch_train.py MODEL BATCH STEPS THREADS; prints the median step time in ms.
Work per step: forward, backward, optimizer; the input is a constant batch.
"""
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class MnistConvnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(1 if i == 0 else 32, 32, 3, padding=1) for i in range(4))
        self.fc0 = nn.Linear(32 * 7 * 7, 512)
        self.fc1 = nn.Linear(512, 10)

    def forward(self, x):
        x = x * 2 - 1
        x = F.max_pool2d(F.relu(self.convs[0](x)), 2)
        x = F.relu(self.convs[1](x))
        x = F.max_pool2d(F.relu(self.convs[2](x)), 2)
        x = F.relu(self.convs[3](x))
        x = F.relu(self.fc0(x.flatten(1)))
        return self.fc1(F.dropout(x, 0.5, self.training))


class Residual(nn.Module):
    """Pre-activation block of tensorpack's CIFAR ResNet."""

    def __init__(self, channels, stride, first):
        super().__init__()
        self.first, self.stride = first, stride
        out = channels * stride
        self.bn0 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)

    def forward(self, x):
        a = x if self.first else F.relu(self.bn0(x))
        c = self.conv2(F.relu(self.bn1(self.conv1(a))))
        if self.stride == 2:
            x = F.avg_pool2d(x, 2)
            x = F.pad(x, (0, 0, 0, 0, x.shape[1] // 2, x.shape[1] // 2))
        return c + x


class CifarResnet(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.conv0 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn0 = nn.BatchNorm2d(16)
        blocks = []
        for stage, channels in enumerate([16, 16, 32]):
            for i in range(n):
                stride = 2 if stage > 0 and i == 0 else 1
                blocks.append(Residual(channels if stride == 2 or stage == 0 else channels * 2, stride, stage == 0 and i == 0))
        self.blocks = nn.Sequential(*blocks)
        self.bn_last = nn.BatchNorm2d(64)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn0(self.conv0(x))))
        return self.linear(F.relu(self.bn_last(x)).mean((2, 3)))


def main():
    model_name, batch, steps, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if model_name == "mnist":
        model, shape = MnistConvnet(), (batch, 1, 28, 28)
    else:
        model, shape = CifarResnet(), (batch, 3, 32, 32)
    model = model.to(memory_format=torch.channels_last).train()
    if model_name == "mnist":
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    image = torch.rand(shape).contiguous(memory_format=torch.channels_last)
    label = torch.randint(0, 10, (batch,))
    times = []
    for step in range(steps + 5):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(image), label)
        loss.backward()
        optimizer.step()
        if step >= 5:
            times.append((time.perf_counter() - start) * 1e3)
    print(f"{statistics.median(times):.3f}")


main()
