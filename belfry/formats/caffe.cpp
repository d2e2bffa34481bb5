#include "belfry/formats/caffe.h"

#include <protozero/pbf_reader.hpp>

#include "belfry/base/error.h"

namespace belfry {
namespace {

// Field numbers of caffe.proto.
constexpr uint32_t kDatumChannels = 1, kDatumHeight = 2, kDatumWidth = 3, kDatumData = 4, kDatumLabel = 5,
                   kDatumEncoded = 7, kBlobData = 5, kBlobDoubleData = 8;

// Only the tag tells how a value is stored: one of another wire type than the field has is skipped.
constexpr uint32_t varint(uint32_t number) {
  return protozero::tag_and_type(number, protozero::pbf_wire_type::varint);
}
constexpr uint32_t bytes(uint32_t number) {
  return protozero::tag_and_type(number, protozero::pbf_wire_type::length_delimited);
}

}  // namespace

CaffeDatum parse_caffe_datum(const std::string& where, std::string_view content) {
  CaffeDatum datum;
  try {
    protozero::pbf_reader message(content.data(), content.size());
    while (message.next()) {
      switch (message.tag_and_type()) {
        case varint(kDatumChannels):
          datum.channels = message.get_int32();
          break;
        case varint(kDatumHeight):
          datum.height = message.get_int32();
          break;
        case varint(kDatumWidth):
          datum.width = message.get_int32();
          break;
        case bytes(kDatumData): {
          const protozero::data_view data = message.get_view();
          datum.data = {data.data(), data.size()};
          break;
        }
        case varint(kDatumLabel):
          datum.label = message.get_int32();
          break;
        case varint(kDatumEncoded):
          datum.encoded = message.get_bool();
          break;
        default:
          message.skip();
      }
    }
  } catch (const protozero::exception& e) {
    throw DataError(where, std::string("expected a caffe.Datum, got: ") + e.what());
  }
  return datum;
}

std::vector<float> parse_caffe_blob(const std::string& where, std::string_view content) {
  std::vector<float> values;
  try {
    protozero::pbf_reader message(content.data(), content.size());
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes(kBlobData): {
          const auto packed = message.get_packed_float();
          values.insert(values.end(), packed.begin(), packed.end());
          break;
        }
        case protozero::tag_and_type(kBlobData, protozero::pbf_wire_type::fixed32):
          values.push_back(message.get_float());
          break;
        case bytes(kBlobDoubleData):
          for (double value : message.get_packed_double()) values.push_back(static_cast<float>(value));
          break;
        case protozero::tag_and_type(kBlobDoubleData, protozero::pbf_wire_type::fixed64):
          values.push_back(static_cast<float>(message.get_double()));
          break;
        default:
          message.skip();
      }
    }
  } catch (const protozero::exception& e) {
    throw DataError(where, std::string("expected a caffe.BlobProto, got: ") + e.what());
  }
  return values;
}

}  // namespace belfry
