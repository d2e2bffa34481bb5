#include "belfry/dataflow/internal/stored_tensor.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/dataflow/object_component.h"

// Between tensors and what files hold (DataType, PythonValue). A list becomes one tensor in two walks: the
// first finds the one type and shape that all its values must have, the second copies, so that a list of a
// million numbers never is a million tensors.
namespace belfry::internal {
namespace {

constexpr std::pair<at::ScalarType, DataType> kTypes[] = {
    {at::kFloat, DataType::kFloat32},
    {at::kDouble, DataType::kFloat64},
    {at::kHalf, DataType::kFloat16},
    {at::kByte, DataType::kUInt8},
    {at::kChar, DataType::kInt8},
    {at::kShort, DataType::kInt16},
    {at::kInt, DataType::kInt32},
    {at::kLong, DataType::kInt64},
    {at::kUInt16, DataType::kUInt16},
    {at::kUInt32, DataType::kUInt32},
    {at::kUInt64, DataType::kUInt64},
    {at::kBool, DataType::kBool},
    {at::kComplexFloat, DataType::kComplex64},
    {at::kComplexDouble, DataType::kComplex128},
};

/// Fewer bytes are copied in the time that it takes to share them.
constexpr size_t kWorthSharing = 4096;

at::Tensor tensor_of_bytes(ByteSpan bytes) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(bytes.size())}, at::TensorOptions(at::kByte));
  if (!bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

using Sizes = std::vector<int64_t>;

/// The type and shape of the tensor that a value becomes.
struct Layout {
  at::ScalarType type = at::kDouble;
  Sizes sizes;
  bool operator==(const Layout&) const = default;
};

int64_t length(const auto& values) {
  return static_cast<int64_t>(values.size());
}

Layout layout_of(const PythonValue& value, const std::string& where);

Layout layout_of(const PythonValue::List& list, const std::string& where) {
  if (list.empty()) return {at::kDouble, {0}};
  Layout layout = layout_of(list[0], where);
  for (const PythonValue& value : list) {
    if (&value != &list[0] && layout_of(value, where) != layout)
      throw DataError(where, "expected the values of a list to have one shape and type, got a mixed list");
  }
  layout.sizes.insert(layout.sizes.begin(), length(list));
  return layout;
}

Layout layout_of(const PythonValue& value, const std::string& where) {
  return std::visit(
      [&]<typename T>(const T& held) -> Layout {
        if constexpr (std::is_same_v<T, std::monostate>) {
          throw DataError(where, "expected an array, a number, text, bytes or a list, got None");
        } else if constexpr (std::is_same_v<T, bool>) {
          return {at::kBool, {}};
        } else if constexpr (std::is_same_v<T, int64_t>) {
          return {at::kLong, {}};
        } else if constexpr (std::is_same_v<T, uint64_t>) {
          return {at::kUInt64, {}};
        } else if constexpr (std::is_same_v<T, double>) {
          return {at::kDouble, {}};
        } else if constexpr (std::is_same_v<T, std::string_view> || std::is_same_v<T, ByteSpan>) {
          return {at::kByte, {length(held)}};
        } else if constexpr (std::is_same_v<T, PythonArray>) {
          return {scalar_type(held.dtype, where), held.shape};
        } else if constexpr (std::is_same_v<T, PythonNumbers>) {
          return {scalar_type(held.dtype, where), {length(held.bits)}};
        } else if constexpr (std::is_same_v<T, PythonDict>) {
          throw DataError(where, "expected an array, a number, text, bytes or a list, got a dictionary");
        } else {
          return layout_of(held, where);
        }
      },
      value.value);
}

/// Copies the elements of a value to `out`, and moves it behind them.
void write(const PythonValue& value, std::byte*& out) {
  const auto append = [&](const void* bytes, size_t size) {
    if (size > 0) std::memcpy(out, bytes, size);
    out += size;
  };
  std::visit(
      [&]<typename T>(const T& held) {
        if constexpr (std::is_same_v<T, PythonValue::List>) {
          for (const PythonValue& element : held) write(element, out);
        } else if constexpr (std::is_same_v<T, PythonArray>) {
          copy_elements(held, {out, held.elements.size()});
          out += held.elements.size();
        } else if constexpr (std::is_same_v<T, PythonNumbers>) {
          if (held.dtype != DataType::kBool) return append(held.bits.data(), held.bits.size() * 8);
          for (uint64_t bit : held.bits) *out++ = static_cast<std::byte>(bit);
        } else if constexpr (std::is_same_v<T, std::string_view> || std::is_same_v<T, ByteSpan>) {
          append(held.data(), held.size());
        } else if constexpr (!std::is_same_v<T, std::monostate> && !std::is_same_v<T, PythonDict>) {
          append(&held, sizeof held);
        }
      },
      value.value);
}

/// All lists in each other at once: a tensor for each element would take hundreds of bytes.
at::Tensor tensor_of_list(const PythonValue& list, const std::string& where) {
  const Layout layout = layout_of(list, where);
  at::Tensor tensor = at::empty(layout.sizes, at::TensorOptions(layout.type));
  if (tensor.numel() > 0) {
    auto* out = static_cast<std::byte*>(tensor.mutable_data_ptr());
    write(list, out);
  }
  return tensor;
}

}  // namespace

at::ScalarType scalar_type(DataType stored, const std::string& where) {
  for (auto [type, data_type] : kTypes) {
    if (data_type == stored) return type;
  }
  throw DataError(where, "expected a type that tensors have, got " + to_string(stored));
}

DataType stored_type(at::ScalarType type, std::string_view who) {
  for (auto [known, data_type] : kTypes) {
    if (known == type) return data_type;
  }
  throw UsageError(
      fmt::format("[{}] expected a tensor of a type that numpy has, got {}", who, c10::toString(type)));
}

at::Tensor dense(const at::Tensor& tensor) {
  return tensor.cpu().contiguous().resolve_conj().resolve_neg();
}

ByteSpan elements_of(const at::Tensor& dense) {
  return {static_cast<const std::byte*>(dense.const_data_ptr()), dense.nbytes()};
}

at::Tensor tensor_of(const PythonArray& array, const std::string& where,
                     const std::shared_ptr<const void>& owner) {
  const at::TensorOptions options(scalar_type(array.dtype, where));
  const auto address = reinterpret_cast<uintptr_t>(array.elements.data());
  if (owner && array.elements.size() >= kWorthSharing && !array.big_endian && array.axis_order.empty() &&
      address % options.dtype().itemsize() == 0) {
    return at::from_blob(
        const_cast<std::byte*>(array.elements.data()), array.shape, [owner](void*) {}, options);
  }
  at::Tensor tensor = at::empty(array.shape, options);
  if (tensor.numel() > 0)
    copy_elements(array, {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()});
  return tensor;
}

at::Tensor tensor_of(const PythonValue& value, const std::string& where,
                     const std::shared_ptr<const void>& owner) {
  return std::visit(
      [&]<typename T>(const T& held) -> at::Tensor {
        if constexpr (std::is_same_v<T, std::monostate>) {
          throw DataError(where, "expected an array, a number, text, bytes or a list, got None");
        } else if constexpr (std::is_same_v<T, bool>) {
          return at::scalar_tensor(held, at::kBool);
        } else if constexpr (std::is_same_v<T, int64_t>) {
          return at::scalar_tensor(held, at::kLong);
        } else if constexpr (std::is_same_v<T, uint64_t>) {
          return at::scalar_tensor(at::Scalar(held), at::kUInt64);
        } else if constexpr (std::is_same_v<T, double>) {
          return at::scalar_tensor(held, at::kDouble);
        } else if constexpr (std::is_same_v<T, std::string_view>) {
          return tensor_of_bytes(as_byte_span(held));
        } else if constexpr (std::is_same_v<T, ByteSpan>) {
          return tensor_of_bytes(held);
        } else if constexpr (std::is_same_v<T, PythonArray>) {
          return tensor_of(held, where, owner);
        } else {
          return tensor_of_list(value, where);
        }
      },
      value.value);
}

at::Tensor component_of(const PythonValue& value, const std::string& where,
                        const std::shared_ptr<const void>& owner) {
  if (const auto* text = std::get_if<std::string_view>(&value.value)) return make_text(std::string(*text));
  return tensor_of(value, where, owner);
}

}  // namespace belfry::internal
