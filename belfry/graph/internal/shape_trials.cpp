#include "belfry/graph/internal/shape_trials.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/shape_inference.h"

// Invariant: a size is said to be static only when no two trials that the operator takes differ in it, so
// that what is not known is dynamic rather than wrong. The header says which sizes are tried and why.

namespace belfry {
namespace {

/// What unknown_size gives during the trial that runs, and whether it was called.
struct UnknownSize {
  int64_t size = 0;
  bool called = false;
};
thread_local UnknownSize unknown;

}  // namespace

int64_t unknown_size() {
  unknown.called = true;
  return unknown.size;
}

namespace internal {
namespace {

using Outputs = std::vector<at::Tensor>;
/// A size for each dynamic dimension.
using Sizes = std::vector<int64_t>;

/// Numbers above are no sizes but stand for "all there is".
constexpr int64_t kLargestNumber = int64_t{1} << 30;

/// What several trials agree on.
class Agreement {
 public:
  explicit Agreement(const Outputs& outputs) {
    for (const at::Tensor& output : outputs) {
      known_.push_back(output.defined() ? Node::Output{output.scalar_type(), output.sizes().vec()}
                                        : Node::Output());
    }
  }

  bool has_as_many(const Outputs& outputs) const { return outputs.size() == known_.size(); }

  /// Makes the dimensions that differ dynamic. Requires: has_as_many(outputs).
  void add(const Outputs& outputs) {
    for (size_t i = 0; i < known_.size(); ++i) {
      if (!outputs[i].defined()) continue;
      Shape& shape = known_[i].shape;
      if (shape.size() != static_cast<size_t>(outputs[i].dim())) {
        throw UsageError(
            fmt::format("expected a result of a rank that the graph knows, got one whose rank depends on a "
                        "dynamic dimension ({} or {})",
                        shape.size(), outputs[i].dim()));
      }
      for (size_t d = 0; d < shape.size(); ++d) {
        if (shape[d] != outputs[i].size(static_cast<int64_t>(d))) shape[d] = kDynamic;
      }
    }
  }

  const std::vector<Node::Output>& known() const { return known_; }

 private:
  std::vector<Node::Output> known_;
};

/// The positive integers among the arguments (sizes, counts, windows; of a negative one, which counts from
/// the end, the magnitude), the sum of a list and its length.
std::set<int64_t> numbers_in(const std::vector<Argument>& arguments) {
  const auto is_size = [](int64_t number) { return number >= -kLargestNumber && number <= kLargestNumber; };
  std::set<int64_t> numbers;
  for (const Argument& argument : arguments) {
    const c10::IValue& value = argument.constant;
    if (value.isInt() && is_size(value.toInt())) numbers.insert(std::abs(value.toInt()));
    if (!value.isIntList()) continue;
    const auto list = value.toIntVector();
    int64_t sum = 0;
    for (int64_t number : list) {
      if (!is_size(number)) continue;
      numbers.insert(std::abs(number));
      sum += number;
    }
    numbers.insert({sum, static_cast<int64_t>(list.size())});
  }
  std::erase_if(numbers, [](int64_t number) { return number < 1 || number > kLargestNumber; });
  return numbers;
}

bool lists_a_zero(const std::vector<Argument>& arguments) {
  return std::ranges::any_of(arguments, [](const Argument& argument) {
    const c10::IValue& value = argument.constant;
    return value.isIntList() && std::ranges::count(value.toIntVector(), 0) > 0;
  });
}

/// Cuts the digits, or what is no digit, off the front of a text.
std::string_view cut(std::string_view& text, bool digits) {
  constexpr std::string_view kDigits = "0123456789";
  const size_t end = digits ? text.find_first_not_of(kDigits) : text.find_first_of(kDigits);
  const std::string_view front = text.substr(0, end);
  text.remove_prefix(front.size());
  return front;
}

/// A message with "?" for the numbers in which it differs from that of another trial: "[5040, 784]" becomes
/// "[?, 784]". As it is where they differ in more.
std::string hide_sizes(std::string_view message, std::string_view other) {
  std::string text;
  const std::string whole(message);
  while (!message.empty() || !other.empty()) {
    const std::string_view words = cut(message, false);
    if (words != cut(other, false)) return whole;
    const std::string_view number = cut(message, true), second = cut(other, true);
    text += words;
    text += number == second ? number : "?";
  }
  return text;
}

class Trials {
 public:
  Trials(const std::vector<Tensor>& inputs, const std::vector<Argument>& arguments, const TestSize& test,
         const Evaluate& evaluate)
      : inputs_(inputs),
        test_(test),
        evaluate_(evaluate),
        numbers_(numbers_in(arguments)),
        has_zero_(lists_a_zero(arguments)) {
    find_unknowns();
    bound_.assign(unknowns_.size(), kDynamic);
    size_ = large_size();
  }

  std::vector<Node::Output> run() {
    try {
      return attempt(size_).known();
    } catch (const c10::NotImplementedError&) {
      throw;
    } catch (const c10::Error& e) {
      if (unknowns_.empty()) throw;
      const std::string message = e.what_without_backtrace();
      if (search()) return found_->known();
      if (missing_) std::rethrow_exception(missing_);
      throw UsageError(hide_sizes(message, message_of(2 * size_)));
    }
  }

 private:
  static constexpr int kMaxEvaluations = 2000;

  /// A dynamic dimension of a tensor; the operator may take the tensor several times.
  struct Unknown {
    Tensor tensor;
    size_t dimension;
  };
  /// Where an unknown stands among the shapes.
  struct Place {
    size_t input, dimension, unknown;
  };

  void find_unknowns() {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      shapes_.push_back(inputs_[i].shape());
      for (size_t d = 0; d < shapes_[i].size(); ++d) {
        if (shapes_[i][d] != kDynamic) {
          statics_.insert(shapes_[i][d]);
          continue;
        }
        const auto same = [&](const Unknown& u) { return u.tensor == inputs_[i] && u.dimension == d; };
        const auto known = std::ranges::find_if(unknowns_, same);
        places_.push_back({i, d, static_cast<size_t>(known - unknowns_.begin())});
        if (known == unknowns_.end()) unknowns_.push_back({inputs_[i], d});
      }
    }
  }

  /// The test size, or a multiple of it that is beyond all numbers, as far as the limit allows.
  int64_t large_size() const {
    int64_t largest = numbers_.empty() ? 0 : *numbers_.rbegin();
    if (!statics_.empty()) largest = std::max(largest, std::min(*statics_.rbegin(), kLargestNumber));
    int64_t size = test_.size * (1 + largest / test_.size);
    if (!fits(Sizes(unknowns_.size(), 2 * size))) size = test_.size;
    while (size > 16 && !fits(Sizes(unknowns_.size(), 2 * size))) size /= 2;
    return size;
  }

  /// True when stand-ins of these sizes stay below the limit.
  bool fits(const Sizes& sizes) const {
    return std::ranges::all_of(with(sizes),
                               [&](const Shape& shape) { return count_elements(shape) < test_.limit; });
  }

  Shapes with(const Sizes& sizes) const {
    Shapes shapes = shapes_;
    for (const Place& place : places_) shapes[place.input][place.dimension] = sizes[place.unknown];
    return shapes;
  }

  /// The bound sizes, and `size` for what is not bound.
  Sizes sizes_of(int64_t size) const {
    Sizes sizes = bound_;
    std::ranges::replace(sizes, kDynamic, size);
    return sizes;
  }

  Outputs evaluate(const Sizes& sizes) {
    ++evaluations_;
    unknown.size = 1 - unknown.size;  // unlike the trial before
    Outputs outputs = evaluate_(with(sizes));
    for (const at::Tensor& output : outputs) {  // kernels without data let some through
      TORCH_CHECK(!output.defined() || std::ranges::all_of(output.sizes(), [](int64_t n) { return n >= 0; }),
                  "expected arguments for a result with sizes from 0 on, got ", output.sizes());
    }
    return outputs;
  }

  std::string message_of(int64_t size) {
    try {
      evaluate(sizes_of(size));
    } catch (const c10::Error& e) {
      return e.what_without_backtrace();
    }
    return {};
  }

  Agreement attempt(int64_t size) {
    Agreement agreement = try_large(size);
    refine(agreement, size);
    return agreement;
  }

  Agreement try_large(int64_t size) {
    unknown.called = false;
    Agreement agreement(evaluate(sizes_of(size)));
    if (!std::ranges::count(bound_, kDynamic) && !unknown.called) return agreement;
    const Outputs second = evaluate(sizes_of(2 * size));
    if (!agreement.has_as_many(second))
      throw UsageError("the number of outputs depends on a dynamic dimension");
    agreement.add(second);
    return agreement;
  }

  /// Adds the trial of these sizes where the operator takes them. One of other many outputs is left out, as a
  /// run that has them is an error.
  bool add_trial(Agreement& agreement, const Sizes& sizes) {
    if (!fits(sizes)) return false;
    Outputs outputs;
    try {
      outputs = evaluate(sizes);
    } catch (const std::exception&) {  // as it should be: these sizes do not go together
      return false;
    }
    if (!agreement.has_as_many(outputs)) return false;
    agreement.add(outputs);
    return true;
  }

  void refine(Agreement& agreement, int64_t size) {
    const auto free = std::ranges::count(bound_, kDynamic);
    if (free == static_cast<std::ptrdiff_t>(bound_.size()) && is_evident(agreement)) {
      if (free > 0) add_trial(agreement, sizes_of(1));  // where a dimension of 1 may be dropped
      return;
    }
    if (free > 0) refine_free(agreement);
    if (free > 1) refine_each(agreement, size);
    for (size_t i = 0; i < bound_.size(); ++i) {
      if (bound_[i] != kDynamic) refine_bound(agreement, i, size);
    }
  }

  /// True where each output has the very shape of all inputs with a dynamic dimension, or no dimension: most
  /// operators, so that the trials saved are worth a look.
  bool is_evident(const Agreement& agreement) const {
    return std::ranges::all_of(agreement.known(), [&](const Node::Output& output) {
      return output.shape.empty() || std::ranges::all_of(shapes_, [&](const Shape& shape) {
               return shape == output.shape || !std::ranges::count(shape, kDynamic);
             });
    });
  }

  void refine_free(Agreement& agreement) {
    const bool takes_one = add_trial(agreement, sizes_of(1)), takes_none = add_trial(agreement, sizes_of(0));
    if (takes_one || takes_none) return;
    std::set<int64_t> near;
    for (int64_t number : numbers_) near.insert({number - 1, number, number + 1});
    for (int64_t size : near) {
      if (size > 1) add_trial(agreement, sizes_of(size));
    }
  }

  /// One dimension twice as large as the others. What they must have in common (channels) makes it fail.
  void refine_each(Agreement& agreement, int64_t size) {
    for (size_t i = 0; i < bound_.size(); ++i) {
      if (bound_[i] != kDynamic) continue;
      Sizes sizes = sizes_of(size);
      sizes[i] = 2 * size;
      add_trial(agreement, sizes);
    }
  }

  void refine_bound(Agreement& agreement, size_t i, int64_t size) {
    Sizes sizes = sizes_of(size);
    std::set<int64_t> others = candidates_;  // the largest of which are the limits of windows
    others.insert({size, 0, 1, 2, 3, bound_[i] + 1});
    for (int64_t other : others) {
      if (other == bound_[i]) continue;
      sizes[i] = other;
      add_trial(agreement, sizes);
    }
  }

  /// Finds the fewest dimensions to bind, and what to. Sets found_.
  bool search() {
    candidates_ = numbers_;
    candidates_.insert(statics_.begin(), statics_.end());
    int64_t divisible = size_;
    for (int64_t number : numbers_) {
      const double multiple = static_cast<double>(divisible) / std::gcd(divisible, number) * number;
      if (multiple < test_.limit) divisible = std::lcm(divisible, number);
    }
    divisible *= 1 + std::accumulate(numbers_.begin(), numbers_.end(), int64_t{0}) / divisible;
    test_sizes_ = {size_};
    if (divisible != size_ && fits(Sizes(unknowns_.size(), 2 * divisible))) test_sizes_.push_back(divisible);
    for (size_t count = 0; count <= unknowns_.size(); ++count) {
      if (count == 2 && (bind_to_the_others(false) || bind_to_a_product() || bind_to_the_others(true)))
        return true;
      if (search(0, count)) return true;
    }
    return (unknowns_.size() < 2 && bind_to_a_product()) || bind_to_nothing();
  }

  /// Binds to 0 or 1 where a list has a 0: what is split into nothing, or repeated no time. These sizes
  /// please operators that would take others, so they come last.
  bool bind_to_nothing() {
    if (!has_zero_) return false;
    candidates_.insert({0, 1});
    for (size_t count = 1; count <= unknowns_.size(); ++count) {
      if (search(0, count)) return true;
    }
    return false;
  }

  /// Binds one dimension to the product of a number and a static size, or their quotient: channels of a
  /// convolution in groups, of its input or its filter.
  bool bind_to_a_product() {
    std::set<int64_t> products;
    for (int64_t number : numbers_) {
      for (int64_t size : statics_) {
        if (size <= kLargestNumber) products.insert(number * size);
        if (size % number == 0) products.insert(size / number);
      }
    }
    std::swap(candidates_, products);
    const bool found = search(0, 1);
    std::swap(candidates_, products);
    return found;
  }

  /// Tries every way to bind `count` of the dynamic dimensions from `first` on.
  bool search(size_t first, size_t count) {
    if (count == 0) return works();
    for (size_t i = first; i + count <= unknowns_.size(); ++i) {
      for (int64_t size : candidates_) {
        bound_[i] = size;
        if (search(i + 1, count - 1)) return true;
      }
      bound_[i] = kDynamic;
    }
    return false;
  }

  /// Binds, however many dimensions that are, to the sizes that the others have at the same place from the
  /// end; but leaves those free that can be. A size of 1 counts where the operator does not broadcast.
  bool bind_to_the_others(bool ones) {
    for (size_t i = 0; i < unknowns_.size(); ++i) {
      const Unknown& u = unknowns_[i];
      const size_t from_end = u.tensor.shape().size() - u.dimension;
      for (const Shape& shape : shapes_) {
        if (shape.size() < from_end) continue;
        const int64_t size = shape[shape.size() - from_end];
        if (size != kDynamic && (ones || size != 1)) bound_[i] = size;
      }
    }
    bool found = works();
    for (size_t i = 0; found && i < unknowns_.size(); ++i) {
      const int64_t size = std::exchange(bound_[i], kDynamic);
      if (size != kDynamic && !works()) bound_[i] = size;
    }
    found = found && works();
    if (!found) bound_.assign(unknowns_.size(), kDynamic);
    return found;
  }

  /// Tries the bindings. Sets found_ where the operator takes them, and missing_ where its kernel without
  /// data lacks the case.
  bool works() {
    for (int64_t size : test_sizes_) {
      if (evaluations_ >= kMaxEvaluations) return false;
      try {
        found_ = try_large(size);
      } catch (const c10::NotImplementedError&) {
        missing_ = std::current_exception();
        continue;
      } catch (const c10::Error&) {
        continue;
      } catch (const UsageError&) {
        continue;
      }
      refine(*found_, size);
      return true;
    }
    return false;
  }

  const std::vector<Tensor>& inputs_;
  const TestSize& test_;
  const Evaluate& evaluate_;
  const std::set<int64_t> numbers_;  ///< among the arguments
  const bool has_zero_;              ///< whether a list among the arguments has one
  Shapes shapes_;                    ///< of the inputs, as declared
  std::set<int64_t> statics_;        ///< sizes in them
  std::vector<Unknown> unknowns_;
  std::vector<Place> places_;
  Sizes bound_;  ///< of each unknown, kDynamic where it is free
  int64_t size_ = 0;
  std::set<int64_t> candidates_;     ///< what a dynamic dimension may have to equal
  std::vector<int64_t> test_sizes_;  ///< for those that are not bound
  std::optional<Agreement> found_;
  std::exception_ptr missing_;
  int evaluations_ = 0;
};

}  // namespace

std::vector<Node::Output> infer_by_trials(const std::vector<Tensor>& inputs,
                                          const std::vector<Argument>& arguments, const TestSize& test,
                                          const Evaluate& evaluate) {
  // An operator that holds a function infers within a trial: what the outer trial knows comes back after.
  struct Restored {
    UnknownSize outer = unknown;
    ~Restored() { unknown = outer; }
  } restored;
  return Trials(inputs, arguments, test, evaluate).run();
}

double count_elements(const Shape& shape) {
  double elements = 1;
  for (int64_t extent : shape) elements *= static_cast<double>(extent);
  return elements;
}

}  // namespace internal
}  // namespace belfry
