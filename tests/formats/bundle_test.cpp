// The checkpoint reader and writer against real TensorFlow, both ways.

#include <gmock/gmock.h>
#include <leveldb/env.h>
#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/table.h>

#include <numeric>
#include <sstream>

#include "belfry/base/error.h"
#include "belfry/formats/bundle_reader.h"
#include "belfry/formats/bundle_writer.h"
#include "tests/formats/arrays.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::bytes_of, test::hex, test::slurp;

std::string read(const BundleReader& reader, const std::string& name) {
  return test::read_array(reader, name);
}

// Our checkpoint is written first, so that one run of Python writes TensorFlow's and reads ours.
class BundleWithTensorFlow : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::python_available()) return;
    folder = new test::TempDir;
    write_ours();
    std::istringstream lines(test::run_python("tests/formats/tf_bundle.py",
                                              {"write", folder->path(), "read", folder->path(), "ours"}));
    for (std::string line; std::getline(lines, line);) read_by_tensorflow.push_back(line);
  }
  static void TearDownTestSuite() { delete folder; }
  void SetUp() override {
    if (!folder) GTEST_SKIP() << test::kNoPython;
  }

  static void write_ours() {
    BundleWriter writer(*folder / "ours");
    std::string floats = bytes_of<float>({1, 2, 3, 4, 5, 6});
    writer.add("fc/W", DataType::kFloat32, {2, 3}, as_byte_span(floats));
    writer.add("conv/W/Momentum", DataType::kFloat32, {3, 0, 2}, {});
    std::string step = bytes_of<int64_t>({1234567890123});
    writer.add("global_step", DataType::kInt64, {}, as_byte_span(step));
    writer.add("half", DataType::kBFloat16, {1}, as_byte_span("\xc0\x3f"));
    writer.add_strings("words", {2}, std::vector<std::string>{"a", std::string(200, 'b')});
    writer.finish();
  }

  // Writes what TensorFlow's `name` holds once more, in the order of its data file (here: of the names).
  static void rewrite(const std::string& name, const std::string& as) {
    BundleReader reader(*folder / name);
    BundleWriter writer(*folder / as);
    for (const ArrayInfo& info : reader.entries()) {
      if (info.dtype == DataType::kString) {
        writer.add_strings(info.name, info.shape, reader.read_strings(info.name));
      } else {
        writer.add(info.name, info.dtype, info.shape, as_byte_span(read(reader, info.name)));
      }
    }
    writer.finish();
  }

  static inline test::TempDir* folder = nullptr;
  static inline std::vector<std::string> read_by_tensorflow;
};

TEST_F(BundleWithTensorFlow, ReadsEveryTypeBitForBit) {
  BundleReader reader(*folder / "types");
  EXPECT_EQ(reader.entries().size(), 15u * 4);
  for (const ArrayInfo& info : reader.entries()) {
    std::string file = info.name;
    file[file.find('/')] = '.';
    EXPECT_EQ(read(reader, info.name), slurp(*folder / "raw/" + file)) << info.name;
    EXPECT_EQ(to_string(info.dtype), info.name.substr(0, info.name.find('/')));
  }
}

TEST_F(BundleWithTensorFlow, ReadsStrings) {
  BundleReader reader(*folder / "strings");
  EXPECT_EQ(reader.entry("words").shape, (std::vector<int64_t>{2, 2}));
  EXPECT_THAT(reader.read_strings("words"),
              testing::ElementsAre("ab", "", std::string(300, 'x'), std::string("z\0y", 3)));
  EXPECT_THAT(reader.read_strings("word"), testing::ElementsAre("one"));
  EXPECT_THAT(reader.read_strings("none"), testing::IsEmpty());
}

TEST_F(BundleWithTensorFlow, ReassemblesPartitionedVariables) {
  BundleReader reader(*folder / "partitioned");
  ASSERT_EQ(reader.entries().size(), 2u) << "slices must not be listed";
  std::vector<float> grid(4 * 3 * 5);
  std::iota(grid.begin(), grid.end(), 0.0f);
  std::vector<int32_t> wide(70000);
  std::iota(wide.begin(), wide.end(), 0);
  EXPECT_EQ(reader.entry("grid").shape, (std::vector<int64_t>{4, 3, 5}));
  EXPECT_EQ(read(reader, "grid"), bytes_of(grid));
  EXPECT_EQ(read(reader, "wide"), bytes_of(wide));
}

TEST_F(BundleWithTensorFlow, ReadsSeveralShards) {
  BundleReader reader(*folder / "sharded");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(read(reader, "shard" + std::to_string(i)),
              bytes_of(std::vector<float>(4, static_cast<float>(i))));
  }
}

TEST_F(BundleWithTensorFlow, WritesWhatTensorFlowWritesByteForByte) {
  for (std::string name : {"types", "strings", "many"}) {
    rewrite(name, name + "-again");
    for (std::string part : {".index", ".data-00000-of-00001"}) {
      EXPECT_TRUE(slurp(*folder / (name + part)) == slurp(*folder / (name + "-again" + part)))
          << name << part;
    }
  }
}

TEST_F(BundleWithTensorFlow, TensorFlowReadsOurs) {
  EXPECT_THAT(read_by_tensorflow,
              testing::ElementsAre("conv/W/Momentum float32 [3, 0, 2] ",
                                   "fc/W float32 [2, 3] " + hex(bytes_of<float>({1, 2, 3, 4, 5, 6})),
                                   "global_step int64 [] " + hex(bytes_of<int64_t>({1234567890123})),
                                   "half bfloat16 [1] c03f",
                                   "words string [2] " + hex("a|" + std::string(200, 'b'))));
}

TEST(Bundle, StockLevelDbReadsOurIndex) {
  test::TempDir folder;
  BundleWriter writer(folder / "model");
  for (int i = 0; i < 9000; ++i) {
    writer.add("name" + std::to_string(i) + std::string(40, '.'), DataType::kBool, {1}, as_byte_span("\1"));
  }
  writer.finish();
  leveldb::RandomAccessFile* file;
  ASSERT_TRUE(leveldb::Env::Default()->NewRandomAccessFile(folder / "model.index", &file).ok());
  leveldb::Options options;
  options.paranoid_checks = true;
  leveldb::Table* table;
  ASSERT_TRUE(leveldb::Table::Open(options, file, slurp(folder / "model.index").size(), &table).ok());
  std::unique_ptr<leveldb::Iterator> entry(table->NewIterator({}));
  int count = 0;
  for (entry->SeekToFirst(); entry->Valid(); entry->Next()) ++count;
  EXPECT_EQ(count, 9001);
  entry.reset();
  delete table;
  delete file;
}

TEST(Bundle, UnfinishedWriterLeavesNoFile) {
  test::TempDir folder;
  { BundleWriter(folder / "model").add("a", DataType::kInt8, {1}, as_byte_span("x")); }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Bundle, WriterRefusesWrongUse) {
  test::TempDir folder;
  BundleWriter writer(folder / "model");
  writer.add("a", DataType::kInt8, {1}, as_byte_span("x"));
  EXPECT_THROW(writer.add("a", DataType::kInt8, {1}, as_byte_span("x")), UsageError);
  EXPECT_THROW(writer.add("", DataType::kInt8, {1}, as_byte_span("x")), UsageError);
  EXPECT_THROW(writer.add("b", DataType::kInt8, {2}, as_byte_span("x")), UsageError);
  EXPECT_THROW(writer.add_strings("c", {2}, std::vector<std::string>{"x"}), UsageError);
}

TEST(Bundle, WriterNamesTheFileWhenTheFolderIsMissing) {
  std::string message = test::message_of<DataError>([] { BundleWriter("/nonexistent/model"); });
  EXPECT_THAT(message, testing::HasSubstr("/nonexistent/model.data-00000-of-00001"));
  EXPECT_THAT(message, testing::HasSubstr("No such file"));
}

}  // namespace
}  // namespace belfry
