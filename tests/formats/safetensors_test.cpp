#include "belfry/formats/safetensors.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>

#include "belfry/base/error.h"
#include "tests/formats/arrays.h"
#include "tests/support/fault_file_system.h"

namespace belfry {
namespace {

// What the reference implementation refuses, and why.
struct Refused {
  std::string reason, header, data;
};

class SafetensorsRefuses : public testing::TestWithParam<Refused> {};

std::string file(const std::string& header, const std::string& data) {
  uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

std::string tensor(const std::string& shape, const std::string& offsets,
                   const std::string& dtype = "\"U8\"") {
  return "{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

TEST_P(SafetensorsRefuses, WithDataError) {
  test::FaultFileSystem files;
  files.put("x", file(GetParam().header, GetParam().data));
  EXPECT_THAT(test::message_of<DataError>([&] { SafetensorsReader("x", files); }), testing::StartsWith("x: "))
      << GetParam().reason;
}

INSTANTIATE_TEST_SUITE_P(
    Table, SafetensorsRefuses,
    testing::Values(
        Refused{"hole", "{\"a\":" + tensor("[1]", "[1,2]") + "}", "xx"},
        Refused{"overlap", "{\"a\":" + tensor("[2]", "[0,2]") + ",\"b\":" + tensor("[2]", "[1,3]") + "}",
                "xxx"},
        Refused{"trailing bytes", "{\"a\":" + tensor("[1]", "[0,1]") + "}", "xx"},
        Refused{"missing bytes", "{\"a\":" + tensor("[2]", "[0,2]") + "}", "x"},
        Refused{"repeated name",
                "{\"a\":" + tensor("[1]", "[0,1]") + ",\"a\":" + tensor("[1]", "[0,1]") + "}", "x"},
        Refused{"repeated field",
                "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],"
                "\"data_offsets\":[0,1]}}",
                "x"},
        Refused{"negative zero", "{\"a\":" + tensor("[-0,1]", "[0,0]") + "}", ""},
        Refused{"negative size", "{\"a\":" + tensor("[-1]", "[0,1]") + "}", "x"},
        Refused{"float shape", "{\"a\":" + tensor("[1.0]", "[0,1]") + "}", "x"},
        Refused{"backward offsets", "{\"a\":" + tensor("[1]", "[1,0]") + "}", "x"},
        Refused{"overflowing shape", "{\"a\":" + tensor("[4294967296,4294967296]", "[0,0]") + "}", ""},
        Refused{"wrong size for shape", "{\"a\":" + tensor("[2]", "[0,1]") + "}", "x"},
        Refused{"no name of a dtype", "{\"a\":" + tensor("[1]", "[0,1]", "\"\"") + "}", "x"},
        Refused{"impossible shape of an unknown dtype",
                "{\"a\":" + tensor("[4294967296,4294967296]", "[0,1]", "\"F4\"") + "}", "x"},
        Refused{"dtype no string", "{\"a\":" + tensor("[1]", "[0,1]", "8") + "}", "x"},
        Refused{"no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", "x"},
        Refused{"list as header", "[]", ""}, Refused{"space before header", " {}", ""},
        Refused{"empty header", "", ""}, Refused{"cut JSON", "{\"a\":", ""},
        Refused{"bad UTF-8", "{\"\xff\":" + tensor("[1]", "[0,1]") + "}", "x"},
        Refused{"metadata not strings", "{\"__metadata__\":{\"a\":1}}", ""},
        Refused{"deep JSON", "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}", ""}),
    [](const auto& info) {
      std::string name = info.param.reason;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
      return name;
    });

TEST(Safetensors, ListsTypesThatAreNotOursAndRefusesThoseAlone) {
  test::FaultFileSystem files;
  files.put("x",
            file("{\"a\":" + tensor("[3]", "[0,2]", "\"F6_E2M3\"") + ",\"b\":" + tensor("[1]", "[2,3]") + "}",
                 "xxy"));
  const SafetensorsReader reader("x", files);
  ASSERT_EQ(reader.entries().size(), 2u);
  EXPECT_EQ(reader.type_name(reader.entries()[0]), "F6_E2M3");
  EXPECT_EQ(reader.entries()[0].dtype, DataType::kInvalid);
  EXPECT_EQ(test::read_array(reader, "b"), "y");
  EXPECT_THAT(test::message_of<DataError>([&] { test::read_array(reader, "a"); }),
              testing::HasSubstr("[tensor a] unsupported dtype F6_E2M3"));
}

TEST(Safetensors, RefusesHeadersLongerThanTheFile) {
  test::FaultFileSystem files;
  files.put("huge", std::string(8, '\xff') + "{}");
  files.put("short", "{}");
  EXPECT_THROW(SafetensorsReader("huge", files), DataError);
  EXPECT_THROW(SafetensorsReader("short", files), DataError);
}

TEST(Safetensors, AcceptsAnEmptyFileWithPadding) {
  test::FaultFileSystem files;
  files.put("x", file("{}      ", ""));
  EXPECT_TRUE(SafetensorsReader("x", files).entries().empty());
}

TEST(Safetensors, WriterRefusesWrongUse) {
  test::FaultFileSystem files;
  SafetensorsItem item{{"a", DataType::kUInt8, {1}}, as_byte_span("x")};
  SafetensorsItem reserved{{"__metadata__", DataType::kUInt8, {1}}, as_byte_span("x")};
  SafetensorsItem unknown{{"a", DataType::kComplex128, {0}}, {}};
  EXPECT_THROW(write_safetensors("x", {item, item}, {}, files), UsageError);
  EXPECT_THROW(write_safetensors("x", {reserved}, {}, files), UsageError);
  EXPECT_THROW(write_safetensors("x", {unknown}, {}, files), UsageError);
}

}  // namespace
}  // namespace belfry
