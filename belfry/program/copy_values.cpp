#include "belfry/program/copy_values.h"

#include <algorithm>
#include <complex>
#include <cstring>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/program/in_parallel.h"

// A copy is cut into blocks of two axes: one along which `to` has neighbours, one along which `from` has. Of
// a transposition each block is small enough that lines of the cache which are read across stay until all of
// their elements are used. Elements are copied as numbers of their size.

namespace belfry::internal {
namespace {

constexpr int64_t kBlock = 4096;          // elements
constexpr int64_t kAlone = 1 << 15;       // elements that are not worth a second thread
constexpr int64_t kShort = 16;            // elements of a line that is over before it begins
constexpr int64_t kTransposedBytes = 64;  // a line of the cache: of a block as high as can be

/// Calls `call` with a number of the size of that type.
template <typename Call>
void with_element(ElementType type, Call call) {
  switch (size_of(type)) {
    case 1:
      return call(uint8_t());
    case 2:
      return call(uint16_t());
    case 4:
      return call(uint32_t());
    case 8:
      return call(uint64_t());
    default:
      return call(std::complex<double>());
  }
}

/// The compiler makes the loop of each case a better one than that of the last.
template <typename T>
void copy_line(const T* from, T* to, int64_t size, int64_t from_step, int64_t to_step) {
  if (from_step == 1 && to_step == 1 && size >= kShort) {
    std::memcpy(to, from, static_cast<size_t>(size) * sizeof(T));
  } else if (from_step == 0 && to_step == 1) {
    std::fill(to, to + size, *from);
  } else if (from_step == 1) {
    for (int64_t i = 0; i < size; ++i) to[i * to_step] = from[i];
  } else if (to_step == 1) {
    for (int64_t i = 0; i < size; ++i) to[i] = from[i * from_step];
  } else {
    for (int64_t i = 0; i < size; ++i) to[i * to_step] = from[i * from_step];
  }
}

int64_t divide(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

CopyValues::CopyValues(TensorView from, TensorView to) : from_(std::move(from)), to_(std::move(to)) {
  if (from_.type() != to_.type() || from_.sizes() != to_.sizes())
    throw InternalError("[compile] a copy expected two tensors of the same type and sizes");
  std::vector<Axis> axes;
  for (int64_t i = 0; i < to_.dim(); ++i) {
    if (to_.size(i) != 1) axes.push_back({to_.size(i), from_.stride(i), to_.stride(i)});
  }
  if (to_.numel() > 0) arrange(std::move(axes));
}

void CopyValues::arrange(std::vector<Axis> axes) {
  std::ranges::stable_sort(axes, [](const Axis& a, const Axis& b) { return a.to > b.to; });
  for (const Axis& axis : axes) {  // two that lie in one another in both tensors are one
    const bool inside = !outer_.empty() && outer_.back().from == axis.size * axis.from &&
                        outer_.back().to == axis.size * axis.to;
    const int64_t size = inside ? outer_.back().size * axis.size : axis.size;
    if (inside) outer_.pop_back();
    outer_.push_back({size, axis.from, axis.to});
  }
  if (!outer_.empty()) {
    columns_ = outer_.back();
    outer_.pop_back();
  }
  const bool dense = columns_.from <= 1 && columns_.to == 1;
  if (!outer_.empty()) {
    const auto rows = dense
                          ? outer_.end() - 1
                          : std::ranges::min_element(outer_, {}, [](const Axis& axis) { return axis.from; });
    rows_ = *rows;
    outer_.erase(rows);
  }
  const int64_t narrow = std::min(columns_.size, dense ? kBlock : kTransposedBytes / size_of(to_.type()));
  block_rows_ = std::min(rows_.size, kBlock / narrow);
  block_columns_ = std::min(columns_.size, kBlock / block_rows_);
  row_blocks_ = divide(rows_.size, block_rows_);
  column_blocks_ = divide(columns_.size, block_columns_);
  blocks_ = row_blocks_ * column_blocks_;
  for (const Axis& axis : outer_) blocks_ *= axis.size;
}

template <typename T>
void CopyValues::copy_block(int64_t block) const {
  const T* from = from_.data_as<const T>();
  T* to = to_.data_as<T>();
  const int64_t column = block % column_blocks_ * block_columns_;
  block /= column_blocks_;
  const int64_t row = block % row_blocks_ * block_rows_;
  block /= row_blocks_;
  for (size_t i = outer_.size(); i-- > 0;) {
    const int64_t index = block % outer_[i].size;
    block /= outer_[i].size;
    from += index * outer_[i].from;
    to += index * outer_[i].to;
  }
  Axis lines = rows_, line = columns_;
  from += row * lines.from + column * line.from;
  to += row * lines.to + column * line.to;
  lines.size = std::min(block_rows_, lines.size - row);
  line.size = std::min(block_columns_, line.size - column);
  if (line.size < kShort && line.size < lines.size) std::swap(lines, line);
  for (int64_t i = 0; i < lines.size; ++i)
    copy_line(from + i * lines.from, to + i * lines.to, line.size, line.from, line.to);
}

template <typename T>
void CopyValues::run_as() const {
  if (to_.numel() <= kAlone) {
    for (int64_t i = 0; i < blocks_; ++i) copy_block<T>(i);
  } else {
    in_parallel(blocks_, [this](int64_t i) { copy_block<T>(i); });
  }
}

void CopyValues::run() const {
  with_element(to_.type(), [this](auto element) { run_as<decltype(element)>(); });
}

void fill_values(const TensorView& value, const TensorView& to) {
  with_element(to.type(), [&]<typename T>(T element) {
    std::memcpy(&element, value.data(), sizeof(T));
    T* data = to.data_as<T>();
    const int64_t size = to.numel();
    if (size <= kAlone) {
      std::fill(data, data + size, element);
    } else {
      in_parallel(divide(size, kAlone), [&](int64_t i) {
        std::fill(data + i * kAlone, data + std::min(size, (i + 1) * kAlone), element);
      });
    }
  });
}

}  // namespace belfry::internal
