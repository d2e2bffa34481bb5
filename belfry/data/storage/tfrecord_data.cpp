#include "belfry/data/storage/tfrecord_data.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/data/storage/internal/record_pass.h"
#include "belfry/dataflow/internal/stored_tensor.h"
#include "belfry/formats/array_info.h"
#include "belfry/formats/tf_example.h"

namespace belfry {
namespace {

template <typename T>
const std::vector<T>& values_of(const TFFeature& feature, const char* kind, const std::string& where) {
  if (const auto* values = std::get_if<std::vector<T>>(&feature)) return *values;
  constexpr const char* kKinds[] = {"bytes", "floats", "integers"};
  throw DataError(where, fmt::format("expected {}, got {}", kind, kKinds[feature.index()]));
}

template <typename T>
at::Tensor numbers(const std::vector<T>& values, const TFRecordFeature& spec, const std::string& where) {
  const std::vector<int64_t> shape = spec.shape.value_or(std::vector{static_cast<int64_t>(values.size())});
  if (element_count(shape) != values.size()) {
    throw DataError(where, fmt::format("expected the values of a tensor [{}], got {}", fmt::join(shape, ", "),
                                       values.size()));
  }
  at::Tensor tensor = at::empty(shape, at::TensorOptions(spec.dtype));
  std::ranges::copy(values, tensor.mutable_data_ptr<T>());
  return tensor;
}

at::Tensor component(const TFExample& example, const TFRecordFeature& spec, const std::string& record) {
  const std::string where = fmt::format("{}, feature {}", record, spec.name);
  const auto found = example.find(spec.name);
  if (found == example.end()) {
    if (spec.default_value) return *spec.default_value;
    throw DataError(where, "expected a value, got none");
  }
  if (spec.dtype == at::kLong)
    return numbers(values_of<int64_t>(found->second, "integers", where), spec, where);
  if (spec.dtype == at::kFloat) return numbers(values_of<float>(found->second, "floats", where), spec, where);
  const auto& values = values_of<std::string_view>(found->second, "bytes", where);
  if (values.size() != 1) throw DataError(where, fmt::format("expected one value, got {}", values.size()));
  return internal::tensor_of(PythonValue{as_byte_span(values[0])}, where);
}

void check(const TFRecordFeature& feature) {
  if (feature.dtype != at::kLong && feature.dtype != at::kFloat && feature.dtype != at::kByte) {
    throw UsageError(fmt::format("[TFRecordData] expected at::kLong, at::kFloat or at::kByte for {}, got {}",
                                 feature.name, c10::toString(feature.dtype)));
  }
  if (feature.dtype == at::kByte && feature.shape) {
    throw UsageError(
        fmt::format("[TFRecordData] expected no shape for {}, which is of bytes, got one", feature.name));
  }
}

}  // namespace

TFRecordData::TFRecordData(std::vector<std::string> files, std::vector<TFRecordFeature> features,
                           TFRecordDataOptions options)
    : files_(std::make_shared<const std::vector<std::string>>(std::move(files))),
      features_(std::make_shared<const std::vector<TFRecordFeature>>(std::move(features))),
      options_(options) {
  if (files_->empty()) throw UsageError("[TFRecordData] expected at least one file, got none");
  if (features_->empty()) throw UsageError("[TFRecordData] expected at least one feature, got none");
  std::ranges::for_each(*features_, check);
}

DataIterator TFRecordData::start_pass(int64_t pass) {
  std::vector<std::string> files = *files_;
  if (options_.shuffle_files) Rng(options_.seed, static_cast<uint64_t>(pass)).shuffle(files);
  return DataIterator(internal::RecordPass(
      std::move(files), [features = features_](const std::string& record, const std::string& where) {
        const TFExample example = parse_tf_example(where, record);
        Datapoint datapoint;
        for (const TFRecordFeature& spec : *features) datapoint.push_back(component(example, spec, where));
        return datapoint;
      }));
}

}  // namespace belfry
