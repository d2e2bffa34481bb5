#include "belfry/data/datasets/internal/mat_file.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"

namespace belfry::internal {
namespace {

// Deflate, the format's only compression, cannot pack better.
constexpr uint64_t kMaxDeflateRatio = 1032;

constexpr std::pair<matio_classes, at::ScalarType> kTypes[] = {
    {MAT_C_DOUBLE, at::kDouble}, {MAT_C_SINGLE, at::kFloat},  {MAT_C_INT8, at::kChar},
    {MAT_C_UINT8, at::kByte},    {MAT_C_INT16, at::kShort},   {MAT_C_UINT16, at::kUInt16},
    {MAT_C_INT32, at::kInt},     {MAT_C_UINT32, at::kUInt32}, {MAT_C_INT64, at::kLong},
    {MAT_C_UINT64, at::kUInt64},
};

}  // namespace

MatFile::MatFile(std::string path, const std::string& source) : path_(std::move(path)) {
  if (!FileSystem::posix().exists(path_))
    throw DataError(path_, fmt::format("expected {}, found none", source));
  // Its own function ends the process at what it calls an error.
  Mat_LogInitFunc("belfry", [](int, char*) {});
  file_.reset(Mat_Open(path_.c_str(), MAT_ACC_RDONLY));
  if (!file_) throw DataError(path_, "expected a MATLAB file, got another one");
}

MatFile::Variable MatFile::variable(const std::string& name) const {
  // matio takes memory for what a file claims before it looks for the bytes.
  const Variable claimed(Mat_VarReadInfo(file_.get(), name.c_str()));
  if (claimed) {
    uint64_t elements = 1;
    bool overflows = false;
    for (int i = 0; i < claimed->rank; ++i)
      overflows |= __builtin_mul_overflow(elements, uint64_t{claimed->dims[i]}, &elements);
    if (overflows || elements / kMaxDeflateRatio > FileSystem::posix().open(path_)->size())
      throw DataError(path_,
                      fmt::format("expected a variable {} that the file can hold, got a larger one", name));
  }
  Variable variable(Mat_VarRead(file_.get(), name.c_str()));
  if (!variable)
    throw DataError(path_, fmt::format("expected a variable {}, found none or a damaged one", name));
  return variable;
}

// MATLAB's arrays are column-major.
at::Tensor MatFile::tensor_of(const matvar_t& variable, const std::string& name) const {
  const auto type = std::ranges::find(kTypes, variable.class_type, [](const auto& row) { return row.first; });
  if (type == std::end(kTypes) || variable.isComplex)
    throw DataError(path_, fmt::format("expected an array of numbers in {}, got another type", name));
  std::vector<int64_t> reversed(variable.dims, variable.dims + variable.rank);
  std::ranges::reverse(reversed);
  uint64_t size = c10::elementSize(type->second);
  bool overflows = false;
  for (int64_t dim : reversed) overflows |= __builtin_mul_overflow(size, static_cast<uint64_t>(dim), &size);
  if (!variable.data || overflows || variable.nbytes != size)
    throw DataError(path_,
                    fmt::format("expected the bytes of its shape in {}, got {}", name, variable.nbytes));
  at::Tensor view = at::from_blob(variable.data, reversed, at::TensorOptions(type->second));
  std::vector<int64_t> order(reversed.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(order.size() - 1 - i);
  return view.permute(order).clone(at::MemoryFormat::Contiguous);
}

at::Tensor MatFile::array(const std::string& name) const {
  return tensor_of(*variable(name), name);
}

std::vector<at::Tensor> MatFile::arrays_in_cells(const std::string& name, const std::string& field) const {
  const Variable cells = variable(name);
  if (cells->class_type != MAT_C_CELL) throw DataError(path_, fmt::format("expected cells in {}", name));
  size_t count = 1;
  for (int i = 0; i < cells->rank; ++i) count *= cells->dims[i];
  std::vector<at::Tensor> arrays;
  for (size_t i = 0; i < count; ++i) {
    matvar_t* cell = Mat_VarGetCell(cells.get(), static_cast<int>(i));
    // matio asks a structure without names or data for its fields all the same.
    matvar_t* value =
        cell && cell->class_type == MAT_C_STRUCT && cell->data && Mat_VarGetStructFieldnames(cell)
            ? Mat_VarGetStructFieldByName(cell, field.c_str(), 0)
            : nullptr;
    if (!value)
      throw DataError(path_, fmt::format("expected a structure with {} in cell {} of {}", field, i, name));
    arrays.push_back(tensor_of(*value, field));
  }
  return arrays;
}

}  // namespace belfry::internal
