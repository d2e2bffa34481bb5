#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belfry {

/// A caffe.BlobProto of a layer: weights.
struct CaffeBlob {
  std::vector<int64_t> shape;
  /// The whole message, a view: its values are parse_caffe_blob() of it, when they are wanted.
  std::string_view message;
};

/// A layer of a caffe.NetParameter. `type` is Caffe's word of today ("Convolution"), also for layers of the
/// older form, which have numbers there: "V1 4" where the number is of no type with weights or known effect.
struct CaffeLayer {
  std::string name, type;
  std::vector<std::string> bottoms, tops;
  std::vector<CaffeBlob> blobs;
};

/// The layers of a .caffemodel, a caffe.NetParameter, in order. Throws DataError naming `where` when `bytes`
/// are no such message, hold layers of the oldest form (before 2014), or shapes that the blobs' sizes cannot
/// hold.
std::vector<CaffeLayer> parse_caffe_net(const std::string& where, std::string_view bytes);

}  // namespace belfry
