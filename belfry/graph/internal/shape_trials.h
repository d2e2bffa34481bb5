#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "belfry/graph/node.h"

namespace belfry::internal {

/// Shapes of an operator's inputs.
using Shapes = std::vector<Shape>;

/// Gives an operator's outputs for inputs of concrete shapes. Throws c10::Error for shapes that it refuses.
using Evaluate = std::function<std::vector<at::Tensor>(const Shapes&)>;

/// Stands for a dynamic dimension in the first trial. `limit` bounds the elements of an input.
struct TestSize {
  int64_t size;
  double limit;
};

/// Infers dtypes and shapes of an operator's outputs from trials, each an evaluation with other sizes for the
/// dynamic dimensions. Whatever trial succeeds is a run that can happen, so an output dimension is static
/// only where no two trials differ in it.
///
/// Trials. Two are of sizes above every number in sight (an argument, a static size); where the operator
/// takes them, 1 and 0 follow, which are below every limit that could hide the larger sizes (a slice up to
/// 10, the shorter side of a matrix), and sizes that differ from one dimension to the next, which differences
/// and minima of two dimensions show. Where it refuses 1 and 0, the sizes around each number follow.
///
/// Bindings. An operator that refuses the large sizes may want one that its numbers divide (a split in 32),
/// or some dimensions to equal a static size (x[?] + y[12]): as few as possible are bound to one then, and
/// what a bound dimension may be besides is tried too.
///
/// Throws c10::NotImplementedError as `evaluate` does, and UsageError where no sizes are found that the
/// operator takes, or where the rank of a result depends on a dynamic dimension.
std::vector<Node::Output> infer_by_trials(const std::vector<Tensor>& inputs,
                                          const std::vector<Argument>& arguments, const TestSize& test,
                                          const Evaluate& evaluate);

/// Elements of a shape without dynamic dimensions; a double, as they may be more than a number counts.
double count_elements(const Shape& shape);

}  // namespace belfry::internal
