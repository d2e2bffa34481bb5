#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "examples/DoReFa-Net/alexnet_dorefa.h"
#include "examples/DoReFa-Net/svhn_digit_dorefa.h"
#include "examples/ImageNetModels/alexnet.h"
#include "examples/ImageNetModels/inception_bn.h"
#include "examples/ImageNetModels/shufflenet.h"
#include "examples/ImageNetModels/vgg16.h"
#include "examples/ResNet/cifar10_preact18.h"
#include "examples/ResNet/cifar10_resnet.h"
#include "examples/ResNet/imagenet_resnet.h"
#include "tests/support/close.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

// The classifiers of examples/ beside tensorpack's, of which classifier_models.py writes weights and outputs;
// and a few steps of training of each.

namespace belfry {
namespace {

/// Twenty layers and more, in another order of operations: of the largest output.
test::Tolerance deep_net(const at::Tensor& expected) {
  return {.relative = 1e-4, .absolute = 1e-4 * std::max(1.0, expected.abs().max().item<double>())};
}

using Model = std::shared_ptr<ModelDesc>;

template <typename T, typename... Arguments>
Model imagenet(int64_t image_shape, Arguments... arguments) {
  auto model = std::make_shared<T>(arguments...);
  model->image_shape = image_shape;
  return model;
}

struct Case {
  const char* name;  ///< in classifier_models.py
  std::function<Model()> make;
  std::vector<std::string> outputs = {"linear/output"};
  double learning_rate = 0.01;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {"cifar10_resnet", [] { return std::make_shared<CifarResNet>(2); }},
      {"cifar10_preact18", [] { return std::make_shared<CifarPreAct18>(); }},
      {"resnet18", [] { return imagenet<ImageNetResNet>(64, 18); }},
      {"resnet50", [] { return imagenet<ImageNetResNet>(64, 50); }},
      {"preact18", [] { return imagenet<ImageNetResNet>(64, 18, "preact"); }},
      {"preact50", [] { return imagenet<ImageNetResNet>(64, 50, "preact"); }},
      {"se50", [] { return imagenet<ImageNetResNet>(64, 50, "se"); }},
      {"resnext50", [] { return imagenet<ImageNetResNet>(64, 50, "resnext32x4d"); }},
      {"alexnet", [] { return imagenet<AlexNet>(115); }, {"fc8/output"}, 1e-3},
      {"vgg16_bn", [] { return imagenet<VGG16>(32, "bn"); }, {"fc8/output"}},
      {"vgg16_gn", [] { return imagenet<VGG16>(64, "gn"); }, {"fc8/output"}},
      {"inception_bn",
       [] { return imagenet<InceptionBN>(64); },
       {"linear/output", "loss1logit/output", "loss2logit/output"}},
      {"shufflenet_v1",
       [] { return imagenet<ShuffleNet>(64, ShuffleNet::Options{.ratio = 0.5, .group = 3}); }},
      {"shufflenet_v2", [] { return imagenet<ShuffleNet>(64, ShuffleNet::Options{.v2 = true}); }},
      {"svhn_dorefa",
       [] { return std::make_shared<SvhnDoReFa>(DoReFaBits::parse("1,2,4")); },
       {"fc1/output"}},
      {"svhn_dorefa_8",
       [] { return std::make_shared<SvhnDoReFa>(DoReFaBits::parse("8,32,32")); },
       {"fc1/output"}},
      {"alexnet_dorefa",
       [] { return imagenet<AlexNetDoReFa>(96, DoReFaBits::parse("t,32,32")); },
       {"fct/output"},
       2e-4},
  };
  return list;
}

/// The names of what an inference graph of the model restores.
std::set<std::string> variable_names(const Graph& graph) {
  std::set<std::string> names;
  for (const Variable& variable : variables_in(graph, kGlobalVariables)) names.insert(variable.name());
  return names;
}

/// Compares one model, with the files that the script wrote for it.
void expect_parity(const Case& net, const std::string& checkpoint) {
  const OfflinePredictor predict({.model = net.make(),
                                  .session_init = SaverRestore(checkpoint),
                                  .inputs = {"input"},
                                  .outputs = net.outputs});
  const auto reader = CheckpointReader::open(checkpoint);
  std::set<std::string> expected;
  for (const CheckpointEntry& entry : reader->entries()) expected.insert(entry.name);
  EXPECT_EQ(variable_names(predict.graph()), expected);

  const std::map<std::string, at::Tensor> values = load_checkpoint(checkpoint + ".npz");
  const std::vector<at::Tensor> logits = predict({values.at("input")});
  for (size_t i = 0; i < logits.size(); ++i) {
    const at::Tensor& output = values.at(fmt::format("output{}", i));
    EXPECT_TRUE(test::close(logits[i], output, deep_net(output))) << net.outputs[i];
  }
}

TEST(Classifiers, ComputeWhatTensorpacksDo) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  for (const Case& net : cases()) {
    SCOPED_TRACE(net.name);
    const test::TempDir folder;
    test::run_python("tests/examples/classifier_models.py", {folder.path(), net.name});
    expect_parity(net, folder / net.name);
  }
}

class RecordCost : public Callback {
 public:
  explicit RecordCost(std::vector<double>& costs) : costs_(costs) {}
  std::string name() const override { return "RecordCost"; }
  void setup_graph() override { cost_ = trainer().graph().tensor("cost"); }
  std::vector<Tensor> before_run() override { return {cost_}; }
  void after_run(const std::vector<at::Tensor>& values) override {
    costs_.push_back(values[0].item<double>());
  }

 private:
  std::vector<double>& costs_;
  Tensor cost_;
};

class ExampleTraining : public testing::TestWithParam<Case> {
 protected:
  // Beside other tests, small steps in several threads wait for each other.
  ExampleTraining() { at::set_num_threads(1); }
  ~ExampleTraining() override { at::set_num_threads(threads_); }

 private:
  int threads_ = at::get_num_threads();
};

TEST_P(ExampleTraining, LowersTheCostOfABatch) {
  const Model model = GetParam().make();
  const std::vector<TensorSpec> inputs = model->inputs();
  std::vector<FakeComponent> components;
  for (const TensorSpec& input : inputs) {
    Shape shape = input.shape;
    shape[0] = 4;
    const bool is_probability = input.name == "label" && input.dtype == kFloat32;
    components.push_back({.shape = shape,
                          .dtype = input.dtype,
                          .high = is_probability          ? 0.2
                                  : input.name == "label" ? 10.
                                                          : 255.});
  }
  std::vector<double> costs;
  std::map<std::string, at::Tensor> values;
  values["learning_rate"] = at::full({}, GetParam().learning_rate);
  const test::TempDir folder;
  launch_train_with_config({.model = model,
                            .dataflow = FakeData(components, {.random = false}),
                            .steps_per_epoch = 6,
                            .max_epoch = 1,
                            .callbacks = callbacks(RecordCost(costs)),
                            .monitors = std::vector<std::shared_ptr<Monitor>>(),
                            .session_init = DictRestore(values),
                            .log_dir = folder.path()},
                           SimpleTrainer());
  ASSERT_EQ(costs.size(), 6u);
  for (double cost : costs) EXPECT_TRUE(std::isfinite(cost)) << cost;
  EXPECT_LT(costs.back(), costs.front());
}

INSTANTIATE_TEST_SUITE_P(Classifiers, ExampleTraining, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace belfry
