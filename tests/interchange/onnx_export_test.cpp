#include "belfry/interchange/onnx.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/formats/onnx.h"
#include "belfry/graph/scope.h"
#include "belfry/inference/freeze.h"
#include "belfry/ops/ops.h"
#include "tests/support/export_cases.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

TEST(OnnxExportTest, OnnxRuntimeComputesWhatTheSessionComputesForAnyBatchSize) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  const test::TempDir folder;
  std::map<std::string, std::vector<at::Tensor>> expected;
  for (const test::ExportCase& source : test::export_cases()) {
    test::BuiltCase built(source);
    SCOPED_TRACE(source.name);
    ASSERT_NO_THROW(
        export_onnx(built.session, built.inputs, built.outputs, folder / (source.name + ".onnx")));
    for (int64_t batch : {4, 13}) {
      const auto values = built.random_inputs(batch);
      const std::string stem = folder / fmt::format("{}.{}", source.name, batch);
      built.save_inputs(stem + ".in.npz", values);
      expected[stem + ".out.npz"] = built.run(values);
    }
  }
  EXPECT_EQ(test::run_python("tests/interchange/run_onnx.py", {folder.path()}), "");
  for (const auto& [path, values] : expected) {
    SCOPED_TRACE(path);
    test::expect_results(path, values);
  }
}

/// x [N, 8, 8, 3] through two convolutions and a sum.
struct SmallNet {
  SmallNet() {
    GraphScope as_default(graph);
    const Tensor x = placeholder("x", {kDynamic, 8, 8, 3});
    const Tensor w = get_variable("w", {3, 3, 3, 3});
    Tensor y = relu(conv2d(x, w) + 1);
    y = relu(conv2d(y, w) + y);
    identity(y, "y");
    session.initialize_variables();
  }
  Graph graph;
  Session session{graph};
};

OnnxModel read_model(const std::string& path) {
  const std::string bytes = read_file(FileSystem::posix(), path, 1 << 24);
  return parse_onnx(path, as_byte_span(bytes));
}

TEST(OnnxExportTest, ImagesAreTransposedOnlyAtTheEnds) {
  const test::TempDir folder;
  SmallNet net;
  export_onnx(net.session, {"x"}, {"y"}, folder / "net.onnx");
  const OnnxModel model = read_model(folder / "net.onnx");
  EXPECT_EQ(std::count_if(model.nodes.begin(), model.nodes.end(),
                          [](const OnnxNode& node) { return node.op == "Transpose"; }),
            2);
}

TEST(OnnxExportTest, InputsAndOutputsAreNamedAsTensorsAndKeepDynamicSizes) {
  const test::TempDir folder;
  SmallNet net;
  export_onnx(net.session, {"x"}, {"y"}, folder / "net.onnx");
  const OnnxModel model = read_model(folder / "net.onnx");
  EXPECT_EQ(model.inputs.at(0).name, "x");
  EXPECT_EQ(model.inputs[0].shape, (std::vector<OnnxValue::Size>{"x.0", 8, 8, 3}));
  EXPECT_EQ(model.outputs.at(0).name, "y");
  EXPECT_EQ(model.outputs[0].shape, (std::vector<OnnxValue::Size>{"y.0", 8, 8, 3}));
}

TEST(OnnxExportTest, AFileThatExistsIsKeptUnlessOverwritingIsAskedFor) {
  const test::TempDir folder;
  SmallNet net;
  const auto write = [&](bool overwrite) {
    export_onnx(net.session, {"x"}, {"y"}, folder / "net.onnx", {.overwrite = overwrite});
  };
  write(false);
  EXPECT_THAT(message_of<UsageError>([&] { write(false); }), HasSubstr("which exists"));
  EXPECT_NO_THROW(write(true));
}

TEST(OnnxExportTest, AnOperatorWithoutCounterpartIsNamedWithItsNodeAndScope) {
  const test::TempDir folder;
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = placeholder("x", {kDynamic, 3});
  {
    NameScope scope("tower");
    call("aten::lgamma", {x}, {}, "strange");
  }
  Session session(graph);
  const std::string message =
      message_of<UsageError>([&] { export_onnx(session, {"x"}, {"tower/strange"}, folder / "x.onnx"); });
  EXPECT_THAT(message, HasSubstr("node 'tower/strange', operator aten::lgamma, scope 'tower'"));
  EXPECT_FALSE(std::filesystem::exists(folder / "x.onnx"));
}

TEST(FreezeTest, WhatIsNoInferenceIsAnError) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = placeholder("x", {3}), other = placeholder("other", {3});
  const Tensor noise = random_normal_like(x), sum = x + other;
  Session session(graph);
  const auto message = [&](const std::vector<Fetch>& inputs, const Tensor& output) {
    return message_of<UsageError>([&] { freeze_function("export", session, inputs, {output}); });
  };
  EXPECT_THAT(message({x}, noise), HasSubstr("draws random numbers"));
  EXPECT_THAT(message({x}, sum), HasSubstr("node 'other'"));
  EXPECT_THAT(message({x, x}, x), HasSubstr("twice"));
}

}  // namespace
}  // namespace belfry
