#pragma once

#include <string_view>

#include "belfry/dataflow/dataflow.h"

namespace belfry::internal {

/// Throws UsageError when `pinned` is asked for and there is no CUDA.
void check_pinned(bool pinned, std::string_view stage);

/// Builds one batch: each datapoint is copied to its place as it arrives, so nothing is held and nothing is
/// copied twice. Or, as lists, it keeps each component as it is.
class BatchBuilder {
 public:
  /// `stage` is named in errors; it is not copied.
  BatchBuilder(std::string_view stage, int64_t batch_size, bool pinned, bool use_list = false)
      : stage_(stage), batch_size_(batch_size), pinned_(pinned), use_list_(use_list) {}

  int64_t count() const { return count_; }
  bool is_full() const { return count_ == batch_size_; }

  /// Requires: not full. Throws DataError when the datapoint does not fit to those before it.
  void add(const Datapoint& datapoint);

  /// The batch of what was added; the builder is empty again.
  Datapoint finish();

 private:
  struct Column {
    at::Tensor values;                  // [batch_size, …]
    std::vector<at::Tensor> list = {};  // instead of it, for lists
    char* data = nullptr;               // of `values`, when it is on the CPU
    size_t bytes_per_row = 0;
  };

  void check_names(const Datapoint& datapoint) const;
  void add_component(const at::Tensor& value, size_t component);
  Column make_column(const at::Tensor& first, size_t component) const;
  void copy(const at::Tensor& value, size_t component);

  std::string_view stage_;
  int64_t batch_size_;
  bool pinned_, use_list_;
  int64_t count_ = 0;
  std::shared_ptr<const Datapoint::Names> names_;
  std::vector<Column> columns_;
};

}  // namespace belfry::internal
