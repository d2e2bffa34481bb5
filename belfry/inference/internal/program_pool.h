#pragma once

#include <ATen/core/Tensor.h>

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/program/prepared.h"
#include "belfry/program/program.h"
#include "belfry/runtime/compile_options.h"

namespace belfry::internal {

/// What a program computes of a call: some samples of the batch, or, with a count of -1, all there is.
struct Part {
  int64_t first = 0, count = -1;
};

/// The programs of a compiled graph, some for each combination of input shapes and number of threads. Any
/// number of threads may use it; each takes a program for itself and gives it back.
class ProgramPool {
 public:
  ProgramPool(const Function& graph, const CompileOptions& options);

  /// A program for that part of `feeds`. Where all are in use one more is made, which throws what
  /// ProgramBuilder does.
  std::unique_ptr<Program> take(const std::vector<at::Tensor>& feeds, const Part& part,
                                const std::shared_ptr<Prepared>& prepared);
  void give_back(std::unique_ptr<Program> program, const std::vector<at::Tensor>& feeds, const Part& part);
  /// Makes programs, each for one thread, until there are `count`: threads that do not meet in this call may
  /// meet in the next.
  void make_at_least(int64_t count, const std::vector<at::Tensor>& feeds, const Part& part,
                     const std::shared_ptr<Prepared>& prepared);

  /// The samples of these feeds; nullopt where none has a batch, or two have different ones.
  std::optional<int64_t> batch_of(const std::vector<at::Tensor>& feeds) const;
  /// Empty when no program was made yet.
  std::string describe_newest() const;

 private:
  /// Programs for one combination of shapes, made for that many threads.
  struct Shaped {
    std::vector<Shape> shapes;
    int threads = 1;
    std::vector<std::unique_ptr<Program>> idle;
    int64_t made = 0;
  };

  std::unique_ptr<Program> make(const std::vector<at::Tensor>& feeds, const Part& part,
                                const std::shared_ptr<Prepared>& prepared);
  std::unique_ptr<Program> take_idle(const std::vector<at::Tensor>& feeds, const Part& part);
  int64_t size(const std::vector<at::Tensor>& feeds, size_t feed, size_t axis, const Part& part) const;
  std::vector<Shape> shapes_of(const std::vector<at::Tensor>& feeds, const Part& part) const;
  std::list<Shaped>::iterator find(const std::vector<at::Tensor>& feeds, const Part& part);
  Shaped& entry_of(const std::vector<at::Tensor>& feeds, const Part& part);

  const Function& graph_;
  const CompileOptions& options_;
  std::vector<bool> is_batch_;  ///< for each feed: its first dimension is that of the batch

  std::mutex mutex_;            ///< guards programs_; taken after making_mutex_
  std::list<Shaped> programs_;  ///< most recently used first

  mutable std::mutex making_mutex_;  ///< one thread makes at a time, as the packed weights are shared
  std::string newest_;
};

}  // namespace belfry::internal
