#include <ATen/ops/full.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/data/storage/shard_serializer.h"
#include "belfry/dataflow/serialize.h"
#include "belfry/formats/tfrecord.h"
#include "tests/dataflow/flows.h"
#include "tests/formats/arrays.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thread_limit.h"

namespace belfry {
namespace {

using test::message_of;
using testing::AllOf;
using testing::HasSubstr;

// {i} and 1 MiB: four make a piece, sixteen a window of 16 MiB.
Datapoint large(int64_t i) {
  return {at::full({}, i, at::kLong), at::full({1 << 20}, i % 251, at::kByte)};
}

DataFromFunction large_datapoints(int64_t count) {
  return DataFromFunction([count] {
    return [i = int64_t{0}, count]() mutable { return i < count ? std::optional(large(i++)) : std::nullopt; };
  });
}

class Shards : public testing::Test {
 protected:
  void save(int64_t count, int64_t shard_size = int64_t{10} << 20) const {
    ShardSerializer::save(large_datapoints(count), folder_, {.shard_size = shard_size});
  }
  ShardData load(uint64_t seed = 0, int64_t num_thread = 2) const {
    return ShardSerializer::load(
        folder_, {.shuffle_window = int64_t{16} << 20, .num_thread = num_thread, .seed = seed});
  }
  ShardData in_order() const { return ShardSerializer::load(folder_, {.shuffle = false}); }

  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  void damage(const std::string& name, const std::function<void(std::string&)>& change) const {
    std::string content = test::slurp(file(name));
    change(content);
    test::spit(file(name), content);
  }

  test::TempDir parent_;
  const std::string folder_ = parent_ / "shards";
};

TEST_F(Shards, LoadsWhatWasSavedInItsOrder) {
  save(39);
  ShardData flow = in_order();
  EXPECT_EQ(flow.size(), 39);
  EXPECT_EQ(values(flow), range(39));
  EXPECT_EQ(values(flow), range(39));
  EXPECT_TRUE(std::filesystem::exists(file("00003.tfrecord")));
  EXPECT_FALSE(std::filesystem::exists(file("00004.tfrecord")));
  const Datapoint first = *flow.iterator_at({.index = 7}).next();
  EXPECT_EQ(first.at(1).sizes()[0], 1 << 20);
  EXPECT_EQ(first.at(1)[12345].item<int>(), 7);
}

TEST_F(Shards, ShufflesEachPassAnewAndAgainWithTheSameSeedWhateverTheThreads) {
  save(39);
  ShardData flow = load();
  const std::vector<int64_t> first = values(flow), second = values(flow);
  EXPECT_THAT(first, testing::UnorderedElementsAreArray(range(39)));
  EXPECT_THAT(second, testing::UnorderedElementsAreArray(range(39)));
  EXPECT_NE(first, range(39));
  EXPECT_NE(first, second);
  EXPECT_EQ(values(load(/*seed=*/0, /*num_thread=*/1)), first);
  EXPECT_EQ(values(load(/*seed=*/0, /*num_thread=*/5)), first);
  EXPECT_NE(values(load(/*seed=*/1)), first);
}

TEST_F(Shards, AWindowMixesThePiecesOfAllFiles) {
  save(39);
  std::vector<int64_t> window = values(load());
  window.resize(16);
  std::ranges::sort(window);
  EXPECT_GT(window.back() - window.front(), 16) << "pieces that lie side by side in the files";
  int64_t neighbours = 0;
  for (size_t i = 1; i < window.size(); ++i) neighbours += window[i] == window[i - 1] + 1;
  EXPECT_GE(neighbours, 8) << "whole pieces are in it";
}

TEST_F(Shards, PassesCanBeContinuedAnywhere) {
  save(39);
  for (ShardData flow : {load(), in_order()}) {
    values(flow);
    const std::vector<int64_t> second = values(flow);
    for (int64_t index : {0, 1, 15, 16, 17, 33, 38, 39}) {
      DataIterator rest = flow.iterator_at({.pass = 1, .index = index});
      EXPECT_EQ(values(rest), std::vector<int64_t>(second.begin() + index, second.end())) << index;
    }
    DataIterator pass = flow.start_pass(1);
    EXPECT_EQ(value(*pass.next()), second[0]);
    EXPECT_EQ(pass.skip(20), 20);
    EXPECT_EQ(value(*pass.next()), second[21]);
    EXPECT_EQ(pass.skip(100), 17);
    EXPECT_FALSE(pass.next());
  }
}

TEST_F(Shards, StoppingEarlyAndNoDatapointsAreFine) {
  save(39);
  load().iterator().next();
  load().iterator();
  const std::string empty = parent_ / "empty";
  ShardSerializer::save(counting(0), empty);
  EXPECT_EQ(ShardData(empty).size(), 0);
  EXPECT_TRUE(values(ShardData(empty)).empty());
}

TEST_F(Shards, AFlippedBitIsAnErrorThatNamesFileAndOffset) {
  save(12, int64_t{100} << 20);
  const uint64_t record = (std::filesystem::file_size(file("00000.tfrecord"))) / 12;
  damage("00000.tfrecord", [&](std::string& content) { content[9 * record + 5000] ^= 4; });
  ShardData flow = in_order();
  DataIterator pass = flow.iterator();
  for (int64_t i = 0; i < 8; ++i) EXPECT_EQ(value(*pass.next()), i);
  EXPECT_THAT(message_of<DataError>([&] { pass.next(); }),
              AllOf(testing::StartsWith(file("00000.tfrecord at byte ")),
                    HasSubstr(std::to_string(9 * record)), HasSubstr("checksum")));
  EXPECT_FALSE(pass.next());
}

TEST_F(Shards, FilesThatAreMissingOrCutOffAreErrorsBeforeAnythingIsRead) {
  save(12);
  damage("00000.tfrecord", [](std::string& content) { content.pop_back(); });
  EXPECT_THAT(message_of<DataError>([&] { load(); }),
              AllOf(testing::StartsWith(file("00000.tfrecord")), HasSubstr("as the index says")));
  std::filesystem::remove(file("00000.tfrecord"));
  EXPECT_THAT(message_of<DataError>([&] { load(); }), testing::StartsWith(file("00000.tfrecord")));
}

TEST_F(Shards, AnyFlippedBitOfTheIndexIsAnError) {
  save(2);
  const std::string good = test::slurp(file("index"));
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    test::spit(file("index"), bad);
    EXPECT_THROW(load(), DataError) << bit;
  }
  test::spit(file("index"), good.substr(0, good.size() - 1));
  EXPECT_THROW(load(), DataError);
}

TEST_F(Shards, AnIndexOfOtherThingsIsAnError) {
  save(1);
  const std::pair<Datapoint, const char*> cases[] = {
      {{at::full({3}, '.', at::kByte), at::full({1}, 0, at::kLong)}, "expected a file's name, got '...'"},
      {{at::full({3}, '/', at::kByte), at::full({1}, 0, at::kLong)}, "expected a file's name, got '///'"},
      {{at::full({3}, 'x', at::kByte), at::full({2}, 0, at::kLong)}, "expected offsets that grow by 16"},
      {{at::full({3}, 'x', at::kByte), at::full({2}, 3, at::kLong)}, "expected offsets from 0 on"},
      {{at::full({3}, 'x', at::kByte), at::full({0}, 3, at::kLong)}, "expected offsets from 0 on"},
      {{at::full({3}, 'x', at::kByte)}, "expected the name and the offsets of a shard"},
      {{at::full({3}, 'x', at::kByte), at::full({2}, 0, at::kInt)},
       "expected the name and the offsets of a shard"},
  };
  for (const auto& [entry, message] : cases) {
    test::spit(file("index"), frame_record(dumps(entry)));
    EXPECT_THAT(message_of<DataError>([&] { load(); }),
                AllOf(HasSubstr("index: shard 0"), HasSubstr(message)));
  }
}

TEST_F(Shards, AnIndexThatDoesNotFitItsRecordsIsAnError) {
  ShardSerializer::save(counting(2), folder_);
  const auto size = static_cast<int64_t>(std::filesystem::file_size(file("00000.tfrecord")));
  at::Tensor offsets = at::full({3}, 0, at::kLong);
  offsets[1] = size / 2 - 1;
  offsets[2] = size;
  at::Tensor name = at::full({14}, 0, at::kByte);
  std::ranges::copy(std::string_view("00000.tfrecord"), name.mutable_data_ptr<uint8_t>());
  test::spit(file("index"), frame_record(dumps({name, offsets})));
  EXPECT_THAT(message_of<DataError>([&] { values(load()); }), HasSubstr("00000.tfrecord at byte"));
}

TEST_F(Shards, AnInterruptedSaveLeavesNothingAndIsNotLoaded) {
  EXPECT_THROW(ShardSerializer::save(MapData(counting(9), fail_at(7)), folder_, {.shard_size = 1}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  EXPECT_THAT(message_of<DataError>([&] { load(); }), HasSubstr("the save was interrupted"));
}

TEST_F(Shards, SaveWantsAnEmptyFolder) {
  ShardSerializer::save(counting(1), folder_);
  EXPECT_THAT(message_of<UsageError>([&] { ShardSerializer::save(counting(1), folder_); }),
              HasSubstr("expected an empty folder"));
  EXPECT_EQ(values(in_order()), range(1));
}

TEST_F(Shards, OptionsAreChecked) {
  ShardSerializer::save(counting(1), folder_);
  EXPECT_THROW(ShardData(folder_, {.num_thread = 0}), UsageError);
  EXPECT_THROW(ShardData(folder_, {.shuffle_window = 0}), UsageError);
  EXPECT_THROW(ShardSerializer::save(counting(1), parent_ / "other", {.shard_size = 0}), UsageError);
}

TEST_F(Shards, ASystemWithoutThreadsIsAnErrorAtTheFirstDatapoint) {
  save(8);
  test::expect_throws_without_threads(3, [&] { load(0, 3).iterator().next(); });
}

}  // namespace
}  // namespace belfry
