// What graphs take to be read that make most of their bytes.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/formats/onnx.h"
#include "belfry/graph/graph.h"
#include "belfry/interchange/internal/graph_file/json.h"
#include "belfry/interchange/onnx.h"
#include "tests/support/message_of.h"
#include "tests/support/peak_memory.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::repeated;

constexpr size_t kMiB = 1 << 20;

TEST(WorstFileTest, GraphsTakeMemoryInProportionToTheirJson) {
  const std::string head = R"({"version":1,"inputs":[],"outputs":[],"nodes":[)";
  for (const char* piece : {"{},", "[],", "1,", R"({"":{}},)"}) {
    const std::string json = head + repeated(piece, 4 * kMiB) + "1]}";
    test::expect_memory_in_proportion(piece, json.size(), [&] { internal::read_graph_json("x", json, {}); });
  }
}

/// A model of `count` weights of 1 MiB in a file that is as large as one of them.
class SharedBytesTest : public testing::Test {
 protected:
  void write(int count, uint64_t offset_of_each) {
    OnnxModel model;
    for (int i = 0; i < count; ++i) {
      OnnxTensor tensor{{fmt::format("w{}", i), DataType::kUInt8, {kMiB}}, ""};
      tensor.external = OnnxExternalBytes{"net.data", i * offset_of_each, kMiB};
      model.initializers.push_back(tensor);
    }
    model.outputs.push_back({"w0", DataType::kUInt8, {int64_t{kMiB}}});
    write_file_atomically(FileSystem::posix(), folder_ / "net.onnx", as_byte_span(serialize_onnx(model)));
    write_file_atomically(FileSystem::posix(), folder_ / "net.data",
                          as_byte_span(std::string(kMiB + count * offset_of_each, '\1')));
  }
  void import() {
    Graph graph;
    GraphScope as_default(graph);
    import_onnx(folder_ / "net.onnx");
  }

  test::TempDir folder_;
};

TEST_F(SharedBytesTest, WeightsThatLieInOnePlaceShareItsMemory) {
  write(200, 0);
  test::expect_memory_in_proportion("shared", kMiB, [&] { import(); });
  import();
}

TEST_F(SharedBytesTest, WeightsThatOverlapAreRefused) {
  write(200, 1);
  EXPECT_NE(test::message_of<DataError>([&] { import(); }).find("got w1 that shares some with others"),
            std::string::npos);
}

}  // namespace
}  // namespace belfry
