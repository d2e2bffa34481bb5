#include "tests/support/op_cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <map>

#include "belfry/ops/ops.h"

namespace belfry::test {

DType OpInput::dtype() const {
  if (values == Values::kIndices) return kInt64;
  return values == Values::kBools ? kBool : kFloat64;
}

Shape OpInput::declared() const {
  Shape shape = sizes;
  for (size_t i : dynamic) shape[i] = kDynamic;
  return shape;
}

at::Tensor OpInput::value(int seed) const {
  int64_t count = 1;
  for (int64_t size : sizes) count *= size;
  const at::Tensor order = at::arange(count, at::kDouble);
  if (values == Values::kIndices) return ((order * 7 + seed).to(at::kLong) % classes).reshape(sizes);
  const at::Tensor wave = at::sin(order * 1.7 + seed * 0.9 + 0.3);
  if (values == Values::kBools) return wave.gt(0).reshape(sizes);
  const at::Tensor far = wave.abs() + 0.15;
  return (values == Values::kPositive ? far : at::where(wave.gt(0), far, -far)).reshape(sizes);
}

namespace {

using In = std::vector<Tensor>;

OpInput batch(Shape sizes) {
  return {std::move(sizes), {0}};
}
OpInput positive(Shape sizes) {
  return {std::move(sizes), {0}, Values::kPositive};
}
OpInput image(Shape sizes, const std::vector<size_t>& spatial = {0, 1, 2}) {
  return {std::move(sizes), spatial};
}
OpInput fixed(Shape sizes) {
  return {std::move(sizes), {}};
}
OpInput indices(Shape sizes, int64_t classes) {
  return {std::move(sizes), {0}, Values::kIndices, classes};
}
OpInput bools(Shape sizes) {
  return {std::move(sizes), {0}, Values::kBools};
}
OpInput no_gradient(OpInput input) {
  input.differentiable = false;
  return input;
}

In both(const std::pair<Tensor, Tensor>& pair) {
  return {pair.first, pair.second};
}

using Unary = Tensor (*)(const Tensor&, const std::string&);
using Binary = Tensor (*)(const Tensor&, const Tensor&, const std::string&);
using Compare = Tensor (*)(const Tensor&, const c10::Scalar&, const std::string&);
using Reduce = Tensor (*)(const Tensor&, const Axes&, const ReduceAttributes&, const std::string&);

void add_elementwise(std::vector<OpCase>& cases) {
  const std::vector<std::pair<const char*, Unary>> any = {{"abs", abs},
                                                          {"neg", neg},
                                                          {"exp", exp},
                                                          {"expm1", expm1},
                                                          {"square", square},
                                                          {"sin", sin},
                                                          {"cos", cos},
                                                          {"tan", tan},
                                                          {"atan", atan},
                                                          {"sinh", sinh},
                                                          {"cosh", cosh},
                                                          {"asinh", asinh},
                                                          {"erf", erf},
                                                          {"reciprocal", reciprocal},
                                                          {"relu", relu},
                                                          {"relu6", relu6},
                                                          {"sigmoid", sigmoid},
                                                          {"tanh", tanh},
                                                          {"gelu", gelu},
                                                          {"gelu_tanh", gelu_tanh},
                                                          {"silu", silu},
                                                          {"elu", elu},
                                                          {"selu", selu},
                                                          {"hardswish", hardswish},
                                                          {"softplus", softplus},
                                                          {"softsign", softsign},
                                                          {"log_sigmoid", log_sigmoid},
                                                          {"l2_loss", l2_loss},
                                                          {"identity", identity}};
  for (const auto& [name, f] : any)
    cases.push_back({name, {batch({3, 4})}, [f = f](In in) { return In{f(in[0], "")}; }});
  const std::vector<std::pair<const char*, Unary>> above_zero = {
      {"log", log}, {"log1p", log1p}, {"sqrt", sqrt}, {"rsqrt", rsqrt}};
  for (const auto& [name, f] : above_zero)
    cases.push_back({name, {positive({3, 4})}, [f = f](In in) { return In{f(in[0], "")}; }});
  const std::vector<std::pair<const char*, Unary>> flat = {
      {"sign", sign},           {"floor", floor},
      {"ceil", ceil},           {"round", round},
      {"is_nan", is_nan},       {"is_inf", is_inf},
      {"is_finite", is_finite}, {"zeros_like", zeros_like},
      {"ones_like", ones_like}, {"shape", shape},
      {"size", size},           {"stop_gradient", stop_gradient}};
  for (const auto& [name, f] : flat)
    cases.push_back({name, {batch({3, 4})}, [f = f](In in) { return In{f(in[0], "")}; }, false});
  cases.push_back({"logical_not", {bools({3, 4})}, [](In in) { return In{logical_not(in[0])}; }, false});

  const std::vector<std::pair<const char*, Binary>> two = {{"add", add},
                                                           {"subtract", subtract},
                                                           {"multiply", multiply},
                                                           {"divide", divide},
                                                           {"maximum", maximum},
                                                           {"minimum", minimum},
                                                           {"squared_difference", squared_difference}};
  for (const auto& [name, f] : two) {
    cases.push_back(
        {name, {batch({3, 4}), batch({3, 4})}, [f = f](In in) { return In{f(in[0], in[1], "")}; }});
    cases.push_back({name, {batch({3, 4}), fixed({4})}, [f = f](In in) { return In{f(in[0], in[1], "")}; }});
  }
  const std::vector<std::pair<const char*, Binary>> flat_two = {
      {"equal", equal},           {"not_equal", not_equal}, {"less", less},
      {"less_equal", less_equal}, {"greater", greater},     {"greater_equal", greater_equal}};
  for (const auto& [name, f] : flat_two)
    cases.push_back(
        {name, {batch({3, 4}), fixed({4})}, [f = f](In in) { return In{f(in[0], in[1], "")}; }, false});
  const std::vector<std::pair<const char*, Compare>> scalar = {
      {"equal", equal},           {"not_equal", not_equal}, {"less", less},
      {"less_equal", less_equal}, {"greater", greater},     {"greater_equal", greater_equal}};
  for (const auto& [name, f] : scalar)
    cases.push_back({name, {batch({3, 4})}, [f = f](In in) { return In{f(in[0], 0.5, "")}; }, false});
  const std::vector<std::pair<const char*, Binary>> logic = {
      {"logical_and", logical_and}, {"logical_or", logical_or}, {"logical_xor", logical_xor}};
  for (const auto& [name, f] : logic)
    cases.push_back(
        {name, {bools({3, 4}), bools({3, 4})}, [f = f](In in) { return In{f(in[0], in[1], "")}; }, false});
}

/// x += y, or another such operator, with a tensor and then a number.
template <typename Apply>
OpCase compound(const char* name, Apply apply) {
  return {name, {batch({3, 4}), fixed({4})}, [apply](In in) {
            apply(in[0], in[1]);
            apply(in[0], 2);
            return In{in[0]};
          }};
}

void add_operators(std::vector<OpCase>& cases) {
  cases.push_back({"operator+", {batch({3, 4}), fixed({4})}, [](In in) {
                     return In{in[0] + in[1], in[0] + 2, 1.5 + in[0]};
                   }});
  cases.push_back({"operator-", {batch({3, 4}), fixed({4})}, [](In in) {
                     return In{in[0] - in[1], in[0] - 2, 1.5 - in[0], -in[0]};
                   }});
  cases.push_back({"operator*", {batch({3, 4}), fixed({4})}, [](In in) {
                     return In{in[0] * in[1], in[0] * 2, 1.5 * in[0]};
                   }});
  cases.push_back({"operator/", {batch({3, 4}), fixed({4})}, [](In in) {
                     return In{in[0] / in[1], in[0] / 2, 1.5 / in[0]};
                   }});
  cases.push_back(compound("operator+=", [](Tensor& x, const auto& y) { x += y; }));
  cases.push_back(compound("operator-=", [](Tensor& x, const auto& y) { x -= y; }));
  cases.push_back(compound("operator*=", [](Tensor& x, const auto& y) { x *= y; }));
  cases.push_back(compound("operator/=", [](Tensor& x, const auto& y) { x /= y; }));
  auto comparison = [&](const char* name, auto apply) {
    cases.push_back({name,
                     {batch({3, 4}), fixed({4})},
                     [apply](In in) {
                       return In{apply(in[0], in[1]), apply(in[0], 0.5), apply(0.5, in[0])};
                     },
                     false});
  };
  comparison("operator<", [](const auto& x, const auto& y) { return x < y; });
  comparison("operator<=", [](const auto& x, const auto& y) { return x <= y; });
  comparison("operator>", [](const auto& x, const auto& y) { return x > y; });
  comparison("operator>=", [](const auto& x, const auto& y) { return x >= y; });
}

void add_math(std::vector<OpCase>& cases) {
  cases.push_back({"pow", {positive({3, 4}), fixed({4})}, [](In in) {
                     return In{pow(in[0], in[1]), pow(in[0], 3), pow(1.5, in[1])};
                   }});
  cases.push_back({"atan2", {batch({3, 4}), fixed({4})}, [](In in) { return In{atan2(in[0], in[1])}; }});
  cases.push_back({"asin", {batch({3, 4})}, [](In in) { return In{asin(in[0] * 0.8)}; }});
  cases.push_back({"acos", {batch({3, 4})}, [](In in) { return In{acos(in[0] * 0.8)}; }});
  cases.push_back({"acosh", {positive({3, 4})}, [](In in) { return In{acosh(in[0] + 1.0)}; }});
  cases.push_back({"atanh", {batch({3, 4})}, [](In in) { return In{atanh(in[0] * 0.8)}; }});
  cases.push_back({"maximum", {batch({3, 4})}, [](In in) { return In{maximum(in[0], 0.3)}; }});
  cases.push_back({"minimum", {batch({3, 4})}, [](In in) { return In{minimum(in[0], 0.3)}; }});
  cases.push_back({"floor_mod", {batch({3, 4}), fixed({4})}, [](In in) {
                     return In{floor_mod(in[0], in[1]), floor_mod(in[0], 0.4)};
                   }});
  cases.push_back({"floor_div",
                   {batch({3, 4}), fixed({4})},
                   [](In in) {
                     return In{floor_div(in[0], in[1]), floor_div(in[0], 0.4)};
                   },
                   false});
  cases.push_back(
      {"add_n", {batch({3, 4}), batch({3, 4}), batch({3, 4})}, [](In in) { return In{add_n(in)}; }});
  cases.push_back(
      {"clip_by_value", {batch({3, 4})}, [](In in) { return In{clip_by_value(in[0], -0.5, 0.6)}; }});
  cases.push_back({"clip_by_norm", {batch({3, 4})}, [](In in) {
                     return In{clip_by_norm(in[0], 0.7), clip_by_norm(in[0], 70)};
                   }});
  cases.push_back({"global_norm", {batch({3, 4}), fixed({5})}, [](In in) { return In{global_norm(in)}; }});
  cases.push_back({"clip_by_global_norm", {batch({3, 4}), fixed({5})}, [](In in) {
                     auto [clipped, norm] = clip_by_global_norm(in, 0.7);
                     clipped.push_back(norm);
                     return clipped;
                   }});
  cases.push_back({"matmul", {batch({3, 4}), fixed({4, 5})}, [](In in) { return In{matmul(in[0], in[1])}; }});
  cases.push_back({"matmul", {batch({3, 2, 4}), fixed({5, 4})}, [](In in) {
                     return In{matmul(in[0], in[1], {.transpose_b = true})};
                   }});
  cases.push_back(
      {"einsum", {batch({3, 2, 4}), batch({3, 4, 5})}, [](In in) { return In{einsum("bij,bjk->bik", in)}; }});
  cases.push_back({"tensordot", {batch({3, 2, 4}), fixed({2, 4, 5})}, [](In in) {
                     return In{tensordot(in[0], in[1], 2), tensordot(in[0], in[1], {2, 1}, {1, 0})};
                   }});
  cases.push_back({"cumsum", {batch({3, 4})}, [](In in) { return In{cumsum(in[0], 1)}; }});
  cases.push_back(
      {"cumsum", {batch({3, 4})}, [](In in) { return In{cumsum(cast(in[0], kInt32), 0)}; }, false});
  cases.push_back({"cumprod", {batch({3, 4})}, [](In in) { return In{cumprod(in[0], 1)}; }});
  cases.push_back({"cast", {batch({3, 4})}, [](In in) { return In{cast(in[0], kFloat64)}; }});
  cases.push_back({"cast",
                   {batch({3, 4})},
                   [](In in) {
                     return In{cast(in[0], kInt32), cast(in[0], kFloat32)};
                   },
                   false});
}

void add_reductions(std::vector<OpCase>& cases) {
  const std::vector<std::pair<const char*, Reduce>> all_of = {
      {"sum", sum},           {"mean", mean},     {"max", max},
      {"min", min},           {"prod", prod},     {"logsumexp", logsumexp},
      {"variance", variance}, {"stddev", stddev}, {"norm", norm}};
  for (const auto& [name, f] : all_of) {
    cases.push_back(
        {name, {batch({3, 2, 4})}, [f = f](In in) {
           return In{f(in[0], {}, {}, ""), f(in[0], -1, {}, ""), f(in[0], {0, 2}, {.keep_dims = true}, "")};
         }});
  }
  const std::vector<std::pair<const char*, Reduce>> logic = {{"any", any}, {"all", all}};
  for (const auto& [name, f] : logic) {
    cases.push_back(
        {name,
         {bools({3, 2, 4})},
         [f = f](In in) {
           return In{f(in[0], {}, {}, ""), f(in[0], -1, {}, ""), f(in[0], {0, 2}, {.keep_dims = true}, "")};
         },
         false});
  }
  cases.push_back({"moments", {batch({3, 2, 4})}, [](In in) { return both(moments(in[0], {0, 1})); }});
  cases.push_back({"sum", {batch({3, 4})}, [](In in) { return In{sum(cast(in[0] * 9, kInt32), 0)}; }, false});
  cases.push_back(
      {"prod", {batch({3, 4})}, [](In in) { return In{prod(cast(in[0] * 9, kInt32), 0)}; }, false});
  // Rounded numbers have ties.
  cases.push_back({"argmax",
                   {batch({3, 4})},
                   [](In in) {
                     return In{argmax(in[0], -1), argmax(round(in[0]), -1)};
                   },
                   false});
  cases.push_back({"argmin",
                   {batch({3, 4})},
                   [](In in) {
                     return In{argmin(in[0], 0), argmin(round(in[0]), 0)};
                   },
                   false});
}

void add_arrays(std::vector<OpCase>& cases) {
  auto one = [&](const char* name, std::vector<OpInput> inputs, std::function<Tensor(const In&)> f,
                 bool differentiable = true) {
    cases.push_back({name, std::move(inputs), [f](const In& in) { return In{f(in)}; }, differentiable});
  };
  auto computed = [&](const char* name, std::vector<OpInput> inputs, std::function<Tensor(const In&)> f) {
    cases.push_back({name, std::move(inputs), [f](const In& in) { return In{f(in)}; },
                     /*differentiable=*/false, /*depends_on_data=*/true});
  };
  one("reshape", {batch({3, 4})}, [](In in) { return reshape(in[0], {-1, 2}); });
  cases.push_back({"reshape",
                   {batch({3, 4})},
                   [](In in) {
                     return In{reshape(in[0], {reverse(shape(in[0]), {0}), {4, kDynamic}})};
                   },
                   /*differentiable=*/true,
                   /*depends_on_data=*/true});
  one("batch_flatten", {batch({3, 4, 2})}, [](In in) { return batch_flatten(in[0]); });
  one("transpose", {batch({3, 4, 2})}, [](In in) { return transpose(in[0], {2, 0, 1}); });
  one("expand_dims", {batch({3, 4})}, [](In in) { return expand_dims(in[0], -1); });
  one("squeeze", {batch({3, 1, 4})}, [](In in) { return squeeze(in[0], {1}); });
  one("squeeze", {batch({3, 1, 4, 1})}, [](In in) { return squeeze(in[0]); });
  one("broadcast_to", {batch({3, 1, 4})}, [](In in) { return broadcast_to(in[0], {-1, 2, 4}); });
  one("tile", {batch({3, 4})}, [](In in) { return tile(in[0], {2, 3}); });
  one("concat", {batch({3, 4}), batch({3, 2})}, [](In in) { return concat(in, 1); });
  one("stack", {batch({3, 4}), batch({3, 4})}, [](In in) { return stack(in, 1); });
  cases.push_back({"split", {batch({3, 4})}, [](In in) { return split(in[0], 2, 1); }});
  cases.push_back({"split", {batch({3, 4})}, [](In in) { return split(in[0], {1, 3}, 1); }});
  cases.push_back({"unstack", {batch({3, 4})}, [](In in) { return unstack(in[0], 1); }});
  one("slice", {batch({3, 4})}, [](In in) { return slice(in[0], {0, 1}, {-1, 2}); });
  cases.push_back({"strided_slice", {fixed({3, 4})}, [](In in) {
                     return In{strided_slice(in[0], {2, 3}, {-4, 0}, {-1, -2}),
                               strided_slice(in[0], {-2}, {9}, {1}),
                               strided_slice(in[0], {2, 0}, {0, 4}, {-1, 3})};
                   }});
  // Places and sizes that the graph computes, of which it knows some.
  auto from_sizes = [&](const char* name, std::vector<OpInput> inputs, std::function<In(const In&)> f,
                        bool differentiable = true) {
    cases.push_back({name, std::move(inputs), [f](const In& in) { return f(in); }, differentiable,
                     /*depends_on_data=*/true});
  };
  from_sizes("slice", {batch({3, 4})}, [](In in) {
    const Tensor begin = shape(in[0]) - constant({2, 3});
    return In{slice(in[0], begin, constant({-1, 2})),
              slice(in[0], constant({1, 0}, {2}, kInt32), {cast(begin, kInt32), {kDynamic, 1}})};
  });
  one("slice", {fixed({3, 4})}, [](In in) {
    return slice(in[0], shape(in[0]) - constant({2, 4}), constant({2, 3}));
  });
  from_sizes("strided_slice", {batch({3, 4})}, [](In in) {
    const Tensor ends = shape(in[0]);
    return In{strided_slice(in[0], ends - constant({2, 4}), ends - 1, constant({1, 2})),
              strided_slice(in[0], ends, -ends, constant({-1, -2})),
              strided_slice(in[0], -ends - 1, -ends - 3, constant({-1, -1})),
              strided_slice(in[0], constant({0}), reshape(select(ends, 1), {1}) - 2, constant({1}))};
  });
  one("select", {batch({3, 4})}, [](In in) { return select(in[0], 2, 1); });
  one("gather", {batch({3, 4}), indices({5, 2}, 4)}, [](In in) { return gather(in[0], in[1], 1); });
  one("gather_nd", {fixed({3, 4}), indices({5, 2}, 3)}, [](In in) { return gather_nd(in[0], in[1]); });
  one("gather_nd", {fixed({3, 4}), indices({5, 1}, 3)}, [](In in) { return gather_nd(in[0], in[1]); });
  one("scatter_nd", {indices({5, 1}, 4), batch({5, 2})}, [](In in) {
    return scatter_nd(in[0], in[1], {4, 2});
  });
  one("embedding_lookup", {fixed({6, 4}), indices({5, 2}, 6)},
      [](In in) { return embedding_lookup(in[0], in[1]); });
  cases.push_back({"boolean_mask",
                   {batch({3, 4}), bools({3})},
                   [](In in) { return In{boolean_mask(in[0], in[1])}; },
                   /*differentiable=*/true,
                   /*depends_on_data=*/true});
  one("where", {bools({3, 1}), batch({3, 4}), fixed({4})}, [](In in) { return where(in[0], in[1], in[2]); });
  cases.push_back({"where", {bools({3, 1}), batch({3, 4})}, [](In in) {
                     return In{where(in[0], in[1], 2), where(in[0], 2, in[1])};
                   }});
  computed("where", {bools({3, 4})}, [](In in) { return where(in[0]); });
  one("reverse", {batch({3, 4})}, [](In in) { return reverse(in[0], {0, 1}); });
  for (PadMode mode : {PadMode::kConstant, PadMode::kReflect, PadMode::kSymmetric}) {
    one("pad", {batch({3, 4})}, [mode](In in) {
      return pad(in[0], {{1, 2}, {0, 3}}, {.mode = mode, .value = 2});
    });
  }
  for (PadMode mode : {PadMode::kConstant, PadMode::kReflect, PadMode::kSymmetric}) {
    from_sizes("pad", {batch({3, 4})}, [mode](In in) {
      const Tensor rows = select(shape(in[0]), 0);
      const Tensor paddings = stack({rows - 2, constant(2), constant(0), rows}, 0);
      return In{pad(in[0], reshape(paddings, {2, 2}), {.mode = mode, .value = 2})};
    });
  }
  cases.push_back({"topk", {batch({3, 4})}, [](In in) { return both(topk(in[0], 2)); }});
  from_sizes("topk", {batch({3, 4})}, [](In in) { return both(topk(in[0], select(shape(in[0]), 0) - 1)); });
  cases.push_back({"sort", {batch({3, 4})}, [](In in) {
                     return In{sort(in[0]), sort(in[0], {.axis = 0, .descending = true})};
                   }});
  cases.push_back({"argsort",
                   {batch({3, 4})},
                   [](In in) {
                     return In{argsort(round(in[0])), argsort(round(in[0]), {.axis = 0, .descending = true})};
                   },
                   false});
  cases.push_back({"sequence_mask",
                   {indices({3, 2}, 7)},
                   [](In in) {
                     return In{sequence_mask(in[0], 5), sequence_mask(in[0], 5, kFloat32)};
                   },
                   false});
  one("diag", {batch({3, 4})}, [](In in) { return diag(in[0]); });
  one("diag_part", {batch({3, 4, 2})}, [](In in) { return diag_part(in[0]); });
  one(
      "linspace", {}, [](In) { return linspace(-1, 2, 7); }, false);
  one(
      "eye", {}, [](In) { return eye(2, 3); }, false);
  one(
      "one_hot", {indices({3, 2}, 6)}, [](In in) { return one_hot(in[0], 5); }, false);
  computed("one_hot", {indices({3, 2}, 6)},
           [](In in) { return one_hot(in[0], select(shape(in[0]), 0) + 2); });
  one(
      "zeros", {},
      [](In) {
        return zeros({2, 3});
      },
      false);
  one(
      "ones", {},
      [](In) {
        return ones({2, 3}, kInt32);
      },
      false);
  one(
      "fill", {},
      [](In) {
        return fill({2, 3}, 1.5);
      },
      false);
  computed("zeros", {batch({3, 4})}, [](In in) { return zeros(shape(in[0])); });
  computed("ones", {batch({3, 4})}, [](In in) { return ones({shape(in[0]), {kDynamic, 4}}); });
  computed("fill", {batch({3, 4})}, [](In in) { return fill(shape(in[0]), 1.5); });
  cases.push_back({"range",
                   {},
                   [](In) {
                     return In{range(1, 10, 3), range(5, 0, -2), range(0, 1, 0.3)};
                   },
                   false});
  computed("range", {batch({3, 4})}, [](In in) { return range(size(in[0])); });
}

void add_images(std::vector<OpCase>& cases) {
  auto one = [&](const char* name, std::vector<OpInput> inputs, std::function<Tensor(const In&)> f) {
    cases.push_back({name, std::move(inputs), [f](const In& in) { return In{f(in)}; }});
  };
  for (const char* padding : {"SAME", "VALID"}) {
    const std::string p = padding;
    one("conv2d", {image({2, 6, 5, 4}), fixed({3, 2, 2, 6}), fixed({6})}, [p](In in) {
      return conv2d(in[0], in[1], in[2], {.strides = {2, 1}, .padding = p, .groups = 2});
    });
    one("conv2d", {image({2, 3, 6, 7}, {0, 2, 3}), fixed({3, 3, 3, 4})},
        [p](In in) { return conv2d(in[0], in[1], {.padding = p, .dilations = 2, .data_format = "NCHW"}); });
    one("depthwise_conv2d", {image({2, 6, 5, 3}), fixed({3, 2, 3, 2})},
        [p](In in) { return depthwise_conv2d(in[0], in[1], {.strides = 2, .padding = p}); });
    one("separable_conv2d", {image({2, 6, 5, 3}), fixed({3, 2, 3, 2}), fixed({1, 1, 6, 4})},
        [p](In in) { return separable_conv2d(in[0], in[1], in[2], {.strides = 2, .padding = p}); });
    one("conv1d", {image({2, 7, 3}, {0, 1}), fixed({3, 3, 4})},
        [p](In in) { return conv1d(in[0], in[1], {.stride = 2, .padding = p}); });
    one("conv2d_transpose", {image({2, 3, 4, 2}), fixed({3, 3, 4, 2}), fixed({4})},
        [p](In in) { return conv2d_transpose(in[0], in[1], in[2], {.strides = 2, .padding = p}); });
    one("conv2d_transpose", {image({2, 3, 4, 2}), fixed({2, 1, 4, 2})}, [p](In in) {
      return conv2d_transpose(in[0], in[1], {.strides = {3, 2}, .padding = p});
    });
    for (const Size2D pool : {Size2D(2), Size2D(3, 2)}) {
      for (const Size2D strides : {Size2D(1), Size2D(2)}) {
        const PoolAttributes attributes = {.pool = pool, .strides = strides, .padding = p};
        one("max_pool2d", {image({1, 6, 5, 2})}, [=](In in) { return max_pool2d(in[0], attributes); });
        one("avg_pool2d", {image({1, 6, 5, 2})}, [=](In in) { return avg_pool2d(in[0], attributes); });
      }
    }
  }
  one("resize", {image({2, 3, 4, 2})}, [](In in) { return resize(in[0], {5, 7}); });
  one("resize", {image({2, 3, 4, 2})}, [](In in) { return resize(in[0], {5, 7}, {.align_corners = true}); });
  one("resize", {image({2, 3, 4, 2})}, [](In in) {
    return resize(in[0], {5, 7}, {.method = ResizeMethod::kNearest});
  });
  const auto resized = [&](Size2D size, const ResizeAttributes& how) {
    one("resize", {image({2, 3, 4, 2})}, [=](In in) { return resize(in[0], size, how); });
  };
  resized({5, 7}, {.method = ResizeMethod::kNearest, .align_corners = true});
  resized({5, 7}, {.method = ResizeMethod::kNearest, .half_pixel_centers = false});
  resized({5, 7}, {.half_pixel_centers = false});
  resized({6, 8}, {.method = ResizeMethod::kBicubic});
  resized({5, 7}, {.method = ResizeMethod::kBicubic, .align_corners = true});
  resized({6, 8}, {.method = ResizeMethod::kBicubic, .half_pixel_centers = false});
  for (const ResizeMethod method :
       {ResizeMethod::kBilinear, ResizeMethod::kNearest, ResizeMethod::kBicubic}) {
    cases.push_back(
        {"resize",
         {image({2, 3, 4, 2})},
         [method](In in) {
           const Tensor size = slice(shape(in[0]), {1}, {2});
           const Tensor sizes = stack({constant(6), select(size, 1) * 4});
           return In{resize(in[0], size * 2, {.method = method}), resize(in[0], sizes, {.method = method})};
         },
         /*differentiable=*/true,
         /*depends_on_data=*/true});
  }
  one("space_to_depth", {image({2, 4, 6, 3})}, [](In in) { return space_to_depth(in[0], 2); });
  one("space_to_depth", {image({2, 3, 4, 6}, {0, 2, 3})},
      [](In in) { return space_to_depth(in[0], 2, "NCHW"); });
  one("depth_to_space", {image({2, 2, 3, 8})}, [](In in) { return depth_to_space(in[0], 2); });
  one("depth_to_space", {image({2, 8, 2, 3}, {0, 2, 3})},
      [](In in) { return depth_to_space(in[0], 2, "NCHW"); });
  one("bias_add", {image({2, 3, 4, 2}), fixed({2})}, [](In in) { return bias_add(in[0], in[1]); });
  one("bias_add", {image({2, 3, 4, 2}, {0, 2, 3}), fixed({3})},
      [](In in) { return bias_add(in[0], in[1], "NCHW"); });
}

void add_normalisation(std::vector<OpCase>& cases) {
  auto one = [&](const char* name, std::vector<OpInput> inputs, std::function<Tensor(const In&)> f) {
    cases.push_back({name, std::move(inputs), [f](const In& in) { return In{f(in)}; }});
  };
  one("batch_norm_training", {image({3, 2, 2, 4}), fixed({4}), fixed({4})},
      [](In in) { return batch_norm_training(in[0], in[1], in[2]).y; });
  one("batch_norm_training", {image({3, 4, 2, 2}, {0, 2, 3}), fixed({4})},
      [](In in) { return batch_norm_training(in[0], in[1], Tensor(), {.data_format = "NCHW"}).y; });
  one("batch_norm_training", {batch({5, 4})},
      [](In in) { return batch_norm_training(in[0], Tensor(), Tensor()).y; });
  one("batch_norm",
      {image({3, 2, 2, 4}), no_gradient(fixed({4})), no_gradient({{4}, {}, Values::kPositive}), fixed({4}),
       fixed({4})},
      [](In in) { return batch_norm(in[0], in[1], in[2], in[3], in[4]); });
  one("layer_norm", {batch({3, 2, 4}), fixed({4}), fixed({4})},
      [](In in) { return layer_norm(in[0], in[1], in[2]); });
  one("layer_norm", {batch({3, 2, 4})}, [](In in) { return layer_norm(in[0], Tensor(), Tensor()); });
  one("group_norm", {image({2, 3, 2, 4}), fixed({4}), fixed({4})},
      [](In in) { return group_norm(in[0], in[1], in[2], {.groups = 2}); });
  one("local_response_normalization", {image({1, 2, 2, 7})},
      [](In in) { return local_response_normalization(in[0]); });
  one("local_response_normalization", {image({1, 2, 2, 7})}, [](In in) {
    return local_response_normalization(in[0], {.depth_radius = 1, .bias = 2, .alpha = 0.3, .beta = 0.75});
  });
  one("l2_normalize", {batch({3, 4})}, [](In in) { return l2_normalize(in[0], 1); });
  one("softmax", {batch({3, 4})}, [](In in) { return softmax(in[0]); });
  one("log_softmax", {batch({3, 4})}, [](In in) { return log_softmax(in[0], 0); });
  one("leaky_relu", {batch({3, 4})}, [](In in) { return leaky_relu(in[0]); });
  one("prelu", {batch({3, 4}), fixed({4})}, [](In in) { return prelu(in[0], in[1]); });
  one("scaled_dot_product_attention", {batch({2, 2, 3, 4}), batch({2, 2, 5, 4}), batch({2, 2, 5, 4})},
      [](In in) { return scaled_dot_product_attention(in[0], in[1], in[2]); });
  one("scaled_dot_product_attention", {batch({2, 2, 3, 4}), batch({2, 2, 3, 4}), batch({2, 2, 3, 4})},
      [](In in) {
        return scaled_dot_product_attention(in[0], in[1], in[2], {.is_causal = true, .scale = 0.3});
      });
  one("sparse_softmax_cross_entropy", {batch({3, 4}), indices({3}, 4)},
      [](In in) { return sparse_softmax_cross_entropy(in[0], in[1]); });
  one("softmax_cross_entropy", {batch({3, 4}), positive({3, 4})},
      [](In in) { return softmax_cross_entropy(in[0], in[1]); });
  one("sigmoid_cross_entropy", {batch({3, 4}), positive({3, 4})},
      [](In in) { return sigmoid_cross_entropy(in[0], in[1]); });
  one("weighted_cross_entropy_with_logits", {batch({3, 4}), positive({3, 4})},
      [](In in) { return weighted_cross_entropy_with_logits(in[0], in[1], 1.7); });
  one("mean_squared_error", {batch({3, 4}), batch({3, 4})},
      [](In in) { return mean_squared_error(in[0], in[1]); });
  one("absolute_difference", {batch({3, 4}), batch({3, 4})},
      [](In in) { return absolute_difference(in[0], in[1]); });
  one("psnr", {image({4, 3, 1}), image({4, 3, 1})}, [](In in) { return psnr(in[0], in[1]); });
  one("huber_loss", {batch({3, 4}), batch({3, 4})}, [](In in) { return huber_loss(in[0], in[1], 0.5); });
}

void add_without_derivative(std::vector<OpCase>& cases) {
  auto one = [&](const char* name, std::vector<OpInput> inputs, std::function<Tensor(const In&)> f) {
    cases.push_back({name, std::move(inputs), [f](const In& in) { return In{f(in)}; }, false});
  };
  // Some labels are out of range, and rounded scores have ties.
  one("in_top_k", {batch({3, 4}), indices({3}, 9)}, [](In in) { return in_top_k(in[0], in[1], 2); });
  one("in_top_k", {batch({3, 4}), indices({3}, 4)},
      [](In in) { return in_top_k(round(in[0] * 2), in[1], 1); });
  one("in_top_k", {batch({3, 4}), indices({3}, 9)},
      [](In in) { return in_top_k(in[0], in[1], select(shape(in[0]), 0) - 1); });
  one("not_in_top_k", {batch({3, 4}), indices({3}, 4)}, [](In in) { return not_in_top_k(in[0], in[1], 2); });
  one("not_in_top_k", {batch({3, 4}), indices({3}, 4)},
      [](In in) { return not_in_top_k(in[0], in[1], select(shape(in[0]), 0) - 1); });
  one("dropout", {batch({3, 4})}, [](In in) { return dropout(in[0], 0.4); });
  one("dropout", {batch({3, 4})}, [](In in) { return dropout(in[0], 0.4, {.noise_shape = {-1, 1}}); });
  one("random_uniform", {}, [](In) { return random_uniform({2, 3}); });
  one("random_uniform", {}, [](In) { return random_uniform({2, 3}, 0, 9, {.dtype = kInt64}); });
  one("random_normal", {}, [](In) { return random_normal({2, 3}); });
  auto computed = [&](const char* name, std::function<Tensor(const In&)> f) {
    cases.push_back({name,
                     {batch({3, 4})},
                     [f](const In& in) { return In{f(in)}; },
                     /*differentiable=*/false,
                     /*depends_on_data=*/true});
  };
  computed("random_uniform", [](In in) { return random_uniform(shape(in[0])); });
  computed("random_normal", [](In in) { return random_normal({shape(in[0]), {kDynamic, 4}}); });
  one("truncated_normal", {}, [](In) { return truncated_normal({2, 3}); });
  one("random_bernoulli", {}, [](In) { return random_bernoulli({2, 3}); });
  one("random_uniform_like", {batch({3, 4})}, [](In in) { return random_uniform_like(in[0]); });
  one("random_normal_like", {batch({3, 4})}, [](In in) { return random_normal_like(in[0]); });
  one("random_shuffle", {batch({3, 4})}, [](In in) { return random_shuffle(in[0]); });
  one("random_categorical", {batch({3, 4})}, [](In in) { return random_categorical(in[0], 7); });
  one("constant", {}, [](In) { return constant(1.5); });
  one("constant", {}, [](In) { return constant(std::vector<int64_t>{1, 2, 3, 4}, {2, 2}); });
}

void add_recurrent(std::vector<OpCase>& cases) {
  const OpInput x = image({3, 2, 3}, {0, 1}), n{{2}, {}, Values::kIndices, 4};
  cases.push_back({"lstm", {x, fixed({5, 8}), fixed({8})}, [](In in) {
                     const auto y = lstm(in[0], in[1], in[2]);
                     return In{y.outputs, y.state.cell, y.state.output};
                   }});
  for (bool reverse : {false, true}) {
    cases.push_back({"lstm",
                     {fixed({3, 2, 3}), fixed({5, 8}), fixed({8}), fixed({2, 2}), fixed({2, 2}), n},
                     [reverse](In in) {
                       const auto y = lstm(in[0], in[1], in[2], {in[3], in[4]},
                                           {.forget_bias = 0.5, .lengths = in[5], .reverse = reverse});
                       return In{y.outputs, y.state.cell, y.state.output};
                     }});
  }
  const std::vector<OpInput> gru_inputs = {fixed({3, 2, 3}), fixed({5, 4}), fixed({4}), fixed({5, 2}),
                                           fixed({2})};
  cases.push_back({"gru", gru_inputs, [](In in) {
                     const auto y = gru(in[0], {in[1], in[2], in[3], in[4]});
                     return In{y.outputs, y.state};
                   }});
  std::vector<OpInput> all = gru_inputs;
  all.insert(all.end(), {fixed({2, 2}), n});
  for (bool reverse : {false, true}) {
    cases.push_back({"gru", all, [reverse](In in) {
                       const auto y = gru(in[0], {in[1], in[2], in[3], in[4]}, in[5],
                                          {.lengths = in[6], .reverse = reverse});
                       return In{y.outputs, y.state};
                     }});
  }
}

void add_ctc(std::vector<OpCase>& cases) {
  const auto number = [](int64_t count, int64_t classes) {
    return OpInput{{count}, {}, Values::kIndices, classes};
  };
  const OpInput labels{{2, 2}, {}, Values::kIndices, 2};
  /// All steps of the logits for each of the sequences `n`.
  const auto all_steps = [](const Tensor& logits, const Tensor& n) {
    return n * 0 + select(shape(logits), 0);
  };
  for (bool ignores : {false, true}) {
    cases.push_back({"ctc_loss", {fixed({5, 2, 3}), labels, number(2, 3)}, [=](In in) {
                       return In{ctc_loss(in[0], in[1], in[2], all_steps(in[0], in[2]),
                                          {.ignore_longer_outputs_than_inputs = ignores})};
                     }});
  }
  const auto decoder = [&](const char* name, auto decode) {
    cases.push_back({name,
                     {batch({6, 3, 3}), number(3, 7)},
                     [=](In in) {
                       const CtcDecoded d = decode(in[0], minimum(in[1], select(shape(in[0]), 0)));
                       return In{d.labels, d.lengths, d.score};
                     },
                     /*differentiable=*/false,
                     /*depends_on_data=*/true});
  };
  for (bool merge : {true, false}) {
    decoder("ctc_greedy_decoder", [merge](const Tensor& logits, const Tensor& n) {
      return ctc_greedy_decoder(logits, n, {.merge_repeated = merge});
    });
    decoder("ctc_beam_search_decoder", [merge](const Tensor& logits, const Tensor& n) {
      return ctc_beam_search_decoder(logits, n, {.beam_width = 4, .merge_repeated = merge});
    });
  }
  for (bool normalize : {true, false}) {
    cases.push_back({"edit_distance",
                     {OpInput{{4, 5}, {}, Values::kIndices, 3}, number(4, 6),
                      OpInput{{4, 3}, {}, Values::kIndices, 2}, number(4, 4)},
                     [normalize](In in) {
                       return In{
                           edit_distance(in[0], in[1], in[2], maximum(in[3], 1), {.normalize = normalize})};
                     },
                     /*differentiable=*/false});
  }
}

void add_detection(std::vector<OpCase>& cases) {
  const OpInput boxes = no_gradient(fixed({3, 4})), which{{3}, {}, Values::kIndices, 2};
  const auto selection = [&](const char* name, std::vector<OpInput> inputs, auto build, bool depends) {
    cases.push_back({name, std::move(inputs), build, /*differentiable=*/false, depends});
  };
  selection(
      "non_max_suppression", {batch({6, 4}), batch({6})},
      [](In in) {
        return In{non_max_suppression(in[0], in[1], 4, {.iou_threshold = 0.3, .score_threshold = -0.5})};
      },
      true);
  selection(
      "non_max_suppression", {batch({6, 4}), batch({6}), indices({6}, 2)},
      [](In in) {
        return In{non_max_suppression(in[0], in[1], 6, {.iou_threshold = 0.1, .classes = in[2]})};
      },
      true);
  for (int64_t own : {1, 3}) {
    selection(
        "combined_non_max_suppression", {batch({2, 5, own, 4}), batch({2, 5, 3})},
        [](In in) {
          const auto y = combined_non_max_suppression(
              in[0], in[1], 2, 8,
              {.iou_threshold = 0.2, .score_threshold = 0.1, .pad_per_class = true, .clip_boxes = false});
          return In{y.boxes, y.scores, y.classes, y.valid_detections};
        },
        false);
  }
  for (ResizeMethod method : {ResizeMethod::kBilinear, ResizeMethod::kNearest}) {
    cases.push_back({"crop_and_resize", {fixed({2, 5, 4, 3}), boxes, which}, [method](In in) {
                       return In{crop_and_resize(in[0], in[1], in[2], {3, 2},
                                                 {.method = method, .extrapolation_value = 0.5})};
                     }});
  }
  cases.push_back({"roi_align", {fixed({2, 5, 4, 3}), boxes, which}, [](In in) {
                     return In{roi_align(in[0], in[1] * 3 + 1, in[2], {2, 3})};
                   }});
  const auto between = [](const Tensor& x) { return concat({x, x + abs(x) + 0.5}, -1); };
  const auto one = [&](const char* name, std::vector<OpInput> inputs, std::function<Tensor(const In&)> f) {
    cases.push_back({name, std::move(inputs), [f](const In& in) { return In{f(in)}; }});
  };
  one("encode_bbox_target", {batch({3, 2}), fixed({1, 2})},
      [=](In in) { return encode_bbox_target(between(in[0]), between(in[1])); });
  one("decode_bbox_target", {batch({3, 4}), fixed({1, 2})},
      [=](In in) { return decode_bbox_target(in[0], between(in[1]), {.max_size = 20}); });
  one("clip_boxes", {batch({3, 4})}, [](In in) {
    return clip_boxes(in[0], constant(std::vector<double>{0.7, 0.4}));
  });
  one("pairwise_iou", {batch({3, 2}), batch({4, 2})},
      [=](In in) { return pairwise_iou(between(in[0]), between(in[1])); });
}

std::vector<OpCase> make_cases() {
  std::vector<OpCase> cases;
  add_elementwise(cases);
  add_operators(cases);
  add_math(cases);
  add_reductions(cases);
  add_arrays(cases);
  add_images(cases);
  add_normalisation(cases);
  add_recurrent(cases);
  add_ctc(cases);
  add_detection(cases);
  add_without_derivative(cases);
  return cases;
}

}  // namespace

const std::vector<OpCase>& op_cases() {
  static const std::vector<OpCase> cases = make_cases();
  return cases;
}

std::string case_name(size_t index) {
  const std::string& function = op_cases()[index].function;
  const auto number = std::count_if(op_cases().begin(), op_cases().begin() + static_cast<ptrdiff_t>(index),
                                    [&](const OpCase& op) { return op.function == function; });
  static const std::map<char, const char*> words = {{'+', "_plus"}, {'-', "_minus"}, {'*', "_times"},
                                                    {'/', "_over"}, {'<', "_less"},  {'>', "_greater"},
                                                    {'=', "_equal"}};
  std::string name;
  for (char c : function) {
    if (words.contains(c)) {
      name += words.at(c);
    } else {
      name += c;
    }
  }
  return name + "_" + std::to_string(number);
}

std::vector<size_t> cases_where(const std::function<bool(const OpCase&)>& holds) {
  std::vector<size_t> indices;
  for (size_t i = 0; i < op_cases().size(); ++i) {
    if (holds(op_cases()[i])) indices.push_back(i);
  }
  return indices;
}

}  // namespace belfry::test
