"""Whether two samples, Belfry's and TensorFlow's, seem to be of one distribution, and whether seeds do what they say."""
import numpy as np

QUANTILES = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99]
DISCRETE = ["random_bernoulli", "dropout", "Dropout"]


def compare_samples(c, actual, expected, independent):
    """`independent` numbers were drawn; the others are copies of them."""
    deviation = expected.std()
    error = 7 * deviation / np.sqrt(independent) + 1e-6
    if abs(actual.mean() - expected.mean()) > error:
        c.add("mean", f"{actual.mean():g}, expected {expected.mean():g}")
    if abs(actual.std() - deviation) > 0.02 * deviation + error:
        c.add("deviation", f"{actual.std():g}, expected {deviation:g}")
    off = np.abs(np.quantile(actual, QUANTILES) - np.quantile(expected, QUANTILES)).max()
    if c.spec["operator"] not in DISCRETE and "int" not in c.spec["dtype"] and off > 0.06 * deviation + 1e-6:
        c.add("quantiles", f"{off:g} off, deviation {deviation:g}")


def compare_orthogonal(c, actual):
    matrix = actual.reshape(-1, actual.shape[-1]) / c.spec["gain"]
    matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    if abs(matrix.T @ matrix - np.eye(matrix.shape[1])).max() > 1e-4:
        c.add("orthogonality", "the columns are not orthogonal")


def compare_frequencies(c, actual, logits):
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for row, expected in zip(actual, probabilities):
        found = np.bincount(row.astype(int), minlength=len(expected)) / row.size
        if abs(found - expected).max() > 0.015:
            c.add("frequencies", f"{found}, expected {expected}")


def compare_drawn(c):
    if "run" in c.status or c.error:
        c.add("refused", c.status.get("run") or c.error)
        return
    actual, expected = c.out["drawn"], c.expected["drawn"]
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        c.add("kind", f"{actual.dtype}{list(actual.shape)}, expected {expected.dtype}{list(expected.shape)}")
        return
    name = c.spec["operator"]
    actual, expected = actual.astype(float), expected.astype(float)
    if name == "orthogonal":
        compare_orthogonal(c, actual)
    elif name == "random_shuffle":
        if sorted(actual) != sorted(expected) or (actual == np.sort(actual)).all():
            c.add("order", "no permutation")
    elif name == "random_categorical":
        compare_frequencies(c, actual, c.inputs["logits"])
    else:
        noise = c.spec.get("noise_shape")
        compare_samples(c, actual, expected, max(noise) if noise else actual.size)
        if noise and (actual != actual.take([0], noise.index(1))).any():
            c.add("noise shape", "not the same along the dimension of size 1")
    compare_seeds(c)


def compare_seeds(c):
    constant = c.spec["runner"] == "random" and c.spec["operator"] in DISCRETE and c.spec["a"] in (0.0, 1.0)
    if constant:
        return
    if c.status.get("runs agree"):
        c.add("seed", "two runs of one session draw the same")
    if c.status["sessions agree"] != ("seed" in c.spec or "graph_seed" in c.spec):
        c.add("seed", f"sessions agree: {c.status['sessions agree']}")
