// Whose fault it is that a run fails: the kind of the error says it, and the message names the node.

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <functional>
#include <new>
#include <stdexcept>
#include <system_error>
#include <typeinfo>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/loss.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/state.h"
#include "belfry/runtime/session.h"

namespace belfry {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// An operator whose kernel throws what a test says.

std::function<void()> thrower;

at::Tensor throwing(const at::Tensor& x) {
  thrower();
  return x;
}
at::Tensor throwing_meta(const at::Tensor& x) {
  return at::empty_like(x);
}

TORCH_LIBRARY(belfry_blame_test, m) {
  m.def("throwing(Tensor x) -> Tensor");
  m.impl("throwing", c10::DispatchKey::CPU, throwing);
  m.impl("throwing", c10::DispatchKey::Meta, throwing_meta);
}

/// The error of a run, as its most derived class.
struct Failure {
  std::string kind, message;
};

template <typename Run>
Failure failure_of(Run run) {
  try {
    run();
  } catch (const UsageError& e) {
    return {"UsageError", e.what()};
  } catch (const DataError& e) {
    return {"DataError", e.what()};
  } catch (const OutOfMemoryError& e) {
    return {"OutOfMemoryError", e.what()};
  } catch (const ResourceError& e) {
    return {"ResourceError", e.what()};
  } catch (const InternalError& e) {
    return {"InternalError", e.what()};
  } catch (const Error& e) {
    return {"Error", e.what()};
  } catch (const std::exception& e) {
    return {typeid(e).name(), e.what()};
  }
  return {"none", ""};
}

class BlameTest : public testing::Test {
 protected:
  /// The error of a run of a node "n" whose kernel does `work`.
  Failure of_kernel(std::function<void()> work) {
    thrower = std::move(work);
    const Tensor x = placeholder("x", {kDynamic});
    const Tensor y = call("belfry_blame_test::throwing", {x}, {}, "n");
    return of_run(y, {{x, at::ones({2})}});
  }
  Failure of_run(const Tensor& y, const Feeds& feeds) {
    return failure_of([&] { Session(graph).run(y, feeds); });
  }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(BlameTest, TheMachineHasNoMemory) {
  const Failure torch = of_kernel([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "out of it"); });
  EXPECT_EQ(torch.kind, "OutOfMemoryError");
  EXPECT_THAT(torch.message, AllOf(HasSubstr("throwing n] out of it"), HasSubstr("x:0 float32 [2]")));
  const Failure standard = of_kernel([] { throw std::bad_alloc(); });
  EXPECT_EQ(standard.kind, "OutOfMemoryError");
  EXPECT_THAT(standard.message, AllOf(HasSubstr("throwing n_1]"), HasSubstr("memory")));
  EXPECT_EQ(of_kernel([] { at::empty({int64_t{1} << 60}, at::kByte); }).kind, "OutOfMemoryError");
}

TEST_F(BlameTest, TheMachineHasNoThreadsOrItsDeviceFails) {
  EXPECT_EQ(of_kernel([] {
              throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
            }).kind,
            "ResourceError");
  EXPECT_EQ(of_kernel([] { TORCH_CHECK(false, "CUDA error: an illegal memory access"); }).kind,
            "ResourceError");
}

TEST_F(BlameTest, TheLibraryIsWrong) {
  const Failure failure = of_kernel([] { TORCH_INTERNAL_ASSERT(false, "never"); });
  EXPECT_EQ(failure.kind, "InternalError");
  EXPECT_THAT(failure.message, AllOf(HasSubstr("throwing n]"), HasSubstr("never")));
}

TEST_F(BlameTest, TheCallerWantsWhatNobodyImplemented) {
  EXPECT_EQ(of_kernel([] { TORCH_CHECK_NOT_IMPLEMENTED(false, "not for Half"); }).kind, "UsageError");
  EXPECT_EQ(of_kernel([] { throw UsageError("[user] no"); }).message, "[user] no");
}

TEST_F(BlameTest, AnExceptionOfNoLibraryIsAnErrorThatHoldsIt) {
  const Failure failure = of_kernel([] { throw std::runtime_error("mine"); });
  EXPECT_EQ(failure.kind, "Error");
  EXPECT_THAT(failure.message, HasSubstr("throwing n] mine"));
}

TEST_F(BlameTest, ValuesOfTheDataAreOutOfRange) {
  const Tensor table = placeholder("table", {kDynamic, 2}), ids = placeholder("ids", {kDynamic}, kInt64);
  const Feeds feeds = {{table, at::ones({6, 2})}, {ids, at::tensor({1, 6}, at::kLong)}};
  EXPECT_EQ(of_run(embedding_lookup(table, ids), feeds).kind, "DataError");
  EXPECT_EQ(of_run(gather(table, ids), feeds).kind, "DataError");
  const Tensor logits = placeholder("logits", {kDynamic, 3});
  const Failure label = of_run(sparse_softmax_cross_entropy(logits, ids),
                               {{logits, at::ones({2, 3})}, {ids, at::tensor({0, 3}, at::kLong)}});
  EXPECT_EQ(label.kind, "DataError");
  EXPECT_THAT(label.message, AllOf(HasSubstr("sparse_softmax_cross_entropy]"), HasSubstr("3")));
}

TEST_F(BlameTest, IntegersAreDividedByZero) {
  const Tensor x = placeholder("x", {2}, kInt32);
  EXPECT_EQ(of_run(floor_mod(x, x), {{x, at::zeros({2}, at::kInt)}}).kind, "DataError");
}

TEST_F(BlameTest, TheCallerFeedsShapesThatDoNotGoTogether) {
  const Tensor a = placeholder("a", {kDynamic}), b = placeholder("b", {kDynamic});
  EXPECT_EQ(of_run(a + b, {{a, at::ones({2})}, {b, at::ones({3})}}).kind, "UsageError");
  const Tensor scores = placeholder("scores", {kDynamic, 3}), labels = placeholder("y", {kDynamic}, kInt64);
  EXPECT_EQ(of_run(sparse_softmax_cross_entropy(scores, labels),
                   {{scores, at::ones({2, 3})}, {labels, at::zeros({3}, at::kLong)}})
                .kind,
            "UsageError");
}

}  // namespace
}  // namespace belfry
