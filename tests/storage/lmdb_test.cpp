#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <lmdb.h>

#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/data/storage/lmdb_serializer.h"
#include "belfry/dataflow/serialize.h"
#include "tests/dataflow/flows.h"
#include "tests/formats/arrays.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::message_of;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string text(const at::Tensor& bytes) {
  return {static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()};
}

class Lmdb : public testing::Test {
 protected:
  Lmdb() { LMDBSerializer::save(counting(20), file_, {.write_frequency = 7}); }
  LMDBDataDecoder shuffled() const { return LMDBSerializer::load(file_, {.seed = 3}); }
  void damage(const std::function<void(std::string&)>& change) const {
    std::string content = test::slurp(file_);
    change(content);
    test::spit(file_, content);
  }

  static void put(const std::string& path, const std::map<std::string, std::string>& entries) {
    MDB_env* environment;
    MDB_txn* transaction;
    MDB_dbi dbi;
    ASSERT_EQ(mdb_env_create(&environment), 0);
    ASSERT_EQ(mdb_env_open(environment, path.c_str(), MDB_NOSUBDIR, 0644), 0);
    ASSERT_EQ(mdb_txn_begin(environment, nullptr, 0, &transaction), 0);
    ASSERT_EQ(mdb_dbi_open(transaction, nullptr, 0, &dbi), 0);
    for (const auto& [key, value] : entries) {
      MDB_val k{key.size(), const_cast<char*>(key.data())}, v{value.size(), const_cast<char*>(value.data())};
      ASSERT_EQ(mdb_put(transaction, dbi, &k, &v, 0), 0);
    }
    ASSERT_EQ(mdb_txn_commit(transaction), 0);
    mdb_env_close(environment);
  }

  test::TempDir folder_;
  const std::string file_ = folder_ / "data.lmdb";
};

TEST_F(Lmdb, LoadsWhatWasSavedInItsOrder) {
  LMDBDataDecoder flow = LMDBSerializer::load(file_, {.shuffle = false});
  EXPECT_EQ(flow.size(), 20);
  EXPECT_EQ(values(flow), range(20));
  EXPECT_EQ(values(flow), range(20));
}

TEST_F(Lmdb, ShufflesEachPassAnewAndAgainWithTheSameSeed) {
  LMDBDataDecoder flow = shuffled();
  const std::vector<int64_t> first = values(flow), second = values(flow);
  EXPECT_THAT(first, testing::UnorderedElementsAreArray(range(20)));
  EXPECT_NE(first, range(20));
  EXPECT_NE(first, second);
  EXPECT_EQ(values(shuffled()), first);
}

TEST_F(Lmdb, PassesCanBeContinuedInTheMiddle) {
  for (bool shuffle : {false, true}) {
    LMDBDataDecoder flow = LMDBSerializer::load(file_, {.shuffle = shuffle});
    values(flow);
    std::vector<int64_t> second = values(flow);
    DataIterator rest = flow.iterator_at({.pass = 1, .index = 13});
    EXPECT_EQ(values(rest), std::vector<int64_t>(second.begin() + 13, second.end()));
    EXPECT_THROW(flow.iterator_at({.pass = 1, .index = 21}), UsageError);
  }
}

TEST_F(Lmdb, PassesAreIndependent) {
  LMDBDataDecoder flow = LMDBSerializer::load(file_, {.shuffle = false});
  DataIterator a = flow.iterator(), b = flow.iterator();
  for (int64_t i = 0; i < 20; ++i) {
    EXPECT_EQ(value(*a.next()), i);
    EXPECT_EQ(value(*b.next()), i);
  }
}

TEST_F(Lmdb, DataAreTheBytesOfKeysAndValues) {
  LMDBData data(file_, {.shuffle = false});
  const Datapoint first = *data.iterator().next();
  EXPECT_EQ(text(first.at(0)), "00000000");
  EXPECT_EQ(loads(as_byte_span(text(first.at(1)))).at(0).item<int64_t>(), 0);
}

TEST_F(Lmdb, ADecoderMayDropEntries) {
  LMDBDataDecoder flow(LMDBData(file_, {.shuffle = false}), [](std::string_view key, ByteSpan value) {
    return key.back() == '5' ? std::optional(loads(value)) : std::nullopt;
  });
  EXPECT_THAT(values(flow), ElementsAre(5, 15));
  DataIterator rest = flow.iterator_at({.index = 1});
  EXPECT_THAT(values(rest), ElementsAre(15));
}

TEST_F(Lmdb, KeysMayBeGivenAsAListOrAFormat) {
  LMDBDecode decode = [](std::string_view, ByteSpan value) { return loads(value); };
  LMDBDataDecoder listed(LMDBData(file_, {.keys = {"00000003", "00000019"}}), decode);
  EXPECT_THAT(values(listed), testing::UnorderedElementsAre(3, 19));
  LMDBDataDecoder formatted(LMDBData(file_, {.key_format = "{:0>8d}"}), decode);
  EXPECT_THAT(values(formatted), testing::UnorderedElementsAreArray(range(20)));
  EXPECT_THROW(LMDBData(file_, {.key_format = "{:0>8s}"}), UsageError);
  LMDBDataDecoder missing(LMDBData(file_, {.keys = {"77"}}), decode);
  EXPECT_THAT(message_of<DataError>([&] { values(missing); }),
              HasSubstr(file_ + ": expected the key 77, which is not there"));
}

TEST_F(Lmdb, ErrorsOfValuesNameFileAndKey) {
  LMDBDataDecoder flow(LMDBData(file_, {.shuffle = false}),
                       [](std::string_view, ByteSpan value) { return loads(value.first(3), "value"); });
  EXPECT_THAT(message_of<DataError>([&] { values(flow); }),
              testing::StartsWith(file_ + ": key 00000000: value"));
}

TEST_F(Lmdb, ADatabaseThatIsCutOffIsAnErrorNotASignal) {
  damage([](std::string& content) { content.resize(content.size() - 1); });
  EXPECT_THAT(message_of<DataError>([&] { LMDBData data(file_); }),
              HasSubstr("the database is cut off: expected"));
  damage([](std::string& content) { content.resize(100); });
  EXPECT_THROW(LMDBData data(file_), DataError);
}

// LMDB divides by the page size that a file claims, and maps what it claims.
TEST_F(Lmdb, DamagedFirstPagesAreAnErrorNotASignal) {
  constexpr size_t kPageSize = 16 + 24;
  for (const size_t page : {size_t{0}, size_t{4096}}) {
    for (const char size : {0, 1, 3}) {
      LMDBSerializer::save(counting(39), folder_ / std::to_string(page + size), {});
      const std::string path = folder_ / std::to_string(page + size);
      std::string content = test::slurp(path);
      content[page + kPageSize + 1] = size;  // 4096 is 16 in the second byte
      test::spit(path, content);
      EXPECT_THAT(message_of<DataError>([&] { LMDBData data(path); }), HasSubstr("expected"));
    }
  }
}

TEST_F(Lmdb, WhatIsNoDatabaseIsAnError) {
  EXPECT_THROW(LMDBData(folder_ / "missing"), DataError);
  EXPECT_THROW(LMDBData(folder_.path()), DataError);
  test::spit(file_, std::string(100'000, 'x'));
  EXPECT_THAT(message_of<DataError>([&] { LMDBData data(file_); }), HasSubstr("expected an LMDB database"));
  test::spit(file_, "");
  EXPECT_THROW(LMDBData data(file_), DataError);
}

TEST_F(Lmdb, WhatIsOfAnotherKindIsNamed) {
  test::spit(file_, std::string("SQLite format 3\0", 16) + std::string(100'000, 'x'));
  EXPECT_THAT(message_of<DataError>([&] { LMDBData data(file_); }),
              HasSubstr("looks like an SQLite database"));
}

// A file with databases inside its main one, as mdb_dbi_open with a name makes, and a plain entry as long as
// their records are.
std::string with_inner_databases(const std::string& path) {
  MDB_env* environment;
  MDB_txn* transaction;
  MDB_dbi inner, outer;
  mdb_env_create(&environment);
  mdb_env_set_maxdbs(environment, 1);
  mdb_env_open(environment, path.c_str(), MDB_NOSUBDIR, 0644);
  mdb_txn_begin(environment, nullptr, 0, &transaction);
  mdb_dbi_open(transaction, nullptr, 0, &outer);
  mdb_dbi_open(transaction, "train", MDB_CREATE, &inner);
  std::string plain(48, 'p'), name = "plain";
  MDB_val key{name.size(), name.data()}, value{plain.size(), plain.data()};
  mdb_put(transaction, outer, &key, &value, 0);
  mdb_txn_commit(transaction);
  mdb_env_close(environment);
  return path;
}

TEST_F(Lmdb, ADatabaseInsideTheDatabaseIsNoData) {
  const std::string path = with_inner_databases(folder_ / "nested");
  for (bool shuffle : {false, true}) {
    LMDBData data(path, {.shuffle = shuffle, .keys = {"train"}});
    DataIterator pass = data.iterator();
    if (!shuffle) {
      EXPECT_EQ(text(pass.next()->at(1)), std::string(48, 'p'));
    }
    EXPECT_THAT(message_of<DataError>([&] { pass.next(); }),
                AllOf(HasSubstr(path), HasSubstr("got the database 'train' inside the database")));
  }
}

TEST_F(Lmdb, AnInterruptedSaveLeavesNothing) {
  EXPECT_THROW(
      LMDBSerializer::save(MapData(counting(9), fail_at(7)), folder_ / "new", {.write_frequency = 2}), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(Lmdb, SaveNeverReplacesADatabase) {
  EXPECT_THAT(message_of<UsageError>([&] { LMDBSerializer::save(counting(1), file_); }),
              HasSubstr("which exists"));
  EXPECT_EQ(LMDBSerializer::load(file_).size(), 20);
}

TEST_F(Lmdb, AFolderMayHoldTheDatabase) {
  const std::string inside = folder_ / "inside";
  std::filesystem::create_directory(inside);
  LMDBSerializer::save(counting(3), inside);
  EXPECT_TRUE(std::filesystem::exists(inside + "/data.mdb"));
  EXPECT_EQ(values(LMDBSerializer::load(inside, {.shuffle = false})), range(3));
}

// {channels 2, height 1, width 3, data, label 300} as protobuf writes it.
std::string caffe_datum(const std::string& data) {
  return std::string("\x08\x02\x10\x01\x18\x03\x22") + static_cast<char>(data.size()) + data + "\x28\xac\x02";
}

TEST_F(Lmdb, CaffesImagesAreInterleaved) {
  const std::string path = folder_ / "caffe";
  put(path, {{"0", caffe_datum("abcABC")}, {"1", caffe_datum("encoded") + "\x38\x01"}});
  LMDBDataDecoder flow = CaffeLMDB(path, {.shuffle = false});
  DataIterator pass = flow.iterator();
  const Datapoint plain = *pass.next(), encoded = *pass.next();
  EXPECT_THAT(plain.at(0).sizes(), ElementsAre(1, 3, 2));
  EXPECT_EQ(text(plain[0]), "aAbBcC");
  EXPECT_EQ(plain.at(1).item<int64_t>(), 300);
  EXPECT_EQ(text(encoded.at(0)), "encoded");
}

TEST_F(Lmdb, WhatIsNoImageOfCaffesIsAnErrorThatNamesTheKey) {
  const std::string path = folder_ / "caffe";
  put(path, {{"0", caffe_datum("abc")}, {"1", "\x22\x7f"}});
  LMDBDataDecoder first = CaffeLMDB(path, {.keys = {"0"}}), second = CaffeLMDB(path, {.keys = {"1"}});
  EXPECT_THAT(message_of<DataError>([&] { values(first); }),
              AllOf(HasSubstr("key 0"), HasSubstr("expected the bytes of an image [2, 1, 3], got 3")));
  EXPECT_THAT(message_of<DataError>([&] { values(second); }),
              AllOf(HasSubstr("key 1"), HasSubstr("caffe.Datum")));
}

TEST_F(Lmdb, NoDatapointsAreADatabaseToo) {
  LMDBSerializer::save(counting(0), folder_ / "empty");
  EXPECT_EQ(LMDBSerializer::load(folder_ / "empty").size(), 0);
  EXPECT_TRUE(values(LMDBSerializer::load(folder_ / "empty")).empty());
}

}  // namespace
}  // namespace belfry
