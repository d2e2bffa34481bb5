// Reading datapoints from LMDB, a TFRecord file and shards, in random order where they have one, on the disk
// of the folder given:
//
//     build/release/benchmarks/storage [folder=.] [MiB=1024]
//     .env/python/bin/python3 benchmarks/peers/storage_peer.py [folder=.]
//
//   image     {uint8 [110 KB], about an ImageNet JPEG; int64}
//   digit     {float32 [28, 28]; int64}
//
// Cold: the system is asked to forget the files first. Warm: they are in its memory. Consuming a datapoint
// costs nothing here. Prints the median of the rounds, and leaves the files for the peer, tensorpack on the
// same LMDB.

#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "belfry/data/storage/lmdb_serializer.h"
#include "belfry/data/storage/shard_serializer.h"
#include "belfry/data/storage/tfrecord_serializer.h"
#include "belfry/dataflow/raw.h"

namespace {

using namespace belfry;

constexpr int kRounds = 5;

struct Workload {
  std::string name;
  Datapoint datapoint;
  int64_t count;
};

DataFromFunction source(const Workload& work) {
  return DataFromFunction([&work] {
    return [&work, left = work.count]() mutable {
      return left-- > 0 ? std::optional(work.datapoint) : std::nullopt;
    };
  });
}

void forget(const std::string& path) {
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) forget(entry.path());
    return;
  }
  const int file = ::open(path.c_str(), O_RDONLY);
  ::fsync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
}

double processor_seconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Seconds {
  double wall, processor;
};

Seconds time_pass(DataFlow& flow, int64_t expected) {
  const auto start = std::chrono::steady_clock::now();
  const double processor = processor_seconds();
  int64_t count = 0;
  for ([[maybe_unused]] Datapoint& datapoint : flow.iterator()) ++count;
  if (count != expected) throw std::runtime_error("a pass of another length");
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          processor_seconds() - processor};
}

struct Candidate {
  std::string name, path;
  // Anew for each round: the system does not forget a file that LMDB has mapped.
  std::function<std::shared_ptr<DataFlow>(const std::string& path)> load;
};

const Candidate kCandidates[] = {
    {"LMDB shuffled", ".lmdb",
     [](const std::string& path) { return std::make_shared<LMDBDataDecoder>(LMDBSerializer::load(path)); }},
    {"LMDB in order", ".lmdb",
     [](const std::string& path) {
       return std::make_shared<LMDBDataDecoder>(LMDBSerializer::load(path, {.shuffle = false}));
     }},
    {"TFRecord", ".tfrecord", [](const std::string& path) { return TFRecordSerializer::load(path); }},
    {"shards shuffled", "_shards", [](const std::string& path) { return std::make_shared<ShardData>(path); }},
    {"shards in order", "_shards",
     [](const std::string& path) {
       return std::make_shared<ShardData>(path, ShardDataOptions{.shuffle = false});
     }},
};

void measure(const Workload& work, const std::string& folder) {
  const std::string prefix = folder + "/storage_" + work.name;
  if (!std::filesystem::exists(prefix + ".lmdb")) LMDBSerializer::save(source(work), prefix + ".lmdb");
  if (!std::filesystem::exists(prefix + ".tfrecord"))
    TFRecordSerializer::save(source(work), prefix + ".tfrecord");
  if (!std::filesystem::exists(prefix + "_shards/index"))
    ShardSerializer::save(source(work), prefix + "_shards");
  const auto count = static_cast<double>(work.count),
             bytes = count * static_cast<double>(work.datapoint[0].nbytes());
  for (bool is_cold : {true, false}) {
    for (const Candidate& candidate : kCandidates) {
      Seconds best{1e9, 1e9};
      for (int round = 0; round < kRounds; ++round) {
        if (is_cold) forget(prefix + candidate.path);
        const Seconds seconds = time_pass(*candidate.load(prefix + candidate.path), work.count);
        best = {std::min(best.wall, seconds.wall), std::min(best.processor, seconds.processor)};
      }
      fmt::print("{} {} {:16} {:8.0f} datapoints/s {:7.0f} MB/s {:7.1f} us of processor\n", work.name,
                 is_cold ? "cold" : "warm", candidate.name, count / best.wall, bytes / best.wall / 1e6,
                 best.processor / count * 1e6);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  const int64_t bytes = (argc > 2 ? std::atoll(argv[2]) : 1024) << 20;
  fmt::print("{} threads, {} MiB, best of {} rounds\n", std::thread::hardware_concurrency(), bytes >> 20,
             kRounds);
  const Workload image{
      "image", {at::randint(256, {110'000}, at::kByte), at::full({}, 7, at::kLong)}, bytes / 110'000};
  const Workload digit{"digit", {at::rand({28, 28}), at::full({}, 7, at::kLong)}, bytes / 4 / (28 * 28 * 4)};
  for (const Workload& work : {image, digit}) measure(work, folder);
}
