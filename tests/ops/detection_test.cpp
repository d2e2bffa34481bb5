#include "belfry/ops/detection.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DetectionTest : public testing::Test {
 protected:
  at::Tensor run(const Tensor& y) { return session_.run(y, {}); }
  std::vector<int64_t> indices(const Tensor& y) {
    const at::Tensor value = run(y);
    return {value.data_ptr<int64_t>(), value.data_ptr<int64_t>() + value.numel()};
  }

  Graph graph;
  GraphScope as_default{graph};
  /// Two that are the same, one that overlaps them by a third, one apart.
  Tensor boxes = constant({0, 0, 2, 2, 2, 2, 0, 0, 0, 1, 2, 3, 5, 5, 6, 6}, {4, 4}, kFloat32);

 private:
  Session session_{graph};
};

TEST_F(DetectionTest, TheLowerIndexOfEqualScoresIsKept) {
  EXPECT_THAT(indices(non_max_suppression(boxes, constant({1, 1, 1, 1}, {4}, kFloat32), 9)),
              ElementsAre(0, 2, 3));
}

TEST_F(DetectionTest, ABoxIsDroppedAboveTheThresholdAlone) {
  const Tensor scores = constant({1, 2, 3, 4}, {4}, kFloat32);
  EXPECT_THAT(indices(non_max_suppression(boxes, scores, 9, {.iou_threshold = 0.34})), ElementsAre(3, 2, 1));
  EXPECT_THAT(indices(non_max_suppression(boxes, scores, 9, {.iou_threshold = 0.32})), ElementsAre(3, 2));
  EXPECT_THAT(indices(non_max_suppression(boxes, scores, 1)), ElementsAre(3));
  EXPECT_THAT(indices(non_max_suppression(boxes, scores, 9, {.score_threshold = 3})), ElementsAre(3));
}

TEST_F(DetectionTest, BoxesOfOtherClassesAreLeftAlone) {
  const Tensor scores = constant({4, 3, 2, 1}, {4}, kFloat32);
  EXPECT_THAT(indices(non_max_suppression(boxes, scores, 9, {.classes = constant({0, 1, 0, 0})})),
              ElementsAre(0, 1, 2, 3));
}

TEST_F(DetectionTest, NoBoxesGiveNone) {
  const Tensor none = zeros({0, 4}), scores = zeros({0});
  EXPECT_TRUE(indices(non_max_suppression(none, scores, 9)).empty());
  EXPECT_EQ(run(crop_and_resize(ones({1, 4, 4, 1}), none, zeros({0}, kInt64), 2)).size(0), 0);
}

// A part of 2 x 2 pixels of a ramp as 4 x 4 samples of a quarter each: by 0.5 along rows, 2.5 from row to
// row.
TEST_F(DetectionTest, RoiAlignSamplesTheMiddlesOfParts) {
  const Tensor ramp = constant(at::arange(25, at::kFloat).reshape({1, 5, 5, 1}));
  const Tensor box = constant({1, 1, 3, 3}, {1, 4}, kFloat32), image = zeros({1}, kInt64);
  const at::Tensor y = run(roi_align(ramp, box, image, 2)).reshape({2, 2});
  EXPECT_TRUE(test::close(y, at::tensor({6.0, 7.0, 11.0, 12.0}).reshape({2, 2}), test::kSameSums));
  const at::Tensor planes =
      run(roi_align(transpose(ramp, {0, 3, 1, 2}), box, image, 2, {.data_format = "NCHW"}));
  EXPECT_TRUE(test::close(planes.reshape({2, 2}), y, test::kSameSums));
}

TEST_F(DetectionTest, BoxesComeBackFromTheirEncoding) {
  const Tensor anchors = constant({0, 0, 4, 2, 1, 1, 3, 9}, {2, 4}, kFloat32);
  const Tensor some = constant({1, 0, 3, 5, -2, 4, 0, 5}, {2, 4}, kFloat32);
  EXPECT_TRUE(test::close(run(decode_bbox_target(encode_bbox_target(some, anchors), anchors)), run(some),
                          test::kSameSums));
}

TEST_F(DetectionTest, WhatDoesNotFitIsRefused) {
  const auto refused = [](const auto& act) { return test::message_of<UsageError>(act); };
  const Tensor scores = ones({3}), image = ones({1, 4, 4, 1}), which = zeros({4}, kInt64);
  EXPECT_THAT(refused([&] { non_max_suppression(boxes, scores, 9); }),
              HasSubstr("a score for each of 4 boxes"));
  EXPECT_THAT(refused([&] { non_max_suppression(boxes, ones({4}), 9, {.iou_threshold = 2}); }),
              HasSubstr("iou_threshold in [0, 1]"));
  EXPECT_THAT(refused([&] { crop_and_resize(image, boxes, scores, 2); }), HasSubstr("an integer"));
  EXPECT_THAT(refused([&] { crop_and_resize(image, boxes, which, 2, {.method = ResizeMethod::kBicubic}); }),
              HasSubstr("kBilinear or kNearest"));
  EXPECT_THAT(refused([&] { clip_boxes(boxes, scores); }), HasSubstr("two numbers"));
  const Tensor far = crop_and_resize(image, boxes, which + 1, 2);
  EXPECT_THAT(test::message_of<DataError>([&] { run(far); }),
              HasSubstr("expected box_indices within [0, 1)"));
}

TEST_F(DetectionTest, CtcRefusesLabelsThatAreNone) {
  const Tensor logits = ones({4, 1, 3}), steps = constant({4}), count = constant({2});
  const auto of = [&](std::initializer_list<c10::Scalar> labels, const Tensor& length) {
    const Tensor loss = ctc_loss(logits, constant(labels, {1, 2}, kInt64), length, steps);
    return test::message_of<DataError>([&] { run(loss); });
  };
  EXPECT_THAT(of({0, 2}, count), HasSubstr("expected labels within [0, 1]"));
  EXPECT_THAT(of({0, 1}, constant({3})), HasSubstr("label lengths within [0, 2]"));
  const Tensor short_time = ctc_loss(ones({2, 1, 3}), constant({1, 1}, {1, 2}, kInt64), count, constant({2}));
  EXPECT_THAT(test::message_of<DataError>([&] { run(short_time); }), HasSubstr("expected 3 steps or more"));
  EXPECT_THAT(test::message_of<UsageError>([&] { ctc_loss(logits, steps, count, steps); }),
              HasSubstr("expected labels as integers [N, L]"));
}

TEST_F(DetectionTest, CtcIgnoresASequenceThatIsTooShortWhereAsked) {
  const Tensor loss = ctc_loss(ones({2, 1, 3}), constant({1, 1}, {1, 2}, kInt64), constant({2}),
                               constant({2}), {.ignore_longer_outputs_than_inputs = true});
  EXPECT_EQ(run(loss).item<float>(), 0);
}

TEST_F(DetectionTest, AnEmptyTruthIsInfinitelyFar) {
  const Tensor some = constant({1, 2}, {1, 2}, kInt64), none = constant({0});
  EXPECT_TRUE(std::isinf(run(edit_distance(some, constant({2}), some, none)).item<float>()));
  EXPECT_EQ(run(edit_distance(some, none, some, none)).item<float>(), 0);
}

}  // namespace
}  // namespace belfry
