#include "belfry/interchange/graph_file.h"
#include "belfry/inference/freeze.h"
#include "belfry/predict/graph_predictor.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "belfry/base/error.h"
#include "belfry/interchange/internal/graph_file/json.h"
#include "belfry/ops/ops.h"
#include "tests/support/close.h"
#include "tests/support/export_cases.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(GraphFileTest, ALoadedGraphComputesWhatTheSessionComputesForAnyBatchSize) {
  const test::TempDir folder;
  for (const test::ExportCase& source : test::export_cases()) {
    SCOPED_TRACE(source.name);
    test::BuiltCase built(source);
    save_inference_graph(built.session, built.inputs, built.outputs, folder / source.name);
    const GraphPredictor predict = load_inference_graph(folder / source.name);
    for (int64_t batch : {4, 13}) {
      const auto values = built.random_inputs(batch);
      const auto results = predict(values), expected = built.run(values);
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(results[i].scalar_type(), expected[i].scalar_type());
        EXPECT_TRUE(test::close(results[i].to(at::kDouble), expected[i].to(at::kDouble),
                                {.relative = 1e-4, .absolute = 1e-5}));
      }
    }
  }
}

/// relu(x w), with -inf in the place of 0.
class SmallGraphTest : public testing::Test {
 protected:
  SmallGraphTest() {
    GraphScope as_default(graph_);
    const Tensor x = placeholder("x", {kDynamic, 3});
    const Tensor y = relu(matmul(x, get_variable("w", {3, 2})), "hidden");
    where(greater(y, 0), y, -INFINITY, "y");
    session_.initialize_variables();
  }

  /// The message for the graph's JSON with `from` replaced by `to`.
  std::string message_for(const std::string& from, const std::string& to) {
    internal::NamedWeights weights;
    std::string text = internal::write_graph_json(freeze_function("test", session_, {"x"}, {"y"}), weights);
    const size_t at = text.find(from);
    if (at == std::string::npos) return "the graph has no " + from;
    text.replace(at, from.size(), to);
    return message_of<DataError>([&] { internal::read_graph_json("file", text, weights); });
  }

  Graph graph_;
  Session session_{graph_};
};

TEST_F(SmallGraphTest, InputsAndOutputsKeepTheirNamesAndDynamicSizes) {
  const test::TempDir folder;
  save_inference_graph(session_, {"x"}, {"y", "hidden"}, folder / "graph");
  const GraphPredictor predict = load_inference_graph(folder / "graph");
  EXPECT_THAT(predict.input_names(), ElementsAre("x"));
  EXPECT_THAT(predict.output_names(), ElementsAre("y", "hidden"));
  EXPECT_THAT(predict.function().graph->tensor("y").shape(), ElementsAre(kDynamic, 2));
}

TEST_F(SmallGraphTest, ALoadedGraphOutlivesTheOneThatWasSavedAndItsFile) {
  auto load = [&] {
    const test::TempDir folder;
    save_inference_graph(session_, {"x"}, {"y"}, folder / "graph");
    return load_inference_graph(folder / "graph");
  };
  const GraphPredictor predict = load();
  const at::Tensor x = at::ones({2, 3});
  EXPECT_TRUE(at::equal(predict(x)[0], session_.run("y", {{"x", x}})));
}

TEST(GraphFileTest, OutputsOfOneNodeCanBeInputsAndWeights) {
  const test::TempDir folder;
  Graph graph;
  GraphScope as_default(graph);
  const auto fed = split(placeholder("x", {2, 4}), 2, 1), fixed = split(constant(at::ones({2, 4})), 2, 1);
  const Tensor y = add(fed[1], fixed[1], "y");
  Session session(graph);
  save_inference_graph(session, {fed[1]}, {y}, folder / "graph");
  const GraphPredictor predict = load_inference_graph(folder / "graph");
  EXPECT_THAT(predict.input_names(), ElementsAre("split:1"));
  EXPECT_TRUE(at::equal(predict(at::ones({2, 2}))[0], at::full({2, 2}, 2.0F)));
}

TEST_F(SmallGraphTest, AFileThatExistsIsKeptUnlessOverwritingIsAskedFor) {
  const test::TempDir folder;
  const auto save = [&](bool overwrite) {
    save_inference_graph(session_, {"x"}, {"y"}, folder / "graph", {.overwrite = overwrite});
  };
  save(false);
  EXPECT_THAT(message_of<UsageError>([&] { save(false); }), HasSubstr("which exists"));
  EXPECT_NO_THROW(save(true));
}

TEST_F(SmallGraphTest, WhatTheProgramDoesNotKnowIsADataErrorThatNamesIt) {
  EXPECT_THAT(message_for("\"version\":1", "\"version\":2"),
              HasSubstr("expected a graph of version 1, got 2"));
  EXPECT_THAT(message_for("aten::relu", "aten::relux"), HasSubstr("the operator aten::relux"));
  EXPECT_THAT(message_for("\"self\"", "\"selfish\""), HasSubstr("argument 'self' is missing"));
  EXPECT_THAT(message_for("\"tensor\":\"w\"", "\"tensor\":\"v\""), HasSubstr("'v' before it has it"));
  EXPECT_THAT(message_for("float32", "float33"), HasSubstr("the name of a dtype"));
  EXPECT_THAT(message_for("float32", "UNKNOWN_SCALAR"), HasSubstr("the name of a dtype"));
  EXPECT_THAT(message_for("float32", "QInt8"), HasSubstr("the name of a dtype"));
  std::string many = "{\"tensors\":[\"w\"";
  for (int i = 0; i < 65536; ++i) many += ",\"w\"";
  EXPECT_THAT(message_for("{\"tensor\":\"w\"}", many + "]}"), HasSubstr("at most 65536 tensors"));
}

TEST_F(SmallGraphTest, ShapesThatAreNotWhatTheOperatorsGiveAreADataError) {
  EXPECT_THAT(message_for("\"shape\":[-1,2]", "\"shape\":[-1,5]"), HasSubstr("float32 [?, 5]"));
  EXPECT_THAT(message_for("\"shape\":[-1,3]", "\"shape\":[-1,4]"), HasSubstr("matmul"));
  EXPECT_THAT(message_for("\"shape\":[-1,3]", "\"shape\":[-2,3]"), HasSubstr("expected a size"));
}

TEST_F(SmallGraphTest, OnlyOperatorsThatComputeTensorsFromTensorsAreCalled) {
  EXPECT_THAT(message_for("\"op\":\"aten::relu\"", "\"op\":\"aten::relu_\""), HasSubstr("aten::relu_"));
  EXPECT_THAT(message_for("\"op\":\"aten::relu\",\"arguments\":{\"self\":{\"tensor\":\"matmul\"}}",
                          "\"op\":\"aten::from_file\",\"arguments\":{\"filename\":\"secret\",\"size\":4}"),
              HasSubstr("aten::from_file"));
}

// They read memory that is not theirs for sizes or values that are wrong.
TEST_F(SmallGraphTest, OperatorsThatBelfryDoesNotWriteAreRefusedBeforeTheyAreCalled) {
  for (const char* op : {"inductor::_reinterpret_tensor", "aten::ctc_loss.IntList", "aten::segment_reduce",
                         "aten::as_strided", "belfry::fused_conv2d"}) {
    EXPECT_THAT(message_for("\"op\":\"aten::relu\"", fmt::format("\"op\":\"{}\"", op)),
                HasSubstr(fmt::format("expected operators that Belfry's functions make, got {}", op)));
  }
}

TEST_F(SmallGraphTest, TruncatedAndAlteredFilesAreDataErrorsOrGraphs) {
  const test::TempDir folder;
  save_inference_graph(session_, {"x"}, {"y"}, folder / "graph");
  const std::string whole = read_file(FileSystem::posix(), folder / "graph", 1 << 20);
  const auto load = [](std::string bytes) {
    test::FaultFileSystem files;
    files.put("graph", std::move(bytes));
    read_inference_graph("graph", {}, files);
  };
  for (size_t size = 0; size < whole.size(); size += 13) EXPECT_THROW(load(whole.substr(0, size)), DataError);
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::string altered = whole;
    altered[random() % altered.size()] = static_cast<char>(random());
    try {
      load(altered);
    } catch (const DataError&) {
    }
  }
}

TEST(GraphFileTest, WhatTheFuzzTargetMutatesIsAGraph) {
  const std::string json = read_file(FileSystem::posix(), "tests/fuzz/corpus/graph_file/small.json", 1 << 16);
  const auto read = internal::read_graph_json("corpus", json, {{"w", at::ones({3, 2})}});
  EXPECT_THAT(read.outputs.at(0).shape(), ElementsAre(kDynamic, 3));
}

TEST(GraphFileTest, ASafetensorsFileWithoutAGraphIsADataError) {
  test::FaultFileSystem files;
  files.put("weights", std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
  EXPECT_THAT(message_of<DataError>([&] { read_inference_graph("weights", {}, files); }),
              HasSubstr("holds no inference graph"));
}

}  // namespace
}  // namespace belfry
