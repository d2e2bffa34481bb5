#include "tests/fuzz/choices.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "belfry/formats/crc32c.h"

namespace belfry::test {

Choices::Choices(std::string_view bytes) : bytes_(bytes), random_(crc32c(as_byte_span(bytes))) {
  // The first byte is left to whoever chooses first: numbers in a row go through all operators.
  std::swap(bytes_, bytes);
  if (one_in(3)) usual_dtype_ = of({kFloat64, kFloat16, kBFloat16, kInt64, kInt32, kUInt8, kBool});
  usual_shape_ = any_shape();
  careful_ = one_in(2);
  if (one_in(2)) usual_shape_.assign(below(6), static_cast<int64_t>(1 + below(4)));
  std::swap(bytes_, bytes);
}

size_t Choices::below(size_t count) {
  if (bytes_.empty()) return random_() % count;
  size_t value = 0;
  for (size_t most = 1; most < count && !bytes_.empty(); most *= 256, bytes_.remove_prefix(1))
    value = value * 256 + static_cast<unsigned char>(bytes_[0]);
  return value % count;
}

int64_t Choices::number() {
  using Limits = std::numeric_limits<int64_t>;
  if (careful_ && !one_in(6)) return of<int64_t>({1, 1, 1, 2, 2, 3});
  if (!one_in(12)) return of<int64_t>({0, 1, 1, 1, 2, 2, 3, 4, -1, -1, -2, -3});
  if (!one_in(3))
    return of<int64_t>({5, 8, 64, 300, int64_t{1} << 62, Limits::max(), Limits::min(), -(int64_t{1} << 62)});
  medium_ = true;
  return of<int64_t>({1 << 16, 1 << 30, (int64_t{1} << 31) - 1, int64_t{1} << 31, int64_t{1} << 32,
                      -(int64_t{1} << 31), -(int64_t{1} << 32), -(1 << 16)});
}

double Choices::real() {
  if (!one_in(8)) return of({0.0, 1.0, -1.0, 0.5, 1e-5, 2.0, 3.0, -2.5});
  return of({std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), std::nan(""),
             1e300, -1e300, 1e19});
}

DType Choices::dtype() {
  if (!one_in(careful_ ? 12 : 5)) return usual_dtype_;
  return of({kFloat32, kFloat64, kFloat16, kBFloat16, kInt64, kInt64, kInt64, kInt32, kInt16, kInt8, kUInt8,
             kBool, DType::ComplexFloat});
}

Shape Choices::any_shape() {
  Shape shape(one_in(10) ? below(8) : below(5));
  for (int64_t& size : shape) size = one_in(12) ? 0 : 1 + static_cast<int64_t>(below(5));
  return shape;
}

Shape Choices::shape() {
  if (careful_ && !one_in(4)) return usual_shape_;
  if (one_in(5)) return any_shape();
  Shape shape = usual_shape_;
  if (one_in(3) && !shape.empty()) shape.erase(shape.begin());
  if (one_in(4) && !shape.empty()) shape.pop_back();
  if (one_in(4)) shape = {shape.empty() ? 1 : shape.back()};
  if (one_in(4) && !shape.empty()) shape[below(shape.size())] = 1 + static_cast<int64_t>(below(4));
  return shape;
}

at::Tensor random_values(Choices& choices, const Shape& shape, DType dtype) {
  const bool real = c10::isFloatingType(dtype) || c10::isComplexType(dtype);
  const at::Tensor values = at::empty(shape, real ? kFloat64 : kInt64);
  const bool odd = choices.one_in(4);  // mostly none are, so that what is odd about one shows
  for (int64_t i = 0; i < values.numel(); ++i) {
    // What a tensor says of a size is small, or more than memory can have.
    if (real) {
      values.mutable_data_ptr<double>()[i] = odd ? choices.real() : static_cast<double>(choices.below(8)) - 2;
    } else {
      const int64_t small = static_cast<int64_t>(choices.below(4)) - (odd ? 1 : 0);
      values.mutable_data_ptr<int64_t>()[i] =
          odd && choices.one_in(4)
              ? choices.of({int64_t{1} << 50, std::numeric_limits<int64_t>::max(),
                            std::numeric_limits<int64_t>::min(), int64_t{100}, int64_t{-100}})
              : small;
    }
  }
  return values.to(dtype);
}

}  // namespace belfry::test
