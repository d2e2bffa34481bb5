#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>

#include "belfry/base/log.h"
#include "belfry/graph/types.h"

int main() {
  at::Tensor ones = at::ones({2, 3});
  belfry::log_info("consumer: a tensor of {} elements", ones.numel());
  return ones.sum().item<float>() == 6 ? 0 : 1;
}
