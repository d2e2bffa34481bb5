#include "belfry/data/images/image_flows.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "belfry/data/images/image_batch_data.h"
#include "belfry/data/images/image_folder.h"
#include "belfry/data/imgaug/imgaug.h"
#include "belfry/dataflow/datasets/labelled_files.h"
#include "belfry/dataflow/parallel_map_data.h"
#include "belfry/dataflow/raw.h"
#include "tests/imgaug/pictures.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using namespace imgaug;
using test::message_of, test::random_picture, testing::HasSubstr;

std::vector<at::Tensor> first_components(DataFlow& flow) {
  std::vector<at::Tensor> values;
  for (Datapoint& datapoint : flow.iterator()) values.push_back(datapoint[0]);
  return values;
}

// JPEGs of widths 20, 21, … in a folder.
class ImageFiles : public testing::Test {
 protected:
  ImageFiles() {
    for (int64_t i = 0; i < 5; ++i) {
      pictures.push_back(random_picture(16, 20 + i, 3));
      paths.push_back(folder / fmt::format("{}.jpg", i));
      write(paths.back(), encode_jpeg(pictures.back()));
    }
  }

  static void write(const std::string& path, const at::Tensor& bytes) {
    auto file = FileSystem::posix().create(path);
    file->append(
        std::as_bytes(std::span(bytes.const_data_ptr<uint8_t>(), static_cast<size_t>(bytes.numel()))));
    file->close();
  }

  test::TempDir folder;
  std::vector<at::Tensor> pictures;
  std::vector<std::string> paths;
};

TEST_F(ImageFiles, AreProducedInTheirOrder) {
  ImageFromFile flow(paths);
  EXPECT_EQ(flow.size(), 5);
  std::vector<at::Tensor> images = first_components(flow);
  for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(images[i].sizes(), (at::IntArrayRef{16, 20 + i, 3}));
}

TEST_F(ImageFiles, CanBeGrayResizedOrLeftEncoded) {
  ImageFromFile gray(paths, {.channel = 1, .resize = Size2(8, 12)});
  EXPECT_EQ(first_components(gray)[0].sizes(), (at::IntArrayRef{8, 12, 1}));
  ImageFromFile encoded(paths, {.encoded = true});
  EXPECT_TRUE(first_components(encoded)[3].equal(encode_jpeg(pictures[3])));
}

TEST_F(ImageFiles, WithLabelsAreDecoded) {
  const LabelledFiles files({{paths[1], 7}, {paths[3], 9}});
  DecodeImageComponent rgb(files), bgr(files, 0, {.decode = {.order = PixelOrder::kBgr}});
  const std::vector<at::Tensor> images = first_components(rgb);
  EXPECT_TRUE(images[1].equal(first_components(*std::make_unique<ImageFromFile>(paths))[3]));
  EXPECT_TRUE(first_components(bgr)[1].equal(images[1].flip(2)));
  EXPECT_EQ(bgr.iterator().next()->at(1).item<int64_t>(), 7);

  write(folder / "text.jpg", at::tensor({104, 105}, at::kByte));
  const LabelledFiles damaged({{folder / "text.jpg", 0}, {paths[0], 1}});
  DecodeImageComponent strict(damaged), lenient(damaged, 0, {.catch_exceptions = true});
  EXPECT_THAT(message_of<DataError>([&] { first_components(strict); }), HasSubstr("text.jpg"));
  EXPECT_EQ(first_components(lenient).size(), 1u);
  DecodeImageComponent twice(rgb, 0);
  EXPECT_THAT(message_of<DataError>([&] { first_components(twice); }),
              HasSubstr("expected the bytes of an image"));
  EXPECT_THROW(DecodeImageComponent(files, -1), UsageError);
}

TEST_F(ImageFiles, ShuffledPassesDifferAndCanBeHadAgainFromTheMiddle) {
  ImageFromFile flow(paths, {.shuffle = true, .seed = 4});
  std::vector<std::vector<int64_t>> passes(3);
  for (auto& widths : passes) {
    for (const at::Tensor& image : first_components(flow)) widths.push_back(image.size(1));
    EXPECT_THAT(widths, testing::UnorderedElementsAre(20, 21, 22, 23, 24));
  }
  EXPECT_TRUE(passes[0] != passes[1] || passes[1] != passes[2]);
  DataIterator rest = flow.iterator_at({.pass = 1, .index = 3});
  EXPECT_EQ((*rest.next())[0].size(1), passes[1][3]);
}

TEST_F(ImageFiles, ThatAreMissingOrNoImagesAreNamed) {
  ImageFromFile missing({folder / "none.jpg"});
  EXPECT_THAT(message_of<DataError>([&] { first_components(missing); }), HasSubstr("none.jpg"));
  write(folder / "text.jpg", at::tensor({104, 105}, at::kByte));
  ImageFromFile text({folder / "text.jpg"});
  EXPECT_THAT(message_of<DataError>([&] { first_components(text); }),
              HasSubstr("text.jpg: expected a JPEG or PNG"));
}

TEST(ImageFromFile, RefusesWhatMakesNoSense) {
  EXPECT_THAT(message_of<UsageError>([] { ImageFromFile({}); }), HasSubstr("expected files, got none"));
  EXPECT_THAT(message_of<UsageError>([] { ImageFromFile({"a"}, {.channel = 2}); }),
              HasSubstr("1 or 3 channels, got 2"));
  EXPECT_THAT(message_of<UsageError>([] { ImageFromFile({"a"}, {.resize = Size2(3), .encoded = true}); }),
              HasSubstr("got both"));
}

TEST_F(ImageFiles, InAFolderForEachClassHaveLabels) {
  for (const char* name : {"fish", "bird/small", "empty"}) FileSystem::posix().make_dirs(folder / name);
  for (const char* path : {"fish/b.jpg", "fish/a.JPEG", "bird/small/c.Png", "fish/notes.txt"}) {
    write(folder / path, at::tensor({path[5]}, at::kByte));
  }
  ImageFolder flow(folder.path());
  EXPECT_THAT(flow.classes(), testing::ElementsAre("bird", "empty", "fish"));
  std::vector<std::pair<int, int64_t>> found;
  for (Datapoint& d : flow.iterator()) found.emplace_back(d[0].item<int>(), d[1].item<int64_t>());
  EXPECT_THAT(found, testing::ElementsAre(std::pair('s', 0), std::pair('a', 2), std::pair('b', 2)));
  EXPECT_EQ((*flow.iterator_at({.index = 2}).next())[1].item<int64_t>(), 2);
  EXPECT_THAT(message_of<DataError>([&] { ImageFolder(folder.path(), {.allow_empty_classes = false}); }),
              HasSubstr("empty: expected images of this class"));
}

TEST_F(ImageFiles, HiddenFilesAndFoldersAreNeitherClassesNorImages) {
  for (const char* name : {".ipynb_checkpoints", "__MACOSX/a", "a/.thumbnails", "a/@eaDir", "b"})
    FileSystem::posix().make_dirs(folder / name);
  for (const char* path : {".ipynb_checkpoints/1.jpg", "__MACOSX/a/1.jpg", "a/.thumbnails/1.jpg",
                           "a/@eaDir/1.jpg", "a/._1.jpg", "a/Thumbs.db", "a/1.jpg", "b/1.png"}) {
    write(folder / path, at::tensor({1}, at::kByte));
  }
  ImageFolder flow(folder.path(), {.allow_empty_classes = false});
  EXPECT_THAT(flow.classes(), testing::ElementsAre("a", "b"));
  EXPECT_EQ(flow.size(), 2);
}

TEST_F(ImageFiles, ABrokenPictureIsNamedByWhoeverDecodesIt) {
  FileSystem::posix().make_dirs(folder / "c");
  const std::string path = folder / "c/broken.jpg";
  write(path, encode_jpeg(pictures[0]).narrow(0, 0, 200));
  const ImageFolder images(folder.path());
  AugmentImageComponent one(images, CenterCrop(8));
  EXPECT_THAT(message_of<DataError>([&] { first_components(one); }), HasSubstr(path + ": "));
  AugmentImageComponents several(images, CenterCrop(8));
  EXPECT_THAT(message_of<DataError>([&] { first_components(several); }), HasSubstr(path + ": "));
  ImageBatchData batches(images, 1, CenterCrop(8));
  EXPECT_THAT(message_of<DataError>([&] { first_components(batches); }), HasSubstr(path + ": "));
  AugmentImageComponent listed(LabelledFiles({{path, 3}}), CenterCrop(8));
  EXPECT_THAT(message_of<DataError>([&] { first_components(listed); }), HasSubstr(path + ": "));
}

TEST(ImageFolder, WithoutImagesIsNamed) {
  test::TempDir folder;
  EXPECT_THAT(message_of<DataError>([&] { ImageFolder(folder.path()); }),
              HasSubstr(folder.path() + ": expected images in a folder for each class"));
  EXPECT_THAT(message_of<DataError>([&] { ImageFolder(folder / "none"); }), HasSubstr("No such file"));
}

// Datapoints {0, picture} with the pictures still JPEGs, or not.
DataFromList labelled(bool encoded, int64_t count = 6) {
  std::vector<Datapoint> list;
  for (int64_t i = 0; i < count; ++i) {
    const at::Tensor picture = random_picture(40, 40 + i, 3);
    list.push_back({at::tensor({i}), encoded ? encode_jpeg(picture) : picture});
  }
  return DataFromList(std::move(list));
}

TEST(AugmentImageComponent, ChangesOneComponent) {
  AugmentImageComponent flow(labelled(false), AugmentorList({CenterCrop(30)}), 1);
  for (Datapoint& datapoint : flow.iterator()) {
    EXPECT_EQ(datapoint[1].sizes(), (at::IntArrayRef{30, 30, 3}));
    EXPECT_EQ(datapoint[0].numel(), 1);
  }
}

TEST(AugmentImageComponent, LeavesTheSourceAsItWas) {
  const at::Tensor picture = random_picture(8, 8, 3), before = picture.clone();
  AugmentImageComponent flow(DataFromList({{picture}}), Brightness(100));
  EXPECT_FALSE(first_components(flow)[0].equal(before));
  EXPECT_TRUE(picture.equal(before));
}

TEST(AugmentImageComponent, DecodesWhatIsEncoded) {
  AugmentImageComponent flow(labelled(true), CenterCrop(30), 1);
  AugmentImageComponent expected(labelled(true), CenterCrop(30), 1, {.decode_augment = {.exact = true}});
  DataIterator other = expected.iterator();
  for (Datapoint& datapoint : flow.iterator()) EXPECT_TRUE(datapoint[1].equal((*other.next())[1]));
}

TEST(AugmentImageComponent, IsTheSameInAnyNumberOfThreads) {
  const AugmentorList augmentors({RandomCrop(20), Flip({.horiz = true}), Brightness(60)});
  AugmentImageComponent alone(labelled(true), augmentors, 1, {}, {.seed = 9});
  for (int64_t threads : {1, 2, 8}) {
    MultiThreadMapData together(labelled(true), threads, augment_image_component(augmentors, 1), {.seed = 9});
    DataIterator one = alone.start_pass(2), other = together.start_pass(2);
    while (auto datapoint = one.next()) EXPECT_TRUE((*datapoint)[1].equal((*other.next())[1]));
    EXPECT_FALSE(other.next());
  }
}

TEST(AugmentImageComponent, DropsWhatFailsIfAskedTo) {
  const DataFromList source(
      {{random_picture(9, 9, 3)}, {random_picture(30, 30, 3)}, {at::tensor({1, 2}, at::kByte)}});
  AugmentImageComponent strict(source, CenterCrop(20));
  EXPECT_THAT(message_of<DataError>([&] { first_components(strict); }), HasSubstr("datapoint 0"));
  AugmentImageComponent lenient(source, CenterCrop(20), 0, {.catch_exceptions = true});
  EXPECT_EQ(first_components(lenient).size(), 1u);
}

TEST(AugmentImageComponent, NamesAComponentThatIsNotThere) {
  AugmentImageComponent flow(DataFromList({{random_picture(9, 9, 3)}}), CenterCrop(5), 1);
  EXPECT_THAT(message_of<DataError>([&] { first_components(flow); }),
              HasSubstr("expected a component 1, got 1"));
  EXPECT_THAT(message_of<UsageError>([&] { augment_image_component(CenterCrop(5), -1); }),
              HasSubstr(">= 0, got -1"));
}

TEST(AugmentImageCoordinates, MoveWithTheImage) {
  const at::Tensor points = at::tensor({12.0f, 8.0f, 30.0f, 20.0f}).view({2, 2});
  for (bool encoded : {false, true}) {
    at::Tensor picture = random_picture(40, 60, 3);
    AugmentImageCoordinates flow(DataFromList({{encoded ? encode_jpeg(picture) : picture, points}}),
                                 AugmentorList({CenterCrop({20, 40}), Resize({40, 80})}));
    Datapoint datapoint = *flow.iterator().next();
    EXPECT_EQ(datapoint[0].sizes(), (at::IntArrayRef{40, 80, 3}));
    EXPECT_TRUE(datapoint[1].equal(at::tensor({4.0f, -4.0f, 40.0f, 20.0f}).view({2, 2})));
  }
}

TEST(AugmentImageComponents, ShareOneTransform) {
  at::Tensor photo = random_picture(30, 40, 3);
  const at::Tensor mask = photo.select(2, 0).contiguous();
  AugmentImageComponents flow(DataFromList(std::vector<Datapoint>(8, {photo, mask})),
                              AugmentorList({RandomCrop(16), Flip({.vert = true})}));
  for (Datapoint& datapoint : flow.iterator()) EXPECT_TRUE(datapoint[0].select(2, 0).equal(datapoint[1]));
  EXPECT_THAT(message_of<UsageError>([] { augment_image_components(CenterCrop(5), {}); }),
              HasSubstr("got none"));
}

}  // namespace
}  // namespace belfry
