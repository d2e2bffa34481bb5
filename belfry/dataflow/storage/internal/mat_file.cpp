#include "belfry/dataflow/storage/internal/mat_file.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"

namespace belfry::internal {
namespace {

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
  for (int64_t dim : reversed) size *= static_cast<uint64_t>(dim);
  if (!variable.data || variable.nbytes != size)
    throw DataError(path_, fmt::format("expected {} bytes in {}, got {}", size, name, variable.nbytes));
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
    matvar_t* value = cell && cell->class_type == MAT_C_STRUCT
                          ? Mat_VarGetStructFieldByName(cell, field.c_str(), 0)
                          : nullptr;
    if (!value)
      throw DataError(path_, fmt::format("expected a structure with {} in cell {} of {}", field, i, name));
    arrays.push_back(tensor_of(*value, field));
  }
  return arrays;
}

}  // namespace belfry::internal
