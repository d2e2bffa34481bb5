#include "server/service.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sum.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/serve/doubling_model.h"

namespace kserve {
namespace {

using nlohmann::json;
using test::DoublingModel;
using test::row;
using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

class ServiceTest : public testing::Test {
 protected:
  void TearDown() override { model->hold(false); }

  HttpResponse get(const std::string& path) { return service.handle({.method = "GET", .path = path}); }
  HttpResponse post(const std::string& body, const std::string& path = "/v2/models/double/infer") {
    return service.handle({.method = "POST", .path = path, .body = body});
  }

  std::shared_ptr<DoublingModel> model = std::make_shared<DoublingModel>();
  belfry::BatchingPredictor predictor{
      model, {.max_batch = 2, .max_queue = 2, .inputs = DoublingModel::info().inputs}};
  InferenceService service{DoublingModel::info(), predictor};
};

TEST_F(ServiceTest, AnswersEveryPathOfTheProtocol) {
  EXPECT_EQ(json::parse(get("/v2").body)["name"], "belfry");
  EXPECT_EQ(get("/v2/health/live").body, R"({"live":true})");
  EXPECT_EQ(get("/v2/health/ready").body, R"({"ready":true})");
  EXPECT_EQ(json::parse(get("/v2/models/double").body)["inputs"][0]["shape"], json({-1, 2}));
  EXPECT_EQ(get("/v2/models/double/versions/1").status, 200);
  EXPECT_EQ(get("/v2/models/double/ready").body, R"({"name":"double","ready":true})");
  EXPECT_EQ(json::parse(post(row(1, 2)).body)["outputs"][0]["data"], json({2.0, 4.0}));
  EXPECT_EQ(post(row(1, 2), "/v2/models/double/versions/1/infer").status, 200);
}

TEST_F(ServiceTest, TellsWhatIsWrongWithAPath) {
  for (const char* path : {"", "/", "/v1", "/v2/", "/v2/models", "/v2/models/", "/v2/models/other",
                           "/v2/models/double/", "/v2/models/double/versions", "/v2/models/double/versions/2",
                           "/v2/models/double/ready/x", "/v2/models/double/\xff", "no/slash"}) {
    const HttpResponse response = get(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_TRUE(json::parse(response.body)["error"].is_string()) << path;
  }
  EXPECT_EQ(get("/v2/models/double/infer").status, 405);
  EXPECT_THAT(post("", "/v2").headers, Contains(Pair("Allow", "GET")));
}

TEST_F(ServiceTest, TellsWhatIsWrongWithARequest) {
  EXPECT_EQ(post("nonsense").status, 400);
  const HttpResponse wrong_shape =
      post(R"({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]})");
  EXPECT_EQ(wrong_shape.status, 400);
  EXPECT_THAT(wrong_shape.body, HasSubstr("expected float32 [?, 2], got float32 [1, 3]"));
  const HttpResponse too_many =
      post(R"({"inputs": [{"name": "x", "datatype": "FP32", "shape": [3, 2], "data": [1, 2, 3, 4, 5, 6]}]})");
  EXPECT_THAT(too_many.body, HasSubstr("expected 1 to 2 rows, got [3, 2]"));
  EXPECT_EQ(post(row(1000, 1)).status, 500);
}

TEST_F(ServiceTest, SendsBinaryTensorsWithTheLengthOfTheJsonPart) {
  std::string body = row(1, 2);
  body.insert(1, R"("parameters": {"binary_data_output": true}, )");
  const HttpResponse response = post(body);
  EXPECT_EQ(response.content_type, "application/octet-stream");
  EXPECT_THAT(response.headers,
              Contains(Pair("Inference-Header-Content-Length", std::to_string(response.body.size() - 8))));
}

TEST_F(ServiceTest, IsBusyWhileTheQueueIsFullAndUnavailableAfterwards) {
  model->hold();
  auto running = predictor.submit({at::ones({2})});
  model->wait_for_call();
  auto waiting = predictor.submit_rows({at::ones({2, 2})});
  const HttpResponse busy = post(row(1, 2));
  EXPECT_EQ(busy.status, 503);
  EXPECT_THAT(busy.headers, Contains(Pair("Retry-After", "1")));
  model->hold(false);
  predictor.stop();
  EXPECT_EQ(post(row(1, 2)).status, 503);
}

TEST_F(ServiceTest, IsNotReadyWhenToldSo) {
  service.set_ready(false);
  EXPECT_EQ(get("/v2/health/ready").status, 503);
  EXPECT_EQ(get("/v2/models/double/ready").status, 503);
  EXPECT_EQ(get("/v2/health/live").status, 200);
  EXPECT_EQ(post(row(1, 2)).status, 200);
}

TEST_F(ServiceTest, CountsForPrometheus) {
  post(row(1, 2));
  post(row(1000, 1));
  post("nonsense");
  const HttpResponse metrics = get("/metrics");
  EXPECT_EQ(metrics.content_type, "text/plain; version=0.0.4");
  for (const char* line : {"# TYPE belfry_request_seconds histogram\n",
                           "belfry_requests_total{model=\"double\",result=\"answered\"} 1\n",
                           "belfry_requests_total{model=\"double\",result=\"failed\"} 1\n",
                           "belfry_batches_total{model=\"double\"} 1\n",
                           "belfry_request_seconds_bucket{model=\"double\",le=\"+Inf\"} 1\n",
                           "belfry_request_seconds_count{model=\"double\"} 1\n",
                           "belfry_http_responses_total{model=\"double\",code=\"200\"} 1\n",
                           "belfry_http_responses_total{model=\"double\",code=\"400\"} 1\n"}) {
    EXPECT_THAT(metrics.body, HasSubstr(line));
  }
}

}  // namespace
}  // namespace kserve
