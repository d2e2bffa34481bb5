#include "belfry/dataflow/datapoint.h"

#include <ATen/ops/add.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <future>
#include <map>
#include <set>

#include "belfry/base/error.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/batch_data_by_shape.h"
#include "belfry/dataflow/cache_data.h"
#include "belfry/dataflow/inspect_data.h"
#include "belfry/dataflow/join_data.h"
#include "belfry/dataflow/map_data.h"
#include "belfry/dataflow/object_component.h"
#include "belfry/dataflow/parallel_map_data.h"
#include "belfry/dataflow/prefetch_data.h"
#include "belfry/dataflow/shuffle_data.h"
#include "tests/dataflow/flows.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Box {
  int x, y;
};

Datapoint sample(int64_t i) {
  return Datapoint::named({{"image", at::full({2, 3}, i)}, {"label", at::scalar_tensor(i, at::kLong)}});
}

/// Images with labels and file names.
DataFromList named_samples(int64_t n) {
  std::vector<Datapoint> list;
  for (int64_t i = 0; i < n; ++i) {
    list.push_back(sample(i));
    list.back().set("file", make_text(fmt::format("{}.jpg", i)));
  }
  return DataFromList(std::move(list));
}

TEST(Datapoint, ComponentsAreFoundByIndexAndByName) {
  Datapoint datapoint = sample(7);
  EXPECT_THAT(datapoint.names(), ElementsAre("image", "label"));
  EXPECT_EQ(datapoint["label"].item<int64_t>(), 7);
  EXPECT_EQ(datapoint[1].item<int64_t>(), 7);
  EXPECT_EQ(datapoint.find("boxes"), nullptr);
  EXPECT_EQ(message_of<DataError>([&] { datapoint["boxes"]; }),
            "[Datapoint] expected a component 'boxes', got image, label");
  EXPECT_EQ(message_of<DataError>([&] { scalar(1).at("image"); }),
            "[Datapoint] expected a component 'image', got 1 components without names");
}

TEST(Datapoint, SetReplacesAndAdds) {
  Datapoint datapoint = sample(7);
  const Datapoint before = datapoint;
  datapoint.set("label", at::scalar_tensor(8));
  datapoint.set("weight", at::scalar_tensor(2));
  EXPECT_THAT(datapoint.names(), ElementsAre("image", "label", "weight"));
  EXPECT_EQ(datapoint["label"].item<int64_t>(), 8);
  EXPECT_THAT(before.names(), ElementsAre("image", "label"));
  Datapoint list = scalar(1);
  EXPECT_THROW(list.set("label", at::scalar_tensor(1)), UsageError);
  EXPECT_THROW(Datapoint::named({{"a", at::zeros({})}, {"a", at::zeros({})}}), UsageError);
  EXPECT_THROW(list.set_names(before.shared_names()), UsageError);
}

TEST(Datapoint, IsStillAListOfTensors) {
  const std::vector<at::Tensor> tensors{at::zeros({2}), at::zeros({2})};
  Datapoint datapoint = tensors;
  datapoint = {tensors[0], tensors[1], tensors[0]};
  EXPECT_FALSE(datapoint.has_names());
  EXPECT_EQ(at::stack(datapoint).size(0), 3);
  datapoint = sample(1);
  datapoint.push_back(tensors[0]);  // has no name, so none has
  EXPECT_THAT(datapoint.names(), IsEmpty());
}

TEST(Datapoint, HoldsTextAndObjects) {
  const Datapoint datapoint{make_text("dog.jpg"), make_object(std::vector<Box>{{1, 2}, {3, 4}}),
                            at::zeros({2})};
  EXPECT_EQ(text_of(datapoint[0]), "dog.jpg");
  EXPECT_EQ(object_of<std::vector<Box>>(datapoint[1])[1].y, 4);
  EXPECT_EQ(object_if<Box>(datapoint[1]), nullptr);
  EXPECT_FALSE(is_object(datapoint[2]));
  EXPECT_EQ(text_of(at::full({3}, 'x', at::kByte)), "xxx");
  EXPECT_EQ(message_of<DataError>([&] { text_of(datapoint[2]); }),
            "[text_of] expected text or bytes, Byte [length], got Float [2]");
  EXPECT_EQ(message_of<DataError>([&] { object_of<int>(datapoint[0]); }),
            "[object_of] expected a component that holds int, got text");
  EXPECT_THROW(make_object({}), UsageError);
}

TEST(Datapoint, AnObjectLivesAsLongAsItsComponents) {
  auto counted = std::make_shared<int>(5);
  {
    const Datapoint datapoint{make_object(counted)};
    const Datapoint copy = datapoint;
    EXPECT_EQ(counted.use_count(), 2);
    EXPECT_EQ(&object_of<std::shared_ptr<int>>(copy[0]), &object_of<std::shared_ptr<int>>(datapoint[0]));
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(Datapoint, WhatComputesWithAnObjectThrows) {
  const at::Tensor object = make_text("dog.jpg");
  EXPECT_ANY_THROW(at::add(object, 1));
  EXPECT_ANY_THROW(at::stack({object, at::zeros({0})}));
  EXPECT_ANY_THROW(object.const_data_ptr<float>());
  EXPECT_EQ(object.numel(), 0);
}

TEST(Datapoint, NamesAndObjectsGoThroughAllStages) {
  AnyDataFlow flow = PrefetchData(
      CacheData(MultiThreadMapData(ShuffleData(named_samples(13)), 3, [](Datapoint dp) { return dp; })), 4);
  for (int pass = 0; pass < 2; ++pass) {
    std::set<int64_t> seen;
    for (Datapoint& datapoint : flow->iterator()) {
      const auto label = datapoint["label"].item<int64_t>();
      EXPECT_EQ(text_of(datapoint["file"]), fmt::format("{}.jpg", label));
      seen.insert(label);
    }
    EXPECT_EQ(seen.size(), 13u);
  }
}

TEST(Datapoint, StagesTakeComponentsByName) {
  MapDataComponent mapped(
      named_samples(3), [](at::Tensor label) { return label.mul(10); }, "label");
  SelectComponent selected = SelectComponent::named(mapped, {"file", "label"});
  const std::vector<int64_t> labels =
      values(MapData(selected, [](Datapoint dp) { return Datapoint{dp["label"]}; }));
  EXPECT_THAT(labels, ElementsAre(0, 10, 20));
  EXPECT_THAT(selected.iterator().next()->names(), ElementsAre("file", "label"));
  EXPECT_THAT(SelectComponent(selected, {1}).iterator().next()->names(), ElementsAre("label"));
  EXPECT_THAT(SelectComponent(selected, {1, 1}).iterator().next()->names(), IsEmpty());
  EXPECT_THAT(message_of<DataError>([&] {
                values(MapDataComponent(
                    counting(1), [](at::Tensor t) { return t; }, "label"));
              }),
              HasSubstr("expected a component 'label', got 1 components without names"));
  EXPECT_THROW(SelectComponent::named(mapped, {"a", "a"}), UsageError);
}

TEST(JoinData, JoinsNames) {
  const auto one = [](std::string name) {
    return DataFromList({Datapoint::named({{name, at::scalar_tensor(1)}, {name + "2", make_text(name)}})});
  };
  EXPECT_THAT(JoinData({one("a"), one("b")}).iterator().next()->names(), ElementsAre("a", "a2", "b", "b2"));
  EXPECT_EQ(message_of<DataError>([&] {
              JoinData({one("a"), one("a")}).iterator().next();
            }),
            "[JoinData] expected different names, got 'a' in two sources");
  EXPECT_THROW(JoinData({one("a"), counting(1)}).iterator().next(), DataError);
}

TEST(BatchData, KeepsNames) {
  Datapoint turned =
      Datapoint::named({{"label", at::scalar_tensor(5, at::kLong)}, {"image", at::full({2, 3}, 5)}});
  const Datapoint batch = *BatchData(DataFromList({sample(3), turned}), 2).iterator().next();
  EXPECT_THAT(batch.names(), ElementsAre("image", "label"));
  EXPECT_EQ(batch["label"][1].item<int64_t>(), 5);
  EXPECT_EQ(batch["image"][1][0][0].item<float>(), 5);
  const auto batch_of = [](Datapoint a, Datapoint b) {
    BatchData(DataFromList({a, b}), 2).iterator().next();
  };
  EXPECT_THAT(
      message_of<DataError>([&] { batch_of(sample(1), Datapoint(Datapoint::Components(sample(2)))); }),
      HasSubstr("expected components named (image, label) as in the batch's first datapoint, got ()"));
  EXPECT_THROW(batch_of(scalar(1), Datapoint::named({{"a", at::scalar_tensor(1, at::kLong)}})), DataError);
}

TEST(BatchData, ListsKeepWhatDoesNotStack) {
  DataFromList ragged(
      {{at::zeros({2}), make_text("a")}, {at::zeros({3}), make_text("b")}, {at::zeros({}), make_text("c")}});
  BatchData flow(ragged, 2, {.remainder = true, .use_list = true});
  DataIterator pass = flow.iterator();
  const Datapoint batch = *pass.next(), last = *pass.next();
  EXPECT_EQ(list_of(batch[0])[1].size(0), 3);
  EXPECT_EQ(text_of(list_of(batch[1])[1]), "b");
  EXPECT_EQ(list_of(last[0]).size(), 1u);
  EXPECT_FALSE(pass.next());
  EXPECT_THAT(message_of<DataError>([&] { BatchData(SelectComponent(ragged, {1}), 2).iterator().next(); }),
              HasSubstr("expected a tensor as component 0, or the option use_list, got text in datapoint 0"));
  EXPECT_THROW(list_of(batch[0][0]), std::exception);
}

TEST(PrintData, ShowsNamesTextAndObjects) {
  std::string shown;
  Datapoint datapoint = sample(4);
  datapoint.set("file", make_text("a\nb"));
  datapoint.set("all", make_list({at::zeros({2}), at::zeros({3})}));
  datapoint.set("box", make_object(Box{1, 2}));
  values(
      MapData(PrintData(DataFromList({datapoint}), {.print = [&](std::string_view text) { shown += text; }}),
              [](Datapoint dp) { return Datapoint{dp["label"]}; }));
  EXPECT_THAT(shown, HasSubstr("\n  image: Long [2, 3] in range [4, 4]\n  label: Long with value 4\n"
                               "  file: text 'a\\nb'\n  all: a list of 2 components\n  box: an object of "));
  EXPECT_THAT(shown, HasSubstr("Box"));
}

TEST(UnorderedMap, MapsEachDatapointOnceAndDropsWhatIsDropped) {
  for (int64_t threads : {1, 2, 8}) {
    MultiThreadMapData flow(
        counting(39), threads,
        [](Datapoint dp) { return value(dp) % 3 ? std::optional(scalar(value(dp) * 10)) : std::nullopt; },
        {.buffer_size = 2, .strict = false});
    EXPECT_FALSE(flow.can_resume());
    for (int pass = 0; pass < 2; ++pass) {
      std::vector<int64_t> got = values(flow), expected;
      std::sort(got.begin(), got.end());
      for (int64_t i : range(39)) {
        if (i % 3) expected.push_back(i * 10);
      }
      EXPECT_EQ(got, expected);
    }
  }
}

TEST(UnorderedMap, ASlowDatapointDelaysNobody) {
  std::promise<void> others_are_done;
  std::shared_future<void> wait(others_are_done.get_future());
  MultiThreadMapData flow(counting(13), 2,
                          [wait](Datapoint dp) {
                            if (value(dp) == 0) wait.wait();
                            return dp;
                          },
                          {.buffer_size = 1, .strict = false});
  DataIterator pass = flow.iterator();
  for (int64_t i = 1; i < 13; ++i) EXPECT_EQ(value(*pass.next()), i);
  others_are_done.set_value();
  EXPECT_EQ(value(*pass.next()), 0);
  EXPECT_FALSE(pass.next());
}

TEST(UnorderedMap, ErrorsArriveAfterWhatWaitsAndEndThePass) {
  for (int64_t threads : {1, 3}) {
    MultiThreadMapData flow(counting(13), threads, fail_at(7), {.buffer_size = 39, .strict = false});
    DataIterator pass = flow.iterator();
    EXPECT_EQ(message_of<Error>([&] { values(pass); }), "[MultiThreadMapData] datapoint 7: cannot read 7");
    EXPECT_FALSE(pass.next());
  }
}

TEST(UnorderedMap, StopsEarlyAndDrawsByDatapoint) {
  const auto draw = [](Datapoint dp, Rng& rng) {
    return Datapoint{dp[0], at::scalar_tensor(static_cast<int64_t>(rng.bits() >> 2), at::kLong)};
  };
  MultiThreadMapData unordered(endless(), 3, draw, {.strict = false, .seed = 5});
  MapData plain(endless(), draw, {.seed = 5});
  std::map<int64_t, int64_t> expected;
  DataIterator ordered = plain.iterator(), pass = unordered.iterator();
  for (int i = 0; i < 500; ++i) {
    const Datapoint dp = *ordered.next();
    expected[value(dp)] = dp[1].item<int64_t>();
  }
  for (int i = 0; i < 39; ++i) {
    const Datapoint dp = *pass.next();
    EXPECT_EQ(expected.at(value(dp)), dp[1].item<int64_t>());
  }
}

}  // namespace
}  // namespace belfry
