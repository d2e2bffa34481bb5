"""What differs between Belfry's results and the expected ones."""
import numpy as np


def difference(actual, expected, loose=1.0, double=1e-9, slack=0):
    """None where the arrays agree, else a text. The tolerance is part of each element and a little of the largest one,
    since sums of many products are only as exact as their largest terms."""
    if actual.shape != expected.shape:
        return f"shape {list(actual.shape)}, expected {list(expected.shape)}"
    if actual.dtype.kind not in "fV" or expected.dtype.kind not in "fV":
        bad = actual != expected
    else:
        a, e = actual.astype(float), expected.astype(float)
        size = min(actual.dtype.itemsize, expected.dtype.itemsize)
        relative, absolute = {2: (1e-2, 1e-2), 4: (2e-4, 2e-5)}.get(size, (double, double / 10))
        finite = e[np.isfinite(e)]
        largest = np.max(np.abs(finite), initial=0)
        scale = largest if largest < 1e30 else 0
        with np.errstate(all="ignore"):
            close = np.abs(a - e) <= loose * (absolute + relative * np.abs(e) + 0.05 * relative * scale) + slack * max(scale, 1)
            bad = ~(close | (a == e) | (np.isnan(a) & np.isnan(e)))
    if not bad.any():
        return None
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{int(bad.sum())} of {bad.size} differ, at {list(place)} {actual[place]!r}, expected {expected[place]!r}"


def first_line(text):
    return text.split("\n")[0][:300]


class Comparison:
    """The differences of one configuration, as (kind, text) in `found`."""

    def __init__(self, spec, status, out, expected, error):
        self.spec, self.status, self.out, self.expected, self.error = spec, status, out, expected, error
        self.found = []

    def add(self, kind, text):
        if text:
            self.found.append((kind, first_line(str(text))))

    def arrays(self, kind, actual, expected, **how):
        """Of two names; `actual` may be missing only where a step failed, which says so itself."""
        if actual is None:
            return
        self.add(kind, difference(actual, expected, **how))
        if actual.dtype != expected.dtype:
            self.add(f"{kind} dtype", f"{actual.dtype}, expected {expected.dtype}")


def compare_operators(c):
    refused = c.status.get("build") or c.status.get("run")
    if c.error:
        c.add("accepted", None if refused else f"TensorFlow: {c.error}")
        return
    if refused:
        c.add("refused", refused)
        return
    kinds = [i["dtype"][0] for i in c.spec["inputs"]]
    for k in range(len(c.spec["outputs"])):
        session = c.out.get(f"session/{k}")
        if session is None:
            c.add("value", f"no output {k}")
            continue
        expected = c.expected[f"session/{k}"]
        if expected.dtype == np.float32 and session.dtype.itemsize == 2:
            expected = expected.astype(np.float16) if session.dtype == np.float16 else expected
            c.add("value", difference(session, expected))
        else:
            c.arrays("value", session, expected, slack=c.spec["slack"])
        shape = c.status["shapes"][k]
        if shape is not None and (len(shape) != session.ndim or any(s not in (-1, r) for s, r in zip(shape, session.shape))):
            c.add("inferred shape", f"{shape}, run {list(session.shape)}")
        for way in ("compiled", "compiled_in_parts", "compiled_otherwise", "graph_file", "reimported"):
            c.arrays(way, c.out.get(f"{way}/{k}"), session, double=1e-6 if way == "reimported" else 1e-9,
                     slack=c.spec["slack"])
    for step, text in c.status.items():
        if step != "shapes":
            c.add(f"{step} error", text)
    compare_gradients(c)


def compare_gradients(c):
    if any(i["wild"] for i in c.spec["inputs"]):
        return
    if "gradient" in c.status or any(k.startswith("session/") and not v.size for k, v in c.expected.items()):
        return
    for i, spec in enumerate(c.spec["inputs"]):
        if not spec["differentiated"]:
            continue
        actual, expected = c.out.get(f"gradient/{i}"), c.expected.get(f"gradient/{i}")
        if actual is None or expected is None:
            there = actual if actual is not None else expected
            # No gradient and one of zeros mean the same.
            if there is not None and there.any():
                c.add("gradient", f"input {i}: only {'Belfry' if actual is not None else 'TensorFlow'} has one")
            continue
        c.arrays("gradient", actual, expected, loose=3, slack=c.spec["slack"])
        compiled = c.out.get(f"compiled_gradient/{i}")
        if compiled is not None:
            c.add("compiled gradient", difference(compiled, actual, loose=3, slack=c.spec["slack"]))


def compare_layers(c):
    if c.error:
        c.add("accepted", None if "train" in c.status else f"TensorFlow: {c.error}")
        return
    if "train" in c.status:
        c.add("refused", c.status["train"])
        return
    for step, text in c.status.items():
        if step not in ("shape", "trainable"):
            c.add(f"{step} error", text)
    if sorted(c.status["trainable"]) != sorted(c.spec["trainable"]):
        c.add("trainable", f"{c.status['trainable']}, expected {c.spec['trainable']}")
    for name in sorted(set(c.expected) | {n for n in c.out if n.startswith(("step", "after"))}):
        actual, expected = c.out.get(name), c.expected.get(name)
        kind = "after " + name.split("/")[-1] if name.startswith("after") else name.split("/", 1)[-1] if name.startswith("step") else "inference"
        if actual is None or expected is None:
            there = actual if actual is not None else expected
            if there.any() and not (name == "session/0" and "run" in c.status):
                c.add(kind, f"only {'Belfry' if actual is not None else 'tensorpack'} has it")
            continue
        c.arrays(kind, actual, expected, loose=5, double=1e-6)
    session = c.out.get("session/0")
    for way in ("compiled", "graph_file", "reimported"):
        c.arrays(way, c.out.get(f"{way}/0"), session, loose=5, double=1e-6)
    c.arrays("compiled", c.out.get("compiled_of_last/0"), c.out.get("session_of_last/0"), loose=5, double=1e-6)
    low = c.out.get("bfloat16/0")
    if low is not None:
        # Each product of bfloat16 keeps 8 bits; several layers add to that.
        scale = np.abs(session).max(initial=1e-3)
        if not (np.abs(low - session) <= 0.08 * (scale + np.abs(session))).all():
            c.add("bfloat16", f"{np.abs(low - session).max():g} off of {scale:g}")


def compare_optimizer(c):
    if c.error or "run" in c.status:
        if not (c.error and "run" in c.status):
            c.add("refused" if "run" in c.status else "accepted", c.status.get("run") or c.error)
        return
    for name in sorted(set(c.expected) | set(c.out)):
        if name == "after/learning_rate":
            continue
        if name not in c.expected or name not in c.out:
            c.add("variables", f"only {'Belfry' if name in c.out else 'TensorFlow'} has {name}")
            continue
        # TensorFlow's rates and momentums are float32, whatever the variable is.
        c.arrays("variables", c.out[name], c.expected[name], loose=5, double=1e-6, slack=1e-6)


def compare_inferencer(c):
    if "run" in c.status:
        c.add("refused", c.status["run"])
    elif c.status["results"].keys() != c.spec["results"].keys():
        c.add("names", f"{sorted(c.status['results'])}, expected {sorted(c.spec['results'])}")
    else:
        for name, expected in c.spec["results"].items():
            actual = c.status["results"][name]
            if actual is None or abs(actual - expected) > 1e-5:
                c.add("value", f"{name} {actual}, expected {expected}")


COMPARE = {"operators": compare_operators, "layers": compare_layers, "optimizer": compare_optimizer, "inferencer": compare_inferencer}
