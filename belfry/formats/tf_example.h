#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "belfry/base/file_system.h"

namespace belfry {

/// One feature of a tf.train.Example. Bytes are views.
using TFFeature = std::variant<std::vector<std::string_view>, std::vector<float>, std::vector<int64_t>>;

/// A tf.train.Example: features by name.
using TFExample = std::map<std::string, TFFeature, std::less<>>;

/// The example in a record; its bytes are views of `record`. Features without a value are left out. Throws
/// DataError naming `where` when the record is no such message.
TFExample parse_tf_example(const std::string& where, std::string_view record);

/// The message that TensorFlow's parsers read.
std::string serialize_tf_example(const TFExample& example);

}  // namespace belfry
