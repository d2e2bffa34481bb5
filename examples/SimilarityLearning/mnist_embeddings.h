#pragma once

#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"

namespace mnist_embeddings {
using namespace belfry;

/// A loss, and the mean distances between what is alike and what is not; those are none where a loss has
/// none.
struct EmbeddingLoss {
  Tensor loss, pos_dist = {}, neg_dist = {};
};

/// Of each row: [N, D] to [N].
inline Tensor squared_distance(const Tensor& a, const Tensor& b) {
  return sum(square(a - b), 1);
}

// `left`, `right`, `anchor` and so on are embeddings [N, D]; `y` [N] is 1 for a pair of one kind, else 0.

/// (y d^2 + (1 - y) max(0, margin - d)^2) / 2, where d = |left - right|. "Learning a Similarity Metric
/// Discriminatively, with Application to Face Verification", Chopra et al.
inline EmbeddingLoss contrastive_loss(const Tensor& left, const Tensor& right, const Tensor& labels,
                                      double margin, const std::string& scope = "constrastive_loss") {
  NameScope name_scope(scope);
  const Tensor y = cast(labels, kFloat32), other = 1.0 - y;
  const Tensor delta = squared_distance(left, right);
  const Tensor delta_sqrt = sqrt(delta + 1e-10);
  const Tensor mismatch_loss = square(relu(margin - delta_sqrt));
  const Tensor loss = mean(0.5 * (y * delta + other * mismatch_loss));

  auto mean_where = [&](const Tensor& chosen, const std::string& name) {
    const Tensor count = sum(cast(not_equal(chosen, 0), kFloat32));
    return where(equal(count, 0), 0.0, sum(chosen * delta_sqrt) / count, name);
  };
  return {loss, mean_where(y, "pos-dist"), mean_where(other, "neg-dist")};
}

/// The square of the difference between the cosine of the angle between both and 2 y - 1, halved.
inline EmbeddingLoss siamese_cosine_loss(const Tensor& left, const Tensor& right, const Tensor& labels,
                                         const std::string& scope = "cosine_loss") {
  auto l2_norm = [](const Tensor& t) {
    NameScope name_scope("l2_norm");
    return sqrt(sum(square(t), 1) + 1e-12);
  };
  NameScope name_scope(scope);
  const Tensor y = 2.0 * cast(labels, kFloat32) - 1.0;
  const Tensor pred = sum(left * right, 1) / (l2_norm(left) * l2_norm(right) + 1e-10);
  return {mean(0.5 * square(y - pred))};
}

/// max(0, margin + |a - p|^2 - |a - n|^2). "FaceNet: A Unified Embedding for Face Recognition and
/// Clustering", Schroff et al.
inline EmbeddingLoss triplet_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                  double margin, const std::string& scope = "triplet_loss") {
  NameScope name_scope(scope);
  const Tensor d_pos = squared_distance(anchor, positive), d_neg = squared_distance(anchor, negative);
  const Tensor loss = mean(maximum(margin + d_pos - d_neg, 0.0));
  return {loss, mean(sqrt(d_pos + 1e-10), "pos-dist"), mean(sqrt(d_neg + 1e-10), "neg-dist")};
}

/// Cross entropy with the distances |a - p| and |a - n| as logits, of which the second is to be larger. "Deep
/// Metric Learning using Triplet Network", Hoffer et al.
inline EmbeddingLoss soft_triplet_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                       const std::string& scope = "soft_triplet_loss") {
  NameScope name_scope(scope);
  const Tensor d_pos = sqrt(squared_distance(anchor, positive) + 1e-10);
  const Tensor d_neg = sqrt(squared_distance(anchor, negative) + 1e-10);
  const Tensor logits = stack({d_pos, d_neg}, 1);
  const Tensor ones = cast(ones_like(d_pos), kInt32);
  const Tensor loss = mean(sparse_softmax_cross_entropy(logits, ones));
  return {loss, mean(d_pos, "pos-dist"), mean(d_neg, "neg-dist")};
}

/// The mean square of the distances to the centers of the labels' classes. In training each step moves the
/// centers by `alpha` of the way to what it saw of their class. "A Discriminative Feature Learning Approach
/// for Deep Face Recognition", Wen et al.
inline Tensor center_loss(const Tensor& embedding, const Tensor& label, int64_t num_classes,
                          double alpha = 0.1, const std::string& scope = "center_loss") {
  const int64_t nrof_features = embedding.dim(1);
  const Variable centers = get_variable("centers", {num_classes, nrof_features},
                                        {.initializer = zeros_initializer(), .trainable = false});
  const Tensor centers_batch = gather(centers, label);
  if (current_tower_context().is_training()) {
    const Tensor of_class = one_hot(label, num_classes);  // N x classes
    const Tensor diff = matmul(of_class, stop_gradient(centers_batch - embedding), {.transpose_a = true});
    const Tensor count = expand_dims(sum(of_class, 0), 1);
    default_graph().add_to_collection(kUpdateOps, assign_sub(centers, alpha * diff / (1.0 + count)));
  }
  return mean(square(embedding - centers_batch), scope);
}

/// Embeds digits in a plane: what all the models below have in common.
struct EmbeddingModel : ModelDesc {
  /// Of images [N, 28, 28] in [0, 1]: [N, nfeatures]. The variables are those of TensorFlow's slim, the same
  /// in each call.
  static Tensor embed(const Tensor& images, int64_t nfeatures = 2) {
    VariableScope shared("", {.reuse = Reuse::kAuto});
    Tensor net = expand_dims(images, 3) * 2.0 - 1.0;
    net = relu(slim_layer("conv1", {5, 5, 1, 20}, net));
    net = max_pool2d(net, {.pool = 2}, "pool1");
    net = relu(slim_layer("conv2", {5, 5, 20, 50}, net));
    net = max_pool2d(net, {.pool = 2}, "pool2");
    net = batch_flatten(net, "flatten3");
    net = relu(slim_layer("fully_connected4", {net.dim(1), 500}, net));
    return slim_layer("fully_connected5", {500, nfeatures}, net);
  }
  /// Of several batches at once.
  static std::vector<Tensor> embed(const std::vector<Tensor>& images) {
    return split(embed(concat(images, 0)), std::ssize(images), 0);
  }

  /// A convolution, or a product, by "weights" of `shape`, plus "biases".
  static Tensor slim_layer(const std::string& name, const Shape& shape, const Tensor& x) {
    VariableScope scope(name);
    const Variable weights = get_variable("weights", shape);
    const Variable biases = get_variable("biases", {shape.back()}, {.initializer = zeros_initializer()});
    return shape.size() == 4 ? conv2d(x, weights, biases) : matmul(x, weights) + biases;
  }

  /// Names the cost, and shows what is known of it.
  static Tensor name_cost(const EmbeddingLoss& of) {
    const Tensor cost = identity(of.loss, "cost");
    add_moving_summary({cost});
    if (of.pos_dist) add_moving_summary({of.pos_dist, of.neg_dist});
    return cost;
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable lr =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(1e-4), .trainable = false});
    return std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = lr});
  }
};

struct SiameseModel : EmbeddingModel {
  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, 28, 28}, kFloat32},
            {"input_y", {kDynamic, 28, 28}, kFloat32},
            {"label", {kDynamic}, kInt32}};
  }

  virtual EmbeddingLoss loss(const Tensor& x, const Tensor& y, const Tensor& label) const {
    return contrastive_loss(x, y, label, 5, "loss");
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [x, y, label] = in.get<3>();
    identity(embed(x), "emb");  // for inference; training does not compute it
    if (!label) return {};
    const std::vector<Tensor> embedded = embed({x, y});
    return name_cost(loss(embedded[0], embedded[1], label));
  }
};

struct CosineModel : SiameseModel {
  EmbeddingLoss loss(const Tensor& x, const Tensor& y, const Tensor& label) const override {
    return siamese_cosine_loss(x, y, label, "loss");
  }
};

struct TripletModel : EmbeddingModel {
  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, 28, 28}, kFloat32},
            {"input_p", {kDynamic, 28, 28}, kFloat32},
            {"input_n", {kDynamic, 28, 28}, kFloat32}};
  }

  virtual EmbeddingLoss loss(const Tensor& a, const Tensor& p, const Tensor& n) const {
    return triplet_loss(a, p, n, 5, "loss");
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [a, p, n] = in.get<3>();
    identity(embed(a), "emb");
    if (!n) return {};
    const std::vector<Tensor> embedded = embed({a, p, n});
    return name_cost(loss(embedded[0], embedded[1], embedded[2]));
  }
};

struct SoftTripletModel : TripletModel {
  EmbeddingLoss loss(const Tensor& a, const Tensor& p, const Tensor& n) const override {
    return soft_triplet_loss(a, p, n, "loss");
  }
};

struct CenterModel : EmbeddingModel {
  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, 28, 28}, kFloat32}, {"label", {kDynamic}, kInt32}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [image, label] = in.get<2>();
    const Tensor x = identity(embed(image), "emb");
    if (!label) return {};
    const Tensor emb_cost = center_loss(x, label, 10, 0.01);
    const Tensor logits = slim_layer("logits", {x.dim(1), 10}, relu(x));
    const Tensor cls_cost = mean(sparse_softmax_cross_entropy(logits, label), "classification_costs");
    const Tensor total_cost = add(emb_cost, 100.0 * cls_cost, "cost");
    add_moving_summary({total_cost, cls_cost, emb_cost});
    return total_cost;
  }
};

}  // namespace mnist_embeddings
