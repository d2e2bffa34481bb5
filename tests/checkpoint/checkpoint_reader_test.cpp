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
