#include "belfry/dataflow/datasets/digits.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <charconv>

#include "belfry/dataflow/internal/data_file.h"

namespace belfry {
namespace {

constexpr int64_t kRows = 1797, kPixels = 64, kBlock = 10, kTestEvery = 5, kTestBlock = 4;
constexpr uint64_t kMaxFileSize = 1 << 20;
constexpr uint64_t kMaxPixel = 16, kMaxLabel = 9;

// Reads the numbers of the file one after the other.
class Parser {
 public:
  explicit Parser(const std::string& folder)
      : file_(folder, "digits.csv", "1797 lines of 65 numbers"), text_(file_.read_rest(kMaxFileSize)) {}

  /// A number of at most `max`, followed by `separator`.
  uint64_t number(uint64_t max, char separator) {
    const char* begin = data() + position_;
    const char* end = data() + text_.size();
    uint64_t value = 0;  // unsigned: a sign is an error
    const auto [next, error] = std::from_chars(begin, end, value);
    if (error != std::errc() || value > max) {
      file_.fail(position_, fmt::format("expected a number from 0 to {} in row {}", max, row_));
    }
    position_ += static_cast<size_t>(next - begin);
    if (separator == '\n' && position_ < text_.size() && text_[position_] == '\r') ++position_;
    const bool is_last = position_ == text_.size() && row_ == kRows - 1 && separator == '\n';
    if (!is_last && (position_ == text_.size() || text_[position_] != static_cast<uint8_t>(separator))) {
      file_.fail(position_,
                 fmt::format("expected {} rows of {} numbers, got another end of a number in row {}", kRows,
                             kPixels + 1, row_));
    }
    if (!is_last) ++position_;
    row_ += separator == '\n';
    return value;
  }

  void expect_end() const {
    if (position_ < text_.size()) file_.fail(position_, fmt::format("expected {} rows, got more", kRows));
  }

 private:
  const char* data() const { return reinterpret_cast<const char*>(text_.data()); }

  internal::DataFile file_;
  std::vector<uint8_t> text_;
  size_t position_ = 0;
  int64_t row_ = 0;
};

std::vector<at::Tensor> read(Split split, const std::string& folder) {
  Parser parser(folder);
  std::vector<float> pixels;
  std::vector<int64_t> labels;
  for (int64_t row = 0; row < kRows; ++row) {
    const bool is_test = row / kBlock % kTestEvery == kTestBlock;
    const bool is_wanted = is_test == (split == Split::kTest);
    for (int64_t i = 0; i < kPixels; ++i) {
      const uint64_t pixel = parser.number(kMaxPixel, ',');
      if (is_wanted) pixels.push_back(static_cast<float>(pixel) / kMaxPixel);
    }
    const uint64_t label = parser.number(kMaxLabel, '\n');
    if (is_wanted) labels.push_back(static_cast<int64_t>(label));
  }
  parser.expect_end();
  const int64_t count = static_cast<int64_t>(labels.size());
  at::Tensor images = at::empty({count, 8, 8, 1}, at::kFloat);
  std::copy(pixels.begin(), pixels.end(), images.mutable_data_ptr<float>());
  at::Tensor label_tensor = at::empty({count}, at::kLong);
  std::copy(labels.begin(), labels.end(), label_tensor.mutable_data_ptr<int64_t>());
  return {images, label_tensor};
}

}  // namespace

Digits::Digits(Split split, const std::string& folder, DataFromTensorsOptions options)
    : DataFromTensors(read(split, folder), options) {}

}  // namespace belfry
