#!/usr/bin/env python3
"""Holds the sources of belfry/ to the folder table of docs/architecture.md.

usage: tools/check_layers.py [ROOT]

Prints one line for each breach and exits with 1 if there is any. The table exists once, in the page.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
ROW = re.compile(r"^\| (\w+) \| .* \| ([^|]+) \|$")
TORCH = re.compile(r"^(ATen|c10|torch|caffe2)/")
WITHOUT_TORCH = {"base", "formats", "program"}
WITHOUT_PUBLIC_HEADERS = {"program"}  # they are not installed: sources and internal headers include them
# The dataflows of the other library share private headers with those of the first; the compiler of steps is made of
# the planner's passes and the inference compiler's.
FRIENDS = {("data", "dataflow"), ("step", "runtime"), ("step", "inference")}


def read_table(page):
    """Folder -> all folders it may include, itself among them. Rows refer to rows in any order."""
    named = {}
    for line in page.splitlines():
        row = ROW.match(line)
        if row and row[1] != "folder":
            above = list(named)
            words = row[2].strip()
            named[row[1]] = {"everything above": above, "everything": None, "std": []}.get(words, words.split(", "))
    if not named:
        raise SystemExit("check_layers: docs/architecture.md holds no folder table")

    def closure(folder, seen):
        if folder not in seen:
            if folder not in named:
                raise SystemExit(f"check_layers: the folder table refers to {folder!r}, which has no row")
            seen.add(folder)
            for other in named if named[folder] is None else named[folder]:
                closure(other, seen)
        return seen

    return {folder: closure(folder, set()) for folder in named}


def breach(path, include, quoted, allowed):
    """What is wrong with this include in this file (path below belfry/), or None."""
    folder = path.parts[0] if len(path.parts) > 1 else None
    if include == "torch/torch.h":
        return "takes 12-20 s to compile; include <ATen/core/Tensor.h> and <ATen/ops/NAME.h>"
    if folder in WITHOUT_TORCH and TORCH.match(include):
        return f"{folder} knows no LibTorch"
    if not include.startswith("belfry/"):
        return 'write includes of our own headers as "belfry/folder/file.h"' if quoted else None
    if not quoted:
        return "write our own headers in quotes"
    target = pathlib.PurePath(include).parts[1:]
    if "internal" in target:
        if target[0] != folder and (folder, target[0]) not in FRIENDS:
            return f"internal to {target[0]}"
        if path.suffix == ".h" and "internal" not in path.parts:
            return "a public header may not need a private one"
    if target[0] in WITHOUT_PUBLIC_HEADERS - {folder} and path.suffix == ".h" and "internal" not in path.parts:
        return f"a public header may not need {target[0]}, which is not installed"
    if folder is None:
        return None  # belfry/belfry.h lists the whole public surface
    if len(target) < 2:
        return "include the headers that are used, not the list of all"
    if target[0] not in allowed[folder]:
        return f"{folder} may include only {', '.join(sorted(allowed[folder] - {folder})) or 'std'}"
    return None


def check(root):
    allowed = read_table((root / "docs/architecture.md").read_text(encoding="utf-8"))
    sources = root / "belfry"
    for folder in sorted(entry.name for entry in sources.iterdir() if entry.is_dir()):
        if folder not in allowed:
            yield f"belfry/{folder}: no row in the folder table of docs/architecture.md"
    for file in sorted([*sources.rglob("*.h"), *sources.rglob("*.cpp")]):
        path = file.relative_to(sources)
        if len(path.parts) > 1 and path.parts[0] not in allowed:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            reason = match and breach(path, match[1] or match[2], bool(match[1]), allowed)
            if reason:
                yield f"{file.relative_to(root)}:{number}: {line.strip()}: {reason}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    breaches = list(check(root))
    print("\n".join(breaches) or "check_layers: passed")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
