#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/formats/onnx.h"
#include "belfry/interchange/onnx.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"
#include "tests/support/export_cases.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(OnnxImportTest, AnExportedModelComesBackAsAGraphThatComputesTheSameForAnyBatchSize) {
  const test::TempDir folder;
  for (const test::ExportCase& source : test::export_cases()) {
    SCOPED_TRACE(source.name);
    test::BuiltCase built(source);
    export_onnx(built.session, built.inputs, built.outputs, folder / source.name);
    Graph graph;
    GraphScope as_default(graph);
    Function imported;
    ASSERT_NO_THROW(imported = import_onnx(folder / source.name));
    Session session(graph);
    const Callable run = session.make_callable({imported.inputs.begin(), imported.inputs.end()},
                                               {imported.outputs.begin(), imported.outputs.end()});
    for (int64_t batch : {4, 13}) {
      const auto values = built.random_inputs(batch);
      const auto results = run(values), expected = built.run(values);
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(results[i].scalar_type(), expected[i].scalar_type());
        EXPECT_TRUE(test::close(results[i].to(at::kDouble), expected[i].to(at::kDouble),
                                {.relative = 1e-4, .absolute = 1e-5}))
            << imported.output_names[i];
      }
    }
  }
}

TEST(OnnxImportTest, WhatTheFuzzTargetMutatesIsAModel) {
  Graph graph;
  GraphScope as_default(graph);
  EXPECT_THAT(import_onnx("tests/fuzz/corpus/onnx/small").outputs.at(0).shape(), ElementsAre(kDynamic, 8));
}

/// y = op(x)
class OneNodeModelTest : public testing::Test {
 protected:
  OneNodeModelTest() : default_(graph_) {
    model_.nodes = {{"Relu", "node", {"x"}, {"y"}, {}}};
    model_.inputs = {{"x", DataType::kFloat32, {"x.0", 2}}};
    model_.outputs = {{"y", DataType::kFloat32, {"y.0", 2}}};
  }

  Function import() {
    write_file_atomically(FileSystem::posix(), folder_ / "model", as_byte_span(serialize_onnx(model_)));
    return import_onnx(folder_ / "model");
  }
  std::string message() {
    try {
      import();
    } catch (const DataError& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  const test::TempDir folder_;
  Graph graph_;
  GraphScope default_;
  OnnxModel model_;
};

TEST_F(OneNodeModelTest, InputsAndOutputsKeepTheirNamesAndSizes) {
  const Function imported = import();
  EXPECT_THAT(imported.input_names, ElementsAre("x"));
  EXPECT_THAT(imported.output_names, ElementsAre("y"));
  EXPECT_THAT(imported.outputs[0].shape(), ElementsAre(kDynamic, 2));
}

TEST_F(OneNodeModelTest, NamesOfAnyCharactersAreTaken) {
  model_.nodes = {{"Relu", "/layers.0/relu (1)", {"onnx::x"}, {"y"}, {}}};
  model_.inputs[0].name = "onnx::x";
  EXPECT_THAT(import().input_names, ElementsAre("onnx::x"));
}

TEST_F(OneNodeModelTest, AnUnknownOperatorIsNamed) {
  model_.nodes[0].op = "Bernoulli";
  EXPECT_THAT(message(), HasSubstr("[Bernoulli node] is of an operator that Belfry cannot import"));
}

TEST_F(OneNodeModelTest, AnotherOpsetIsADataError) {
  model_.opset = 12;
  EXPECT_THAT(message(), HasSubstr("expected an ONNX model of opset 13 to 17, got 12"));
}

TEST_F(OneNodeModelTest, ValuesThatAreNotThereOrTwiceAreDataErrors) {
  model_.nodes[0].inputs = {"z"};
  EXPECT_THAT(message(), HasSubstr("'z' is used before it is there"));
  model_.nodes[0].inputs = {};
  EXPECT_THAT(message(), HasSubstr("expected an input 0, got 0 inputs"));
  model_.nodes[0] = {"Relu", "node", {"x"}, {"x"}, {}};
  EXPECT_THAT(message(), HasSubstr("'x' is there twice"));
}

TEST_F(OneNodeModelTest, ShapesAndAttributesThatDoNotFitAreDataErrors) {
  model_.nodes[0] = {"MatMul", "node", {"x", "x"}, {"y"}, {}};
  model_.inputs[0].shape = {3, 2};
  EXPECT_THAT(message(), HasSubstr("[MatMul node]"));
  model_.nodes[0] = {"Softmax", "node", {"x"}, {"y"}, {{"axis", "first"}}};
  EXPECT_THAT(message(), HasSubstr("its attribute axis is of another type"));
}

}  // namespace
}  // namespace belfry
