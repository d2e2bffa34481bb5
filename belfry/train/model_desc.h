#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include "belfry/graph/model_desc.h"
#include "belfry/optim/optimizer.h"

namespace belfry {

/// A model trained with one cost and one optimizer. `build_graph` returns the cost, a scalar that includes
/// the regularisation it wants, whenever the tower trains.
class ModelDesc : public ModelDescBase {
 public:
  /// Called once in a training, while its graph is built.
  virtual std::unique_ptr<Optimizer> optimizer() = 0;
};

/// A model to train, from what a user has at hand, as AnyModel does: a model, which is referred to and must
/// outlive the trainer; a temporary model, which is kept; or a shared pointer to one.
class TrainableModel : public std::shared_ptr<ModelDesc> {
 public:
  TrainableModel() = default;
  template <std::derived_from<ModelDesc> Model>
  TrainableModel(Model& model) : std::shared_ptr<ModelDesc>(std::shared_ptr<void>(), &model) {}
  template <typename Model>
  requires(std::derived_from<Model, ModelDesc> && !std::is_lvalue_reference_v<Model>)
      TrainableModel(Model&& model)
      : std::shared_ptr<ModelDesc>(std::make_shared<Model>(std::move(model))) {}
  template <std::derived_from<ModelDesc> Model>
  TrainableModel(std::shared_ptr<Model> model) : std::shared_ptr<ModelDesc>(std::move(model)) {}
};

}  // namespace belfry
