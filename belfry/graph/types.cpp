#include "belfry/graph/types.h"

#include <fmt/ranges.h>

namespace belfry {

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i] == kDynamic ? "?" : std::to_string(shape[i]);
  }
  return text + "]";
}

std::string to_string(DType dtype) {
  switch (dtype) {
    case kFloat32:
      return "float32";
    case kFloat64:
      return "float64";
    case kFloat16:
      return "float16";
    case kBFloat16:
      return "bfloat16";
    case kInt8:
      return "int8";
    case kInt16:
      return "int16";
    case kInt32:
      return "int32";
    case kInt64:
      return "int64";
    case kUInt8:
      return "uint8";
    case DType::UInt16:
      return "uint16";
    case DType::UInt32:
      return "uint32";
    case DType::UInt64:
      return "uint64";
    case kBool:
      return "bool";
    case kComplex64:
      return "complex64";
    case kComplex128:
      return "complex128";
    default:
      return c10::toString(dtype);
  }
}

bool is_compatible_with(const Shape& expected, const Shape& given) {
  if (expected.size() != given.size()) return false;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] != given[i] && expected[i] != kDynamic && given[i] != kDynamic) return false;
  }
  return true;
}

}  // namespace belfry
