#pragma once

#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <stdexcept>
#include <string>

#include "belfry/dataflow/map_data.h"
#include "belfry/dataflow/raw.h"

namespace belfry {

inline Datapoint scalar(int64_t value) {
  return {at::scalar_tensor(value, at::kLong)};
}

/// {0}, {1}, …, {n - 1}
inline DataFromList counting(int64_t n) {
  std::vector<Datapoint> list;
  for (int64_t i = 0; i < n; ++i) list.push_back(scalar(i));
  return DataFromList(std::move(list));
}

/// 0, 1, 2, … without end, of unknown size.
inline DataFromFunction endless() {
  return DataFromFunction([] { return [i = int64_t{0}]() mutable { return std::optional(scalar(i++)); }; });
}

/// The bytes of a dense tensor.
inline std::string text(const at::Tensor& bytes) {
  return {static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()};
}

inline int64_t value(const Datapoint& datapoint) {
  return datapoint.at(0).item<int64_t>();
}

inline std::vector<int64_t> values(DataIterator& pass) {
  std::vector<int64_t> all;
  for (Datapoint& datapoint : pass) all.push_back(value(datapoint));
  return all;
}
inline std::vector<int64_t> values(DataIterator&& pass) {
  return values(pass);
}
/// The values of one pass.
inline std::vector<int64_t> values(DataFlow& flow) {
  DataIterator pass = flow.iterator();
  return values(pass);
}
inline std::vector<int64_t> values(DataFlow&& flow) {
  return values(flow);
}

inline std::vector<int64_t> range(int64_t n) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < n; ++i) all.push_back(i);
  return all;
}

inline MapFunction fail_at(int64_t bad) {
  return [bad](Datapoint datapoint) {
    if (value(datapoint) == bad) throw std::runtime_error(fmt::format("cannot read {}", bad));
    return datapoint;
  };
}

}  // namespace belfry
