#include "belfry/formats/caffe.h"

#include <gmock/gmock.h>

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Caffe, ValuesOfAnotherWireTypeAreSkipped) {
  // Fields 1 and 5 as fixed32, 4 as varint, 3 as it should be.
  const std::string bytes("\x0d\x01\x02\x03\x04\x2d\x01\x02\x03\x04\x20\x07\x18\x09", 14);
  const CaffeDatum datum = parse_caffe_datum("x", bytes);
  EXPECT_EQ(datum.channels, 0);
  EXPECT_EQ(datum.label, 0);
  EXPECT_THAT(datum.data, IsEmpty());
  EXPECT_EQ(datum.width, 9);
  EXPECT_THAT(parse_caffe_blob("x", "\x28\x05"), IsEmpty());
}

TEST(Caffe, BlobsMayBePackedOrNot) {
  EXPECT_THAT(parse_caffe_blob("x", std::string("\x2d\x00\x00\xc0\x3f\x2a\x04\x00\x00\x20\x40", 11)),
              ElementsAre(1.5F, 2.5F));
}

}  // namespace
}  // namespace belfry
