"""Differences that have a reason other than a fault of Belfry's.

Each is a pattern of the operator, one of the kind of difference, the reason, and a condition on the comparison and the
text of the difference. Who finds one that is not true any more takes it out.
"""
import functools
import math
import re
import typing

import numpy as np

from compare import difference


class Explained(typing.NamedTuple):
    operator: str
    kind: str
    reason: str
    holds: typing.Callable = lambda c, text: True


def says(*words):
    return lambda c, text: all(word in text for word in words)


def zeros_in_first(c, text):
    return (c.inputs["x0"] == 0).any()


def expected_is_no_number(c, text):
    return re.search(r"expected .*(nan|inf)", text) is not None


def empty_input(c, text):
    return any(array.size == 0 for array in c.inputs.values())


def mixed_dtypes(c, text):
    return len({array.dtype for name, array in c.inputs.items() if name[0] == "v"}) > 1


def has_nan(c, text):
    return any(np.isnan(np.asarray(array, float)).any() for array in c.inputs.values())


def has_infinity(c, text):
    return any(np.isinf(np.asarray(array, float)).any() for array in c.inputs.values())


def of_whole_numbers(c, text):
    return c.inputs["x0"].dtype.kind in "iu"


def attributes(c):
    return c.spec["nodes"][0]["attributes"]


def elements_to_a_mean(c):
    """Of a normalisation."""
    shape, channels_first = list(c.inputs["x0"].shape), attributes(c).get("data_format") == "NCHW"
    channels = shape[1 if channels_first else -1]
    if c.spec["operator"] == "layer_norm":
        return math.prod(c.inputs["x1"].shape) if len(c.inputs) > 1 else shape[-1]
    if c.spec["operator"] == "group_norm":
        return math.prod(shape[1:]) // attributes(c)["groups"]
    return math.prod(shape) // channels


def few_to_a_mean(c, text):
    return elements_to_a_mean(c) <= 2


def far_from_zero(c, text):
    x = c.inputs["x0"].astype(float)
    return x.size > 0 and abs(x.mean()) > 5 * x.std()


def what_normalisations_leave(c, text):
    """True of numbers near 0 in a stack of layers of which one normalises what another has."""
    normalising = sum("Norm" in layer["layer"] or "BN" in str(layer) for layer in c.spec["layers"])
    numbers = re.search(r"at .*\] (\S+), expected (\S+)$", text)
    return normalising > 1 and numbers and max(abs(float(n)) for n in numbers.groups()) < 0.01


@functools.lru_cache(maxsize=1)
def trained_nearby(c):
    from layers import train_nearby
    return [train_nearby(c.spec, c.inputs, seed) for seed in range(16)]


def described(c, text):
    """The arrays of trained layers that the text of a difference is of."""
    return [n for n, e in c.expected.items() if n in c.out and difference(c.out[n], e, loose=5, double=1e-6) == text]


def as_exact_as_tensorflow(c, text):
    """Of trained layers: true where what differs is hardly farther from the result in float64 than TensorFlow is. Where nothing
    is left in float64 both are rounding alone, whose size is chance."""
    from layers import train_in_float64

    def distance(a, exact):
        return np.abs(a - exact).max(initial=0)

    def is_exact(n):
        theirs = distance(c.expected[n], exact[n])
        return distance(c.out[n], exact[n]) <= (10 if np.abs(exact[n]).max(initial=0) < 1e-3 * theirs else 3) * theirs

    try:
        exact = train_in_float64(c.spec, c.inputs)
    except TypeError:  # tensorpack's LayerNorm and InstanceNorm have variables of float32 alone
        return False
    names = described(c, text)
    return bool(names) and all(is_exact(n) for n in names)


def moved_by_the_last_digit(c, text):
    """Of trained layers: true where moving the last digits of inputs, variables and what layers give moves TensorFlow's results
    about as far, as behind normalisations of nearly equal numbers, and where a relu is at 0."""
    def moved(n):
        return max(np.abs(other.get(n, c.expected[n]) - c.expected[n]).max(initial=0) for other in trained_nearby(c))

    names = described(c, text)
    return bool(names) and all(np.abs(c.out[n] - c.expected[n]).max(initial=0) <= 4 * moved(n) for n in names)


def normalises_a_single_number(c, text):
    """True of layers of which one takes the mean of one number from it: what is left is 0, or rounding, for the next to scale."""
    from layers import shape_after
    shape = c.spec["shape"]
    for layer in c.spec["layers"]:
        kind, pixels = layer["layer"], math.prod(shape[1:-1])
        shape = shape_after({**layer, "residual": False}, c.spec["dtype"], shape)
        after = math.prod(shape[:-1])  # a layer's BNReLU comes behind it
        if kind == "LayerNorm" and pixels * shape[-1] == 1 or kind == "InstanceNorm" and pixels == 1 or "BN" in str(layer) and after == 1:
            return True
    return False


def moved_by_rounding(c, text):
    """Of trained layers: true where rounding input and variables to bfloat16 moves TensorFlow's result about as far."""
    from layers import infer_rounded
    after = {n.removeprefix("after/"): a for n, a in c.expected.items() if n.startswith("after/")}
    moved = np.abs(infer_rounded(c.spec, c.inputs, after) - c.expected["session/0"]).max(initial=0)
    return float(text.split()[0]) <= 4 * moved


def clips(c):
    return any(p[0] in ("MapGradient", "GlobalNormClip") for p in c.spec["processors"])


EXPLAINED = [
    # TensorFlow's own.
    Explained("weighted_cross_entropy_with_logits", "gradient", "TensorFlow's relu has no gradient at logit 0", zeros_in_first),
    Explained("cumprod|reduce_prod", "gradient", "TensorFlow divides by the factors: nan where one is 0", zeros_in_first),
    Explained("atan2|pow|pow_number|number_pow", "gradient", "TensorFlow divides by 0 where the base, or both operands, are 0", expected_is_no_number),
    Explained("clip_by_(global_)?norm|global_norm|reduce_(stddev|norm)|l2_normalize|psnr", "gradient",
              "TensorFlow's sqrt or logarithm has no gradient at 0", expected_is_no_number),
    Explained("avg_pool2d", "gradient", "TensorFlow's kernel is wrong where the window is larger than the image",
              lambda c, text: c.spec["nodes"][0]["attributes"]["padding"] == "SAME"),
    Explained("GradientDescent|Momentum|Adam", "accepted", "TensorFlow's global norm packs the norms, which must be of one dtype",
              lambda c, text: mixed_dtypes(c, text) and "Pack" in text),
    Explained("resize(_to_tensor)?", "gradient|value|frozen|saved_model", "TensorFlow resizes in float32 whatever the dtype",
              lambda c, text: c.spec["inputs"][0]["dtype"] == "float64"),
    Explained("gather|embedding_lookup", "refused", "TensorFlow looks at no index where no element is asked for",
              lambda c, text: re.search("out of DATA bounds|dim should be positive", text) and empty_input(c, text)),
    Explained("clip_by_norm", "gradient", "the norm is the limit itself: the gradient is one of either side",
              lambda c, text: c.inputs["x0"].size == 1 and abs(c.inputs["x0"]).item() == c.spec["nodes"][0]["attributes"]["max"]),
    Explained("selu", "gradient", "TensorFlow's selu of a number below 0 is 0 where exp(x) is 1, and has the gradient of the other side",
              lambda c, text: ((c.inputs["x0"] < 0) & (c.inputs["x0"] > -1e-7)).any()),
    Explained("softmax", "value|frozen|saved_model", "TensorFlow gives 0 to what stands beside a NaN, by which the formula divides", has_nan),
    Explained("gather_nd|scatter_nd", "accepted|(frozen|saved_model) error", "TensorFlow refuses parts, themselves empty, of what is empty",
              lambda c, text: empty_input(c, text) and re.search("params is empty|[fF]or empty (output|input)|Graph execution error", text)),
    Explained("split_sizes", "accepted", "TensorFlow does not work out the only size", says("If there is only one output")),
    Explained(".*conv.*|graph", "value|(frozen|saved_model)( error)?", "TensorFlow gives a convolution of no images the shape of its input",
              lambda c, text: empty_input(c, text) and re.match("shape|InvalidArgumentError: Graph execution error", text)),
    Explained("Conv2D|stacks", "accepted", "Keras cannot dilate an input of dimensions of the first version", says("unary -: 'Dimension'")),
    Explained("InstanceNorm|LayerNorm|PReLU|stacks", "accepted", "tensorpack's layer has float32 constants or variables", says("does not match type float")),
    Explained("stacks", "gradient/.*", "a normalisation takes out what the one before brought: rounding is left", what_normalisations_leave),
    Explained("Conv2D|FullyConnected|stacks", "gradient/.*", "TensorFlow's own gradient is about as far from that in float64", as_exact_as_tensorflow),
    Explained("Conv2D|FullyConnected|stacks", "gradient/.*|y|after .*|inference", "moving the last digits moves TensorFlow's own results as far",
              moved_by_the_last_digit),
    Explained("stacks", "gradient/.*|y|after .*|inference", "of a number less itself rounding is left, which the next normalisation scales", normalises_a_single_number),
    Explained("BatchNorm|stacks", ".* error", "a layer that updates its averages in inference too, as tensorpack's does, is exported nowhere",
              says("waits for control dependencies")),
    Explained("stacks", "bfloat16", "rounding the input and the variables alone moves TensorFlow's result as much", moved_by_rounding),
    # ATen's own.
    Explained("resize(_to_tensor)?", "value|onnx|frozen|saved_model|reimported", "ATen's bilinear kernel of bytes has weights of 16 bits",
              lambda c, text: c.inputs["x0"].dtype == np.uint8 and text.startswith(tuple("0123456789"))),
    Explained("sign", "value|onnx|frozen|saved_model", "ATen's sign of NaN is 0", has_nan),
    Explained("gelu", "value|gradient|onnx|frozen|saved_model|reimported", "oneDNN's gelu of an infinity is NaN", has_infinity),
    Explained("pow|pow_number", "value|onnx|frozen|saved_model", "ATen's power of 0.5 is a square root, also of -inf", has_infinity),
    Explained("moments", "value|onnx|frozen|saved_model|reimported", "ATen's mean beside a variance subtracts: inf - inf", has_infinity),
    Explained("reduce_logsumexp", "gradient", "ATen's gradient is exp(x - result), and 1 for each of several numbers so large that adding log(n) leaves them",
              lambda c, text: (abs(c.inputs["x0"]) > 1e8).any()),
    Explained("batch_norm_training|layer_norm|group_norm", "value|gradient|onnx|frozen|saved_model|reimported",
              "of one or two elements nothing is left but the rounding of x * a + b, a up to 1/sqrt(epsilon)", few_to_a_mean),
    Explained("layer_norm|group_norm", "gradient", "ATen's gradient takes x * a + b apart, far from 0", far_from_zero),
    Explained("batch_norm_training", "value", "ATen sums a channel in float32, one element after the other", far_from_zero),
    Explained("reduce_stddev", "gradient", "ATen's gradient takes the mean rounded to float32", far_from_zero),
    Explained("l2_normalize", "gradient", "of one element the gradient is what is left of 1/x - x * x / x^3",
              lambda c, text: c.inputs["x0"].shape[attributes(c)["axis"]] == 1),
    # Chosen to be otherwise, and documented.
    Explained("shape|size|topk|topk_tensor|argsort|range|range_of_tensor", "value dtype", "indices and sizes are int64; TensorFlow's default is int32",
              says("int64", "int32")),
    Explained("resize(_to_tensor)?", "value dtype", "the result has the input's dtype; TensorFlow's bilinear one is float32", says("float32")),
    Explained("Momentum", "variables", "TensorFlow leaves rows alone that were not gathered; the formula moves all by their momentum",
              lambda c, text: "gathered" in c.spec["variables"]),
    Explained("GradientDescent|Momentum|Adam", "variables", "TensorFlow clips and measures a row that was gathered twice as two rows",
              lambda c, text: "gathered" in c.spec["variables"] and clips(c)),
    Explained("GradientDescent|Momentum|Adam", "accepted", "tensorpack's ScaleGradient does not multiply what was gathered",
              says("IndexedSlices")),
    Explained("gather_nd|scatter_nd|reshape_to_tensor|strided_slice_tensors", "refused", "a graph knows the rank of each tensor",
              lambda c, text: "whose rank depends on a dynamic dimension" in text or "got [" in text and "?]" in text),
    # Limits that a message says.
    Explained(".*_tensors?", "refused", "a graph knows how many places and sizes there are", lambda c, text: re.search(r"expected .*, got .*\?", text)),
    Explained("(strided_)?slice_tensors", "reimported error", "the import needs to know how many places there are",
              lambda c, text: "axes and steps of one length" in text or "a known number of begins" in text),
    Explained("(strided_)?slice_tensors", "(onnx|frozen|saved_model) error", "the formats need to know how many places there are",
              says("a number of places that only a run knows")),
    Explained("tensordot_lists", "refused", "of many dynamic sizes the search for those that must be known ones ends early",
              lambda c, text: "contracted dimensions need to match" in text and sum(len(i["dynamic"]) for i in c.spec["inputs"]) > 4),
    Explained("layer_norm", "refused", "the sizes that are normalised over are known", says("expected known sizes to normalise over")),
    Explained("batch_norm.*|group_norm", "(onnx|frozen|saved_model) error", "the number of channels is a constant in the format",
              says("got a dynamic number of channels")),
    Explained(".*conv.*|graph", "(onnx|frozen|saved_model) error", "both formats need the filter's sizes", says("a filter of dynamic sizes")),
    Explained("attention", "(onnx|frozen|saved_model) error", "the scale is a constant in both formats", says("dynamic head size")),
    Explained("gather_nd|scatter_nd", "reimported error", "the import needs to know how many dimensions are indexed", says("expected indices of 1 to")),
    # ONNX Runtime's own.
    Explained("cast", "onnx error", "numpy has no bfloat16", says("No corresponding Numpy type")),
    Explained("scatter_nd", "onnx error", "ONNX Runtime looks at indices where nothing is written", lambda c, text: "invalid indice" in text and empty_input(c, text)),
    Explained("(not_)?in_top_k", "onnx|onnx error", "ONNX Runtime keeps the reduced axis of a batch of 0", empty_input),
    Explained("matmul|tensordot|einsum", "onnx", "ONNX Runtime leaves the memory of a sum of no products as it was", empty_input),
    Explained("einsum|tensordot|tensordot_lists", "onnx error", "ONNX Runtime's einsum takes no empty tensor",
              lambda c, text: empty_input(c, text) and "einsum_utils" in text),
    Explained("reduce_(max|min)", "onnx|onnx error", "ONNX Runtime has no maximum of nothing", empty_input),
    Explained("reduce_(mean|variance|stddev)|moments", "onnx", "ONNX Runtime's mean of nothing is 0", empty_input),
    Explained("reduce_(max|min)|erf", "onnx", "ONNX Runtime drops NaN", has_nan),
    Explained("matmul", "onnx error", "ONNX Runtime broadcasts no batch of 0", lambda c, text: empty_input(c, text) and "cannot broadcast" in text),
    Explained("sigmoid_cross_entropy|graph", "onnx|onnx dtype", "ONNX Runtime's optimizer drops what is without elements",
              lambda c, text: empty_input(c, text) and any(i["constant"] for i in c.spec["inputs"]) and ("object" in text or text.startswith("shape"))),
    Explained("sqrt", "onnx", "ONNX Runtime's square root of an infinity is NaN", has_infinity),
    Explained("pow|pow_number|number_pow", "onnx", "ONNX Runtime's power of integers is one of float64, which has other digits beyond their range", of_whole_numbers),
    Explained(".*", "onnx error", "ONNX Runtime's optimizer fails on a constant without elements", says("graph_utils.cc")),
    Explained(".*", "onnx error", "ONNX Runtime divides by a size of 0", lambda c, text: "died" in text and empty_input(c, text)),
]


def reason_for(c, kind, text):
    """The reason of a difference, or None."""
    for e in EXPLAINED:
        if re.fullmatch(e.operator, c.spec["operator"]) and re.fullmatch(e.kind, kind) and e.holds(c, text):
            return e.reason
    return None
