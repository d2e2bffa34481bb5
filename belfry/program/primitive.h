#pragma once

#include <dnnl.hpp>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/program/activation_spec.h"
#include "belfry/program/instruction.h"
#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// The one CPU of oneDNN.
const dnnl::engine& cpu_engine();

/// An instruction that is one of oneDNN's primitives.
class Primitive : public Instruction {
 public:
  template <typename Description>
  Primitive(const dnnl::primitive& primitive, const Description& description)
      : primitive_(primitive),
        implementation_(description.impl_info_str()),
        scratchpad_(description.scratchpad_desc()),
        stream_(cpu_engine()) {}

  void add(int argument, const dnnl::memory::desc& desc, TensorView tensor);
  void add(int argument, dnnl::memory packed);
  /// What was added of tensors.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  /// Of the scratch memory, which is one more argument.
  const dnnl::memory::desc& scratchpad() const { return scratchpad_; }

  void run() override;
  /// Its maximum of NaN and a number is the number: relu, pooling, and limits inside of other functions.
  bool may_hide_nan() const override { return true; }
  std::string describe() const override { return "onednn " + implementation_; }

 private:
  dnnl::primitive primitive_;
  std::string implementation_;
  dnnl::memory::desc scratchpad_;
  dnnl::stream stream_;
  std::vector<dnnl::memory> memories_, weights_;
  std::vector<TensorView> tensors_;
  std::vector<void*> last_;  ///< where the tensors were in the last run
  std::vector<dnnl_exec_arg_t> arguments_;
};

template <typename Forward>
std::unique_ptr<Primitive> make_primitive(const typename Forward::primitive_desc& description) {
  return std::make_unique<Primitive>(Forward(description), description);
}

// Descriptions:

/// oneDNN's word for a type; nullopt where there is no use for it with primitives.
std::optional<dnnl::memory::data_type> data_type(ElementType type);
/// Whether primitives take them: dense or not, of such a type and not empty. Undefined ones do not count.
bool supported(std::initializer_list<TensorView> tensors);
/// As it lies in memory, dimensions in the order given by `order`.
dnnl::memory::desc desc_of(const TensorView& tensor, const std::vector<int64_t>& order = {});
/// NHWC images, in oneDNN's logical order.
dnnl::memory::desc image_desc(const TensorView& tensor);

/// An activation in oneDNN's words.
struct Eltwise {
  dnnl::algorithm algorithm;
  float alpha, beta;
};
Eltwise eltwise(const ActivationSpec& activation);

/// To be executed with the program's memory as scratch memory.
dnnl::primitive_attr attributes(const dnnl::post_ops& ops);

/// False for oneDNN's reference implementations, which are slower than anything else, and for those on its
/// general matrix product: LibTorch exports pieces of its own copy of that (std::call_once for dnnl's
/// gemm_info_t), which the loader then gives to the system's oneDNN too.
template <typename Description>
bool is_usable(const Description& description) {
  const std::string_view name = description.impl_info_str();
  return !name.starts_with("ref") && name.find("gemm:jit") == name.npos && name.find("gemm:any") == name.npos;
}

}  // namespace belfry::internal
