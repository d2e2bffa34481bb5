#include "belfry/graph/kernel.h"

#include <map>
#include <string>
#include <utility>

namespace belfry {
namespace {

/// What differs from ATen's kernel.
enum class Differs { kGradient, kValues };

struct Kernel {
  c10::OperatorHandle op;
  Differs differs;
};

/// ATen's operator, and the one of Belfry that takes the same arguments.
struct Replacement {
  c10::OperatorName aten, belfry;
  Differs differs;
};

std::map<c10::OperatorName, Kernel, bool (*)(const c10::OperatorName&, const c10::OperatorName&)>
find_kernels() {
  const Replacement replacements[] = {
      {{"aten::amax", ""}, {"belfry::amax", ""}, Differs::kGradient},
      {{"aten::amin", ""}, {"belfry::amin", ""}, Differs::kGradient},
      {{"aten::clamp", ""}, {"belfry::clamp", ""}, Differs::kGradient},
      {{"aten::clamp_max", ""}, {"belfry::clamp_max", ""}, Differs::kGradient},
      {{"aten::clamp_min", ""}, {"belfry::clamp_min", ""}, Differs::kGradient},
      {{"aten::cumsum", ""}, {"belfry::cumsum", ""}, Differs::kGradient},
      {{"aten::div", "Tensor_mode"}, {"belfry::div", "Tensor_mode"}, Differs::kValues},
      {{"aten::fmod", "Tensor"}, {"belfry::fmod", "Tensor"}, Differs::kValues},
      {{"aten::floor_divide", ""}, {"belfry::floor_divide", ""}, Differs::kValues},
      {{"aten::floor_divide", "Scalar"}, {"belfry::floor_divide", "Scalar"}, Differs::kValues},
      {{"aten::l1_loss", ""}, {"belfry::l1_loss", ""}, Differs::kValues},
      {{"aten::linalg_vector_norm", ""}, {"belfry::linalg_vector_norm", ""}, Differs::kValues},
      {{"aten::log_softmax", "int"}, {"belfry::log_softmax", "int"}, Differs::kValues},
      {{"aten::maximum", ""}, {"belfry::maximum", ""}, Differs::kGradient},
      {{"aten::minimum", ""}, {"belfry::minimum", ""}, Differs::kGradient},
      {{"aten::mse_loss", ""}, {"belfry::mse_loss", ""}, Differs::kGradient},
      {{"aten::pow", "Scalar"}, {"belfry::pow", "Scalar"}, Differs::kValues},
      {{"aten::pow", "Tensor_Tensor"}, {"belfry::pow", "Tensor_Tensor"}, Differs::kValues},
      {{"aten::remainder", "Scalar"}, {"belfry::remainder", "Scalar"}, Differs::kValues},
      {{"aten::remainder", "Tensor"}, {"belfry::remainder", "Tensor"}, Differs::kValues},
      {{"aten::selu", ""}, {"belfry::selu", ""}, Differs::kGradient},
      {{"aten::softmax", "int"}, {"belfry::softmax", "int"}, Differs::kValues},
      {{"aten::topk", ""}, {"belfry::topk", ""}, Differs::kValues},
  };
  std::map<c10::OperatorName, Kernel, bool (*)(const c10::OperatorName&, const c10::OperatorName&)> kernels(
      [](const c10::OperatorName& a, const c10::OperatorName& b) {
        return std::pair(a.name, a.overload_name) < std::pair(b.name, b.overload_name);
      });
  for (const Replacement& replacement : replacements) {
    kernels.emplace(replacement.aten,
                    Kernel{c10::Dispatcher::singleton().findSchemaOrThrow(
                               replacement.belfry.name.c_str(), replacement.belfry.overload_name.c_str()),
                           replacement.differs});
  }
  return kernels;
}

const Kernel* find_kernel(const c10::OperatorHandle& op) {
  static const auto kernels = find_kernels();
  const auto found = kernels.find(op.operator_name());
  return found == kernels.end() ? nullptr : &found->second;
}

}  // namespace

c10::OperatorHandle kernel_of(const c10::OperatorHandle& op) {
  const Kernel* kernel = find_kernel(op);
  return kernel ? kernel->op : op;
}

c10::OperatorHandle forward_kernel_of(const c10::OperatorHandle& op) {
  const Kernel* kernel = find_kernel(op);
  return kernel && kernel->differs == Differs::kValues ? kernel->op : op;
}

}  // namespace belfry
