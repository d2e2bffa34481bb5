#include "belfry/inference/internal/lowerings.h"

namespace belfry::internal {

const std::vector<Lowering>& lowerings_of(const std::string& op) {
  static const Lowerings table = [] {
    Lowerings all;
    add_activation_lowerings(all);
    add_arithmetic_lowerings(all);
    add_array_lowerings(all);
    add_attention_lowerings(all);
    add_backprop_lowerings(all);
    add_batch_norm_lowerings(all);
    add_collective_lowerings(all);
    add_elementwise_lowerings(all);
    add_group_norm_lowerings(all);
    add_layer_norm_lowerings(all);
    add_matmul_lowerings(all);
    add_max_pool_lowerings(all);
    add_pad_lowerings(all);
    add_pooling_lowerings(all);
    add_product_lowerings(all);
    add_scale_shift_lowerings(all);
    add_softmax_lowerings(all);
    return all;
  }();
  static const std::vector<Lowering> none;
  const auto found = table.find(op);
  return found == table.end() ? none : found->second;
}

}  // namespace belfry::internal
