#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/predict/batching_predictor.h"
#include "protocol.h"

namespace kserve {

struct HttpRequest {
  /// "GET"
  std::string method;
  /// "/v2/models/digits"; no query.
  std::string path;
  /// The header Inference-Header-Content-Length.
  std::optional<std::string> json_bytes;
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  Headers headers = {};
  std::string body = {};
};

/// Answers the protocol's requests for one model, and GET /metrics. It knows no sockets. All methods are safe
/// from any thread.
class InferenceService {
 public:
  /// The predictor must outlive the service.
  InferenceService(ModelInfo model, belfry::BatchingPredictor& predictor, ParseLimits limits = {});

  /// Never throws: what goes wrong becomes {"error": ...} with a status. 400: the request is not as the
  /// protocol or the model says; 404: no such path or model; 405: not with this method; 413: too large; 503:
  /// busy or stopping; 500: anything else.
  HttpResponse handle(const HttpRequest& request);
  /// An error that was found before there was a whole request; counted as the others.
  HttpResponse refuse(const HttpError& error);

  /// Initially ready. A load balancer sends nothing to a server that is not; requests are still answered.
  void set_ready(bool ready) { ready_ = ready; }

 private:
  HttpResponse route(const HttpRequest& request);
  HttpResponse route_model(const HttpRequest& request, std::vector<std::string_view> parts);
  HttpResponse infer(const HttpRequest& request);
  HttpResponse count(HttpResponse response);

  const ModelInfo model_;
  belfry::BatchingPredictor& predictor_;
  const ParseLimits limits_;
  std::atomic<bool> ready_ = true;
  std::mutex mutex_;
  std::map<int, uint64_t> responses_;  // by status; guarded by mutex_
};

}  // namespace kserve
