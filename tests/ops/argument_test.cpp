// Arguments that once ended the process: whatever reaches an operator, from C++ or a file, is an error there.

#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/call.h"
#include "belfry/ops/ops.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

class ArgumentTest : public testing::Test {
 protected:
  Graph graph_;
  GraphScope default_{graph_};
};

TEST_F(ArgumentTest, AScalarHasNoAxes) {
  const Tensor scalar = placeholder("scalar", {});
  const Tensor indices = placeholder("indices", {2}, kInt64);
  EXPECT_THAT(message_of<UsageError>([&] { gather(scalar, indices); }), HasSubstr("got a scalar"));
  for (const char* op : {"belfry::prod", "aten::logsumexp", "aten::std.correction", "aten::var.correction"})
    EXPECT_THROW(
        call(op, {scalar}, {{op == std::string("belfry::prod") ? "axes" : "dim", std::vector<int64_t>{1}}}),
        UsageError)
        << op;
}

TEST_F(ArgumentTest, ListsHaveTheLengthOfTheSchema) {
  const Tensor image = placeholder("image", {1, 4, 4, 3});
  const std::vector<int64_t> none, one = {2}, three = {2, 2, 2}, two = {2, 2};
  for (const auto& wrong : {none, one, three}) {
    EXPECT_THAT(message_of<UsageError>([&] {
                  call("belfry::max_pool2d", {image}, {{"kernel", wrong}, {"strides", two}});
                }),
                HasSubstr("[belfry::max_pool2d] expected 2 numbers for 'kernel', got"));
    EXPECT_THAT(message_of<UsageError>([&] {
                  call("belfry::resize", {image}, {{"size", wrong}});
                }),
                HasSubstr("expected 2 numbers for 'size', got"));
  }
}

TEST_F(ArgumentTest, BlocksAreOfASizeThatCanBeSquared) {
  const Tensor image = placeholder("image", {1, 4, 4, 4});
  for (const int64_t block : {int64_t{0}, int64_t{-2}, int64_t{1} << 32, int64_t{1} << 62}) {
    EXPECT_THROW(depth_to_space(image, block), UsageError);
    EXPECT_THROW(space_to_depth(image, block), UsageError);
  }
}

}  // namespace
}  // namespace belfry
