#include "server/protocol.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "belfry/base/error.h"

namespace kserve {
namespace {

using namespace belfry;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

/// "STATUS message" of the error, or "accepted".
template <typename F>
std::string error_of(F f) {
  try {
    f();
  } catch (const HttpError& error) {
    return fmt::format("{} {}", error.status, error.what());
  }
  return "accepted";
}

/// A request of one input with this text for its members after "name".
std::string with_input(const std::string& members) {
  return R"({"inputs": [{"name": "x", )" + members + "}]}";
}

at::Tensor parse_one(const std::string& members) {
  return parse_infer_request(with_input(members), std::nullopt).inputs.at(0).value;
}

template <typename T>
std::string bytes_of(std::initializer_list<T> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T));
}

ModelInfo model() {
  return {.name = "m",
          .version = "1",
          .platform = "belfry",
          .inputs = {{"a", {kDynamic, 2}, kFloat32}, {"b", {kDynamic}, kInt64}},
          .outputs = {{"y", {kDynamic, 2}, kFloat32}, {"z", {kDynamic}, kInt64}}};
}

const at::Tensor kY = at::tensor({0.5, 1.5, -2.0, 4.0}, at::kFloat).reshape({2, 2});
const at::Tensor kZ = at::tensor({int64_t{7}, int64_t{-8}});

TEST(InferRequestTest, TakesFlatAndNestedData) {
  const at::Tensor expected = at::arange(6).reshape({2, 3}).to(at::kFloat);
  for (const char* data : {"[0, 1, 2, 3, 4, 5.0]", "[[0, 1, 2], [3, 4, 5]]"}) {
    EXPECT_TRUE(at::equal(parse_one(fmt::format(R"("datatype": "FP32", "shape": [2, 3], "data": {})", data)),
                          expected));
  }
}

// Each of these took minutes, or gigabytes, of a parser whose time grows with the square of the text.
TEST(InferRequestTest, TakesTimeInProportionToTheTextHoweverItIsMade) {
  std::string keys = "{", objects = R"({"x": [{})", outputs = R"({"inputs": [], "outputs": [{"name": "y"})";
  for (int i = 0; keys.size() < (4 << 20) - 100; ++i) keys += fmt::format("\"{}\":0,", i);
  while (objects.size() < (4 << 20) - 100) objects += ",{}";
  while (outputs.size() < (4 << 20) - 100) outputs += R"(,{"name": "y"})";
  EXPECT_THAT(error_of([&] { parse_infer_request(keys + "\"inputs\":0}", std::nullopt); }),
              HasSubstr("400 [infer request] expected an array 'inputs'"));
  EXPECT_THAT(error_of([&] { parse_infer_request(objects + "]}", std::nullopt); }),
              HasSubstr("400 [infer request] expected an array 'inputs'"));
  EXPECT_THAT(error_of([&] { parse_infer_request(outputs + "]}", std::nullopt); }),
              HasSubstr("400 [infer outputs[1]] expected each output once, got 'y' twice"));
}

TEST(InferRequestTest, TakesEveryDatatypeInBothForms) {
  struct Case {
    std::string datatype, data;
    DType dtype;
    std::string bytes;
  };
  const std::vector<Case> cases = {{"BOOL", "[true, false]", kBool, std::string("\xff\0", 2)},
                                   {"UINT8", "[1, 255]", kUInt8, bytes_of<uint8_t>({1, 255})},
                                   {"INT8", "[1, -128]", kInt8, bytes_of<int8_t>({1, -128})},
                                   {"INT16", "[1, -32768]", kInt16, bytes_of<int16_t>({1, -32768})},
                                   {"INT32", "[1, -7]", kInt32, bytes_of<int32_t>({1, -7})},
                                   {"INT64", "[1, -7]", kInt64, bytes_of<int64_t>({1, -7})},
                                   {"FP32", "[1.5, -2e3]", kFloat32, bytes_of<float>({1.5f, -2e3f})},
                                   {"FP64", "[1.5, -2e300]", kFloat64, bytes_of<double>({1.5, -2e300})}};
  for (const auto& [datatype, data, dtype, bytes] : cases) {
    const std::string start = fmt::format(R"("datatype": "{}", "shape": [2], )", datatype);
    const at::Tensor from_json = parse_one(start + "\"data\": " + data);
    const std::string head =
        with_input(fmt::format(R"({}"parameters": {{"binary_data_size": {}}})", start, bytes.size()));
    const at::Tensor from_bytes =
        parse_infer_request(head + bytes, std::to_string(head.size())).inputs.at(0).value;
    EXPECT_EQ(from_json.scalar_type(), dtype) << datatype;
    EXPECT_TRUE(at::equal(from_json, from_bytes)) << datatype;
  }
}

TEST(InferRequestTest, TakesHalfPrecisionAsBytes) {
  const std::string head =
      with_input(R"("datatype": "FP16", "shape": [1], "parameters": {"binary_data_size": 2})");
  const InferRequest request =
      parse_infer_request(head + std::string("\0\x3c", 2), std::to_string(head.size()));
  EXPECT_EQ(request.inputs[0].value.item<float>(), 1.0f);
  EXPECT_THAT(error_of([] { parse_one(R"("datatype": "FP16", "shape": [1], "data": [1])"); }),
              HasSubstr("expected binary data for FP16, got JSON"));
}

TEST(InferRequestTest, TellsWhichOutputsAreWantedAndHow) {
  const InferRequest request = parse_infer_request(
      R"({"id": "42", "parameters": {"binary_data_output": true}, "inputs": [],
          "outputs": [{"name": "y"}, {"name": "z", "parameters": {"binary_data": false}}]})",
      std::nullopt);
  EXPECT_EQ(request.id, "42");
  EXPECT_TRUE(request.outputs.at(0).binary);
  EXPECT_FALSE(request.outputs.at(1).binary);
}

TEST(InferRequestTest, RefusesWhatIsNotAsTheProtocolSays) {
  const std::string fp32 = R"("datatype": "FP32", )";
  const std::pair<std::string, std::string> cases[] = {
      {"", "syntax error at byte 1 of 0"},
      {"{", "syntax error"},
      {"\xff\xfe", "syntax error"},
      {R"({"inputs": [1e999]})", "number out of range"},
      {"[]", "expected a JSON object, got array"},
      {"{}", "expected an array 'inputs', got nothing"},
      {R"({"inputs": [7]})", "[infer inputs[0]] expected an object, got number"},
      {R"({"inputs": [], "id": 7})", "expected a string 'id', got number"},
      {R"({"inputs": [], "parameters": []})", "expected an object 'parameters'"},
      {R"({"inputs": [], "parameters": {"binary_data_output": 1}})",
       "true or false for 'binary_data_output'"},
      {R"({"inputs": [], "outputs": {}})", "expected an array 'outputs'"},
      {R"({"inputs": [], "outputs": [{}]})", "[infer outputs[0]] expected a string 'name'"},
      {R"({"inputs": [{"name": 1}]})", "expected a string 'name', got number"},
      {with_input(R"("datatype": "FP33", "shape": [1], "data": [1])"), "got 'FP33'"},
      {with_input(R"("datatype": "BYTES", "shape": [1], "data": ["a"])"), "got 'BYTES'"},
      {with_input(fp32 + R"("data": [1])"), "expected an array 'shape'"},
      {with_input(fp32 + R"("shape": [-1], "data": [1])"), "sizes >= 0"},
      {with_input(fp32 + R"("shape": [1.0], "data": [1])"), "sizes >= 0"},
      {with_input(fp32 + R"("shape": ["1"], "data": [1])"), "sizes >= 0"},
      {with_input(fp32 + R"("shape": [18446744073709551615], "data": [])"), "data that can be sent"},
      {with_input(fp32 + R"("shape": [0, 4294967296, 4294967296], "data": [])"), "data that can be sent"},
      {with_input(fp32 + R"("shape": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1], "data": [1])"),
       "at most 16 dimensions"},
      {with_input(fp32 + R"("shape": [1099511627776], "data": [1])"), "1099511627776 elements of data"},
      {with_input(fp32 + R"("shape": [2], "data": [1])"), "expected 2 elements of data for shape [2], got 1"},
      {with_input(fp32 + R"("shape": [2, 2], "data": [[1, 2], [3]])"), "data nested as shape [2, 2]"},
      {with_input(fp32 + R"("shape": [2, 2], "data": [[1, 2], 3])"), "data nested as shape [2, 2]"},
      {with_input(fp32 + R"("shape": [2, 1], "data": [[1], [[2]]])"), "expected numbers in data, got array"},
      {with_input(fp32 + R"("shape": [1])"), "expected an array 'data', got nothing"},
      {with_input(fp32 + R"("shape": [1], "data": ["1"])"), "expected numbers in data, got string"},
      {with_input(fp32 + R"("shape": [1], "data": [1e39])"), "range"},
      {with_input(R"("datatype": "UINT8", "shape": [1], "data": [256])"), "range"},
      {with_input(R"("datatype": "INT8", "shape": [1], "data": [-129])"), "range"},
      {with_input(R"("datatype": "INT64", "shape": [1], "data": [9223372036854775808])"), "range"},
      {with_input(R"("datatype": "INT32", "shape": [1], "data": [1.5])"), "expected integers in data"},
      {with_input(R"("datatype": "BOOL", "shape": [1], "data": [1])"), "expected true or false in data"},
  };
  for (const auto& [body, message] : cases) {
    EXPECT_THAT(error_of([&] { parse_infer_request(body, std::nullopt); }),
                AllOf(HasSubstr("400"), HasSubstr(message)))
        << body;
  }
}

TEST(InferRequestTest, RefusesBinaryTensorsThatDoNotAddUp) {
  auto body = [](const std::string& size, const std::string& more = "") {
    return with_input(fmt::format(
        R"("datatype": "FP32", "shape": [2], "parameters": {{"binary_data_size": {}}}{})", size, more));
  };
  struct Case {
    std::string head, bytes, message;
  };
  const Case cases[] = {{body("8"), "1234567", "expected 8 bytes of binary data, got the body's end after 7"},
                        {body("8"), "123456789", "nothing after the binary tensors, got 1 bytes"},
                        {body("7"), "1234567", "expected a binary_data_size of 8 for FP32 [2], got 7"},
                        {body("-8"), "12345678", "got -8"},
                        {body("\"8\""), "12345678", "got string"},
                        {body("8", R"(, "data": [1, 2])"), "12345678", "got both"}};
  for (const auto& [head, bytes, message] : cases) {
    EXPECT_THAT(error_of([&] { parse_infer_request(head + bytes, std::to_string(head.size())); }),
                HasSubstr(message));
  }
}

TEST(InferRequestTest, RefusesAWrongLengthOfTheJsonPart) {
  const std::string head =
      with_input(R"("datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4})");
  for (const char* length : {"", "-1", "1e2", " 5", "99999999999999999999", "100000"}) {
    EXPECT_THAT(error_of([&] { parse_infer_request(head + "1234", length); }),
                AllOf(HasSubstr("400"), HasSubstr("Inference-Header-Content-Length")));
  }
  EXPECT_THAT(error_of([&] { parse_infer_request(head + "1234", std::nullopt); }), HasSubstr("syntax error"));
  EXPECT_THAT(error_of([&] { parse_infer_request(head + "1234", "3"); }), HasSubstr("syntax error"));
}

TEST(InferRequestTest, RefusesDeepAndLargeJsonBeforeItGrows) {
  EXPECT_THAT(error_of([] { parse_infer_request(std::string(1 << 20, '['), std::nullopt); }),
              HasSubstr("at most 19 levels"));
  std::string objects;
  for (int i = 0; i < 1000; ++i) objects += R"({"a":)";
  EXPECT_THAT(error_of([&] { parse_infer_request(objects, std::nullopt); }), HasSubstr("at most 19 levels"));
  EXPECT_THAT(error_of([] { parse_infer_request(std::string(11, ' '), std::nullopt, {.json_bytes = 10}); }),
              HasSubstr("413 [infer] expected at most 10 bytes of JSON, got 11"));
}

TEST(InferRequestTest, EveryTruncationAndEveryFlippedByteIsAnErrorOrARequest) {
  const std::string head =
      R"({"id": "1", "inputs": [{"name": "x", "datatype": "INT16", "shape": [1, 2], "data": [[1, 2]]},
          {"name": "y", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4}}]})";
  const std::string body = head + "1234";
  for (size_t i = 0; i < body.size(); ++i) {
    EXPECT_NE(
        error_of([&] { parse_infer_request(body.substr(0, i), std::to_string(std::min(i, head.size()))); }),
        "accepted");
    for (char flip : {'\x01', '\x20', '\x80'}) {
      std::string damaged = body;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      error_of([&] { parse_infer_request(damaged, std::to_string(head.size())); });
    }
  }
}

TEST(InOrderTest, FindsEveryInputByName) {
  const InferRequest request{.inputs = {{"b", kZ}, {"a", kY}}};
  EXPECT_TRUE(at::equal(in_order(model().inputs, request)[0], kY));
  auto error = [](std::vector<NamedTensor> inputs) {
    return error_of([&] { in_order(model().inputs, {.inputs = inputs}); });
  };
  EXPECT_THAT(error({{"a", kY}}), HasSubstr("expected an input 'b', got none"));
  EXPECT_THAT(error({{"a", kY}, {"a", kY}}), HasSubstr("'a' twice"));
  EXPECT_THAT(error({{"a", kY}, {"c", kZ}}), HasSubstr("got 'c'"));
}

TEST(InferResponseTest, WritesJson) {
  const Body body = write_infer_response(model(), {.id = "42"}, {kY, kZ});
  EXPECT_FALSE(body.json_bytes);
  EXPECT_EQ(json::parse(body.bytes),
            json::parse(R"({"model_name": "m", "model_version": "1", "id": "42", "outputs": [
      {"name": "y", "datatype": "FP32", "shape": [2, 2], "data": [0.5, 1.5, -2.0, 4.0]},
      {"name": "z", "datatype": "INT64", "shape": [2], "data": [7, -8]}]})"));
}

TEST(InferResponseTest, WritesBinaryTensorsAfterTheJson) {
  const InferRequest request{.outputs = {{"z", true}, {"y", false}}};
  const Body body = write_infer_response(model(), request, {kY.t(), kZ});
  EXPECT_EQ(body.bytes.substr(*body.json_bytes), bytes_of<int64_t>({7, -8}));
  EXPECT_EQ(json::parse(body.bytes.substr(0, *body.json_bytes))["outputs"], json::parse(R"([
      {"name": "z", "datatype": "INT64", "shape": [2], "parameters": {"binary_data_size": 16}},
      {"name": "y", "datatype": "FP32", "shape": [2, 2], "data": [0.5, -2.0, 1.5, 4.0]}])"));
}

TEST(InferResponseTest, RefusesAnOutputThatTheModelLacks) {
  EXPECT_THAT(error_of([] {
                write_infer_response(model(), {.outputs = {{"w", false}}}, {kY, kZ});
              }),
              HasSubstr("400 [infer outputs] expected names of the model's outputs, got 'w'"));
}

TEST(InferResponseTest, NumbersThatJsonLacksAreNull) {
  const at::Tensor nan = at::full({1, 2}, std::numeric_limits<double>::quiet_NaN(), at::kFloat);
  EXPECT_THAT(write_infer_response(model(), {}, {nan, kZ}).bytes, HasSubstr("[null,null]"));
}

TEST(MetadataTest, IsAsTheProtocolSays) {
  EXPECT_EQ(json::parse(server_metadata())["extensions"], json::parse(R"(["binary_tensor_data"])"));
  EXPECT_EQ(json::parse(model_metadata(model())),
            json::parse(R"({"name": "m", "versions": ["1"], "platform": "belfry",
      "inputs": [{"name": "a", "datatype": "FP32", "shape": [-1, 2]}, {"name": "b", "datatype": "INT64", "shape": [-1]}],
      "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]},
                  {"name": "z", "datatype": "INT64", "shape": [-1]}]})"));
  EXPECT_EQ(json::parse(error_body("\"a\" \xff"))["error"], "\"a\" \xef\xbf\xbd");
  EXPECT_EQ(json::parse(state_body("ready", true, "m")), json::parse(R"({"name": "m", "ready": true})"));
}

}  // namespace
}  // namespace kserve
