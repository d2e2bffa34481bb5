// What the mistakes that users make are answered with: one tiny program each, the kind of the error, and what
// it must say of who, expected and given.

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/model_desc.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"
#include "belfry/predict/online_predictor.h"
#include "belfry/runtime/session.h"

namespace belfry {
namespace {

struct Misuse {
  std::string name;
  std::function<void(Graph&)> program;
  std::vector<std::string> says;
};

void PrintTo(const Misuse& misuse, std::ostream* out) {
  *out << misuse.name;
}

Tensor image() {
  return placeholder("image", {kDynamic, 28, 28, 1});
}
at::Tensor zeros_of_nothing() {
  return {};
}
Tensor of_another_graph() {
  static auto* other = new Graph;
  GraphScope scope(*other);
  return placeholder("there", {2});
}

std::vector<Misuse> building() {
  return {
      {"WrongShape",
       [](Graph&) {
         matmul(placeholder("x", {kDynamic, 4}), placeholder("w", {5, 6}), "logits");
       },
       {"[aten::matmul logits]", "x:0 float32 [?, 4]", "w:0 float32 [5, 6]"}},
      {"WrongShapeOfAConvolution",
       [](Graph&) {
         Conv2D("conv0", placeholder("x", {32, 784}), {.filters = 8, .kernel = 3});
       },
       {"conv0", "[32, 784]"}},
      {"WrongDtype",
       [](Graph&) {
         call("aten::embedding", {placeholder("table", {9, 4}), placeholder("ids", {2})});
       },
       {"[aten::embedding embedding]", "integer ids", "Float"}},
      {"UnknownOperator",
       [](Graph&) { call("aten::no_such_thing", {image()}); },
       {"[aten::no_such_thing no_such_thing]", "the name of an operator"}},
      {"UnknownArgument",
       [](Graph&) {
         call("aten::gelu", {image()}, {{"approximation", "tanh"}}, "act");
       },
       {"[aten::gelu act]", "no argument 'approximation'", "str approximate"}},
      {"WrongArgument",
       [](Graph&) {
         NameScope scope("block");
         call("aten::gelu", {image()}, {{"approximate", 1}}, "act");
       },
       {"[aten::gelu block/act]", "'approximate' wants str"}},
      {"TooManyTensors",
       [](Graph&) {
         call("aten::gelu", {image(), image()});
       },
       {"[aten::gelu gelu]", "takes 1 tensors, 2 were given"}},
      {"SeveralOverloads",
       [](Graph&) {
         call("aten::std", {image()}, {{"dim", {0}}});
       },
       {"[aten::std std]", "aten::std.dim", "aten::std.correction"}},
      {"TensorOfAnotherGraph",
       [](Graph&) { placeholder("here", {2}) + of_another_graph(); },
       {"'there:0' of another graph", "'here'"}},
      {"OperationAsATensor",
       [](Graph&) { group({image()}, "train_op") + 1.0; },
       {"expected a tensor, got the operation 'train_op'"}},
      {"NoTensor", [](Graph&) { Tensor() + 1.0; }, {"must not be none"}},
      {"WriteOfWhatIsNoVariable",
       [](Graph&) {
         call("aten::add_.Scalar", {image()}, {{"other", 1.0}});
       },
       {"expected a variable for 'self'", "image:0"}},
      {"BadName", [](Graph&) { placeholder("a b", {2}); }, {"letters", "'a b'"}},
      {"BadScopeName", [](Graph&) { NameScope scope("a:0"); }, {"[NameScope]", "'a:0'"}},
      {"BadVariableName", [](Graph&) { get_variable("_W", {2}); }, {"'_W'"}},
      {"DoubleVariable",
       [](Graph&) {
         get_variable("W", {2});
         get_variable("W", {2});
       },
       {"[get_variable W]", "exists already"}},
      {"VariableOfATakenName",
       [](Graph&) {
         placeholder("W", {2});
         get_variable("W", {2});
       },
       {"[get_variable W]", "expected a free name"}},
      {"VariableOfDynamicSize",
       [](Graph&) {
         get_variable("W", {kDynamic, 2});
       },
       {"[get_variable W]", "expected static sizes, got [?, 2]"}},
      {"NewVariableWhereTheScopeReuses",
       [](Graph&) {
         VariableScope scope("conv0", {.reuse = Reuse::kReuse});
         get_variable("W", {2});
       },
       {"[get_variable conv0/W]", "expected a variable that exists"}},
      {"UnknownTensorName",
       [](Graph& graph) {
         image();
         graph.tensor("imaeg:0");
       },
       {"[Graph]", "'imaeg:0'", "'image'"}},
      {"NodeInAFinalGraph",
       [](Graph& graph) {
         const Tensor x = image();
         graph.finalize();
         x + 1.0;
       },
       {"the graph is final"}},
      {"LossThatIsNoScalar",
       [](Graph&) {
         const Tensor x = image();
         gradients(x, {x});
       },
       {"[gradients]", "expected a scalar loss", "[?, 28, 28, 1]"}},
      {"TowersThatNest",
       [](Graph&) {
         TowerContext outer("", {.is_training = true});
         TowerContext inner("inner", {.is_training = false});
       },
       {"do not nest"}},
  };
}

std::vector<Misuse> running() {
  return {
      {"MissingFeed",
       [](Graph& graph) { Session(graph).run(identity(image(), "prob")); },
       {"[Session]", "'image'", "[?, 28, 28, 1]", "'prob:0'", "was not fed"}},
      {"WrongShapeOfAFeed",
       [](Graph& graph) {
         const Tensor x = image();
         Session(graph).run(x + 1.0, {{x, at::ones({2, 28, 27, 1})}});
       },
       {"[Session]", "expected shape [?, 28, 28, 1] for 'image:0', got [2, 28, 27, 1]"}},
      {"WrongDtypeOfAFeed",
       [](Graph& graph) {
         const Tensor x = image();
         Session(graph).run(x + 1.0, {{x, at::ones({2, 28, 28, 1}, at::kDouble)}});
       },
       {"[Session]", "expected float32 for 'image:0', got float64"}},
      {"EmptyFeed",
       [](Graph& graph) {
         const Tensor x = image();
         Session(graph).run(x + 1.0, {{x, zeros_of_nothing()}});
       },
       {"[Session]", "'image:0'", "got none"}},
      {"FeedTwice",
       [](Graph& graph) {
         const Tensor x = placeholder("x", {});
         Session(graph).run(x + 1.0, {{x, at::ones({})}, {"x", at::ones({})}});
       },
       {"[Session]", "'x:0' is fed twice"}},
      {"TooFewValues",
       [](Graph& graph) {
         const Tensor x = image();
         Session(graph).make_callable({x}, {x + 1.0})({});
       },
       {"[Session]", "expected 1 values to feed, got 0"}},
      {"UnknownFetch", [](Graph& graph) { Session(graph).run("prob"); }, {"[Graph]", "'prob'"}},
      {"FetchOfAnotherGraph",
       [](Graph& graph) { Session(graph).run(of_another_graph()); },
       {"[Session]", "of another graph"}},
      {"UninitializedVariable",
       [](Graph& graph) { Session(graph).run(get_variable("conv0/W", {2})); },
       {"[Session]", "'conv0/W' has no value yet"}},
      {"WrongValueOfAVariable",
       [](Graph& graph) {
         const Variable v = get_variable("W", {2});
         Session(graph).set_value(v, at::ones({3}));
       },
       {"[Session]", "expected float32 [2] for the variable 'W', got float32 [3]"}},
      {"ShapesThatDoNotMeet",
       [](Graph& graph) {
         const Tensor a = placeholder("a", {kDynamic}), b = placeholder("b", {kDynamic});
         Session(graph).run(a + b, {{a, at::ones({2})}, {b, at::ones({3})}});
       },
       {"[aten::add", "a:0 float32 [2]", "b:0 float32 [3]"}},
  };
}

/// What every method of a handle on nothing answers.
std::vector<Misuse> empty_handles() {
  const std::vector<std::string> no_variable = {"[Variable]", "expected a variable of a graph, got none"};
  const std::vector<std::string> no_tensor = {"[Tensor]", "expected a tensor of a graph, got none"};
  const std::vector<std::string> no_callable = {"[Callable]", "got an empty one"};
  const std::vector<std::string> no_fetch = {"[Session]", "got none"};
  return {
      {"NameOfNoVariable", [](Graph&) { Variable().name(); }, no_variable},
      {"ShapeOfNoVariable", [](Graph&) { Variable().shape(); }, no_variable},
      {"DtypeOfNoVariable", [](Graph&) { Variable().dtype(); }, no_variable},
      {"TrainableOfNoVariable", [](Graph&) { Variable().trainable(); }, no_variable},
      {"InitialValueOfNoVariable", [](Graph&) { Variable().initial_value(); }, no_variable},
      {"TensorOfNoVariable", [](Graph&) { Variable().tensor(); }, no_variable},
      {"ArithmeticOnNoVariable", [](Graph&) { Variable() + 1.0; }, no_variable},
      {"NameOfNoTensor", [](Graph&) { Tensor().name(); }, no_tensor},
      {"OpNameOfNoTensor", [](Graph&) { Tensor().op_name(); }, no_tensor},
      {"DtypeOfNoTensor", [](Graph&) { Tensor().dtype(); }, no_tensor},
      {"ShapeOfNoTensor", [](Graph&) { Tensor().shape(); }, no_tensor},
      {"RankOfNoTensor", [](Graph&) { Tensor().rank(); }, no_tensor},
      {"DimOfNoTensor", [](Graph&) { Tensor().dim(0); }, no_tensor},
      {"HasValueOfNoTensor", [](Graph&) { Tensor().has_value(); }, no_tensor},
      {"NodeOfNoTensor", [](Graph&) { Tensor().node(); }, no_tensor},
      {"GraphOfNoTensor", [](Graph&) { Tensor().graph(); }, no_tensor},
      {"GradientOfNoTensor", [](Graph&) { gradients(Tensor(), {image()}); }, no_tensor},
      {"GradientByNoTensor", [](Graph&) { gradients(sum(image()), {Tensor()}); }, no_tensor},
      {"LayerOnNoTensor",
       [](Graph&) { Conv2D("conv0", Tensor(), {.filters = 8, .kernel = 3}); },
       {"[Conv2D conv0]", "got none"}},
      {"CollectionOfNoTensor",
       [](Graph& graph) { graph.add_to_collection("losses", Tensor()); },
       {"[Graph]", "'losses'", "got none"}},
      {"CallOfNoCallable", [](Graph&) { Callable()(); }, no_callable},
      {"CheckOfNoCallable", [](Graph&) { Callable().check_feeds({}); }, no_callable},
      {"VersionOfNoCallable", [](Graph&) { Callable().version(); }, no_callable},
      {"FeedsOfNoCallable", [](Graph&) { Callable().feeds(); }, no_callable},
      {"FetchesOfNoCallable", [](Graph&) { Callable().fetches(); }, no_callable},
      {"DescriptionOfNoCallable", [](Graph&) { Callable().describe(); }, no_callable},
      {"RunOfNoTensor", [](Graph& graph) { Session(graph).run(Tensor()); }, no_fetch},
      {"RunOfNoVariable", [](Graph& graph) { Session(graph).run(Variable()); }, no_variable},
      {"RunOfNoName", [](Graph& graph) { Session(graph).run(std::string()); }, no_fetch},
      {"RunOfNullName", [](Graph& graph) { Session(graph).run(static_cast<const char*>(nullptr)); },
       no_fetch},
      {"FeedOfNoTensor",
       [](Graph& graph) {
         Session(graph).run(image(), {{Tensor(), at::ones({1})}});
       },
       no_fetch},
      {"ValueOfNoVariable", [](Graph& graph) { Session(graph).value(Variable()); }, no_fetch},
      {"SetValueOfNoVariable", [](Graph& graph) { Session(graph).set_value(Variable(), at::ones({1})); },
       no_fetch},
      {"IsInitializedOfNoVariable", [](Graph& graph) { Session(graph).is_initialized(Variable()); },
       no_fetch},
      {"NoModel", [](Graph&) { AnyModel().tower_func(); }, {"[AnyModel]", "got none"}},
      {"NullModel", [](Graph&) { AnyModel(std::shared_ptr<ModelDescBase>()); }, {"[AnyModel]", "got null"}},
      {"NullTowerFunction",
       [](Graph&) {
         TowerFunc(nullptr, {{"x", {2}}});
       },
       {"[TowerFunc]", "got null"}},
  };
}

// A trainer owns its graph: what it made must not crash when it is gone.
std::vector<Misuse> outliving() {
  struct Model {
    Graph graph;
    Tensor x, y;
    Variable w;
    Model() {
      GraphScope as_default(graph);
      x = placeholder("x", {kDynamic});
      w = get_variable("w", {1});
      y = x + w;
    }
  };
  const std::vector<std::string> dead = {"expected the graph to live"};
  return {
      {"CallableOfADeadGraph",
       [](Graph&) {
         auto model = std::make_unique<Model>();
         Session session(model->graph);
         const Callable callable = session.make_callable({model->x}, {model->y});
         model.reset();
         callable({at::ones({1})});
       },
       dead},
      {"DescriptionOfADeadGraph",
       [](Graph&) {
         auto model = std::make_unique<Model>();
         const Callable callable = Session(model->graph).make_callable({model->x}, {model->y});
         model.reset();
         callable.describe();
       },
       dead},
      {"SessionOfADeadGraph",
       [](Graph&) {
         auto model = std::make_unique<Model>();
         Session session(model->graph);
         model.reset();
         session.run("y");
       },
       dead},
      {"InitializationOfADeadGraph",
       [](Graph&) {
         auto model = std::make_unique<Model>();
         Session session(model->graph);
         model.reset();
         session.initialize_variables();
       },
       dead},
      {"PredictorOfADeadGraph",
       [](Graph&) {
         auto model = std::make_unique<Model>();
         auto session = std::make_unique<Session>(model->graph);
         session->initialize_variables();
         const OnlinePredictor predictor(*session, {model->x}, {model->y});
         predictor(at::ones({1}));
         session.reset();
         model.reset();
         predictor(at::ones({1}));
       },
       {"[Session]", "keep the trainer"}},
  };
}

class MisuseTest : public testing::TestWithParam<Misuse> {};

TEST_P(MisuseTest, IsAUsageErrorThatSaysWhatIsWrong) {
  Graph graph;
  GraphScope as_default(graph);
  try {
    GetParam().program(graph);
    FAIL() << "expected an error";
  } catch (const UsageError& e) {
    for (const std::string& piece : GetParam().says) EXPECT_THAT(e.what(), testing::HasSubstr(piece));
  }
}

std::string name_of(const testing::TestParamInfo<Misuse>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Building, MisuseTest, testing::ValuesIn(building()), name_of);
INSTANTIATE_TEST_SUITE_P(Running, MisuseTest, testing::ValuesIn(running()), name_of);
INSTANTIATE_TEST_SUITE_P(EmptyHandles, MisuseTest, testing::ValuesIn(empty_handles()), name_of);
INSTANTIATE_TEST_SUITE_P(Outliving, MisuseTest, testing::ValuesIn(outliving()), name_of);

TEST(VariableOfATakenName, LeavesNoNodeBehind) {
  Graph graph;
  GraphScope as_default(graph);
  placeholder("W", {2});
  const size_t before = graph.nodes().size();
  EXPECT_THROW(get_variable("W", {2}), UsageError);
  EXPECT_EQ(graph.nodes().size(), before);
}

}  // namespace
}  // namespace belfry
