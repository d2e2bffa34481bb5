// Pixels and bytes are compared with those of OpenCV (cv2), which has libjpeg-turbo 2.1.2 inside; ours is the
// system's. Both are required to be equal to the last bit.

#include "belfry/data/codecs/jpeg.h"

#include <ATen/ops/empty.h>
#include <gmock/gmock.h>

#include <sstream>

#include "belfry/base/error.h"
#include "belfry/data/codecs/decode_image.h"
#include "belfry/formats/npz.h"
#include "tests/imgaug/pictures.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry::imgaug {
namespace {

using test::message_of, test::random_picture, testing::HasSubstr;

std::string encoded(const at::Tensor& image, JpegEncodeOptions options = {}) {
  at::Tensor bytes = encode_jpeg(image, options);
  return {reinterpret_cast<const char*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.numel())};
}

at::Tensor decoded(const std::string& bytes, const JpegDecodeOptions& options = {}) {
  return decode_jpeg(as_byte_span(bytes), options);
}

class ImagesWithOpenCv : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::python_available()) return;
    folder = new test::TempDir;
    std::istringstream lines(test::run_python("tests/imgaug/images_cv2.py", {folder->path()}));
    for (std::string line; std::getline(lines, line);) names.push_back(line);
    expected = new NpzReader(*folder / "expected.npz");
  }
  static void TearDownTestSuite() {
    delete expected;
    delete folder;
  }
  void SetUp() override {
    if (!folder) GTEST_SKIP() << test::kNoPython;
  }

  static at::Tensor array(const std::string& name) {
    for (const ArrayInfo& info : expected->entries()) {
      if (info.name != name) continue;
      at::Tensor values = at::empty(info.shape, at::kByte);
      expected->read(name, std::as_writable_bytes(std::span(values.mutable_data_ptr<uint8_t>(),
                                                            static_cast<size_t>(values.numel()))));
      return values;
    }
    throw DataError("expected.npz", "has no array " + name);
  }
  static std::string file(const std::string& name) {
    return test::load(name.ends_with(".JPEG") ? name : *folder / name);
  }

  static inline test::TempDir* folder = nullptr;
  static inline NpzReader* expected = nullptr;
  static inline std::vector<std::string> names;
};

TEST_F(ImagesWithOpenCv, PixelsAreTheSame) {
  for (const std::string& name : names) {
    const size_t slash = name.rfind('/');
    const bool is_gray = name.substr(slash) == "/gray";
    const std::string bytes = file(name.substr(0, slash));
    const DecodeOptions options{.order = is_gray ? PixelOrder::kGray : PixelOrder::kBgr, .name = name};
    const at::Tensor image = decode_image(as_byte_span(bytes), options), expected = array(name);
    EXPECT_TRUE(image.equal(expected)) << name;
    const ImageSpec spec = read_image_spec(as_byte_span(bytes), options);
    EXPECT_EQ(spec, spec_of(expected)) << name;
  }
  EXPECT_GE(names.size(), 48u);
}

TEST_F(ImagesWithOpenCv, RgbIsTheReverseOfBgr) {
  for (const char* name : {"colour.jpg", "gray.jpg", "cmyk.jpg"}) {
    at::Tensor rgb = decoded(file(name), {.order = PixelOrder::kRgb});
    EXPECT_TRUE(rgb.flip({2}).equal(array(std::string(name) + "/bgr"))) << name;
  }
}

TEST_F(ImagesWithOpenCv, BytesAreTheSame) {
  for (int64_t quality : {1, 50, 95, 100}) {
    at::Tensor bytes = encode_jpeg(array("picture"), {.quality = quality, .order = PixelOrder::kBgr});
    EXPECT_TRUE(bytes.equal(array("encoded/" + std::to_string(quality)))) << quality;
  }
}

TEST_F(ImagesWithOpenCv, TheHeaderTellsTheSizeOfTheUprightPicture) {
  JpegInfo turned = read_jpeg_info(as_byte_span(file("orientation6.jpg")));
  EXPECT_EQ(turned.height, 131);
  EXPECT_EQ(turned.width, 93);
  EXPECT_EQ(turned.orientation, 6);
  EXPECT_TRUE(read_jpeg_info(as_byte_span(file("progressive.jpg"))).is_progressive);
  EXPECT_EQ(read_jpeg_info(as_byte_span(file("cmyk.jpg"))).components, 4);
}

TEST_F(ImagesWithOpenCv, RegionsOfAnyKindOfFileAreCutFromTheWholePicture) {
  Rng rng(3);
  for (const std::string& name : names) {
    if (!name.ends_with("/bgr") || name.find(".png") != std::string::npos) continue;
    const std::string bytes = file(name.substr(0, name.rfind('/')));
    for (int64_t scale : {8, 4, 2, 1, 7}) {
      at::Tensor whole = decoded(bytes, {.scale = scale});
      for (int i = 0; i < 6; ++i) {
        auto draw = [&](int64_t n) { return static_cast<int64_t>(rng.below(static_cast<uint64_t>(n))); };
        PixelRect r{.y = draw(whole.size(0)), .x = draw(whole.size(1))};
        r.height = 1 + draw(whole.size(0) - r.y), r.width = 1 + draw(whole.size(1) - r.x);
        at::Tensor part = decoded(bytes, {.scale = scale, .region = r});
        ASSERT_TRUE(part.equal(whole.narrow(0, r.y, r.height).narrow(1, r.x, r.width)))
            << name << " at " << scale << "/8: " << r.y << " " << r.x << " " << r.height << " " << r.width;
      }
    }
  }
}

TEST(Jpeg, ScaledPicturesHaveRoundedUpSizesAndSimilarColours) {
  const std::string bytes = encoded(random_picture(45, 70, 3));
  at::Tensor whole = decoded(bytes).to(at::kFloat);
  for (int64_t scale = 1; scale <= 8; ++scale) {
    at::Tensor small = decoded(bytes, {.scale = scale});
    EXPECT_EQ(small.sizes(), (at::IntArrayRef{(45 * scale + 7) / 8, (70 * scale + 7) / 8, 3}));
    EXPECT_NEAR(small.to(at::kFloat).mean().item<double>(), whole.mean().item<double>(), 2) << scale;
  }
}

TEST(Jpeg, TruncatedFilesAreErrorsUnlessAccepted) {
  const std::string whole = encoded(random_picture(40, 60, 3));
  for (size_t size = 1; size < whole.size() - 2; size += 13) {
    std::string part = whole.substr(0, size);
    EXPECT_NE(message_of<DataError>([&] { decoded(part, {.name = "photo.jpg"}); }), "nothing was thrown");
    EXPECT_THAT(message_of<DataError>([&] { decoded(part, {.name = "photo.jpg"}); }), HasSubstr("photo.jpg"));
  }
  const std::string half = whole.substr(0, whole.size() / 2 + 300);
  at::Tensor image = decoded(half, {.accept_damage = true});
  EXPECT_TRUE(image.narrow(0, 0, 8).equal(decoded(whole).narrow(0, 0, 8)));
}

// The sanitizers see what equality cannot.
TEST(Jpeg, AlteredFilesAreDecodedOrRefused) {
  Rng rng(11);
  int refused = 0;
  for (int64_t channels : {1, 3}) {
    const std::string whole = encoded(random_picture(33, 47, channels), {.quality = 80});
    for (int i = 0; i < 1500; ++i) {
      std::string bytes = whole;
      for (uint64_t n = 1 + rng.below(4); n > 0; --n) {
        bytes[rng.below(bytes.size())] = static_cast<char>(rng.bits());
      }
      try {
        decoded(bytes, {.scale = static_cast<int64_t>(1 + rng.below(8)),
                        .accept_damage = i % 2 == 0,
                        .max_pixels = 1'000'000});
      } catch (const DataError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 300);
}

TEST_F(ImagesWithOpenCv, AlteredPngsAreDecodedOrRefused) {
  Rng rng(12);
  int refused = 0;
  for (const char* name : {"colour.png", "palette_alpha.png", "one_bit.png"}) {
    const std::string whole = file(name);
    for (int i = 0; i < 300; ++i) {
      std::string bytes = i % 3 == 0 ? whole.substr(0, rng.below(whole.size())) : whole;
      if (i % 3 != 0) bytes[rng.below(bytes.size())] = static_cast<char>(rng.bits());
      try {
        decode_image(as_byte_span(bytes), {.max_pixels = 1'000'000, .name = "a.png"});
      } catch (const DataError& error) {
        EXPECT_THAT(error.what(), testing::StartsWith("a.png: "));
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(Jpeg, WhatIsNoJpegIsRefused) {
  EXPECT_THAT(message_of<DataError>([] { decoded("", {.name = "a.jpg"}); }),
              HasSubstr("a.jpg: expected a JPEG"));
  EXPECT_THAT(message_of<DataError>([] { decoded("\x89PNG\r\n"); }), HasSubstr("Not a JPEG"));
  EXPECT_THAT(message_of<DataError>([] { read_jpeg_info(as_byte_span("GIF89a"), "b.gif"); }),
              HasSubstr("b.gif"));
}

TEST(Jpeg, HugePicturesAreRefusedBeforeTheyTakeMemory) {
  std::string bytes = encoded(random_picture(8, 8, 1));
  const size_t frame = bytes.find("\xff\xc0");
  bytes.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  EXPECT_THAT(message_of<DataError>([&] { decoded(bytes); }),
              HasSubstr("expected at most 100000000 pixels, got 65500 x 65500"));
}

TEST(Jpeg, MisuseIsNamed) {
  const std::string bytes = encoded(random_picture(8, 9, 3));
  EXPECT_THAT(message_of<UsageError>([&] { decoded(bytes, {.scale = 9}); }),
              HasSubstr("1 to 8 eighths, got 9"));
  EXPECT_THAT(message_of<UsageError>([&] {
                decoded(bytes, {.region = PixelRect{0, 5, 8, 5}});
              }),
              HasSubstr("[8, 9], got rows 0 to 8 and columns 5 to 10"));
  EXPECT_THAT(message_of<UsageError>([&] { encode_jpeg(random_picture(8, 8, 2)); }), HasSubstr("[8, 8, 2]"));
  EXPECT_THAT(message_of<UsageError>([&] { encode_jpeg(random_picture(8, 8, 3), {.quality = 0}); }),
              HasSubstr("1 to 100, got 0"));
}

}  // namespace
}  // namespace belfry::imgaug
