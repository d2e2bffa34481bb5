#include "server/service.h"

#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "metrics.h"

namespace kserve {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

void expect_method(const HttpRequest& request, std::string_view method) {
  if (request.method != method) {
    throw HttpError(405,
                    fmt::format("[{:.100}] expected {}, got {:.20}", request.path, method, request.method),
                    {{"Allow", std::string(method)}});
  }
}

HttpError unavailable(const std::string& message) {
  return HttpError(503, message, {{"Retry-After", "1"}});
}

[[noreturn]] void not_found(const HttpRequest& request) {
  throw HttpError(404, fmt::format("[{:.100}] expected a path of the v2 protocol or /metrics", request.path));
}

HttpResponse state(const HttpRequest& request, std::string_view key, bool value, std::string_view name = "") {
  expect_method(request, "GET");
  return {.status = value ? 200 : 503, .body = state_body(key, value, name)};
}

}  // namespace

InferenceService::InferenceService(ModelInfo model, belfry::BatchingPredictor& predictor, ParseLimits limits)
    : model_(std::move(model)), predictor_(predictor), limits_(limits) {}

HttpResponse InferenceService::handle(const HttpRequest& request) {
  try {
    return count(route(request));
  } catch (const HttpError& error) {
    return refuse(error);
  } catch (const belfry::UsageError& error) {
    return refuse(HttpError(400, error.what()));
  } catch (const belfry::CancelledError& error) {
    return refuse(unavailable(error.what()));
  } catch (const std::exception& error) {
    return refuse(HttpError(500, error.what()));
  }
}

HttpResponse InferenceService::refuse(const HttpError& error) {
  return count({.status = error.status, .headers = error.headers, .body = error_body(error.what())});
}

HttpResponse InferenceService::count(HttpResponse response) {
  std::lock_guard lock(mutex_);
  ++responses_[response.status];
  return response;
}

HttpResponse InferenceService::route(const HttpRequest& request) {
  const std::vector<std::string_view> parts = split(request.path);
  if (request.path == "/metrics") {
    expect_method(request, "GET");
    std::lock_guard lock(mutex_);
    return {.content_type = "text/plain; version=0.0.4",
            .body = prometheus_text(model_.name, predictor_.stats(), responses_)};
  }
  if (request.path == "/v2") {
    expect_method(request, "GET");
    return {.body = server_metadata()};
  }
  if (request.path == "/v2/health/live") return state(request, "live", true);
  if (request.path == "/v2/health/ready") return state(request, "ready", ready_);
  if (parts.size() >= 3 && parts[0] == "v2" && parts[1] == "models") {
    return route_model(request, {parts.begin() + 2, parts.end()});
  }
  not_found(request);
}

/// `parts`: NAME[/versions/VERSION][/ready|/infer]
HttpResponse InferenceService::route_model(const HttpRequest& request, std::vector<std::string_view> parts) {
  if (parts[0] != model_.name) {
    throw HttpError(404, fmt::format("[models] expected '{}', got '{:.100}'", model_.name, parts[0]));
  }
  parts.erase(parts.begin());
  if (parts.size() >= 2 && parts[0] == "versions") {
    if (parts[1] != model_.version) {
      throw HttpError(404, fmt::format("[models {}] expected version '{}', got '{:.100}'", model_.name,
                                       model_.version, parts[1]));
    }
    parts.erase(parts.begin(), parts.begin() + 2);
  }
  if (parts.empty()) {
    expect_method(request, "GET");
    return {.body = model_metadata(model_)};
  }
  if (parts.size() == 1 && parts[0] == "ready") return state(request, "ready", ready_, model_.name);
  if (parts.size() == 1 && parts[0] == "infer") return infer(request);
  not_found(request);
}

HttpResponse InferenceService::infer(const HttpRequest& request) {
  expect_method(request, "POST");
  const InferRequest wanted = parse_infer_request(request.body, request.json_bytes, limits_);
  auto result = predictor_.try_submit_rows(in_order(model_.inputs, wanted));
  if (!result) throw unavailable("[infer] expected room in the queue, got none: the server is busy");
  Body body = write_infer_response(model_, wanted, result->get());
  HttpResponse response{.body = std::move(body.bytes)};
  if (body.json_bytes) {
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("Inference-Header-Content-Length", std::to_string(*body.json_bytes));
  }
  return response;
}

}  // namespace kserve
