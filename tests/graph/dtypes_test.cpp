// Dtypes that do not go together are refused where they are written: what builds, runs, and gives the dtype
// that the graph says.

#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/state.h"
#include "belfry/runtime/session.h"
#include "tests/support/op_cases.h"

namespace belfry::test {
namespace {

const std::vector<DType> kDTypes = {kFloat32, kFloat64, kBFloat16, kFloat16, kInt64, kInt32, kUInt8, kBool};

/// Inputs that hold numbers of any kind, neither indices nor masks.
std::vector<size_t> numbers_of(const OpCase& op) {
  std::vector<size_t> indices;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    if (op.inputs[i].dtype() == kFloat64) indices.push_back(i);
  }
  return indices;
}

std::string list(const std::vector<DType>& dtypes) {
  std::string text;
  for (DType dtype : dtypes) {
    text += text.empty() ? "" : ", ";
    text += to_string(dtype);
  }
  return text;
}

class DTypesTest : public testing::TestWithParam<size_t> {
 protected:
  const OpCase& op() const { return op_cases()[GetParam()]; }

  /// Builds with inputs of these dtypes. Where that is not refused, checks a run.
  void check(const std::vector<DType>& dtypes) const {
    Graph graph;
    GraphScope as_default(graph);
    std::vector<Tensor> placeholders, outputs;
    Feeds feeds;
    for (size_t i = 0; i < dtypes.size(); ++i) {
      placeholders.push_back(placeholder("x", op().inputs[i].declared(), dtypes[i]));
      feeds.emplace_back(placeholders[i], op().inputs[i].value(3).to(dtypes[i]));
    }
    try {
      outputs = op().build(placeholders);
    } catch (const UsageError&) {
      return;
    }
    try {
      const auto results = Session(graph).run({outputs.begin(), outputs.end()}, feeds);
      for (size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(to_string(outputs[i].dtype()), to_string(results[i].scalar_type()))
            << "output " << i << " of " << list(dtypes);
      }
    } catch (const DataError&) {  // of these values: a division of integers by 0
    } catch (const Error& e) {
      ADD_FAILURE() << list(dtypes) << " build but do not run: " << e.what();
    }
  }

  std::vector<DType> own_dtypes() const {
    std::vector<DType> dtypes;
    for (const OpInput& input : op().inputs) dtypes.push_back(input.dtype());
    return dtypes;
  }
};

TEST_P(DTypesTest, OneForAllInputsIsRefusedWhileBuildingOrRuns) {
  for (DType dtype : kDTypes) {
    std::vector<DType> dtypes = own_dtypes();
    for (size_t i : numbers_of(op())) dtypes[i] = dtype;
    check(dtypes);
  }
}

TEST_P(DTypesTest, MixedOnesAreRefusedWhileBuildingOrRun) {
  const auto numbers = numbers_of(op());
  if (numbers.size() < 2) return;
  for (DType one : {kFloat32, kFloat64, kBFloat16, kInt64}) {
    for (DType rest : {kFloat32, kFloat64, kInt64}) {
      for (size_t odd : numbers) {
        std::vector<DType> dtypes = own_dtypes();
        for (size_t i : numbers) dtypes[i] = i == odd ? one : rest;
        check(dtypes);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryOperator, DTypesTest, testing::Range(size_t{0}, op_cases().size()),
                         [](const auto& info) { return case_name(info.param); });

}  // namespace
}  // namespace belfry::test
