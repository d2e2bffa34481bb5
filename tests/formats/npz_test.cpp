#include "belfry/formats/npz.h"

#include <gmock/gmock.h>

#include <complex>
#include <cstring>
#include <numeric>
#include <sstream>

#include "belfry/base/error.h"
#include "belfry/formats/npy.h"
#include "belfry/formats/safetensors.h"
#include "tests/formats/arrays.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::bytes_of, test::message_of, test::read_array;
using testing::HasSubstr;

template <typename T>
std::string counted(int n) {
  std::vector<T> values(n);
  for (int i = 0; i < n; ++i) values[i] = static_cast<T>(i);
  return bytes_of(values);
}

class ArraysWithNumpy : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::python_available()) return;
    folder = new test::TempDir;
    write_ours();
    std::istringstream lines(test::run_python("tests/formats/numpy_files.py", {folder->path()}));
    for (std::string line; std::getline(lines, line);) read_by_numpy.push_back(line);
  }
  static void TearDownTestSuite() { delete folder; }
  void SetUp() override {
    if (!folder) GTEST_SKIP() << test::kNoPython;
  }

  static void write_ours() {
    std::string six = counted<float>(6), step = counted<int64_t>(1);
    NpzWriter npz(*folder / "ours.npz");
    npz.add("fc/W:0", DataType::kFloat32, {2, 3}, as_byte_span(six));
    npz.add("global_step:0", DataType::kInt64, {}, as_byte_span(step));
    npz.add("vector", DataType::kInt8, {2}, as_byte_span("ab"));
    npz.add("brain", DataType::kBFloat16, {1}, as_byte_span("\xc0\x3f"));
    npz.finish();
    write_safetensors(*folder / "ours.safetensors",
                      {{{"fc/W", DataType::kFloat32, {2, 3}}, as_byte_span(six)},
                       {{"step", DataType::kInt64, {}}, as_byte_span(step)},
                       {{"none", DataType::kUInt8, {0, 3}}, {}}},
                      {{"format", "pt"}});
  }

  static inline test::TempDir* folder = nullptr;
  static inline std::vector<std::string> read_by_numpy;
};

TEST_F(ArraysWithNumpy, NumpyReadsOurs) {
  EXPECT_THAT(read_by_numpy,
              testing::ElementsAre(
                  "ours.npz brain float32 [1] 0000c03f",
                  "ours.npz fc/W:0 float32 [2, 3] " + test::hex(counted<float>(6)),
                  "ours.npz global_step:0 int64 [] 0000000000000000", "ours.npz vector int8 [2] 6162",
                  "ours.safetensors fc/W float32 [2, 3] " + test::hex(counted<float>(6)),
                  "ours.safetensors none uint8 [0, 3] ", "ours.safetensors step int64 [] 0000000000000000"));
}

TEST_F(ArraysWithNumpy, ReadsEveryTypeThatNumpyWrites) {
  NpzReader npz(*folder / "theirs.npz");
  EXPECT_EQ(read_array(npz, "float32/W:0"), counted<float>(24));
  EXPECT_EQ(read_array(npz, "float64/W:0"), counted<double>(24));
  EXPECT_EQ(read_array(npz, "int8/W:0"), counted<int8_t>(24));
  EXPECT_EQ(read_array(npz, "int16/W:0"), counted<int16_t>(24));
  EXPECT_EQ(read_array(npz, "int64/W:0"), counted<int64_t>(24));
  EXPECT_EQ(read_array(npz, "uint32/W:0"), counted<uint32_t>(24));
  EXPECT_EQ(read_array(npz, "bool/W:0"), std::string(1, 0) + std::string(23, '\1'));
  EXPECT_EQ(read_array(npz, "complex128/W:0"), counted<std::complex<double>>(24));
  EXPECT_EQ(read_array(npz, "scalar"), bytes_of<float>({7}));
  EXPECT_EQ(read_array(npz, "empty"), "");
  EXPECT_EQ(npz.entries().size(), 19u);
}

TEST_F(ArraysWithNumpy, BringsColumnMajorAndBigEndianToOurOrder) {
  NpzReader npz(*folder / "theirs.npz");
  std::vector<std::complex<float>> complex(24);
  for (int i = 0; i < 24; ++i) complex[i] = {float(i), float(2 * i)};
  EXPECT_EQ(read_array(npz, "fortran"), counted<int32_t>(24));
  EXPECT_EQ(read_array(npz, "big"), counted<int32_t>(24));
  EXPECT_EQ(read_array(npz, "big_complex"), bytes_of(complex));
}

TEST_F(ArraysWithNumpy, ReadsArchivesInMemory) {
  std::string content = test::slurp(*folder / "plain.npz");
  EXPECT_EQ(read_array(NpzReader("memory", as_byte_span(content)), "a"), counted<float>(24));
}

TEST_F(ArraysWithNumpy, ListsWhatIsNotOfNumbersAndRefusesThatAlone) {
  const NpzReader npz(*folder / "mixed.npz");
  EXPECT_EQ(read_array(npz, "w"), bytes_of<float>({1, 2, 3, 4, 5, 6}));
  std::map<std::string, std::string> types;
  for (const ArrayInfo& info : npz.entries()) {
    types[info.name] = npz.type_name(info);
    if (info.name == "w") continue;
    EXPECT_EQ(info.dtype, DataType::kInvalid) << info.name;
    EXPECT_THAT(message_of<DataError>([&] { npz.read(info.name, {}); }),
                testing::AllOf(HasSubstr("[array " + info.name + "]"),
                               HasSubstr("numpy's type " + types[info.name])));
  }
  using testing::Pair;
  EXPECT_THAT(types, testing::ElementsAre(Pair("bytes", "|S2"), Pair("dates", "<M8[s]"), Pair("long", "<f16"),
                                          Pair("meta", "|O"), Pair("names", "<U5"),
                                          Pair("pairs", "[('x', '<f4'), ('y', '<i8', (2,))]"),
                                          Pair("raw", "|V2"), Pair("w", "float32")));
  EXPECT_THAT(message_of<DataError>([&] { npz.read("meta", {}); }), HasSubstr("pickled objects are refused"));
}

TEST_F(ArraysWithNumpy, ReadsReferenceSafetensors) {
  SafetensorsReader reader(*folder / "theirs.safetensors");
  EXPECT_EQ(read_array(reader, "a"), counted<float>(24));
  EXPECT_EQ(read_array(reader, "b"), std::string("\0\x3e", 2));
  EXPECT_EQ(read_array(reader, "c"), "");
  EXPECT_EQ(reader.metadata().at("by"), "reference");
}

TEST(Npz, DetectsAFlippedByteOfTheData) {
  test::TempDir folder;
  NpzWriter writer(folder / "a.npz");
  writer.add("a", DataType::kInt8, {9}, as_byte_span("abcabcabc"));
  writer.finish();
  std::string content = test::slurp(folder / "a.npz");
  for (size_t i = 30; i < content.size() / 2; ++i) {
    std::string damaged = content;
    damaged[i] ^= 1;
    try {
      EXPECT_EQ(read_array(NpzReader("memory", as_byte_span(damaged)), "a"), "abcabcabc") << i;
    } catch (const DataError&) {
    }
  }
}

// Lists the only member, of a name of one letter, `count` times under different names.
std::string with_members_repeated(std::string archive, int count) {
  constexpr size_t kEnd = 22;
  std::string end = archive.substr(archive.size() - kEnd);
  uint32_t offset;
  std::memcpy(&offset, end.data() + 16, sizeof offset);
  std::string entry = archive.substr(offset, archive.size() - kEnd - offset);
  archive.resize(offset);
  for (int i = 0; i < count; ++i) {
    entry[46] = static_cast<char>('a' + i);
    archive += entry;
  }
  const auto entries = static_cast<uint16_t>(count);
  const auto size = static_cast<uint32_t>(entry.size() * entries);
  std::memcpy(end.data() + 8, &entries, sizeof entries);
  std::memcpy(end.data() + 10, &entries, sizeof entries);
  std::memcpy(end.data() + 12, &size, sizeof size);
  return archive + end;
}

TEST(Npz, RefusesMembersThatShareTheirBytes) {
  test::TempDir folder;
  NpzWriter writer(folder / "a.npz");
  writer.add("a", DataType::kInt8, {1 << 20}, as_byte_span(std::string(1 << 20, 0)));
  writer.finish();
  const std::string archive = test::slurp(folder / "a.npz");
  EXPECT_EQ(NpzReader("memory", as_byte_span(with_members_repeated(archive, 1))).entries().size(), 1u);
  const std::string bomb = with_members_repeated(archive, 20);
  EXPECT_THAT(message_of<DataError>([&] { NpzReader("memory", as_byte_span(bomb)); }),
              HasSubstr("exceed the"));
}

TEST(Npz, AMemberThatClaimsMoreThanItHoldsTakesNoMemory) {
  test::TempDir folder;
  NpzWriter writer(folder / "a.npz");
  writer.add("a", DataType::kInt8, {1000}, as_byte_span(std::string(1000, 0)));
  writer.finish();
  std::string archive = test::slurp(folder / "a.npz");
  const uint32_t huge = UINT32_MAX - 1;
  const size_t central = archive.find("PK\1\2");
  std::memcpy(archive.data() + central + 24, &huge, sizeof huge);
  EXPECT_TRUE(
      test::refuses_in_little_memory([&] { read_array(NpzReader("memory", as_byte_span(archive)), "a"); }));
}

TEST(Npz, RefusesTypesThatNumpyHasNot) {
  test::TempDir folder;
  NpzWriter writer(folder / "a.npz");
  EXPECT_THROW(writer.add("a", DataType::kFloat8E5M2, {1}, as_byte_span("x")), UsageError);
  EXPECT_THROW(writer.add("b", DataType::kInt8, {2}, as_byte_span("x")), UsageError);
}

std::string npy(const std::string& dict, char version = 1) {
  std::string out = std::string("\x93NUMPY") + version + '\0';
  uint32_t length = static_cast<uint32_t>(dict.size());
  out.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  return out += dict;
}

TEST(Npy, AcceptsAllVersionsAndKeyOrders) {
  for (char version : {1, 2, 3}) {
    std::string bytes = npy("{\"shape\": (2L, 3), 'fortran_order': True, 'descr': '>f8'}  \n", version);
    NpyHeader header = parse_npy_header("x", bytes);
    EXPECT_EQ(header.info.shape, (std::vector<int64_t>{2, 3}));
    EXPECT_TRUE(header.fortran_order && header.big_endian);
    EXPECT_EQ(header.size, bytes.size());
  }
}

TEST(Npy, TypesThatAreNotOursAreNamed) {
  for (std::string type : {"'|O'", "'<U4'", "[('a', '<f4')]"}) {
    const NpyHeader header =
        parse_npy_header("x", npy("{'descr': " + type + ", 'fortran_order': False, 'shape': (7, 2)}"));
    EXPECT_EQ(header.info.dtype, DataType::kInvalid);
    EXPECT_EQ(header.info.shape, (std::vector<int64_t>{7, 2}));
    EXPECT_THROW(check_numbers("x", header), DataError) << type;
  }
}

TEST(Npy, RefusesBadHeaders) {
  for (std::string dict :
       {"{'descr': '<U4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': 'U4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('a', '<f4'], 'fortran_order': False, 'shape': (1,)",
        "{'descr': [('a', '<f4', 'fortran_order': False, 'shape': (1,)}", "{'descr': [[[[[[",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': os.system(), 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", ""}) {
    EXPECT_THROW(parse_npy_header("x", npy(dict)), DataError) << dict;
  }
  EXPECT_THROW(parse_npy_header("x", npy("{}", 4)), DataError);
  EXPECT_THROW(parse_npy_header("x", "\x93NUMPY"), DataError);
  EXPECT_THROW(npy_header_size("x", std::string("\x93NUMPY\2\0\0\0\0\x40", 12)), DataError) << "1 GiB";
}

}  // namespace
}  // namespace belfry
