#include "belfry/formats/msgpack.h"

#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "tests/formats/arrays.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

std::string unhex(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  return bytes;
}

std::string error_of(const std::string& bytes) {
  return message_of<DataError>([&] { parse_msgpack("x", as_byte_span(bytes)); });
}

// What msgpack_numpy 0.4.8 writes for np.uint8([[1, 2, 3]]).
const char* const kArray =
    "85c4026e64c3c40474797065a37c7531c4046b696e64c400c4057368617065920103c40464617461c403010203";

TEST(Msgpack, WritesArraysAsMsgpackNumpyDoes) {
  MsgpackWriter writer;
  writer.array(DataType::kUInt8, {1, 3}, as_byte_span("\1\2\3"));
  EXPECT_EQ(test::hex(writer.take()), kArray);
  writer.array(DataType::kFloat32, {}, as_byte_span(std::string_view("\0\0\xc0\x3f", 4)));
  EXPECT_EQ(test::hex(writer.take()), "83c4026e64c2c40474797065a33c6634c40464617461c4040000c03f");
}

TEST(Msgpack, ReadsTheFormOfPython2AndOfOldMsgpackNumpy) {
  // Keys, type and data as text; no kind.
  const std::string bytes = unhex("84a26e64c3a474797065a37c7531a573686170659103a464617461a3010203");
  const PythonValue value = parse_msgpack("x", as_byte_span(bytes));
  const auto& array = std::get<PythonArray>(value.value);
  EXPECT_EQ(array.shape, std::vector<int64_t>{3});
  EXPECT_EQ(array.elements[2], std::byte{3});
}

TEST(Msgpack, LengthsThatAreNotThereTakeNoMemory) {
  for (std::string bytes : {"c6ffffffff", "dbffffffff", "ddffffffff00", "dfffffffff", "91ddfffffff0c0c0"}) {
    EXPECT_TRUE(test::refuses_in_little_memory([&] { parse_msgpack("x", as_byte_span(unhex(bytes))); }))
        << bytes;
  }
}

TEST(Msgpack, DeepNestingIsAnErrorNotAnOverflow) {
  EXPECT_THAT(error_of(std::string(1'000'000, '\x91')), HasSubstr("at most 64 nested lists"));
  std::string maps;
  for (int i = 0; i < 200'000; ++i) maps += "\x81\xa4type";
  EXPECT_THAT(error_of(maps), HasSubstr("at most 64 nested lists"));
  EXPECT_EQ(error_of(std::string(63, '\x91') + '\x90'), "nothing was thrown");
}

TEST(Msgpack, SaysWhatAnArrayIsNot) {
  const std::string good = unhex(kArray);
  auto with = [&](size_t at, char byte) {
    std::string bytes = good;
    bytes[at] = byte;
    return bytes;
  };
  const size_t shape = good.find("shape") + 6, type = good.find("|u1");
  EXPECT_EQ(error_of(good), "nothing was thrown");
  EXPECT_THAT(error_of(with(shape, 2)),
              HasSubstr("expected the bytes of an array uint8 [2, 3], got 3 bytes"));
  EXPECT_THAT(error_of(with(shape, '\xff')), HasSubstr("uint8 [-1, 3]"));
  EXPECT_THAT(error_of(with(shape, '\xc0')), HasSubstr("expected integers as shape, got None"));
  EXPECT_THAT(error_of(with(type + 1, 'O')), HasSubstr("got numpy's type '|O1'"));
  EXPECT_THAT(error_of(with(type, 'x')), HasSubstr("got numpy's type 'xu1'"));
  EXPECT_THAT(error_of(with(3, 'x')), HasSubstr("got a dictionary with the key 'xd'"));
  EXPECT_THAT(error_of(unhex("80")), HasSubstr("a dictionary that is no numpy array"));
  EXPECT_THAT(error_of(unhex("c1")), HasSubstr("at byte 0"));
  EXPECT_THAT(error_of(unhex("d60000000000")), HasSubstr("extension type 0xd6"));
}

TEST(Msgpack, ShapesWhoseProductOverflowsAreErrors) {
  const std::string shape = "92" + std::string("cf0000000100000000") + "cf0000000100000000";
  const std::string bytes = unhex("84a26e64c3a474797065a37c7531a57368617065" + shape + "a464617461a0");
  EXPECT_THAT(error_of(bytes), HasSubstr("got 0 bytes"));
}

TEST(MsgpackWriter, RefusesWhatIsNotTheBytesOfTheArray) {
  MsgpackWriter writer;
  EXPECT_THROW(writer.array(DataType::kInt8, {2}, as_byte_span("x")), UsageError);
  EXPECT_THROW(writer.array(DataType::kBFloat16, {1}, as_byte_span("xy")), UsageError);
}

}  // namespace
}  // namespace belfry
