#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "belfry/graph/node.h"

namespace belfry::internal {

/// The state of a session: values of variables and generators of random nodes. Cells are made on first use
/// and stay where they are, so plans keep pointers to them.
class VariableStore {
 public:
  struct Cell {
    const Node* variable;
    const at::Tensor memory;                ///< of the value; the same for good, so that threads may share it
    std::atomic<bool> initialized = false;  ///< false while the memory holds no value

    /// The memory. Throws UsageError while it holds no value.
    const at::Tensor& value() const {
      if (!initialized.load(std::memory_order_acquire)) [[unlikely]]
        throw_uninitialized();
      return memory;
    }

   private:
    [[noreturn]] void throw_uninitialized() const;
  };

  Cell& cell(const Node& variable);
  /// The generator of a random node: seeded by the node's own seed, or the graph's together with the node's
  /// name, or the system's entropy.
  const at::Generator& generator(const Node& node);
  /// The state of each generator that was made, by its node's name.
  std::map<std::string, at::Tensor> generator_states();
  /// False when `state` is none of the node's generator, which stays as it is.
  bool set_generator_state(const Node& node, const at::Tensor& state);

  /// Changes after each write to any variable; never 0.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void count_write() { version_.fetch_add(1, std::memory_order_release); }

 private:
  std::atomic<uint64_t> version_{1};
  std::mutex mutex_;
  std::unordered_map<const Node*, std::unique_ptr<Cell>> cells_;
  std::unordered_map<const Node*, at::Generator> generators_;
};

}  // namespace belfry::internal
