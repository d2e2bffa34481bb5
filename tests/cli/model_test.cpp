#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/interchange/graph_file.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"
#include "tests/cli/fixture.h"
#include "tests/support/close.h"
#include "tests/support/python.h"

namespace belfry {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

constexpr const char* kScript = "tests/cli/numpy_arrays.py";
constexpr test::Tolerance kRounding{.relative = 1e-4, .absolute = 1e-5};

/// net.safetensors, a convolutional net, and sum.safetensors, of two inputs and two outputs.
class ModelCli : public test::CliTest {
 protected:
  ModelCli() {
    GraphScope as_default(graph);
    TowerContext tower("", {.is_training = false});
    const Tensor image = placeholder("image", {kDynamic, 8, 8, 3});
    const Tensor x = Conv2D("conv0", image, {.filters = 4, .kernel = 3, .activation = relu});
    softmax(x | GlobalAvgPooling("gap") | FullyConnected("fc", {.units = 5}), -1, "prob");
    const Tensor a = placeholder("a", {kDynamic, kDynamic}), b = placeholder("b", {kDynamic, kDynamic});
    identity(a + b, "sum");
    identity(mean(a), "mean");
    session.initialize_variables();
    save_inference_graph(session, {"image"}, {"prob"}, dir / "net.safetensors");
    save_inference_graph(session, {"a", "b"}, {"sum", "mean"}, dir / "sum.safetensors");
  }

  Graph graph;
  Session session{graph};
};

TEST_F(ModelCli, PredictsWhatTheSessionComputes) {
  const at::Tensor images = at::randn({7, 8, 8, 3});
  save("in.npz", {{"image", images}});
  for (std::vector<std::string> batch : {std::vector<std::string>(), {"--batch", "3"}}) {
    std::vector<std::string> arguments = {"predict", "net.safetensors", "--input",
                                          "in.npz",  "--output",        "out.npz"};
    arguments.insert(arguments.end(), batch.begin(), batch.end());
    const auto result = belfry(arguments);
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(test::close(load("out.npz").at("prob"), session.run("prob", {{"image", images}}), kRounding));
  }
}

TEST_F(ModelCli, ReadsAndWritesNumpysFiles) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::run_python(kScript, {"write", dir.path()});
  const auto result = belfry({"predict", "sum.safetensors", "--input", "a=a.npy", "--input", "b=b.npy",
                              "--output", "sum=sum.npy", "--output", "mean=mean.npy"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NO_THROW(test::run_python(kScript, {"check", dir.path()}));
}

TEST_F(ModelCli, WrongInputsAreUsageErrorsThatNameThem) {
  save("in.npz", {{"image", at::ones({2, 8, 8, 3})}});
  save("double.npz", {{"image", at::ones({2, 8, 8, 3}, kFloat64)}});
  const auto error = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "predict");
    const auto result = belfry(arguments);
    EXPECT_EQ(result.code, 2);
    return result.err;
  };
  const std::string who = "belfry predict";
  EXPECT_THAT(error({"net.safetensors", "--output", "y.npy"}), test::one_line(who, "--input image=FILE"));
  EXPECT_THAT(error({"net.safetensors", "--input", "in.npz", "--output", "y.txt"}),
              test::one_line(who, "y.txt"));
  EXPECT_THAT(error({"net.safetensors", "--input", "in.npz", "--output", "logits=y.npy"}),
              test::one_line(who, "prob, got 'logits'"));
  EXPECT_THAT(error({"sum.safetensors", "--input", "x.npy", "--output", "y.npz"}),
              test::one_line(who, "a, b, got no name"));
  EXPECT_THAT(error({"net.safetensors", "--input", "double.npz", "--output", "y.npy"}),
              test::one_line(who, "float64"));
}

TEST_F(ModelCli, BatchesNeedAResultForEachSample) {
  save("in.npz", {{"a", at::ones({4, 2})}, {"b", at::ones({4, 2})}});
  const auto result =
      belfry({"predict", "sum.safetensors", "--input", "in.npz", "--output", "y.npz", "--batch", "2"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, test::one_line("belfry predict", "'mean'"));
}

TEST_F(ModelCli, AFileWithoutAGraphOrOfDamagedArraysIsADataError) {
  save("weights.safetensors", {{"W", at::ones({2})}});
  EXPECT_EQ(belfry({"describe", "weights.safetensors"}).code, 3);
  std::ofstream(dir / "x.npy") << "\x93NUMPY";
  const auto result = belfry({"predict", "net.safetensors", "--input", "x.npy", "--output", "y.npy"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, test::one_line("belfry predict", "x.npy"));
}

TEST_F(ModelCli, DescribesOperatorsWithParametersAndFlops) {
  const auto json = belfry_json({"describe", "net.safetensors", "--batch", "2"});
  EXPECT_EQ(json["total"]["parameters"], 3 * 3 * 3 * 4 + 4 + 4 * 5 + 5);
  const int64_t pixels = 2 * 8 * 8 * 4, conv = pixels * (2 * 3 * 3 * 3 + 1), relu = pixels, mean = pixels;
  const int64_t fc = 2 * 5 * (2 * 4 + 1), softmax = 4 * 2 * 5;
  EXPECT_EQ(json["total"]["flops"], conv + relu + mean + fc + softmax);
  EXPECT_EQ(json["inputs"][0]["shape"], nlohmann::json({-1, 8, 8, 3}));
  const std::string out = belfry({"describe", "net.safetensors"}).out;
  EXPECT_THAT(out, HasSubstr("input image float32 [?,8,8,3]\noutput prob float32 [?,5]\n"));
  EXPECT_THAT(out, ContainsRegex("belfry::conv2d +float32 +\\[1,8,8,4\\] +112 +14.1K\n"));
  EXPECT_THAT(belfry({"describe", "net.safetensors", "--compiled"}).out, HasSubstr("newest program:"));
}

TEST_F(ModelCli, DrawsTheGraph) {
  ASSERT_EQ(belfry({"describe", "net.safetensors", "--svg", "net.svg"}).code, 0);
  const std::string svg = read("net.svg");
  for (const char* piece : {">image<", ">prob<", ">conv0/", ">belfry::conv2d<", ">float32 [?,8,8,4]<"})
    EXPECT_THAT(svg, HasSubstr(piece));
  EXPECT_THAT(belfry({"describe", "net.safetensors", "--svg", "net.svg"}).err,
              test::one_line("belfry describe", "which exists"));
  EXPECT_EQ(belfry({"describe", "sum.safetensors", "--svg", "net.svg", "--force"}).code, 0);
}

/// Three stages of three blocks: 20 layers with weights, for images of 32 x 32.
Tensor resnet20(const Tensor& image) {
  TowerContext tower("", {.is_training = false});
  Tensor x = Conv2D("conv0", image, {.filters = 16, .kernel = 3, .activation = BNReLU});
  for (int64_t block = 0; block < 9; ++block) {
    const int64_t filters = 16 << (block / 3);
    const bool first = block == 3 || block == 6;
    NameScope scope(fmt::format("block{}", block));
    const Conv2DOptions conv{.filters = filters, .kernel = 3};
    const Tensor y =
        Conv2D(fmt::format("a{}", block), x,
               {.filters = filters, .kernel = 3, .strides = first ? 2 : 1, .activation = BNReLU});
    if (first) x = pad(avg_pool2d(x), {{0, 0}, {0, 0}, {0, 0}, {filters / 4, filters / 4}});
    x = relu(x + BatchNorm(fmt::format("bn{}", block), Conv2D(fmt::format("b{}", block), y, conv)));
  }
  return softmax(FullyConnected("fc", GlobalAvgPooling("gap", x), {.units = 10}), -1, "prob");
}

TEST_F(ModelCli, DrawingsAreXmlWhoseBoxesAreApart) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  Graph deep;
  GraphScope in_deep(deep);
  const Tensor image = placeholder("image", {kDynamic, 32, 32, 3}), prob = resnet20(image);
  Session deep_session(deep);
  deep_session.initialize_variables();
  save_inference_graph(deep_session, {image}, {prob}, dir / "resnet.safetensors");
  std::vector<std::string> drawings;
  for (const std::string name : {"net", "sum", "resnet"}) {
    drawings.push_back(dir / (name + ".svg"));
    EXPECT_EQ(belfry({"describe", name + ".safetensors", "--svg", drawings.back()}).code, 0);
  }
  EXPECT_EQ(test::run_python("tests/cli/check_drawing.py", drawings), "");
}

TEST_F(ModelCli, OpenSizesMustBeGiven) {
  const auto result = belfry({"describe", "sum.safetensors"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, test::one_line("belfry describe", "[input a] expected --shape"));
  EXPECT_THAT(belfry({"describe", "sum.safetensors", "--shape", "a=2,3", "--shape", "b=1,3"}).out,
              ContainsRegex("aten::add.Tensor +float32 +\\[2,3\\]"));
  EXPECT_THAT(belfry({"describe", "net.safetensors", "--shape", "1,9,9,3"}).err,
              test::one_line("belfry describe", "[?, 8, 8, 3], got [1, 9, 9, 3]"));
}

TEST_F(ModelCli, BenchesEachBatchSizeAndProfiles) {
  const auto json = belfry_json({"bench", "net.safetensors", "--batch", "1,4", "--threads", "1", "--seconds",
                                 "0", "--profile", "--trace", "trace.json"});
  ASSERT_EQ(json["batches"].size(), 2u);
  EXPECT_EQ(json["threads"], 1);
  for (const auto& batch : json["batches"]) {
    EXPECT_GE(batch["calls"], 10);
    EXPECT_LE(batch["min_ms"], batch["p50_ms"]);
    EXPECT_LE(batch["p50_ms"], batch["p99_ms"]);
    EXPECT_FALSE(batch["profile"].empty());
  }
  const auto trace = nlohmann::json::parse(read("trace.json"));
  EXPECT_EQ(trace["traceEvents"].size(),
            json["batches"][0]["profile"].size() + json["batches"][1]["profile"].size());
  EXPECT_EQ(trace["traceEvents"][0]["ph"], "X");
}

TEST_F(ModelCli, PrintsATableOfLatenciesAndTheProfile) {
  const std::string out = belfry({"bench", "net.safetensors", "--seconds", "0", "--profile"}).out;
  EXPECT_THAT(out, ContainsRegex("BATCH +CALLS +MEAN +MIN +P50 +P90 +P99 +SAMPLES/S\n +1 +1[0-9] +"));
  EXPECT_THAT(out, ContainsRegex("\nprofile of batch 1:\n +MS +SHARE +NODE +KERNEL\n"));
}

TEST_F(ModelCli, ExportsOnnxThatComputesTheSame) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  EXPECT_EQ(belfry({"export", "net.safetensors", "net.onnx"}).code, 0);
  const at::Tensor images = at::randn({7, 8, 8, 3});
  save("net.0.in.npz", {{"image", images}});
  EXPECT_EQ(test::run_python("tests/interchange/run_onnx.py", {dir.path()}), "");
  EXPECT_TRUE(
      test::close(load("net.0.out.npz").at("0"), session.run("prob", {{"image", images}}), kRounding));
}

TEST_F(ModelCli, SaysInJsonWhatWasWritten) {
  save("in.npz", {{"a", at::ones({4, 2})}, {"b", at::ones({4, 2})}});
  const auto predicted = belfry_json(
      {"predict", "sum.safetensors", "--input", "in.npz", "--output", "y.npz", "--output", "mean=mean.npy"});
  EXPECT_EQ(predicted["outputs"],
            nlohmann::json::parse(R"([{"name": "sum", "dtype": "float32", "shape": [4, 2], "file": "y.npz"},
                                      {"name": "mean", "dtype": "float32", "shape": [], "file": "y.npz"},
                                      {"name": "mean", "dtype": "float32", "shape": [], "file": "mean.npy"}])"));
  const auto exported = belfry_json({"export", "net.safetensors", "net.onnx"});
  EXPECT_EQ(exported["format"], "onnx");
  EXPECT_EQ(exported["inputs"][0]["shape"], nlohmann::json({-1, 8, 8, 3}));
  EXPECT_EQ(exported["files"][0]["bytes"], read("net.onnx").size());
}

TEST_F(ModelCli, ExportsForTensorFlow) {
  EXPECT_EQ(belfry({"export", "net.safetensors", "net.pb"}).code, 0);
  EXPECT_THAT(read("net.pb"), testing::AllOf(HasSubstr("image"), HasSubstr("prob")));
  const auto json = belfry_json({"export", "net.safetensors", "serving/net/1/"});
  EXPECT_EQ(json["files"][0]["path"], "serving/net/1/saved_model.pb");
  EXPECT_EQ(belfry({"export", "net.safetensors", "serving/net/1/"}).code, 2);  // it exists
}

TEST_F(ModelCli, ExportsOnnxWithTheNamesOfTheModel) {
  EXPECT_EQ(belfry({"export", "net.safetensors", "net.onnx"}).code, 0);
  EXPECT_THAT(read("net.onnx"), testing::AllOf(HasSubstr("image"), HasSubstr("prob")));
  EXPECT_EQ(belfry({"export", "net.safetensors", "net.onnx"}).code, 2);  // it exists
  EXPECT_EQ(belfry({"export", "net.safetensors", "net.onnx", "--force"}).code, 0);
  EXPECT_EQ(belfry({"export", "net.safetensors", "net.tflite"}).code, 2);
}

}  // namespace
}  // namespace belfry
