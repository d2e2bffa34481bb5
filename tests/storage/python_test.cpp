// Files that real tensorpack, h5py, numpy and TensorFlow wrote, and what these find in ours.

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <sstream>

#include "belfry/base/error.h"
#include "belfry/data/storage/hdf5_data.h"
#include "belfry/data/storage/lmdb_serializer.h"
#include "belfry/data/storage/numpy_serializer.h"
#include "belfry/data/storage/shard_serializer.h"
#include "belfry/data/storage/tfrecord_data.h"
#include "belfry/data/storage/tfrecord_serializer.h"
#include "belfry/dataflow/object_component.h"
#include "tests/dataflow/flows.h"
#include "tests/formats/arrays.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

DataFromList three_datapoints() {
  std::vector<Datapoint> list;
  for (int64_t i = 0; i < 3; ++i)
    list.push_back(
        {at::full({2}, i, at::kShort), at::full({}, i, at::kLong), at::full({}, i == 1, at::kBool)});
  return DataFromList(std::move(list));
}

class FilesWithPython : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::python_available()) return;
    folder = new test::TempDir;
    write_ours();
    std::istringstream lines(test::run_python("tests/storage/tensorpack_files.py", {folder->path()}));
    for (std::string line; std::getline(lines, line);) {
      const size_t end = line.find(' ');
      found[line.substr(0, end)].push_back(line.substr(end + 1));
    }
  }
  static void TearDownTestSuite() { delete folder; }
  void SetUp() override {
    if (!folder) GTEST_SKIP() << test::kNoPython;
  }

  static void write_ours() {
    const AnyDataFlow flow = three_datapoints();
    LMDBSerializer::save(flow, *folder / "ours.lmdb");
    std::filesystem::create_directory(*folder / "ours_folder");
    LMDBSerializer::save(flow, *folder / "ours_folder");
    TFRecordSerializer::save(flow, *folder / "ours.tfrecord");
    ShardSerializer::save(flow, *folder / "ours_shards", {.shard_size = 1});
    NumpySerializer::save(flow, *folder / "ours.npz");
    HDF5Serializer::save(flow, *folder / "ours.h5", {"group/images", "labels", "flags"});
  }

  // The twelve datapoints of the script, in their order or sorted back to it.
  static void expect_theirs(DataFlow& flow) {
    EXPECT_EQ(flow.size().value_or(12), 12);
    std::vector<Datapoint> datapoints;
    DataIterator pass = flow.iterator();
    for (Datapoint& datapoint : pass) datapoints.push_back(datapoint);
    std::ranges::sort(datapoints, {}, [](const Datapoint& dp) { return dp.at(1).item<int64_t>(); });
    ASSERT_EQ(datapoints.size(), 12u);
    for (int64_t i = 0; i < 12; ++i) {
      const Datapoint& dp = datapoints[static_cast<size_t>(i)];
      EXPECT_TRUE(at::equal(dp[0], at::arange(i, i + 6, at::kFloat).view({2, 3})));
      EXPECT_EQ(dp[1].item<int64_t>(), i);
      EXPECT_EQ(text(dp[2]), "jpeg");
    }
  }

  static inline test::TempDir* folder = nullptr;
  static inline std::map<std::string, std::vector<std::string>> found;
};

TEST_F(FilesWithPython, TheyReadOurs) {
  const auto expected = ElementsAre("int16 [2] 00000000", "int64 [] 0000000000000000", "bool [] 00",
                                    "int16 [2] 01000100", "int64 [] 0100000000000000", "bool [] 01",
                                    "int16 [2] 02000200", "int64 [] 0200000000000000", "bool [] 00");
  for (const char* file : {"ours.lmdb", "ours_folder", "ours.tfrecord", "ours_shards", "ours.npz", "ours.h5"})
    EXPECT_THAT(found[file], expected) << file;
}

TEST_F(FilesWithPython, WeReadTheirLmdb) {
  for (const char* file : {"theirs.lmdb", "theirs_pickle.lmdb", "theirs_folder"}) {
    for (bool shuffle : {false, true}) {
      LMDBDataDecoder flow = LMDBSerializer::load(*folder / file, {.shuffle = shuffle});
      expect_theirs(flow);
    }
  }
}

TEST_F(FilesWithPython, WeFindTheKeysOfAnyLmdb) {
  LMDBData data(*folder / "theirs_other.lmdb");
  EXPECT_EQ(data.size(), 5);
  std::vector<std::string> entries;
  DataIterator pass = data.iterator();
  for (Datapoint& dp : pass) entries.push_back(text(dp.at(0)) + ": " + text(dp.at(1)));
  EXPECT_THAT(entries, testing::UnorderedElementsAre("key 0: value 0", "key 1: value 1", "key 2: value 2",
                                                     "key 3: value 3", "key 4: value 4"));
}

TEST_F(FilesWithPython, WeReadTheirTFRecords) {
  for (const char* file : {"theirs.tfrecord", "theirs_pickle.tfrecord"})
    expect_theirs(*TFRecordSerializer::load(*folder / file));
}

TEST_F(FilesWithPython, WeReadArraysThatNumpySaved) {
  for (bool shuffle : {false, true})
    expect_theirs(*NumpySerializer::load(*folder / "theirs.npz", {.shuffle = shuffle}));
}

TEST_F(FilesWithPython, WeReadListsThatTensorpackPickled) {
  for (bool shuffle : {false, true})
    expect_theirs(*NumpySerializer::load(*folder / "theirs_pickle.npz", {.shuffle = shuffle}));
  DataIterator pass = NumpySerializer::load(*folder / "theirs_text.npz", {.shuffle = false})->iterator();
  int64_t i = 0;
  for (Datapoint& datapoint : pass) {
    EXPECT_EQ(datapoint[0].item<int64_t>(), i);
    EXPECT_EQ(text_of(datapoint[1]), fmt::format("{}.jpg", i++));
  }
  EXPECT_EQ(i, 5);
}

TEST_F(FilesWithPython, WeReadTheirHdf5) {
  for (bool shuffle : {false, true}) {
    HDF5Data flow =
        HDF5Serializer::load(*folder / "theirs.h5", {"a/b", "label", "jpeg"}, {.shuffle = shuffle});
    expect_theirs(flow);
  }
}

TEST_F(FilesWithPython, Hdf5NumbersOfEveryKindAreRead) {
  const std::pair<const char*, at::ScalarType> types[] = {
      {"float16", at::kHalf},  {"float32", at::kFloat}, {"float64", at::kDouble}, {"int8", at::kChar},
      {"int16", at::kShort},   {"int32", at::kInt},     {"int64", at::kLong},     {"uint8", at::kByte},
      {"uint16", at::kUInt16}, {"uint32", at::kUInt32}, {"uint64", at::kUInt64},  {"bool", at::kBool},
      {">i4", at::kInt},       {">f8", at::kDouble},
  };
  for (const auto& [name, type] : types) {
    HDF5Data flow(*folder / "theirs_types.h5", {name}, {.shuffle = false});
    DataIterator pass = flow.iterator();
    pass.next();
    const at::Tensor second = pass.next()->at(0);
    EXPECT_EQ(second.scalar_type(), type) << name;
    const std::vector<double> expected = type == at::kBool ? std::vector{1., 1.} : std::vector{2., 3.};
    EXPECT_EQ(second[0].item<double>(), expected[0]) << name;
    EXPECT_EQ(second[1].item<double>(), expected[1]) << name;
  }
  EXPECT_EQ(HDF5Data(*folder / "theirs_types.h5", {"packed"}).size(), 100);
}

TEST_F(FilesWithPython, Hdf5DatasetsThatAreNoRowsOfNumbersAreErrors) {
  const std::pair<const char*, const char*> cases[] = {
      {"words", "[dataset words]: expected numbers"},
      {"scalar", "[dataset scalar]: expected rows, got a scalar"},
      {"unwritten", "expected the values of [1099511627776], got 0 bytes that cannot hold them"},
      {"nothing", "[dataset nothing]: cannot open it: "},
  };
  for (auto [name, message] : cases) {
    EXPECT_THAT(message_of<DataError>([&] { HDF5Data(*folder / "theirs_types.h5", {name}); }),
                HasSubstr(message));
  }
}

TEST_F(FilesWithPython, ExamplesBecomeDatapoints) {
  TFRecordData flow({*folder / "theirs_examples.tfrecord"},
                    {{.name = "image", .dtype = at::kByte},
                     {.name = "label", .dtype = at::kLong, .shape = std::vector<int64_t>{}},
                     {.name = "box", .dtype = at::kFloat},
                     {.name = "weight", .dtype = at::kFloat, .default_value = at::full({}, 1.0)}});
  DataIterator pass = flow.iterator_at({.index = 2});
  const Datapoint third = *pass.next();
  EXPECT_EQ(text(third.at(0)), std::string("\xff\xd8\2"));
  EXPECT_EQ(third.at(1).dim(), 0);
  EXPECT_EQ(third[1].item<int64_t>(), 2);
  EXPECT_EQ(third.at(2)[0].item<double>(), 2.5);
  EXPECT_EQ(third.at(2)[1].item<double>(), 2);
  EXPECT_EQ(third.at(3).item<double>(), 1);
  EXPECT_TRUE(pass.next());
  EXPECT_FALSE(pass.next());
}

TEST_F(FilesWithPython, ExamplesThatAreNotAsAskedAreErrorsThatSayWhere) {
  const std::string file = *folder / "theirs_examples.tfrecord";
  const std::pair<TFRecordFeature, const char*> cases[] = {
      {{.name = "size"}, "record at byte 0, feature size: expected a value, got none"},
      {{.name = "box"}, "feature box: expected integers, got floats"},
      {{.name = "label", .dtype = at::kByte}, "feature label: expected bytes, got integers"},
      {{.name = "box", .dtype = at::kFloat, .shape = std::vector<int64_t>{3}},
       "feature box: expected the values of a tensor [3], got 2"},
  };
  for (const auto& [feature, message] : cases) {
    TFRecordData flow({file}, {feature});
    EXPECT_THAT(message_of<DataError>([&] { flow.iterator().next(); }),
                testing::AllOf(testing::StartsWith(file), HasSubstr(message)));
  }
}

}  // namespace
}  // namespace belfry
