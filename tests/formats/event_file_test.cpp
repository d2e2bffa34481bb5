#include "belfry/formats/event_file.h"

#include <gmock/gmock.h>

#include <limits>
#include <sstream>

#include "belfry/base/error.h"
#include "belfry/formats/histogram.h"
#include "belfry/formats/png.h"
#include "belfry/formats/tfrecord.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

TEST(EventFile, TensorBoardReadsEverything) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir folder;
  std::string path;
  {
    EventFileWriter writer(folder / "run");
    path = writer.path();
    Summary scalars, rest;
    scalars.add_scalar("cost", 2.5f);
    scalars.add_scalar("bad", std::numeric_limits<float>::quiet_NaN());
    writer.write(scalars, 0);
    Histogram histogram;
    histogram.add(std::vector<float>{-3, 0, 0.5f, 0.5f, 7e4f, std::numeric_limits<float>::infinity()});
    rest.add_histogram("weights", histogram);
    rest.add_image("rgb", 1, 2, 3, encode_png(std::vector<uint8_t>{1, 2, 3, 4, 5, 6}, 1, 2, 3));
    rest.add_image("gray", 2, 1, 1, encode_png(std::vector<uint8_t>{7, 8}, 2, 1, 1));
    writer.write(rest, 1234567890123);
    writer.write_session_start(7);
  }
  std::istringstream out(test::run_python("tests/formats/read_events.py", {path, "-3,0,0.5,0.5,7e4"}));
  std::vector<std::string> lines;
  for (std::string line; std::getline(out, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 11u);
  EXPECT_THAT(std::vector(lines.begin(), lines.begin() + 3),
              testing::ElementsAre("version brain.Event:2", "scalar 0 cost 2.5", "scalar 0 bad nan"));
  EXPECT_THAT(lines[3],
              testing::StartsWith("histogram 1234567890123 weights -3.0 70000.0 5.0 69998.0 4900000009.5"));
  EXPECT_EQ(lines[4], lines[9]) << "TensorFlow has other limits";
  EXPECT_EQ(lines[5], lines[10]) << "TensorFlow has other counts";
  EXPECT_THAT(std::vector(lines.begin() + 6, lines.begin() + 9),
              testing::ElementsAre("image 1234567890123 rgb 1 2 3 [1, 2, 3] 010203040506",
                                   "image 1234567890123 gray 2 1 1 [2, 1, 1] 0708", "session 7 1"));
}

TEST(EventFile, NamesDifferWithinASecond) {
  test::TempDir folder;
  EventFileWriter a(folder.path()), b(folder.path());
  EXPECT_NE(a.path(), b.path());
  EXPECT_THAT(a.path(), testing::HasSubstr("tfevents"));
}

int64_t records_in(const std::string& path, FileSystem& files) {
  RecordReader reader(path, files);
  int64_t count = 0;
  for (std::string record; reader.next(record);) ++count;
  return count;
}

TEST(EventFile, EventsWaitForOthersIfAsked) {
  test::FaultFileSystem files;
  Summary summary;
  summary.add_scalar("a", 1);
  EventFileWriter writer("run", files, {.max_queue = 2});
  const auto after_write = [&](EventFileWriter& w) {
    w.write(summary, 1);
    return records_in(w.path(), files);
  };
  EXPECT_EQ(records_in(writer.path(), files), 1);  // the version
  EXPECT_EQ(after_write(writer), 1);
  EXPECT_EQ(after_write(writer), 1);
  EXPECT_EQ(after_write(writer), 4);
  EXPECT_EQ(after_write(writer), 4);
  writer.sync();
  EXPECT_EQ(records_in(writer.path(), files), 5);
  EventFileWriter impatient("run", files, {.max_queue = 2, .flush_secs = 0});
  EXPECT_EQ(after_write(impatient), 2);
}

TEST(EventFile, FullDiskIsAnErrorThatKeepsEarlierEvents) {
  test::FaultFileSystem files;
  EventFileWriter writer("run", files);
  Summary summary;
  summary.add_scalar("a", 1);
  writer.write(summary, 1);
  files.fail_at = files.calls;
  EXPECT_THROW(writer.write(summary, 2), DataError);
  RecordReader reader(writer.path(), files);
  std::string record;
  EXPECT_TRUE(reader.next(record) && reader.next(record));
  EXPECT_THROW(reader.next(record), DataError);
}

TEST(Histogram, PutsValuesBelowTheFirstLimitAboveThem) {
  Histogram histogram;
  EXPECT_EQ(histogram.buckets().counts, (std::vector<double>{0}));
  histogram.add(std::numeric_limits<double>::max());
  histogram.add(std::numeric_limits<double>::lowest());
  EXPECT_EQ(histogram.buckets().counts, (std::vector<double>{0, 1, 0, 1}));
}

TEST(Png, RefusesWrongSizes) {
  EXPECT_THROW(encode_png(std::vector<uint8_t>(5), 1, 2, 3), UsageError);
  EXPECT_THROW(encode_png(std::vector<uint8_t>(4), 1, 2, 2), UsageError);
}

}  // namespace
}  // namespace belfry
