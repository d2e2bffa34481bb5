#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/library.h>

#include <algorithm>
#include <string>
#include <vector>

#include "belfry/base/log.h"

namespace belfry {
namespace {

using at::Tensor;

void check_value(const Tensor& ref, const Tensor& value) {
  TORCH_CHECK(value.dim() == 0 || value.sizes() == ref.sizes(), "expected a value of the variable's shape ",
              ref.sizes(), ", got ", value.sizes());
}

Tensor assign(Tensor ref, const Tensor& value) {
  check_value(ref, value);
  return ref.copy_(value);
}

Tensor assign_add(Tensor ref, const Tensor& value) {
  check_value(ref, value);
  return ref.add_(value);
}

Tensor assign_sub(Tensor ref, const Tensor& value) {
  check_value(ref, value);
  return ref.sub_(value);
}

/// "[2, 3] 0.5 1 2 ..."
std::string summary(const Tensor& x, int64_t limit) {
  const Tensor elements = x.detach().reshape(-1).to(at::kCPU, at::kDouble);
  const int64_t shown = limit < 0 ? elements.numel() : std::min(limit, elements.numel());
  std::string text = fmt::format("[{}]", fmt::join(x.sizes(), ", "));
  for (int64_t i = 0; i < shown; ++i) text += fmt::format(" {:.6g}", elements[i].item<double>());
  if (shown < elements.numel()) text += " ...";
  return text;
}

Tensor print(const Tensor& x, at::TensorList data, c10::string_view message, int64_t summarize) {
  std::vector<std::string> parts;
  if (!message.empty()) parts.emplace_back(message);
  for (const Tensor& tensor : data) parts.push_back(summary(tensor, summarize));
  log_info("{}", fmt::join(parts, " "));
  return x;
}

Tensor print_meta(const Tensor& x, at::TensorList, c10::string_view, int64_t) {
  return x;
}

void assert_true(const Tensor& condition, c10::string_view message) {
  TORCH_CHECK_VALUE(condition.all().item<bool>(), message);  // the one who wrote the assertion is told
}
void assert_true_meta(const Tensor& condition, c10::string_view) {
  TORCH_CHECK(condition.scalar_type() == at::kBool, "expected a bool condition, got ",
              condition.scalar_type());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("print(Tensor(a) x, Tensor[] data, *, str message='', int summarize=3) -> Tensor(a)", print);
  m.def("assert_true(Tensor condition, *, str message) -> ()");
  m.def("assign(Tensor(a!) ref, Tensor value) -> Tensor(a!)", assign);
  m.def("assign_add(Tensor(a!) ref, Tensor value) -> Tensor(a!)", assign_add);
  m.def("assign_sub(Tensor(a!) ref, Tensor value) -> Tensor(a!)", assign_sub);
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("assert_true", assert_true);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("print", print_meta);
  m.impl("assert_true", assert_true_meta);
}

}  // namespace belfry
