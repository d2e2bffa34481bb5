#include "tests/differential/driver/operators.h"

#define UNARY DIFFERENTIAL_UNARY
#define BINARY DIFFERENTIAL_BINARY
#define ROW DIFFERENTIAL_ROW

namespace belfry::differential {
namespace {

PadMode mode_of(const Json& a) {
  static const std::map<std::string, PadMode> modes = {
      {"CONSTANT", PadMode::kConstant}, {"REFLECT", PadMode::kReflect}, {"SYMMETRIC", PadMode::kSymmetric}};
  return modes.at(a["mode"]);
}

Tensor padded(const Tensor& x, const Json& a) {
  std::vector<std::pair<int64_t, int64_t>> paddings;
  for (const Json& pair : a["paddings"]) paddings.emplace_back(pair[0], pair[1]);
  return pad(x, paddings, {.mode = mode_of(a), .value = number_of(a["value"])});
}

Tensors both(const std::pair<Tensor, Tensor>& results) {
  return {results.first, results.second};
}

}  // namespace

Operators array_operators() {
  return {
      UNARY(shape),
      UNARY(size),
      UNARY(batch_flatten),
      UNARY(zeros_like),
      UNARY(ones_like),
      UNARY(diag),
      UNARY(diag_part),
      BINARY(gather_nd),
      BINARY(embedding_lookup),
      BINARY(boolean_mask),
      ROW("reshape", {reshape(x[0], integers_of(a["shape"]))}),
      ROW("reshape_to_tensor", {reshape(x[0], RunTimeShape(x[1]))}),
      ROW("transpose", {transpose(x[0], integers_of(a["permutation"]))}),
      ROW("expand_dims", {expand_dims(x[0], axis_of(a))}),
      ROW("squeeze", {squeeze(x[0], integers_of(a["axes"]))}),
      ROW("broadcast_to", {broadcast_to(x[0], integers_of(a["shape"]))}),
      ROW("tile", {tile(x[0], integers_of(a["multiples"]))}),
      ROW("concat", {concat(x, axis_of(a))}),
      ROW("stack", {stack(x, axis_of(a))}),
      ROW("split", split(x[0], a["count"].get<int64_t>(), axis_of(a))),
      ROW("split_sizes", split(x[0], integers_of(a["sizes"]), axis_of(a))),
      ROW("unstack", unstack(x[0], axis_of(a))),
      ROW("slice", {slice(x[0], integers_of(a["begin"]), integers_of(a["size"]))}),
      ROW("strided_slice",
          {strided_slice(x[0], integers_of(a["begin"]), integers_of(a["end"]), integers_of(a["strides"]))}),
      ROW("slice_tensors", {slice(x[0], x[1], x[2])}),
      ROW("strided_slice_tensors", {strided_slice(x[0], x[1], x[2], x[3])}),
      ROW("select", {select(x[0], a["index"].get<int64_t>(), axis_of(a))}),
      ROW("gather", {gather(x[0], x[1], axis_of(a))}),
      ROW("scatter_nd", {scatter_nd(x[0], x[1], integers_of(a["shape"]))}),
      ROW("where", {where(x[0], x[1], x[2])}),
      ROW("where_number", {where(x[0], x[1], scalar_of(a["y"]))}),
      ROW("number_where", {where(x[0], scalar_of(a["y"]), x[1])}),
      ROW("where_indices", {where(x[0])}),
      ROW("reverse", {reverse(x[0], integers_of(a["axes"]))}),
      ROW("pad", {padded(x[0], a)}),
      ROW("one_hot", {one_hot(x[0], a["depth"].get<int64_t>(), dtype_of(a["dtype"]))}),
      ROW("pad_tensor", {pad(x[0], x[1], {.mode = mode_of(a), .value = number_of(a["value"])})}),
      ROW("one_hot_tensor", {one_hot(x[0], x[1], dtype_of(a["dtype"]))}),
      ROW("topk_tensor", both(topk(x[0], x[1]))),
      ROW("topk", both(topk(x[0], a["k"].get<int64_t>()))),
      ROW("sort", {sort(x[0], {axis_of(a), a["descending"].get<bool>()})}),
      ROW("argsort", {argsort(x[0], {axis_of(a), a["descending"].get<bool>()})}),
      ROW("sequence_mask", {sequence_mask(x[0], a["length"].get<int64_t>(), dtype_of(a["dtype"]))}),
      ROW("zeros", {zeros(integers_of(a["shape"]), dtype_of(a["dtype"]))}),
      ROW("ones", {ones(integers_of(a["shape"]), dtype_of(a["dtype"]))}),
      ROW("fill", {fill(integers_of(a["shape"]), scalar_of(a["value"]), dtype_of(a["dtype"]))}),
      ROW("range", {range(scalar_of(a["start"]), scalar_of(a["limit"]), scalar_of(a["delta"]))}),
      ROW("range_of_tensor", {range(x[0])}),
      ROW("linspace", {linspace(number_of(a["start"]), number_of(a["stop"]), a["count"].get<int64_t>(),
                                dtype_of(a["dtype"]))}),
      ROW("eye", {eye(a["rows"].get<int64_t>(), a["columns"].get<int64_t>(), dtype_of(a["dtype"]))}),
  };
}

}  // namespace belfry::differential
