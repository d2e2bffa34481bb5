#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/graph/tower.h"

namespace belfry {

/// A model as a tower function and its signature. ModelDesc (belfry/train) adds what training needs.
class ModelDescBase {
 public:
  virtual ~ModelDescBase() = default;

  /// Names, shapes and dtypes of the inputs, in order.
  virtual std::vector<TensorSpec> inputs() const = 0;
  /// Builds one tower in the current graph and TowerContext. Called for training, and again for inference.
  virtual Tensor build_graph(const TowerInputs& inputs) = 0;
};

/// A tower function from what a user has at hand: a model, which is referred to and must outlive the building
/// of graphs; a temporary model, which is kept; a shared pointer to one; or a TowerFunc.
///
///     PredictConfig{.model = model}      PredictConfig{.model = TowerFunc(build, {{"x", {kDynamic, 3}}})}
class AnyModel {
 public:
  AnyModel() = default;
  template <std::derived_from<ModelDescBase> Model>
  AnyModel(Model& model) : tower_func_(of(&model, model.inputs())) {}
  template <typename Model>
  requires(std::derived_from<Model, ModelDescBase> && !std::is_lvalue_reference_v<Model>)
      AnyModel(Model&& model)
      : AnyModel(std::make_shared<Model>(std::move(model))) {}
  template <std::derived_from<ModelDescBase> Model>
  AnyModel(std::shared_ptr<Model> model) {
    if (!model) throw UsageError("[AnyModel] expected a model, got null");
    std::vector<TensorSpec> inputs = model->inputs();
    tower_func_ = of(std::move(model), std::move(inputs));
  }
  AnyModel(TowerFunc function) : tower_func_(std::make_shared<const TowerFunc>(std::move(function))) {}

  bool defined() const { return tower_func_ != nullptr; }
  /// A tower function without calls yet. Throws UsageError where there is none.
  TowerFunc tower_func() const {
    if (!tower_func_) throw UsageError("[AnyModel] expected a model, got none");
    return *tower_func_;
  }

 private:
  template <typename Pointer>
  static std::shared_ptr<const TowerFunc> of(Pointer model, std::vector<TensorSpec> signature) {
    auto build = [model](const TowerInputs& inputs) { return model->build_graph(inputs); };
    return std::make_shared<const TowerFunc>(std::move(build), std::move(signature));
  }

  std::shared_ptr<const TowerFunc> tower_func_;
};

}  // namespace belfry
