#include <ATen/ops/arange.h>
#include <ATen/ops/bincount.h>
#include <gmock/gmock.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "belfry/base/error.h"
#include "belfry/dataflow/datasets/cifar.h"
#include "belfry/dataflow/datasets/digits.h"
#include "belfry/dataflow/datasets/mnist.h"
#include "tests/support/python.h"
#include "tests/support/real_data.h"

namespace belfry {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

std::string be32(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

std::string idx_images(uint32_t count, size_t pixels, uint32_t side = 28, uint32_t magic = 2051) {
  std::string bytes = be32(magic) + be32(count) + be32(side) + be32(side);
  for (size_t i = 0; i < pixels; ++i) bytes.push_back(static_cast<char>(i % 251));
  return bytes;
}

std::string idx_labels(uint32_t count, const std::string& labels, uint32_t magic = 2049) {
  return be32(magic) + be32(count) + labels;
}

std::string digits_csv(int rows) {
  std::string text;
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < 64; ++i) text += fmt::format("{},", (row + i) % 17);
    text += fmt::format("{}\n", row % 10);
  }
  return text;
}

std::string cifar_file(char label) {
  std::string record(1 + 3 * 1024, label);
  for (int channel = 0; channel < 3; ++channel)
    record[1 + channel * 1024 + 33] = static_cast<char>(10 + channel);
  std::string bytes;
  for (int i = 0; i < 10000; ++i) bytes += record;
  return bytes;
}

std::string gzip(const std::string& bytes) {
  z_stream z{};
  deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, bytes.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

class Datasets : public testing::Test {
 protected:
  Datasets() {
    std::string pattern = (std::filesystem::temp_directory_path() / "belfry_datasets_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~Datasets() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }
  void write_mnist(const std::string& images, const std::string& labels) const {
    write("train-images-idx3-ubyte", images);
    write("train-labels-idx1-ubyte", labels);
  }

  std::string folder_;
};

TEST_F(Datasets, MnistReadsPlainAndGzipFiles) {
  for (bool is_gzip : {false, true}) {
    for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}) {
      std::filesystem::remove(folder_ + "/" + name);
    }
    const std::string images = idx_images(3, 3 * 784), labels = idx_labels(3, std::string("\x07\x00\x09", 3));
    write(is_gzip ? "train-images-idx3-ubyte.gz" : "train-images-idx3-ubyte",
          is_gzip ? gzip(images) : images);
    write(is_gzip ? "train-labels-idx1-ubyte.gz" : "train-labels-idx1-ubyte",
          is_gzip ? gzip(labels) : labels);
    Mnist mnist(Split::kTrain, folder_);
    EXPECT_EQ(mnist.size(), 3);
    const Datapoint first = *mnist.iterator().next();
    EXPECT_THAT(first.at(0).sizes(), ElementsAre(28, 28, 1));
    EXPECT_EQ(first[0].scalar_type(), at::kFloat);
    EXPECT_FLOAT_EQ(first[0][1][2][0].item<float>(), 30 / 255.0F);
    EXPECT_EQ(first.at(1).scalar_type(), at::kLong);
    EXPECT_EQ(first[1].item<int64_t>(), 7);
  }
}

TEST_F(Datasets, MnistAcceptsNoImages) {
  write_mnist(idx_images(0, 0), idx_labels(0, ""));
  EXPECT_FALSE(Mnist(Split::kTrain, folder_).iterator().next());
}

TEST_F(Datasets, DamagedMnistFilesAreErrorsThatSayWhere) {
  const std::string images = idx_images(2, 2 * 784), labels = idx_labels(2, "\x01\x02");
  struct Case {
    std::string images, labels, message;
  };
  const Case cases[] = {
      {"", labels, "train-images-idx3-ubyte at byte 0: expected 4 bytes"},
      {images.substr(0, 10), labels, "at byte 10: expected 4 bytes from byte 8 on"},
      {images.substr(0, 1000), labels,
       "at byte 1000: expected 1568 bytes from byte 16 on, so a length of 1584"},
      {images + "x", labels, "at byte 1584: expected the end of the file"},
      {idx_images(2, 2 * 784, 28, 2049), labels, "at byte 0: expected magic number 2051, got 2049"},
      {idx_images(2, 2 * 784, 32), labels, "at byte 8: expected rows 28, got 32"},
      {idx_images(0xffffffff, 784), labels, "so a length of 3367254359296, got only 784"},
      {images, idx_labels(3, "\x01\x02\x03"), "at byte 4: expected labels, as there are images, 2, got 3"},
      {images, idx_labels(2, "\x01"), "train-labels-idx1-ubyte at byte 9: expected 2 bytes"},
      {images, idx_labels(2, "\x01\x0a"), "at byte 9: expected a label below 10, got 10"},
      {gzip(images).substr(0, 100), labels, "train-images-idx3-ubyte at byte"},
      {gzip(images).substr(0, gzip(images).size() - 4), labels, "cut off"},
  };
  for (const Case& c : cases) {
    write_mnist(c.images, c.labels);
    EXPECT_THAT([&] { Mnist(Split::kTrain, folder_); }, ThrowsMessage<DataError>(HasSubstr(c.message)));
  }
}

TEST_F(Datasets, AFlippedBitInAGzipFileIsAnError) {
  const std::string good = gzip(idx_images(2, 2 * 784));
  for (size_t i = 10; i < good.size(); ++i) {  // the first 10 bytes hold the time and such
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    write_mnist(bad, idx_labels(2, "\x01\x02"));
    EXPECT_THROW(Mnist(Split::kTrain, folder_), DataError) << "byte " << i;
  }
}

TEST_F(Datasets, MissingFilesAreErrorsThatSayWhatIsExpected) {
  EXPECT_THAT(
      [&] { Mnist(Split::kTest, folder_); },
      ThrowsMessage<DataError>(AllOf(HasSubstr(folder_ + "/t10k-images-idx3-ubyte: expected this file or "
                                                         "t10k-images-idx3-ubyte.gz, 10000 images"),
                                     HasSubstr("found neither"))));
  EXPECT_THAT([&] { Cifar10(Split::kTrain, folder_); },
              ThrowsMessage<DataError>(AllOf(HasSubstr("data_batch_1.bin"), HasSubstr("30730000 bytes"))));
  EXPECT_THAT([&] { Digits(Split::kTrain, "/nowhere"); },
              ThrowsMessage<DataError>(HasSubstr("/nowhere/digits.csv")));
}

TEST_F(Datasets, CifarIsInterleavedAndKeepsTheOrderOfItsFiles) {
  for (int i = 1; i <= 5; ++i) {
    write(fmt::format("data_batch_{}.bin.gz", i), gzip(cifar_file(static_cast<char>(i))));
  }
  write("test_batch.bin", cifar_file(0));
  Cifar10 train(Split::kTrain, folder_), test(Split::kTest, folder_);
  EXPECT_EQ(train.size(), 50000);
  EXPECT_EQ(test.size(), 10000);
  const Datapoint dp = *train.slice(40000, 40001).iterator().next();
  EXPECT_THAT(dp.at(0).sizes(), ElementsAre(32, 32, 3));
  EXPECT_EQ(dp[0].scalar_type(), at::kByte);
  for (int channel = 0; channel < 3; ++channel) EXPECT_EQ(dp[0][1][1][channel].item<int>(), 10 + channel);
  EXPECT_EQ(dp[0][1][2][0].item<int>(), 5);
  EXPECT_EQ(dp.at(1).item<int64_t>(), 5);
}

/// A line as cifar_pickles.py prints it.
std::string show(CifarBase& dataset, const std::string& last_name) {
  int64_t count = 0, labels = 0;
  double pixels = 0;
  const at::Tensor weights = at::arange(3072).reshape({32, 32, 3}).remainder(7).add(1).to(at::kDouble);
  DataIterator datapoints = dataset.iterator();
  while (std::optional<Datapoint> dp = datapoints.next()) {
    ++count;
    labels += dp->at(1).item<int64_t>() * (count % 11);
    pixels +=
        dp->at(0).to(at::kDouble).mul(weights).sum().item<double>() * static_cast<double>(count % 5 + 1);
  }
  return fmt::format("{} {} {:.0f} {}\n", count, labels, pixels, last_name);
}

TEST_F(Datasets, CifarIsReadAsPythonHasPickledIt) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  const std::string expected = test::run_python("tests/dataflow/cifar_pickles.py", {folder_});
  Cifar10 tens(Split::kTest, folder_);
  Cifar100 fine(Split::kTest, folder_), coarse(Split::kTest, folder_, {.coarse_labels = true}),
      inside(Split::kTest, folder_ + "/cifar-100-python");
  EXPECT_EQ(show(tens, "class 9") + show(fine, fine.get_label_names().back()), expected);
  EXPECT_THAT(coarse.get_label_names(), testing::Contains("coarse 19"));
  EXPECT_EQ(inside.size(), 10000);
  EXPECT_THAT([&] { Cifar10(Split::kTrain, folder_); }, ThrowsMessage<DataError>(HasSubstr("data_batch_1")));

  const std::string path = folder_ + "/cifar-10-batches-py/test_batch";
  std::filesystem::resize_file(path, 1'000'000);
  EXPECT_THROW(Cifar10(Split::kTest, folder_), DataError);
  std::filesystem::copy_file(folder_ + "/cifar-100-python/meta", path,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(
      [&] { Cifar10(Split::kTest, folder_); },
      ThrowsMessage<DataError>(HasSubstr("expected an array uint8 [10000, 3072] as 'data', got none")));
}

TEST_F(Datasets, DamagedCifarFilesAreErrors) {
  const std::string good = cifar_file(1);
  const std::pair<std::string, std::string> cases[] = {
      {good.substr(0, good.size() - 1), "at byte 30729999: expected 30730000 bytes"},
      {good + "x", "at byte 30730000: expected the end of the file"},
      {cifar_file(10), "at byte 0: expected a label below 10, got 10"},
  };
  for (const auto& [bytes, message] : cases) {
    write("test_batch.bin", bytes);
    EXPECT_THAT([&] { Cifar10(Split::kTest, folder_); }, ThrowsMessage<DataError>(HasSubstr(message)));
  }
}

TEST_F(Datasets, DigitsAreSplitByEveryFifthBlockOfTenRows) {
  write("digits.csv.gz", gzip(digits_csv(1797)));
  Digits train(Split::kTrain, folder_), test(Split::kTest, folder_);
  EXPECT_EQ(train.size(), 1440);
  EXPECT_EQ(test.size(), 357);
  const Datapoint first_test = *test.iterator().next();
  EXPECT_THAT(first_test.at(0).sizes(), ElementsAre(8, 8, 1));
  EXPECT_EQ(first_test[0][1][2][0].item<float>(), (40 + 10) % 17 / 16.0F);  // row 40 of the file, pixel 10
  EXPECT_EQ(first_test.at(1).item<int64_t>(), 0);
  EXPECT_EQ(train.slice(40, 41).iterator().next()->at(0)[0][0][0].item<float>(), 50 % 17 / 16.0F);
}

TEST_F(Datasets, DigitsNeedNoNewlineAtTheEndAndAcceptThoseOfWindows) {
  std::string text = digits_csv(1797);
  text.pop_back();
  write("digits.csv", text);
  EXPECT_EQ(Digits(Split::kTrain, folder_).size(), 1440);
  std::string windows;
  for (char c : text) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  write("digits.csv", windows);
  EXPECT_EQ(Digits(Split::kTest, folder_).size(), 357);
}

TEST_F(Datasets, DamagedDigitsAreErrorsThatSayWhere) {
  const std::string good = digits_csv(1797);
  const std::pair<std::string, std::string> cases[] = {
      {"", "at byte 0: expected a number from 0 to 16 in row 0"},
      {digits_csv(1796), "in row 1796"},
      {digits_csv(1798), "expected 1797 rows, got more"},
      {"17" + good.substr(1), "at byte 0: expected a number from 0 to 16 in row 0"},
      {"-" + good, "at byte 0: expected a number"},
      {"x" + good, "at byte 0: expected a number"},
      {"0;" + good.substr(2), "at byte 1: expected 1797 rows of 65 numbers"},
      {std::string(2 << 20, '1'), "expected the end of the file"},
  };
  for (const auto& [text, message] : cases) {
    write("digits.csv", text);
    EXPECT_THAT([&] { Digits(Split::kTrain, folder_); }, ThrowsMessage<DataError>(HasSubstr(message)));
  }
}

TEST(RealDatasets, MnistTestFilesAreThePublishedOnes) {
  const std::string folder = test::mnist_folder();
  if (folder.empty()) GTEST_SKIP() << test::kNoMnist;
  EXPECT_NO_THROW(Mnist::verify(Split::kTest, folder));
  EXPECT_THAT(
      [&] { FashionMnist::verify(Split::kTest, folder); },
      ThrowsMessage<DataError>(HasSubstr("t10k-labels-idx1-ubyte.gz has ec29112dd5afa0611ce80d1b7f02629c")));
  EXPECT_THAT([&] { Mnist::verify(Split::kTrain, folder); },
              ThrowsMessage<DataError>(HasSubstr("train-images-idx3-ubyte.gz cannot be read")));
}

// Expected numbers: numpy on the same file (sum of the pixels, labels of each digit as the dataset's page
// gives them).
TEST(RealDatasets, MnistTestSet) {
  const std::string folder = test::mnist_folder();
  if (folder.empty()) GTEST_SKIP() << test::kNoMnist;
  Mnist mnist(Split::kTest, folder);
  EXPECT_EQ(mnist.size(), 10000);
  EXPECT_NEAR(mnist.tensors()[0].to(at::kDouble).mul(255).round().sum().item<double>(), 264923200, 1);
  at::Tensor counts = at::bincount(mnist.tensors()[1]);
  EXPECT_THAT(std::vector<int64_t>(counts.data_ptr<int64_t>(), counts.data_ptr<int64_t>() + 10),
              ElementsAre(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009));
}

TEST(RealDatasets, Digits) {
  const std::string folder = test::digits_folder();
  if (folder.empty()) GTEST_SKIP() << test::kNoDigits;
  Digits train(Split::kTrain, folder), test(Split::kTest, folder);
  double sum = 0;
  for (const Digits& part : {train, test})
    sum += part.tensors()[0].to(at::kDouble).mul(16).sum().item<double>();
  EXPECT_EQ(sum, 561718);
}

}  // namespace
}  // namespace belfry
