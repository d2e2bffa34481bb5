#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace belfry {

/// Element types of stored arrays, with TensorFlow's numbers. Every format maps its own names to these, so
/// that what uses the formats needs one table only.
enum class DataType : int {
  kInvalid = 0,
  kFloat32 = 1,
  kFloat64 = 2,
  kInt32 = 3,
  kUInt8 = 4,
  kInt16 = 5,
  kInt8 = 6,
  kString = 7,
  kComplex64 = 8,
  kInt64 = 9,
  kBool = 10,
  kQInt8 = 11,
  kQUInt8 = 12,
  kQInt32 = 13,
  kBFloat16 = 14,
  kQInt16 = 15,
  kQUInt16 = 16,
  kUInt16 = 17,
  kComplex128 = 18,
  kFloat16 = 19,
  kResource = 20,
  kVariant = 21,
  kUInt32 = 22,
  kUInt64 = 23,
  kFloat8E5M2 = 24,
  kFloat8E4M3FN = 25,
  kFloat8E4M3FNUZ = 26,
  kFloat8E4M3B11FNUZ = 27,
  kFloat8E5M2FNUZ = 28,
};

/// Bytes of one element; 0 for types without a fixed size (string, resource, variant) and for unknown
/// numbers.
size_t size_of(DataType dtype);

/// TensorFlow's name, "float32"; "dtype 99" for a number that has none.
std::string to_string(DataType dtype);

/// numpy's little-endian descriptor, "<f4". None for types that npy files cannot hold (bfloat16, string, …).
std::optional<std::string> npy_descr(DataType dtype);
/// The reverse; the byte-order character is not looked at. kInvalid when the type is not one of ours.
DataType from_npy_descr(std::string_view descr);

/// safetensors' name, "F32". None for types that the format has not.
std::optional<std::string> safetensors_name(DataType dtype);
DataType from_safetensors_name(std::string_view name);

}  // namespace belfry
