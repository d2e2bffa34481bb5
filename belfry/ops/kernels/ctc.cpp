#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_ctc_loss.h>
#include <ATen/ops/_ctc_loss_backward.h>
#include <ATen/ops/_log_softmax_backward_data.h>
#include <ATen/ops/ctc_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "belfry/graph/shape_inference.h"

// CTC. The loss is ATen's, behind TensorFlow's checks; the decoders are the algorithms of TensorFlow's, so
// that their results are.

namespace belfry {
namespace {

using at::Tensor;
using Labels = std::vector<int64_t>;

void check_integers(const char* what, const Tensor& x, int64_t dimensions, int64_t rows) {
  TORCH_CHECK(x.dim() == dimensions && x.size(0) == rows &&
                  at::isIntegralType(x.scalar_type(), /*includeBool=*/false),
              "expected ", what, " as integers ", dimensions == 1 ? "[N]" : "[N, L]", " for ", rows,
              " sequences, got ", x.scalar_type(), " ", x.sizes());
}
void check_logits(const Tensor& logits, const Tensor& sequence_length) {
  TORCH_CHECK(logits.dim() == 3, "expected logits [T, N, C], got ", logits.sizes());
  TORCH_CHECK(logits.size(2) >= 1, "expected 1 class, the blank, or more, got ", logits.sizes());
  TORCH_CHECK(logits.scalar_type() == at::kFloat || logits.scalar_type() == at::kDouble,
              "expected logits of float32 or float64, got ", logits.scalar_type());
  check_integers("sequence lengths", sequence_length, 1, logits.size(1));
}

/// Whole numbers on the CPU, each within [0, most].
Tensor checked_lengths(const char* what, const Tensor& lengths, int64_t most) {
  const Tensor result = lengths.to(at::kCPU, at::kLong).contiguous();
  const int64_t* values = result.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < result.numel(); ++i) {
    TORCH_CHECK(values[i] >= 0 && values[i] <= most, "expected ", what, " within [0, ", most, "], got ",
                values[i], " for sequence ", i);
  }
  return result;
}

/// What ATen's loss takes, checked.
struct Loss {
  Tensor labels, label_length, sequence_length;
  int64_t blank;

  Loss(const Tensor& logits, const Tensor& all_labels, const Tensor& all_label_lengths,
       const Tensor& all_lengths, bool ignores_longer)
      : labels(all_labels.to(at::kCPU, at::kLong).contiguous()),
        label_length(checked_lengths("label lengths", all_label_lengths, all_labels.size(1))),
        sequence_length(checked_lengths("sequence lengths", all_lengths, logits.size(0))),
        blank(logits.size(2) - 1) {
    for (int64_t n = 0; n < labels.size(0); ++n) check_row(n, ignores_longer);
  }

 private:
  void check_row(int64_t n, bool ignores_longer) {
    int64_t* row = labels.mutable_data_ptr<int64_t>() + n * labels.size(1);
    const int64_t length = label_length.const_data_ptr<int64_t>()[n];
    int64_t steps = length;  // a blank stands between labels that are the same
    for (int64_t i = 0; i < length; ++i) {
      TORCH_CHECK(row[i] >= 0 && row[i] < blank, "expected labels within [0, ", blank - 1,
                  "], the classes before the blank, got ", row[i], " in row ", n);
      steps += i > 0 && row[i] == row[i - 1];
    }
    TORCH_CHECK(ignores_longer || steps <= sequence_length.const_data_ptr<int64_t>()[n], "expected ", steps,
                " steps or more for the labels of sequence ", n, ", got ",
                sequence_length.const_data_ptr<int64_t>()[n]);
  }
};

void check_loss(const Tensor& logits, const Tensor& labels, const Tensor& label_length,
                const Tensor& sequence_length) {
  check_logits(logits, sequence_length);
  check_integers("labels", labels, 2, logits.size(1));
  check_integers("label lengths", label_length, 1, logits.size(1));
}

Tensor ctc_loss(const Tensor& logits, const Tensor& labels, const Tensor& label_length,
                const Tensor& sequence_length, bool ignores_longer) {
  check_loss(logits, labels, label_length, sequence_length);
  if (logits.size(1) == 0) return logits.sum({0, 2});
  const Loss loss(logits, labels, label_length, sequence_length, ignores_longer);
  // ATen refuses a batch without any steps or labels.
  if (logits.size(0) == 0) return at::zeros({logits.size(1)}, logits.options());
  return at::ctc_loss(logits.log_softmax(2), loss.labels.to(logits.device()), loss.sequence_length,
                      loss.label_length, loss.blank, /*reduction=*/0, /*zero_infinity=*/ignores_longer);
}
Tensor ctc_loss_meta(const Tensor& logits, const Tensor& labels, const Tensor& label_length,
                     const Tensor& sequence_length, bool) {
  check_loss(logits, labels, label_length, sequence_length);
  return at::empty({logits.size(1)}, logits.options());
}

Tensor ctc_loss_backprop(const Tensor& gradient, const Tensor& logits, const Tensor& labels,
                         const Tensor& label_length, const Tensor& sequence_length, bool ignores_longer) {
  if (logits.numel() == 0) return at::zeros(logits.sizes(), logits.options());
  const Loss loss(logits, labels, label_length, sequence_length, ignores_longer);
  const Tensor log_probs = logits.log_softmax(2), targets = loss.labels.to(logits.device());
  const auto [negative, alpha] = at::_ctc_loss(log_probs, targets, loss.sequence_length, loss.label_length,
                                               loss.blank, /*zero_infinity=*/ignores_longer);
  const Tensor by_log_probs =
      at::_ctc_loss_backward(gradient, log_probs, targets, loss.sequence_length, loss.label_length, negative,
                             alpha, loss.blank, /*zero_infinity=*/ignores_longer);
  return at::_log_softmax_backward_data(by_log_probs, log_probs, 2, logits.scalar_type());
}
Tensor ctc_loss_backprop_meta(const Tensor&, const Tensor& logits, const Tensor&, const Tensor&,
                              const Tensor&, bool) {
  return at::empty(logits.sizes(), logits.options());
}

/// Rows as [N, longest], -1 behind their ends, and their lengths.
std::pair<Tensor, Tensor> padded(const std::vector<Labels>& rows) {
  size_t longest = 0;
  for (const Labels& row : rows) longest = std::max(longest, row.size());
  const auto count = static_cast<int64_t>(rows.size()), width = static_cast<int64_t>(longest);
  const Tensor labels = at::full({count, width}, -1, at::kLong), lengths = at::empty({count}, at::kLong);
  for (size_t n = 0; n < rows.size(); ++n) {
    std::copy(rows[n].begin(), rows[n].end(), labels.mutable_data_ptr<int64_t>() + n * longest);
    lengths.mutable_data_ptr<int64_t>()[n] = static_cast<int64_t>(rows[n].size());
  }
  return {labels, lengths};
}

using Decoded = std::tuple<Tensor, Tensor, Tensor>;

/// `decode(steps, row of each step, labels)` returns the score.
template <typename Decode>
Decoded decode_rows(const Tensor& logits, const Tensor& sequence_length, int64_t grain, Decode decode) {
  check_logits(logits, sequence_length);
  const Tensor lengths = checked_lengths("sequence lengths", sequence_length, logits.size(0));
  const Tensor x = logits.detach().to(at::kCPU, at::kDouble).contiguous();
  const int64_t batch = x.size(1), classes = x.size(2);
  std::vector<Labels> rows(static_cast<size_t>(batch));
  const Tensor scores = at::zeros({batch}, at::kDouble);
  at::parallel_for(0, batch, grain, [&](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) {
      const double* start = x.const_data_ptr<double>() + n * classes;
      const auto step = [&](int64_t t) { return start + t * batch * classes; };
      scores.mutable_data_ptr<double>()[n] =
          decode(lengths.const_data_ptr<int64_t>()[n], step, rows[static_cast<size_t>(n)]);
    }
  });
  const auto [labels, label_lengths] = padded(rows);
  return {labels.to(logits.device()), label_lengths.to(logits.device()), scores.to(logits.options())};
}

Decoded decoder_meta(const Tensor& logits, const Tensor& sequence_length) {
  check_logits(logits, sequence_length);
  const int64_t batch = logits.size(1);
  const auto integers = logits.options().dtype(at::kLong);
  return {at::empty({batch, unknown_size()}, integers), at::empty({batch}, integers),
          at::empty({batch}, logits.options())};
}

Decoded ctc_greedy_decoder(const Tensor& logits, const Tensor& sequence_length, bool merge_repeated) {
  const int64_t classes = logits.dim() == 3 ? logits.size(2) : 1, blank = classes - 1;
  return decode_rows(logits, sequence_length, /*grain=*/16, [=](int64_t steps, auto step, Labels& labels) {
    double sum = 0;
    int64_t before = -1;
    for (int64_t t = 0; t < steps; ++t) {
      const double* largest = std::max_element(step(t), step(t) + classes);
      const int64_t label = largest - step(t);
      sum -= *largest;
      if (label != blank && !(merge_repeated && label == before)) labels.push_back(label);
      before = label;
    }
    return sum;
  });
}
Decoded ctc_greedy_decoder_meta(const Tensor& logits, const Tensor& sequence_length, bool) {
  return decoder_meta(logits, sequence_length);
}

constexpr double kNever = -std::numeric_limits<double>::infinity();

double log_sum_exp(double a, double b) {
  const double larger = std::max(a, b), smaller = std::min(a, b);
  return smaller == kNever ? larger : larger + std::log1p(std::exp(smaller - larger));
}

/// Logarithms of the probabilities of a prefix: of the paths that end in a blank, in its last label, and
/// both.
struct Probability {
  double total = kNever, blank = kNever, label = kNever;
};

/// A prefix: a node of the tree of all that were looked at.
struct Prefix {
  Prefix* parent = nullptr;
  int64_t label = -1;
  Probability before, now;
  std::map<int64_t, std::unique_ptr<Prefix>> children;

  bool is_active() const { return now.total != kNever; }
  Prefix& child(int64_t of_label) {
    auto& found = children[of_label];
    if (!found) {
      found = std::make_unique<Prefix>();
      found->parent = this;
      found->label = of_label;
    }
    return *found;
  }
};

/// The search of TensorFlow's util/ctc/ctc_beam_search.h, without a scorer.
class BeamSearch {
 public:
  BeamSearch(int64_t classes, int64_t width) : blank_(classes - 1), width_(static_cast<size_t>(width)) {
    root_.now = {0, 0, kNever};
    leaves_ = {&root_};
  }

  void step(const double* logits) {
    const double largest = *std::max_element(logits, logits + blank_ + 1);
    double sum = 0;
    for (int64_t k = 0; k <= blank_; ++k) sum += std::exp(logits[k] - largest);
    const double norm = largest + std::log(sum);
    std::vector<Prefix*> branches = std::exchange(leaves_, {});
    std::ranges::sort(branches, later);
    for (Prefix* prefix : branches) prefix->before = prefix->now;
    for (Prefix* prefix : branches) {
      extend(*prefix, logits, norm);
      push(prefix);
    }
    for (Prefix* prefix : branches) {
      if (is_candidate(prefix->before.total)) grow(*prefix, logits, norm);
    }
  }

  /// The best prefix.
  const Prefix& best() const { return **std::ranges::max_element(leaves_, {}, total); }

 private:
  static double total(const Prefix* prefix) { return prefix->now.total; }
  static bool later(const Prefix* a, const Prefix* b) { return a->now.total > b->now.total; }

  /// The paths that stay at `prefix`, and those that reach it from its parent, which is in the beam as well.
  void extend(Prefix& prefix, const double* logits, double norm) {
    if (prefix.parent) {
      const Prefix& parent = *prefix.parent;
      if (parent.is_active()) {
        const bool repeats = prefix.label == parent.label;
        prefix.now.label = log_sum_exp(prefix.now.label, repeats ? parent.before.blank : parent.before.total);
      }
      prefix.now.label += logits[prefix.label] - norm;
    }
    prefix.now.blank = prefix.before.total + logits[blank_] - norm;
    prefix.now.total = log_sum_exp(prefix.now.blank, prefix.now.label);
  }

  void grow(Prefix& prefix, const double* logits, double norm) {
    for (int64_t label = 0; label < blank_; ++label) {
      Prefix& child = prefix.child(label);
      if (child.is_active()) continue;
      const double reached = label == prefix.label ? prefix.before.blank : prefix.before.total;
      child.now = {
          .total = logits[label] - norm + reached, .blank = kNever, .label = logits[label] - norm + reached};
      if (!is_candidate(child.now.total)) {
        child.before = child.now = {};
        continue;
      }
      if (leaves_.size() == width_) {
        std::ranges::pop_heap(leaves_, later);
        leaves_.back()->now = {};
        leaves_.pop_back();
      }
      push(&child);
    }
  }

  bool is_candidate(double probability) const {
    return probability > kNever && (leaves_.size() < width_ || probability > total(leaves_.front()));
  }
  void push(Prefix* prefix) {
    leaves_.push_back(prefix);
    std::ranges::push_heap(leaves_, later);
  }

  int64_t blank_;
  size_t width_;
  Prefix root_;
  std::vector<Prefix*> leaves_;  ///< a heap, the least probable first
};

Decoded ctc_beam_search_decoder(const Tensor& logits, const Tensor& sequence_length, int64_t beam_width,
                                bool merge_repeated) {
  TORCH_CHECK(beam_width >= 1, "expected a beam_width of 1 or more, got ", beam_width);
  const int64_t classes = logits.dim() == 3 ? logits.size(2) : 1;
  return decode_rows(logits, sequence_length, /*grain=*/1, [=](int64_t steps, auto step, Labels& labels) {
    BeamSearch search(classes, beam_width);
    for (int64_t t = 0; t < steps; ++t) search.step(step(t));
    const Prefix& best = search.best();
    int64_t before = -1;
    for (const Prefix* prefix = &best; prefix->parent; prefix = prefix->parent) {
      if (!merge_repeated || prefix->label != before) labels.push_back(prefix->label);
      before = prefix->label;
    }
    std::ranges::reverse(labels);
    return best.now.total;
  });
}
Decoded ctc_beam_search_decoder_meta(const Tensor& logits, const Tensor& sequence_length, int64_t beam_width,
                                     bool) {
  TORCH_CHECK(beam_width >= 1, "expected a beam_width of 1 or more, got ", beam_width);
  return decoder_meta(logits, sequence_length);
}

/// Wagner & Fischer's table, of which two rows are kept.
int64_t distance(const int64_t* a, int64_t a_size, const int64_t* b, int64_t b_size) {
  std::vector<int64_t> row(static_cast<size_t>(b_size) + 1);
  std::iota(row.begin(), row.end(), int64_t{0});
  for (int64_t i = 0; i < a_size; ++i) {
    int64_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < static_cast<size_t>(b_size); ++j) {
      const int64_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

void check_rows(const Tensor& hypothesis, const Tensor& hypothesis_length, const Tensor& truth,
                const Tensor& truth_length) {
  TORCH_CHECK(hypothesis.dim() == 2, "expected rows of labels [N, L], got ", hypothesis.sizes());
  check_integers("the hypothesis", hypothesis, 2, hypothesis.size(0));
  check_integers("lengths of the hypothesis", hypothesis_length, 1, hypothesis.size(0));
  check_integers("the truth", truth, 2, hypothesis.size(0));
  check_integers("lengths of the truth", truth_length, 1, hypothesis.size(0));
}

Tensor edit_distance(const Tensor& hypothesis, const Tensor& hypothesis_length, const Tensor& truth,
                     const Tensor& truth_length, bool normalize) {
  check_rows(hypothesis, hypothesis_length, truth, truth_length);
  const Tensor a = hypothesis.to(at::kCPU, at::kLong).contiguous();
  const Tensor b = truth.to(at::kCPU, at::kLong).contiguous();
  const Tensor a_lengths = checked_lengths("lengths of the hypothesis", hypothesis_length, a.size(1));
  const Tensor b_lengths = checked_lengths("lengths of the truth", truth_length, b.size(1));
  const Tensor result = at::empty({a.size(0)}, at::kFloat);
  for (int64_t n = 0; n < a.size(0); ++n) {
    const int64_t b_size = b_lengths.const_data_ptr<int64_t>()[n];
    const auto steps = static_cast<float>(distance(a.const_data_ptr<int64_t>() + n * a.size(1),
                                                   a_lengths.const_data_ptr<int64_t>()[n],
                                                   b.const_data_ptr<int64_t>() + n * b.size(1), b_size));
    const bool both_empty = steps == 0 && b_size == 0;
    result.mutable_data_ptr<float>()[n] =
        normalize && !both_empty ? steps / static_cast<float>(b_size) : steps;
  }
  return result.to(hypothesis.device());
}
Tensor edit_distance_meta(const Tensor& hypothesis, const Tensor& hypothesis_length, const Tensor& truth,
                          const Tensor& truth_length, bool) {
  check_rows(hypothesis, hypothesis_length, truth, truth_length);
  return at::empty({hypothesis.size(0)}, hypothesis.options().dtype(at::kFloat));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "ctc_loss(Tensor logits, Tensor labels, Tensor label_length, Tensor sequence_length, *, bool "
      "ignore_longer_outputs_than_inputs=False) -> Tensor",
      ctc_loss);
  m.def(
      "ctc_loss_backprop(Tensor gradient, Tensor logits, Tensor labels, Tensor label_length, Tensor "
      "sequence_length, *, bool ignore_longer_outputs_than_inputs=False) -> Tensor",
      ctc_loss_backprop);
  m.def(
      "ctc_greedy_decoder(Tensor logits, Tensor sequence_length, *, bool merge_repeated=True) -> (Tensor "
      "labels, Tensor lengths, Tensor score)",
      ctc_greedy_decoder);
  m.def(
      "ctc_beam_search_decoder(Tensor logits, Tensor sequence_length, *, int beam_width=100, bool "
      "merge_repeated=False) -> (Tensor labels, Tensor lengths, Tensor score)",
      ctc_beam_search_decoder);
  m.def(
      "edit_distance(Tensor hypothesis, Tensor hypothesis_length, Tensor truth, Tensor truth_length, *, bool "
      "normalize=True) -> Tensor",
      edit_distance);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("ctc_loss", ctc_loss_meta);
  m.impl("ctc_loss_backprop", ctc_loss_backprop_meta);
  m.impl("ctc_greedy_decoder", ctc_greedy_decoder_meta);
  m.impl("ctc_beam_search_decoder", ctc_beam_search_decoder_meta);
  m.impl("edit_distance", edit_distance_meta);
}

}  // namespace belfry
