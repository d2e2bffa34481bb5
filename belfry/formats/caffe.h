#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belfry {

// Two messages of Caffe's that data sets come in.

/// caffe.Datum: one image of `channels` planes of `height` x `width` bytes, or an encoded one in `data`, and
/// its label. `data` is a view.
struct CaffeDatum {
  int64_t channels = 0, height = 0, width = 0, label = 0;
  std::string_view data;
  bool encoded = false;
};

/// Throws DataError naming `where` when `bytes` are no such message.
CaffeDatum parse_caffe_datum(const std::string& where, std::string_view bytes);

/// The values of a caffe.BlobProto, of doubles too. Throws DataError naming `where` when `bytes` are no such
/// message.
std::vector<float> parse_caffe_blob(const std::string& where, std::string_view bytes);

}  // namespace belfry
