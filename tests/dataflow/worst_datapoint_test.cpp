// What datapoints take that make most of their bytes.

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cstring>
#include <ostream>

#include "belfry/base/error.h"
#include "belfry/dataflow/serialize.h"
#include "tests/support/message_of.h"
#include "tests/support/peak_memory.h"

namespace belfry {
namespace {

using test::repeated;

constexpr size_t kMiB = 1 << 20;

/// A MessagePack list of that many bytes, each of which is a value.
std::string list_of(std::string_view piece, uint32_t count) {
  const uint32_t swapped = __builtin_bswap32(count);
  return std::string("\xdd") + std::string(reinterpret_cast<const char*>(&swapped), sizeof swapped) +
         repeated(piece, count * piece.size());
}

struct WorstDatapoint {
  const char* name;
  std::string bytes;
};
void PrintTo(const WorstDatapoint& datapoint, std::ostream* out) {
  *out << datapoint.name;
}

class WorstDatapointTest : public testing::TestWithParam<WorstDatapoint> {};

TEST_P(WorstDatapointTest, TakesMemoryInProportionToItsSize) {
  const auto& [name, bytes] = GetParam();
  test::expect_memory_in_proportion(name, bytes.size(), [&] { loads(as_byte_span(bytes)); });
}

INSTANTIATE_TEST_SUITE_P(
    Loads, WorstDatapointTest,
    testing::Values(WorstDatapoint{"ListOfSmallIntegers", std::string("\x91") + list_of("\x01", kMiB)},
                    WorstDatapoint{"Components", list_of("\x01", 1 << 18)},
                    WorstDatapoint{"Rows", std::string("\x91") + list_of("\x91\x01", 1 << 17)},
                    WorstDatapoint{"EmptyRows", std::string("\x91") + list_of("\x90", 1 << 18)},
                    WorstDatapoint{"Texts", std::string("\x91") + list_of("\xa1z", 1 << 18)},
                    WorstDatapoint{"PickledSmallIntegers",
                                   std::string("\x80\x04](](") + repeated("K\x01", 2 * kMiB) + "ee."}),
    [](const auto& info) { return std::string(info.param.name); });

// Million-number lists are honest: their values and types are those of short ones.
TEST(Serialize, ReadsLongListsAsOneTensor) {
  for (const auto& [piece, type] : {std::pair(std::string("\x07"), at::kLong),
                                    {std::string("\xc3"), at::kBool},
                                    {std::string("\xcd\x01\x00", 3), at::kLong},
                                    {std::string("\xcb\x40\x04\x00\x00\x00\x00\x00\x00", 9), at::kDouble},
                                    {std::string("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), at::kUInt64}}) {
    for (uint32_t count : {3U, 64U, 65U, 1'000'000U}) {
      const Datapoint datapoint = loads(as_byte_span(std::string("\x91") + list_of(piece, count)));
      ASSERT_EQ(datapoint.size(), 1u);
      EXPECT_EQ(datapoint[0].scalar_type(), type);
      EXPECT_EQ(datapoint[0].sizes(), (at::IntArrayRef{static_cast<int64_t>(count)}));
      const at::Tensor one = loads(as_byte_span(std::string("\x91") + piece))[0];
      EXPECT_EQ(
          std::memcmp(static_cast<const char*>(datapoint[0].const_data_ptr()) + (count - 1) * one.nbytes(),
                      one.const_data_ptr(), one.nbytes()),
          0);
    }
  }
}

TEST(Serialize, LongListsOfMixedNumbersAreRefused) {
  const std::string mixed = std::string("\x91\xdc\x00\x8c", 4) + repeated("\x01\xc3", 140);
  EXPECT_NE(test::message_of<DataError>([&] { loads(as_byte_span(mixed)); }).find("got a mixed list"),
            std::string::npos);
}

TEST(Serialize, TooManyComponentsAreRefused) {
  const std::string bytes = list_of("\x01", 1 << 17);
  EXPECT_NE(
      test::message_of<DataError>([&] { loads(as_byte_span(bytes)); }).find("expected a datapoint of fewer"),
      std::string::npos);
}

}  // namespace
}  // namespace belfry
