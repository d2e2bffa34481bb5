#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belfry {

/// One sample (or batch): its components, e.g. {image, label}. Components may share memory with the dataset
/// they come from, so nobody writes into them in place.
///
/// A component is a tensor; what is no tensor, text or an object of any class, is put into one
/// (object_component.h). A datapoint is a list of components or, with names, what a dict is in Python:
///
///     Datapoint list{image, label};                                        list[0]
///     Datapoint dict = Datapoint::named({{"image", image}, {"label", label}});  dict["image"]
///
/// Components with names have an order as well, so what takes components by their index takes these, too.
/// Names are shared between copies, and by the datapoints that map functions and batches make of others.
class Datapoint : public std::vector<at::Tensor> {
 public:
  using Components = std::vector<at::Tensor>;
  using Names = std::vector<std::string>;
  using Components::vector;
  using Components::operator[];
  using Components::at;

  Datapoint() = default;
  Datapoint(Components components) noexcept : Components(std::move(components)) {}
  /// Throws UsageError when a name comes twice.
  static Datapoint named(std::vector<std::pair<std::string, at::Tensor>> components);

  /// Whether components have names. Changing the number of components other than by set() takes them away.
  bool has_names() const { return names_ && names_->size() == size(); }
  /// One for each component, in their order; empty without names.
  const Names& names() const;
  /// The names, to be given to other datapoints; nullptr without names.
  const std::shared_ptr<const Names>& shared_names() const;
  /// Gives the components names, or takes them away (nullptr). Throws UsageError unless there is one for
  /// each. Requires: they differ.
  void set_names(std::shared_ptr<const Names> names);

  /// The component of that name; nullptr when there is none.
  at::Tensor* find(std::string_view name);
  const at::Tensor* find(std::string_view name) const;
  /// The same; throws DataError, which lists the names, when there is none.
  at::Tensor& at(std::string_view name);
  const at::Tensor& at(std::string_view name) const;
  at::Tensor& operator[](std::string_view name) { return at(name); }
  const at::Tensor& operator[](std::string_view name) const { return at(name); }

  /// Replaces the component of that name, or adds it behind the others. Throws UsageError when there are
  /// components without names.
  void set(std::string name, at::Tensor component);

 private:
  std::shared_ptr<const Names> names_;
};

}  // namespace belfry
