#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "belfry/formats/onnx.h"
#include "belfry/graph/types.h"

namespace belfry::internal {

/// The name of a value of an ONNX graph.
using OnnxName = std::string;
using OnnxNames = std::vector<OnnxName>;
using OnnxAttributes = std::vector<OnnxAttribute>;

/// Puts an ONNX graph together. Transpositions that follow each other become one or none, and those of the
/// inputs of an elementwise operator move behind it, so that they meet.
class OnnxBuilder {
 public:
  OnnxBuilder() = default;
  /// Of a graph inside of that of `around`, whose values its nodes may use; it must outlive this.
  explicit OnnxBuilder(OnnxBuilder& around) : around_(&around), scope_(around.scope_) {}

  /// What is added from now on is named below `scope`.
  void enter(std::string scope) { scope_ = std::move(scope); }

  OnnxName input(const std::string& name, DType dtype, const Shape& shape);
  /// Makes `value` an output of the graph under the name `name`.
  void output(const std::string& name, const OnnxName& value, DType dtype, const Shape& shape);

  OnnxName add(const std::string& op, const OnnxNames& inputs, OnnxAttributes attributes = {});
  OnnxNames add_multi(const std::string& op, const OnnxNames& inputs, size_t outputs,
                      OnnxAttributes attributes = {});
  /// As `add`, for an operator that broadcasts its inputs and works element by element.
  OnnxName elementwise(const std::string& op, const OnnxNames& inputs, OnnxAttributes attributes = {});

  OnnxName constant(const at::Tensor& value, const std::string& name = "constant");
  OnnxName constant(const c10::Scalar& value, DType dtype);
  OnnxName constant(const std::vector<int64_t>& values);

  // Computed at once where `x` is a constant.

  OnnxName transpose(const OnnxName& x, const std::vector<int64_t>& permutation);
  OnnxName cast(const OnnxName& x, DType from, DType to);
  OnnxName reshape(const OnnxName& x, const std::vector<int64_t>& shape);
  OnnxName unsqueeze(const OnnxName& x, const std::vector<int64_t>& axes);
  OnnxName squeeze(const OnnxName& x, const std::vector<int64_t>& axes);

  /// Sizes `begin` up to `end` of the shape of `x`, at run time: int64 [end - begin].
  OnnxName sizes(const OnnxName& x, int64_t begin, int64_t end);

  /// The permutation P when every one of `values` is Transpose(P) of something.
  std::optional<std::vector<int64_t>> common_permutation(const OnnxNames& values) const;
  /// Requires: `value` is a Transpose. What it transposes.
  const OnnxName& untransposed(const OnnxName& value) const { return transposes_.at(value).source; }

  /// The model without what no output needs, and without its initializers: `weights` gets them.
  OnnxModel finish(std::vector<std::pair<OnnxName, at::Tensor>>& weights);
  /// As above, of a graph inside of another, with its initializers.
  std::shared_ptr<const OnnxGraph> finish_inner(const std::string& name);

 private:
  struct Transposed {
    OnnxName source;
    std::vector<int64_t> permutation;
  };
  const at::Tensor* find_constant(const OnnxName& name) const;
  std::string unique(const std::string& name);

  OnnxBuilder* around_ = nullptr;
  std::string scope_;
  OnnxModel model_;
  std::unordered_set<std::string> names_;
  std::unordered_map<OnnxName, at::Tensor> constants_;
  std::vector<OnnxName> constant_order_;
  std::unordered_map<OnnxName, Transposed> transposes_;
};

/// A weight or constant, its bytes in the model.
OnnxTensor inline_tensor(const OnnxName& name, const at::Tensor& value);

/// ONNX's number of a dtype, for the attribute "to". Throws UsageError where it has none.
int64_t onnx_dtype(DType dtype);

}  // namespace belfry::internal
