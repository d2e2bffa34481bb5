// The shapes that the graph says, against those of runs, for every operator of the table and over small and
// large sizes of the dynamic dimensions.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/state.h"
#include "belfry/runtime/session.h"
#include "tests/support/op_cases.h"

namespace belfry::test {
namespace {

const std::vector<int64_t> kSizes = {0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 64};

/// Functions whose result has a rank, or a number, that a size decides, or that check a size while building.
const std::set<std::string> kWantStaticSizes = {"gather_nd",
                                                "scatter_nd",
                                                "unstack",
                                                "squeeze",
                                                "layer_norm",
                                                "lstm",
                                                "gru",
                                                "non_max_suppression",
                                                "combined_non_max_suppression",
                                                "crop_and_resize"};

/// An operator of the table in a graph of its own.
class Built {
 public:
  explicit Built(const OpCase& op, std::vector<OpInput> inputs) : inputs_(std::move(inputs)) {
    GraphScope as_default(graph_);
    for (const OpInput& input : inputs_)
      placeholders_.push_back(placeholder("x", input.declared(), input.dtype()));
    outputs_ = op.build(placeholders_);
  }

  /// Runs on inputs of these sizes; false where the operator refuses them.
  bool agrees_on(const std::vector<OpInput>& inputs) {
    Feeds feeds;
    for (size_t i = 0; i < inputs.size(); ++i) feeds.emplace_back(placeholders_[i], inputs[i].value(3));
    std::vector<at::Tensor> results;
    try {
      results = session_.run({outputs_.begin(), outputs_.end()}, feeds);
    } catch (const UsageError&) {
      return false;
    } catch (const DataError&) {
      return false;
    }
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_TRUE(is_compatible_with(outputs_[i].shape(), results[i].sizes().vec()))
          << "output " << i << ": " << to_string(outputs_[i].shape()) << " inferred, "
          << to_string(results[i].sizes().vec()) << " computed" << describe(inputs);
      EXPECT_EQ(to_string(outputs_[i].dtype()), to_string(results[i].scalar_type())) << "output " << i;
    }
    return true;
  }

 private:
  static std::string describe(const std::vector<OpInput>& inputs) {
    std::string text;
    for (const OpInput& input : inputs)
      text += fmt::format(" {} for {}", to_string(input.sizes), to_string(input.declared()));
    return text;
  }

  Graph graph_;
  std::vector<OpInput> inputs_;
  std::vector<Tensor> placeholders_, outputs_;
  Session session_{graph_};
};

class InferredShapesTest : public testing::TestWithParam<size_t> {
 protected:
  const OpCase& op() const { return op_cases()[GetParam()]; }
};

TEST_P(InferredShapesTest, AreThoseOfARunWhateverTheDynamicSizes) {
  Built built(op(), op().inputs);
  EXPECT_TRUE(built.agrees_on(op().inputs));
  for (int64_t size : kSizes) {
    std::vector<OpInput> inputs = op().inputs;
    for (OpInput& input : inputs) {
      for (size_t d : input.dynamic) input.sizes[d] = size;
    }
    built.agrees_on(inputs);
  }
}

TEST_P(InferredShapesTest, AreThoseOfARunWhereEveryDimensionIsDynamic) {
  std::vector<OpInput> declared = op().inputs;
  std::set<int64_t> lengths;
  for (OpInput& input : declared) {
    input.dynamic.clear();
    for (size_t d = 0; d < input.sizes.size(); ++d) input.dynamic.push_back(d);
    lengths.insert(input.sizes.begin(), input.sizes.end());
  }
  std::unique_ptr<Built> built;
  try {
    built = std::make_unique<Built>(op(), declared);
  } catch (const UsageError& e) {
    EXPECT_TRUE(kWantStaticSizes.contains(op().function)) << e.what();
    return;
  }
  built->agrees_on(declared);
  for (int64_t length : lengths) {  // dimensions that are equal may have to stay so
    for (int64_t size : kSizes) {
      std::vector<OpInput> inputs = declared;
      for (OpInput& input : inputs) std::ranges::replace(input.sizes, length, size);
      built->agrees_on(inputs);
    }
  }
}

TEST_P(InferredShapesTest, AreThoseOfARunWhereOneDimensionIsDynamic) {
  for (size_t i = 0; i < op().inputs.size(); ++i) {
    for (size_t d = 0; d < op().inputs[i].sizes.size(); ++d) {
      std::vector<OpInput> declared = op().inputs;
      for (OpInput& input : declared) input.dynamic.clear();
      declared[i].dynamic = {d};
      std::unique_ptr<Built> built;
      try {
        built = std::make_unique<Built>(op(), declared);
      } catch (const UsageError&) {
        continue;
      }
      EXPECT_TRUE(built->agrees_on(declared));
      for (int64_t size : kSizes) {
        std::vector<OpInput> inputs = declared;
        inputs[i].sizes[d] = size;
        built->agrees_on(inputs);
      }
    }
  }
}

// An operator that is run on zeros to learn its shapes refuses so many.
TEST_P(InferredShapesTest, AreFoundWithoutMemoryForTheInputs) {
  std::vector<OpInput> inputs = op().inputs;
  for (OpInput& input : inputs) {
    if (!input.dynamic.empty()) input.sizes[input.dynamic[0]] = int64_t{1} << 40;
    input.dynamic.clear();
  }
  try {
    Built built(op(), inputs);
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), testing::Not(testing::HasSubstr("only a run")));
  }
}

INSTANTIATE_TEST_SUITE_P(EveryOperator, InferredShapesTest, testing::Range(size_t{0}, op_cases().size()),
                         [](const auto& info) { return case_name(info.param); });

}  // namespace
}  // namespace belfry::test
