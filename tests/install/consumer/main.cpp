#include <ATen/ops/ones.h>
#include <belfry/belfry.h>

using namespace belfry;

int main() {
  Graph graph;
  GraphScope as_default(graph);
  Tensor x = placeholder("x", {kDynamic, 3});
  Tensor y = FullyConnected("fc", x, {.units = 2, .kernel_initializer = constant_initializer(1)});
  Session session(graph);
  session.initialize_variables();
  at::Tensor result = session.run(y, {{x, at::ones({4, 3})}});
  log_info("consumer: {} values of {}", result.numel(), y.name());
  return result.sum().item<float>() == 4 * 2 * 3 ? 0 : 1;
}
