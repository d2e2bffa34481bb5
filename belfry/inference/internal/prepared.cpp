#include "belfry/inference/internal/prepared.h"

namespace belfry::internal {

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

Prepared::Prepared(std::vector<at::Tensor> values) : values_(std::move(values)) {
  for (const at::Tensor& value : values_) bytes_ += static_cast<int64_t>(value.nbytes());
}

void Prepared::pack(const Packed& packed) {
  dnnl::stream stream(cpu_engine());
  dnnl::reorder(packed.reorder)
      .execute(stream, const_cast<dnnl::memory&>(packed.plain), const_cast<dnnl::memory&>(packed.packed));
  stream.wait();
}

dnnl::memory Prepared::packed(const at::Tensor& value, const dnnl::memory::desc& from,
                              const dnnl::memory::desc& to) {
  for (const Packed& known : packed_) {
    if (known.value.is_same(value) && known.packed.get_desc() == to) return known.packed;
  }
  dnnl::memory plain(from, cpu_engine(), value.data_ptr());
  if (from == to) return plain;
  dnnl::memory packed(to, cpu_engine());
  packed_.push_back({value, plain, packed, dnnl::reorder(plain, packed)});
  pack(packed_.back());
  return packed;
}

void Prepared::set(const std::vector<at::Tensor>& values) {
  for (size_t i = 0; i < values.size(); ++i) values_[i].copy_(values[i]);
  for (const Packed& packed : packed_) pack(packed);
}

}  // namespace belfry::internal
