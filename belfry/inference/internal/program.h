#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/inference/internal/prepared.h"
#include "belfry/inference/profiled_step.h"
#include "belfry/runtime/compile_options.h"

namespace belfry::internal {

/// A piece of work on tensors of fixed places.
class Instruction {
 public:
  virtual ~Instruction() = default;
  /// Called once, when the tensors have got their memory.
  virtual void bind() {}
  virtual void run() = 0;
  /// Whether NaN may become an ordinary number in it. The processor notes that (invalid_operation.h).
  virtual bool may_hide_nan() const { return false; }
  /// Whether the processor's note says nothing of it: ATen's operators convert what is out of range, for one,
  /// on the way to right results.
  virtual bool is_often_invalid() const { return false; }
  /// What does the work: "brgconv:avx512_core".
  virtual std::string describe() const = 0;
};

/// A graph of static shapes as a list of instructions on planned memory: a run looks nothing up, infers
/// nothing, and allocates nothing but what an ATen kernel takes for itself. One thread at a time may run it;
/// each further thread needs a program of its own. Programs share the weights.
class Program {
 public:
  /// Feeds of `graph` have static shapes. Called below the dispatcher's autograd keys, as run is. Throws
  /// UsageError where a shape depends on values.
  Program(Function graph, std::shared_ptr<Prepared> prepared, const CompileOptions& options);
  ~Program();

  /// Reads `feeds` and writes `results`, where they lie: dense tensors of the right dtypes and shapes, one
  /// for each feed and fetch of the graph. Of those that are longer in the first dimension it uses the rows
  /// from `first` on. False where a NaN may have been lost on the way: the results are to be computed
  /// otherwise.
  bool run(const std::vector<at::Tensor>& feeds, const std::vector<at::Tensor>& results, int64_t first = 0);
  /// The same, looking at the clock after each instruction.
  std::vector<ProfiledStep> profile(const std::vector<at::Tensor>& feeds,
                                    const std::vector<at::Tensor>& results);

  /// Dtype and sizes of each fetch.
  const std::vector<Tensor>& fetches() const { return graph_.outputs; }
  /// One line for each instruction, and the memory.
  std::string describe() const;

 private:
  friend class ProgramBuilder;
  struct Entry {
    std::unique_ptr<Instruction> instruction;
    std::string name;            ///< of the node
    bool watched_from = false;   ///< what the processor noted before it does not count
    bool watched_until = false;  ///< what it notes after it does not
    void run() const;
  };
  void bind(const std::vector<at::Tensor>& feeds, const std::vector<at::Tensor>& results, int64_t first = 0);

  Function graph_;
  std::shared_ptr<Prepared> prepared_;
  std::vector<Entry> instructions_;
  std::vector<c10::Storage> feed_storages_, result_storages_;
  at::Tensor arena_;
  size_t planned_bytes_ = 0, total_bytes_ = 0;
};

/// Turns the nodes of a graph into the instructions of a program.
class ProgramBuilder {
 public:
  ProgramBuilder(Program& program, const CompileOptions& options);
  void build();

  // For what makes instructions of nodes:

  /// The tensor that an input has; dense when asked for, with a copy in front where it is not.
  at::Tensor value(const Tensor& tensor) const { return values_.at(tensor); }
  at::Tensor dense(const Tensor& tensor);
  /// Whether it is one of the weights, which have their values already.
  bool is_weight(const at::Tensor& tensor) const {
    return !buffer_of_.contains(tensor.storage().unsafeGetStorageImpl());
  }
  Prepared& prepared() { return *program_.prepared_; }
  /// A dense tensor of its own memory, not yet written.
  at::Tensor make(at::IntArrayRef sizes, DType dtype);
  at::Tensor make_output(const Tensor& output) { return make(output.shape(), output.dtype()); }
  /// Takes `value` for `output`.
  void define(const Tensor& output, at::Tensor value);
  /// Appends an instruction, with what it reads, writes, and uses up.
  void emit(const Node& node, std::unique_ptr<Instruction> instruction, const std::vector<at::Tensor>& reads,
            const std::vector<at::Tensor>& writes);
  /// Like make_output; where an input of the same size is read for the last time by `node`, in its place.
  at::Tensor make_output_in_place(const Node& node, const Tensor& output);
  /// A dense tensor with the values of `input`, for `node` to add its output to: the input itself where
  /// nobody needs it afterwards, or a copy.
  at::Tensor make_output_from(const Node& node, const Tensor& input);

 private:
  /// Memory of one or more tensors, from the first instruction that writes it to the last that reads it.
  struct Buffer {
    c10::Storage storage;
    int64_t bytes = 0, first = 0, last = -1;
    bool external = false;  ///< the caller's
    int64_t last_use = -1;  ///< id of the last node that reads one of the tensors
  };

  bool add_views(const Node& node);
  void add(const Node& node);
  void add_fetches();
  void watch();
  int64_t now() const { return static_cast<int64_t>(program_.instructions_.size()); }
  Buffer* buffer_of(const at::Tensor& tensor);
  bool may_overwrite(const Node& node, const Tensor& input);
  void plan_memory();
  at::Tensor make_external(const Tensor& like, std::vector<c10::Storage>& storages);

  Program& program_;
  const CompileOptions& options_;
  std::unordered_map<Tensor, at::Tensor> values_;
  std::unordered_map<Tensor, int64_t> last_use_;  ///< id of the last node that reads a tensor
  std::vector<Buffer> buffers_;
  std::unordered_map<const c10::StorageImpl*, size_t> buffer_of_;
};

}  // namespace belfry::internal
