#include <ATen/ops/equal.h>
#include <gmock/gmock.h>

#include <fstream>

#include "belfry/belfry.h"
#include "examples/SuperResolution/data_sampler.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

class SuperResolutionData : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
    test::run_python("tests/examples/super_resolution_data.py", {dir.path()});
  }
  /// The components of all datapoints of one pass.
  static std::vector<at::Tensor> all(AnyDataFlow flow) {
    std::vector<at::Tensor> components;
    for (const Datapoint& dp : flow->iterator()) components.push_back(dp[0]);
    return components;
  }

  test::TempDir dir;
};

TEST_F(SuperResolutionData, SquaresOfAZipFileAreTensorpacks) {
  const auto theirs = load_checkpoint(dir / "images.npz");
  const enet_pat::ImageDataFromZIPFile flow(dir / "images.zip");
  EXPECT_EQ(flow.size(), 3);
  const std::vector<at::Tensor> files = all(flow);
  ASSERT_EQ(files.size(), 3U);
  for (size_t i = 0; i < 2; ++i) {
    const auto image = enet_pat::reject_too_small_images(enet_pat::image_decode(files[i]));
    ASSERT_TRUE(image);
    EXPECT_TRUE(at::equal(enet_pat::center_square_resize(*image), theirs.at(i == 0 ? "wide" : "high")));
  }
  EXPECT_FALSE(enet_pat::reject_too_small_images(enet_pat::image_decode(files[2])));
  EXPECT_TRUE(at::equal(enet_pat::image_encode(theirs.at("wide")), theirs.at("encoded_wide").flatten()));
}

TEST_F(SuperResolutionData, ZipFilesAreReadInANewOrderInEachPass) {
  const enet_pat::ImageDataFromZIPFile in_order(dir / "images.zip");
  enet_pat::ImageDataFromZIPFile shuffled(dir / "images.zip", true);
  auto sizes = [](const std::vector<at::Tensor>& files) {
    std::vector<int64_t> result;
    for (const at::Tensor& file : files) result.push_back(file.numel());
    return result;
  };
  const std::vector<int64_t> expected = sizes(all(in_order));
  int others = 0;
  for (int pass = 0; pass < 10; ++pass) {
    const std::vector<int64_t> order = sizes(all(shuffled));
    EXPECT_THAT(order, testing::UnorderedElementsAreArray(expected));
    others += order != expected;
  }
  EXPECT_GT(others, 0);
}

TEST_F(SuperResolutionData, WhatIsNoZipFileIsAnError) {
  std::ofstream(dir / "text.zip") << "no archive";
  const std::pair<std::string, const char*> cases[] = {
      {"text.zip", "text.zip: expected a zip file: Not a zip archive"},
      {"missing.zip", "missing.zip: expected a zip file: No such file"},
  };
  for (const auto& [name, message] : cases) {
    const std::string path = dir / name;
    EXPECT_THAT(message_of<DataError>([&] { enet_pat::ImageDataFromZIPFile flow(path); }),
                HasSubstr(message));
  }
}

TEST_F(SuperResolutionData, ADamagedMemberIsAnError) {
  std::fstream file(dir / "images.zip", std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(5000);  // inside of the first image, which is stored as it is
  file.write("damaged!", 8);
  file.close();
  enet_pat::ImageDataFromZIPFile flow(dir / "images.zip");
  EXPECT_THAT(message_of<DataError>([&] { all(flow); }), HasSubstr("train/wide.jpg: damaged"));
}

}  // namespace
}  // namespace belfry
