#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/runtime/session.h"

namespace belfry::test {

class Choices;

/// Makes a graph of one operator that graph files may hold, with arguments that the input decides, writes and
/// reads it, and runs it plain and compiled. True when the operator took the arguments. Throws what Belfry
/// should not: no UsageError, DataError or ResourceError.
bool run_operator_graph(std::string_view input);

/// The same with an ONNX model of one node.
bool run_onnx_operator(std::string_view input);

// What both are made of.

/// False when `call` throws an error of a kind that a wrong graph may have.
bool done(const std::function<void()>& call);
/// To stderr, where the environment has BELFRY_FUZZ_SHOW.
void show(const std::function<std::string()>& text);
/// True when memory for each is no question; of tensors with dynamic sizes `dynamic`.
bool is_small(const std::vector<Tensor>& tensors, bool dynamic);
/// Runs on random values, by the plan of a session and compiled.
void run_both_ways(Choices& choices, Session& session, const std::vector<Tensor>& inputs,
                   const std::vector<Tensor>& outputs);

}  // namespace belfry::test
