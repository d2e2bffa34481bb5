#include "belfry/formats/dtype.h"

#include <algorithm>
#include <array>

namespace belfry {
namespace {

struct Row {
  DataType dtype;
  size_t size;
  const char* name;
  const char* npy;          // without byte order; nullptr: no such type there
  const char* safetensors;  // nullptr: no such type there
};

constexpr std::array kRows = {
    Row{DataType::kFloat32, 4, "float32", "f4", "F32"},
    Row{DataType::kFloat64, 8, "float64", "f8", "F64"},
    Row{DataType::kInt32, 4, "int32", "i4", "I32"},
    Row{DataType::kUInt8, 1, "uint8", "u1", "U8"},
    Row{DataType::kInt16, 2, "int16", "i2", "I16"},
    Row{DataType::kInt8, 1, "int8", "i1", "I8"},
    Row{DataType::kString, 0, "string", nullptr, nullptr},
    Row{DataType::kComplex64, 8, "complex64", "c8", "C64"},
    Row{DataType::kInt64, 8, "int64", "i8", "I64"},
    Row{DataType::kBool, 1, "bool", "b1", "BOOL"},
    Row{DataType::kQInt8, 1, "qint8", nullptr, nullptr},
    Row{DataType::kQUInt8, 1, "quint8", nullptr, nullptr},
    Row{DataType::kQInt32, 4, "qint32", nullptr, nullptr},
    Row{DataType::kBFloat16, 2, "bfloat16", nullptr, "BF16"},
    Row{DataType::kQInt16, 2, "qint16", nullptr, nullptr},
    Row{DataType::kQUInt16, 2, "quint16", nullptr, nullptr},
    Row{DataType::kUInt16, 2, "uint16", "u2", "U16"},
    Row{DataType::kComplex128, 16, "complex128", "c16", nullptr},
    Row{DataType::kFloat16, 2, "float16", "f2", "F16"},
    Row{DataType::kResource, 0, "resource", nullptr, nullptr},
    Row{DataType::kVariant, 0, "variant", nullptr, nullptr},
    Row{DataType::kUInt32, 4, "uint32", "u4", "U32"},
    Row{DataType::kUInt64, 8, "uint64", "u8", "U64"},
    Row{DataType::kFloat8E5M2, 1, "float8_e5m2", nullptr, "F8_E5M2"},
    Row{DataType::kFloat8E4M3FN, 1, "float8_e4m3fn", nullptr, "F8_E4M3"},
    Row{DataType::kFloat8E4M3FNUZ, 1, "float8_e4m3fnuz", nullptr, "F8_E4M3FNUZ"},
    Row{DataType::kFloat8E4M3B11FNUZ, 1, "float8_e4m3b11fnuz", nullptr, nullptr},
    Row{DataType::kFloat8E5M2FNUZ, 1, "float8_e5m2fnuz", nullptr, "F8_E5M2FNUZ"},
    // Types of part of a byte are named in listings and not read: what one takes in a file is not known here.
    Row{static_cast<DataType>(29), 0, "int4", nullptr, nullptr},
    Row{static_cast<DataType>(30), 0, "uint4", nullptr, nullptr},
    Row{static_cast<DataType>(31), 0, "int2", nullptr, nullptr},
    Row{static_cast<DataType>(32), 0, "uint2", nullptr, nullptr},
    Row{static_cast<DataType>(33), 0, "float4_e2m1fn", nullptr, nullptr},
};

const Row* find(DataType dtype) {
  auto row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.dtype == dtype; });
  return row == kRows.end() ? nullptr : &*row;
}

DataType find_by(const char* Row::*column, std::string_view name) {
  auto row =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.*column && r.*column == name; });
  return row == kRows.end() ? DataType::kInvalid : row->dtype;
}

}  // namespace

size_t size_of(DataType dtype) {
  const Row* row = find(dtype);
  return row ? row->size : 0;
}

std::string to_string(DataType dtype) {
  const Row* row = find(dtype);
  return row ? row->name : "dtype " + std::to_string(static_cast<int>(dtype));
}

std::optional<std::string> npy_descr(DataType dtype) {
  const Row* row = find(dtype);
  if (!row || !row->npy) return std::nullopt;
  std::string descr(1, row->size == 1 ? '|' : '<');
  return descr += row->npy;
}

DataType from_npy_descr(std::string_view descr) {
  return descr.empty() ? DataType::kInvalid : find_by(&Row::npy, descr.substr(1));
}

std::optional<std::string> safetensors_name(DataType dtype) {
  const Row* row = find(dtype);
  if (!row || !row->safetensors) return std::nullopt;
  return row->safetensors;
}

DataType from_safetensors_name(std::string_view name) {
  return find_by(&Row::safetensors, name);
}

}  // namespace belfry
