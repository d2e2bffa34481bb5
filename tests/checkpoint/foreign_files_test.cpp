#include <filesystem>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/restore.h"
#include "tests/checkpoint/fixture.h"
#include "tests/formats/arrays.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"

// Files of numpy's and Caffe's, and what tensorpack reads in them: foreign_files.py.

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

class ForeignFiles : public test::CheckpointTest {
 protected:
  static void SetUpTestSuite() {
    if (!test::python_available()) return;
    folder = new test::TempDir;
    test::run_python("tests/checkpoint/foreign_files.py", {folder->path()});
  }
  static void TearDownTestSuite() { delete folder; }
  void SetUp() override {
    if (!folder) GTEST_SKIP() << test::kNoPython;
  }

  static std::string file(const std::string& name) { return *folder / name; }
  static void expect_same(const std::string& ours, const std::string& theirs) {
    const auto actual = load_checkpoint(file(ours)), expected = load_checkpoint(file(theirs));
    for (const auto& [name, value] : expected) {
      ASSERT_TRUE(actual.contains(name)) << name;
      EXPECT_EQ(actual.at(name).scalar_type(), value.scalar_type()) << name;
      EXPECT_TRUE(at::equal(actual.at(name), value)) << name;
    }
    EXPECT_EQ(actual.size(), expected.size());
  }

  static inline test::TempDir* folder = nullptr;
};

TEST_F(ForeignFiles, ReadsADictThatNumpyHasPickled) {
  expect_same("dict.npy", "dict.npz");
  EXPECT_EQ(CheckpointReader::open(file("dict.npy"))->find("text")->stored_dtype, "str");
  EXPECT_THAT(message_of<DataError>([] { load_checkpoint(file("array.npy")); }),
              HasSubstr("array.npy: expected a pickled dict of arrays, got an array"));
  EXPECT_THAT(message_of<DataError>([] { load_checkpoint(file("list.npy")); }), HasSubstr("got list"));
}

TEST_F(ForeignFiles, SmartInitTakesThem) {
  variable("conv1/W", {3, 3, 1, 2});
  SmartInit(file("dict.npy")).init(session);
  EXPECT_TRUE(at::equal(session.value(Variable(graph.find_variable("conv1/W"))),
                        load_checkpoint(file("dict.npz")).at("conv1/W")));
}

TEST_F(ForeignFiles, ReadsCaffesModelsAsTensorpackDoes) {
  expect_same("net.caffemodel", "net.npz");
  expect_same("v1.caffemodel", "v1.npz");
  EXPECT_THAT(message_of<DataError>([] { load_checkpoint(file("oblong.caffemodel")); }),
              HasSubstr("[layer fc] expected square pictures of 4 channels as input, got 24 values"));
}

TEST_F(ForeignFiles, DamagedModelsOfCaffesAreErrors) {
  const std::string good = test::slurp(file("net.caffemodel"));
  for (size_t size = 0; size < good.size(); size += 97) {
    test::spit(dir / "cut.caffemodel", good.substr(0, size));
    try {
      load_checkpoint(dir / "cut.caffemodel");
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("cut.caffemodel"));
    }
  }
  test::spit(dir / "cut.caffemodel", good.substr(0, good.size() / 2));
  EXPECT_THROW(load_checkpoint(dir / "cut.caffemodel"), DataError);
  for (size_t at = 0; at < good.size(); at += 61) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x41);
    test::spit(dir / "flipped.caffemodel", flipped);
    try {
      load_checkpoint(dir / "flipped.caffemodel");
    } catch (const DataError&) {
    }
  }
}

}  // namespace
}  // namespace belfry
