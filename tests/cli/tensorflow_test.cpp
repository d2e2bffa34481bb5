#include <sstream>

#include "tests/cli/fixture.h"
#include "tests/support/python.h"

namespace belfry {
namespace {

using testing::HasSubstr;

constexpr const char* kScript = "tests/cli/tensorflow.py";

class TensorFlowCli : public test::CliTest {
 protected:
  void SetUp() override {
    if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
    test::run_python(kScript, {"write", dir.path()});
  }
};

/// "name dtype shape" of each line of `belfry ls`.
std::string first_columns(const std::string& listing) {
  std::istringstream lines(listing);
  std::string result, line;
  std::getline(lines, line);  // the head
  while (std::getline(lines, line) && !line.starts_with("total: ")) {
    std::istringstream words(line);
    std::string name, dtype, shape;
    words >> name >> dtype >> shape;
    result += name + " " + dtype + " " + shape + "\n";
  }
  return result;
}

TEST_F(TensorFlowCli, ListsWhatTensorFlowLists) {
  for (const char* prefix : {"model-2", "objects-1"}) {
    EXPECT_EQ(first_columns(belfry({"ls", prefix, "--stats"}).out),
              test::run_python(kScript, {"list", dir / prefix}));
  }
}

TEST_F(TensorFlowCli, TensorFlowReadsWhatWentThroughOtherFormats) {
  EXPECT_EQ(belfry({"convert", "model-2", "a.npz"}).code, 0);
  EXPECT_EQ(belfry({"convert", "a.npz", "a.safetensors"}).code, 0);
  EXPECT_EQ(belfry({"convert", "a.safetensors", "back"}).code, 0);
  EXPECT_NO_THROW(test::run_python(kScript, {"same", dir / "model-2", dir / "back"}));
}

TEST_F(TensorFlowCli, DropsTheSlotsOfItsOptimizers) {
  EXPECT_EQ(belfry({"convert", "model-2", "clean", "--drop-slots"}).code, 0);
  EXPECT_EQ(test::run_python(kScript, {"list", dir / "clean"}), "fc0/W float32 [5,3]\nfc0/flags bool [2]\n");
}

TEST_F(TensorFlowCli, AveragesAsNumpyDoes) {
  EXPECT_EQ(belfry({"average", "model-1", "model-2", "-o", "out"}).code, 0);
  const auto result = belfry({"diff", "out", "average.npz"});
  EXPECT_EQ(result.code, 0) << result.out;
  EXPECT_EQ(belfry({"diff", "out", "model-2"}).code, 1);
}

TEST_F(TensorFlowCli, LeavesStringsOutAndSaysSo) {
  const auto converted = belfry({"convert", "objects-1", "a.safetensors"});
  EXPECT_EQ(converted.code, 0);
  EXPECT_THAT(converted.err, test::one_line("belfry convert", "_CHECKPOINTABLE_OBJECT_GRAPH"));
  const auto compared = belfry({"diff", "objects-1", "objects-1"});
  EXPECT_EQ(compared.code, 0);
  EXPECT_THAT(compared.out, HasSubstr("not-compared _CHECKPOINTABLE_OBJECT_GRAPH string []\n"));
}

}  // namespace
}  // namespace belfry
