#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "belfry/input/input_source.h"

namespace belfry {

/// Inputs computed by the graph itself: random numbers, constants, a generated signal. Nothing is fed.
class TensorInput : public InputSource {
 public:
  using Function = std::function<std::vector<Tensor>()>;
  /// `make_tensors` is called once for each tower and returns its inputs in the order of the signature.
  /// `size`: steps of one pass. Throws UsageError when it is not positive.
  explicit TensorInput(Function make_tensors, std::optional<int64_t> size = {});

  std::string name() const override { return "TensorInput"; }
  /// Throws UsageError when the function returns another number of tensors than there are inputs.
  std::vector<Tensor> input_tensors() override;
  std::optional<int64_t> size() const override { return size_; }
  /// There is nothing to go on with: what the nodes draw and count is the session's.
  std::optional<DataPosition> position() const override { return DataPosition(); }
  bool resume_at(const DataPosition&) override { return true; }

 private:
  Function make_tensors_;
  std::optional<int64_t> size_;
};

/// Zeros of fixed shapes, for measuring the speed of a model without its data.
class DummyConstantInput : public InputSource {
 public:
  /// One shape for each input, without dynamic sizes.
  explicit DummyConstantInput(std::vector<Shape> shapes);

  std::string name() const override { return "DummyConstantInput"; }
  std::vector<Tensor> input_tensors() override;
  std::optional<int64_t> size() const override { return std::nullopt; }
  std::optional<DataPosition> position() const override { return DataPosition(); }
  bool resume_at(const DataPosition&) override { return true; }

 private:
  void on_setup() override;
  std::vector<Shape> shapes_;
};

}  // namespace belfry
