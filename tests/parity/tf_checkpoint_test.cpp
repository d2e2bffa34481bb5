#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/saver.h"
#include "belfry/graph/graph.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

constexpr const char* kScript = "tests/parity/tf_checkpoint.py";

/// A line of the script's manifest.
struct Expected {
  std::string checkpoint, name, dtype;
  Shape shape;
  std::vector<uint8_t> bytes;
};

std::vector<Expected> read_manifest(const std::string& path) {
  std::vector<Expected> result;
  std::ifstream file(path);
  for (std::string line, sizes, hex; std::getline(file, line);) {
    std::istringstream fields(line);
    Expected e;
    for (std::string* field : {&e.checkpoint, &e.name, &e.dtype, &sizes, &hex}) {
      field->clear();
      std::getline(fields, *field, '\t');
    }
    std::istringstream numbers(sizes);
    for (std::string size; std::getline(numbers, size, ',');) e.shape.push_back(std::stoll(size));
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
      e.bytes.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    result.push_back(std::move(e));
  }
  return result;
}

class TensorFlowCheckpoint : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
    test::run_python(kScript, {"write", dir.path()});
    manifest = read_manifest(dir / "manifest");
  }

  test::TempDir dir;
  std::vector<Expected> manifest;
};

TEST_F(TensorFlowCheckpoint, IsReadBitForBit) {
  ASSERT_GT(manifest.size(), 90u);
  std::map<std::string, std::unique_ptr<CheckpointReader>> readers;
  for (const Expected& expected : manifest) {
    auto& reader = readers[expected.checkpoint];
    if (!reader) reader = CheckpointReader::open(dir / expected.checkpoint);
    const at::Tensor value = reader->tensor(expected.name);
    EXPECT_EQ(to_string(value.scalar_type()), expected.dtype) << expected.name;
    EXPECT_EQ(value.sizes().vec(), expected.shape) << expected.name;
    ASSERT_EQ(value.nbytes(), expected.bytes.size()) << expected.name;
    EXPECT_EQ(std::memcmp(value.data_ptr(), expected.bytes.data(), value.nbytes()), 0) << expected.name;
  }
}

TEST_F(TensorFlowCheckpoint, OfBelfryIsReadByTensorFlowInBothWays) {
  save_checkpoint(dir / "ours", load_checkpoint(dir / "dtypes"));
  save_checkpoint(dir / "ours", load_checkpoint(dir / "dtypes"));  // over an existing one
  std::ofstream(dir / "dtypes_manifest") << [&] {
    std::ifstream all(dir / "manifest");
    std::string text;
    for (std::string line; std::getline(all, line);) {
      if (line.starts_with("dtypes\t")) text += line + "\n";
    }
    return text;
  }();
  EXPECT_EQ(test::run_python(kScript, {"verify", dir / "ours", dir / "dtypes_manifest"}), "ok 90\n");
}

TEST_F(TensorFlowCheckpoint, GoesThroughVariablesOfASessionUnchanged) {
  const auto tensors = load_checkpoint(dir / "dtypes");
  Graph graph;
  GraphScope as_default(graph);
  Session session(graph);
  for (const Expected& e : manifest) {
    if (e.checkpoint != "dtypes" || e.dtype == "uint16" || e.dtype == "uint32" || e.dtype == "uint64")
      continue;
    const at::Tensor& value = tensors.at(e.name);
    get_variable(e.name, e.shape, {.dtype = value.scalar_type(), .trainable = false});
  }
  Saver saver;
  saver.restore(session, dir / "dtypes");
  const std::string path = saver.save(session, dir / "model", {.global_step = 3});
  const auto again = load_checkpoint(path);
  for (const auto& [name, value] : again) {
    EXPECT_EQ(std::memcmp(value.data_ptr(), tensors.at(name).data_ptr(), value.nbytes()), 0) << name;
  }
  EXPECT_EQ(again.size(), 12u * 6u);
}

}  // namespace
}  // namespace belfry
