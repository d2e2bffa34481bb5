#include "belfry/formats/tf_example.h"

#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "belfry/formats/tfrecord.h"
#include "tests/formats/arrays.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

using Texts = std::vector<std::string_view>;
using Floats = std::vector<float>;
using Integers = std::vector<int64_t>;

TEST(TFExample, TensorFlowReadsOursAndWeReadTensorFlows) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir folder;
  RecordWriter writer(folder / "ours.tfrecord");
  writer.append(serialize_tf_example(
      {{"box", Floats{0.5F, -1.5F}}, {"image", Texts{"\xff\x01", ""}}, {"label", Integers{-3, 1LL << 40}}}));
  writer.append(serialize_tf_example({}));
  writer.publish();
  EXPECT_EQ(test::run_python("tests/formats/tf_examples.py", {folder.path()}),
            "box float_list [0.5, -1.5]\n"
            "image bytes_list [b'\\xff\\x01', b'']\n"
            "label int64_list [-3, 1099511627776]\n");

  RecordReader reader(folder / "theirs.tfrecord");
  std::string records[3];
  for (std::string& record : records) ASSERT_TRUE(reader.next(record));
  const TFExample first = parse_tf_example("first", records[0]),
                  second = parse_tf_example("second", records[1]),
                  third = parse_tf_example("third", records[2]);
  EXPECT_EQ(first, (TFExample{{"box", Floats{0.5F, -1.5F, 2, 3}},
                              {"image", Texts{"\xff\xd8jpeg"}},
                              {"label", Integers{7}}}));
  EXPECT_THAT(std::get<Integers>(second.at("many")), ElementsAre(1, int64_t{1} << 62, INT64_MIN));
  EXPECT_EQ(third, (TFExample{{"empty", Floats{}}, {"words", Texts{"a", "", "bc"}}}));
}

TEST(TFExample, ValuesOfAnotherWireTypeAreSkipped) {
  // Features { Feature "a" { one list } }, whose value comes with each other wire type.
  const auto with_list = [](const std::string& list) {
    std::string entry = std::string("\x0a\x01") + "a\x12" + static_cast<char>(list.size()) + list;
    entry = std::string("\x0a") + static_cast<char>(entry.size()) + entry;
    return std::string("\x0a") + static_cast<char>(entry.size()) + entry;
  };
  EXPECT_EQ(parse_tf_example("x", with_list("\x0a\x02\x08\x05")), (TFExample{{"a", Texts{}}}));
  EXPECT_EQ(parse_tf_example("x", with_list("\x12\x02\x08\x05")), (TFExample{{"a", Floats{}}}));
  EXPECT_EQ(parse_tf_example("x", with_list("\x1a\x05\x0d\x01\x02\x03\x04")), (TFExample{{"a", Integers{}}}));
  EXPECT_EQ(parse_tf_example("x", with_list("\x08\x05")), TFExample{});
  EXPECT_EQ(parse_tf_example("x", "\x08\x05"), TFExample{});
}

TEST(TFExample, ReadsNumbersThatAreNotPacked) {
  // Features { Feature "a" { FloatList { 1.5, 2.5 } } } and "b" { Int64List { 1, 2 } }, each value with its
  // own tag.
  const std::string floats(
      "\x0a\x13\x0a\x11\x0a\x01"
      "a\x12\x0c\x12\x0a\x0d\x00\x00\xc0\x3f\x0d\x00\x00\x20\x40",
      21);
  EXPECT_EQ(parse_tf_example("x", floats), (TFExample{{"a", Floats{1.5F, 2.5F}}}));
  const std::string integers =
      "\x0a\x0d\x0a\x0b\x0a\x01"
      "b\x12\x06\x1a\x04\x08\x01\x08\x02";
  EXPECT_EQ(parse_tf_example("x", integers), (TFExample{{"b", Integers{1, 2}}}));
}

TEST(TFExample, DamageIsAnError) {
  const std::string good = serialize_tf_example({{"box", Floats{0.5F, -1.5F}}, {"label", Integers{300}}});
  for (size_t size = 1; size < good.size(); ++size) {
    EXPECT_THAT(message_of<DataError>([&] { parse_tf_example("record 3", good.substr(0, size)); }),
                HasSubstr("record 3: expected a tf.train.Example"))
        << size;
  }
}

}  // namespace
}  // namespace belfry
