#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "belfry/inference/internal/program_builder.h"

namespace belfry::internal {

/// Makes instructions of `node` and defines its outputs, or returns false where it has none for it.
using Lowering = bool (*)(ProgramBuilder& builder, const Node& node);
/// From the name of an operator to its lowerings, the fastest first.
using Lowerings = std::unordered_map<std::string_view, std::vector<Lowering>>;

/// What is faster than an operator of ATen, in the order to be asked; empty for most operators.
const std::vector<Lowering>& lowerings_of(const std::string& op);
/// With its ATen operator, written into planned memory where that has a way. Takes every node.
bool lower_to_operator(ProgramBuilder& builder, const Node& node);
/// With its operator, which writes into memory that the builder was given; outputs are what was written.
void lower_write(ProgramBuilder& builder, const Node& node);
/// A gradients node of the value of one operator by its inputs: runs the operator under autograd.
void lower_gradients(ProgramBuilder& builder, const Node& node);

// Each in its own file, lower_NAME.cpp.
void add_activation_lowerings(Lowerings& table);
void add_arithmetic_lowerings(Lowerings& table);
void add_array_lowerings(Lowerings& table);
void add_attention_lowerings(Lowerings& table);
void add_backprop_lowerings(Lowerings& table);
void add_batch_norm_lowerings(Lowerings& table);
void add_collective_lowerings(Lowerings& table);
void add_elementwise_lowerings(Lowerings& table);
void add_group_norm_lowerings(Lowerings& table);
void add_layer_norm_lowerings(Lowerings& table);
void add_matmul_lowerings(Lowerings& table);
void add_max_pool_lowerings(Lowerings& table);
void add_pad_lowerings(Lowerings& table);
void add_pooling_lowerings(Lowerings& table);
void add_product_lowerings(Lowerings& table);
void add_scale_shift_lowerings(Lowerings& table);
void add_softmax_lowerings(Lowerings& table);

}  // namespace belfry::internal
