#include "belfry/dataflow/serialize.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/stored_tensor.h"
#include "belfry/dataflow/object_component.h"
#include "belfry/formats/dtype.h"
#include "tests/formats/arrays.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::AllOf;
using testing::HasSubstr;

// A line for each component, as python_datapoints.py prints them.
std::vector<std::string> lines_of(const std::string& label, const Datapoint& datapoint) {
  std::vector<std::string> lines;
  for (const at::Tensor& component : datapoint) {
    const at::Tensor tensor =
        is_text(component) ? internal::tensor_of(PythonValue{text_of(component)}, "test") : component;
    const ByteSpan bytes = internal::elements_of(tensor);
    lines.push_back(fmt::format("{} {} [{}] {}", label,
                                to_string(internal::stored_type(tensor.scalar_type(), "test")),
                                fmt::join(tensor.sizes(), ", "),
                                test::hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()})));
  }
  return lines;
}

Datapoint load_file(const std::string& path) {
  return loads(as_byte_span(test::slurp(path)), std::filesystem::path(path).filename());
}

class DatapointsWithTensorpack : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::python_available()) return;
    folder = new test::TempDir;
    at::Tensor numbers = at::arange(6, at::kFloat).view({2, 3});
    test::spit(*folder / "ours.msgpack",
               dumps({numbers.t(), at::full({300}, 7, at::kByte), at::full({}, 3, at::kLong),
                      at::full({0, 2}, 1, at::kDouble), at::full({}, true, at::kBool)}));
    std::istringstream lines(test::run_python("tests/dataflow/python_datapoints.py", {folder->path()}));
    for (std::string line; std::getline(lines, line);) said[line.substr(0, line.find(' '))].push_back(line);
  }
  static void TearDownTestSuite() { delete folder; }
  void SetUp() override {
    if (!folder) GTEST_SKIP() << test::kNoPython;
  }

  static inline test::TempDir* folder = nullptr;
  static inline std::map<std::string, std::vector<std::string>> said;  // by the first word of the line
};

TEST_F(DatapointsWithTensorpack, TensorpackReadsOurs) {
  EXPECT_THAT(
      said["ours"],
      testing::ElementsAre("ours ndarray float32 [3, 2] 00000000000040400000803f00008040000000400000a040",
                           "ours ndarray uint8 [300] " + test::hex(std::string(300, 7)),
                           "ours int64 int64 [] 0300000000000000", "ours ndarray float64 [0, 2] ",
                           "ours bool_ bool [] 01"));
}

TEST_F(DatapointsWithTensorpack, ReadsAllThatTensorpackWrites) {
  for (std::string name :
       {"arrays", "scalars", "numbers", "texts", "lists", "layouts", "many", "dict", "large_dict"}) {
    for (const char* suffix : {".msgpack", ".pickle", ".pickle4"})
      EXPECT_EQ(lines_of(name, load_file(*folder / (name + suffix))), said[name]) << suffix;
  }
}

TEST_F(DatapointsWithTensorpack, WritesArraysByteForByteAsTensorpackDoes) {
  const std::string theirs = test::slurp(*folder / "arrays.msgpack");
  EXPECT_EQ(dumps(loads(as_byte_span(theirs))), theirs);
  for (const char* name : {"many.msgpack", "dict.msgpack", "large_dict.msgpack"}) {
    const std::string bytes = test::slurp(*folder / name);
    EXPECT_EQ(dumps(loads(as_byte_span(bytes))), bytes) << name;
  }
}

TEST_F(DatapointsWithTensorpack, ReadsNamesAndText) {
  for (const char* suffix : {".msgpack", ".pickle", ".pickle4"}) {
    const Datapoint datapoint = load_file(*folder / (std::string("dict") + suffix));
    EXPECT_THAT(datapoint.names(), testing::ElementsAre("image", "file", "label"));
    EXPECT_TRUE(is_text(datapoint["file"]));
    EXPECT_EQ(text_of(datapoint["file"]), "dog.jpg");
    EXPECT_EQ(datapoint["label"].item<int64_t>(), 3);
  }
}

TEST_F(DatapointsWithTensorpack, SaysWhatIsNoTensor) {
  const std::pair<const char*, const char*> cases[] = {
      {"none", "component 0: expected an array, a number, text, bytes or a list, got None"},
      {"objects", "got one of structures or pickled objects"},
      {"dictionary", "got a dictionary with the key 'a'"},
      {"words", "got numpy's type '<U1'"},
      {"structure", "got one of structures"},
      {"no_list", "expected a datapoint, which is a list or a dict, got int"},
      {"mixed", "component 0: expected the values of a list to have one shape and type"},
  };
  for (auto [name, message] : cases) {
    const std::string file = fmt::format("bad_{}.msgpack", name);
    EXPECT_THAT(message_of<DataError>([&] { load_file(*folder / file); }),
                AllOf(testing::StartsWith(file), HasSubstr(message)));
  }
}

TEST_F(DatapointsWithTensorpack, RunsNoCodeOfPickles) {
  const std::pair<const char*, const char*> cases[] = {
      {"none", "got None"},
      {"objects", "got a dictionary, an object or a structure"},
      {"dictionary", "got a dictionary"},
      {"words", "got numpy's type '<U1'"},
      {"structure", "got numpy's type '|V4'"},
      {"code", "got a pickled posix.system"},
  };
  for (auto [name, message] : cases) {
    for (const char* suffix : {".pickle", ".pickle4"}) {
      const std::string file = fmt::format("bad_{}{}", name, suffix);
      EXPECT_THAT(message_of<DataError>([&] { load_file(*folder / file); }),
                  AllOf(testing::StartsWith(file), HasSubstr(message)));
    }
  }
}

TEST(Serialize, WritesTensorsAndTextOnly) {
  EXPECT_EQ(message_of<UsageError>([] { dumps({make_object(3)}); }),
            "[dumps] expected components that are tensors or text, got an object of int");
  const std::string twice =
      "\x82\xa1"
      "a"
      "\x01\xa1"
      "a"
      "\x02";
  EXPECT_EQ(message_of<DataError>([&] { loads(as_byte_span(twice), "x"); }),
            "x: expected different names, got 'a' twice");
}

TEST(Serialize, KeepsTypesShapesAndValues) {
  const Datapoint datapoint{at::arange(24, at::kShort).view({2, 3, 4}).transpose(0, 2), at::full({}, 2.5)};
  const Datapoint back = loads(as_byte_span(dumps(datapoint)));
  ASSERT_EQ(back.size(), 2u);
  for (size_t i = 0; i < back.size(); ++i) {
    EXPECT_EQ(back[i].scalar_type(), datapoint[i].scalar_type());
    EXPECT_TRUE(at::equal(back[i], datapoint[i]));
  }
  EXPECT_TRUE(loads(as_byte_span(dumps({}))).empty());
}

TEST(Serialize, RefusesTypesThatNumpyHasNot) {
  EXPECT_THAT(message_of<UsageError>([] { dumps({at::full({2}, 1, at::kBFloat16)}); }),
              HasSubstr("[dumps] expected a tensor of a type that numpy has, got BFloat16"));
}

TEST(Serialize, AnyTruncationIsAnErrorThatNamesTheBytes) {
  const std::string good = dumps({at::full({5}, 1, at::kFloat), at::full({}, 3, at::kLong)});
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(message_of<DataError>([&] { loads(as_byte_span(good.substr(0, size)), "record 7"); }),
                testing::StartsWith("record 7"))
        << size;
  }
  EXPECT_THAT(message_of<DataError>([&] { loads(as_byte_span(good + "x"), "record 7"); }),
              HasSubstr("expected the end of the value, got 1 more bytes"));
}

}  // namespace
}  // namespace belfry
