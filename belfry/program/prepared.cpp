#include "belfry/program/prepared.h"

#include <utility>

#include "belfry/program/primitive.h"

namespace belfry::internal {

Prepared::Prepared(std::vector<TensorView> values) : values_(std::move(values)) {
  for (const TensorView& value : values_) bytes_ += value.nbytes();
}

void Prepared::Packed::pack() const {
  dnnl::stream stream(cpu_engine());
  dnnl::reorder(reorder).execute(stream, const_cast<dnnl::memory&>(plain), const_cast<dnnl::memory&>(packed));
  stream.wait();
}

dnnl::memory Prepared::packed(const TensorView& value, const dnnl::memory::desc& from,
                              const dnnl::memory::desc& to) {
  for (const Packed& known : packed_) {
    if (known.value.data() == value.data() && known.plain.get_desc() == from && known.packed.get_desc() == to)
      return known.packed;
  }
  dnnl::memory plain(from, cpu_engine(), value.data());
  if (from == to) return plain;
  dnnl::memory packed(to, cpu_engine());
  packed_.push_back({value, plain, packed, dnnl::reorder(plain, packed)});
  packed_.back().pack();
  return packed;
}

void Prepared::pack() {
  for (const Packed& packed : packed_) packed.pack();
}

}  // namespace belfry::internal
