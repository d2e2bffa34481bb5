#include "belfry/dataflow/object_component.h"

#include <c10/core/TensorImpl.h>
#include <c10/util/Type.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/describe.h"

// LibTorch has tensors that are mere handles of something else (those of oneDNN, of vulkan); this is one
// more. Without a key to dispatch on, no operator finds a kernel for it, and without storage nothing reads
// memory.
namespace belfry {
namespace {

class ObjectImpl final : public c10::TensorImpl {
 public:
  explicit ObjectImpl(std::any object)
      : c10::TensorImpl(c10::DispatchKeySet(), caffe2::TypeMeta(), std::nullopt),
        object_(std::move(object)) {}
  const std::any& object() const { return object_; }

 private:
  const char* tensorimpl_type_name() const override { return "belfry::ObjectImpl"; }
  std::any object_;
};

const ObjectImpl* object_impl(const at::Tensor& component) {
  // Ordinary tensors leave by the first two, which cost next to nothing.
  if (!component.defined() || component.has_storage()) return nullptr;
  return dynamic_cast<const ObjectImpl*>(component.unsafeGetTensorImpl());
}

}  // namespace

at::Tensor make_object(std::any object) {
  if (!object.has_value()) throw UsageError("[make_object] expected an object, got an empty std::any");
  return at::Tensor(c10::make_intrusive<ObjectImpl>(std::move(object)));
}

bool is_object(const at::Tensor& component) {
  return object_impl(component) != nullptr;
}

const std::any& any_of(const at::Tensor& component) {
  static const std::any none;
  const ObjectImpl* impl = object_impl(component);
  return impl ? impl->object() : none;
}

void throw_wrong_object(const at::Tensor& component, const std::type_info& expected) {
  throw DataError(fmt::format("[object_of] expected a component that holds {}, got {}",
                              c10::demangle(expected.name()), internal::describe(component)));
}

at::Tensor make_text(std::string text) {
  return make_object(std::move(text));
}

bool is_text(const at::Tensor& component) {
  return object_if<std::string>(component) != nullptr;
}

std::string_view text_of(const at::Tensor& component) {
  if (const auto* text = object_if<std::string>(component)) return *text;
  if (component.defined() && component.dim() == 1 && component.scalar_type() == at::kByte &&
      component.is_cpu() && component.is_contiguous())
    return {static_cast<const char*>(component.const_data_ptr()), component.nbytes()};
  throw DataError(
      fmt::format("[text_of] expected text or bytes, Byte [length], got {}", internal::describe(component)));
}

at::Tensor make_list(std::vector<at::Tensor> components) {
  return make_object(std::move(components));
}

const std::vector<at::Tensor>& list_of(const at::Tensor& component) {
  return object_of<std::vector<at::Tensor>>(component);
}

}  // namespace belfry
