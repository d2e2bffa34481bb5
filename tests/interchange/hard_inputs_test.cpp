// Exports on inputs at which the formulas for an operator differ: whole quotients, infinities, signs of
// integers, equal elements, places beyond an end, nothing at all.

#include <ATen/ops/add.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/div.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/floor.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <limits>
#include <map>

#include "belfry/checkpoint/element_type.h"
#include "belfry/formats/npz.h"
#include "belfry/interchange/onnx.h"
#include "belfry/interchange/saved_model.h"
#include "belfry/ops/ops.h"
#include "tests/support/export_cases.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::Tensors;
using Values = std::vector<at::Tensor>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();

struct HardCase {
  std::string name;
  Values inputs;
  std::function<Tensors(const Tensors&)> build;
  bool dynamic = true;                              ///< sizes that the graph does not know
  std::function<Values(const Values&)> right = {};  ///< default: what the session computes
  bool onnx_runtime = true;                         ///< false: it has no kernel for the dtype
};

at::Tensor floats(const std::vector<double>& values) {
  return at::tensor(values, kFloat32);
}
at::Tensor wholes(const std::vector<int64_t>& values) {
  return at::tensor(values, kInt64);
}

const std::vector<double> kDividends = {1, -1,   0.3, -0.3, 7,         -7, 1,  -1,
                                        0, -0.0, 5,   kNaN, kInfinity, 1,  -6, 6};
const std::vector<double> kDivisors = {0.1, 0.1, 0.1,        0.1, 2, 2,    kInfinity, kInfinity,
                                       3,   3,   -kInfinity, 1,   2, -0.1, -0.5,      -0.5};

std::vector<HardCase> divisions() {
  const at::Tensor x = floats(kDividends), y = floats(kDivisors);
  const at::Tensor i = wholes({7, -7, 6, -6, 0, -1, 1, kLowest, kHighest, kLowest + 1});
  std::vector<HardCase> cases = {
      {"floor_div",
       {x, y},
       [](const Tensors& t) -> Tensors { return {floor_div(t[0], t[1])}; },
       true,
       [](const Values& v) -> Values { return {at::floor(at::div(v[0], v[1]))}; }},
      {"floor_div_number",
       {x},
       [](const Tensors& t) -> Tensors { return {floor_div(t[0], 0.1)}; },
       true,
       [](const Values& v) -> Values { return {at::floor(at::div(v[0], floats({0.1})))}; }},
      {"floor_mod", {x, y}, [](const Tensors& t) -> Tensors { return {floor_mod(t[0], t[1])}; }},
      {"floor_mod_number",
       {x},
       [](const Tensors& t) -> Tensors {
         return {floor_mod(t[0], 0.1), floor_mod(t[0], -0.1)};
       }},
      {"fmod",
       {x, y},
       [](const Tensors& t) -> Tensors {
         return {call("aten::fmod.Tensor", {t[0], t[1]})};
       }},
      {"of_integers",
       {i},
       [](const Tensors& t) -> Tensors {
         return {floor_div(t[0], 3), floor_div(t[0], -3), floor_mod(t[0], 3), floor_mod(t[0], -3)};
       }},
      {"of_int32",
       {i.slice(0, 0, 7).to(kInt32)},
       [](const Tensors& t) -> Tensors {
         return {floor_div(t[0], 2), floor_div(t[0], -2), floor_mod(t[0], 2), floor_mod(t[0], -2)};
       }},
  };
  return cases;
}

std::vector<HardCase> elements() {
  const at::Tensor small = floats({0, -0.0, 1e-10, -1e-10, 1e-4, -1e-4, 0.5, -0.5, 3, kInfinity, kNaN});
  const at::Tensor signs = floats({0, -0.0, 1, -1, kInfinity, -kInfinity});
  const at::Tensor i = wholes({7, -7, 0, kLowest, kHighest});
  return {
      {"log1p", {small}, [](const Tensors& t) -> Tensors { return {log1p(t[0])}; }},
      {"log1p_ends",
       {floats({-1, -2, -0.999, 1e30})},
       [](const Tensors& t) -> Tensors { return {log1p(t[0])}; }},
      {"expm1", {small}, [](const Tensors& t) -> Tensors { return {expm1(t[0])}; }},
      {"expm1_ends",
       {floats({-kInfinity, -100, 80, 100})},
       [](const Tensors& t) -> Tensors { return {expm1(t[0])}; }},
      {"atan2",
       {signs.unsqueeze(1), signs},
       [](const Tensors& t) -> Tensors {
         return {call("aten::atan2", {t[0], t[1]})};
       }},
      {"rounded_integers",
       {i},
       [](const Tensors& t) -> Tensors {
         return {round(t[0]), floor(t[0]), ceil(t[0])};
       }},
      {"finite_integers",
       {i},
       [](const Tensors& t) -> Tensors {
         return {is_nan(t[0]), is_inf(t[0]), is_finite(t[0])};
       }},
      {"logsumexp",
       {floats(
            {-kInfinity, -kInfinity, 1, kInfinity, -kInfinity, 1, 1e4, 1e4, -1e4, -1e4, kInfinity, kInfinity})
            .reshape({6, 2})},
       [](const Tensors& t) -> Tensors {
         return {logsumexp(t[0], {1}), logsumexp(t[0], {1}, {.keep_dims = true})};
       }},
      {"scalar_norms",
       {at::scalar_tensor(-2.5, kFloat32)},
       [](const Tensors& t) -> Tensors {
         Tensors all;
         for (double order : {1.0, 2.0, 3.0, kInfinity})
           all.push_back(call("aten::linalg_vector_norm", {t[0]}, {{"ord", order}}));
         return all;
       }},
  };
}

std::vector<HardCase> orders() {
  const at::Tensor ties = at::randint(0, 3, {4, 50}).to(kFloat32), zeros = at::zeros({2, 8}, kFloat32);
  const auto ordered = [](const at::Tensor& x, bool largest, int64_t count) -> Values {
    const auto [values, indices] = at::sort(x, /*stable=*/true, /*dim=*/1, largest);
    return {values.slice(1, 0, count), indices.slice(1, 0, count)};
  };
  const auto top = [](const Tensors& t, int64_t k, bool largest) {
    return call_multi("aten::topk", {t[0]}, {{"k", k}, {"dim", 1}, {"largest", largest}});
  };
  return {
      {"topk_of_zeros",
       {zeros},
       [top](const Tensors& t) { return top(t, 5, true); },
       true,
       [ordered](const Values& v) { return ordered(v[0], true, 5); }},
      {"topk_of_ties",
       {ties},
       [top](const Tensors& t) { return top(t, 20, true); },
       true,
       [ordered](const Values& v) { return ordered(v[0], true, 20); }},
      {"least_of_ties",
       {ties},
       [top](const Tensors& t) { return top(t, 20, false); },
       true,
       [ordered](const Values& v) { return ordered(v[0], false, 20); }},
      {"argmax",
       {ties},
       [](const Tensors& t) -> Tensors {
         return {argmax(t[0], 1), argmin(t[0], 1)};
       }},
      {"sort",
       {ties},
       [](const Tensors& t) -> Tensors {
         return {argsort(t[0]), argsort(t[0], {.descending = true}), sort(t[0])};
       }},
      {"sort_of_integers",
       {wholes({3, kLowest, 3, kHighest, -1, kLowest + 1, kLowest})},
       [](const Tensors& t) -> Tensors {
         return {sort(t[0]), sort(t[0], {.descending = true}), argsort(t[0])};
       }},
  };
}

std::vector<HardCase> slices() {
  std::vector<HardCase> cases;
  const at::Tensor x = floats({0, 1, 2});
  for (const bool dynamic : {false, true}) {
    const auto all = [](const Tensors& t) {
      Tensors results;
      for (int64_t begin : {-6, -4, -3, -2, -1, 0, 1, 2, 5}) {
        for (int64_t end : {-6, -4, -3, -2, -1, 0, 1, 2, 5, std::numeric_limits<int32_t>::max()}) {
          for (int64_t step : {-1, -2}) results.push_back(strided_slice(t[0], {begin}, {end}, {step}));
        }
      }
      return results;
    };
    cases.push_back({dynamic ? "slices_dynamic" : "slices", {x}, all, dynamic});
  }
  // Of three lists of places one says how many there are.
  cases.push_back({"strided_slice_of_fed_places",
                   {at::rand({5, 4}), wholes({3, 0}), wholes({-1, 2})},
                   [](const Tensors& t) -> Tensors {
                     return {strided_slice(t[0], t[1], constant(wholes({0, 4})), t[2])};
                   }});
  return cases;
}

std::vector<HardCase> images() {
  std::vector<HardCase> cases;
  for (const bool dynamic : {false, true}) {
    const std::string suffix = dynamic ? "_dynamic" : "";
    const auto pools = [](const Tensors& t) -> Tensors {
      Tensors all;
      for (int64_t stride : {2, 3, 5}) {
        const PoolAttributes attributes{.pool = 2, .strides = stride, .padding = "SAME"};
        all.push_back(max_pool2d(t[0] - 3, attributes));
        all.push_back(avg_pool2d(t[0], attributes));
      }
      // Rows that only a run knows beside columns for which windows are too far apart, or dilated.
      const Tensor known_columns = reshape(t[0], {2, -1, 6, 3});
      all.push_back(max_pool2d(known_columns, {.pool = {3, 1}, .strides = 3, .padding = "SAME"}));
      all.push_back(avg_pool2d(known_columns, {.pool = {3, 1}, .strides = 3, .padding = "SAME"}));
      all.push_back(conv2d(known_columns, ones({2, 2, 3, 2}), {.strides = {2, 1}, .dilations = {1, 2}}));
      return all;
    };
    cases.push_back({"pools" + suffix, {at::rand({2, 7, 6, 3})}, pools, dynamic});
  }
  const auto resized = [](const Tensors& t) -> Tensors {
    return {resize(t[0], {5, 9}), resize(t[0], {3, 2}, {.align_corners = true})};
  };
  // Of bytes the session's kernel has weights of 16 bits, and may be 1 beside the rounded value.
  const auto rounded = [](const Values& v) -> Values {
    const at::Tensor x = v[0].to(kFloat32).permute({0, 3, 1, 2});
    const auto bytes = [](const at::Tensor& y) {
      return at::floor(at::add(y, 0.5)).permute({0, 2, 3, 1}).to(kUInt8);
    };
    return {bytes(at::upsample_bilinear2d(x, {5, 9}, false)),
            bytes(at::upsample_bilinear2d(x, {3, 2}, true))};
  };
  cases.push_back({"resized_uint8", {at::randint(0, 256, {1, 4, 5, 3}).to(kUInt8)}, resized, false, rounded});
  cases.push_back({"resized_float64", {at::rand({1, 4, 5, 3}, kFloat64)}, resized, false, {}, false});
  return cases;
}

std::vector<HardCase> products() {
  const at::Tensor a = at::randn({2, 3}), b = at::randn({3, 4}), c = at::randn({4, 2}),
                   d = at::randn({2, 2, 3});
  const auto product = [](const std::string& equation) {
    return [equation](const Tensors& t) -> Tensors { return {einsum(equation, t)}; };
  };
  return {{"three", {a, b, c}, product("ij,jk,kl->il")},
          {"implicit", {a, b}, product("ij, jk")},
          {"cyclic", {a, b, c}, product("ij,jk,ki")},
          {"alphabet", {a}, product("ba")},
          {"rest", {d, b, c}, product("...j,jk,kl->...l"), false},
          {"outer", {a, b, c}, product("ij,kl,mn->nmjl")}};
}

std::vector<HardCase> empties() {
  const at::Tensor none = at::zeros({0}, kFloat32);
  return {{"concat",
           {none, none},
           [](const Tensors& t) -> Tensors {
             return {concat({t[0], t[1]}, 0)};
           },
           false},
          {"concat_some",
           {none, floats({1, 2})},
           [](const Tensors& t) -> Tensors {
             return {concat({t[0], t[1]}, 0)};
           },
           false},
          {"batch_flatten",
           {at::zeros({0, 0, 5, 6}, kFloat32)},
           [](const Tensors& t) -> Tensors { return {batch_flatten(t[0])}; }},
          {"batch_flatten_static",
           {at::zeros({0, 0, 5, 6}, kFloat32)},
           [](const Tensors& t) -> Tensors { return {batch_flatten(t[0])}; },
           false},
          {"argmax_of_none",
           {at::zeros({0, 3}, kFloat32)},
           [](const Tensors& t) -> Tensors {
             return {argmax(t[0], -1), argmin(t[0], -1)};
           }},
          {"losses_of_none",
           {at::zeros({0, 3}, kFloat32), at::zeros({0}, kInt64)},
           [](const Tensors& t) -> Tensors {
             return {softmax_cross_entropy(t[0], t[0]), in_top_k(t[0], t[1], 2)};
           }},
          {"any_and_all",
           {at::zeros({0, 3}, kBool)},
           [](const Tensors& t) -> Tensors {
             return {any(t[0], {0}), any(t[0]), all(t[0], {0}, {.keep_dims = true}), all(t[0])};
           }},
          {"sum", {at::zeros({0, 3}, kFloat32)}, [](const Tensors& t) -> Tensors {
             return {sum(t[0], {0}), sum(t[0], {1})};
           }}};
}

std::vector<HardCase> hard_cases() {
  at::manual_seed(3);
  std::vector<HardCase> all;
  for (const auto& cases : {divisions(), elements(), orders(), slices(), images(), products(), empties()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

test::ExportCase as_case(const HardCase& hard) {
  test::ExportCase result{hard.name, {}, hard.build};
  for (size_t i = 0; i < hard.inputs.size(); ++i) {
    const at::Tensor& value = hard.inputs[i];
    const Shape sizes = value.sizes().vec();
    result.inputs.push_back(
        {fmt::format("in{}", i), hard.dynamic ? Shape(sizes.size(), kDynamic) : sizes, value.scalar_type()});
  }
  return result;
}

/// Relative but for the least of numbers: what is near 0 must have its digits.
constexpr double kRelative = 2e-5, kAbsolute = 1e-30;

void expect_close(const at::Tensor& actual, const at::Tensor& expected) {
  EXPECT_EQ(actual.scalar_type(), expected.scalar_type());
  if (c10::isIntegralType(actual.scalar_type(), /*includeBool=*/true)) {
    EXPECT_TRUE(actual.equal(expected)) << actual << "\nexpected\n" << expected;
  } else {
    ASSERT_EQ(actual.sizes(), expected.sizes());
    EXPECT_TRUE(at::allclose(actual, expected, kRelative, kAbsolute, /*equal_nan=*/true))
        << actual << "\nexpected\n"
        << expected;
  }
}

class HardInputsTest : public testing::Test {
 protected:
  template <typename Write>
  void export_all(bool onnx, Write write, const std::string& results) {
    for (const HardCase& hard : hard_cases()) {
      if (onnx && !hard.onnx_runtime) continue;
      SCOPED_TRACE(hard.name);
      test::BuiltCase built(as_case(hard));
      const std::string path = folder_ / hard.name;
      ASSERT_NO_THROW(write(built, path));
      built.save_inputs(path + ".0.in.npz", hard.inputs);
      expected_[path + results] = right(hard, built);
    }
  }
  static Values right(const HardCase& hard, test::BuiltCase& built) {
    return hard.right ? hard.right(hard.inputs) : built.run(hard.inputs);
  }
  void expect_all() const {
    for (const auto& [path, values] : expected_) {
      SCOPED_TRACE(path);
      if (!std::ifstream(path)) {
        ADD_FAILURE() << "was not computed";
        continue;
      }
      NpzReader reader(path);
      for (const ArrayInfo& info : reader.entries()) {
        SCOPED_TRACE(info.name);
        at::Tensor value = at::empty(info.shape, to_dtype(info.dtype));
        reader.read(info.name, {static_cast<std::byte*>(value.data_ptr()), value.nbytes()});
        expect_close(value, values.at(static_cast<size_t>(std::stoi(info.name))));
      }
    }
  }

  const test::TempDir folder_;
  std::map<std::string, Values> expected_;
};

TEST_F(HardInputsTest, MeanTheSameToOnnxRuntime) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  export_all(
      true,
      [](test::BuiltCase& built, const std::string& path) {
        export_onnx(built.session, built.inputs, built.outputs, path + ".onnx");
      },
      ".0.out.npz");
  EXPECT_EQ(test::run_python("tests/interchange/run_onnx.py", {folder_.path()}), "");
  expect_all();
}

TEST_F(HardInputsTest, MeanTheSameToTensorFlow) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  export_all(
      false,
      [](test::BuiltCase& built, const std::string& path) {
        export_frozen_graph(built.session, built.inputs, built.outputs, path + ".pb");
        built.save_output_names(path + ".outputs");
      },
      ".0.frozen.npz");
  EXPECT_EQ(test::run_python("tests/interchange/run_tensorflow.py", {folder_.path()}), "");
  expect_all();
}

}  // namespace
}  // namespace belfry
