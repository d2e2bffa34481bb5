"""Writes torch_baseline.h: variables over 20 steps of PyTorch's AdamW, and factors of its LinearLR.

    .env/peers/bin/python3 tests/optim/torch_baseline.py > tests/optim/torch_baseline.h

The problem is that of optimizer_baseline.py.
"""
import torch

SHAPES = {"matrix": [2, 3], "kernel": [2, 1, 1, 2], "scalar": []}
RATES = [0.05, 0.02, 0.1, 0.01]


def ramp(shape, start, step):
    count = torch.Size(shape).numel()
    return (start + step * torch.arange(count, dtype=torch.float32)).reshape(shape)


def run(options, decayed):
    variables = {name: ramp(shape, 1.0, 0.5).requires_grad_() for name, shape in SHAPES.items()}
    decay = options.pop("weight_decay")
    groups = [{"params": [v], "weight_decay": decay if name in decayed else 0.0} for name, v in variables.items()]
    optimizer = torch.optim.AdamW(groups, lr=0.1, **options)
    rows = []
    for step in range(20):
        for group in optimizer.param_groups:
            group["lr"] = RATES[step // 5]
        optimizer.zero_grad()
        loss = sum((ramp(SHAPES[n], 0.5, 0.25) * (v - ramp(SHAPES[n], -1.0, 0.125)) ** 2).sum()
                   for n, v in variables.items())
        loss.backward()
        optimizer.step()
        rows.append(torch.cat([v.detach().reshape(-1) for v in variables.values()]).tolist())
    return rows


def factors(start_factor, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=start_factor, total_iters=steps)
    values = []
    for _ in range(2 * steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return values


def row(values):
    return "{%s}" % ", ".join("%.9g%s" % (x, "f" if "." in "%.9g" % x or "e" in "%.9g" % x else ".0f") for x in values)


def main():
    print("#pragma once\n\n// Written by torch_baseline.py.\n")
    print("#include <vector>\n\nnamespace belfry::test {\n")
    print("// clang-format off")
    cases = {"adamw": ({"weight_decay": 0.01}, SHAPES),
             "adamw_large": ({"weight_decay": 0.3, "betas": (0.5, 0.9), "eps": 0.1}, ["matrix", "kernel"])}
    for name, (options, decayed) in cases.items():
        print("inline const std::vector<std::vector<float>> k_%s = {" % name)
        for values in run(options, decayed):
            print("    %s," % row(values))
        print("};\n")
    print("/// LinearLR from a factor of 0.25 over 8 steps, for steps 0 to 15.")
    print("inline const std::vector<float> k_linear_warmup = %s;\n" % row(factors(0.25, 8)))
    print("// clang-format on\n}  // namespace belfry::test")


main()
