#include "belfry/formats/internal/onnx_fields.h"

#include <utility>

namespace belfry::internal::onnx_field {
namespace {

constexpr std::pair<DataType, int32_t> kTypes[] = {
    {DataType::kFloat32, 1},
    {DataType::kUInt8, 2},
    {DataType::kInt8, 3},
    {DataType::kUInt16, 4},
    {DataType::kInt16, 5},
    {DataType::kInt32, 6},
    {DataType::kInt64, 7},
    {DataType::kBool, 9},
    {DataType::kFloat16, 10},
    {DataType::kFloat64, 11},
    {DataType::kUInt32, 12},
    {DataType::kUInt64, 13},
    {DataType::kComplex64, 14},
    {DataType::kComplex128, 15},
    {DataType::kBFloat16, 16},
    {DataType::kFloat8E4M3FN, 17},
    {DataType::kFloat8E4M3FNUZ, 18},
    {DataType::kFloat8E5M2, 19},
    {DataType::kFloat8E5M2FNUZ, 20},
};

}  // namespace

std::optional<int32_t> from_dtype(DataType dtype) {
  for (auto [ours, onnx] : kTypes) {
    if (ours == dtype) return onnx;
  }
  return std::nullopt;
}

DataType to_dtype(int32_t number) {
  for (auto [ours, onnx] : kTypes) {
    if (onnx == number) return ours;
  }
  return DataType::kInvalid;
}

}  // namespace belfry::internal::onnx_field
