#pragma once

#include <ATen/core/Tensor.h>
#include <matio.h>

#include <memory>
#include <string>

namespace belfry::internal {

/// A MATLAB file. Every failure is a DataError with the path. matio prints nothing while this is used.
class MatFile {
 public:
  /// `source` says what was expected ("a file of …"), for the error when it is missing.
  MatFile(std::string path, const std::string& source);

  /// The array `name`, its dimensions in MATLAB's order.
  at::Tensor array(const std::string& name) const;
  /// The arrays in field `field` of the structures in the cells of `name`, in their order.
  std::vector<at::Tensor> arrays_in_cells(const std::string& name, const std::string& field) const;

 private:
  struct Close {
    void operator()(mat_t* file) const { Mat_Close(file); }
    void operator()(matvar_t* variable) const { Mat_VarFree(variable); }
  };
  using Variable = std::unique_ptr<matvar_t, Close>;

  Variable variable(const std::string& name) const;
  at::Tensor tensor_of(const matvar_t& variable, const std::string& name) const;

  std::string path_;
  std::unique_ptr<mat_t, Close> file_;
};

}  // namespace belfry::internal
