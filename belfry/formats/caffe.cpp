#include "belfry/formats/caffe.h"

#include <protozero/pbf_reader.hpp>

#include "belfry/base/error.h"

namespace belfry {
namespace {

// Field numbers of caffe.proto.
constexpr uint32_t kDatumChannels = 1, kDatumHeight = 2, kDatumWidth = 3, kDatumData = 4, kDatumLabel = 5,
                   kDatumEncoded = 7, kBlobData = 5;

}  // namespace

CaffeDatum parse_caffe_datum(const std::string& where, std::string_view bytes) {
  CaffeDatum datum;
  try {
    protozero::pbf_reader message(bytes.data(), bytes.size());
    while (message.next()) {
      switch (message.tag()) {
        case kDatumChannels:
          datum.channels = message.get_int32();
          break;
        case kDatumHeight:
          datum.height = message.get_int32();
          break;
        case kDatumWidth:
          datum.width = message.get_int32();
          break;
        case kDatumData: {
          const protozero::data_view data = message.get_view();
          datum.data = {data.data(), data.size()};
          break;
        }
        case kDatumLabel:
          datum.label = message.get_int32();
          break;
        case kDatumEncoded:
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

std::vector<float> parse_caffe_blob(const std::string& where, std::string_view bytes) {
  std::vector<float> values;
  try {
    protozero::pbf_reader message(bytes.data(), bytes.size());
    while (message.next(kBlobData)) {
      if (message.wire_type() == protozero::pbf_wire_type::length_delimited) {
        const auto packed = message.get_packed_float();
        values.insert(values.end(), packed.begin(), packed.end());
      } else {
        values.push_back(message.get_float());
      }
    }
  } catch (const protozero::exception& e) {
    throw DataError(where, std::string("expected a caffe.BlobProto, got: ") + e.what());
  }
  return values;
}

}  // namespace belfry
