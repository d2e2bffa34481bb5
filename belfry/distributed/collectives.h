#pragma once

#include <string>

#include "belfry/distributed/process_group.h"
#include "belfry/graph/tensor.h"

namespace belfry {

// Operators that compute with the values of all processes of process_group(). Every process runs the same
// graph, and the runs of an operator meet each other: one process alone waits for the others until the
// time-out. With one process each returns what it is given. Errors at run time as ProcessGroup's.
//
// Derivatives are those of the sum of the losses of all processes.

/// The tensors of all processes, reduced element by element; their shapes are the same. Derivatives of kMin
/// and kMax are an error.
Tensor all_reduce(const Tensor& x, ReduceOp op = ReduceOp::kSum, const std::string& name = "");
/// The tensors [N, ...] of all processes, of the same shape, as [world_size N, ...] in the order of ranks.
Tensor all_gather(const Tensor& x, const std::string& name = "");
/// The tensor of process `root` in all; the shapes are the same.
Tensor broadcast(const Tensor& x, int root = 0, const std::string& name = "");
/// all_reduce of [world_size N, ...], of which each process gets its own [N, ...]. kSum or kMean.
Tensor reduce_scatter(const Tensor& x, ReduceOp op = ReduceOp::kSum, const std::string& name = "");

/// all_reduce in two nodes, between which other work is done: the value of the first is there only for the
/// second. Without derivatives.
Tensor all_reduce_start(const Tensor& x, ReduceOp op = ReduceOp::kSum, const std::string& name = "");
Tensor all_reduce_wait(const Tensor& started, const std::string& name = "");

/// Whether a node calls one of these, so that all processes must run it, in one order; all_reduce_wait, which
/// calls nobody, is none.
bool is_collective(const Node& node);

}  // namespace belfry
