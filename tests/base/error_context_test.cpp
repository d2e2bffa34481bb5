#include "belfry/base/error_context.h"

#include <gtest/gtest.h>

#include <new>
#include <system_error>

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
    FAIL() << "nothing was thrown";
  } catch (const Kind& e) {
    EXPECT_EQ(e.what(), message);
    EXPECT_THROW(std::rethrow_if_nested(e), Thrown);
  } catch (...) {
    FAIL() << "expected another kind for: " << message;
  }
}

TEST(RethrowWithContext, KeepsTheKindAndTheMessage) {
  expect_rethrown<UsageError>(UsageError("a"), "[Map] datapoint 3: a");
  expect_rethrown<DataError>(DataError("file", 7, "b"), "[Map] datapoint 3: file at byte 7: b");
  expect_rethrown<InternalError>(InternalError("c"), "[Map] datapoint 3: c");
  expect_rethrown<ResourceError>(ResourceError("f"), "[Map] datapoint 3: f");
  expect_rethrown<OutOfMemoryError>(OutOfMemoryError("g"), "[Map] datapoint 3: g");
  expect_rethrown<Error>(std::out_of_range("d"), "[Map] datapoint 3: d");
  expect_rethrown<Error>(42, "[Map] datapoint 3: an exception of unknown type");
}

TEST(RethrowWithContext, TellsWhatTheMachineRefuses) {
  expect_rethrown<OutOfMemoryError>(std::bad_alloc(),
                                    "[Map] datapoint 3: expected memory, got none from the system");
  const std::system_error no_threads(std::make_error_code(std::errc::resource_unavailable_try_again), "fork");
  expect_rethrown<ResourceError>(no_threads, std::string("[Map] datapoint 3: ") + no_threads.what());
}

}  // namespace
}  // namespace belfry
