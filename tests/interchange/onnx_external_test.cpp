#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/formats/npz.h"
#include "belfry/formats/onnx.h"
#include "belfry/interchange/onnx.h"
#include "belfry/ops/ops.h"
#include "tests/support/export_cases.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

/// x [N, 30] through two matrices, of which one is small.
test::ExportCase two_matrices() {
  return {"net", {{"x", {kDynamic, 30}}}, [](const test::Tensors& t) -> test::Tensors {
            return {matmul(matmul(t[0], get_variable("large", {30, 40})), get_variable("small", {40, 5}))};
          }};
}

class OnnxExternalTest : public testing::Test {
 protected:
  void write(const OnnxExportOptions& options) {
    export_onnx(built_.session, built_.inputs, built_.outputs, folder_ / "net.onnx", options);
  }
  OnnxModel read_model() {
    const std::string bytes = read_file(FileSystem::posix(), folder_ / "net.onnx", 1 << 24);
    return parse_onnx("net.onnx", as_byte_span(bytes));
  }
  /// What importing the model says, whose first external tensor was changed.
  std::string message_for(const std::function<void(OnnxTensor&)>& change) {
    OnnxModel model = read_model();
    const auto external = std::find_if(model.initializers.begin(), model.initializers.end(),
                                       [](const OnnxTensor& tensor) { return tensor.external.has_value(); });
    change(*external);
    write_file_atomically(FileSystem::posix(), folder_ / "changed.onnx", as_byte_span(serialize_onnx(model)));
    Graph graph;
    GraphScope as_default(graph);
    return message_of<DataError>([&] { import_onnx(folder_ / "changed.onnx"); });
  }

  const test::TempDir folder_;
  test::BuiltCase built_{two_matrices()};
};

TEST_F(OnnxExternalTest, OnlyWeightsOfManyBytesAreKeptBesideTheModel) {
  write({});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "net.onnx.data"));
  write({.overwrite = true, .max_inline_bytes = 1000});
  for (const OnnxTensor& tensor : read_model().initializers) {
    ASSERT_EQ(tensor.external.has_value(), tensor.info.name == "large");
    if (tensor.external) {
      EXPECT_EQ(tensor.external->file, "net.onnx.data");
    }
  }
  EXPECT_EQ(std::filesystem::file_size(folder_ / "net.onnx.data"), 30u * 40 * 4);
}

TEST_F(OnnxExternalTest, OnnxRuntimeFindsTheWeights) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  write({.max_inline_bytes = 1000});
  const auto values = built_.random_inputs(7);
  built_.save_inputs(folder_ / "net.0.in.npz", values);
  EXPECT_EQ(test::run_python("tests/interchange/run_onnx.py", {folder_.path()}), "");
  test::expect_results(folder_ / "net.0.out.npz", built_.run(values));
}

TEST_F(OnnxExternalTest, TheModelComesBack) {
  write({.max_inline_bytes = 1000});
  Graph graph;
  GraphScope as_default(graph);
  const Function imported = import_onnx(folder_ / "net.onnx");
  const auto values = built_.random_inputs(7);
  Session session(graph);
  const at::Tensor result = session.make_callable({imported.inputs[0]}, {imported.outputs[0]})(values).at(0);
  EXPECT_TRUE(result.equal(built_.run(values)[0]));
}

TEST_F(OnnxExternalTest, AFileOfWeightsThatExistsIsKeptUnlessOverwritingIsAskedFor) {
  std::ofstream(folder_ / "net.onnx.data") << "mine";
  EXPECT_THAT(message_of<UsageError>([&] { write({.max_inline_bytes = 1000}); }), HasSubstr("which exists"));
  EXPECT_EQ(std::filesystem::file_size(folder_ / "net.onnx.data"), 4u);
}

TEST_F(OnnxExternalTest, FilesOutsideOfTheFolderAreRefused) {
  write({.max_inline_bytes = 1000});
  const std::string elsewhere = folder_ / "net.onnx.data";
  std::filesystem::create_symlink("/etc/hostname", folder_ / "link");
  for (const std::string file : {"../net.onnx.data", "a/../../b", elsewhere.c_str(), "", "link"}) {
    EXPECT_THAT(message_for([&](OnnxTensor& tensor) { tensor.external->file = file; }),
                HasSubstr("outside of its folder"))
        << file;
  }
}

TEST_F(OnnxExternalTest, BytesThatAreNotThereAreDataErrors) {
  write({.max_inline_bytes = 1000});
  EXPECT_THAT(message_for([](OnnxTensor& tensor) { tensor.external->offset = 1; }),
              HasSubstr("expected 4800 bytes from 1 for the tensor large, got a file of 4800 bytes"));
  EXPECT_THAT(message_for([](OnnxTensor& tensor) { tensor.external->offset = ~uint64_t{0}; }),
              HasSubstr("for the tensor large"));
  EXPECT_THAT(message_for([](OnnxTensor& tensor) { tensor.external->length = 4799; }),
              HasSubstr("has 4799 bytes for the tensor large"));
  EXPECT_THAT(message_for([](OnnxTensor& tensor) { tensor.external->file = "none"; }), HasSubstr("none"));
  EXPECT_THAT(message_for([](OnnxTensor& tensor) {
                tensor.info.shape = {1 << 30, 1 << 30};  // not even asked of the memory
                tensor.external->length = uint64_t{4} << 60;
              }),
              HasSubstr("for the tensor large"));
}

}  // namespace
}  // namespace belfry
