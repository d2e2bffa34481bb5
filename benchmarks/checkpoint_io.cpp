// Saving and loading a checkpoint against writing and reading the same bytes raw, on the disk of the folder
// given:
//
//     build/release/benchmarks/checkpoint_io [folder=.] [MiB=256]
//
// 50 tensors and 1000 small ones; from memory and, as Saver does it, from and into the variables of a
// session. Both sides end a write with fsync; reads come from the page cache, into memory that has been
// touched. Prints the median of the rounds and ours / raw, which is to stay below 2.

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "belfry/checkpoint/saver.h"
#include "belfry/formats/bundle_reader.h"
#include "belfry/formats/bundle_writer.h"
#include "belfry/graph/graph.h"

namespace {

using namespace belfry;

constexpr int kRounds = 7, kLarge = 50, kSmall = 1000;
constexpr int64_t kSmallElements = 64;

double seconds(const std::function<void()>& call) {
  auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

struct Workload {
  std::string prefix;
  std::vector<float> memory;
  int64_t large_elements;

  template <typename Visit>
  void for_each_tensor(const Visit& visit) {
    size_t at = 0;
    for (int i = 0; i < kLarge + kSmall; ++i) {
      int64_t count = i < kLarge ? large_elements : kSmallElements;
      visit("layer" + std::to_string(i) + "/W", count,
            std::span(memory).subspan(at, static_cast<size_t>(count)));
      at += static_cast<size_t>(count);
    }
  }

  void save() {
    BundleWriter writer(prefix);
    for_each_tensor([&](const std::string& name, int64_t count, std::span<float> values) {
      writer.add(name, DataType::kFloat32, {count}, std::as_bytes(values));
    });
    writer.finish();
  }

  void load() {
    BundleReader reader(prefix);
    for_each_tensor([&](const std::string& name, int64_t, std::span<float> values) {
      reader.read(name, std::as_writable_bytes(values));
    });
  }

  void write_raw() {
    FileSystem& files = FileSystem::posix();
    if (files.exists(prefix + ".raw")) files.remove(prefix + ".raw");
    auto file = files.create(prefix + ".raw");
    file->append(std::as_bytes(std::span(memory)));
    file->sync();
    file->close();
  }

  void read_raw() {
    FileSystem::posix().open(prefix + ".raw")->read(0, std::as_writable_bytes(std::span(memory)));
  }
};

/// The same tensors as variables of a session.
struct SessionWorkload {
  explicit SessionWorkload(Workload& work) {
    GraphScope as_default(graph);
    work.for_each_tensor([&](const std::string& name, int64_t count, std::span<float> values) {
      session.set_value(get_variable(name, {count}), at::from_blob(values.data(), {count}));
    });
  }

  Graph graph;
  Session session{graph};
  Saver saver;
};

void compare(const char* what, double bytes, const std::function<void()>& ours,
             const std::function<void()>& raw) {
  std::vector<double> ours_seconds, raw_seconds;
  for (int round = 0; round < kRounds; ++round) {  // in turns, so that a busy disk meets both
    ours_seconds.push_back(seconds(ours));
    raw_seconds.push_back(seconds(raw));
  }
  double mine = median(ours_seconds), theirs = median(raw_seconds);
  fmt::print("{:15} ours {:7.1f} ms ({:6.0f} MB/s)   raw {:7.1f} ms ({:6.0f} MB/s)   ours / raw {:.2f}\n",
             what, mine * 1e3, bytes / mine / 1e6, theirs * 1e3, bytes / theirs / 1e6, mine / theirs);
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = argc > 1 ? argv[1] : ".";
  int64_t bytes = (argc > 2 ? std::atoll(argv[2]) : 256) << 20;
  Workload work{folder + "/checkpoint_io", {}, bytes / kLarge / int64_t{sizeof(float)}};
  work.memory.assign(static_cast<size_t>(kLarge * work.large_elements + kSmall * kSmallElements), 1.5f);
  fmt::print("{} threads, {} MiB, median of {} rounds\n", std::thread::hardware_concurrency(), bytes >> 20,
             kRounds);
  work.save();
  work.write_raw();
  compare(
      "save", static_cast<double>(bytes), [&] { work.save(); }, [&] { work.write_raw(); });
  compare(
      "load", static_cast<double>(bytes), [&] { work.load(); }, [&] { work.read_raw(); });
  SessionWorkload variables(work);
  compare(
      "save variables", static_cast<double>(bytes),
      [&] { variables.saver.save(variables.session, work.prefix); }, [&] { work.write_raw(); });
  compare(
      "load variables", static_cast<double>(bytes),
      [&] { variables.saver.restore(variables.session, work.prefix); }, [&] { work.read_raw(); });
  for (const char* suffix : {".raw", ".index", ".data-00000-of-00001", ".data-00000-of-00002"}) {
    std::filesystem::remove(work.prefix + suffix);
  }
}
