#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <functional>
#include <map>
#include <span>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/internal/adapters.h"
#include "belfry/formats/caffe.h"
#include "belfry/formats/caffe_model.h"

// Weights of a caffemodel by the names and in the layouts of tensorpack's load_caffe. That runs the net of a
// .prototxt to learn which InnerProduct layers take pictures, [N, C, H, W]. The file itself tells where a
// layer's input comes from, and the C of a convolution's; H and W are then the square root of the rest.
namespace belfry::internal {
namespace {

/// What is known of a layer's output: channels of pictures, nothing for vectors or where nobody knows.
using Channels = std::optional<int64_t>;

struct Weight {
  std::string name;
  Shape shape;
  std::function<at::Tensor()> value;
};

class Model {
 public:
  explicit Model(const std::string& path) : path_(path) {
    const auto file = FileSystem::posix().open(path);
    content_.resize(file->size());
    file->read(0, std::as_writable_bytes(std::span(content_)));
    layers_ = parse_caffe_net(path, content_);
    for (const CaffeLayer& layer : layers_) {
      if (layer.type != "BatchNorm") continue;
      if (!layer.bottoms.empty()) norms_by_bottom_.emplace(layer.bottoms[0], layer.name);
      if (!layer.tops.empty()) norms_by_top_.emplace(layer.tops[0], layer.name);
    }
    for (const CaffeLayer& layer : layers_) {
      add_weights(layer);
      const Channels channels = channels_after(layer);
      for (const std::string& top : layer.tops) channels_[top] = channels;
    }
  }

  const std::vector<Weight>& weights() const { return weights_; }

 private:
  [[noreturn]] void fail(const CaffeLayer& layer, const std::string& what) const {
    throw DataError(path_, fmt::format("[layer {}] {}", layer.name, what));
  }

  Channels channels_of(const std::string& top) const {
    const auto found = channels_.find(top);
    return found == channels_.end() ? std::nullopt : found->second;
  }

  Channels channels_after(const CaffeLayer& layer) const {
    if (layer.type == "InnerProduct" || layer.type == "Flatten" || layer.type == "Reshape")
      return std::nullopt;
    if (layer.type == "Convolution" && !layer.blobs.empty() && !layer.blobs[0].shape.empty())
      return layer.blobs[0].shape[0];
    if (layer.bottoms.empty()) return std::nullopt;
    if (layer.type != "Concat") return channels_of(layer.bottoms[0]);
    Channels sum = 0;
    for (const std::string& bottom : layer.bottoms) {
      const Channels part = channels_of(bottom);
      if (!part) return std::nullopt;
      *sum += *part;
    }
    return sum;
  }

  /// The values of blob `index`, float32 of its shape.
  at::Tensor blob(const CaffeLayer& layer, size_t index) const {
    auto values = std::make_shared<std::vector<float>>(parse_caffe_blob(path_, layer.blobs[index].message));
    const Shape& shape = layer.blobs[index].shape;
    const std::optional<uint64_t> count = element_count(shape);
    if (count != values->size()) {
      fail(layer, fmt::format("expected {} values of a blob [{}], got {}", *count, fmt::join(shape, ", "),
                              values->size()));
    }
    return at::from_blob(
        values->data(), shape, [values](void*) {}, at::TensorOptions(at::kFloat));
  }

  void add(std::string name, Shape shape, std::function<at::Tensor()> value) {
    weights_.push_back({std::move(name), std::move(shape), std::move(value)});
  }
  /// A blob of one dimension, in older files the last of four.
  void add_vector(const CaffeLayer& layer, size_t index, const std::string& name) {
    const Shape shape{static_cast<int64_t>(*element_count(layer.blobs[index].shape))};
    add(name, shape, [this, &layer, index] { return blob(layer, index).flatten().clone(); });
  }
  void check_blobs(const CaffeLayer& layer, size_t least, size_t most) const {
    if (layer.blobs.size() < least || layer.blobs.size() > most)
      fail(layer, fmt::format("expected {} to {} blobs, got {}", least, most, layer.blobs.size()));
  }

  void add_weights(const CaffeLayer& layer) {
    if (layer.type == "Convolution") {
      add_convolution(layer);
    } else if (layer.type == "InnerProduct") {
      add_inner_product(layer);
    } else if (layer.type == "BatchNorm") {
      add_batch_norm(layer);
    } else if (layer.type == "Scale") {
      add_scale(layer);
    } else if (!layer.blobs.empty()) {
      log_warning("[{}] layer '{}' of type {} has weights, which are not read", path_, layer.name,
                  layer.type);
    }
  }

  void add_convolution(const CaffeLayer& layer) {
    if (layer.blobs.empty()) return;  // a file of the net alone
    check_blobs(layer, 1, 2);
    const Shape& from = layer.blobs[0].shape;  // [out, in, H, W]
    if (from.size() != 4) fail(layer, fmt::format("expected weights of 4 dimensions, got {}", from.size()));
    add(layer.name + "/W", {from[2], from[3], from[1], from[0]}, [this, &layer] {
      return blob(layer, 0).permute({2, 3, 1, 0}).contiguous();
    });
    if (layer.blobs.size() == 2) add_vector(layer, 1, layer.name + "/b");
  }

  void add_inner_product(const CaffeLayer& layer) {
    if (layer.blobs.empty()) return;
    check_blobs(layer, 1, 2);
    const Shape& from = layer.blobs[0].shape;  // [out, in], in older files [1, 1, out, in]
    if (from.size() < 2) fail(layer, fmt::format("expected weights of 2 dimensions, got {}", from.size()));
    const int64_t out = from[from.size() - 2], in = from[from.size() - 1];
    if (out * in != static_cast<int64_t>(*element_count(from)))
      fail(layer, fmt::format("expected weights [out, in], got [{}]", fmt::join(from, ", ")));
    const Channels channels = layer.bottoms.empty() ? std::nullopt : channels_of(layer.bottoms[0]);
    if (channels) {
      const int64_t side = side_of(layer, in, *channels);
      const Shape picture{out, *channels, side, side};
      add(layer.name + "/W", {side, side, *channels, out}, [this, &layer, picture] {
        return blob(layer, 0).reshape(picture).permute({2, 3, 1, 0}).contiguous();
      });
    } else {
      add(layer.name + "/W", {in, out}, [this, &layer, out, in] {
        return blob(layer, 0).reshape({out, in}).t().contiguous();
      });
    }
    if (layer.blobs.size() == 2) add_vector(layer, 1, layer.name + "/b");
  }

  int64_t side_of(const CaffeLayer& layer, int64_t in, int64_t channels) const {
    const int64_t pixels = channels > 0 ? in / channels : 0;
    const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(pixels))));
    if (side < 1 || side * side * channels != in) {
      fail(layer,
           fmt::format("expected square pictures of {} channels as input, got {} values", channels, in));
    }
    return side;
  }

  void add_batch_norm(const CaffeLayer& layer) {
    if (layer.blobs.empty()) return;
    check_blobs(layer, 3, 3);
    for (size_t i : {size_t{0}, size_t{1}}) {
      const Shape shape{static_cast<int64_t>(*element_count(layer.blobs[i].shape))};
      add(layer.name + (i == 0 ? "/mean/EMA" : "/variance/EMA"), shape, [this, &layer, i] {
        // Sums, and by how much they are too large; 0 before the first step.
        const at::Tensor factor = blob(layer, 2).flatten();
        if (factor.numel() != 1) fail(layer, "expected one number as the third blob");
        const auto scale = factor.item<float>();
        const at::Tensor sums = blob(layer, i).flatten();
        return scale == 0 ? sums.mul(0) : sums.div(scale);
      });
    }
  }

  void add_scale(const CaffeLayer& layer) {
    if (layer.blobs.empty()) return;
    check_blobs(layer, 1, 2);
    const std::string norm = batch_norm_before(layer);
    add_vector(layer, 0, norm + "/gamma");
    if (layer.blobs.size() == 2) add_vector(layer, 1, norm + "/beta");
  }

  /// The BatchNorm that a Scale completes: the first with the same input (both work in place), else the one
  /// whose output it takes.
  const std::string& batch_norm_before(const CaffeLayer& scale) const {
    const std::string bottom = scale.bottoms.empty() ? "" : scale.bottoms[0];
    for (const auto* norms : {&norms_by_bottom_, &norms_by_top_}) {
      const auto found = norms->find(bottom);
      if (found != norms->end()) return found->second;
    }
    fail(scale, "expected a BatchNorm layer before this Scale layer, got none");
  }

  std::string path_, content_;
  std::vector<CaffeLayer> layers_;
  std::map<std::string, Channels> channels_;                           // of what was made so far, by name
  std::map<std::string, std::string> norms_by_bottom_, norms_by_top_;  // names of the first BatchNorm layers
  std::vector<Weight> weights_;
};

std::vector<CheckpointEntry> entries_of(const Model& model) {
  std::vector<CheckpointEntry> entries;
  for (const Weight& weight : model.weights())
    entries.push_back({weight.name, weight.shape, kFloat32, "float32"});
  return entries;
}

class CaffeCheckpoint final : public CheckpointReader {
 public:
  CaffeCheckpoint(const std::string& path, std::unique_ptr<Model> model)
      : CheckpointReader(path, entries_of(*model)), model_(std::move(model)) {
    for (const Weight& weight : model_->weights()) weights_.emplace(weight.name, &weight);
  }

 private:
  at::Tensor read(const std::string& stored_name, const CheckpointEntry&) const override {
    return weights_.at(stored_name)->value();
  }

  std::unique_ptr<Model> model_;
  std::map<std::string, const Weight*> weights_;
};

}  // namespace

std::unique_ptr<CheckpointReader> open_caffe_model(const std::string& path) {
  return std::make_unique<CaffeCheckpoint>(path, std::make_unique<Model>(path));
}

}  // namespace belfry::internal
