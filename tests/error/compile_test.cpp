// What users write first must compile without a warning, and what cannot compile must say why: each program
// is given to the compilers as a user would, who includes belfry.h and asks for warnings.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <sstream>

#include "tests/formats/arrays.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using testing::HasSubstr;

const std::string kPrelude = R"(#include <belfry/belfry.h>
using namespace belfry;
struct Ordinary : Callback {
  std::string name() const override { return "Ordinary"; }
};
struct Fixed : Callback {
  explicit Fixed(int) {}
  Fixed(const Fixed&) = delete;
  std::string name() const override { return "Fixed"; }
};
struct FifteenOptions {
  std::optional<int> a = {}, b = {}, c = {}, d = {}, e = {}, f = {}, g = {}, h = {}, i = {}, j = {}, k = {},
      l = {}, m = {}, n = {}, o = {};
};
)";

const std::string kGoodProgram = R"(
struct Model : ModelDesc {
  std::vector<TensorSpec> inputs() const override {
    return {{.name = "image", .shape = {kDynamic, 28, 28, 1}}, {"label", {kDynamic}, kInt64}};
  }
  Tensor build_graph(const TowerInputs& in) override {
    auto [x, label] = in.get<2>();
    ArgScope defaults(Conv2DOptions{.kernel = {3, 5}, .activation = tanh}, FifteenOptions{.o = 1});
    x = x | Conv2D("c0", {.filters = 8, .strides = {1, 2}});
    x = x | MaxPooling("p", {.pool = {2, 2}, .strides = {1, 2}});
    x = Conv2D("c1", x, {.filters = 8, .kernel = 3, .activation = relu, .use_bias = false}) | tanh;
    x = BatchNorm("bn", x, {.momentum = 0.99}) | LayerNorm("ln", {.epsilon = 1e-3});
    x = Conv2DTranspose("d", x, {.filters = 4, .kernel = {2, 3}, .activation = exp});
    x = conv2d(x, zeros({1, 1, 4, 4}), {.strides = {1, 2}});
    x = max_pool2d(x, {.pool = {1, 2}, .strides = {1, 2}});
    x = Dropout("drop", x, {.rate = 0.5});
    x = FullyConnected("f0", x, {.units = 8, .activation = tanh});
    x = FullyConnected("f1", x, {.units = 8, .activation = [](const Tensor& y) { return y * 2.0; }});
    const Tensor weight = get_variable("w", {8}, {.initializer = zeros_initializer()});
    x = x * weight + cast(range(8), kFloat32) + constant({1, 2, 3, 4, 5, 6, 7, 8.5});
    return mean(sparse_softmax_cross_entropy(x, label));
  }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Momentum>(MomentumOptions{.learning_rate = 1e-3});
  }
};
int main() {
  Graph graph;
  GraphScope scope(graph);
  const Tensor x = constant({1, 2, 3}), y = constant({0.5, 1.5, 2}, {3, 1}), z = range(3);
  Session session(graph);
  const std::vector<at::Tensor> one = session.run({x}), two = session.run({x, y});
  const std::vector<at::Tensor> fed = session.run({"a"}, {{x, one[0]}});
  const at::Tensor alone = session.run(z);
  Saver().save(session, "model", {.global_step = 3});
  Model model;
  const TrainConfig config{.model = model,
                           .max_epoch = 10,
                           .callbacks = callbacks(ModelSaver({.max_to_keep = 3}), MinSaver("cost"), Ordinary(),
                                                  std::make_shared<Fixed>(3), std::make_unique<Fixed>(3))};
  launch_train_with_config(config, SimpleTrainer());
  OfflinePredictor predict({.model = model, .inputs = {"image"}, .outputs = {"prob"}});
  return two.size() + fed.size() == static_cast<size_t>(alone.numel());
}
)";

struct BadProgram {
  const char* name;  // the file's name in messages
  const char* line;
  std::vector<const char*> says;  // each is in the messages of every compiler
};

std::vector<BadProgram> bad_programs() {
  return {
      {"MisspeltOption",
       R"(Tensor f1(Tensor x) { return Conv2D("c", x, {.filtres = 3}); })",
       {".filtres = 3"}},
      {"MisspeltOptionOfANamedStruct",
       "Conv2DOptions f2() { return Conv2DOptions{.filtres = 3}; }",
       {"belfry::Conv2DOptions", "filtres"}},
      {"CallbackThatCannotBeMoved",
       "Callbacks f3() { return callbacks(Fixed(3)); }",
       {"handed over by a pointer, std::make_shared<MyType>(...)"}},
      {"NoCallback",
       "Callbacks f4() { return callbacks(5); }",
       {"callbacks(...) expects objects of classes derived from belfry::Callback"}},
      {"ArgScopeOfAnOptimizer",
       "void f5() { ArgScope scope(AdamOptions{.beta1 = 0.5}); }",
       {"ArgScope expects options structs of layers", "AdamOptions"}},
      {"ArgScopeOfALayer", "void f6() { ArgScope scope(Conv2D); }", {"ArgScope expects options structs"}},
      {"ArgScopeOfAttributes",
       "void f7() { ArgScope scope(ConvAttributes{.strides = 2}); }",
       {"ArgScope expects options structs", "ConvAttributes"}},
      {"ArgScopeWithoutAName", "void f8() { ArgScope(Conv2DOptions{.kernel = 3}); }", {"nodiscard"}},
      {"SizeOfThreeNumbers",
       "Conv2DOptions f9() { return Conv2DOptions{.kernel = {1, 2, 3}}; }",
       {"Option<", "Size2D>"}},
      {"ActivationWithAnArgument",
       "Conv2DOptions f10() { return Conv2DOptions{.activation = leaky_relu}; }",
       {"an activation expects an operator of one tensor"}},
  };
}

struct Compiled {
  int status;
  std::string messages;
};

Compiled compile(const std::string& compiler, const std::string& program) {
  const test::TempDir folder;
  const std::string source = folder.path() + "/program.cpp";
  test::spit(source, program);
  const std::string command =
      fmt::format("LC_ALL=C {} {} -std=c++20 -Wall -Wextra -Werror -fsyntax-only {} 2>&1", compiler,
                  BELFRY_USER_FLAGS, source);
  Compiled result;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> piece;
  for (size_t n; (n = ::fread(piece.data(), 1, piece.size(), pipe)) > 0;) {
    result.messages.append(piece.data(), n);
  }
  result.status = ::pclose(pipe);
  return result;
}

// The one that built this test, and clang where it is installed.
std::vector<std::string> compilers() {
  std::vector<std::string> all;
  std::istringstream list(BELFRY_COMPILERS);
  for (std::string compiler; list >> compiler;) all.push_back(compiler);
  return all;
}

TEST(Compile, WhatUsersWriteCompilesWithoutAWarning) {
  for (const std::string& compiler : compilers()) {
    const Compiled result = compile(compiler, kPrelude + kGoodProgram);
    EXPECT_EQ(result.status, 0) << compiler << "\n" << result.messages;
    EXPECT_EQ(result.messages, "") << compiler;
  }
}

// All programs are compiled at once, each as a file of its own, as reading belfry.h takes seconds.
TEST(Compile, WhatCannotCompileSaysWhy) {
  const test::TempDir folder;
  std::string program = kPrelude;
  for (const BadProgram& bad : bad_programs()) {
    const std::string path = fmt::format("{}/{}", folder.path(), bad.name);
    test::spit(path, fmt::format("{}\n", bad.line));
    program += fmt::format("#include \"{}\"\n", path);
  }
  for (const std::string& compiler : compilers()) {
    const Compiled result = compile(compiler, program);
    EXPECT_NE(result.status, 0) << compiler;
    for (const BadProgram& bad : bad_programs()) {
      EXPECT_THAT(result.messages, HasSubstr(fmt::format("{}:1:", bad.name))) << compiler;
      for (const char* piece : bad.says)
        EXPECT_THAT(result.messages, HasSubstr(piece)) << compiler << " " << bad.name;
    }
  }
}

}  // namespace
}  // namespace belfry
