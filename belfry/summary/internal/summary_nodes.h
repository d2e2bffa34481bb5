#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "belfry/graph/tensor.h"

namespace belfry::internal {

// The nodes of summaries are calls of these operators, which copy their input. Everything else that a summary
// needs to know is an attribute of the node.

inline constexpr char kScalarSummary[] = "belfry::scalar_summary";        // tag
inline constexpr char kHistogramSummary[] = "belfry::histogram_summary";  // tag
inline constexpr char kImageSummary[] = "belfry::image_summary";          // tag, max_images
/// Writes the variables of an average, and gives it.
inline constexpr char kMovingSummary[] = "belfry::moving_summary";  // tag, decay

/// The attribute "tag" of a summary's node.
std::string tag_of(const Tensor& summary);

/// The kernel of kMovingSummary.
at::Tensor update_average(at::Tensor average, at::Tensor biased, at::Tensor local_step,
                          const at::Tensor& value, c10::string_view tag, double decay);

/// The first `max_images` of a batch as bytes, scaled as image_summary says.
at::Tensor to_byte_images(const at::Tensor& images, int64_t max_images);

}  // namespace belfry::internal
