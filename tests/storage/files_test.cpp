// TFRecord, npz and HDF5 files: what goes wrong.

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <hdf5.h>
#include <zlib.h>

#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/data/storage/hdf5_data.h"
#include "belfry/data/storage/numpy_serializer.h"
#include "belfry/data/storage/tfrecord_data.h"
#include "belfry/data/storage/tfrecord_serializer.h"
#include "belfry/formats/npz.h"
#include "belfry/formats/tfrecord.h"
#include "tests/dataflow/flows.h"
#include "tests/formats/arrays.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::AllOf;
using testing::HasSubstr;

class Files : public testing::Test {
 protected:
  std::string file(const std::string& name) const { return folder_ / name; }
  void damage(const std::string& name, const std::function<void(std::string&)>& change) const {
    std::string content = test::slurp(file(name));
    change(content);
    test::spit(file(name), content);
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

  test::TempDir folder_;
};

TEST_F(Files, TFRecordsComeBackInTheirOrderFromAnyPlace) {
  TFRecordSerializer::save(counting(20), file("x"));
  auto flow = TFRecordSerializer::load(file("x"), {.size = 20});
  EXPECT_EQ(flow->size(), 20);
  EXPECT_EQ(values(*flow), range(20));
  DataIterator rest = flow->iterator_at({.index = 18});
  EXPECT_EQ(values(rest), (std::vector<int64_t>{18, 19}));
  EXPECT_THROW(flow->iterator_at({.index = 21}), UsageError);
  EXPECT_EQ(TFRecordSerializer::load(file("x"))->size(), std::nullopt);
}

TEST_F(Files, ADamagedTFRecordIsAnErrorAfterTheGoodOnes) {
  TFRecordSerializer::save(counting(20), file("x"));
  damage("x", [](std::string& content) { content.resize(content.size() - 5); });
  auto flow = TFRecordSerializer::load(file("x"));
  DataIterator pass = flow->iterator();
  for (int64_t i = 0; i < 19; ++i) EXPECT_EQ(value(*pass.next()), i);
  EXPECT_THAT(message_of<DataError>([&] { pass.next(); }),
              AllOf(HasSubstr(file("x")), HasSubstr("is cut off")));
  test::spit(file("x"), frame_record("something else"));
  EXPECT_THAT(message_of<DataError>([&] { values(*flow); }), HasSubstr("x: record at byte 0"));
  EXPECT_THROW(TFRecordSerializer::load(file("nothing")), DataError);
}

TEST_F(Files, CompressedTFRecordsAreNamed) {
  TFRecordSerializer::save(counting(20), file("x"));
  const std::string plain = test::slurp(file("x"));
  std::string packed(compressBound(plain.size()), '\0');
  uLongf size = packed.size();
  ASSERT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                     reinterpret_cast<const Bytef*>(plain.data()), plain.size()),
            Z_OK);
  test::spit(file("x"), packed.substr(0, size));
  EXPECT_THAT(message_of<DataError>([&] { values(*TFRecordSerializer::load(file("x"))); }),
              HasSubstr("looks like a zlib-compressed file"));
  const gzFile out = gzopen(file("y").c_str(), "wb");
  gzwrite(out, plain.data(), static_cast<unsigned>(plain.size()));
  gzclose(out);
  EXPECT_THAT(message_of<DataError>([&] { values(*TFRecordSerializer::load(file("y"))); }),
              HasSubstr("looks like a gzip-compressed file"));
}

TEST_F(Files, AnInterruptedSaveLeavesWhatWasThere) {
  const AnyDataFlow bad = MapData(counting(9), fail_at(7));
  TFRecordSerializer::save(counting(3), file("x"));
  EXPECT_THROW(TFRecordSerializer::save(bad, file("x")), Error);
  EXPECT_EQ(values(*TFRecordSerializer::load(file("x"))), range(3));
  EXPECT_THROW(NumpySerializer::save(bad, file("x.npz")), Error);
  EXPECT_THROW(HDF5Serializer::save(bad, file("x.h5"), {"a"}), Error);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Files, TFRecordDataShufflesFilesOnly) {
  const std::string empty = frame_record("");
  std::vector<std::string> names;
  for (char name = 'a'; name < 'i'; ++name) {
    names.push_back(file({name}));
    test::spit(names.back(), empty + empty);
  }
  TFRecordData flow(names, {{.name = "x", .default_value = scalar(1)[0]}},
                    {.shuffle_files = true, .size = 16});
  EXPECT_EQ(flow.size(), 16);
  EXPECT_EQ(values(flow).size(), 16u);
  std::filesystem::remove(names[3]);
  EXPECT_THAT(message_of<DataError>([&] { values(flow); }), HasSubstr(names[3]));
}

TEST_F(Files, TFRecordDataChecksItsFeatures) {
  EXPECT_THROW(TFRecordData({}, {{.name = "x"}}), UsageError);
  EXPECT_THROW(TFRecordData({"x"}, {}), UsageError);
  EXPECT_THROW(TFRecordData({"x"}, {{.name = "x", .dtype = at::kInt}}), UsageError);
  EXPECT_THROW(TFRecordData({"x"}, {{.name = "x", .dtype = at::kByte, .shape = std::vector<int64_t>{1}}}),
               UsageError);
}

TEST_F(Files, NpzAndHdf5KeepEveryTypeTheyHave) {
  for (at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf, at::kByte, at::kChar, at::kShort, at::kInt,
                              at::kLong, at::kUInt16, at::kUInt32, at::kUInt64, at::kBool}) {
    const AnyDataFlow flow = DataFromList({{at::full({2}, 1, type)}, {at::full({2}, 0, type)}});
    NumpySerializer::save(flow, file("x.npz"));
    HDF5Serializer::save(flow, file("x.h5"), {"a"});
    HDF5Data hdf5(file("x.h5"), {"a"}, {.shuffle = false});
    const std::shared_ptr<DataFlow> npz = NumpySerializer::load(file("x.npz"), {.shuffle = false});
    for (DataFlow* loaded : {npz.get(), static_cast<DataFlow*>(&hdf5)}) {
      EXPECT_EQ(loaded->size(), 2);
      const Datapoint first = *loaded->iterator().next();
      EXPECT_EQ(first.at(0).scalar_type(), type);
      EXPECT_EQ(first.at(0)[1].item<double>(), 1);
    }
  }
}

TEST_F(Files, ColumnsNeedDatapointsOfOneShapeAndType) {
  const std::pair<DataFromList, const char*> cases[] = {
      {DataFromList({}), "[NumpySerializer] expected at least one datapoint, got none"},
      {DataFromList({scalar(1), {}}), "expected 1 components in datapoint 1, as in the first, got 0"},
      {DataFromList({scalar(1), {at::full({2}, 1, at::kLong)}}),
       "expected component 0 of datapoint 1 to be Long [], as in the first, got Long [2]"},
      {DataFromList({scalar(1), {at::full({}, 1, at::kInt)}}), "to be Long [], as in the first, got Int []"},
  };
  for (const auto& [flow, message] : cases) {
    EXPECT_THAT(message_of<UsageError>([&] { NumpySerializer::save(flow, file("x.npz")); }),
                HasSubstr(message));
  }
  EXPECT_THAT(message_of<UsageError>([&] {
                HDF5Serializer::save(counting(2), file("x.h5"), {"a", "b"});
              }),
              HasSubstr("expected a path for each of 1 components, got 2"));
  EXPECT_EQ(files(), 0u);
}

TEST_F(Files, NpzOfOtherArraysIsAnError) {
  NpzWriter writer(file("x.npz"));
  writer.add("arr_0", DataType::kInt8, {2}, as_byte_span("ab"));
  writer.add("arr_1", DataType::kInt8, {3}, as_byte_span("abc"));
  writer.finish();
  EXPECT_THAT(message_of<DataError>([&] { NumpySerializer::load(file("x.npz")); }),
              HasSubstr("[array arr_1]: expected as many rows as arr_0"));
  NpzWriter other(file("y.npz"));
  other.add("images", DataType::kInt8, {2}, as_byte_span("ab"));
  other.finish();
  EXPECT_THAT(message_of<DataError>([&] { NumpySerializer::load(file("y.npz")); }),
              HasSubstr("expected arrays arr_0"));
}

TEST_F(Files, DamagedHdf5IsAnErrorNotALineOnTheScreen) {
  EXPECT_THAT(message_of<DataError>([&] { HDF5Data(file("nothing"), {"a"}); }), HasSubstr("No such file"));
  test::spit(file("x.h5"), std::string(5000, 'x'));
  testing::internal::CaptureStderr();
  EXPECT_THAT(message_of<DataError>([&] { HDF5Data(file("x.h5"), {"a"}); }),
              HasSubstr("cannot open it as HDF5: "));
  HDF5Serializer::save(counting(1000), file("x.h5"), {"a"});
  damage("x.h5", [](std::string& content) { content.resize(content.size() / 2); });
  EXPECT_THROW(HDF5Data(file("x.h5"), {"a"}), DataError);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THROW(HDF5Data(file("x.h5"), {}), UsageError);
}

TEST_F(Files, AnHdf5DatasetOfTextIsNamedAndTheOthersLoad) {
  HDF5Serializer::save(counting(2), file("x.h5"), {"a"});
  const hid_t out = H5Fopen(file("x.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 5);
  const hsize_t rows = 2;
  const hid_t space = H5Screate_simple(1, &rows, nullptr);
  H5Dclose(H5Dcreate2(out, "words", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space);
  H5Tclose(text);
  H5Fclose(out);
  EXPECT_EQ(HDF5Data(file("x.h5"), {"a"}).size(), 2);
  EXPECT_THAT(message_of<DataError>([&] {
                HDF5Data(file("x.h5"), {"a", "words"});
              }),
              HasSubstr("[dataset words]: expected numbers, got text of 5 bytes"));
}

// Otherwise a file from a stranger could hand out the bytes of any file here.
TEST_F(Files, Hdf5ValuesInOtherFilesAreNotRead) {
  test::spit(file("secret"), "secret!!");
  HDF5Serializer::save(counting(2), file("other.h5"), {"a"});
  const hid_t made = H5Fcreate(file("x.h5").c_str(), H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t rows = 8;
  const hid_t space = H5Screate_simple(1, &rows, nullptr), external = H5Pcreate(H5P_DATASET_CREATE),
              composed = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(external, file("secret").c_str(), 0, rows);
  H5Pset_virtual(composed, space, file("other.h5").c_str(), "a", space);
  H5Dclose(H5Dcreate2(made, "external", H5T_NATIVE_UINT8, space, H5P_DEFAULT, external, H5P_DEFAULT));
  H5Dclose(H5Dcreate2(made, "composed", H5T_NATIVE_INT64, space, H5P_DEFAULT, composed, H5P_DEFAULT));
  H5Lcreate_external(file("other.h5").c_str(), "a", made, "linked", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("linked", made, "soft", H5P_DEFAULT, H5P_DEFAULT);
  for (const hid_t id : {external, composed}) H5Pclose(id);
  H5Sclose(space);
  H5Fclose(made);
  for (const char* name : {"linked", "soft"})
    EXPECT_THAT(message_of<DataError>([&] { HDF5Data(file("x.h5"), {name}); }), HasSubstr("cannot open it"));
  for (const char* name : {"external", "composed"})
    EXPECT_THAT(message_of<DataError>([&] { HDF5Data(file("x.h5"), {name}); }), HasSubstr("in this file"))
        << name;
}

TEST_F(Files, Hdf5DatasetsOfDifferentLengthsAreAnError) {
  HDF5Serializer::save(DataFromList({{at::full({2}, 1, at::kLong)}, {at::full({2}, 2, at::kLong)}}),
                       file("x.h5"), {"a"});
  EXPECT_EQ(HDF5Data(file("x.h5"), {"a", "a"}).size(), 2);
  EXPECT_THAT(message_of<DataError>([&] {
                HDF5Data(file("x.h5"), {"a", "b"});
              }),
              HasSubstr("[dataset b]: cannot open it"));
}

TEST_F(Files, EveryWriterKeepsTheModeOfWhatItReplacesAndLeavesNoTemporary) {
  namespace fs = std::filesystem;
  constexpr fs::perms kPrivate = fs::perms::owner_read | fs::perms::owner_write;
  const std::pair<const char*, std::function<void(const std::string&)>> writers[] = {
      {"x.h5", [](const auto& path) { HDF5Serializer::save(counting(3), path, {"i"}); }},
      {"x.npz", [](const auto& path) { NumpySerializer::save(counting(3), path); }},
      {"x.tfrecord", [](const auto& path) { TFRecordSerializer::save(counting(3), path); }}};
  for (const auto& [name, save] : writers) {
    save(file(name));
    EXPECT_NE(fs::status(file(name)).permissions(), kPrivate) << name;
    fs::permissions(file(name), kPrivate);
    save(file(name));
    EXPECT_EQ(fs::status(file(name)).permissions(), kPrivate) << name;
  }
  EXPECT_EQ(values(HDF5Serializer::load(file("x.h5"), {"i"}, {.shuffle = false})), range(3));
  EXPECT_EQ(files(), std::size(writers));
}

}  // namespace
}  // namespace belfry
