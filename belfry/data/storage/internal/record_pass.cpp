#include "belfry/data/storage/internal/record_pass.h"

#include <fmt/format.h>

namespace belfry::internal {

bool RecordPass::open_next() {
  if (opened_ == files_.size()) return false;
  reader_.emplace(files_[opened_++]);
  return true;
}

std::optional<Datapoint> RecordPass::next() {
  while (reader_ || open_next()) {
    const uint64_t offset = reader_->offset();
    if (reader_->next(record_))
      return decode_(record_, fmt::format("{}: record at byte {}", files_[opened_ - 1], offset));
    reader_.reset();
  }
  return std::nullopt;
}

int64_t RecordPass::skip(int64_t count) {
  int64_t skipped = 0;
  while (skipped < count && (reader_ || open_next())) {
    if (reader_->skip()) {
      ++skipped;
    } else {
      reader_.reset();
    }
  }
  return skipped;
}

}  // namespace belfry::internal
