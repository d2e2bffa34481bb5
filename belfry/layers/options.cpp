#include "belfry/layers/options.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/ops/initializers.h"

namespace belfry {

namespace detail {
void throw_missing_option(const std::string& who, const char* option) {
  throw UsageError(
      fmt::format("[{}] expected .{} to be set, in the call or by an ArgScope, got nothing", who, option));
}

Initializer default_kernel_initializer() {
  return variance_scaling_initializer(
      {.scale = 2.0, .mode = FanMode::kIn, .distribution = Distribution::kUntruncatedNormal});
}
}  // namespace detail

DType variable_dtype(const std::string& who, const Tensor& x) {
  if (!c10::isFloatingType(x.dtype())) {
    throw UsageError(fmt::format("[{}] expected a floating-point input, got {}", who, describe(x)));
  }
  return x.dtype();
}

int64_t image_channels(const std::string& who, const Tensor& x, const std::string& data_format) {
  if (x.rank() != 4) throw UsageError(fmt::format("[{}] expected a 4-D input, got {}", who, describe(x)));
  const int64_t channels = x.dim(data_format == "NHWC" ? 3 : 1);
  if (channels == kDynamic) {
    throw UsageError(
        fmt::format("[{}] expected a static number of channels ({}), got {}", who, data_format, describe(x)));
  }
  return channels;
}

int64_t channels_of(const std::string& who, const Tensor& x, const std::string& data_format) {
  if (x.rank() == 4) return image_channels(who, x, data_format);
  if (x.rank() != 2 || x.dim(1) == kDynamic) {
    throw UsageError(
        fmt::format("[{}] expected a 4-D input, or a 2-D one with a static number of channels, got {}", who,
                    describe(x)));
  }
  return x.dim(1);
}

std::string padding_for_ops(const std::string& who, const std::string& padding) {
  if (padding == "same" || padding == "SAME") return "SAME";
  if (padding == "valid" || padding == "VALID") return "VALID";
  throw UsageError(fmt::format("[{}] expected padding \"same\" or \"valid\", got \"{}\"", who, padding));
}

std::string data_format_for_ops(const std::string& who, const std::string& data_format) {
  if (data_format == "channels_last" || data_format == "NHWC") return "NHWC";
  if (data_format == "channels_first" || data_format == "NCHW") return "NCHW";
  throw UsageError(fmt::format(
      "[{}] expected data_format \"channels_last\" or \"channels_first\", got \"{}\"", who, data_format));
}

}  // namespace belfry
