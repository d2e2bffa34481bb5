#include "belfry/checkpoint/element_type.h"

#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"

namespace belfry {
namespace {

constexpr std::pair<DType, DataType> kTypes[] = {
    {DType::Float, DataType::kFloat32},
    {DType::Double, DataType::kFloat64},
    {DType::Half, DataType::kFloat16},
    {DType::BFloat16, DataType::kBFloat16},
    {DType::Char, DataType::kInt8},
    {DType::Short, DataType::kInt16},
    {DType::Int, DataType::kInt32},
    {DType::Long, DataType::kInt64},
    {DType::Byte, DataType::kUInt8},
    {DType::UInt16, DataType::kUInt16},
    {DType::UInt32, DataType::kUInt32},
    {DType::UInt64, DataType::kUInt64},
    {DType::Bool, DataType::kBool},
    {DType::ComplexFloat, DataType::kComplex64},
    {DType::ComplexDouble, DataType::kComplex128},
    {DType::Float8_e5m2, DataType::kFloat8E5M2},
    {DType::Float8_e4m3fn, DataType::kFloat8E4M3FN},
    {DType::Float8_e4m3fnuz, DataType::kFloat8E4M3FNUZ},
    {DType::Float8_e5m2fnuz, DataType::kFloat8E5M2FNUZ},
};

}  // namespace

DType to_dtype(DataType stored) {
  for (auto [dtype, data_type] : kTypes) {
    if (data_type == stored) return dtype;
  }
  return DType::Undefined;
}

DataType to_stored(DType dtype, const std::string& who) {
  for (auto [known, data_type] : kTypes) {
    if (known == dtype) return data_type;
  }
  throw UsageError(fmt::format("[{}] expected a dtype that files can hold, got {}", who, to_string(dtype)));
}

}  // namespace belfry
