"""Differences that have a reason other than a fault of Belfry's.

Each is a pattern of the operator, one of the kind of difference, the reason, and a condition on the comparison and the
text of the difference. Who finds one that is not true any more takes it out.
"""
import re
import typing


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
    Explained("resize", "gradient|value|frozen", "TensorFlow resizes in float32 whatever the dtype",
              lambda c, text: c.spec["inputs"][0]["dtype"] == "float64"),
    Explained("gather|embedding_lookup", "refused", "TensorFlow looks at no index where no element is asked for",
              lambda c, text: "out of DATA bounds" in text and empty_input(c, text)),
    Explained("clip_by_norm", "gradient", "the norm is the limit itself: the gradient is one of either side",
              lambda c, text: c.inputs["x0"].size == 1 and abs(c.inputs["x0"]).item() == c.spec["nodes"][0]["attributes"]["max"]),
    # Chosen to be otherwise, and documented.
    Explained("shape|size|topk|argsort|range|range_of_tensor", "value dtype", "indices and sizes are int64; TensorFlow's default is int32",
              says("int64", "int32")),
    Explained("resize", "value dtype", "the result has the input's dtype; TensorFlow's bilinear one is float32", says("float32")),
    Explained("Momentum", "variables", "TensorFlow leaves rows alone that were not gathered; the formula moves all by their momentum",
              lambda c, text: "gathered" in c.spec["variables"]),
    Explained("GradientDescent|Momentum|Adam", "variables", "TensorFlow clips and measures a row that was gathered twice as two rows",
              lambda c, text: "gathered" in c.spec["variables"] and clips(c)),
    Explained("GradientDescent|Momentum|Adam", "accepted", "tensorpack's ScaleGradient does not multiply what was gathered",
              says("IndexedSlices")),
    Explained("gather_nd|scatter_nd|reshape_to_tensor", "refused", "a graph knows the rank of each tensor",
              lambda c, text: "whose rank depends on a dynamic dimension" in text or "got [" in text and "?]" in text),
    # Limits that an export says.
    Explained(".*conv.*|graph", "(onnx|frozen|saved_model) error", "both formats need the filter's sizes", says("a filter of dynamic sizes")),
    Explained("attention", "(onnx|frozen|saved_model) error", "the scale is a constant in both formats", says("dynamic head size")),
    # ONNX Runtime's own.
    Explained("cast", "onnx error", "numpy has no bfloat16", says("No corresponding Numpy type")),
    Explained("(not_)?in_top_k", "onnx|onnx error", "ONNX Runtime keeps the reduced axis of a batch of 0", empty_input),
    Explained("matmul|tensordot|einsum", "onnx", "ONNX Runtime leaves the memory of a sum of no products as it was", empty_input),
    Explained("reduce_(max|min)", "onnx error", "ONNX Runtime has no maximum of nothing", empty_input),
    Explained("bias_add", "onnx error", "ONNX Runtime's optimizer fails on a constant without elements", says("graph_utils.cc")),
    Explained(".*", "onnx error", "ONNX Runtime divides by a size of 0", lambda c, text: "died" in text and empty_input(c, text)),
]


def reason_for(c, kind, text):
    """The reason of a difference, or None."""
    for e in EXPLAINED:
        if re.fullmatch(e.operator, c.spec["operator"]) and re.fullmatch(e.kind, kind) and e.holds(c, text):
            return e.reason
    return None
