"""Operators that work element by element."""
from case import Case, family
from draw import FLOATS, INTEGERS

COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
BINARY = ["add", "subtract", "multiply", "divide", "floor_div", "floor_mod", "maximum", "minimum", "squared_difference",
          "pow", "atan2", "logical_and", "logical_or", "logical_xor"] + COMPARISONS
WITH_NUMBER = [f"{name}_number" for name in ["add", "subtract", "multiply", "divide", "floor_div", "floor_mod", "maximum",
                                             "minimum", "pow"] + COMPARISONS]
WITH_NUMBER += [f"number_{name}" for name in ["add", "subtract", "multiply", "divide", "pow"]]
# Of these any number may be the operand; the others get one that is finite.
WITH_ANY_NUMBER = ["maximum_number", "minimum_number", "less_number", "greater_number", "equal_number",
                   "multiply_number", "add_number"]
UNARY = """abs neg sign exp expm1 log log1p sqrt rsqrt square reciprocal sin cos tan asin acos atan sinh cosh erf floor ceil
    round is_nan is_inf is_finite relu relu6 sigmoid tanh gelu gelu_tanh silu elu selu hardswish softplus softsign
    log_sigmoid""".split()
OF_INTEGERS = ["abs", "neg", "sign", "square", "round", "relu", "relu6"]
PERIODIC = ["sin", "cos", "tan"]


@family
def binary(draw):
    operator = draw.pick(BINARY)
    shape = draw.shape()
    shapes = [shape, shape if draw.chance(0.3) else draw.broadcast(shape)]
    if draw.chance(0.5):
        shapes.reverse()
    if operator.startswith("logical"):
        dtype = "bool"
    elif operator == "atan2":
        dtype = draw.pick(FLOATS)
    else:
        dtype = draw.pick(FLOATS + INTEGERS + (["bool", "uint8"] if operator in ("equal", "not_equal") else []))
    kinds = [draw.kind(), draw.kind()]
    if dtype in INTEGERS:
        kinds = [draw.pick(["normal", "normal", "wild"]), draw.pick(["normal", "positive", "positive", "wild"])]
    x, y = (draw.array(dtype, s, k) for s, k in zip(shapes, kinds if dtype != "uint8" else ["normal"] * 2))
    if x.shape == y.shape and draw.chance(0.15):
        y = x.copy()
    return Case(operator, [x, y], kind=" ".join(kinds))


@family
def with_number(draw):
    operator = draw.pick(WITH_NUMBER)
    dtype = draw.pick(FLOATS + INTEGERS)
    y = draw.pick([0, 1, 2, 3, -1, -2, 7, 0.5, -0.5, 1.5, 2.5, 0.0, 1e-3, -3.0, 0.1, 1e20, "inf", "-inf", "nan"])
    if isinstance(y, str) and operator not in WITH_ANY_NUMBER:
        y = 2
    kind = draw.kind() if dtype in FLOATS else draw.pick(["normal", "normal", "wild"])
    return Case(operator, [draw.array(dtype, draw.shape(), kind)], {"y": y}, kind=kind)


@family
def unary(draw):
    operator = draw.pick(UNARY)
    integers = operator in OF_INTEGERS and draw.chance(0.3)
    dtype = draw.pick(INTEGERS if integers else FLOATS)
    kind = draw.pick(["normal", "wild"]) if integers else draw.kind()
    if operator in PERIODIC and kind in ("wild", "notable"):
        kind = "normal"
    return Case(operator, [draw.array(dtype, draw.shape(), kind)], kind=kind)


@family
def clips(draw):
    operator = draw.pick(["clip_by_value", "clip_by_norm", "global_norm", "clip_by_global_norm", "add_n", "prelu", "leaky_relu",
                          "logical_not"])
    dtype = draw.pick(FLOATS)
    shape = draw.shape()
    if operator == "clip_by_value":
        dtype = draw.pick(FLOATS + INTEGERS)
        low, high = draw.pick([(-1, 1), (0, 2), (-3, 3), (0, 0)])
        if dtype in FLOATS and draw.chance(0.6):
            low, high = draw.pick([(-0.5, 0.5), ("-inf", 1), (-1e30, 1e30), (0.5, 1.7)])
        kind = draw.kind() if dtype in FLOATS else "normal"
        return Case(operator, [draw.array(dtype, shape, kind)], {"min": low, "max": high}, kind=kind)
    if operator == "logical_not":
        return Case(operator, [draw.array("bool", shape)])
    if operator == "prelu":
        return Case(operator, [draw.array(dtype, shape), draw.array(dtype, draw.broadcast(shape))])
    if operator == "leaky_relu":
        return Case(operator, [draw.array(dtype, shape, draw.pick(["normal", "whole", "wild"]))],
                    {"alpha": draw.pick([0.2, 0.01, 1.5, 0.0, -0.3])})
    count = 1 if operator == "clip_by_norm" else draw.integer(1, 4)
    kinds = [draw.pick(["normal", "normal", "zero", "whole"]) for _ in range(count)]
    shapes = [shape if operator == "add_n" else draw.shape() for _ in range(count)]
    return Case(operator, [draw.array(dtype, s, k) for s, k in zip(shapes, kinds)],
                {"max": draw.pick([0.5, 1.0, 5.0, 100.0, 1e-3])}, kind=" ".join(kinds))


@family
def casts(draw):
    source = draw.pick(["float32", "float64", "int32", "int64", "bool", "uint8"])
    target = draw.pick(["float32", "float64", "int32", "int64", "bool", "uint8", "int8", "int16", "float16", "bfloat16"])
    # A float beyond an integer's range has no meaning: TensorFlow's differs from machine to machine.
    whole = source in FLOATS and "int" in target
    kind = "positive" if whole else draw.kind() if source in FLOATS else draw.pick(["normal", "wild"])
    return Case("cast", [draw.array(source, draw.shape(), kind if source != "bool" else "normal")], {"dtype": target}, kind=kind)
