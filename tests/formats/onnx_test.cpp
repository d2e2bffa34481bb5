#include "belfry/formats/onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

/// y = LeakyRelu(x) + c
OnnxModel small_model() {
  OnnxModel model;
  model.nodes = {
      {"LeakyRelu", "relu", {"x"}, {"r"}, {{"alpha", 0.5F}}},
      {"Add", "add", {"r", "c"}, {"y"}, {{"axes", std::vector<int64_t>{-1, 2}}, {"mode", "edge"}}}};
  model.initializers = {{{"c", DataType::kInt32, {2}}, std::string("\1\0\0\0\2\0\0\0", 8)}};
  model.inputs = {{"x", DataType::kFloat32, {"x.0", 2}}};
  model.outputs = {{"y", DataType::kFloat32, {}}};
  return model;
}

OnnxModel parse(const std::string& bytes) {
  return parse_onnx("model", as_byte_span(bytes));
}

TEST(OnnxTest, AModelComesBackAsItWasWritten) {
  const OnnxModel model = parse(serialize_onnx(small_model()));
  EXPECT_EQ(model.ir_version, 8);
  EXPECT_EQ(model.opset, 17);
  ASSERT_EQ(model.nodes.size(), 2);
  EXPECT_EQ(model.nodes[0].op, "LeakyRelu");
  EXPECT_EQ(std::get<float>(model.nodes[0].attributes.at(0).value), 0.5F);
  EXPECT_THAT(model.nodes[1].inputs, ElementsAre("r", "c"));
  EXPECT_THAT(std::get<std::vector<int64_t>>(model.nodes[1].attributes.at(0).value), ElementsAre(-1, 2));
  EXPECT_EQ(std::get<std::string>(model.nodes[1].attributes.at(1).value), "edge");
  EXPECT_EQ(model.initializers.at(0).bytes, small_model().initializers[0].bytes);
  EXPECT_THAT(model.initializers[0].info.shape, ElementsAre(2));
  EXPECT_EQ(model.inputs.at(0).shape, (std::vector<OnnxValue::Size>{"x.0", 2}));
  EXPECT_THAT(model.outputs.at(0).shape, testing::IsEmpty());
}

TEST(OnnxTest, ATypeThatOnnxHasNotIsAUsageError) {
  OnnxModel model = small_model();
  model.inputs[0].dtype = DataType::kQInt8;
  EXPECT_THAT(message_of<UsageError>([&] { serialize_onnx(model); }), HasSubstr("[onnx x]"));
}

TEST(OnnxTest, ATensorOfAnotherLengthThanItsShapeIsADataError) {
  OnnxModel model = small_model();
  model.initializers[0].bytes.pop_back();
  EXPECT_THAT(message_of<DataError>([&] { parse(serialize_onnx(model)); }),
              HasSubstr("7 bytes for the tensor c, which is int32 [2]"));
}

TEST(OnnxTest, BytesKeptInAnotherFileKeepTheirPlace) {
  OnnxModel model = small_model();
  model.initializers[0].bytes.clear();
  model.initializers[0].external = {"weights/c", 4096, 8};
  const OnnxTensor tensor = parse(serialize_onnx(model)).initializers.at(0);
  EXPECT_THAT(tensor.bytes, testing::IsEmpty());
  ASSERT_TRUE(tensor.external.has_value());
  EXPECT_EQ(tensor.external->file, "weights/c");
  EXPECT_EQ(tensor.external->offset, 4096u);
  EXPECT_EQ(tensor.external->length, 8u);
}

TEST(OnnxTest, TruncatedAndAlteredBytesAreDataErrorsOrModels) {
  const std::string whole = serialize_onnx(small_model());
  for (size_t i = 0; i < whole.size(); ++i) {
    for (std::string bytes : {whole.substr(0, i), std::string(whole).replace(i, 1, 1, '\xff')}) {
      try {
        parse(bytes);
      } catch (const DataError&) {
      }
    }
  }
}

}  // namespace
}  // namespace belfry
