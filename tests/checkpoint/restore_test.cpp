#include "belfry/checkpoint/restore.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <filesystem>
#include <fstream>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/dump_session_params.h"
#include "belfry/checkpoint/variable_names.h"
#include "belfry/ops/initializers.h"
#include "tests/checkpoint/fixture.h"

namespace belfry {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Restore = test::CheckpointTest;

at::Tensor filled(const Shape& shape, double value, DType dtype = kFloat32) {
  return at::full(shape, value, dtype);
}

TEST_F(Restore, SetsTheVariablesThatTheFileHas) {
  save_checkpoint(dir / "model-7", {{"W", filled({2, 3}, 5)}, {"step", filled({}, 7, kInt64)}});
  variable("W", {2, 3}), variable("step", {}, 0, kInt64);
  SaverRestore(dir / "model-7").init(session);
  EXPECT_EQ(get("W"), 5);
  EXPECT_EQ(get("step"), 7);
  EXPECT_THAT(warnings, ElementsAre());
}

TEST_F(Restore, ReportsOnceWhatIsOnlyInTheGraphAndWhatIsOnlyInTheFile) {
  save_checkpoint(dir / "model-7", {{"W", filled({2}, 5)},
                                    {"old/W", filled({2}, 5)},
                                    {"old/b", filled({2}, 5)},
                                    {"W/Momentum", filled({2}, 5)},
                                    {"global_step", filled({}, 5)}});
  variable("W", {2}), variable("new/W", {2}, 3), variable("new/W/Adam", {2}, 3);
  SaverRestore(dir / "model-7").init(session);
  EXPECT_EQ(get("new/W"), 3);
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("graph"), HasSubstr("new/W"), Not(HasSubstr("Adam"))),
                                    AllOf(HasSubstr("model-7"), HasSubstr("old/W, old/b"),
                                          Not(HasSubstr("Momentum")), Not(HasSubstr("global_step")))));
}

TEST_F(Restore, ChangesNothingWhenOneVariableDoesNotFit) {
  save_checkpoint(dir / "model-7",
                  {{"a", filled({2}, 5)}, {"b", filled({4, 2}, 5)}, {"c", filled({3}, 5, kInt32)}});
  variable("a", {2}, 1), variable("b", {2, 4}, 1), variable("c", {3}, 1);
  const SaverRestore restore(dir / "model-7");
  EXPECT_THROW_WITH(restore.init(session), UsageError, "'b' is float32 [2, 4], the file has float32 [4, 2]");
  EXPECT_THROW_WITH(restore.init(session), UsageError, "'c' is float32 [3], the file has int32 [3]");
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(get(name), 1) << name;
}

TEST_F(Restore, ChangesNothingWhenTheLastTensorIsDamaged) {
  save_checkpoint(dir / "model-7", {{"a", filled({2}, 5)}, {"b", filled({2}, 5)}});
  std::fstream(dir / "model-7.data-00000-of-00001").seekp(12).put('!');
  variable("a", {2}, 1), variable("b", {2}, 1);
  EXPECT_THROW_WITH(SaverRestore(dir / "model-7").init(session), DataError, "[tensor b]");
  EXPECT_EQ(get("a"), 1);
}

TEST_F(Restore, ADamagedNewestOfAFolderIsPassedOverForTheOneBefore) {
  save_checkpoint(dir / "model-7", {{"a", filled({2}, 7)}});
  save_checkpoint(dir / "model-8", {{"a", filled({2}, 8)}});
  std::fstream(dir / "model-8.data-00000-of-00001").seekp(1).put('!');
  variable("a", {2});
  SaverRestore(dir.path()).init(session);
  EXPECT_EQ(get("a"), 7);
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("model-7"), HasSubstr("[tensor a]"))));
  EXPECT_THROW_WITH(SaverRestore(dir / "model-8").init(session), DataError, "model-8");
}

TEST_F(Restore, PutsAPrefixInFrontOfTheNamesInTheFile) {
  save_checkpoint(dir / "model-7", {{"W", filled({2}, 5)}});
  variable("teacher/W", {2}), variable("teacherW", {2}, 1);
  SaverRestore(dir / "model-7", {.prefix = "teacher"}).init(session);
  EXPECT_EQ(get("teacher/W"), 5);
  EXPECT_EQ(get("teacherW"), 1);
}

TEST_F(Restore, LeavesOutWhatIsToBeIgnored) {
  save_checkpoint(dir / "model-7", {{"W", filled({2}, 5)}, {"rate", filled({9}, 5)}});
  variable("W", {2}), variable("rate", {}, 1);
  SaverRestore(dir / "model-7", {.ignore = {"rate:0"}}).init(session);
  EXPECT_EQ(get("W"), 5);
  EXPECT_EQ(get("rate"), 1);
  EXPECT_THAT(warnings, ElementsAre());
}

struct Conversion {
  DType from, to;
  bool allowed;
};

TEST_F(Restore, RelaxedCastsFloatsFreelyAndIntegersOnlyToWiderOnes) {
  const Conversion table[] = {
      {kFloat32, kFloat16, true}, {kBFloat16, kFloat64, true},  {kInt32, kInt64, true},
      {kUInt8, kInt16, true},     {kInt64, kInt32, false},      {kInt8, kUInt8, false},
      {kUInt8, kInt8, false},     {kInt32, kFloat32, false},    {kFloat32, kInt32, false},
      {kBool, kInt32, false},     {kComplex64, kFloat32, false}};
  for (auto [from, to, allowed] : table) {
    const std::string name = to_string(from) + "_to_" + to_string(to);
    variable(name, {2}, 0, to);
    save_checkpoint(dir / name, {{name, filled({2}, 1, from)}});
    SaverRestoreRelaxed(dir / name).init(session);
    EXPECT_EQ(get(name), allowed ? 1 : 0) << name;
    EXPECT_THAT(warnings.front(), HasSubstr(allowed ? "cast" : "left as it is")) << name;
    warnings.clear();
  }
}

TEST_F(Restore, RelaxedReshapesValuesOfAsManyElementsAndSkipsOthers) {
  save_checkpoint(dir / "model-7", {{"a", filled({1, 6}, 5)}, {"b", filled({5}, 5)}});
  variable("a", {2, 3}), variable("b", {6}, 1);
  SaverRestoreRelaxed(dir / "model-7").init(session);
  EXPECT_EQ(get("a"), 5);
  EXPECT_EQ(get("b"), 1);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("reshaped"), HasSubstr("left as it is")));
}

TEST_F(Restore, FromADictionaryWithEitherFormOfName) {
  variable("a", {2}), variable("b", {2});
  DictRestore({{"a:0", filled({2}, 5)}, {"b", filled({2}, 6, kFloat64)}}).init(session);
  EXPECT_EQ(get("a"), 5);
  EXPECT_EQ(get("b"), 6);
}

TEST_F(Restore, ADictionaryThatDoesNotFitIsAnErrorUnlessMismatchesAreIgnored) {
  variable("a", {2}, 1), variable("b", {2}, 1);
  const std::map<std::string, at::Tensor> values = {{"a", filled({3}, 5)}, {"b", filled({2}, 5)}};
  EXPECT_THROW_WITH(DictRestore(values).init(session), UsageError, "[3]");
  EXPECT_EQ(get("b"), 1);
  DictRestore(values, {.ignore_mismatch = true}).init(session);
  EXPECT_EQ(get("a"), 1);
  EXPECT_EQ(get("b"), 5);
}

TEST_F(Restore, AChainRunsOneAfterTheOther) {
  save_checkpoint(dir / "model-7", {{"a", filled({2}, 5)}, {"b", filled({2}, 5)}});
  variable("a", {2}), variable("b", {2});
  ChainInit({SaverRestore(dir / "model-7"), DictRestore({{"b", filled({2}, 6)}}), nullptr}).init(session);
  EXPECT_EQ(get("a"), 5);
  EXPECT_EQ(get("b"), 6);
}

TEST_F(Restore, AChainKeepsWhatCameBeforeALinkThatFails) {
  variable("a", {2}), variable("b", {2}), variable("c", {2});
  const ChainInit chain(
      {DictRestore({{"a", filled({2}, 5)}}), DictRestore({{"b", filled({2}, 6)}, {"c", filled({3}, 6)}})});
  EXPECT_THROW_WITH(chain.init(session), UsageError, "'c'");
  EXPECT_EQ(get("a"), 5);
  EXPECT_EQ(get("b"), 0);
}

TEST_F(Restore, ADictionaryIsOnlyRead) {
  variable("mask", {3}, 0, kBool);
  const at::Tensor bytes = filled({3}, 2, kUInt8);
  DictRestore({{"mask", bytes.view(kBool)}}).init(session);
  EXPECT_TRUE(bytes.eq(2).all().item<bool>());
  EXPECT_TRUE(session.value(Variable(graph.find_variable("mask"))).view(kUInt8).eq(1).all().item<bool>());
}

TEST_F(Restore, SmartInitPassesOverAListedNewestWithoutIndex) {
  save_checkpoint(dir / "model-7", {{"a", filled({2}, 7)}});
  std::ofstream(dir / "checkpoint") << "model_checkpoint_path: \"model-8\"\n"
                                       "all_model_checkpoint_paths: \"model-7\"\n"
                                       "all_model_checkpoint_paths: \"model-8\"\n";
  variable("a", {2});
  SmartInit(dir.path()).init(session);
  EXPECT_EQ(get("a"), 7);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("model-8"), HasSubstr("model-7")));
}

TEST_F(Restore, SmartInitTakesWhateverThereIs) {
  variable("a", {2});
  double value = 1;
  for (const char* name : {"model-7", "model.npz", "model.safetensors"}) {
    save_checkpoint(dir / name, {{"a", filled({2}, value)}});
    SmartInit(dir / name).init(session);
    EXPECT_EQ(get("a"), value++) << name;
  }
  SmartInit({{"a", filled({2}, 9)}}).init(session);
  EXPECT_EQ(get("a"), 9);
  SmartInit("").init(session);
  EXPECT_EQ(get("a"), 9);
  EXPECT_THROW_WITH(SmartInit(dir / "nothing"), DataError, "nothing");
}

TEST_F(Restore, SmartInitIgnoresMismatchesWhenAsked) {
  save_checkpoint(dir / "model-7", {{"a", filled({3}, 5)}});
  variable("a", {2}, 1);
  EXPECT_THROW_WITH(SmartInit(dir / "model-7").init(session), UsageError, "[3]");
  SmartInit(dir / "model-7", {.ignore_mismatch = true}).init(session);
  EXPECT_EQ(get("a"), 1);
}

TEST(VariableNames, TrainingNamesAreThoseThatInferenceDoesNotMiss) {
  for (const char* name : {"conv0/W/Momentum", "W/Adam_1:0", "EMA/loss", "x/EMA/y", "AccumGrad/counter",
                           "apply_gradients/beta1_power", "beta2_power", "global_step:0", "W/RMSProp_1",
                           "W/AdamW_1", "W/LARSOptimizer", "W/ExponentialMovingAverage"}) {
    EXPECT_TRUE(is_training_name(name)) << name;
  }
  for (const char* name : {"conv0/W", "bn0/mean/EMA", "bn0/variance/EMA:0", "AdamW", "step"}) {
    EXPECT_FALSE(is_training_name(name)) << name;
  }
}

TEST_F(Restore, SmartInitOfSeveralPathsRestoresEach) {
  save_checkpoint(dir / "a.npz", {{"a", filled({2}, 5)}, {"b", filled({2}, 6)}});
  save_checkpoint(dir / "model-7", {{"b", filled({2}, 7)}});
  variable("a", {2}), variable("b", {2});
  SmartInit({dir / "a.npz", dir / "model-7"}).init(session);
  EXPECT_EQ(get("a"), 5);
  EXPECT_EQ(get("b"), 7);
  SmartInit(std::vector<std::string>{dir / "a.npz", ""}).init(session);
  EXPECT_EQ(get("b"), 6);
}

TEST_F(Restore, DumpedParamsHoldWhatPredictionNeeds) {
  variable("W", {2}, 3);
  const VariableOptions of_the_model{.initializer = constant_initializer(4),
                                     .trainable = false,
                                     .collections = {kGlobalVariables, kModelVariables}};
  get_variable("bn/mean/EMA", {2}, of_the_model);
  get_variable("global_step", {}, {.dtype = kInt64, .trainable = false});
  Session session(graph);
  session.initialize_variables();
  Graph empty_graph;
  dump_session_params(session, dir / "params.npz");
  const auto saved = load_checkpoint(dir / "params.npz");
  EXPECT_EQ(saved.size(), 2u);
  EXPECT_EQ(saved.at("bn/mean/EMA")[0].item<float>(), 4);
  EXPECT_THROW_WITH(dump_session_params(Session(empty_graph), dir / "x.npz"), UsageError,
                    "expected trainable");
}

}  // namespace
}  // namespace belfry
