#include "belfry/interchange/saved_model.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/ops.h"
#include "tests/support/export_cases.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

TEST(SavedModelTest, TensorFlowComputesWhatTheSessionComputesForAnyBatchSize) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  const test::TempDir folder;
  std::map<std::string, std::vector<at::Tensor>> expected;
  for (const test::ExportCase& source : test::export_cases()) {
    SCOPED_TRACE(source.name);
    test::BuiltCase built(source);
    const std::string path = folder / source.name;
    ASSERT_NO_THROW(export_frozen_graph(built.session, built.inputs, built.outputs, path + ".pb"));
    ASSERT_NO_THROW(export_saved_model(built.session, built.inputs, built.outputs, path));
    built.save_output_names(path + ".outputs");
    for (int64_t batch : {4, 13}) {
      const auto values = built.random_inputs(batch);
      const std::string stem = fmt::format("{}.{}", path, batch);
      built.save_inputs(stem + ".in.npz", values);
      expected[stem + ".frozen.npz"] = expected[stem + ".saved.npz"] = built.run(values);
    }
  }
  EXPECT_EQ(test::run_python("tests/interchange/run_tensorflow.py", {folder.path()}), "");
  for (const auto& [path, values] : expected) test::expect_results(path, values);
}

TEST(SavedModelTest, VariablesStayVariablesInACheckpointBesideTheGraph) {
  const test::TempDir folder;
  Graph graph;
  GraphScope as_default(graph);
  matmul(placeholder("x", {kDynamic, 3}), get_variable("fc/W", {3, 2}), "y");
  Session session(graph);
  session.initialize_variables();
  export_saved_model(session, {"x"}, {"y"}, folder / "1");
  const auto checkpoint = CheckpointReader::open(folder / "1/variables/variables");
  EXPECT_TRUE(checkpoint->has("fc/W"));
}

TEST(SavedModelTest, APathThatExistsIsKept) {
  const test::TempDir folder;
  Graph graph;
  GraphScope as_default(graph);
  relu(placeholder("x", {kDynamic, 3}), "y");
  Session session(graph);
  export_saved_model(session, {"x"}, {"y"}, folder / "1");
  EXPECT_THAT(message_of<UsageError>([&] { export_saved_model(session, {"x"}, {"y"}, folder / "1"); }),
              HasSubstr("which exists"));
  export_frozen_graph(session, {"x"}, {"y"}, folder / "y.pb");
  EXPECT_THAT(message_of<UsageError>([&] { export_frozen_graph(session, {"x"}, {"y"}, folder / "y.pb"); }),
              HasSubstr("which exists"));
  EXPECT_NO_THROW(export_frozen_graph(session, {"x"}, {"y"}, folder / "y.pb", {.overwrite = true}));
}

TEST(SavedModelTest, AnOperatorWithoutCounterpartIsNamedAndNothingIsLeft) {
  const test::TempDir folder;
  Graph graph;
  GraphScope as_default(graph);
  {
    NameScope scope("tower");
    call("aten::lgamma", {placeholder("x", {kDynamic, 3})}, {}, "strange");
  }
  Session session(graph);
  EXPECT_THAT(message_of<UsageError>(
                  [&] { export_saved_model(session, {"tower/x"}, {"tower/strange"}, folder / "1"); }),
              HasSubstr("node 'tower/strange', operator aten::lgamma, scope 'tower'"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace belfry
