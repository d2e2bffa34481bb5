#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "belfry/belfry.h"
#include "tests/support/close.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry::test {

/// For the numbers of nets of some layers, in another order of operations.
inline constexpr Tolerance kSameNet{.relative = 1e-4, .absolute = 1e-4};

/// The examples' nets with the weights, and beside the outputs, of tensorpack's own, which a script of
/// tests/examples writes once for all tests of a fixture: `struct GanParity : ModelParity<GanParity>` with
/// `static constexpr const char* kScript`.
template <typename Fixture>
class ModelParity : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!python_available()) return;
    dir = new TempDir;
    run_python(Fixture::kScript, {dir->path()});
  }
  static void TearDownTestSuite() {
    delete dir;
    dir = nullptr;
  }
  void SetUp() override {
    if (!python_available()) GTEST_SKIP() << kNoPython;
  }

  /// Expects the model's outputs within `tolerance`, and its variables to be those of the checkpoint.
  static void expect_same(const std::string& net, const AnyModel& model,
                          const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                          Tolerance tolerance = kSameNet) {
    const auto expected = load_checkpoint(*dir / (net + ".npz"));
    const std::string checkpoint = *dir / (net + "/model");
    const OfflinePredictor predict(
        {.model = model, .session_init = SaverRestore(checkpoint), .inputs = inputs, .outputs = outputs});
    std::vector<std::string> ours, theirs;
    for (const Variable& variable : variables_in(predict.graph(), kGlobalVariables))
      ours.push_back(variable.name());
    for (const auto& [name, value] : load_checkpoint(checkpoint)) theirs.push_back(name);
    std::sort(ours.begin(), ours.end());
    EXPECT_EQ(ours, theirs);

    std::vector<at::Tensor> fed;
    for (const std::string& name : inputs) fed.push_back(expected.at(name));
    const std::vector<at::Tensor> results = predict(fed);
    for (size_t i = 0; i < outputs.size(); ++i) {
      std::string key = outputs[i];
      std::replace(key.begin(), key.end(), '/', '|');
      EXPECT_TRUE(close(results[i], expected.at(key), tolerance)) << outputs[i];
    }
  }

  inline static TempDir* dir = nullptr;
};

}  // namespace belfry::test
