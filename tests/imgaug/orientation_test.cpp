// Pictures that are stored turned. That the eight forms mean what they should is compared with OpenCV, for
// JPEGs with plain EXIF, in decode_image_test.cpp.

#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <zlib.h>

#include "belfry/base/error.h"
#include "belfry/data/codecs/decode_image.h"
#include "belfry/data/images/decode_augment.h"
#include "belfry/data/imgaug/crop.h"
#include "belfry/formats/png.h"
#include "tests/imgaug/pictures.h"

namespace belfry::imgaug {
namespace {

using test::random_picture;

std::string number(uint64_t value, int size, bool is_little) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * (is_little ? i : size - 1 - i));
  return bytes;
}

struct Exif {
  bool is_little = true;
  uint64_t type = 3;  // SHORT
};

/// EXIF's content: a TIFF head and a directory of a picture's maker and its orientation.
std::string tiff(uint64_t orientation, Exif exif = {}) {
  auto n = [&](uint64_t value, int size) { return number(value, size, exif.is_little); };
  const int value_size = exif.type == 4 ? 4 : 2;
  return (exif.is_little ? "II" : "MM") + n(42, 2) + n(8, 4) + n(2, 2) +  //
         n(0x010f, 2) + n(2, 2) + n(3, 4) + std::string("ab\0\0", 4) +    //
         n(0x0112, 2) + n(exif.type, 2) + n(1, 4) + n(orientation, value_size) +
         std::string(static_cast<size_t>(4 - value_size), '\0') + n(0, 4);
}

std::string segment(char marker, const std::string& content) {
  return std::string("\xff") + marker + number(content.size() + 2, 2, false) + content;
}
std::string exif_segment(const std::string& content) {
  return segment('\xe1', std::string("Exif\0\0", 6) + content);
}
std::string xmp_segment(const std::string& content = "<x:xmpmeta/>") {
  return segment('\xe1', std::string("http://ns.adobe.com/xap/1.0/\0", 29) + content);
}
/// The two forms in which XMP has properties.
const std::string kAttribute = "<rdf:Description tiff:Make=\"ab\" tiff:Orientation=\"6\"/>",
                  kElement = "<rdf:Description><tiff:Orientation>6</tiff:Orientation></rdf:Description>";

/// A JPEG of 24 x 40 with these segments at its beginning.
std::string jpeg(const std::string& segments) {
  const at::Tensor bytes = encode_jpeg(random_picture(24, 40, 3));
  std::string file(static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes());
  return file.insert(2, segments);
}

int64_t orientation(const std::string& file) {
  return read_jpeg_info(as_byte_span(file)).orientation;
}

TEST(Orientation, IsFoundBehindOtherSegments) {
  const std::string exif = exif_segment(tiff(6)), icc = segment('\xe2', "ICC_PROFILE");
  for (const std::string& segments :
       {exif, xmp_segment() + exif, exif + xmp_segment(), xmp_segment() + xmp_segment() + icc + exif,
        segment('\xe1', "") + exif, exif_segment("damaged") + exif,
        exif_segment(tiff(6, {.is_little = false})), exif_segment(tiff(6, {.type = 4})),
        exif_segment(tiff(6, {.is_little = false, .type = 4}))}) {
    EXPECT_EQ(orientation(jpeg(segments)), 6);
  }
  EXPECT_EQ(orientation(jpeg(xmp_segment())), 1);
}

/// Where EXIF says nothing. Pillow reads it so too.
TEST(Orientation, OfXmpAloneCounts) {
  const std::string says_nothing = segment('\xe1', std::string("Exif\0\0", 6) + "II*");
  for (const std::string& xmp : {kAttribute, kElement, std::string("<x tiff:Orientation='6'/>"),
                                 "<!-- tiff:OrientationX tiff:Orientation=\"99\" -->" + kElement}) {
    EXPECT_EQ(orientation(jpeg(xmp_segment(xmp))), 6) << xmp;
    EXPECT_EQ(orientation(jpeg(says_nothing + xmp_segment(xmp))), 6) << xmp;
    EXPECT_EQ(orientation(jpeg(xmp_segment(xmp) + exif_segment(tiff(3)))), 3) << "EXIF counts where both are";
    EXPECT_EQ(orientation(jpeg(exif_segment(tiff(1)) + xmp_segment(xmp))), 1);
  }
  for (const char* xmp : {"<x tiff:Orientation=\"0\"/>", "<x tiff:Orientation=\"9\"/>", "<x tiff:Orientation",
                          "<x tiff:Orientation=\"", "<x tiff:Orientation=\"6", "<x exif:Orientation=\"6\"/>"})
    EXPECT_EQ(orientation(jpeg(xmp_segment(xmp))), 1) << xmp;
  const std::string file = jpeg(xmp_segment(kAttribute));
  EXPECT_EQ(read_image_spec(as_byte_span(file)), (ImageSpec{.h = 40, .w = 24, .channels = 3}));
  EXPECT_TRUE(
      decode_image(as_byte_span(file)).equal(decode_image(as_byte_span(jpeg(exif_segment(tiff(6)))))));
}

TEST(Orientation, TurnsThePictureAndTheSizeThatIsReadAhead) {
  const std::string file = jpeg(xmp_segment() + exif_segment(tiff(6)));
  const at::Tensor stored = decode_jpeg(as_byte_span(file), {.apply_orientation = false});
  const at::Tensor upright = decode_image(as_byte_span(file));
  EXPECT_EQ(read_image_spec(as_byte_span(file)), (ImageSpec{.h = 40, .w = 24, .channels = 3}));
  EXPECT_TRUE(upright.equal(stored.flip({0}).transpose(0, 1)));  // its 0th row is at the right
  const at::Tensor part =
      decode_jpeg(as_byte_span(file), {.region = PixelRect{.y = 5, .x = 2, .height = 20, .width = 9}});
  EXPECT_TRUE(part.equal(upright.narrow(0, 5, 20).narrow(1, 2, 9)));
  Rng rng(0);
  EXPECT_TRUE(decode_and_augment(as_byte_span(file), *AnyAugmentor(CenterCrop({30, 20})), rng, {})
                  .equal(upright.narrow(0, 5, 30).narrow(1, 2, 20)));
}

TEST(Orientation, OfDamagedExifIsUpright) {
  const std::string whole = tiff(6);
  for (size_t size = 0; size < whole.size(); ++size) {
    const int64_t found = orientation(jpeg(exif_segment(whole.substr(0, size))));
    EXPECT_TRUE(found == 1 || found == 6) << size;
    for (char value : {'\0', '\x7f', '\xff'}) {
      std::string damaged = whole;
      damaged[size] = value;
      decode_image(as_byte_span(jpeg(exif_segment(damaged))));
    }
  }
  for (uint64_t value : {0, 9, 65535}) EXPECT_EQ(orientation(jpeg(exif_segment(tiff(value)))), 1);
}

std::string chunk(const std::string& type, const std::string& content) {
  const std::string summed = type + content;
  const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(summed.data()), static_cast<uInt>(summed.size()));
  return number(content.size(), 4, false) + summed + number(sum, 4, false);
}

/// A PNG of the picture [H, W, 3] with a chunk before its pixels or behind them.
std::string png(const at::Tensor& picture, const std::string& extra, bool behind) {
  std::string file =
      encode_png({picture.const_data_ptr<uint8_t>(), picture.nbytes()}, static_cast<int>(picture.size(0)),
                 static_cast<int>(picture.size(1)), static_cast<int>(picture.size(2)));
  constexpr size_t kHeadEnd = 8 + 25, kTail = 12;  // behind the signature and IHDR; IEND
  return file.insert(behind ? file.size() - kTail : kHeadEnd, extra);
}

// Where the stored picture of h x w holds the upright one's pixel (y, x), from EXIF's definition of each
// value.
std::pair<int64_t, int64_t> stored_place(uint64_t value, int64_t y, int64_t x, int64_t h, int64_t w) {
  switch (value) {
    case 2:
      return {y, w - 1 - x};
    case 3:
      return {h - 1 - y, w - 1 - x};
    case 4:
      return {h - 1 - y, x};
    case 5:
      return {x, y};
    case 6:
      return {h - 1 - x, y};
    case 7:
      return {h - 1 - x, w - 1 - y};
    case 8:
      return {x, w - 1 - y};
    default:
      return {y, x};
  }
}

TEST(Orientation, OfPngsIsInTheirExifChunk) {
  const at::Tensor stored = random_picture(5, 7, 3);
  for (uint64_t value = 1; value <= 8; ++value) {
    const std::string file =
        png(stored, chunk("eXIf", tiff(value, {.is_little = value % 2 == 0})), value > 4);
    const at::Tensor upright = decode_image(as_byte_span(file));
    ASSERT_EQ(upright.size(0), value >= 5 ? 7 : 5) << value;
    EXPECT_EQ(read_image_spec(as_byte_span(file)), spec_of(upright)) << value;
    for (int64_t y = 0; y < upright.size(0); ++y) {
      for (int64_t x = 0; x < upright.size(1); ++x) {
        const auto [row, column] = stored_place(value, y, x, 5, 7);
        ASSERT_TRUE(upright[y][x].equal(stored[row][column])) << value << " at " << y << " " << x;
      }
    }
  }
}

TEST(Orientation, OfPngsMayBeInTheirXmp) {
  const at::Tensor stored = random_picture(5, 7, 3);
  const std::string keyword = std::string("XML:com.adobe.xmp\0\0\0\0\0", 22), exif = chunk("eXIf", tiff(3));
  const auto size_of = [&](const std::string& chunks, bool behind) {
    const std::string file = png(stored, chunks, behind);
    const ImageSpec spec = read_image_spec(as_byte_span(file));
    EXPECT_EQ(spec, spec_of(decode_image(as_byte_span(file))));
    return spec.h;
  };
  for (const bool behind : {false, true}) {
    EXPECT_EQ(size_of(chunk("iTXt", keyword + kAttribute), behind), 7);
    EXPECT_EQ(size_of(chunk("iTXt", keyword + kElement), behind), 7);
    EXPECT_EQ(size_of(chunk("iTXt", keyword + kElement) + exif, behind), 5) << "EXIF counts";
    EXPECT_EQ(size_of(chunk("iTXt", "Comment" + keyword + kElement), behind), 5);
    EXPECT_EQ(size_of(chunk("iTXt", keyword.substr(0, 20)), behind), 5);
  }
}

TEST(Orientation, OfPngsWithDamagedExifIsUpright) {
  const at::Tensor stored = random_picture(5, 7, 3);
  const std::string whole = tiff(6);
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string file = png(stored, chunk("eXIf", whole.substr(0, size)), false);
    EXPECT_EQ(read_image_spec(as_byte_span(file)), spec_of(decode_image(as_byte_span(file)))) << size;
  }
}

}  // namespace
}  // namespace belfry::imgaug
