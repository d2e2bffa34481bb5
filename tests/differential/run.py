"""Random configurations of Belfry beside TensorFlow and tensorpack.

usage: run [options] FAMILY SEED COUNT    FAMILY may be several with commas, or operators, layers, training: all of a part
       run [options] --short PART         the fixed configurations of CI

options: --index N       only that configuration, printed whole, with its arrays
         --driver PATH   the program; build/release/tests/differential/differential_driver by default
         --folder PATH   where files go and stay; a temporary folder by default
         --no-exports    without ONNX Runtime and frozen graphs
         --all           prints each difference, and the explained ones too
Exits with 1 if there is a difference that explained.py does not have.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# TensorFlow's convolutions of oneDNN end the process on some shapes.
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.get_logger().setLevel("ERROR")

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHUNK = 250
SHORT_SEED = 1
SHORT_COUNT = {"operators": 12, "layers": 8, "training": 25}


def part_of(name):
    """(the families of the part that has the family, or of that part; the function that makes configurations)."""
    layered = {"layers": ["layers", "stacks"], "training": ["optimizers", "initializers", "random", "inferencers"]}
    for part, families in layered.items():
        if name == part or name in families:
            tf.compat.v1.disable_v2_behavior()
            module = __import__(part)
            # The family "layers" has the name of its part: asked for by hand it means the part.
            return (families if name == part else [name]), module.generate
    import generate_operators
    from case import FAMILIES
    if name != "operators" and name not in FAMILIES:
        sys.exit(f"no family {name}; there are {', '.join(sorted(FAMILIES))}, {', '.join(sum(layered.values(), []))}")
    return (sorted(FAMILIES) if name == "operators" else [name]), generate_operators.generate


class Suite:
    """Configurations with the arrays of all of them."""

    def __init__(self, folder, made):
        self.folder, self.specs, self.inputs, self.expected, self.errors = folder, [], {}, {}, {}
        for spec, inputs, expected, error in made:
            identity = spec["id"]
            for i, described in enumerate(spec.get("inputs", [])):
                described["wild"] = not np.isfinite(np.asarray(inputs[f"x{i}"], float)).all()
            self.specs.append(spec)
            self.inputs[identity], self.expected[identity], self.errors[identity] = inputs, expected, error
        pathlib.Path(folder, "spec.json").write_text(json.dumps(self.specs))
        np.savez(f"{folder}/in.npz", **{f"{i}/{n}": a for i, arrays in self.inputs.items() for n, a in arrays.items()})
        self.out, self.status = collections.defaultdict(dict), {}

    def run(self, driver, begin, end, exports):
        """Runs some of the configurations; where the program dies, one after the other."""
        command = [driver, self.folder, str(begin), str(end)] + ["--exports"] * exports
        died = subprocess.run(command, capture_output=True, text=True)
        if died.returncode == 0:
            self.read(begin)
        elif end - begin == 1:
            self.status[self.specs[begin]["id"]] = {"died": f"exit status {died.returncode}: {died.stderr[-300:]}"}
        else:
            at = pathlib.Path(self.folder, "at").read_text()
            print(f"the driver died with {died.returncode} at {self.specs[int(at)]['id'] if at else begin}; runs {begin} to {end - 1} again, alone")
            for i in range(begin, end):
                self.run(driver, i, i + 1, exports)

    def read(self, begin):
        self.status.update(json.loads(pathlib.Path(self.folder, f"status.{begin}.json").read_text()))
        path = f"{self.folder}/out.{begin}.npz"
        if not os.path.exists(path):
            return
        with np.load(path) as arrays:
            for name in arrays.files:
                identity, array = name.split("/", 1)
                self.out[identity][array] = arrays[name]

    def comparisons(self):
        from compare import COMPARE, Comparison
        from distributions import compare_drawn
        compare = {**COMPARE, "initializer": compare_drawn, "random": compare_drawn}
        for spec in self.specs:
            identity = spec["id"]
            c = Comparison(spec, self.status.get(identity, {}), self.out[identity], self.expected[identity], self.errors[identity])
            c.inputs = self.inputs[identity]
            if "died" in c.status or "driver" in c.status:
                c.add("died", c.status.get("died") or c.status["driver"])
            else:
                compare[spec["runner"]](c)
            yield c


def describe(c):
    hidden = ("id", "runner", "export", "compile_gradient", "saved_model", "graph_file", "reimport", "slack", "gradient", "operator", "trainable")
    spec = {k: v for k, v in c.spec.items() if k not in hidden}
    if "rates" in spec:
        spec["rates"] = spec["rates"][:2] + ["..."]
    if "inputs" in spec:
        spec["inputs"] = [f"{i['dtype']}{i['shape']}" + " constant" * i["constant"] + (f" dynamic {i['dynamic']}" if i["dynamic"] else "") for i in spec["inputs"]]
    return json.dumps(spec)


def report(comparisons, everything):
    from explained import reason_for
    groups, explained, agreed = collections.defaultdict(list), collections.Counter(), 0
    for c in comparisons:
        unexplained = []
        for kind, text in c.found:
            reason = reason_for(c, kind, text)
            if reason:
                explained[f"{c.spec['operator']}, {kind}: {reason}"] += 1
            else:
                unexplained.append((kind, text))
        agreed += not unexplained
        for kind, text in unexplained:
            groups[c.spec["operator"], kind].append((c, text))
    for (operator, kind), found in sorted(groups.items()):
        print(f"{operator}, {kind}: {len(found)}")
        for c, text in found[:None if everything else 2]:
            print(f"    {c.spec['id']} {describe(c)}\n        {text}")
    for reason, count in explained.items() if everything else []:
        print(f"explained {count}: {reason}")
    print(f"{agreed} of {len(comparisons)} agree, {sum(explained.values())} explained differences")
    return not groups


def parsed():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("family", nargs="?")
    parser.add_argument("seed", nargs="?", type=int, default=SHORT_SEED)
    parser.add_argument("count", nargs="?", type=int)
    parser.add_argument("--short")
    parser.add_argument("--index", type=int)
    parser.add_argument("--driver", default=str(ROOT / "build/release/tests/differential/differential_driver"))
    parser.add_argument("--folder")
    parser.add_argument("--no-exports", action="store_true")
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    if not arguments.short and not (arguments.family and (arguments.count or arguments.index is not None)):
        parser.error("FAMILY SEED COUNT, or --short PART")
    return arguments


def main():
    arguments = parsed()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    count = arguments.count or SHORT_COUNT.get(arguments.short, 1)
    indices = [arguments.index] if arguments.index is not None else range(count)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or temporary
        os.makedirs(folder, exist_ok=True)
        made = []
        for name in (arguments.short or arguments.family).split(","):
            families, generate = part_of(name)
            made += [generate(family, arguments.seed, i) for family in families for i in indices]
        suite = Suite(folder, made)
        for begin in range(0, len(made), CHUNK):
            suite.run(arguments.driver, begin, min(begin + CHUNK, len(made)), not arguments.no_exports)
        comparisons = list(suite.comparisons())
        if not arguments.no_exports:
            from exports import Runner, compare_exports
            runner = Runner()
            ran = collections.Counter(way for c in comparisons if c.out for way in compare_exports(c, folder, runner))
            runner.close()
            print("exports run:", ", ".join(f"{n} {way}" for way, n in sorted(ran.items())) or "none")
        if arguments.index is not None:
            for c in comparisons:
                for title, arrays in [("input", c.inputs), ("expected", c.expected), ("Belfry", c.out)]:
                    for name, array in sorted(arrays.items()):
                        print(f"{title} {name} {array.dtype}{list(array.shape)}\n{array}")
        sys.exit(0 if report(comparisons, arguments.all or arguments.index is not None) else 1)


if __name__ == "__main__":
    main()
