// MATLAB files, LMDB files and indices of shards that lie.

#include <ATen/ops/from_blob.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstring>

#include "belfry/base/error.h"
#include "belfry/data/datasets/internal/mat_file.h"
#include "belfry/data/storage/internal/shard_index.h"
#include "belfry/data/storage/lmdb_serializer.h"
#include "belfry/dataflow/serialize.h"
#include "belfry/formats/tfrecord.h"
#include "tests/dataflow/flows.h"
#include "tests/formats/arrays.h"
#include "tests/support/message_of.h"
#include "tests/support/peak_memory.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

std::string number(uint32_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// MATLAB's level 5 format: an element is its type, size and bytes, these padded to 8.
enum ElementType : uint32_t { kInt8 = 1, kInt32 = 5, kUInt32 = 6, kDouble = 9, kMatrix = 14 };
enum Class : uint32_t { kCell = 1, kStructure = 2, kNumbers = 6 };

std::string element(ElementType type, std::string content) {
  const std::string head = number(type) + number(static_cast<uint32_t>(content.size()));
  content.resize((content.size() + 7) / 8 * 8, '\0');
  return head + content;
}
std::string matrix(Class kind, uint32_t rows, uint32_t columns, const std::string& name,
                   const std::string& content) {
  return element(kMatrix, element(kUInt32, number(kind) + number(0)) +
                              element(kInt32, number(rows) + number(columns)) + element(kInt8, name) +
                              content);
}

class MatFileTest : public testing::Test {
 protected:
  void write(const std::string& variable) {
    std::string head = "MATLAB 5.0 MAT-file";
    head.resize(124, ' ');
    test::spit(path_, head + std::string("\x00\x01IM", 4) + variable);
  }
  const test::TempDir folder_;
  const std::string path_ = folder_ / "a.mat";
};

TEST_F(MatFileTest, ReadsWhatThisTestWritesWhenItIsRight) {
  write(matrix(kNumbers, 2, 1, "x", element(kDouble, std::string(16, '\0'))));
  EXPECT_EQ(internal::MatFile(path_, "a test's").array("x").numel(), 2);
}

TEST_F(MatFileTest, StructuresWithoutFieldsAreRefused) {
  for (const std::string& names :
       {element(kInt32, number(32)) + element(kInt8, ""), element(kInt32, number(0)) + element(kInt8, "")}) {
    write(matrix(kCell, 1, 1, "cells", matrix(kStructure, 1, 1, "", names)));
    EXPECT_THAT(message_of<DataError>(
                    [&] { internal::MatFile(path_, "a test's").arrays_in_cells("cells", "Boundaries"); }),
                HasSubstr("cells"));
  }
}

TEST_F(MatFileTest, ClaimedSizesTakeNoMemory) {
  for (uint32_t columns : {640U, 0x40000000U}) {
    write(matrix(kNumbers, 1 << 20, columns, "x", element(kDouble, std::string(16, '\0'))));
    EXPECT_THAT(message_of<DataError>([&] { internal::MatFile(path_, "a test's").array("x"); }),
                HasSubstr("a.mat"));
    test::expect_memory_in_proportion("MATLAB", 1024,
                                      [&] { internal::MatFile(path_, "a test's").array("x"); });
  }
}

TEST(ShardIndex, OneFileNamedManyTimesTakesMemoryInProportion) {
  const test::TempDir folder;
  test::spit(folder / "a", std::string(16, '\0'));  // one record of nothing
  const std::vector<int64_t> offsets = {0, 16};
  const std::string name = "a";
  const auto view = [](const void* data, int64_t size, at::ScalarType type) {
    return at::from_blob(const_cast<void*>(data), {size}, at::TensorOptions(type));
  };
  const std::string entry = dumps({view(name.data(), 1, at::kByte), view(offsets.data(), 2, at::kLong)});
  constexpr int kTimes = 20000;
  RecordWriter writer(folder / "index");
  for (int i = 0; i < kTimes; ++i) writer.append(entry);
  writer.publish();
  ASSERT_EQ(internal::read_shard_index(folder.path()).size(), kTimes);
  test::expect_memory_in_proportion("an index of one file", kTimes * entry.size(),
                                    [&] { internal::read_shard_index(folder.path()); });
}

TEST(LmdbSerializer, LeavesTheModeToTheUmask) {
  const test::TempDir folder;
  for (mode_t mask : {0002, 0077}) {
    const std::string path = folder / std::to_string(mask);
    const mode_t before = ::umask(mask);
    LMDBSerializer::save(counting(3), path);
    ::umask(before);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0666 & ~mask);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(LmdbSerializer, WritesWhereAddressSpaceIsLimited) {
  const test::TempDir folder;
  const auto save = [&] {
    const rlimit limit{uint64_t{32} << 30, uint64_t{32} << 30};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(2);
    LMDBSerializer::save(counting(3), folder / "a.lmdb");
    std::_Exit(0);
  };
  EXPECT_EXIT(save(), testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
}  // namespace belfry
