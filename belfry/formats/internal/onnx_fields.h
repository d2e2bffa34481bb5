#pragma once

#include <cstdint>
#include <optional>

#include "belfry/formats/dtype.h"

// Field numbers of onnx.proto, and its numbers for element types.
namespace belfry::internal::onnx_field {

namespace model {
constexpr uint32_t kIrVersion = 1, kProducerName = 2, kGraph = 7, kOpsetImport = 8, kFunctions = 25;
}
namespace opset {
constexpr uint32_t kDomain = 1, kVersion = 2;
}
namespace graph {
constexpr uint32_t kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12, kSparseInitializer = 15;
}
namespace node {
constexpr uint32_t kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5, kDomain = 7;
}
namespace attribute {
constexpr uint32_t kName = 1, kFloat = 2, kInt = 3, kString = 4, kTensor = 5, kGraph = 6, kFloats = 7,
                   kInts = 8, kType = 20;
// Values of kType.
constexpr int32_t kFloatType = 1, kIntType = 2, kStringType = 3, kTensorType = 4, kGraphType = 5,
                  kFloatsType = 6, kIntsType = 7;
}  // namespace attribute
namespace tensor {
constexpr uint32_t kDims = 1, kDataType = 2, kFloatData = 4, kInt32Data = 5, kInt64Data = 7, kName = 8,
                   kRawData = 9, kDoubleData = 10, kUint64Data = 11, kExternalData = 13, kDataLocation = 14;
constexpr int32_t kExternal = 1;  // a value of kDataLocation
constexpr uint32_t kEntryKey = 1, kEntryValue = 2;
}  // namespace tensor
namespace value {
constexpr uint32_t kName = 1, kType = 2;
constexpr uint32_t kTypeTensor = 1, kElementType = 1, kShape = 2, kDim = 1, kDimValue = 1, kDimName = 2;
}  // namespace value

/// None where ONNX has no such type.
std::optional<int32_t> from_dtype(DataType dtype);
/// kInvalid where we have none.
DataType to_dtype(int32_t onnx);

}  // namespace belfry::internal::onnx_field
