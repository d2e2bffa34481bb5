#pragma once

#include <opencv2/core.hpp>

namespace belfry::imgaug::internal {

/// True when resize_cubic can do it: uint8 of 3 channels, on a processor with AVX2.
bool can_resize_cubic(const cv::Mat& image);

/// cv::resize with INTER_CUBIC to the size of `to`, which has memory: the same bytes in a third of the time.
/// OpenCV computes the rows of this case without vector instructions, unless it is built with Intel's IPP.
void resize_cubic(const cv::Mat& from, cv::Mat& to);

}  // namespace belfry::imgaug::internal
