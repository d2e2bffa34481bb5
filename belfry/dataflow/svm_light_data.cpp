#include "belfry/dataflow/svm_light_data.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string_view>

#include "belfry/base/error.h"
#include "belfry/base/printable.h"

namespace belfry {
namespace {

struct Feature {
  int64_t index;
  double value;
};

/// All lines one after the other; memory grows with the file.
struct Samples {
  std::vector<double> labels;
  std::vector<size_t> ends;  // of each sample in `features`
  std::vector<Feature> features;
  int64_t greatest_index = 0;
  bool has_zero = false;
};

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), file_(path) {
    if (!file_) throw DataError(path, "expected a file of SVMlight's format, cannot open it");
  }

  Samples read() {
    for (std::string text; std::getline(file_, text);) {
      ++line_;
      std::string_view line = std::string_view(text).substr(0, text.find('#'));
      if (const std::string_view label = next_word(line); !label.empty()) read_sample(label, line);
    }
    return std::move(samples_);
  }

 private:
  [[noreturn]] void fail(std::string_view word) const {
    throw DataError(path_, fmt::format("expected a label and index:value pairs in line {}, got '{}'", line_,
                                       printable(word.substr(0, 40))));
  }

  static std::string_view next_word(std::string_view& line) {
    constexpr std::string_view kBlanks = " \t\r\v\f";
    const size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
    const size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    const std::string_view word = line.substr(begin, end - begin);
    line.remove_prefix(end);
    return word;
  }

  template <typename Number>
  Number number(std::string_view text, std::string_view word) const {
    if (text.starts_with('+')) text.remove_prefix(1);
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) fail(word);
    return value;
  }

  void read_sample(std::string_view label, std::string_view line) {
    samples_.labels.push_back(number<double>(label, label));
    int64_t last = -1;
    for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
      const size_t colon = word.find(':');
      if (colon == std::string_view::npos) fail(word);
      if (word.substr(0, colon) == "qid") continue;
      const Feature feature{number<int64_t>(word.substr(0, colon), word),
                            number<double>(word.substr(colon + 1), word)};
      if (feature.index <= last) fail(word);
      last = feature.index;
      samples_.has_zero |= feature.index == 0;
      samples_.features.push_back(feature);
    }
    samples_.greatest_index = std::max(samples_.greatest_index, last);
    samples_.ends.push_back(samples_.features.size());
  }

  const std::string& path_;
  std::ifstream file_;
  int64_t line_ = 0;
  Samples samples_;
};

std::vector<at::Tensor> read(const std::string& path, const SVMLightDataOptions& options) {
  const Samples samples = Reader(path).read();
  const auto count = static_cast<int64_t>(samples.labels.size());
  if (count == 0) throw DataError(path, "expected samples, got a file without any");
  const int64_t first = samples.has_zero ? 0 : 1;
  // The greatest index of a file may be anything; plus one may be too much.
  if (samples.greatest_index - first >=
      (options.features > 0 ? options.features : options.max_numbers / count)) {
    throw DataError(path, fmt::format("expected at most {} features for {} samples, got the index {}",
                                      options.features > 0 ? options.features : options.max_numbers / count,
                                      count, samples.greatest_index));
  }
  const int64_t features = options.features > 0 ? options.features : samples.greatest_index - first + 1;
  if (features > options.max_numbers / count) {
    throw DataError(path, fmt::format("expected at most {} numbers, got {} samples of {} features",
                                      options.max_numbers, count, features));
  }
  at::Tensor values = at::zeros({count, features}, at::kDouble), labels = at::zeros({count}, at::kDouble);
  std::copy(samples.labels.begin(), samples.labels.end(), labels.mutable_data_ptr<double>());
  double* row = values.mutable_data_ptr<double>();
  size_t at = 0;
  for (size_t end : samples.ends) {
    for (; at < end; ++at) row[samples.features[at].index - first] = samples.features[at].value;
    row += features;
  }
  return {values, labels};
}

}  // namespace

SVMLightData::SVMLightData(const std::string& path, SVMLightDataOptions options)
    : DataFromTensors(read(path, options), {.shuffle = options.shuffle, .seed = options.seed}) {}

}  // namespace belfry
