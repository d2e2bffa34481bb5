#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/formats/dtype.h"
#include "belfry/formats/npz.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"
#include "tests/support/op_cases.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

/// Draw numbers.
const std::set<std::string> kWithoutCounterpart = {
    "dropout",           "random_uniform",      "random_normal",      "truncated_normal",
    "random_bernoulli",  "random_uniform_like", "random_normal_like", "random_shuffle",
    "random_categorical"};

std::vector<at::Tensor> input_values(const test::OpCase& op) {
  std::vector<at::Tensor> values;
  for (size_t i = 0; i < op.inputs.size(); ++i) values.push_back(op.inputs[i].value(static_cast<int>(i)));
  return values;
}

void write_inputs(const std::string& path) {
  const std::map<DType, DataType> types = {
      {kFloat64, DataType::kFloat64}, {kInt64, DataType::kInt64}, {kBool, DataType::kBool}};
  NpzWriter writer(path);
  for (size_t index = 0; index < test::op_cases().size(); ++index) {
    const auto values = input_values(test::op_cases()[index]);
    for (size_t i = 0; i < values.size(); ++i) {
      const at::Tensor value = values[i].contiguous();
      writer.add(test::case_name(index) + "/" + std::to_string(i), types.at(value.scalar_type()),
                 value.sizes().vec(), {static_cast<const std::byte*>(value.data_ptr()), value.nbytes()});
    }
  }
  writer.finish();
}

std::vector<at::Tensor> run(const test::OpCase& op) {
  Graph graph;
  GraphScope as_default(graph);
  std::vector<Tensor> inputs;
  for (const auto& input : op.inputs) inputs.push_back(placeholder("in", input.declared(), input.dtype()));
  const auto outputs = op.build(inputs);
  Session session(graph);
  return session.make_callable({inputs.begin(), inputs.end()},
                               {outputs.begin(), outputs.end()})(input_values(op));
}

/// In the tolerance of float32, which some of TensorFlow's kernels and constants have.
TEST(Ops, GiveWhatTensorFlowGives) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir dir;
  write_inputs(dir / "inputs.npz");
  test::run_python("tests/ops/op_baseline.py", {dir / "inputs.npz", dir / "expected.npz"});
  const auto expected = load_checkpoint(dir / "expected.npz");
  for (size_t index = 0; index < test::op_cases().size(); ++index) {
    const test::OpCase& op = test::op_cases()[index];
    if (kWithoutCounterpart.contains(op.function)) continue;
    const auto outputs = run(op);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string key = test::case_name(index) + "/" + std::to_string(i);
      ASSERT_TRUE(expected.contains(key)) << "op_baseline.py has no " << key;
      const at::Tensor& value = expected.at(key);
      EXPECT_TRUE(test::close(outputs[i], value, test::kSameSums)) << key;
      EXPECT_EQ(outputs[i].is_floating_point(), value.is_floating_point()) << key;
    }
  }
}

}  // namespace
}  // namespace belfry
