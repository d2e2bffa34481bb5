#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/graph/types.h"

/// The REST form of the Open Inference Protocol (KServe v2): bytes to structs and back, without any network.
/// https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
namespace kserve {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// What a client gets instead of a result.
class HttpError : public std::runtime_error {
 public:
  HttpError(int status, const std::string& message, Headers headers = {})
      : std::runtime_error(message), status(status), headers(std::move(headers)) {}
  int status;
  Headers headers;
};

struct ModelInfo {
  std::string name, version, platform;
  std::vector<belfry::TensorSpec> inputs, outputs;
};

struct NamedTensor {
  std::string name;
  at::Tensor value;
};

struct InferRequest {
  struct Output {
    std::string name;
    bool binary = false;
  };
  std::string id;
  std::vector<NamedTensor> inputs;
  /// What the client wants; empty: every output.
  std::vector<Output> outputs;
  /// The form of outputs where `outputs` is empty.
  bool binary_outputs = false;
};

struct ParseLimits {
  /// The JSON part may become up to 25 times as large in memory; binary tensors are copied once.
  size_t json_bytes = 4 << 20;
  /// Dimensions of a tensor, and levels of anything else in the JSON part.
  size_t nesting = 16;
};

/// A body, and the length of its JSON part where binary tensors follow it: the value of the header
/// Inference-Header-Content-Length.
struct Body {
  std::string bytes;
  std::optional<size_t> json_bytes;
};

/// Reads the body of POST .../infer. `json_bytes` is the header's text, nothing when there is none. Tensors
/// are given as JSON, flat or nested, or as the binary data extension, for the datatypes BOOL, UINT8, INT8,
/// INT16, INT32, INT64, FP32, FP64, and FP16 and BF16 in binary form only.
///
/// Throws HttpError: 400 for anything that is not as the protocol says, 413 above a limit. Allocates no more
/// than the body accounts for, whatever the body claims.
InferRequest parse_infer_request(std::string_view body, std::optional<std::string_view> json_bytes,
                                 const ParseLimits& limits = {});

/// The given tensors in the order of `specs`. Throws HttpError 400 when one is missing, unknown or given
/// twice.
std::vector<at::Tensor> in_order(const std::vector<belfry::TensorSpec>& specs, const InferRequest& request);

/// The answer to `request`; `outputs` in the model's order. A number that JSON cannot hold (nan, infinity) is
/// null. Throws HttpError 400 when the request wants an output that the model does not have.
Body write_infer_response(const ModelInfo& model, const InferRequest& request,
                          const std::vector<at::Tensor>& outputs);

std::string server_metadata();
std::string model_metadata(const ModelInfo& model);
/// {"error": message}
std::string error_body(std::string_view message);
/// {key: value}; and with `name` before it unless that is "".
std::string state_body(std::string_view key, bool value, std::string_view name = "");

}  // namespace kserve
