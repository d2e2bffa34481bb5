#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <string>

#include "belfry/ops/array.h"
#include "belfry/ops/math.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of sums of products, einsum and tensordot: by one factor, the sum of the gradient times the
// other factors. Axes have letters, as in einsum; those that no other factor and no result has are summed
// alone, so that the gradient is the same for all of their elements.

namespace belfry::internal {
namespace {

struct Contraction {
  std::vector<std::string> factors;  ///< a letter for each axis
  std::string result;
};

/// Letters in the place of "...", which are `count` axes of the `most` that any factor has there.
std::string with_letters(std::string labels, size_t count, const std::string& most) {
  if (const size_t dots = labels.find("..."); dots != std::string::npos)
    labels.replace(dots, 3, most.substr(most.size() - count));
  return labels;
}

/// Where einsum is given none: what has no letter, then each letter that stands once, in order.
std::string default_result(const std::vector<std::string>& factors) {
  std::string once;
  std::map<char, int> count;
  for (const std::string& factor : factors) {
    for (const char c : factor) count[c] += c != '.';
  }
  for (const auto& [letter, times] : count) {
    if (times == 1) once += letter;
  }
  const bool dots = std::ranges::any_of(factors, [](const std::string& f) { return f.find('.') != f.npos; });
  return (dots ? "..." : "") + once;
}

/// nullopt where a factor has a letter twice, or more letters are wanted than there are.
std::optional<Contraction> parse(std::string equation, const std::vector<Tensor>& tensors) {
  std::erase_if(equation, [](char c) { return std::isspace(static_cast<unsigned char>(c)); });
  const size_t arrow = equation.find("->");
  Contraction c;
  std::string factors = equation.substr(0, arrow);
  for (size_t comma; (comma = factors.find(',')) != std::string::npos; factors.erase(0, comma + 1))
    c.factors.push_back(factors.substr(0, comma));
  c.factors.push_back(factors);
  if (c.factors.size() != tensors.size()) return std::nullopt;
  c.result = arrow == std::string::npos ? default_result(c.factors) : equation.substr(arrow + 2);

  std::vector<size_t> unnamed;
  for (size_t k = 0; k < tensors.size(); ++k) {
    const auto named =
        static_cast<size_t>(std::ranges::count_if(c.factors[k], [](char letter) { return letter != '.'; }));
    unnamed.push_back(static_cast<size_t>(tensors[k].rank()) - named);
  }
  std::string free;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    for (const char one : {letter, static_cast<char>(std::toupper(letter))}) {
      if (equation.find(one) == std::string::npos) free += one;
    }
  }
  const size_t most = *std::ranges::max_element(unnamed);
  if (most > free.size()) return std::nullopt;
  free.resize(most);
  for (size_t k = 0; k < tensors.size(); ++k) {
    std::string& labels = c.factors[k];
    labels = with_letters(labels, unnamed[k], free);
    std::string sorted = labels;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) != sorted.end()) return std::nullopt;
  }
  c.result = with_letters(c.result, most, free);
  return c;
}

bool differentiate(Backprop& b, const Contraction& c, const std::vector<Tensor>& factors) {
  std::map<char, int64_t> sizes;
  const auto size_of = [&](size_t k, char letter) {
    const size_t axis = c.factors[k].find(letter);
    return axis == std::string::npos ? 0 : factors[k].dim(static_cast<int64_t>(axis));
  };
  for (size_t k = 0; k < factors.size(); ++k) {
    for (const char letter : c.factors[k]) {
      int64_t& size = sizes.try_emplace(letter, 1).first->second;
      if (size == 1) size = size_of(k, letter);
    }
  }
  for (size_t k = 0; k < factors.size(); ++k) {
    if (!b.wants(k)) continue;
    std::string equation = c.result, kept;
    std::vector<Tensor> others = {b.gradient()};
    Shape before_spread;
    for (size_t j = 0; j < factors.size(); ++j) {
      if (j == k) continue;
      equation += ',' + c.factors[j];
      others.push_back(factors[j]);
    }
    for (const char letter : c.factors[k]) {
      bool elsewhere = c.result.find(letter) != std::string::npos;
      for (size_t j = 0; j < factors.size(); ++j)
        elsewhere = elsewhere || (j != k && size_of(j, letter) == sizes[letter]);
      const bool keeps = elsewhere && size_of(k, letter) == sizes[letter];
      if (keeps) kept += letter;
      before_spread.push_back(keeps ? sizes[letter] : 1);
    }
    Tensor g = einsum(equation + "->" + kept, others);
    if (g.shape() != before_spread) g = reshape(g, before_spread);
    b.give(k, before_spread == factors[k].shape() ? g : broadcast_to(g, factors[k].shape()));
  }
  return true;
}

bool einsum_of(Backprop& b) {
  const auto& factors = b.node().inputs();
  const auto contraction = parse(b.attribute("equation").toStringRef(), factors);
  return contraction && differentiate(b, *contraction, factors);
}

bool tensordot_of(Backprop& b) {
  const auto& factors = b.node().inputs();
  const int64_t rank = factors[0].rank(), other_rank = factors[1].rank();
  if (rank + other_rank > 26) return false;
  Contraction c{
      .factors = {std::string(static_cast<size_t>(rank), 0), std::string(static_cast<size_t>(other_rank), 0)},
      .result = ""};
  char letter = 'a';
  for (char& label : c.factors[0]) label = letter++;
  for (char& label : c.factors[1]) label = letter++;
  const auto axes = b.integers("dims_self"), other_axes = b.integers("dims_other");
  std::string contracted;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i] < 0 ? axes[i] + rank : axes[i]);
    const auto other = static_cast<size_t>(other_axes[i] < 0 ? other_axes[i] + other_rank : other_axes[i]);
    c.factors[1][other] = c.factors[0][axis];
    contracted += c.factors[0][axis];
  }
  for (const std::string& labels : c.factors) {
    for (const char label : labels) {
      if (contracted.find(label) == std::string::npos) c.result += label;
    }
  }
  return differentiate(b, c, factors);
}

}  // namespace

void add_contraction_derivatives(DerivativeRules& rules) {
  rules["aten::einsum"] = einsum_of;
  rules["aten::tensordot"] = tensordot_of;
}

}  // namespace belfry::internal
