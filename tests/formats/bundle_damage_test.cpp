// Damaged, hostile and interrupted checkpoints.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <protozero/pbf_writer.hpp>
#include <random>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/formats/bundle_reader.h"
#include "belfry/formats/bundle_writer.h"
#include "belfry/formats/checkpoint_state.h"
#include "belfry/formats/crc32c.h"
#include "belfry/formats/internal/bundle_proto.h"
#include "belfry/formats/internal/table.h"
#include "tests/formats/arrays.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using namespace internal;

using protozero::pbf_writer;
using test::FaultFileSystem, test::message_of;
using testing::HasSubstr;

const std::string kIndex = "m.index", kData = "m.data-00000-of-00001";

void write_model(FileSystem& files, const std::string& prefix, int step) {
  std::vector<int32_t> values(100, step);
  BundleWriter writer(prefix, files);
  writer.add("a", DataType::kInt32, {10, 10}, std::as_bytes(std::span(values)));
  writer.add_strings("words", {2}, std::vector<std::string>{"x", std::to_string(step)});
  writer.add("z", DataType::kInt32, {}, std::as_bytes(std::span(values).first(1)));
  writer.finish();
}

// Everything in the checkpoint, as text that two checkpoints can be compared by.
std::string read_everything(FileSystem& files, const std::string& prefix) {
  BundleReader reader(prefix, files);
  std::string out;
  for (const ArrayInfo& info : reader.entries()) {
    out += info.name + describe(info.dtype, info.shape);
    reader.entry(info.name);  // before any memory is taken
    if (info.dtype != DataType::kString) out += test::read_array(reader, info.name);
    if (info.dtype == DataType::kString) {
      for (const std::string& word : reader.read_strings(info.name)) out += word + ";";
    }
  }
  return out;
}

TEST(BundleDamage, EveryFlippedBitIsDetected) {
  FaultFileSystem files;
  write_model(files, "m", 7);
  for (const std::string& path : {kIndex, kData}) {
    std::string good = files.content(path);
    for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
      std::string bad = good;
      bad[bit / 8] ^= static_cast<char>(1 << (bit % 8));
      files.put(path, bad);
      EXPECT_THROW(read_everything(files, "m"), DataError) << path << " bit " << bit;
    }
    files.put(path, good);
  }
}

TEST(BundleDamage, EveryTruncationIsDetected) {
  FaultFileSystem files;
  write_model(files, "m", 7);
  for (const std::string& path : {kIndex, kData}) {
    std::string good = files.content(path);
    for (size_t size = 0; size < good.size(); ++size) {
      files.put(path, good.substr(0, size));
      EXPECT_THROW(read_everything(files, "m"), DataError) << path << " of " << size;
    }
    files.put(path, good);
  }
}

TEST(BundleDamage, MessagesNameFileTensorAndReason) {
  FaultFileSystem files;
  write_model(files, "m", 7);
  std::string data = files.content(kData);
  files.put(kData, data.substr(0, 200));
  EXPECT_THAT(
      message_of<DataError>([&] { read_everything(files, "m"); }),
      testing::AllOf(HasSubstr("[tensor a]"), HasSubstr(kData), HasSubstr("400 bytes"), HasSubstr("200")));
  EXPECT_EQ(BundleReader("m", files).entries().size(), 3u) << "the list needs no data";
  data[17] ^= 1;
  files.put(kData, data);
  EXPECT_THAT(message_of<DataError>([&] { read_everything(files, "m"); }),
              testing::AllOf(HasSubstr("[tensor a]"), HasSubstr(kData), HasSubstr("checksum")));
  files.remove(kData);
  EXPECT_THAT(message_of<DataError>([&] { read_everything(files, "m"); }), HasSubstr(kData));
  EXPECT_THAT(message_of<DataError>([&] { BundleReader("m", files).entry("b"); }),
              HasSubstr("[tensor b] not in"));
}

TEST(BundleDamage, AbsurdBlockSizesInTheFooterAreRefused) {
  FaultFileSystem files;
  write_model(files, "m", 7);
  for (uint64_t number : {uint64_t{1} << 60, UINT64_MAX, UINT64_MAX - 4}) {
    std::string varint, index = files.content(kIndex);
    protozero::add_varint_to_buffer(&varint, number);
    for (std::string handles : {varint + "\1", "\1" + varint}) {
      std::string bad = index;
      bad.replace(index.size() - 48, 40, (handles + handles + std::string(40, '\0')).substr(0, 40));
      files.put("n.index", bad);
      EXPECT_THAT(message_of<DataError>([&] { BundleReader("n", files); }), HasSubstr("n.index"));
    }
  }
}

// --- indexes with good checksums and bad content

std::string header(int shards = 1, int endianness = 0, int min_consumer = 0) {
  return serialize(
      BundleHeader{.num_shards = shards, .endianness = endianness, .min_consumer = min_consumer});
}

std::string record(DataType dtype, std::vector<int64_t> shape, int64_t offset, int64_t size, int shard = 0) {
  return serialize(BundleRecord{
      .dtype = dtype, .shape = shape, .shard = shard, .offset = offset, .size = size, .slices = {}});
}

// Opens and reads a checkpoint with this index and 16 zero bytes of data.
std::string read_crafted(const std::map<std::string, std::string>& index,
                         const std::string& data = std::string(16, 0)) {
  FaultFileSystem files;
  files.put(kIndex, build_table(index));
  files.put(kData, data);
  return message_of<DataError>([&] { read_everything(files, "m"); });
}

TEST(BundleDamage, BadHeadersAreRefused) {
  std::string good = record(DataType::kInt8, {0}, 0, 0);
  EXPECT_THAT(read_crafted({{"t", good}}), HasSubstr("no header"));
  EXPECT_THAT(read_crafted({}), HasSubstr("no header"));
  EXPECT_THAT(read_crafted({{"", "\xff\xff"}}), HasSubstr("index corrupt"));
  EXPECT_THAT(read_crafted({{"", header(0)}}), HasSubstr("0 shards"));
  EXPECT_THAT(read_crafted({{"", header(-5)}}), HasSubstr("-5 shards"));
  EXPECT_THAT(read_crafted({{"", header(1, 1)}}), HasSubstr("big-endian"));
  EXPECT_THAT(read_crafted({{"", header(1, 0, 2)}}), HasSubstr("minimum consumer version 2"));
  EXPECT_THAT(read_crafted({{"", header(1000000000)}, {"t", good}}), HasSubstr("[tensor t]"));
  EXPECT_EQ(read_crafted({{"", header() + "\xf8\x01\x05"}}), "nothing was thrown")
      << "unknown fields are ignored";
}

TEST(BundleDamage, BadRecordsAreRefusedByName) {
  std::string unknown_rank;
  pbf_writer(unknown_rank).add_enum(1, 1);
  pbf_writer(unknown_rank).add_message(2, std::string("\x18\x01"));
  struct {
    const char* reason;
    std::string value;
  } cases[] = {
      {"index corrupt", "\xff"},
      {"unknown rank", unknown_rank},
      {"impossible shape", record(DataType::kFloat32, {-1}, 0, 4)},
      {"impossible shape", record(DataType::kFloat32, {int64_t{1} << 40, int64_t{1} << 40}, 0, 4)},
      {"impossible shape", record(DataType::kFloat32, {int64_t{1} << 62}, 0, 4)},
      {"impossible shape", record(DataType::kFloat32, {0, int64_t{1} << 62, int64_t{1} << 62}, 0, 0)},
      {"rank <= 254", record(DataType::kFloat32, std::vector<int64_t>(100000, 1), 0, 4)},
      {"expected a dtype", record(DataType::kInvalid, {1}, 0, 4)},
      {"dtype 999", record(static_cast<DataType>(999), {1}, 0, 4)},
      {"resource", record(DataType::kResource, {1}, 0, 4)},
      {"variant", record(DataType::kVariant, {1}, 0, 4)},
      {"expected 4 bytes", record(DataType::kFloat32, {1}, 0, 8)},
      {"but the file has 16", record(DataType::kFloat32, {1}, 13, 4)},
      {"but the file has 16", record(DataType::kFloat32, {int64_t{1} << 58}, 0, int64_t{1} << 60)},
      {"but the file has 16", record(DataType::kFloat32, {1}, INT64_MAX, 4)},
      {"range of bytes", record(DataType::kFloat32, {1}, -4, 4)},
      {"range of bytes", record(DataType::kFloat32, {1}, 0, -4)},
      {"shard below 1", record(DataType::kFloat32, {1}, 0, 4, 7)},
      {"shard below 1", record(DataType::kFloat32, {1}, 0, 4, -1)},
      {"do not fit into 12", record(DataType::kString, {int64_t{1} << 40}, 0, 12)},
      {"checksum", record(DataType::kFloat32, {1}, 0, 4)},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(read_crafted({{"", header()}, {"some/W", c.value}}),
                testing::AllOf(HasSubstr(c.reason), HasSubstr("[tensor some/W]")));
  }
}

TEST(BundleDamage, TensorsThatShareBytesAreRefused) {
  const std::string a = record(DataType::kInt8, {8}, 0, 8), b = record(DataType::kInt8, {8}, 7, 8),
                    empty = record(DataType::kInt8, {0}, 4, 0);
  EXPECT_THAT(read_crafted({{"", header()}, {"a", a}, {"b", b}}),
              HasSubstr("[tensor b] shares bytes with a"));
  EXPECT_THAT(read_crafted({{"", header()}, {"a", a}, {"e", empty}}), HasSubstr("[tensor a] checksum"));
}

// The keys "a" and "b" become `first` and `second`, with the checksum corrected.
std::string index_with_keys(char first, char second) {
  const std::string value = record(DataType::kInt8, {0}, 0, 0);
  std::string index = build_table({{"", header()}, {"a", value}, {"b", value}});
  const std::string lengths{'\0', '\1', static_cast<char>(value.size())};
  const size_t a = index.find(lengths + "a") + 3, b = index.find(lengths + "b") + 3;
  index[a] = first;
  index[b] = second;
  const char* footer = index.data() + index.size() - 48;
  const uint64_t end =
      protozero::decode_varint(&footer, index.data() + index.size());  // of the only data block
  const uint32_t crc = mask_crc(crc32c(as_byte_span(index).first(end - 4)));
  std::memcpy(index.data() + end - 4, &crc, 4);
  return index;
}

TEST(BundleDamage, KeysThatAreNotAscendingAreRefused) {
  FaultFileSystem files;
  files.put(kData, "");
  files.put(kIndex, index_with_keys('c', 'd'));
  EXPECT_EQ(BundleReader("m", files).entries().size(), 2u);
  for (const char* keys : {"ba", "aa"}) {
    files.put(kIndex, index_with_keys(keys[0], keys[1]));
    EXPECT_THAT(message_of<DataError>([&] { BundleReader("m", files); }), HasSubstr("not ascending")) << keys;
  }
}

TEST(BundleDamage, ClaimsOfHugeSizesTakeNoMemory) {
  FaultFileSystem files;
  files.put(kData, std::string(16, 0));
  for (DataType dtype : {DataType::kString, DataType::kInt8}) {
    const int64_t huge = int64_t{1} << 40;
    files.put(kIndex, build_table({{"", header()}, {"t", record(dtype, {huge}, 0, huge)}}));
    EXPECT_TRUE(test::refuses_in_little_memory([&] { read_everything(files, "m"); }));
  }
  write_model(files, "m", 7);
  std::string index = files.content(kIndex), varint;
  protozero::add_varint_to_buffer(&varint, uint64_t{1} << 40);
  index.replace(index.size() - 48, 40, ("\1" + varint + "\1" + varint + std::string(40, '\0')).substr(0, 40));
  files.put(kIndex, index);
  EXPECT_TRUE(test::refuses_in_little_memory([&] { read_everything(files, "m"); }));
}

TEST(BundleDamage, ACheckpointReplacedWhileItIsOpenedIsReadAfresh) {
  struct Replaced : FaultFileSystem {
    std::unique_ptr<ReadableFile> open(const std::string& path) override {
      if (path == "log/" + kData && exists(path)) write_model(*this, "log/m", 8);
      return FaultFileSystem::open(path);
    }
  } files;
  write_model(files, "log/m", 7);
  EXPECT_EQ(test::read_array(BundleReader("log/m", files), "z"), test::bytes_of<int32_t>({8}));
}

TEST(BundleDamage, BadStringLengthsAreRefused) {
  uint32_t bad_crc = 5;
  std::string huge(9, '\xff');
  for (std::string data : {huge + "\1" + std::string(6, 0),
                           std::string("\1\1\0\0\0\0ab", 8) + std::string(8, 0), std::string(16, '\xff')}) {
    data.append(reinterpret_cast<const char*>(&bad_crc), 4);
    EXPECT_THAT(read_crafted({{"", header()}, {"s", record(DataType::kString, {2}, 0, 16)}}, data),
                HasSubstr("[tensor s]"));
  }
}

std::string partitioned(const std::vector<std::pair<int64_t, int64_t>>& slices) {
  std::string out = record(DataType::kInt8, {4}, 0, 0);
  for (auto [start, length] : slices) {
    std::string extent, slice;
    pbf_writer(extent).add_int64(1, start);
    pbf_writer(extent).add_int64(2, length);
    pbf_writer(slice).add_message(1, extent);
    pbf_writer(out).add_message(7, slice);
  }
  return out;
}

TEST(BundleDamage, BadPartitionsAreRefused) {
  auto read_partition = [](const std::vector<std::pair<int64_t, int64_t>>& slices,
                           int64_t stored_length = 2) {
    std::map<std::string, std::string> index{{"", header()}, {"p", partitioned(slices)}};
    for (int64_t start : {0, 2}) {
      index[slice_key("p", {{start, 2}})] = record(DataType::kInt8, {stored_length}, start, stored_length);
    }
    return read_crafted(index);
  };
  EXPECT_THAT(read_partition({{0, 2}, {2, 2}}), HasSubstr("checksum")) << "all but the sum is right";
  EXPECT_THAT(read_partition({{0, 2}}), HasSubstr("[tensor p] slices hold 2 of 4"));
  EXPECT_THAT(read_partition({{0, 2}, {0, 2}}), HasSubstr("overlaps"));
  EXPECT_THAT(read_partition({{0, 2}, {3, 2}}), HasSubstr("outside"));
  EXPECT_THAT(read_partition({{0, 2}, {-2, 2}}), HasSubstr("outside"));
  EXPECT_THAT(read_partition({{0, 2}, {INT64_MAX, INT64_MAX}}), HasSubstr("outside"));
  EXPECT_THAT(read_partition({{0, 1}, {1, 3}}), HasSubstr("slice 0 is missing"));
  EXPECT_THAT(read_partition({{0, 2}, {2, 2}}, 1),
              HasSubstr("expected slice 0 to be int8 [2], got int8 [1]"));
}

TEST(BundleDamage, SliceKeysAreTensorFlowsOrderedCode) {
  EXPECT_EQ(test::hex(slice_key("p", {{0, 2}, {}})),
            "00700001010280828"
            "07f");
  EXPECT_EQ(test::hex(slice_key("", {{0x424242, -0x800}})),
            "000001"
            "0101"
            "f0424242"
            "3800");
}

// --- interrupted writing

// Saves step after step as a saver does: the checkpoint, then the file that names it.
void save(FileSystem& files, const std::string& folder, int step) {
  std::string name = "model-" + std::to_string(step);
  write_model(files, folder + "/" + name, step);
  write_checkpoint_state(folder, {.newest = name, .all = {name}}, files);
}

// The step of the checkpoint that `checkpoint` names, after reading all of it; 0 when there is none yet.
int load(FileSystem& files, const std::string& folder) {
  if (!files.exists(folder + "/checkpoint")) return 0;
  std::string name = read_checkpoint_state(folder, files).newest;
  read_everything(files, folder + "/" + name);
  return std::stoi(name.substr(name.find('-') + 1));
}

// Writers warn of temporaries that they cannot remove; here that is the plan.
class SilentLog : public testing::Test {
 protected:
  SilentLog() {
    set_log_sink([](LogLevel, std::string_view) {});
  }
  ~SilentLog() override { set_log_sink({}); }
};

class InterruptedSave : public SilentLog, public testing::WithParamInterface<bool> {};

TEST_P(InterruptedSave, FailureAtAnyCallLeavesAGoodCheckpointAndNoTemporary) {
  FaultFileSystem counting;
  save(counting, "log", 1);
  for (int k = 0; k < counting.calls; ++k) {
    FaultFileSystem files;
    save(files, "log", 1);
    files.fail_at = files.calls + k;
    files.stay_broken = GetParam();
    EXPECT_THROW(save(files, "log", 2), DataError);
    EXPECT_GE(load(files, "log"), 1) << "call " << k;
    files.fail_at = -1;
    if (!files.stay_broken) {
      EXPECT_THAT(files.list("log"), testing::Not(testing::Contains(HasSubstr("tempstate")))) << "call " << k;
    }
    save(files, "log", 2);
    EXPECT_EQ(load(files, "log"), 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Bundle, InterruptedSave, testing::Values(false, true));

TEST_F(SilentLog, OldDataThatCannotBeRemovedIsNoFailure) {
  struct NoList : FaultFileSystem {
    std::vector<std::string> list(const std::string& folder) override { throw DataError(folder, "injected"); }
  } files;
  EXPECT_NO_THROW(write_model(files, "m", 7));
}

TEST_F(SilentLog, LossOfPowerAtAnyCallLeavesAGoodCheckpoint) {
  for (int k = 0;; ++k) {
    FaultFileSystem files;
    save(files, "log", 1);
    files.fail_at = files.calls + k;
    files.stay_broken = true;
    bool returned = true;
    try {
      save(files, "log", 2);
    } catch (const DataError&) {
      returned = false;
    }
    files.crash();
    EXPECT_EQ(load(files, "log"), returned ? 2 : std::max(load(files, "log"), 1)) << "call " << k;
    if (returned) break;
  }
}

TEST(BundleDamage, KilledProcessLeavesAGoodCheckpoint) {
  test::TempDir folder;
  std::mt19937 random(1);
  int last = 1;
  const auto start = std::chrono::steady_clock::now();
  save(FileSystem::posix(), folder.path(), last);
  const std::chrono::duration<double> time_of_save = std::chrono::steady_clock::now() - start;
  std::uniform_real_distribution<double> saves(0, 3);  // that the disk lets a child do
  for (int round = 0; round < 60; ++round) {
    pid_t child = fork();
    if (child == 0) {
      for (int step = last + 1;; ++step) save(FileSystem::posix(), folder.path(), step);
    }
    std::this_thread::sleep_for(time_of_save * saves(random));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    int step = load(FileSystem::posix(), folder.path());
    ASSERT_GE(step, last);
    last = step;
  }
  EXPECT_GT(last, 1) << "the child never got to save";
}

}  // namespace
}  // namespace belfry
