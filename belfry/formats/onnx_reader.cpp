#include <fmt/format.h>

#include <charconv>
#include <protozero/pbf_reader.hpp>
#include <unordered_set>

#include "belfry/base/error.h"
#include "belfry/formats/file_kind.h"
#include "belfry/formats/internal/onnx_fields.h"
#include "belfry/formats/onnx.h"

// Protobuf messages of onnx.proto3 (field numbers in onnx_fields.h) to structs. Fields that do not matter
// are passed over; what would change a model's meaning and is not read (functions, sparse tensors, other
// domains) is an error. The number of parts is bounded by the file's size, since a part takes many times its
// bytes.
namespace belfry {

using namespace internal;

namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
namespace field = onnx_field;

constexpr uint32_t varint(uint32_t number) {
  return protozero::tag_and_type(number, pbf_wire_type::varint);
}
constexpr uint32_t bytes(uint32_t number) {
  return protozero::tag_and_type(number, pbf_wire_type::length_delimited);
}
constexpr uint32_t fixed32(uint32_t number) {
  return protozero::tag_and_type(number, pbf_wire_type::fixed32);
}

// A node, attribute, tensor or value takes about 200 bytes, and may be 2 in the file. Honest ones have names.
constexpr uint64_t kFreeParts = 1 << 17, kBytesPerPart = 8;
constexpr size_t kMaxRank = 64;

template <typename T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

class Parser {
 public:
  Parser(const std::string& where, uint64_t size)
      : where_(where), parts_left_(kFreeParts + size / kBytesPerPart) {}

  OnnxModel model(pbf_reader message) {
    OnnxModel model;
    model.ir_version = model.opset = 0;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case varint(field::model::kIrVersion):
          model.ir_version = message.get_int64();
          break;
        case bytes(field::model::kProducerName):
          model.producer = message.get_string();
          break;
        case bytes(field::model::kGraph):
          graph(message.get_message(), model);
          break;
        case bytes(field::model::kOpsetImport):
          opset(message.get_message(), model);
          break;
        case bytes(field::model::kFunctions):
          fail("has functions of its own");
        default:
          message.skip();
      }
    }
    const std::unordered_set<std::string> constants = [&] {
      std::unordered_set<std::string> names;
      for (const OnnxTensor& tensor : model.initializers) names.insert(tensor.info.name);
      return names;
    }();
    std::erase_if(model.inputs, [&](const OnnxValue& value) { return constants.contains(value.name); });
    return model;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw DataError(where_, "the ONNX model " + what); }

  void count_part() {
    if (parts_left_-- == 0) fail("has more nodes, attributes and tensors than fit its size");
  }
  void check_rank(size_t rank) const {
    if (rank > kMaxRank) fail(fmt::format("has a shape of more than {} dimensions", kMaxRank));
  }

  void opset(pbf_reader message, OnnxModel& model) {
    std::string domain;
    int64_t version = 0;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes(field::opset::kDomain):
          domain = message.get_string();
          break;
        case varint(field::opset::kVersion):
          version = message.get_int64();
          break;
        default:
          message.skip();
      }
    }
    if (domain.empty() || domain == "ai.onnx") model.opset = version;
  }

  void graph(pbf_reader message, OnnxModel& model) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes(field::graph::kNode):
          model.nodes.push_back(node(message.get_message()));
          break;
        case bytes(field::graph::kName):
          model.graph_name = message.get_string();
          break;
        case bytes(field::graph::kInitializer):
          model.initializers.push_back(tensor(message.get_message()));
          break;
        case bytes(field::graph::kInput):
          model.inputs.push_back(value(message.get_message()));
          break;
        case bytes(field::graph::kOutput):
          model.outputs.push_back(value(message.get_message()));
          break;
        case bytes(field::graph::kSparseInitializer):
          fail("has sparse tensors");
        default:
          message.skip();
      }
    }
  }

  OnnxNode node(pbf_reader message) {
    count_part();
    OnnxNode node;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes(field::node::kInput):
          node.inputs.push_back(message.get_string());
          break;
        case bytes(field::node::kOutput):
          node.outputs.push_back(message.get_string());
          break;
        case bytes(field::node::kName):
          node.name = message.get_string();
          break;
        case bytes(field::node::kOpType):
          node.op = message.get_string();
          break;
        case bytes(field::node::kAttribute):
          node.attributes.push_back(attribute(message.get_message()));
          break;
        case bytes(field::node::kDomain):
          if (const std::string domain = message.get_string(); !domain.empty() && domain != "ai.onnx")
            fail("has operators of the domain " + domain);
          break;
        default:
          message.skip();
      }
    }
    return node;
  }

  OnnxAttribute attribute(pbf_reader message) {
    count_part();
    OnnxAttribute attribute{"", int64_t{0}};
    int32_t type = 0;
    float real = 0;
    int64_t integer = 0;
    std::string text;
    OnnxTensor constant;
    std::vector<float> reals;
    std::vector<int64_t> integers;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes(field::attribute::kName):
          attribute.name = message.get_string();
          break;
        case varint(field::attribute::kType):
          type = message.get_int32();
          break;
        case fixed32(field::attribute::kFloat):
          real = message.get_float();
          break;
        case varint(field::attribute::kInt):
          integer = message.get_int64();
          break;
        case bytes(field::attribute::kString):
          text = message.get_bytes();
          break;
        case bytes(field::attribute::kTensor):
          constant = tensor(message.get_message());
          break;
        case fixed32(field::attribute::kFloats):
          reals.push_back(message.get_float());
          break;
        case bytes(field::attribute::kFloats):
          for (float value : message.get_packed_float()) reals.push_back(value);
          break;
        case varint(field::attribute::kInts):
          integers.push_back(message.get_int64());
          break;
        case bytes(field::attribute::kInts):
          for (int64_t value : message.get_packed_int64()) integers.push_back(value);
          break;
        default:
          message.skip();
      }
    }
    switch (type) {
      case field::attribute::kFloatType:
        attribute.value = real;
        break;
      case field::attribute::kIntType:
        attribute.value = integer;
        break;
      case field::attribute::kStringType:
        attribute.value = std::move(text);
        break;
      case field::attribute::kTensorType:
        attribute.value = std::move(constant);
        break;
      case field::attribute::kFloatsType:
        attribute.value = std::move(reals);
        break;
      case field::attribute::kIntsType:
        attribute.value = std::move(integers);
        break;
      default:
        fail(fmt::format("has the attribute {} of type {}", attribute.name, type));
    }
    return attribute;
  }

  uint64_t number(const std::string& text) const {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      fail(fmt::format("has the place '{}' for a tensor in another file", text));
    return value;
  }

  /// One of the pairs that say where bytes are. ONNX has more of them, which may be passed over.
  void external_entry(pbf_reader message, OnnxExternalBytes& place, bool& has_length) {
    std::string key, value;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes(field::tensor::kEntryKey):
          key = message.get_string();
          break;
        case bytes(field::tensor::kEntryValue):
          value = message.get_string();
          break;
        default:
          message.skip();
      }
    }
    if (key == "location") place.file = value;
    if (key == "offset") place.offset = number(value);
    if (key == "length") place.length = number(value);
    has_length = has_length || key == "length";
  }

  OnnxTensor tensor(pbf_reader message) {
    count_part();
    OnnxTensor tensor;
    OnnxExternalBytes external;
    bool is_external = false, has_length = false;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case varint(field::tensor::kDims):
          tensor.info.shape.push_back(message.get_int64());
          break;
        case bytes(field::tensor::kDims):
          for (int64_t size : message.get_packed_int64()) tensor.info.shape.push_back(size);
          break;
        case varint(field::tensor::kDataType):
          tensor.info.dtype = field::to_dtype(message.get_int32());
          break;
        case bytes(field::tensor::kName):
          tensor.info.name = message.get_string();
          break;
        case bytes(field::tensor::kRawData):
          tensor.bytes = message.get_bytes();
          break;
        case bytes(field::tensor::kFloatData):
          for (float value : message.get_packed_float()) append(tensor.bytes, value);
          break;
        case bytes(field::tensor::kDoubleData):
          for (double value : message.get_packed_double()) append(tensor.bytes, value);
          break;
        case bytes(field::tensor::kInt64Data):
          for (int64_t value : message.get_packed_int64()) append(tensor.bytes, value);
          break;
        case bytes(field::tensor::kInt32Data):
          // Holds every integer type up to 32 bits; their width is known from the type, which comes before.
          for (int32_t value : message.get_packed_int32())
            tensor.bytes.append(reinterpret_cast<const char*>(&value),
                                std::min(size_of(tensor.info.dtype), sizeof value));
          break;
        case bytes(field::tensor::kExternalData):
          external_entry(message.get_message(), external, has_length);
          break;
        case varint(field::tensor::kDataLocation):
          is_external = message.get_int32() == field::tensor::kExternal;
          break;
        default:
          message.skip();
      }
    }
    check_rank(tensor.info.shape.size());
    const auto needed = byte_size(tensor.info.dtype, tensor.info.shape);
    if (is_external) {
      if (!has_length) external.length = needed.value_or(0);
      tensor.external = external;
    }
    const uint64_t given = is_external ? external.length : tensor.bytes.size();
    if (needed != given) {
      fail(fmt::format("has {} bytes for the tensor {}, which is {}", given, tensor.info.name,
                       describe(tensor.info.dtype, tensor.info.shape)));
    }
    return tensor;
  }

  OnnxValue value(pbf_reader message) {
    count_part();
    OnnxValue value;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes(field::value::kName):
          value.name = message.get_string();
          break;
        case bytes(field::value::kType): {
          pbf_reader type = message.get_message();
          while (type.next(field::value::kTypeTensor, pbf_wire_type::length_delimited))
            tensor_type(type.get_message(), value);
          break;
        }
        default:
          message.skip();
      }
    }
    return value;
  }

  void tensor_type(pbf_reader message, OnnxValue& value) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case varint(field::value::kElementType):
          value.dtype = field::to_dtype(message.get_int32());
          break;
        case bytes(field::value::kShape): {
          pbf_reader shape = message.get_message();
          while (shape.next(field::value::kDim, pbf_wire_type::length_delimited)) {
            value.shape.push_back(size(shape.get_message()));
            check_rank(value.shape.size());
          }
          break;
        }
        default:
          message.skip();
      }
    }
  }

  OnnxValue::Size size(pbf_reader message) {
    OnnxValue::Size size{std::string()};
    while (message.next()) {
      switch (message.tag_and_type()) {
        case varint(field::value::kDimValue):
          size = message.get_int64();
          break;
        case bytes(field::value::kDimName):
          size = message.get_string();
          break;
        default:
          message.skip();
      }
    }
    return size;
  }

  const std::string& where_;
  uint64_t parts_left_;
};

}  // namespace

OnnxModel parse_onnx(const std::string& where, ByteSpan content) {
  try {
    return Parser(where, content.size())
        .model(pbf_reader(reinterpret_cast<const char*>(content.data()), content.size()));
  } catch (const protozero::exception& e) {
    throw DataError(where, std::string("the ONNX model is damaged: ").append(e.what()) + looks_like(content));
  }
}

}  // namespace belfry
