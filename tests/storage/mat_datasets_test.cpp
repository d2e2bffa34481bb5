#include "belfry/data/datasets/mat_datasets.h"

#include <ATen/ops/equal.h>
#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "belfry/checkpoint.h"
#include "tests/formats/arrays.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

class MatDatasets : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::python_available()) return;
    folder = new test::TempDir;
    test::run_python("tests/storage/mat_files.py", {folder->path()});
  }
  static void TearDownTestSuite() { delete folder; }
  void SetUp() override {
    if (!folder) GTEST_SKIP() << test::kNoPython;
  }

  static inline test::TempDir* folder = nullptr;
};

std::string text(const at::Tensor& bytes) {
  return {static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()};
}

TEST_F(MatDatasets, SvhnIsInterleavedAndTenIsZero) {
  SVHNDigit svhn("train", folder->path());
  EXPECT_EQ(svhn.size(), 5);
  DataIterator pass = svhn.iterator_at({.index = 1});
  const Datapoint second = *pass.next();
  EXPECT_THAT(second.at(0).sizes(), ElementsAre(32, 32, 3));
  EXPECT_EQ(second[0].scalar_type(), at::kByte);
  const int64_t pixel = ((1 * 32 + 4) * 32 + 5) * 3 + 2;
  EXPECT_EQ(second[0][4][5][2].item<int64_t>(), pixel % 251);
  EXPECT_EQ(second.at(1).item<int64_t>(), 0);
  EXPECT_EQ(pass.next()->at(1).item<int64_t>(), 3);
  EXPECT_THAT(svhn.get_per_pixel_mean().sizes(), ElementsAre(32, 32, 3));
}

TEST_F(MatDatasets, TheMeanOfPartsOfSvhnCountsImages) {
  const at::Tensor train = SVHNDigit("train", folder->path()).get_per_pixel_mean();
  const at::Tensor both = SVHNDigit::get_per_pixel_mean({"train", "test"}, folder->path());
  EXPECT_TRUE(both.allclose(train.mul(5).add(2 * 200).div(7)));  // 5 images, and 2 that are 200
  EXPECT_TRUE(SVHNDigit::get_per_pixel_mean({"train"}, folder->path()).allclose(train));
  EXPECT_THROW(SVHNDigit::get_per_pixel_mean({}, folder->path()), UsageError);
  EXPECT_THROW(SVHNDigit::get_per_pixel_mean({"train", "val"}, folder->path()), UsageError);
}

TEST_F(MatDatasets, SvhnThatIsMissingOrNotAsExpectedIsAnError) {
  EXPECT_THROW(SVHNDigit("val", folder->path()), UsageError);
  EXPECT_THAT(message_of<DataError>([] { SVHNDigit("extra", folder->path()); }),
              HasSubstr("extra_32x32.mat: expected a file of SVHN's cropped digits"));
  const std::pair<const char*, const char*> cases[] = {
      {"train", "expected X to be uint8 [32, 32, 3, images], got Byte [31, 32, 3, 5]"},
      {"test", "expected labels from 1 to 10"},
      {"extra", "expected 5 labels, got 4"},
  };
  for (auto [name, message] : cases)
    EXPECT_THAT(message_of<DataError>([&] { SVHNDigit(name, *folder / "damaged"); }), HasSubstr(message));
  test::TempDir other;
  test::spit(other / "train_32x32.mat", std::string(1000, 'x'));
  EXPECT_THROW(SVHNDigit("train", other.path()), DataError);
  const std::string good = test::slurp(*folder / "train_32x32.mat");
  test::spit(other / "train_32x32.mat", good.substr(0, good.size() / 2));
  EXPECT_THROW(SVHNDigit("train", other.path()), DataError);
}

TEST_F(MatDatasets, SilhouettesAreRowsOfTheFile) {
  Caltech101Silhouettes silhouettes("train", folder->path());
  EXPECT_EQ(silhouettes.size(), 3);
  EXPECT_EQ(silhouettes.tensors()[0][1][2][3].item<int>(), 1);
  EXPECT_EQ(silhouettes.tensors()[0].sum().item<int>(), 1);
  EXPECT_EQ(silhouettes.tensors()[1][1].item<int64_t>(), 100);
  EXPECT_THAT(message_of<DataError>([] { Caltech101Silhouettes("val", folder->path()); }),
              HasSubstr("expected a variable val_data"));
}

TEST_F(MatDatasets, EdgesAreThePartOfTheAnnotators) {
  BSDS500 flow("val", folder->path(), {.shuffle = false});
  EXPECT_EQ(flow.size(), 3);
  DataIterator pass = flow.iterator();
  const Datapoint first = *pass.next();
  EXPECT_EQ(text(first.at(0)), "jpeg of 12003");
  EXPECT_THAT(first.at(1).sizes(), ElementsAre(481, 321));
  EXPECT_EQ(first[1][7][11].item<double>(), 0.75);
  EXPECT_EQ(first[1][8][300].item<double>(), 0.25);
  EXPECT_EQ(first[1].sum().item<double>(), 1);
  EXPECT_THAT(message_of<DataError>([&] { pass.next(); }), HasSubstr("5.mat: expected cells in groundTruth"));
  DataIterator third = flow.iterator_at({.index = 2});
  EXPECT_THAT(message_of<DataError>([&] { third.next(); }),
              HasSubstr("9.mat: expected an image's ground truth"));
  EXPECT_THROW(BSDS500("train", folder->path()), DataError);
  EXPECT_THROW(BSDS500("all", folder->path()), UsageError);
}

TEST_F(MatDatasets, DecodedEdgesAndImagesAreTurnedAsTensorpackDoes) {
  const auto theirs = load_checkpoint(*folder / "bsds500.npz");
  BSDS500 flow("train", *folder / "tensorpack", {.decode = true, .shuffle = false});
  DataIterator pass = flow.iterator();
  for (const std::string name : {"high", "wide"}) {
    const Datapoint ours = *pass.next();
    EXPECT_THAT(ours.at(0).sizes(), ElementsAre(321, 481, 3));
    EXPECT_TRUE(at::equal(ours[0], theirs.at(name + "_image"))) << name;
    EXPECT_TRUE(test::close(ours[1], theirs.at(name + "_edges"), test::kSameFormula)) << name;
  }
  BSDS500 other("test", *folder / "tensorpack", {.decode = true});
  EXPECT_THAT(message_of<DataError>([&] { other.iterator().next(); }),
              HasSubstr("small.jpg: expected a picture of 321 x 481 or 481 x 321, got 320 x 481"));
}

}  // namespace
}  // namespace belfry
