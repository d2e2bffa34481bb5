#include "belfry/formats/tf_example.h"

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "belfry/base/error.h"

namespace belfry {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::pbf_writer;

// Field numbers of example.proto and feature.proto.
constexpr uint32_t kFeatures = 1, kEntry = 1, kKey = 1, kValue = 2, kBytesList = 1, kFloatList = 2,
                   kInt64List = 3, kListValue = 1;

std::string_view view(pbf_reader& reader) {
  const protozero::data_view data = reader.get_view();
  return {data.data(), data.size()};
}

// Only the tag tells how a value is stored: one of another wire type than the field has is skipped.
constexpr uint32_t bytes(uint32_t number) {
  return protozero::tag_and_type(number, pbf_wire_type::length_delimited);
}

std::vector<std::string_view> bytes_list(pbf_reader list) {
  std::vector<std::string_view> values;
  while (list.next(kListValue, pbf_wire_type::length_delimited)) values.push_back(view(list));
  return values;
}

// Numbers are written packed, but readers of protobuf take both forms.
std::vector<float> float_list(pbf_reader list) {
  std::vector<float> values;
  while (list.next()) {
    switch (list.tag_and_type()) {
      case bytes(kListValue): {
        const auto packed = list.get_packed_float();
        values.insert(values.end(), packed.begin(), packed.end());
        break;
      }
      case protozero::tag_and_type(kListValue, pbf_wire_type::fixed32):
        values.push_back(list.get_float());
        break;
      default:
        list.skip();
    }
  }
  return values;
}

std::vector<int64_t> int64_list(pbf_reader list) {
  std::vector<int64_t> values;
  while (list.next()) {
    switch (list.tag_and_type()) {
      case bytes(kListValue): {
        const auto packed = list.get_packed_int64();
        values.insert(values.end(), packed.begin(), packed.end());
        break;
      }
      case protozero::tag_and_type(kListValue, pbf_wire_type::varint):
        values.push_back(list.get_int64());
        break;
      default:
        list.skip();
    }
  }
  return values;
}

void parse_entry(pbf_reader entry, TFExample& example) {
  std::string key;
  pbf_reader feature;
  while (entry.next()) {
    switch (entry.tag_and_type()) {
      case bytes(kKey):
        key = view(entry);
        break;
      case bytes(kValue):
        feature = entry.get_message();
        break;
      default:
        entry.skip();
    }
  }
  while (feature.next()) {
    switch (feature.tag_and_type()) {
      case bytes(kBytesList):
        example[key] = bytes_list(feature.get_message());
        break;
      case bytes(kFloatList):
        example[key] = float_list(feature.get_message());
        break;
      case bytes(kInt64List):
        example[key] = int64_list(feature.get_message());
        break;
      default:
        feature.skip();
    }
  }
}

}  // namespace

TFExample parse_tf_example(const std::string& where, std::string_view record) {
  TFExample example;
  try {
    pbf_reader message(record.data(), record.size());
    while (message.next(kFeatures, pbf_wire_type::length_delimited)) {
      pbf_reader features = message.get_message();
      while (features.next(kEntry, pbf_wire_type::length_delimited))
        parse_entry(features.get_message(), example);
    }
  } catch (const protozero::exception& e) {
    throw DataError(where, std::string("expected a tf.train.Example, got: ") + e.what());
  }
  return example;
}

std::string serialize_tf_example(const TFExample& example) {
  std::string out;
  pbf_writer message(out);
  pbf_writer features(message, kFeatures);
  for (const auto& [key, values] : example) {
    pbf_writer entry(features, kEntry);
    entry.add_string(kKey, key);
    pbf_writer feature(entry, kValue);
    if (const auto* bytes = std::get_if<std::vector<std::string_view>>(&values)) {
      pbf_writer list(feature, kBytesList);
      for (std::string_view value : *bytes) list.add_bytes(kListValue, value.data(), value.size());
    } else if (const auto* floats = std::get_if<std::vector<float>>(&values)) {
      pbf_writer list(feature, kFloatList);
      list.add_packed_float(kListValue, floats->begin(), floats->end());
    } else {
      const auto& integers = std::get<std::vector<int64_t>>(values);
      pbf_writer list(feature, kInt64List);
      list.add_packed_int64(kListValue, integers.begin(), integers.end());
    }
  }
  return out;
}

}  // namespace belfry
