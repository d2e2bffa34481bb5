#include "nets/dcgan.h"

#include "belfry/layers/argscope.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/conv2d_transpose.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/ops/ops.h"

namespace belfry::benchmarks {

namespace {

constexpr int64_t kFilters = 64;

Tensor leaky(const Tensor& x) {
  return leaky_relu(x);
}
Tensor bn_leaky(const Tensor& x) {
  return leaky_relu(BatchNorm("bn", x));
}

}  // namespace

Tensor dcgan_generator(const Tensor& noise) {
  ArgScope defaults(Conv2DTransposeOptions{.kernel = 4, .strides = 2, .activation = BNReLU});
  const Tensor x = FullyConnected("fc0", noise, {.units = kFilters * 8 * 4 * 4});
  return BNReLU(reshape(x, {-1, 4, 4, kFilters * 8})) |
         Conv2DTranspose("deconv1", {.filters = kFilters * 4}) |
         Conv2DTranspose("deconv2", {.filters = kFilters * 2}) |
         Conv2DTranspose("deconv3", {.filters = kFilters}) |
         Conv2DTranspose("deconv4", {.filters = 3, .activation = tanh});
}

Tensor dcgan_discriminator(const Tensor& image) {
  ArgScope defaults(Conv2DOptions{.kernel = 4, .strides = 2, .activation = bn_leaky});
  return image | Conv2D("conv0", {.filters = kFilters, .activation = leaky}) |
         Conv2D("conv1", {.filters = kFilters * 2}) | Conv2D("conv2", {.filters = kFilters * 4}) |
         Conv2D("conv3", {.filters = kFilters * 8}) | FullyConnected("fct", {.units = 1});
}

}  // namespace belfry::benchmarks
