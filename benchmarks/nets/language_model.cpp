#include "nets/language_model.h"

#include <string>
#include <vector>

#include "belfry/graph/scope.h"
#include "belfry/graph/variable.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"

namespace belfry::benchmarks {

namespace {

constexpr int64_t kUnits = 650;

/// `x`: [T, N, C] to [T, N, units]. The products with the inputs of all steps are one.
Tensor lstm(const std::string& name, const Tensor& x, int64_t units) {
  VariableScope scope(name);
  const int64_t time = x.dim(0), batch = x.dim(1), channels = x.dim(2);
  const Tensor input_weights = get_variable("Wx", {channels, 4 * units});
  const Tensor state_weights = get_variable("Wh", {units, 4 * units});
  const Tensor bias = get_variable("b", {4 * units});
  const Tensor products = matmul(reshape(x, {-1, channels}), input_weights) + bias;
  std::vector<Tensor> outputs;
  Tensor cell, output;
  for (const Tensor& step : unstack(reshape(products, {time, batch, 4 * units}))) {
    const auto gates = split(output ? step + matmul(output, state_weights) : step, 4, /*axis=*/1);
    const Tensor write = sigmoid(gates[0]) * tanh(gates[2]);
    cell = cell ? sigmoid(gates[1]) * cell + write : write;
    output = sigmoid(gates[3]) * tanh(cell);
    outputs.push_back(output);
  }
  return stack(outputs);
}

}  // namespace

Tensor language_model(const Tensor& words) {
  Tensor x = embedding_lookup(get_variable("embedding", {kWords, kUnits}), transpose(words, {1, 0}));
  x = lstm("lstm1", lstm("lstm0", x, kUnits), kUnits);
  return FullyConnected("linear", reshape(x, {-1, kUnits}), {.units = kWords});
}

}  // namespace belfry::benchmarks
