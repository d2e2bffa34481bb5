#include "belfry/data/imgaug/augmentor.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/convert.h"
#include "belfry/data/imgaug/crop.h"
#include "belfry/data/imgaug/imgproc.h"
#include "belfry/data/imgaug/meta.h"
#include "belfry/data/imgaug/misc.h"
#include "belfry/data/imgaug/noise.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"

namespace belfry::imgaug {
namespace {

using testing::HasSubstr;

at::Tensor random_image(int64_t h, int64_t w, int64_t channels = 3) {
  return at::randint(256, {h, w, channels}, at::kByte);
}

AugmentorList train_augmentors() {
  return AugmentorList({GoogleNetRandomCropAndResize({.target_shape = 32}), ToFloat32(),
                        RandomOrderAug({BrightnessScale({0.6, 1.4}), Contrast({0.6, 1.4}, {.rgb = false}),
                                        Saturation(0.4, {.rgb = false})}),
                        ToUint8(), Flip({.horiz = true})});
}

TEST(AugmentorList, SameGeneratorGivesTheSameImage) {
  const at::Tensor image = random_image(50, 70);
  const AugmentorList augmentors = train_augmentors();
  Rng first(3), again(3), other(4);
  const at::Tensor expected = augmentors.augment(image, first);
  EXPECT_TRUE(at::equal(augmentors.augment(image, again), expected));
  EXPECT_FALSE(at::equal(augmentors.augment(image, other), expected));
}

TEST(AugmentorList, SpecOfTheResultIsKnownWithoutPixels) {
  const at::Tensor image = random_image(50, 70);
  const AugmentorList augmentors({ResizeShortestEdge(40), ToFloat32(), Transpose(1), CenterCrop({45, 30})});
  Rng rng(0);
  const TransformPtr transform = augmentors.get_transform(spec_of(image), rng);
  EXPECT_EQ(transform->output_spec(spec_of(image)), (ImageSpec{45, 30, 3, at::kFloat}));
  EXPECT_EQ(spec_of(transform->apply_image(image)), (ImageSpec{45, 30, 3, at::kFloat}));
}

TEST(AugmentorList, TransformsSayWhatTheyDo) {
  Rng rng(0);
  const AugmentorList augmentors({Resize({20, 30}), Identity(), CenterCrop(10)});
  EXPECT_EQ(augmentors.get_transform({40, 40}, rng)->description(),
            "TransformList(ResizeTransform(h=40, w=40, new_h=20, new_w=30, interp=linear), "
            "CropTransform(y0=5, x0=10, h=10, w=10))");
}

TEST(AugmentorList, ColoursComputedTogetherEqualThoseComputedOneByOne) {
  const at::Tensor image = random_image(37, 41);
  Rng rng(5);
  const AugmentorList augmentors({Brightness(30), Contrast({0.5, 1.5}), Saturation(), Gamma(),
                                  Contrast({0.5, 1.5}), ToFloat32(), BrightnessScale({1, 2}),
                                  MeanVarianceNormalize()});
  const TransformPtr together = augmentors.get_transform(spec_of(image), rng);
  at::Tensor one_by_one = image;
  for (const TransformPtr& transform : dynamic_cast<const TransformList&>(*together).transforms()) {
    one_by_one = transform->apply_image(one_by_one);
  }
  EXPECT_TRUE(at::equal(together->apply_image(image), one_by_one));
}

TEST(AugmentorList, NeverWritesIntoTheImage) {
  const at::Tensor image = random_image(50, 50), before = image.clone();
  const AugmentorList augmentors(
      {RandomCrop(40), Brightness(50), RandomCutout({.h_low = 5, .h_high = 5, .w_low = 5, .w_high = 9})});
  Rng rng(0);
  EXPECT_FALSE(at::equal(augmentors.augment(image, rng), image.narrow(0, 0, 40).narrow(1, 0, 40)));
  EXPECT_TRUE(at::equal(image, before));
}

TEST(AugmentorList, ResultIsContiguous) {
  Rng rng(0);
  EXPECT_TRUE(AugmentorList({CenterCrop(10)}).augment(random_image(20, 20), rng).is_contiguous());
}

TEST(Transform, CropIsAView) {
  const at::Tensor image = random_image(20, 20);
  const at::Tensor crop = CropTransform(2, 3, 5, 6).apply_image(image);
  EXPECT_EQ(crop.data_ptr<uint8_t>(), image.data_ptr<uint8_t>() + (2 * 20 + 3) * 3);
}

TEST(Transform, TransformsMasksWithoutChannels) {
  const at::Tensor mask = random_image(20, 30).select(2, 0);
  const TransformList list({std::make_shared<CropTransform>(1, 2, 10, 20),
                            std::make_shared<FlipTransform>(10, 20, true),
                            std::make_shared<TransposeTransform>()});
  EXPECT_TRUE(at::equal(list.apply_image(mask), mask.narrow(0, 1, 10).narrow(1, 2, 20).flip(1).t()));
}

TEST(Transform, MovesCoordinatesAndBoxes) {
  const TransformList list({std::make_shared<CropTransform>(10, 20, 50, 100),
                            std::make_shared<FlipTransform>(50, 100, true),
                            std::make_shared<ResizeTransform>(50, 100, 100, 50)});
  const at::Tensor coords = at::tensor({20.0, 10.0, 30.0, 40.0}).reshape({2, 2});
  EXPECT_TRUE(test::close(list.apply_coords(coords), at::tensor({50.0, 0.0, 45.0, 60.0}).reshape({2, 2}),
                          test::kSameFormula));
  EXPECT_TRUE(test::close(list.apply_boxes(coords.reshape({1, 4})),
                          at::tensor({45.0, 0.0, 50.0, 60.0}).reshape({1, 4}), test::kSameFormula));
}

TEST(Transform, NamesWhatIsWrongWithAnImage) {
  const NoOpTransform transform;
  const auto message = [&](const at::Tensor& image) {
    return test::message_of<DataError>([&] { transform.apply_image(image); });
  };
  EXPECT_THAT(message({}), HasSubstr("undefined"));
  EXPECT_THAT(message(random_image(4, 4, 513)), HasSubstr("got Byte [4, 4, 513] on cpu"));
  EXPECT_THAT(message(random_image(0, 4)), HasSubstr("got Byte [0, 4, 3]"));
  EXPECT_THAT(message(at::arange(4).reshape({2, 2})), HasSubstr("got Long [2, 2]"));
}

TEST(Transform, NamesWhatIsWrongWithCoordinates) {
  const FlipTransform transform(2, 2);
  const auto message = [&](const at::Tensor& coords) {
    return test::message_of<DataError>([&] { transform.apply_coords(coords); });
  };
  EXPECT_THAT(message(at::arange(4).reshape({2, 2})),
              HasSubstr("[FlipTransform(h=2, w=2, horiz=true)] expected coordinates"));
  EXPECT_THAT(message(at::arange(4.0).reshape({1, 4})),
              HasSubstr("float64 [N, 2] on the CPU, got Float [1, 4]"));
}

TEST(Transform, RefusesAnImageOfAnotherSize) {
  const at::Tensor image = random_image(20, 30);
  const auto message = [&](const Transform& transform) {
    return test::message_of<DataError>([&] { transform.apply_image(image); });
  };
  EXPECT_THAT(message(CropTransform(15, 0, 10, 10)),
              HasSubstr("expected a part of the image, which is 20 x 30"));
  EXPECT_THAT(message(ResizeTransform(30, 20, 5, 5)), HasSubstr("expected an image of 30 x 20, got 20 x 30"));
  EXPECT_THAT(message(FlipTransform(30, 20)), HasSubstr("got 20 x 30"));
}

TEST(Augmentors, RefuseImagesThatAreTooSmall) {
  Rng rng(0);
  const auto message = [&](const ImageAugmentor& augmentor) {
    return test::message_of<DataError>([&] { augmentor.get_transform({20, 30}, rng); });
  };
  EXPECT_THAT(message(RandomCrop(25)),
              HasSubstr("[RandomCrop] expected an image of at least 25 x 25, got 20 x 30"));
  EXPECT_THAT(message(CenterCrop(25)), HasSubstr("[CenterCrop] expected an image of at least 25 x 25"));
}

TEST(TransformList, GrowsByAddition) {
  const TransformList crop({std::make_shared<CropTransform>(0, 0, 4, 6)});
  const TransformPtr flip = std::make_shared<FlipTransform>(4, 6);
  const at::Tensor image = random_image(5, 6);
  const at::Tensor expected = image.narrow(0, 0, 4).flip(1);
  EXPECT_TRUE(at::equal((crop + flip).apply_image(image), expected));
  EXPECT_TRUE(
      at::equal((crop + TransformList({flip, std::make_shared<TransposeTransform>()})).apply_image(image),
                expected.transpose(0, 1)));
  EXPECT_EQ(crop.transforms().size(), 1u);
  EXPECT_THROW(crop + TransformPtr(), UsageError);
}

TEST(Augmentors, TransposeAnyNumberOfChannels) {
  Rng rng(0);
  const at::Tensor image = random_image(4, 5, 7);
  EXPECT_TRUE(at::equal(Transpose(1).augment(image, rng), image.transpose(0, 1)));
}

TEST(Augmentors, RefuseChannelsThatTheyAreNotFor) {
  Rng rng(0);
  const auto message = [&](const ImageAugmentor& augmentor, int64_t channels) {
    return test::message_of<DataError>([&] { augmentor.augment(random_image(4, 4, channels), rng); });
  };
  EXPECT_THAT(message(Contrast({0.5, 1.5}), 2), HasSubstr("expected an image of 1 or 3 channels, got 2"));
  EXPECT_THAT(message(MeanVarianceNormalize(), 4), HasSubstr("expected an image of 1 or 3 channels, got 4"));
  EXPECT_THAT(message(AugmentorList({ToFloat32(), Saturation()}), 5), HasSubstr("got 5"));
  EXPECT_THAT(message(Hue(), 4), HasSubstr("got one of 4"));
  EXPECT_THAT(message(Grayscale(), 2), HasSubstr("[Grayscale("));
  EXPECT_THAT(message(JpegNoise(), 4), HasSubstr("expected an image of 1 or 3 channels, got 4"));
}

TEST(Augmentors, RefuseImagesWithoutColour) {
  const at::Tensor gray = random_image(4, 4, 1);
  Rng rng(0);
  EXPECT_THAT(test::message_of<DataError>([&] { Saturation().augment(gray, rng); }),
              HasSubstr("expected an image of 3 channels, got 1"));
  EXPECT_THAT(test::message_of<DataError>([&] { Hue().augment(gray, rng); }), HasSubstr("[Hue("));
}

TEST(Augmentors, BytesOfValuesThatAreNoNumbersAreBytes) {
  const at::Tensor image = at::tensor({NAN, INFINITY, -INFINITY, 7.9}, at::kFloat).reshape({2, 2});
  Rng rng(0);
  const at::Tensor expected = at::tensor({0, 255, 0, 7}, at::kByte).reshape({2, 2});
  EXPECT_TRUE(at::equal(ToUint8().augment(image, rng), expected));
  EXPECT_TRUE(at::equal(Gamma({0, 0}).augment(image, rng), expected.to(at::kFloat)));
}

TEST(Augmentors, RefuseWrongParametersAtOnce) {
  const auto refuses = [](auto make) { return test::message_of<UsageError>(make); };
  EXPECT_THAT(refuses([] { Flip({}); }), HasSubstr("expected horiz or vert, got neither"));
  EXPECT_THAT(refuses([] { Flip({.horiz = true, .prob = 1.5}); }), HasSubstr("got 1.5"));
  EXPECT_THAT(refuses([] { Resize({0, 3}); }), HasSubstr("got 0 x 3"));
  EXPECT_THAT(refuses([] { RandomCrop(-1); }), HasSubstr("[RandomCrop] expected a positive size"));
  EXPECT_THAT(refuses([] { Brightness(0); }), HasSubstr("a finite delta > 0"));
  EXPECT_THAT(refuses([] { Contrast({2, 1}); }), HasSubstr("from low to high and finite, got {2, 1}"));
  EXPECT_THAT(refuses([] { Saturation(1); }), HasSubstr("alpha in [0, 1)"));
  EXPECT_THAT(refuses([] { Gamma({-1, 1}); }), HasSubstr("above -1"));
  EXPECT_THAT(refuses([] { ColorSpace(-7); }), HasSubstr("got -7"));
  EXPECT_THAT(refuses([] { RandomChooseAug(std::vector<AnyAugmentor>{}); }), HasSubstr("got none"));
  EXPECT_THAT(refuses([] { MapImage(nullptr); }), HasSubstr("got an empty one"));
}

}  // namespace
}  // namespace belfry::imgaug
