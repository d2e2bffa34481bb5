#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "belfry/formats/graph_def.h"
#include "belfry/graph/function.h"
#include "belfry/interchange/internal/arguments_of.h"

namespace belfry::internal {

/// A tensor of a GraphDef: "node" or "node:1".
using TfName = std::string;
using TfNames = std::vector<TfName>;
using TfAttributes = std::map<std::string, GraphDefAttribute>;

DataType tf_dtype(DType dtype);
/// Puts a GraphDef together.
class GraphDefBuilder {
 public:
  /// What is added from now on is named below `scope`.
  void enter(std::string scope) { scope_ = std::move(scope); }

  /// Constants that are added while the guard lives belong to a branch or to the body of a loop: they wait
  /// for the node `pivot`, which runs where these do.
  class Pivot {
   public:
    Pivot(GraphDefBuilder& out, TfName pivot) : out_(out), before_(std::exchange(out.pivot_, pivot)) {}
    ~Pivot() { out_.pivot_ = before_; }
    Pivot(const Pivot&) = delete;
    Pivot& operator=(const Pivot&) = delete;

   private:
    GraphDefBuilder& out_;
    TfName before_;
  };

  /// A name below the scope that no node has, for one that is added later as `add_reserved`.
  TfName reserve(const std::string& name) { return unique(scope_ + "/" + name); }
  void add_reserved(const TfName& name, const std::string& op, const TfNames& inputs,
                    TfAttributes attributes) {
    graph_.push_back({name, op, inputs, std::move(attributes)});
  }

  /// A node of exactly that name, made unique.
  TfName add_named(const std::string& name, const std::string& op, const TfNames& inputs,
                   TfAttributes attributes);
  TfName add(const std::string& op, const TfNames& inputs, TfAttributes attributes = {});
  /// As above with the attribute T.
  TfName add(const std::string& op, const TfNames& inputs, DType dtype, TfAttributes attributes = {});
  /// The first `outputs` results of a node.
  TfNames add_multi(const std::string& op, const TfNames& inputs, size_t outputs, TfAttributes attributes);

  TfName constant(const at::Tensor& value, const std::string& name = "");
  TfName constant(const c10::Scalar& value, DType dtype);
  /// int32, as which TensorFlow takes sizes and axes unless told otherwise.
  TfName constant(const std::vector<int64_t>& values);
  TfName axis(int64_t value);

  TfName transpose(const TfName& x, DType dtype, const std::vector<int64_t>& permutation);
  TfName cast(const TfName& x, DType from, DType to);
  TfName reshape(const TfName& x, DType dtype, const std::vector<int64_t>& shape);
  /// Sizes `begin` up to `end` of the shape of `x`, at run time: int32 [end - begin].
  TfName sizes(const TfName& x, DType dtype, int64_t begin, int64_t end);
  TfName concat(const TfNames& parts, DType dtype, int64_t axis);

  GraphDef finish() { return std::move(graph_); }

 private:
  std::string unique(const std::string& name);

  std::string scope_;
  TfName pivot_;
  GraphDef graph_;
  std::unordered_set<std::string> names_;
};

/// A node to be written for TensorFlow: its arguments, and the names that stand for its tensors.
class TfCall : public ArgumentsOf {
 public:
  TfCall(const Node& node, GraphDefBuilder& out, const std::function<TfName(const Tensor&)>& name_of)
      : ArgumentsOf(node), out(out), name_of_(name_of) {}

  GraphDefBuilder& out;

  /// The name for an argument, cast; "" for none.
  TfName value(std::string_view argument, DType dtype) const;
  TfName value(std::string_view argument) const;
  TfName value(const Tensor& tensor, DType dtype) const;

  using ArgumentsOf::dtype;
  /// Of the result.
  DType dtype() const { return result().dtype; }

  bool is_nchw() const { return text("data_format") == "NCHW"; }

  /// An operator of tensors of the dtype of the result, as which all are given.
  TfName apply(const std::string& op, const TfNames& inputs) const { return out.add(op, inputs, dtype()); }
  TfName literal(double number) const { return out.constant(number, dtype()); }

  /// Throws the UsageError that this call, because of `what`, has no counterpart.
  [[noreturn]] void unsupported(const std::string& what) const;

 private:
  const std::function<TfName(const Tensor&)>& name_of_;
};

/// From the name of an operator to what adds its nodes and gives its results.
using TfEmit = std::function<TfNames(TfCall&)>;
using TfOps = std::unordered_map<std::string, TfEmit>;

// Each in its own file.
void add_math_ops(TfOps& ops);
void add_reduce_ops(TfOps& ops);
void add_array_ops(TfOps& ops);
void add_lookup_ops(TfOps& ops);
void add_nn_ops(TfOps& ops);
void add_image_ops(TfOps& ops);
void add_loss_ops(TfOps& ops);
void add_recurrent_ops(TfOps& ops);
void add_control_flow_ops(TfOps& ops);

/// A reduction of `x`, of the dtype `dtype`, over `axes`.
TfName reduce(GraphDefBuilder& out, const std::string& op, const TfName& x, DType dtype,
              const std::vector<int64_t>& axes, bool keep);
/// Slices of `x`, of the dtype of the result, at `indices`, int64.
TfName gather(const TfCall& call, const TfName& x, const TfName& indices, int64_t axis);
/// `x`, of rank `rank`, with the dimensions [begin, end) made one.
TfName flatten(GraphDefBuilder& out, const TfName& x, DType dtype, int64_t rank, int64_t begin, int64_t end);
/// Transposes the axis to the end, which is where most of TensorFlow's operators work, and back.
std::vector<int64_t> swap_with_last(int64_t axis, int64_t rank);

/// Adds the calls of `function`, and those of its weights that have no name as constants. `names` holds what
/// stands for its inputs, and gets what stands for the rest.
void add_nodes(GraphDefBuilder& out, const Function& function, std::unordered_map<Tensor, TfName>& names);
/// As above, and its outputs as nodes of their names, which are returned.
TfNames add_calls(GraphDefBuilder& out, const Function& function, std::unordered_map<Tensor, TfName> names);

}  // namespace belfry::internal
