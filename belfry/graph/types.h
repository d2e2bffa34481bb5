#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <vector>

namespace belfry {

using DType = c10::ScalarType;

inline constexpr DType kFloat32 = DType::Float, kFloat64 = DType::Double, kFloat16 = DType::Half,
                       kBFloat16 = DType::BFloat16, kInt8 = DType::Char, kInt16 = DType::Short,
                       kInt32 = DType::Int, kInt64 = DType::Long, kUInt8 = DType::Byte, kBool = DType::Bool,
                       kComplex64 = DType::ComplexFloat, kComplex128 = DType::ComplexDouble;

/// Sizes of a symbolic tensor; kDynamic stands for a size that only a run knows.
using Shape = std::vector<int64_t>;
inline constexpr int64_t kDynamic = -1;

/// "[?, 28, 28, 1]"
std::string to_string(const Shape& shape);
/// "float32": TensorFlow's and numpy's word.
std::string to_string(DType dtype);

/// True when a value of shape `given` may stand where `expected` is written: same rank, equal or dynamic
/// sizes.
bool is_compatible_with(const Shape& expected, const Shape& given);

/// The signature of one input of a tower function.
struct TensorSpec {
  std::string name = {};
  Shape shape = {};
  DType dtype = kFloat32;
};

}  // namespace belfry
