#include "belfry/data/storage/shard_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>

#include "belfry/base/error.h"
#include "belfry/base/ordered_workers.h"
#include "belfry/data/storage/internal/shard_index.h"
#include "belfry/dataflow/serialize.h"
#include "belfry/formats/tfrecord.h"

// A pass over TFRecord shards. The files are cut into pieces of some MiB; threads read and check pieces in
// the order of the pass, and the pass deals out their records, at random within a window of pieces where it
// shuffles. Invariant: the order follows from seed, pass and options alone. Memory of pieces is used again
// when no tensor refers to it.
namespace belfry {

// Large enough that a disk spends its time on reading, not on seeking.
constexpr int64_t kPieceSize = int64_t{4} << 20;

namespace {

// Records of one file that are read at once: [first, last).
struct Piece {
  size_t shard;
  int64_t first, last;

  int64_t size() const { return last - first; }
};

// Memory that is used again: the system takes longer to give and clear four new MiB than to fill them from a
// file.
class Buffers {
 public:
  std::string take(uint64_t size) {
    std::string bytes;
    {
      std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        bytes = std::move(free_.back());
        free_.pop_back();
      }
    }
    if (bytes.size() < size) bytes.resize(size);
    return bytes;
  }
  void give_back(std::string bytes) {
    std::lock_guard lock(mutex_);
    free_.push_back(std::move(bytes));
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> free_;
};

}  // namespace

struct internal::ShardContents {
  std::string folder;
  ShardDataOptions options;
  std::vector<Shard> shards;
  std::vector<Piece> pieces;
  int64_t size = 0;
  std::shared_ptr<Buffers> buffers = std::make_shared<Buffers>();

  std::string path(const Piece& piece) const { return folder + "/" + shards[piece.shard].name; }
  uint64_t offset(const Piece& piece, int64_t record) const {
    return static_cast<uint64_t>(shards[piece.shard].offsets[static_cast<size_t>(record)]);
  }
};

namespace {

using internal::ShardContents;

std::vector<Piece> cut(const std::vector<internal::Shard>& shards) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::vector<int64_t>& offsets = shards[i].offsets;
    int64_t first = 0;
    for (int64_t last = 1; last <= shards[i].size(); ++last) {
      const bool is_end = last == shards[i].size();
      if (!is_end && offsets[static_cast<size_t>(last)] - offsets[static_cast<size_t>(first)] < kPieceSize)
        continue;
      pieces.push_back({i, first, last});
      first = last;
    }
  }
  return pieces;
}

// The records of a piece, checked. The payloads are views of the bytes, and stay so when it is moved.
struct ReadPiece {
  std::string bytes;
  std::vector<std::string_view> payloads;
};

/// The bytes are kept for another piece when nobody refers to them any more.
using SharedPiece = std::shared_ptr<const ReadPiece>;

SharedPiece read_piece(const ShardContents& contents, const Piece& piece) {
  const std::string path = contents.path(piece);
  const uint64_t first = contents.offset(piece, piece.first),
                 size = contents.offset(piece, piece.last) - first;
  const std::shared_ptr<ReadPiece> shared(new ReadPiece{contents.buffers->take(size), {}},
                                          [buffers = contents.buffers](ReadPiece* unused) {
                                            buffers->give_back(std::move(unused->bytes));
                                            delete unused;
                                          });
  ReadPiece& read = *shared;
  read.payloads.reserve(static_cast<size_t>(piece.size()));
  FileSystem::posix().open(path)->read(first, std::as_writable_bytes(std::span(read.bytes)).first(size));
  for (int64_t i = piece.first; i < piece.last; ++i) {
    const uint64_t begin = contents.offset(piece, i), expected = contents.offset(piece, i + 1) - begin;
    const ByteSpan record = as_byte_span(read.bytes).subspan(begin - first, expected);
    read.payloads.push_back(parse_record(path, begin, record));
    if (const uint64_t got = read.payloads.back().size() + kRecordFrame; got != expected) {
      throw DataError(path, begin,
                      fmt::format("expected a record of {} bytes, as the index says, got {}", expected, got));
    }
  }
  return shared;
}

// Reads a pass's pieces in threads, in the pass's order, ahead of what uses them in any order within a
// window.
class PieceReader {
 public:
  // `order`: of the pieces. `begin`: the first one that is wanted.
  PieceReader(const std::shared_ptr<const ShardContents>& contents, const std::vector<size_t>& order,
              int64_t begin, size_t ahead)
      : wanted_(begin),
        reads_([this, order, i = begin](const std::stop_token&) mutable { return take(order, i); },
               [contents](Wanted piece, Reads::Turn) { return read(*contents, piece); },
               {.num_thread = static_cast<size_t>(contents->options.num_thread), .window = ahead}) {}

  // Pieces before this one are not wanted any more.
  void want_from(int64_t begin) { wanted_ = begin; }

  struct Read {
    int64_t i;  // in the pass's order
    SharedPiece piece;
    std::exception_ptr error;  // if it failed
  };
  // The next one. Requires: there is one.
  Read next() { return *reads_.next(); }

 private:
  struct Wanted {
    int64_t i;
    size_t piece;
  };
  using Reads = OrderedWorkers<Wanted, Read>;

  std::optional<Wanted> take(const std::vector<size_t>& order, int64_t& i) const {
    const int64_t taken = std::max<int64_t>(i, wanted_);
    i = taken + 1;
    if (taken >= static_cast<int64_t>(order.size())) return std::nullopt;
    return Wanted{taken, order[static_cast<size_t>(taken)]};
  }

  // An error waits for the use of its piece, which may come after that of later ones.
  static Read read(const ShardContents& contents, const Wanted& wanted) {
    try {
      return {wanted.i, read_piece(contents, contents.pieces[wanted.piece]), nullptr};
    } catch (...) {
      return {wanted.i, nullptr, std::current_exception()};
    }
  }

  std::atomic<int64_t> wanted_;
  Reads reads_;
};

class ShardPass {
 public:
  ShardPass(std::shared_ptr<const ShardContents> contents, int64_t pass)
      : contents_(std::move(contents)),
        rng_(contents_->options.seed, static_cast<uint64_t>(pass)),
        order_(contents_->pieces.size()) {
    std::iota(order_.begin(), order_.end(), 0);
    if (contents_->options.shuffle) rng_.shuffle(order_);
  }

  std::optional<Datapoint> next() {
    if (at_ == window_.size() && !next_window()) return std::nullopt;
    if (!ahead_) start_reading();
    const Place place = window_[at_++];
    const SharedPiece& read = wait_for(static_cast<size_t>(place.piece));
    const Piece& from = piece(begin_ + place.piece);
    return loads(as_byte_span(read->payloads[static_cast<size_t>(place.record)]),
                 fmt::format("{}: record at byte {}", contents_->path(from),
                             contents_->offset(from, from.first + place.record)),
                 read);
  }

  int64_t skip(int64_t count) {
    int64_t skipped = 0;
    while (skipped < count) {
      if (at_ == window_.size() && !next_window()) break;
      const auto step = std::min(count - skipped, static_cast<int64_t>(window_.size() - at_));
      at_ += static_cast<size_t>(step);
      skipped += step;
    }
    return skipped;
  }

 private:
  // A datapoint of the window.
  struct Place {
    int32_t piece;  // from begin_ on
    int32_t record;
  };

  // Unshuffled, a window is one piece.
  int64_t window_pieces() const {
    return contents_->options.shuffle ? std::max<int64_t>(1, contents_->options.shuffle_window / kPieceSize)
                                      : 1;
  }
  int64_t count() const { return static_cast<int64_t>(order_.size()); }

  const Piece& piece(int64_t i) const { return contents_->pieces[order_[static_cast<size_t>(i)]]; }

  // The order of the next window's datapoints, for which nothing is read.
  bool next_window() {
    begin_ = end_;
    end_ = std::min(begin_ + window_pieces(), count());
    window_.clear();
    at_ = 0;
    for (int64_t i = begin_; i < end_; ++i) {
      for (int64_t record = 0; record < piece(i).size(); ++record)
        window_.push_back({static_cast<int32_t>(i - begin_), static_cast<int32_t>(record)});
    }
    if (contents_->options.shuffle) rng_.shuffle(window_);
    read_.clear();
    if (ahead_) ahead_->want_from(begin_);
    return begin_ < end_;
  }

  // Ahead is the next window, and work for each thread where windows are small.
  void start_reading() {
    const int64_t ahead = std::max(window_pieces(), contents_->options.num_thread);
    ahead_ = std::make_unique<PieceReader>(contents_, order_, begin_, static_cast<size_t>(ahead));
  }

  // A piece of the window, which counts from begin_ on.
  const SharedPiece& wait_for(size_t piece) {
    while (read_.size() <= piece) {
      PieceReader::Read read = ahead_->next();
      if (read.i >= begin_) read_.push_back(std::move(read));  // else it was skipped
    }
    if (read_[piece].error) std::rethrow_exception(read_[piece].error);
    return read_[piece].piece;
  }

  std::shared_ptr<const ShardContents> contents_;
  Rng rng_;
  std::vector<size_t> order_;    // of the pieces
  int64_t begin_ = 0, end_ = 0;  // the window, in order_
  std::vector<Place> window_;
  size_t at_ = 0;                        // in window_
  std::vector<PieceReader::Read> read_;  // the window's first pieces: as many as were needed
  std::unique_ptr<PieceReader> ahead_;
};

}  // namespace

ShardData::ShardData(const std::string& folder, ShardDataOptions options) {
  if (options.shuffle_window < 1 || options.num_thread < 1) {
    throw UsageError(fmt::format("[ShardData] expected shuffle_window and num_thread >= 1, got {} and {}",
                                 options.shuffle_window, options.num_thread));
  }
  auto contents = std::make_shared<internal::ShardContents>();
  contents->folder = folder;
  contents->options = options;
  contents->shards = internal::read_shard_index(folder);
  contents->pieces = cut(contents->shards);
  for (const internal::Shard& shard : contents->shards) contents->size += shard.size();
  contents_ = std::move(contents);
}

DataIterator ShardData::start_pass(int64_t pass) {
  return DataIterator(ShardPass(contents_, pass));
}

std::optional<int64_t> ShardData::size() const {
  return contents_->size;
}

}  // namespace belfry
