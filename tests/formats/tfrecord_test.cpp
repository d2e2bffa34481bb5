#include "belfry/formats/tfrecord.h"

#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "belfry/formats/crc32c.h"
#include "tests/formats/arrays.h"
#include "tests/support/fault_file_system.h"

namespace belfry {
namespace {

std::vector<std::string> read_all(const std::string& content) {
  test::FaultFileSystem files;
  files.put("x", content);
  RecordReader reader("x", files);
  std::vector<std::string> records;
  for (std::string record; reader.next(record);) records.push_back(record);
  return records;
}

TEST(Crc32c, HasThePublishedValues) {
  EXPECT_EQ(crc32c(as_byte_span("123456789")), 0xe3069283u);
  EXPECT_EQ(mask_crc(0xe3069283u), 0xc78ab0e5u);
  EXPECT_EQ(unmask_crc(0xc78ab0e5u), 0xe3069283u);
  EXPECT_EQ(crc32c(as_byte_span("6789"), crc32c(as_byte_span("12345"))), 0xe3069283u);
}

TEST(TfRecord, HasTensorFlowsFraming) {
  EXPECT_EQ(test::hex(frame_record("hello")), "0500000000000000eab2043e68656c6c6fbb1f1c19");
}

TEST(TfRecord, ReadsSmallAndLargeRecords) {
  std::string large(1 << 20, 'x');
  EXPECT_THAT(read_all(frame_record("a") + frame_record("") + frame_record(large) + frame_record("b")),
              testing::ElementsAre("a", "", large, "b"));
  EXPECT_TRUE(read_all("").empty());
}

TEST(TfRecord, WhatIsWrittenIsReadAndTheFileAppearsWhenItIsComplete) {
  test::FaultFileSystem files;
  RecordWriter writer("x", files);
  const std::string large(3 << 20, 'x');
  for (const std::string& record : {std::string("a"), large, std::string()}) writer.append(record);
  EXPECT_EQ(writer.offset(), 1 + large.size() + 3 * kRecordFrame);
  EXPECT_FALSE(files.exists("x"));
  writer.publish();
  RecordReader reader("x", files);
  std::vector<std::string> records;
  for (std::string record; reader.next(record);) records.push_back(record);
  EXPECT_THAT(records, testing::ElementsAre("a", large, ""));
}

TEST(TfRecord, ParsesARecordAtTheBeginningOfMore) {
  EXPECT_EQ(parse_record("x", 7, as_byte_span(frame_record("first") + "more")), "first");
  EXPECT_THAT(test::message_of<DataError>([] { parse_record("x", 7, as_byte_span("short")); }),
              testing::StartsWith("x at byte 7: record is cut off"));
}

TEST(TfRecord, AnyTruncationIsAnError) {
  std::string content = frame_record("first") + frame_record("second");
  for (size_t size = 1; size < content.size(); ++size) {
    if (size == frame_record("first").size()) continue;
    EXPECT_THROW(read_all(content.substr(0, size)), DataError) << size;
  }
}

TEST(TfRecord, AnyFlippedBitIsAnErrorWithItsOffset) {
  std::string first = frame_record("first"), content = first + frame_record("second");
  for (size_t bit = 8 * first.size(); bit < 8 * content.size(); ++bit) {
    std::string damaged = content;
    damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_THAT(test::message_of<DataError>([&] { read_all(damaged); }),
                testing::StartsWith("x at byte 21: "));
  }
}

TEST(TfRecord, AbsurdLengthsWithGoodChecksumAreErrors) {
  for (uint64_t length : {uint64_t{1} << 40, uint64_t{1} << 60, UINT64_MAX, UINT64_MAX - 15}) {
    std::string head(reinterpret_cast<const char*>(&length), 8);
    uint32_t crc = mask_crc(crc32c(as_byte_span(head)));
    head.append(reinterpret_cast<const char*>(&crc), 4);
    EXPECT_THROW(read_all(head + "some bytes that follow"), DataError) << length;
  }
}

}  // namespace
}  // namespace belfry
