#include "belfry/formats/caffe_model.h"

#include <fmt/format.h>

#include <optional>
#include <protozero/pbf_reader.hpp>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/formats/array_info.h"

// caffe.proto of BVLC Caffe 1.0: NetParameter with `layer` (LayerParameter) or, in files from before 2015,
// `layers` (V1LayerParameter).
namespace belfry {
namespace {

constexpr uint32_t kNetV1Layers = 2, kNetLayer = 100;
constexpr uint32_t kLayerName = 1, kLayerType = 2, kLayerBottom = 3, kLayerTop = 4, kLayerBlobs = 7;
constexpr uint32_t kV1Layer = 1, kV1Bottom = 2, kV1Top = 3, kV1Name = 4, kV1Type = 5, kV1Blobs = 6;
constexpr uint32_t kBlobNum = 1, kBlobWidth = 4, kBlobShape = 7, kShapeDim = 1;

// V1LayerParameter.LayerType.
constexpr std::pair<int32_t, const char*> kV1Types[] = {
    {3, "Concat"},        {4, "Convolution"}, {5, "Data"},     {6, "Dropout"},  {8, "Flatten"},
    {14, "InnerProduct"}, {15, "LRN"},        {17, "Pooling"}, {18, "ReLU"},    {19, "Sigmoid"},
    {20, "Softmax"},      {22, "Split"},      {23, "TanH"},    {25, "Eltwise"}, {39, "Deconvolution"},
};

// A layer takes a hundred times the memory of its shortest message. Beyond the first, each needs as many
// bytes.
constexpr size_t kFreeLayers = 1 << 14, kBytesPerLayer = 64;
// A blob of Caffe's has up to 32 dimensions.
constexpr size_t kMaxDimensions = 32;

using Wire = protozero::pbf_wire_type;
using Reader = protozero::pbf_reader;

constexpr uint32_t varint(uint32_t number) {
  return protozero::tag_and_type(number, Wire::varint);
}
constexpr uint32_t bytes(uint32_t number) {
  return protozero::tag_and_type(number, Wire::length_delimited);
}

std::string_view view(Reader& message) {
  const protozero::data_view data = message.get_view();
  return {data.data(), data.size()};
}

std::string type_of_v1(int32_t number) {
  for (auto [known, type] : kV1Types) {
    if (known == number) return type;
  }
  return fmt::format("V1 {}", number);
}

class Parser {
 public:
  Parser(const std::string& where, std::string_view content) : where_(where), content_(content) {}

  std::vector<CaffeLayer> layers() {
    std::vector<CaffeLayer> layers;
    Reader net(content_.data(), content_.size());
    while (net.next()) {
      const bool is_v1 = net.tag_and_type() == bytes(kNetV1Layers);
      if (!is_v1 && net.tag_and_type() != bytes(kNetLayer)) {
        net.skip();
        continue;
      }
      count_part();
      const std::string_view message = view(net);
      layers.push_back(is_v1 ? v1_layer(message) : layer(message));
    }
    return layers;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw DataError(where_, what); }

  void count_part() {
    if (++parts_ > kFreeLayers + content_.size() / kBytesPerLayer)
      fail("expected fewer layers and blobs, got more than fit the size of the file");
  }
  std::string text(Reader& message) {
    count_part();
    return std::string(view(message));
  }

  CaffeLayer layer(std::string_view content) {
    CaffeLayer layer;
    Reader message(content.data(), content.size());
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes(kLayerName):
          layer.name = view(message);
          break;
        case bytes(kLayerType):
          layer.type = view(message);
          break;
        case bytes(kLayerBottom):
          layer.bottoms.push_back(text(message));
          break;
        case bytes(kLayerTop):
          layer.tops.push_back(text(message));
          break;
        case bytes(kLayerBlobs):
          layer.blobs.push_back(blob(view(message), layer.name));
          break;
        default:
          message.skip();
      }
    }
    return layer;
  }

  CaffeLayer v1_layer(std::string_view content) {
    CaffeLayer layer;
    Reader message(content.data(), content.size());
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes(kV1Layer):
          fail("expected layers of Caffe 2014 or later, got the form from before (V0LayerParameter)");
        case bytes(kV1Name):
          layer.name = view(message);
          break;
        case varint(kV1Type):
          layer.type = type_of_v1(message.get_enum());
          break;
        case bytes(kV1Bottom):
          layer.bottoms.push_back(text(message));
          break;
        case bytes(kV1Top):
          layer.tops.push_back(text(message));
          break;
        case bytes(kV1Blobs):
          layer.blobs.push_back(blob(view(message), layer.name));
          break;
        default:
          message.skip();
      }
    }
    return layer;
  }

  CaffeBlob blob(std::string_view content, const std::string& layer) {
    count_part();
    CaffeBlob blob{{}, content};
    std::vector<int64_t> four_sizes;  // num, channels, height and width, before blobs had shapes
    Reader message(content.data(), content.size());
    while (message.next()) {
      const uint32_t tag = message.tag();
      if (message.tag_and_type() == bytes(kBlobShape)) {
        read_shape(view(message), blob.shape);
      } else if (tag >= kBlobNum && tag <= kBlobWidth && message.wire_type() == Wire::varint) {
        four_sizes.resize(4, 1);
        four_sizes[tag - kBlobNum] = message.get_int32();
      } else {
        message.skip();
      }
    }
    if (!four_sizes.empty()) blob.shape = std::move(four_sizes);
    const std::optional<uint64_t> count = element_count(blob.shape);
    if (!count || *count > content.size() / sizeof(float) || blob.shape.size() > kMaxDimensions)
      fail(fmt::format("expected the values of a blob {} of layer '{}', got {} bytes",
                       describe(DataType::kFloat32, blob.shape), layer, content.size()));
    return blob;
  }

  static void read_shape(std::string_view content, std::vector<int64_t>& shape) {
    Reader message(content.data(), content.size());
    while (message.next()) {
      if (message.tag_and_type() == bytes(kShapeDim)) {
        for (int64_t size : message.get_packed_int64()) add_size(shape, size);
      } else if (message.tag_and_type() == varint(kShapeDim)) {
        add_size(shape, message.get_int64());
      } else {
        message.skip();
      }
    }
  }
  // One more than are allowed is enough to refuse it.
  static void add_size(std::vector<int64_t>& shape, int64_t size) {
    if (shape.size() <= kMaxDimensions) shape.push_back(size);
  }

  const std::string& where_;
  std::string_view content_;
  size_t parts_ = 0;  // layers, blobs and names
};

}  // namespace

std::vector<CaffeLayer> parse_caffe_net(const std::string& where, std::string_view content) {
  try {
    std::vector<CaffeLayer> layers = Parser(where, content).layers();
    if (layers.empty()) throw DataError(where, "expected a caffemodel, got a message without layers");
    return layers;
  } catch (const protozero::exception& e) {
    throw DataError(where, std::string("expected a caffemodel (caffe.NetParameter), got: ") + e.what());
  }
}

}  // namespace belfry
