#include "belfry/ops/control_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/function.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/trace.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"

// A branch or body is traced to a function (graph/trace.h) that is an argument of the node; what it captures
// are inputs of the node beside those that its operator has anyway.

namespace belfry {
namespace {

/// The operator that takes a generator too, where one of the functions draws numbers.
std::string overload(const std::string& op, bool is_random) {
  return is_random ? op + ".generator" : op;
}

void check_defined(const std::string& who, const std::vector<Tensor>& tensors, const char* what) {
  for (const Tensor& tensor : tensors) {
    if (!tensor.defined() || !tensor.has_value())
      throw UsageError(fmt::format("[{}] expected tensors for {}, got none", who, what));
  }
}

template <typename Fn>
void check_function(const std::string& who, const Fn& fn, const char* what) {
  if (!fn) throw UsageError(fmt::format("[{}] expected a function for {}, got null", who, what));
}

bool is_flag(const Tensor& tensor) {
  return tensor.dtype() == kBool && tensor.rank() == 0;
}

TensorSpec spec_of(const std::string& name, const Tensor& like) {
  return {.name = name, .shape = like.shape(), .dtype = like.dtype()};
}

/// The element of `elems`, as its place in them is known later.
TensorSpec element_spec(const std::string& who, const Tensor& elems) {
  if (elems.rank() == 0)
    throw UsageError(
        fmt::format("[{}] expected elements along dimension 0, got the scalar {}", who, describe(elems)));
  return {.name = "elem", .shape = {elems.shape().begin() + 1, elems.shape().end()}, .dtype = elems.dtype()};
}

/// Says that values of a loop variable change dtype or rank, or a size that its invariant does not allow to.
void check_next(const std::string& who, const std::vector<Tensor>& variables,
                const std::vector<Tensor>& next) {
  if (next.size() != variables.size()) {
    throw UsageError(fmt::format("[{}] expected {} values from the body, one for each variable, got {}", who,
                                 variables.size(), next.size()));
  }
  for (size_t i = 0; i < next.size(); ++i) {
    const Shape& invariant = variables[i].shape();
    const bool fits = next[i].dtype() == variables[i].dtype() &&
                      is_compatible_with(invariant, next[i].shape()) &&
                      std::ranges::equal(invariant, next[i].shape(), [](int64_t expected, int64_t given) {
                        return expected == kDynamic || expected == given;
                      });
    if (fits) continue;
    throw UsageError(
        fmt::format("[{}] expected the body to keep variable {} {} {}, got {}: shapes that iterations change "
                    "need a shape "
                    "invariant with dynamic sizes",
                    who, i, to_string(variables[i].dtype()), to_string(invariant), describe(next[i])));
  }
}

/// The node of operator belfry::scan.
std::vector<Tensor> add_scan(const std::string& full_name, const BuildFunction& body, bool reverse,
                             const std::vector<Tensor>& initial, const std::vector<Tensor>& elems) {
  check_defined(full_name, elems, "the elements");
  check_defined(full_name, initial, "the initializer");
  if (elems.empty()) throw UsageError(fmt::format("[{}] expected elements, got none", full_name));
  std::vector<TensorSpec> specs;
  for (const Tensor& tensor : initial) specs.push_back(spec_of("accumulator", tensor));
  for (const Tensor& tensor : elems) specs.push_back(element_spec(full_name, tensor));
  const TracedFunction traced = trace(full_name, full_name, specs, body);
  return default_graph()
      .add(overload("belfry::scan", traced.is_random), {},
           {{"initial", initial},
            {"elems", elems},
            {"captured", traced.captured},
            {"body", traced.function},
            {"reverse", reverse}},
           full_name + "/")
      .output_tensors();
}

std::vector<Tensor> first(const std::vector<Tensor>& tensors, size_t count) {
  return {tensors.begin(), tensors.begin() + static_cast<std::ptrdiff_t>(count)};
}
std::vector<Tensor> after(const std::vector<Tensor>& tensors, size_t count) {
  return {tensors.begin() + static_cast<std::ptrdiff_t>(count), tensors.end()};
}

}  // namespace

std::vector<Tensor> cond(const Tensor& predicate, const Branch& then_fn, const Branch& else_fn,
                         const std::string& name) {
  const std::string full_name = free_name("belfry::cond", name);
  check_function(full_name, then_fn, "each branch");
  check_function(full_name, else_fn, "each branch");
  check_defined(full_name, {predicate}, "the predicate");
  if (!is_flag(predicate))
    throw UsageError(
        fmt::format("[{}] expected a bool scalar as predicate, got {}", full_name, describe(predicate)));
  const auto branch = [&](const char* scope, const Branch& build) {
    return trace(full_name, full_name + scope, {}, [&](const std::vector<Tensor>&) { return build(); });
  };
  const TracedFunction then_branch = branch("/then", then_fn), else_branch = branch("/else", else_fn);
  return default_graph()
      .add(overload("belfry::cond", then_branch.is_random || else_branch.is_random), {},
           {{"predicate", predicate},
            {"then_inputs", then_branch.captured},
            {"else_inputs", else_branch.captured},
            {"then_branch", then_branch.function},
            {"else_branch", else_branch.function}},
           full_name + "/")
      .output_tensors();
}

Tensor cond(const Tensor& predicate, const std::function<Tensor()>& then_fn,
            const std::function<Tensor()>& else_fn, const std::string& name) {
  const auto list = [](const std::function<Tensor()>& fn) {
    return fn ? Branch([&fn] { return std::vector<Tensor>{fn()}; }) : Branch();
  };
  return cond(predicate, list(then_fn), list(else_fn), name)[0];
}

std::vector<Tensor> while_loop(const LoopCondition& condition, const LoopBody& body,
                               const std::vector<Tensor>& variables, const WhileLoopOptions& options,
                               const std::string& name) {
  const std::string full_name = free_name("belfry::while_loop", name);
  check_function(full_name, condition, "the condition");
  check_function(full_name, body, "the body");
  check_defined(full_name, variables, "the variables");
  if (variables.empty()) throw UsageError(fmt::format("[{}] expected loop variables, got none", full_name));
  const auto& invariants = options.shape_invariants;
  if (!invariants.empty() && invariants.size() != variables.size()) {
    throw UsageError(fmt::format("[{}] expected a shape invariant for each of {} variables, got {}",
                                 full_name, variables.size(), invariants.size()));
  }
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i < variables.size(); ++i) {
    specs.push_back(spec_of("variable", variables[i]));
    if (invariants.empty()) continue;
    const Shape& given = variables[i].shape();
    const bool fits = std::ranges::equal(invariants[i], given, [](int64_t invariant, int64_t size) {
      return invariant == kDynamic || invariant == size;
    });
    if (!fits)
      throw UsageError(fmt::format("[{}] expected variable {} to fit its invariant {}, got {}", full_name, i,
                                   to_string(invariants[i]), describe(variables[i])));
    specs.back().shape = invariants[i];
  }
  const TracedFunction asks =
      trace(full_name, full_name + "/cond", specs, [&](const std::vector<Tensor>& now) {
        const Tensor flag = condition(now);
        if (!flag.defined() || !is_flag(flag))
          throw UsageError(fmt::format("[{}] expected the condition to be a bool scalar, got {}", full_name,
                                       flag.defined() ? describe(flag) : "none"));
        return std::vector<Tensor>{flag};
      });
  const TracedFunction steps =
      trace(full_name, full_name + "/body", specs, [&](const std::vector<Tensor>& now) {
        const std::vector<Tensor> next = body(now);
        check_defined(full_name, next, "the results of the body");
        check_next(full_name, now, next);
        return next;
      });
  return default_graph()
      .add(overload("belfry::while_loop", asks.is_random || steps.is_random), {},
           {{"variables", variables},
            {"condition_inputs", asks.captured},
            {"body_inputs", steps.captured},
            {"condition", asks.function},
            {"body", steps.function},
            {"maximum_iterations", options.maximum_iterations}},
           full_name + "/")
      .output_tensors();
}

std::vector<Tensor> map_fn(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& fn,
                           const std::vector<Tensor>& elems, const std::string& name) {
  const std::string full_name = free_name("belfry::map_fn", name);
  check_function(full_name, fn, "the elements");
  return add_scan(full_name, fn, /*reverse=*/false, {}, elems);
}

Tensor map_fn(const std::function<Tensor(const Tensor&)>& fn, const Tensor& elems, const std::string& name) {
  if (!fn) throw UsageError("[map_fn] expected a function for the elements, got null");
  return map_fn([&](const std::vector<Tensor>& now) { return std::vector<Tensor>{fn(now[0])}; },
                std::vector<Tensor>{elems}, name)[0];
}

std::vector<Tensor> scan(
    const std::function<std::vector<Tensor>(const std::vector<Tensor>&, const std::vector<Tensor>&)>& fn,
    const std::vector<Tensor>& elems, const std::vector<Tensor>& initializer, const ScanOptions& options,
    const std::string& name) {
  const std::string full_name = free_name("belfry::scan", name);
  check_function(full_name, fn, "the accumulators and elements");
  const size_t count = initializer.size();
  const auto body = [&](const std::vector<Tensor>& given) {
    const std::vector<Tensor> accumulators = first(given, count);
    std::vector<Tensor> next = fn(accumulators, after(given, count));
    check_defined(full_name, next, "the results of the function");
    check_next(full_name, accumulators, next);
    next.insert(next.end(), next.begin(), next.begin() + static_cast<std::ptrdiff_t>(count));
    return next;
  };
  return after(add_scan(full_name, body, options.reverse, initializer, elems), count);
}

Tensor scan(const std::function<Tensor(const Tensor&, const Tensor&)>& fn, const Tensor& elems,
            const Tensor& initializer, const ScanOptions& options, const std::string& name) {
  if (!fn) throw UsageError("[scan] expected a function of an accumulator and an element, got null");
  return scan(
      [&](const std::vector<Tensor>& accumulators, const std::vector<Tensor>& now) {
        return std::vector<Tensor>{fn(accumulators[0], now[0])};
      },
      std::vector<Tensor>{elems}, std::vector<Tensor>{initializer}, options, name)[0];
}

Tensor scan(const std::function<Tensor(const Tensor&, const Tensor&)>& fn, const Tensor& elems,
            const ScanOptions& options, const std::string& name) {
  if (!elems.defined() || elems.rank() == 0)
    throw UsageError(fmt::format("[scan] expected elements along dimension 0, got {}",
                                 elems.defined() ? describe(elems) : "none"));
  const Tensor initial = select(elems, options.reverse ? -1 : 0);
  const Tensor rest =
      call("aten::slice.Tensor", {elems},
           options.reverse ? Attributes{{"dim", 0}, {"end", -1}} : Attributes{{"dim", 0}, {"start", 1}});
  const Tensor results = scan(fn, rest, initial, options, name);
  const Tensor kept = expand_dims(initial, 0);
  return options.reverse ? concat({results, kept}, 0) : concat({kept, results}, 0);
}

}  // namespace belfry
