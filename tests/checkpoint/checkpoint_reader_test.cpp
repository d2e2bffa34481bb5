#include "belfry/checkpoint/checkpoint_reader.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros.h>

#include <filesystem>
#include <fstream>

#include "belfry/checkpoint/checkpoint_files.h"
#include "tests/checkpoint/fixture.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::TempDir;
using testing::HasSubstr;

const DType kAllTypes[] = {DType::Float,        DType::Double,       DType::Half,          DType::BFloat16,
                           DType::Char,         DType::Short,        DType::Int,           DType::Long,
                           DType::Byte,         DType::UInt16,       DType::UInt32,        DType::UInt64,
                           DType::Bool,         DType::ComplexFloat, DType::ComplexDouble, DType::Float8_e5m2,
                           DType::Float8_e4m3fn};

/// Tensors of every dtype that `format` has: a scalar, an empty one, and one of odd sizes.
std::map<std::string, at::Tensor> tensors_for(const std::string& format) {
  std::map<std::string, at::Tensor> tensors;
  for (DType dtype : kAllTypes) {
    const bool is_float8 = dtype == DType::Float8_e5m2 || dtype == DType::Float8_e4m3fn;
    if (format == ".npz" && (dtype == kBFloat16 || is_float8)) continue;
    if (format == ".safetensors" && dtype == kComplex128) continue;
    for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{13, 3}}) {
      tensors[to_string(dtype) + to_string(shape)] = at::randint(0, 2, shape, kFloat32).to(dtype);
    }
  }
  return tensors;
}

class EveryFormat : public testing::TestWithParam<const char*> {
 protected:
  TempDir dir;
  std::string path = dir / ("model") + GetParam();
};

TEST_P(EveryFormat, GivesBackWhatWasSaved) {
  const auto tensors = tensors_for(GetParam());
  save_checkpoint(path, tensors);
  const auto loaded = load_checkpoint(path);
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor& value = loaded.at(name);
    EXPECT_EQ(value.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_EQ(value.sizes(), tensor.sizes()) << name;
    if (tensor.numel() == 0) continue;
    EXPECT_EQ(std::memcmp(value.data_ptr(), tensor.data_ptr(), tensor.nbytes()), 0) << name;
  }
}

TEST_P(EveryFormat, ListsNamesShapesAndTypesSorted) {
  save_checkpoint(path, {{"b:0", at::ones({2, 3})}, {"a/W", at::ones({}, kInt64)}});
  auto reader = CheckpointReader::open(path);
  ASSERT_EQ(reader->entries().size(), 2u);
  EXPECT_EQ(reader->entries()[0].name, "a/W");
  EXPECT_EQ(reader->entries()[0].dtype, kInt64);
  EXPECT_EQ(reader->entries()[1].name, "b");
  EXPECT_EQ(reader->entries()[1].shape, (Shape{2, 3}));
  EXPECT_EQ(reader->entries()[1].stored_dtype, "float32");
}

TEST_P(EveryFormat, TakesNamesWithAndWithoutOutputIndex) {
  save_checkpoint(path, {{"W:0", at::ones({2})}});
  auto reader = CheckpointReader::open(path);
  EXPECT_TRUE(reader->has("W"));
  EXPECT_TRUE(reader->has("W:0"));
  EXPECT_TRUE(at::equal(reader->tensor("W"), reader->tensor("W:0")));
}

TEST_P(EveryFormat, SavesTransposedAndViewedTensorsByTheirLogicalOrder) {
  const at::Tensor base = at::arange(24).reshape({2, 3, 4}).to(kFloat32);
  save_checkpoint(path, {{"t", base.transpose(0, 2)}, {"v", base.select(1, 2)}});
  const auto loaded = load_checkpoint(path);
  EXPECT_TRUE(at::equal(loaded.at("t"), base.transpose(0, 2)));
  EXPECT_TRUE(at::equal(loaded.at("v"), base.select(1, 2)));
}

TEST_P(EveryFormat, AMissingTensorIsAnErrorNamingFileAndTensor) {
  save_checkpoint(path, {{"W", at::ones({2})}});
  auto reader = CheckpointReader::open(path);
  EXPECT_THROW_WITH(reader->tensor("b"), DataError, "b");
  EXPECT_THROW_WITH(reader->tensor("b"), DataError, path);
}

TEST_P(EveryFormat, MayHoldNothing) {
  save_checkpoint(path, {});
  EXPECT_TRUE(load_checkpoint(path).empty());
}

TEST_P(EveryFormat, RefusesTwoNamesThatMeanTheSame) {
  EXPECT_THROW_WITH(save_checkpoint(path, {{"W", at::ones({})}, {"W:0", at::ones({})}}), UsageError, "W");
}

TEST_P(EveryFormat, ReplacesWhatIsThere) {
  for (double value : {1.0, 2.0, 3.0}) {
    save_checkpoint(path, {{"W", at::full({3}, value)}});
    EXPECT_EQ(load_checkpoint(path).at("W")[0].item<double>(), value);
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoint, EveryFormat, testing::Values("", ".npz", ".safetensors"),
                         [](const auto& info) {
                           return *info.param ? std::string(info.param + 1) : std::string("tensorflow");
                         });

TEST(CheckpointReader, OpensATensorFlowCheckpointByAnyOfItsPaths) {
  TempDir dir;
  save_checkpoint(dir / "model-7", {{"W", at::ones({2})}});
  std::ofstream(dir / "checkpoint") << "model_checkpoint_path: \"model-7\"\n";
  for (const char* path :
       {"model-7", "model-7.index", "model-7.data-00000-of-00001", "checkpoint", "", "."}) {
    EXPECT_TRUE(CheckpointReader::open(dir / path)->has("W")) << path;
  }
}

/// Where every path of a checkpoint "c/model.ckpt-100" may be opened.
class AnyPath : public testing::Test {
 protected:
  void save(const std::string& prefix, double value = 1) {
    std::filesystem::create_directories(std::filesystem::path(dir / prefix).parent_path());
    save_checkpoint(dir / prefix, {{"W", at::full({2}, value)}});
  }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(dir / name).parent_path());
    std::ofstream(dir / name) << text;
  }
  double open(const std::string& path) {
    return CheckpointReader::open(dir / path)->tensor("W")[0].item<double>();
  }
  TempDir dir;
};

TEST_F(AnyPath, OfACheckpointWithoutAListOpensIt) {
  save("c/model.ckpt-20", 20), save("c/model.ckpt-100", 100), write("c/model.ckpt-100.meta", "graph");
  for (const char* path : {"c", "c/", "c/model.ckpt-100", "c/model.ckpt-100.index", "c/model.ckpt-100.meta",
                           "c/model.ckpt-100.data-00000-of-00001", "c/model.ckpt-100/"}) {
    EXPECT_EQ(open(path), 100) << path;
  }
  EXPECT_EQ(open("c/model.ckpt-20"), 20);
}

TEST_F(AnyPath, OfASavedModelOpensItsVariables) {
  save("m/1/variables/variables", 3), write("m/1/saved_model.pb", "graph");
  for (const char* path : {"m/1", "m/1/", "m/1/saved_model.pb", "m/1/variables", "m/1/variables/variables"})
    EXPECT_EQ(open(path), 3) << path;
  write("frozen/saved_model.pb", "graph");
  EXPECT_THROW_WITH(open("frozen"), DataError, "constants of its graph");
}

TEST_F(AnyPath, AFolderNamedLikeTheListIsAFolder) {
  save("d/checkpoint/model-5", 5);
  write("d/checkpoint/checkpoint", "model_checkpoint_path: \"model-5\"\n");
  EXPECT_EQ(open("d/checkpoint"), 5);
  EXPECT_EQ(open("d/checkpoint/"), 5);
  EXPECT_EQ(open("d/checkpoint/checkpoint"), 5);
  save("d/model-7", 7);
  EXPECT_EQ(open("d"), 7);
}

TEST_F(AnyPath, ListsOfOtherMachinesMeanTheFilesBesideThem) {
  save("c/model-9", 9), save("c/model-10", 10), save("c/sub/model-3", 3);
  for (const char* listed : {"C:\\\\logs\\\\run\\\\model-9", "run\\\\model-9", "/elsewhere/run/model-9",
                             "run/model-9", "./model-9"}) {
    write("c/checkpoint", "model_checkpoint_path: \"" + std::string(listed) + "\"\n");
    EXPECT_EQ(open("c"), 9) << listed;
  }
  write("c/checkpoint", "model_checkpoint_path: \"sub\\\\model-3\"\n");
  EXPECT_EQ(open("c"), 3);
}

TEST_F(AnyPath, WhereThereIsAChoiceItIsNamed) {
  save("c/best"), save("c/last");
  EXPECT_THROW_WITH(open("c"), DataError, "no list `checkpoint` and holds best, last");
  std::filesystem::remove(dir / "c/last.data-00000-of-00001");
  EXPECT_EQ(open("c"), 1);
}

TEST_F(AnyPath, AnIncompleteNewestIsNotReplacedByACheckpointOfAnotherName) {
  save("c/model-9"), save("c/min-val-error");
  std::filesystem::remove(dir / "c/model-9.data-00000-of-00001");
  EXPECT_THROW_WITH(open("c"), DataError, "found none");
}

TEST_F(AnyPath, OfSomethingElseSaysWhatItIs) {
  write("weights.h5", "\x89HDF\r\n\x1a\n");
  EXPECT_THROW_WITH(open("weights.h5"), DataError, "looks like an HDF5 file");
  save_checkpoint(dir / "a.safetensors", {{"W", at::ones({2})}});
  std::filesystem::rename(dir / "a.safetensors", dir / "a.npz");
  EXPECT_THROW_WITH(open("a.npz"), DataError, "looks like a safetensors file");
  write("graph-0101.meta", "graph");
  EXPECT_THROW_WITH(open("graph-0101.meta"), DataError, "holds the graph alone");
}

// What tf.train.Saver(write_version=SaverDef.V1) wrote for one variable of [2, 3]; the middle, of no
// importance here, is left out.
TEST_F(AnyPath, OfTheOldV1FormatIsNamed) {
  using namespace std::string_literals;
  const std::string head =
      "\0\0\x1d\x0a\x1b\x0a\x15\x0a\x01v\x12\x08\x12\x02\x08\x02\x12\x02\x08\x03\x18\x01"s;
  write("c/m-3", head + std::string(100, '\0') + "\x57\xfb\x80\x8b\x24\x75\x47\xdb");
  EXPECT_THROW_WITH(open("c/m-3"), DataError, "old V1 format");
  write("c/checkpoint", "model_checkpoint_path: \"m-3\"\n");
  EXPECT_THROW_WITH(open("c"), DataError, "old V1 format");
}

TEST(CheckpointReader, SaysThatThereIsNoCheckpoint) {
  TempDir dir;
  EXPECT_THROW_WITH(CheckpointReader::open(dir / "model-7"), DataError, "model-7.index");
  EXPECT_THROW_WITH(CheckpointReader::open(dir.path()), DataError, "found none");
  EXPECT_THROW_WITH(CheckpointReader::open(dir / "x.npz"), DataError, "x.npz");
  EXPECT_THROW_WITH(CheckpointReader::open(dir / "no/checkpoint"), DataError, "no");
}

TEST(CheckpointReader, KeepsReadingACheckpointThatIsRemovedMeanwhile) {
  TempDir dir;
  save_checkpoint(dir / "model-7", {{"W", at::ones({2})}});
  auto reader = CheckpointReader::open(dir / "model-7");
  remove_checkpoint(dir / "model-7");
  EXPECT_TRUE(at::equal(reader->tensor("W"), at::ones({2})));
  EXPECT_FALSE(is_complete_checkpoint(dir / "model-7"));
}

TEST(CheckpointReader, ATruncatedDataFileNamesTheTensor) {
  TempDir dir;
  save_checkpoint(dir / "model-7", {{"W", at::ones({2})}, {"b", at::ones({100})}});
  std::filesystem::resize_file(dir / "model-7.data-00000-of-00001", 16);
  auto reader = CheckpointReader::open(dir / "model-7");
  EXPECT_TRUE(reader->tensor("W").defined());
  EXPECT_THROW_WITH(reader->tensor("b"), DataError, "[tensor b]");
}

}  // namespace
}  // namespace belfry
