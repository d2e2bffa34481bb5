#include "belfry/base/error_context.h"

#include <gtest/gtest.h>

#include "belfry/base/error.h"

namespace belfry {
namespace {

template <typename Kind, typename Thrown>
void expect_rethrown(Thrown thrown, const std::string& message) {
  try {
    try {
      throw thrown;
    } catch (...) {
      rethrow_with_context("[Map] datapoint 3");
    }
  } catch (const Kind& e) {
    EXPECT_EQ(e.what(), message);
    EXPECT_THROW(std::rethrow_if_nested(e), Thrown);
  }
}

TEST(RethrowWithContext, KeepsTheKindAndTheMessage) {
  expect_rethrown<UsageError>(UsageError("a"), "[Map] datapoint 3: a");
  expect_rethrown<DataError>(DataError("file", 7, "b"), "[Map] datapoint 3: file at byte 7: b");
  expect_rethrown<InternalError>(InternalError("c"), "[Map] datapoint 3: c");
  expect_rethrown<Error>(std::out_of_range("d"), "[Map] datapoint 3: d");
  expect_rethrown<Error>(42, "[Map] datapoint 3: an exception of unknown type");
}

}  // namespace
}  // namespace belfry
