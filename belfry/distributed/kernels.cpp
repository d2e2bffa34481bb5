#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "belfry/distributed/process_group.h"
#include "belfry/graph/below_autograd.h"

// The collectives as operators of the dispatcher. What has begun is known by the memory that it writes. The
// derivative of a collective is one too: that by a value which all ranks got is the sum of what all ranks
// have.

namespace belfry {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor reduce(const Tensor& x, std::string_view op) {
  return process_group().all_reduce(x, reduce_op(op));
}

/// The rows of `x` that are this process' share.
Tensor own_part(const Tensor& x) {
  const int64_t rows = x.size(0) / world_size();
  return x.narrow(0, rank() * rows, rows).clone(at::MemoryFormat::Contiguous);
}

struct AllReduce : torch::autograd::Function<AllReduce> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const std::string& op) {
    const BelowAutograd below;
    context->saved_data["op"] = op;
    return reduce(x, op);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const std::string op = context->saved_data["op"].toStringRef();
    TORCH_CHECK(op == "sum" || op == "mean", "expected all_reduce by sum or mean, which has a gradient, got ",
                op);
    return {AllReduce::apply(gradients[0], op), {}};
  }
};

struct Broadcast : torch::autograd::Function<Broadcast> {
  static Tensor forward(AutogradContext* context, const Tensor& x, int64_t root) {
    const BelowAutograd below;
    context->saved_data["root"] = root;
    return process_group().broadcast(x, static_cast<int>(root));
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor sum = AllReduce::apply(gradients[0], "sum");
    return {rank() == context->saved_data["root"].toInt() ? sum : at::zeros_like(sum), {}};
  }
};

struct AllGather : torch::autograd::Function<AllGather> {
  static Tensor forward(AutogradContext*, const Tensor& x) {
    const BelowAutograd below;
    const Tensor all = process_group().all_gather(x);
    TORCH_CHECK_VALUE(all.size(0) == x.size(0) * world_size(),
                      "expected tensors of one shape in all processes, got ", x.size(0), " rows here and ",
                      all.size(0), " in all ", world_size());
    return all;
  }
  static variable_list backward(AutogradContext*, const variable_list& gradients) {
    return {own_part(AllReduce::apply(gradients[0], "sum"))};
  }
};

struct ReduceScatter : torch::autograd::Function<ReduceScatter> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const std::string& op) {
    const BelowAutograd below;
    context->saved_data["mean"] = op == "mean";
    return process_group().reduce_scatter(x, reduce_op(op));
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor all = AllGather::apply(gradients[0]);
    return {context->saved_data["mean"].toBool() ? all / world_size() : all, {}};
  }
};

Tensor all_reduce(const Tensor& x, c10::string_view op) {
  return AllReduce::apply(x, std::string(op));
}
Tensor broadcast(const Tensor& x, int64_t root) {
  return Broadcast::apply(x, root);
}
Tensor all_gather(const Tensor& x) {
  return AllGather::apply(x);
}
Tensor reduce_scatter(const Tensor& x, c10::string_view op) {
  return ReduceScatter::apply(x, std::string(op));
}

/// Reductions under way, by where they write.
class UnderWay {
 public:
  void begin(const Tensor& tensor, std::string_view op) {
    std::function<void()> wait = process_group().start_all_reduce(tensor, reduce_op(op));
    const std::lock_guard lock(mutex_);
    waits_.insert_or_assign(tensor.const_data_ptr(), std::move(wait));
  }
  void wait(const Tensor& tensor) {
    std::function<void()> wait;
    {
      const std::lock_guard lock(mutex_);
      const auto found = waits_.find(tensor.const_data_ptr());
      TORCH_CHECK(found != waits_.end(), "expected a value of all_reduce_start, got another one");
      wait = std::move(found->second);
      waits_.erase(found);
    }
    wait();
  }

 private:
  std::mutex mutex_;
  std::unordered_map<const void*, std::function<void()>> waits_;
};

UnderWay& under_way() {
  static auto* all = new UnderWay;
  return *all;
}

Tensor all_reduce_start_in_place(Tensor x, c10::string_view op) {
  const BelowAutograd below;
  under_way().begin(x, op);
  return x;
}
Tensor all_reduce_start(const Tensor& x, c10::string_view op) {
  const BelowAutograd below;
  return all_reduce_start_in_place(x.detach().clone(at::MemoryFormat::Contiguous), op);
}
Tensor all_reduce_wait(const Tensor& started) {
  const BelowAutograd below;
  under_way().wait(started);
  return started;
}

// Without data: shapes alone. Words and roots are checked where they are written.

Tensor all_reduce_meta(const Tensor& x, c10::string_view op) {
  const ReduceOp known = reduce_op(op);
  TORCH_CHECK(known != ReduceOp::kMean || at::isFloatingType(x.scalar_type()),
              "expected floating-point numbers for a mean, got ", x.scalar_type());
  TORCH_CHECK(!at::isComplexType(x.scalar_type()) && x.scalar_type() != at::kBool, "expected numbers, got ",
              x.scalar_type());
  return at::empty_like(x, at::MemoryFormat::Contiguous);
}
Tensor broadcast_meta(const Tensor& x, int64_t root) {
  TORCH_CHECK(root >= 0 && root < world_size(), "expected a root from 0 to ", world_size() - 1, ", got ",
              root);
  return at::empty_like(x, at::MemoryFormat::Contiguous);
}
Tensor all_gather_meta(const Tensor& x) {
  TORCH_CHECK(x.dim() > 0, "expected a first dimension, got a scalar");
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[0] *= world_size();
  return at::empty(sizes, x.options());
}
Tensor reduce_scatter_meta(const Tensor& x, c10::string_view op) {
  TORCH_CHECK(op == "sum" || op == "mean", "expected sum or mean, got ", op);
  TORCH_CHECK(x.dim() > 0, "expected a first dimension, got a scalar");
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[0] /= world_size();
  return at::empty(sizes, x.options());
}
Tensor all_reduce_wait_meta(const Tensor& started) {
  return started;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("all_reduce(Tensor x, *, str op='sum') -> Tensor", all_reduce);
  m.def("all_gather(Tensor x) -> Tensor", all_gather);
  m.def("broadcast(Tensor x, *, int root=0) -> Tensor", broadcast);
  m.def("reduce_scatter(Tensor x, *, str op='sum') -> Tensor", reduce_scatter);
  m.def("all_reduce_start(Tensor x, *, str op='sum') -> Tensor");
  m.def("all_reduce_start_(Tensor(a!) x, *, str op='sum') -> Tensor(a!)");
  m.def("all_reduce_wait(Tensor started) -> Tensor");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("all_reduce_start", all_reduce_start);
  m.impl("all_reduce_start_", all_reduce_start_in_place);
  m.impl("all_reduce_wait", all_reduce_wait);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("all_reduce", all_reduce_meta);
  m.impl("all_gather", all_gather_meta);
  m.impl("broadcast", broadcast_meta);
  m.impl("reduce_scatter", reduce_scatter_meta);
  m.impl("all_reduce_start", all_reduce_meta);
  m.impl("all_reduce_wait", all_reduce_wait_meta);
}

}  // namespace belfry
