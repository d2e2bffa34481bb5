#pragma once

#include <ATen/core/Tensor.h>

#include <any>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/dataflow/datapoint.h"

namespace belfry {

// Components that are no tensors: a file name, a list of tensors of different shapes, a struct of
// annotations. They travel through dataflows inside of a tensor handle, which costs other components nothing:
//
//     Datapoint dp{image, make_text("dog.jpg"), make_object(std::vector<Box>{...})};
//     const auto& boxes = object_of<std::vector<Box>>(dp[2]);
//
// Such a handle is defined, of dtype Undefined and shape [0], without memory or device; what computes with it
// throws. Copies share the object, which is never changed, so it is safe to read in any number of threads.
// BatchData makes lists of them (`use_list`), inputs of models refuse them.

/// A component that holds `object`. Requires: not empty.
at::Tensor make_object(std::any object);

/// Whether `component` holds an object; then, which.
bool is_object(const at::Tensor& component);
/// The object; an empty one when `component` is an ordinary tensor.
const std::any& any_of(const at::Tensor& component);
/// Throws DataError, with both types: `component` holds `held`, where another one was expected.
[[noreturn]] void throw_wrong_object(const at::Tensor& component, const std::type_info& expected);

/// The object of class T; valid as long as some copy of the component is. nullptr when it is none.
template <typename T>
const T* object_if(const at::Tensor& component) {
  return std::any_cast<T>(&any_of(component));
}
/// The same; throws DataError when `component` holds something else or nothing.
template <typename T>
const T& object_of(const at::Tensor& component) {
  const T* object = object_if<T>(component);
  if (!object) throw_wrong_object(component, typeid(T));
  return *object;
}

/// A component that holds text: a std::string.
at::Tensor make_text(std::string text);
bool is_text(const at::Tensor& component);
/// The text of a component that holds it, or of bytes, uint8 [length]. Throws DataError for others.
std::string_view text_of(const at::Tensor& component);

/// A component that holds a list of components: a std::vector<at::Tensor>.
at::Tensor make_list(std::vector<at::Tensor> components);
/// Throws DataError when it is none.
const std::vector<at::Tensor>& list_of(const at::Tensor& component);

}  // namespace belfry
