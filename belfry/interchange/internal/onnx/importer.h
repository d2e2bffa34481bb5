#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "belfry/formats/onnx.h"
#include "belfry/graph/attribute.h"
#include "belfry/interchange/onnx.h"

namespace belfry::internal {

/// Why a node cannot be imported; becomes a DataError that names file and node.
struct ImportFailure {
  std::string reason;
};

/// One node of an ONNX model, and its inputs as tensors of the default graph. Remembers what was read of it:
/// what was not may have changed its meaning, and so the node cannot be imported.
class OnnxImport {
 public:
  OnnxImport(const OnnxNode& node, std::vector<Tensor> inputs) : node_(node), inputs_(std::move(inputs)) {}

  size_t size() const { return inputs_.size(); }
  size_t results() const { return node_.outputs.size(); }
  bool has(size_t index) const { return index < inputs_.size() && inputs_[index].defined(); }
  /// Throws ImportFailure when the input is missing.
  const Tensor& input(size_t index = 0) const;
  /// All of them; "" in the model stands for one that is not defined.
  const std::vector<Tensor>& inputs() const;

  bool has_attribute(const std::string& name) const { return find(name) != nullptr; }
  int64_t integer(const std::string& name, int64_t otherwise) const;
  double number(const std::string& name, double otherwise) const;
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> integers(const std::string& name, const std::vector<int64_t>& otherwise) const;

  /// The value of an input that must be a constant.
  at::Tensor constant(size_t index) const;
  std::vector<int64_t> constant_integers(size_t index) const;
  /// Axes as an input or, in older opsets, an attribute; empty: none given.
  std::vector<int64_t> axes(size_t index) const;

  // For what means nothing here, whatever its value: a comment beside the call says why.

  void ignore_attribute(const std::string& name) const { find(name); }
  void ignore_input(size_t index) const { read_inputs_.insert(index); }

  /// Throws ImportFailure when an attribute or input was given and not read, or an attribute twice.
  void check_all_read() const;

 private:
  const OnnxAttribute* find(const std::string& name) const;

  const OnnxNode& node_;
  std::vector<Tensor> inputs_;
  mutable std::set<std::string> read_attributes_;
  mutable std::set<size_t> read_inputs_;
};

using OnnxBuild = std::function<std::vector<Tensor>(const OnnxImport&)>;
using OnnxBuilds = std::unordered_map<std::string, OnnxBuild>;

// Each in its own file.
void add_math_builds(OnnxBuilds& builds);
void add_array_builds(OnnxBuilds& builds);
void add_nn_builds(OnnxBuilds& builds);
void add_recurrent_builds(OnnxBuilds& builds);

/// The operators that can be imported, but Constant, by name.
std::vector<std::string> onnx_operators();

/// Throws ImportFailure unless each of `lengths` is at least `least` and can be added and multiplied safely.
void check_lengths(const std::string& what, const std::vector<int64_t>& lengths, int64_t least);

/// `axes` from the front, for a tensor of `rank` dimensions.
std::vector<int64_t> from_front(std::vector<int64_t> axes, int64_t rank);
/// The size of a dimension when a graph runs: int64 [1].
Tensor size_along(const Tensor& x, int64_t axis);
/// `value`s around `x`, as many as a run's `pads`, int64 [2 * rank], say: first those before each dimension.
Tensor pad_at_run_time(const Tensor& x, const Tensor& pads, double value);

/// The value of a constant node; nothing for another.
std::optional<at::Tensor> value_of(const Tensor& tensor);
/// What is known at once of a list of sizes: kDynamic where only a run knows. Nothing where not even their
/// number is.
std::optional<Shape> known_sizes(const Tensor& sizes, int depth = 0);

}  // namespace belfry::internal
