#include "belfry/data/images/image_batch_data.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <atomic>
#include <set>

#include "belfry/base/error.h"
#include "belfry/data/images/image_flows.h"
#include "belfry/data/imgaug/imgaug.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/map_data.h"
#include "belfry/dataflow/raw.h"
#include "belfry/dataflow/repeated_data.h"
#include "tests/imgaug/pictures.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"
#include "tests/support/thread_limit.h"

namespace belfry {
namespace {

using namespace imgaug;
using test::message_of, test::random_picture, testing::HasSubstr;

// Datapoints {JPEG, i}.
std::vector<Datapoint> jpegs(int64_t count) {
  std::vector<Datapoint> list;
  for (int64_t i = 0; i < count; ++i)
    list.push_back({encode_jpeg(random_picture(40, 40 + i, 3)), at::tensor(i)});
  return list;
}

AugmentorList augmentors() {
  return AugmentorList({RandomCrop(20), Flip({.horiz = true}), Brightness(60)});
}

std::vector<Datapoint> all(DataIterator pass) {
  std::vector<Datapoint> batches;
  while (auto batch = pass.next()) batches.push_back(std::move(*batch));
  return batches;
}

TEST(ImageBatchData, IsAugmentationConversionNormalisationAndBatching) {
  const DataFromList source(jpegs(13));
  BatchData expected(AugmentImageComponent(source, augmentors(), 0, {}, {.seed = 5}), 4, {.remainder = true});
  const std::vector<Datapoint> batches = all(expected.start_pass(3));
  const at::Tensor mean = at::tensor({100.0, 110.0, 120.0}), std = at::tensor({50.0, 60.0, 70.0});
  for (int64_t threads : {1, 2, 8}) {
    ImageBatchData flow(
        source, 4, augmentors(),
        {.num_thread = threads, .mean = {100, 110, 120}, .std = {50, 60, 70}, .remainder = true, .seed = 5});
    EXPECT_EQ(flow.size(), 4);
    const std::vector<Datapoint> made = all(flow.start_pass(3));
    ASSERT_EQ(made.size(), batches.size());
    for (size_t i = 0; i < made.size(); ++i) {
      const at::Tensor normal = ((batches[i][0].to(at::kDouble) - mean) / std).to(at::kFloat);
      EXPECT_TRUE(test::close(made[i][0], normal, test::kSameFormula)) << i;
      EXPECT_TRUE(made[i][1].equal(batches[i][1])) << i;
    }
  }
}

TEST(ImageBatchData, KeepsUint8IfAskedTo) {
  ImageBatchData flow(DataFromList(jpegs(4)), 4, CenterCrop(20), {.as_uint8 = true});
  AugmentImageComponent images(DataFromList(jpegs(4)), CenterCrop(20));
  EXPECT_TRUE((*flow.iterator().next())[0].equal((*BatchData(images, 4).iterator().next())[0]));
}

TEST(ImageBatchData, DropsWhatIsLeftOverByDefault) {
  ImageBatchData flow(DataFromList(jpegs(7)), 3, CenterCrop(20), {.num_thread = 3});
  EXPECT_EQ(flow.size(), 2);
  EXPECT_EQ(all(flow.iterator()).size(), 2u);
  EXPECT_TRUE(all(ImageBatchData(DataFromList({}), 3, CenterCrop(20)).iterator()).empty());
}

TEST(ImageBatchData, ResumesInTheMiddle) {
  ImageBatchData flow(DataFromList(jpegs(11)), 3, augmentors(),
                      {.num_thread = 2, .remainder = true, .seed = 2});
  const std::vector<Datapoint> whole = all(flow.start_pass(1));
  for (int64_t begin = 0; begin <= 4; ++begin) {
    const std::vector<Datapoint> rest = all(flow.iterator_at({.pass = 1, .index = begin}));
    ASSERT_EQ(rest.size(), whole.size() - begin);
    for (size_t i = 0; i < rest.size(); ++i) EXPECT_TRUE(rest[i][0].equal(whole[begin + i][0]));
  }
}

TEST(ImageBatchData, UsesMemoryAgainThatNobodyHolds) {
  ImageBatchData flow(RepeatedData(DataFromList(jpegs(4)), -1), 4, CenterCrop(20), {.num_thread = 2});
  DataIterator pass = flow.iterator();
  std::set<const void*> places;
  const at::Tensor held = (*pass.next())[0].select(0, 1), before = held.clone();
  for (int64_t i = 0; i < 20; ++i) places.insert((*pass.next())[0].const_data_ptr());
  EXPECT_LT(places.size(), 5u);
  EXPECT_TRUE(held.equal(before));
  EXPECT_FALSE(places.contains(held.storage().data()));
}

TEST(ImageBatchData, AnErrorComesAfterTheBatchesBeforeIt) {
  std::vector<Datapoint> list = jpegs(12);
  list[7][0] = at::tensor({1, 2, 3}, at::kByte);
  ImageBatchData flow(DataFromList(list), 3, CenterCrop(20), {.num_thread = 4});
  DataIterator pass = flow.iterator();
  for (int64_t i = 0; i < 2; ++i) EXPECT_EQ((*pass.next())[1][0].item<int64_t>(), 3 * i);
  EXPECT_THAT(message_of<DataError>([&] { pass.next(); }), HasSubstr("[ImageBatchData] datapoint 7: "));
  EXPECT_FALSE(pass.next());
}

TEST(ImageBatchData, AnErrorOfTheSourceArrivesUnchanged) {
  auto start = [] {
    return [i = 0]() mutable -> std::optional<Datapoint> {
      if (i++ == 4) throw DataError("disk", "gone");
      return Datapoint{random_picture(20, 20, 3)};
    };
  };
  ImageBatchData flow(DataFromFunction(start), 2, CenterCrop(20), {.num_thread = 2});
  DataIterator pass = flow.iterator();
  EXPECT_TRUE(pass.next());
  EXPECT_TRUE(pass.next());
  EXPECT_EQ(message_of<DataError>([&] { pass.next(); }), "disk: gone");
}

TEST(ImageBatchData, AnErrorOfTheSourceComesAfterThoseOfTheImagesOfItsBatch) {
  auto start = [] {
    return [i = 0]() mutable -> std::optional<Datapoint> {
      if (i++ == 4) throw DataError("disk", "gone");
      return Datapoint{at::tensor({1, 2, 3}, at::kByte)};
    };
  };
  ImageBatchData flow(DataFromFunction(start), 13, CenterCrop(20), {.num_thread = 2});
  DataIterator pass = flow.iterator();
  EXPECT_THAT(message_of<DataError>([&] { pass.next(); }), HasSubstr("[ImageBatchData] datapoint 0: "));
}

TEST(ImageBatchData, AnErrorInWhatIsLeftOverMattersOnlyIfThatIsWanted) {
  std::vector<Datapoint> list = jpegs(5);
  list[4][0] = at::tensor({1, 2, 3}, at::kByte);
  const DataFromList source(list);
  EXPECT_EQ(all(ImageBatchData(source, 2, CenterCrop(20), {.num_thread = 2}).iterator()).size(), 2u);
  ImageBatchData wanted(source, 2, CenterCrop(20), {.num_thread = 2, .remainder = true});
  EXPECT_THAT(message_of<DataError>([&] { all(wanted.iterator()); }), HasSubstr("datapoint 4: "));
}

TEST(ImageBatchData, NoMoreBatchesThanTheBufferHoldsAreAhead) {
  std::atomic<int64_t> made = 0;
  MapData source(RepeatedData(DataFromList(jpegs(5)), -1), [&](Datapoint datapoint) {
    ++made;
    return datapoint;
  });
  for (int64_t buffer : {1, 3}) {
    made = 0;
    ImageBatchData flow(source, 4, augmentors(), {.num_thread = 3, .buffer_size = buffer});
    DataIterator pass = flow.iterator();
    for (int64_t i = 1; i <= 13; ++i) {
      pass.next();
      EXPECT_LE(made, 4 * (i + buffer));
    }
  }
}

TEST(ImageBatchData, StopsEarly) {
  for (int64_t batches : {0, 1, 3}) {
    ImageBatchData flow(RepeatedData(DataFromList(jpegs(5)), -1), 2, augmentors(), {.num_thread = 4});
    DataIterator pass = flow.iterator();
    for (int64_t i = 0; i < batches; ++i) EXPECT_TRUE(pass.next());
  }
}

TEST(ImageBatchData, ImagesOfOneBatchHaveOneSize) {
  ImageBatchData flow(DataFromList(jpegs(3)), 3, AugmentorList({}));
  EXPECT_THAT(message_of<DataError>([&] { all(flow.iterator()); }), HasSubstr("as others of its batch"));
  std::vector<Datapoint> list = jpegs(2);
  list[1][1] = at::tensor({1.0f});
  ImageBatchData labels(DataFromList(list), 2, CenterCrop(20));
  EXPECT_THAT(message_of<DataError>([&] { all(labels.iterator()); }),
              HasSubstr("component 1 to be Long [1] as in the batch's first datapoint, got Float [1]"));
}

TEST(ImageBatchData, RefusesWhatMakesNoSense) {
  const DataFromList source(jpegs(2));
  auto message = [&](ImageBatchDataOptions options) {
    return message_of<UsageError>([&] { ImageBatchData(source, 2, CenterCrop(20), options); });
  };
  EXPECT_THAT(message({.num_thread = 0}), HasSubstr("num_thread > 0, got 0"));
  EXPECT_THAT(message({.std = {1, 0, 1}}), HasSubstr("std > 0, got 0"));
  EXPECT_THAT(message({.mean = {1, 1, 1}, .as_uint8 = true}), HasSubstr("got both"));
  EXPECT_THAT(message({.index = -2}), HasSubstr("got -2"));
  EXPECT_THAT(message_of<UsageError>([&] { ImageBatchData(source, 0, CenterCrop(20)); }),
              HasSubstr("batch_size > 0"));
}

TEST(ImageBatchData, ASystemWithoutThreadsIsAnErrorAtTheFirstBatch) {
  ImageBatchData flow(DataFromList(jpegs(4)), 4, CenterCrop(20), {.num_thread = 3});
  test::expect_throws_without_threads(3, [&] { flow.iterator().next(); });
}

}  // namespace
}  // namespace belfry
