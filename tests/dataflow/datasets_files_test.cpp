// Data sets of images in files: ILSVRC12, Tiny ImageNet, Places365, and what they are made of.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/dataflow/datasets/cifar.h"
#include "belfry/dataflow/datasets/ilsvrc.h"
#include "belfry/dataflow/datasets/mnist.h"
#include "belfry/dataflow/datasets/places.h"
#include "tests/dataflow/flows.h"
#include "tests/formats/arrays.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

class FileDatasets : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    test::spit(path(name), content);
  }
  void write_synsets() const {
    std::string synsets, words;
    for (int i = 0; i < 1000; ++i) {
      synsets += fmt::format("n{:08}\n", i);
      words += fmt::format("n{:08} thing {}, object\r\n", i, i);
    }
    write("ilsvrc_metadata/synsets.txt", synsets);
    write("ilsvrc_metadata/synset_words.txt", words);
  }
  // "content: label" of each datapoint.
  static std::vector<std::string> read(DataFlow&& flow) {
    std::vector<std::string> all;
    DataIterator pass = flow.iterator();
    for (Datapoint& dp : pass) all.push_back(fmt::format("{}: {}", text(dp.at(0)), dp.at(1).item<int64_t>()));
    return all;
  }

  test::TempDir folder_;
};

TEST_F(FileDatasets, LabelledFilesAreReadInOrderOrShuffledAndFromAnyPlace) {
  std::vector<LabelledFile> list;
  for (int i = 0; i < 20; ++i) {
    write(fmt::format("{}", i), fmt::format("content {}", i));
    list.push_back({path(fmt::format("{}", i)), i});
  }
  LabelledFiles flow(list), shuffled(list, {.shuffle = true, .seed = 5});
  EXPECT_EQ(flow.size(), 20);
  EXPECT_EQ(text(flow.iterator_at({.index = 7}).next()->at(0)), "content 7");
  const std::vector<std::string> first = read(LabelledFiles(shuffled));
  EXPECT_THAT(first, testing::UnorderedElementsAreArray(read(LabelledFiles(list))));
  EXPECT_NE(first, read(LabelledFiles(list)));
  DataIterator rest = shuffled.iterator_at({.pass = 0, .index = 19});
  EXPECT_EQ(text(rest.next()->at(0)) + ": ", first[19].substr(0, first[19].find(':') + 2));
  std::filesystem::remove(list[3].path);
  EXPECT_THAT(message_of<DataError>([&] { read(LabelledFiles(list)); }), HasSubstr(list[3].path));
  EXPECT_EQ(text(LabelledFiles(list, {.paths_only = true}).iterator().next()->at(0)), list[0].path);
}

TEST_F(FileDatasets, IlsvrcReadsTheImagesOfItsLists) {
  write_synsets();
  write("ilsvrc_metadata/train.txt", "n00000007/a.JPEG 7\nn00000003/b.JPEG 3\n");
  write("ilsvrc_metadata/val.txt", "v1.JPEG 999\n");
  write("train/n00000007/a.JPEG", "A");
  write("train/n00000003/b.JPEG", "B");
  write("val/v1.JPEG", "V");
  EXPECT_THAT(read(ILSVRC12(folder_.path(), "train", {.shuffle = false})), ElementsAre("A: 7", "B: 3"));
  EXPECT_THAT(read(ILSVRC12(folder_.path(), "val")), ElementsAre("V: 999"));
  EXPECT_THAT(read(ILSVRC12Files(folder_.path(), "val")), ElementsAre(path("val/v1.JPEG") + ": 999"));
  std::filesystem::create_directory(path("val/n00000999"));
  std::filesystem::rename(path("val/v1.JPEG"), path("val/n00000999/v1.JPEG"));
  EXPECT_THAT(read(ILSVRC12(folder_.path(), "val")), ElementsAre("V: 999"));
}

TEST_F(FileDatasets, IlsvrcMetaGivesNamesAndTheMean) {
  write_synsets();
  const ILSVRCMeta meta(path("ilsvrc_metadata"));
  EXPECT_EQ(meta.get_synset_1000().at(5), "n00000005");
  EXPECT_EQ(meta.get_synset_words_1000().at(5), "n00000005 thing 5, object");
  // BlobProto {num 1, channels 3, height 256, width 256, data packed}: planes of blue 1, green 2, red 3.
  std::vector<float> values;
  for (float plane : {1.F, 2.F, 3.F}) values.insert(values.end(), 256 * 256, plane);
  std::string blob = "\x08\x01\x10\x03\x18\x80\x02\x20\x80\x02\x2a\x80\x80\x30";
  blob += test::bytes_of(values);
  write("ilsvrc_metadata/imagenet_mean.binaryproto", blob);
  const at::Tensor mean = meta.get_per_pixel_mean();
  EXPECT_THAT(mean.sizes(), ElementsAre(256, 256, 3));
  for (int channel = 0; channel < 3; ++channel) EXPECT_EQ(mean[8][9][channel].item<float>(), 3 - channel);
}

TEST_F(FileDatasets, WhatIsMissingOfIlsvrcIsNamed) {
  EXPECT_THROW(ILSVRC12(folder_.path(), "all"), UsageError);
  EXPECT_THAT(message_of<DataError>([&] { ILSVRC12(folder_.path(), "train"); }),
              HasSubstr("ilsvrc_metadata/train.txt: expected a file of caffe_ilsvrc12.tar.gz"));
  write("ilsvrc_metadata/train.txt", "n00000007/a.JPEG 7\n");
  EXPECT_THAT(message_of<DataError>([&] { ILSVRC12(folder_.path(), "train"); }),
              HasSubstr("train/n00000007/a.JPEG: expected this image of the list of train, found none"));
  for (const char* bad :
       {"a.JPEG\n", "a.JPEG x\n", "a.JPEG 7x\n", " 7\n", "a.JPEG -1\n", "a.JPEG 1000\n", "", "\n"}) {
    write("ilsvrc_metadata/train.txt", bad);
    EXPECT_THAT(message_of<DataError>([&] { ILSVRC12(folder_.path(), "train"); }),
                HasSubstr("ilsvrc_metadata/train.txt: expected"))
        << bad;
  }
  write("ilsvrc_metadata/synsets.txt", "n00000001\n");
  EXPECT_THAT(message_of<DataError>([&] { ILSVRCMeta(path("ilsvrc_metadata")).get_synset_1000(); }),
              HasSubstr("expected 1000 lines, got 1"));
  write("ilsvrc_metadata/imagenet_mean.binaryproto", "\x2a\x7f");
  EXPECT_THROW(ILSVRCMeta(path("ilsvrc_metadata")).get_per_pixel_mean(), DataError);
}

TEST_F(FileDatasets, TinyImageNetReadsBothParts) {
  std::string classes;
  for (int i = 199; i >= 0; --i) {
    classes += fmt::format("n{:03}\n", i);
    write(fmt::format("train/n{:03}/images/n{:03}_0.JPEG", i, i), fmt::format("image {}", i));
  }
  write("wnids.txt", classes);
  write("val/val_annotations.txt", "val_0.JPEG\tn198\t0\t0\t62\t62\nval_1.JPEG\tn000\t0\t0\t1\t1\n");
  write("val/images/val_0.JPEG", "V0");
  write("val/images/val_1.JPEG", "V1");
  EXPECT_THAT(read(TinyImageNet(folder_.path(), "val")), ElementsAre("V0: 1", "V1: 199"));
  const std::vector<std::string> train = read(TinyImageNet(folder_.path(), "train", {.shuffle = false}));
  ASSERT_EQ(train.size(), 200u);
  EXPECT_EQ(train[0], "image 199: 0");
  write("val/val_annotations.txt", "val_0.JPEG\tn200\n");
  EXPECT_THAT(message_of<DataError>([&] { TinyImageNet(folder_.path(), "val"); }),
              HasSubstr("a class of wnids.txt"));
  EXPECT_THROW(TinyImageNet(folder_.path(), "test"), UsageError);
}

TEST_F(FileDatasets, PlacesNumbersItsClassesByName) {
  write("val.txt", "val/zoo/1.jpg\nval/airfield/2.jpg\nval/zoo/3.jpg\n");
  for (const char* file : {"val/zoo/1.jpg", "val/airfield/2.jpg", "val/zoo/3.jpg"}) write(file, file);
  Places365Standard places(folder_.path(), "val");
  EXPECT_THAT(places.get_label_names(), ElementsAre("airfield", "zoo"));
  EXPECT_THAT(read(std::move(places)),
              ElementsAre("val/zoo/1.jpg: 1", "val/airfield/2.jpg: 0", "val/zoo/3.jpg: 1"));
  EXPECT_THROW(Places365Standard(folder_.path(), "test"), UsageError);
  write("val.txt", "airfield\n");
  EXPECT_THAT(message_of<DataError>([&] { Places365Standard(folder_.path(), "val"); }),
              HasSubstr("part/class/file"));
}

TEST_F(FileDatasets, Cifar100HasFineAndCoarseLabels) {
  std::string records;
  for (int i = 0; i < 10000; ++i) {
    records.push_back(static_cast<char>(i % 20));
    records.push_back(static_cast<char>(i % 100));
    records.append(3072, static_cast<char>(i % 7));
  }
  write("test.bin", records);
  Cifar100 fine(Split::kTest, folder_.path()), coarse(Split::kTest, folder_.path(), {.coarse_labels = true});
  EXPECT_EQ(fine.size(), 10000);
  EXPECT_EQ(fine.tensors()[1][99].item<int64_t>(), 99);
  EXPECT_EQ(coarse.tensors()[1][99].item<int64_t>(), 19);
  EXPECT_EQ(fine.tensors()[0][13][1][2][0].item<int>(), 13 % 7);
  EXPECT_NEAR(fine.get_per_channel_mean()[2].item<double>(), 3, 0.01);
  EXPECT_THAT(fine.get_per_pixel_mean().sizes(), ElementsAre(32, 32, 3));
  records[1] = 100;
  write("test.bin", records);
  EXPECT_THAT(message_of<DataError>([&] { Cifar100(Split::kTest, folder_.path()); }),
              HasSubstr("at byte 1: expected a label below 100, got 100"));
  EXPECT_THAT(message_of<DataError>([&] { Cifar100(Split::kTrain, folder_.path()); }),
              HasSubstr("train.bin"));
}

TEST_F(FileDatasets, FashionMnistNamesItsClasses) {
  EXPECT_EQ(FashionMnist::get_label_names().size(), 10u);
  EXPECT_THROW(FashionMnist(Split::kTrain, folder_.path()), DataError);
}

}  // namespace
}  // namespace belfry
