#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/variable.h"
#include "belfry/runtime/session.h"
#include "tests/support/temp_dir.h"

namespace belfry::test {

/// A graph with variables, a session, a folder, and what was logged as a warning.
class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() {
    set_log_sink([this](LogLevel level, std::string_view message) {
      if (level >= LogLevel::kWarning) warnings.emplace_back(message);
    });
  }
  ~CheckpointTest() override { set_log_sink({}); }

  /// A variable filled with `value`.
  Variable variable(const std::string& name, const Shape& shape, double value = 0, DType dtype = kFloat32) {
    const Variable made = get_variable(name, shape, {.dtype = dtype});
    session.set_value(made, at::full(shape, value, dtype));
    return made;
  }
  void set(const std::string& name, double value) {
    const Variable v(graph.find_variable(name));
    session.set_value(v, at::full(v.shape(), value, v.dtype()));
  }
  /// The value that all elements have.
  double get(const std::string& name) const {
    const at::Tensor value = session.value(Variable(graph.find_variable(name)));
    EXPECT_TRUE(value.eq(value.flatten()[0]).all().item<bool>()) << name;
    return value.flatten()[0].item<double>();
  }

  TempDir dir;
  std::vector<std::string> warnings;
  Graph graph;
  GraphScope as_default{graph};
  Session session{graph};
};

/// Expects `statement` to throw `Kind` with a message that contains `piece`.
#define EXPECT_THROW_WITH(statement, Kind, piece)                      \
  try {                                                                \
    statement;                                                         \
    ADD_FAILURE() << "nothing was thrown";                             \
  } catch (const Kind& error) {                                        \
    EXPECT_THAT(std::string(error.what()), testing::HasSubstr(piece)); \
  }

}  // namespace belfry::test
