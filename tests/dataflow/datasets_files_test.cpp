// Data sets of images in files: ILSVRC12, Tiny ImageNet, Places365, and what they are made of.

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/datasets/cifar.h"
#include "belfry/dataflow/datasets/download.h"
#include "belfry/dataflow/datasets/ilsvrc.h"
#include "belfry/dataflow/datasets/mnist.h"
#include "belfry/dataflow/datasets/places.h"
#include "belfry/dataflow/svm_light_data.h"
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

TEST_F(FileDatasets, IlsvrcsMeanCanBeResized) {
  std::string blob = std::string("\x2a\x80\x80\x30", 4);  // data, of 4 * 3 * 256 * 256 bytes
  for (int i = 0; i < 3 * 256 * 256; ++i) {
    const auto value = static_cast<float>(i / (256 * 256) * 50 + i % 256);
    blob.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  write("ilsvrc_metadata/imagenet_mean.binaryproto", blob);
  const ILSVRCMeta meta(path("ilsvrc_metadata"));
  const at::Tensor mean = meta.get_per_pixel_mean(64, 128);
  EXPECT_THAT(mean.sizes(), ElementsAre(64, 128, 3));
  EXPECT_NEAR(mean[7][10][2].item<float>(), 20.5, 1e-4);  // blue, between the columns 20 and 21
  EXPECT_NEAR(mean[7][10][0].item<float>(), 120.5, 1e-4);
  EXPECT_THROW(meta.get_per_pixel_mean(0, 5), UsageError);
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

TEST_F(FileDatasets, IlsvrcFindsTheBoxesOfItsImages) {
  const std::string box =
      "<bndbox>\n<xmin>13</xmin><ymin>22.5</ymin><xmax>442</xmax><ymax>291</ymax></bndbox>";
  write("boxes/n01/a.xml", "<annotation><size><width>500</width></size><object><name>n01</name>" + box +
                               "</object><object><bndbox><xmin>1</xmin></bndbox></object></annotation>");
  write("boxes/n01/b.xml", "<annotation></annotation>");
  write("boxes/n01/c.xml",
        "<object><bndbox><xmin>a</xmin><ymin>2</ymin><xmax>4</xmax><ymax>2</ymax></bndbox></object>");
  const auto boxes = ILSVRC12::get_training_bbox(
      path("boxes"), {{"n01/a.JPEG", 0}, {"n01/b.JPEG", 0}, {"n01/c.JPEG", 0}, {"n01/d.JPEG", 0}});
  ASSERT_EQ(boxes.size(), 4u);
  EXPECT_THAT(boxes[0].value(), ElementsAre(13, 22.5, 442, 291));
  for (size_t i = 1; i < 4; ++i) EXPECT_FALSE(boxes[i]) << i;
}

std::string cifar_record(const std::string& labels, char pixel) {
  return labels + std::string(3072, pixel);
}

TEST_F(FileDatasets, Cifar100KnowsItsNamesAndTheMeansOfBothParts) {
  std::string train, test, names;
  for (int i = 0; i < 50000; ++i) train += cifar_record(std::string("\1\2", 2), 40);
  for (int i = 0; i < 10000; ++i) test += cifar_record(std::string("\1\2", 2), 100);
  for (int i = 0; i < 20; ++i) names += fmt::format("group {}\n", i);
  write("train.bin", train);
  write("test.bin", test);
  write("coarse_label_names.txt", names);
  const Cifar100 cifar(Split::kTest, folder_.path(), {.coarse_labels = true, .shuffle = true});
  EXPECT_EQ(cifar.get_label_names()[19], "group 19");
  EXPECT_EQ(cifar.get_per_pixel_mean()[3][4][1].item<float>(), 100);
  EXPECT_EQ(cifar.get_per_pixel_mean({Split::kTrain, Split::kTest})[3][4][1].item<float>(), 50);
  EXPECT_THAT(cifar.get_per_channel_mean({Split::kTrain}).sizes(), ElementsAre(3));
  EXPECT_THROW(cifar.get_per_pixel_mean({}), UsageError);
  EXPECT_EQ(Cifar10::get_label_names()[3], "cat");
  const Cifar100 fine(Split::kTest, folder_.path());
  EXPECT_THAT(message_of<DataError>([&] { fine.get_label_names(); }), HasSubstr("cifar-100-binary"));
}

TEST_F(FileDatasets, DownloadsAndChecks) {
  write("there/digits.txt", "0123456789");
  const std::string url = "file://" + path("there/digits.txt");
  const std::string md5 = "781e5e245d69b566979b86e28d23f2c7";  // md5sum
  const DownloadOptions checked{.expect_size = 10, .md5 = md5};
  EXPECT_EQ(download(url, path("here"), checked), path("here/digits.txt"));
  EXPECT_EQ(test::slurp(path("here/digits.txt")), "0123456789");
  write("there/digits.txt", "9876543210");
  download(url, path("here"), checked);  // is there
  EXPECT_EQ(test::slurp(path("here/digits.txt")), "0123456789");
  EXPECT_THAT(message_of<DataError>([&] { download(url, path("other"), checked); }), HasSubstr(".part"));
  EXPECT_THAT(message_of<DataError>([&] { download(url, path("other"), {.expect_size = 11}); }),
              HasSubstr("expected 11 bytes, got 10"));
  EXPECT_THAT(message_of<DataError>([&] { download(url + "x", path("other")); }),
              HasSubstr("cannot be downloaded: curl:"));
  EXPECT_TRUE(std::filesystem::is_empty(path("other")));
  download(url, path("here"), {.filename = "digits.txt"});
  EXPECT_EQ(test::slurp(path("here/digits.txt")), "9876543210");
  EXPECT_THROW(download("scp://host/file", path("other")), UsageError);
  EXPECT_THROW(download("file:///", path("other")), UsageError);
  EXPECT_THROW(download(url, path("other"), {.filename = "../x"}), UsageError);
}

TEST_F(FileDatasets, TheEnvironmentSaysWhereDataSetsAre) {
  const char* before = std::getenv("BELFRY_DATASET");
  const std::string old = before ? before : "";
  ::setenv("BELFRY_DATASET", folder_.path().c_str(), 1);
  EXPECT_EQ(get_dataset_path("mnist"), path("mnist"));
  EXPECT_EQ(get_dataset_path(), folder_.path());
  ::setenv("BELFRY_DATASET", path("nowhere").c_str(), 1);
  EXPECT_THAT(message_of<UsageError>([] { get_dataset_path("mnist"); }),
              HasSubstr("expected a folder in $BELFRY_DATASET"));
  before ? ::setenv("BELFRY_DATASET", old.c_str(), 1) : ::unsetenv("BELFRY_DATASET");
}

TEST_F(FileDatasets, SvmLightIsDense) {
  write("a.svm", "# a comment\n+1 1:0.5 3:-2e1 # more\n\n-1 qid:3 2:7\n");
  SVMLightData data(path("a.svm"), {.shuffle = false});
  DataIterator pass = data.iterator();
  const Datapoint first = *pass.next(), second = *pass.next();
  EXPECT_TRUE(at::equal(first[0], at::tensor({0.5, 0.0, -20.0}, at::kDouble)));
  EXPECT_EQ(first[1].item<double>(), 1);
  EXPECT_TRUE(at::equal(second[0], at::tensor({0.0, 7.0, 0.0}, at::kDouble)));
  EXPECT_EQ(second[1].item<double>(), -1);
  write("zero.svm", "3 0:1 2:5\n");
  EXPECT_EQ(SVMLightData(path("zero.svm")).tensors()[0].size(1), 3);
  EXPECT_EQ(SVMLightData(path("a.svm"), {.features = 9}).tensors()[0].size(1), 9);
  const std::pair<const char*, const char*> bad[] = {
      {"1 2", "index:value pairs in line 1, got '2'"},
      {"x 1:2", "got 'x'"},
      {"1 1:2 1:3", "got '1:3'"},
      {"1 1:2\n1 -1:3", "in line 2, got '-1:3'"},
      {"1 1:", "got '1:'"},
      {"# nothing", "without any"},
      {"1 9000000000000000000:1", "got the index 9000000000000000000"},
  };
  for (auto [content, message] : bad) {
    write("bad.svm", content);
    EXPECT_THAT(message_of<DataError>([&] { SVMLightData(path("bad.svm")); }), HasSubstr(message)) << content;
  }
  EXPECT_THROW(SVMLightData(path("a.svm"), {.features = 2}), DataError);
  EXPECT_THROW(SVMLightData(path("a.svm"), {.max_numbers = 5}), DataError);
  EXPECT_THROW(SVMLightData(path("nowhere")), DataError);
}

TEST_F(FileDatasets, RowsOfTensorsCanBeShuffled) {
  DataFromTensors rows({at::arange(39)}, {.shuffle = true, .seed = 3});
  const std::vector<int64_t> first = values(rows), second = values(rows);
  EXPECT_NE(first, second);
  EXPECT_THAT(first, testing::UnorderedElementsAreArray(range(39)));
  DataIterator again = rows.iterator_at({.pass = 1, .index = 30});
  EXPECT_EQ(values(again), std::vector<int64_t>(second.begin() + 30, second.end()));
}

}  // namespace
}  // namespace belfry
