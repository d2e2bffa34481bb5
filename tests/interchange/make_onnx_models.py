"""Makes small ONNX models, inputs for them, and what ONNX Runtime computes.

usage: make_onnx_models.py FOLDER

For each case: FOLDER/NAME.onnx, FOLDER/NAME.in.npz (inputs by their names) and FOLDER/NAME.out.npz (outputs as "0", "1",
...). Values are those at which a reader that overlooks an attribute or an input, or takes it in another library's
meaning, computes something else.
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

folder = pathlib.Path(sys.argv[1])
random = np.random.RandomState(0)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
TYPES = {np.dtype(t): helper.np_dtype_to_tensor_dtype(np.dtype(t)) for t in ("f4", "f8", "i4", "i8", "u1", "i1", "?")}


def case(name, op, inputs, initializers=0, outputs=1, dynamic=(), expected=None, **attributes):
    """A node `op` of the arrays `inputs` (None: one left out), the last `initializers` of which are constants. `dynamic`:
    axes of input 0 whose sizes the model does not say. `expected`: where not what ONNX Runtime computes."""
    names, declared, constants, feeds = [], [], [], {}
    first_constant = len(inputs) - initializers
    for i, value in enumerate(inputs):
        names.append("" if value is None else f"in{i}")
        if value is None:
            continue
        value = np.asarray(value)
        if i >= first_constant:
            constants.append(helper.make_tensor(names[-1], TYPES[value.dtype], value.shape, value.tobytes(), raw=True))
            continue
        shape = [f"in{i}.{axis}" if i == 0 and axis in dynamic else size for axis, size in enumerate(value.shape)]
        declared.append(helper.make_tensor_value_info(names[-1], TYPES[value.dtype], shape))
        feeds[names[-1]] = value
    results = [f"out{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, name="node", **attributes)
    save(name, [node], declared, results, constants, feeds, expected)


def save(name, nodes, declared, results, constants, feeds, expected=None):
    graph = helper.make_graph(nodes, "g", declared, [helper.make_empty_tensor_value_info(r) for r in results], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(model)
    session = ort.InferenceSession(inferred.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = session.run(None, feeds) if expected is None else [expected]
    outputs = [helper.make_tensor_value_info(r, TYPES[v.dtype], [None] * v.ndim) for r, v in zip(results, values)]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    np.savez(folder / f"{name}.in.npz", **feeds)
    np.savez(folder / f"{name}.out.npz", **{str(i): v for i, v in enumerate(values)})


def floats(*shape):
    return random.uniform(-1, 1, shape).astype("f4")


def ints(*values):
    return np.array(values, "i8")


def lookups():
    x = floats(3, 4)
    for given in (0, 1):
        where = "initializer" if given else "input"
        case(f"gather_{where}", "Gather", [x, ints(0, -1)], given, axis=1)
        case(f"gather_rows_{where}", "Gather", [x, ints(-3, 2)], given, axis=-2, dynamic=[0])
        case(f"gather_scalar_{where}", "Gather", [x, ints(-2)[0]], given, dynamic=[0])
        case(f"gather_elements_{where}", "GatherElements", [x, ints(0, -1, -4, 3).reshape(2, 2)], given, axis=1)
        case(f"gather_nd_{where}", "GatherND", [x, ints(-1, 2, 0, -3).reshape(2, 2)], given)
        case(f"gather_nd_rows_{where}", "GatherND", [x, ints(-1, 0).reshape(2, 1)], given, dynamic=[0, 1])
    case("gather_int32", "Gather", [x, np.array([-1, 1], "i4")])
    case("scatter_nd", "ScatterND", [x, ints(-1, 2, 0, -3).reshape(2, 2), floats(2)], reduction="add")
    ties = np.array([[1, 3, 3, 0, 3], [2, 2, 2, 2, 2]], "f4")
    for op in ("ArgMax", "ArgMin"):
        for last in (0, 1):
            for keep in (0, 1):
                case(f"{op}_{last}_{keep}", op, [ties], axis=-1, select_last_index=last, keepdims=keep, dynamic=[1])
                case(f"{op}_row_{last}_{keep}", op, [ties[0]], select_last_index=last, keepdims=keep, dynamic=[0])
    zeros = np.zeros((2, 40), "f4")
    for largest in (0, 1):
        case(f"topk_{largest}", "TopK", [zeros, ints(7)], 1, 2, largest=largest, dynamic=[0, 1])
        case(f"topk_some_{largest}", "TopK", [ties, ints(4)], 1, 2, largest=largest, axis=1)
        case(f"topk_columns_{largest}", "TopK", [ties, ints(2)], 1, 2, largest=largest, axis=0)


def slices():
    x = np.arange(7, dtype="f4")
    ends = (INT_MIN, -9, -7, -6, -1, 0, 1, 5, 6, 7, 9, INT_MAX)
    count = 0
    for step in (1, 3, -1, -3, INT_MAX, INT_MIN):
        for begin in ends:
            for end in ends:
                for dynamic in ([], [0]):
                    if dynamic and step < 0 and -(2**31) < begin < -1:
                        continue  # refused
                    count += 1
                    if count % 5 == 0:
                        where = [ints(begin), ints(end), ints(0), ints(step)]
                        case(f"slice_{count}", "Slice", [x, *where], 4, dynamic=dynamic)
    y = floats(3, 4, 5)
    case("slice_axes", "Slice", [y, ints(-1, 1), ints(INT_MIN, 4), ints(-1, -3), ints(-2, 1)], 4)
    case("slice_int32", "Slice", [y, np.array([1], "i4"), np.array([2**31 - 1], "i4")], 2)
    case("slice_none", "Slice", [y[:0], ints(-1), ints(INT_MIN), ints(0), ints(-1)], 4)
    case("slice_short", "Slice", [x[:3], ints(-6), ints(INT_MIN), ints(0), ints(-2)], 4)


def ceil_pool(x, size, kernel, stride, pad, pool):
    """Of `x`, which is of `size` and has its padding. Windows begin inside of the image or of the padding before it, and
    end where the padding behind it does, as in the standard and in ONNX Runtime 1.32; in 1.20 some lie behind both."""
    count = -(-(size + 2 * pad - kernel) // stride) + 1
    if (count - 1) * stride >= size + pad:
        count -= 1
    y = np.zeros((*x.shape[:2], count, count), x.dtype)
    for i in range(count):
        for j in range(count):
            ends = [(k * stride, min(k * stride + kernel, size + 2 * pad)) for k in (i, j)]
            y[:, :, i, j] = pool(x[:, :, slice(*ends[0]), slice(*ends[1])])
    return y


def ceil_pools():
    for size, kernel, stride, pad in [(6, 3, 2, 0), (6, 3, 2, 1), (5, 2, 3, 1), (7, 2, 3, 1), (6, 2, 3, 0), (8, 3, 4, 0)]:
        x = floats(1, 2, size, size)
        pools = {"max": ("MaxPool", -np.inf, lambda w: w.max((2, 3)), {})}
        pools["avg"] = ("AveragePool", np.nan, lambda w: np.nanmean(w, (2, 3)), dict(count_include_pad=0))
        pools["avg_all"] = ("AveragePool", 0, lambda w: w.mean((2, 3)), dict(count_include_pad=1))
        for name, (op, value, pool, attributes) in pools.items():
            around = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], constant_values=value)
            y = ceil_pool(around, size, kernel, stride, pad, pool)
            for dynamic in ([], [2, 3]):
                shape = dict(kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, ceil_mode=1)
                full = f"{name}_ceil_{size}_{kernel}_{stride}_{pad}_{len(dynamic)}"
                case(full, op, [x], dynamic=dynamic, expected=y, **shape, **attributes)


def windows():
    for padding in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        for size, kernel, stride in [(6, 3, 2), (7, 2, 2), (5, 4, 3), (7, 2, 3), (6, 1, 2), (6, 3, 1)]:
            x, name = floats(2, 2, size, size + 1), f"{padding}_{size}_{kernel}_{stride}"
            if padding == "SAME_LOWER" and kernel < stride and kernel > 1:
                continue  # ONNX Runtime pads by a negative number
            for dynamic in ([], [2, 3]):
                shape = dict(strides=[stride] * 2, auto_pad=padding, kernel_shape=[kernel] * 2, dynamic=dynamic)
                dims = f"{name}_{len(dynamic)}"
                if kernel >= stride:
                    for include in (0, 1):
                        case(f"avg_{include}_{dims}", "AveragePool", [np.abs(x)], count_include_pad=include, **shape)
                    case(f"max_{dims}", "MaxPool", [x], **shape)
                case(f"conv_{dims}", "Conv", [x, floats(3, 2, kernel, kernel), floats(3)], 2, **shape)
    pads = [0, 1, 2, 1]
    case("max_pads", "MaxPool", [floats(1, 2, 7, 7)], kernel_shape=[3, 3], pads=pads, storage_order=1)
    case("conv_pads", "Conv", [floats(1, 2, 7, 7), floats(3, 2, 3, 3)], 1, pads=pads)
    for include in (0, 1):
        shape = dict(kernel_shape=[3, 3], pads=pads, count_include_pad=include)
        case(f"avg_pads_{include}", "AveragePool", [floats(1, 2, 7, 7)], **shape)
    case("max_uint8", "MaxPool", [random.randint(0, 99, (1, 1, 5, 5)).astype("u1")], kernel_shape=[2, 2], pads=[1] * 4)
    case("max_int8", "MaxPool", [random.randint(-99, -9, (1, 1, 5, 5)).astype("i1")], kernel_shape=[2, 2], pads=[1] * 4)


def rows():
    x, w = floats(2, 4, 9), floats(6, 4, 3)
    case("conv1d", "Conv", [x, w], 1, pads=[1, 1])
    case("conv1d_all", "Conv", [x, floats(6, 2, 3), floats(6)], 2, pads=[2, 0], strides=[2], dilations=[2], group=2)
    case("conv1d_same", "Conv", [x, w], 1, auto_pad="SAME_LOWER", strides=[2], kernel_shape=[3], dynamic=[0, 2])
    case("conv1d_up", "ConvTranspose", [x, floats(4, 3, 3)], 1, pads=[0, 1], strides=[2])
    case("max1d", "MaxPool", [x], kernel_shape=[4], strides=[2], ceil_mode=1, pads=[1, 0])
    case("avg1d", "AveragePool", [x], kernel_shape=[4], strides=[3], pads=[1, 2])
    case("global_avg1d", "GlobalAveragePool", [x])


def resizes():
    x = floats(1, 2, 4, 5)
    places = ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel")
    for mode in places:
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
            how = dict(mode="nearest", coordinate_transformation_mode=mode, nearest_mode=rounding)
            name = f"nearest_{mode}_{rounding}"
            for i, scale in enumerate([(2, 2), (1, 3), (1.5, 0.6), (0.5, 1)]):
                case(f"{name}_{i}", "Resize", [x, None, np.array([1, 1, *scale], "f4")], 1, **how)
            case(f"{name}_sizes", "Resize", [x, None, None, ints(1, 2, 7, 3)], 1, **how)
    how = dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor", dynamic=[0, 2, 3])
    case("nearest_dynamic", "Resize", [x, None, np.array([1, 1, 2, 3], "f4")], 1, **how)
    case("nearest_default", "Resize", [x, None, np.array([1, 1, 2, 2], "f4")], 1)
    case("linear_scales", "Resize", [x, None, np.array([1, 1, 2, 1.2], "f4")], 1, mode="linear", nearest_mode="floor")
    how = dict(mode="linear", coordinate_transformation_mode="align_corners")
    case("linear_corners", "Resize", [x, None, None, ints(1, 2, 7, 3)], 1, **how)
    case("linear_pytorch", "Resize", [x, None, None, ints(1, 2, 7, 3)], 1, mode="linear", coordinate_transformation_mode="pytorch_half_pixel")


def resizes_to_others():
    """Of images whose sizes the model does not say, to those of another."""
    for sizes in (["n", 2, "h", "w"], ["n", 2, 4, 5]):
        for how in (dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
                    dict(mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil"),
                    dict(mode="linear", coordinate_transformation_mode="half_pixel"),
                    dict(mode="linear", coordinate_transformation_mode="align_corners"),
                    dict(mode="cubic", coordinate_transformation_mode="align_corners", cubic_coeff_a=-0.75)):
            nodes = [helper.make_node("Shape", ["x"], ["of_x"], name="of_x", end=2), helper.make_node("Shape", ["y"], ["of_y"], name="of_y", start=2),
                     helper.make_node("Concat", ["of_x", "of_y"], ["sizes"], name="sizes", axis=0),
                     helper.make_node("Resize", ["x", "", "", "sizes"], ["out"], name="resized", **how)]
            declared = [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes),
                        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["m", 3, "height", "width"])]
            name = f"{how['mode']}_to_other_{how['coordinate_transformation_mode']}_{sizes[2]}"
            save(name, nodes, declared, ["out"], [], {"x": floats(2, 2, 4, 5), "y": floats(1, 3, 7, 9)})


def elements():
    x = np.array([-np.inf, -1, 0, np.inf, np.nan], "f4")
    for negative in (0, 1):
        for positive in (0, 1):
            case(f"isinf_{negative}_{positive}", "IsInf", [x], detect_negative=negative, detect_positive=positive)
    case("isinf_default", "IsInf", [x])
    nodes = [helper.make_node("Sign", ["x"], ["sign"], name="sign"), helper.make_node("IsNaN", ["sign"], ["out"], name="is_nan")]
    save("sign_of_nan", nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5])], ["out"], [], {"x": x})
    case("selu", "Selu", [floats(9)], alpha=2.0, gamma=0.5)
    case("selu_gamma", "Selu", [floats(9)], gamma=0.5)
    case("pow_int", "Pow", [np.array([4, 9], "i4"), np.array([0.5, 2], "f4")])
    case("pow_float", "Pow", [np.array([4, 9], "f4"), ints(2, -1)])
    case("fmod", "Mod", [np.array([5, -5, 5, -5, 1], "f4"), np.array([3, 3, -3, -3, 0.1], "f4")], fmod=1)
    case("mod", "Mod", [ints(5, -5, 5, -5), ints(3, 3, -3, -3)])
    case("fmod_ints", "Mod", [ints(5, -5, 5, -5), ints(3, 3, -3, -3)], fmod=1)
    case("sum_nothing", "ReduceSum", [floats(2, 3), np.zeros(0, "i8")], 1, noop_with_empty_axes=1)
    case("sum_all", "ReduceSum", [floats(2, 3)], noop_with_empty_axes=0)
    case("sum_scalar", "ReduceL2", [np.array(-2.5, "f4")])
    case("mean_ints", "ReduceMean", [np.array([[1, 2], [5, 6]], "i4")], axes=[1])
    case("prod_ints", "ReduceProd", [np.array([[1, 2], [5, 6]], "i4")], axes=[1])


def shapes():
    x = floats(2, 3)
    for dynamic in ([], [0]):
        case(f"expand_fewer_{len(dynamic)}", "Expand", [x, ints(3)], 1, dynamic=dynamic)
        case(f"expand_one_{len(dynamic)}", "Expand", [x, ints(4, 1, 3)], 1, dynamic=dynamic)
        case(f"expand_none_{len(dynamic)}", "Expand", [x, np.zeros(0, "i8")], 1, dynamic=dynamic)
        case(f"expand_input_{len(dynamic)}", "Expand", [x, ints(1)], dynamic=dynamic)
    case("range_int", "Range", [np.array(0, "i4"), np.array(3, "i4"), np.array(1, "i4")], 3)
    nodes = [helper.make_node("Range", ["zero", "n", "one"], ["out"], name="range")]
    numbers = [helper.make_tensor("zero", TensorProto.INT32, [], [0]), helper.make_tensor("one", TensorProto.INT32, [], [1])]
    save("range_of_input", nodes, [helper.make_tensor_value_info("n", TensorProto.INT32, [])], ["out"], numbers, {"n": np.array(3, "i4")})
    case("expand_scalar", "Expand", [np.array(2, "f4"), ints(2, 2)], 1)
    values = [("value_ints", [3, -1]), ("value_int", 6), ("value_float", 0.5), ("value_floats", [0.5, 2, 3])]
    for attribute, value in values:
        nodes = [helper.make_node("Constant", [], ["c"], name="c", **{attribute: value})]
        op = {"value_ints": "Reshape", "value_int": "Identity"}.get(attribute, "Mul")
        inputs = [] if op == "Identity" else ["in0"]
        nodes.append(helper.make_node(op, [*inputs, "c"], ["out"], name="n"))
        declared = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in inputs]
        save(f"constant_{attribute}", nodes, declared, ["out"], [], {name: x for name in inputs})



for make in (lookups, slices, windows, ceil_pools, rows, resizes, resizes_to_others, elements, shapes):
    make()
