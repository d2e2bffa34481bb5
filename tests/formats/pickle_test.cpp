#include "belfry/formats/pickle.h"

#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "tests/formats/arrays.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

std::string error_of(const std::string& bytes) {
  return message_of<DataError>([&] { parse_pickle("x", as_byte_span(bytes)); });
}

PythonValue::List list_in(const std::string& pickle) {
  return std::get<PythonValue::List>(parse_pickle("x", as_byte_span(pickle)).value);
}

template <size_t n>
std::string text(const char (&bytes)[n]) {
  return {bytes, n - 1};
}

// What Python 2.7 writes for [7, numpy.uint8([1, 2, 3])] with protocol 2.
const std::string kPython2 = text(
    "\x80\x02]q\x01(K\x07"
    "cnumpy.core.multiarray\n_reconstruct\nq\x02"
    "cnumpy\nndarray\nq\x03K\x00\x85U\x01"
    "b\x87Rq\x04(K\x01K\x03\x85"
    "cnumpy\ndtype\nq\x05U\x02u1K\x00K\x01\x87Rq\x06(K\x03U\x01|"
    "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    "U\x03\x01\x02\x03tbe.");

TEST(Pickle, ReadsPython2) {
  const PythonValue::List list = list_in(kPython2);
  EXPECT_EQ(std::get<int64_t>(list.at(0).value), 7);
  const auto& array = std::get<PythonArray>(list.at(1).value);
  EXPECT_EQ(array.shape, std::vector<int64_t>{3});
  EXPECT_EQ(array.elements[2], std::byte{3});
}

// What numpy 2.3 and later write, with protocol 5, for an array of uint16 whose axes lie in another order
// than C's or Fortran's: `shape` is that of the elements as they lie, `axes` how to turn it.
std::string turned(const std::string& shape, const std::string& order, const std::string& axes) {
  std::string elements;
  for (char i = 0; i < 24; ++i) elements += {i, '\0'};
  return text("\x80\x05\x8c\x13numpy._core.numeric\x8c\x0b_frombuffer\x93(\x96\x30\0\0\0\0\0\0\0") +
         elements +
         text(
             "\x8c\x05numpy\x8c\x05"
             "dtype\x93\x8c\x02u2\x89\x88\x87R(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb") +
         shape + "\x8c\x01" + order + axes + "tR.";
}

// The element at an index of an array, as copy_elements lays it out.
uint16_t element(const std::string& pickle, const std::vector<int64_t>& shape, std::vector<int64_t> index) {
  const PythonValue value = parse_pickle("x", as_byte_span(pickle));
  const auto& array = std::get<PythonArray>(value.value);
  EXPECT_EQ(array.shape, shape);
  std::vector<uint16_t> elements(24);
  copy_elements(array, std::as_writable_bytes(std::span(elements)));
  int64_t at = 0;
  for (size_t i = 0; i < shape.size(); ++i) at = at * shape[i] + index[i];
  return elements[static_cast<size_t>(at)];
}

TEST(Pickle, ReadsArraysWhoseAxesLieInAnyOrder) {
  const std::string shape = text("K\x02K\x03K\x04\x87");  // of arange(24): [2, 3, 4]
  // numpy.arange(24).reshape(2, 3, 4).transpose(AXES)[1, 0, 2 or 1]
  EXPECT_EQ(element(turned(shape, "K", text("K\1K\0K\2\x87")), {3, 2, 4}, {1, 0, 2}), 6);
  EXPECT_EQ(element(turned(shape, "K", text("K\2K\0K\1\x87")), {4, 2, 3}, {1, 0, 2}), 9);
  EXPECT_EQ(element(turned(shape, "K", text("K\1K\2K\0\x87")), {3, 4, 2}, {1, 0, 1}), 16);
  EXPECT_EQ(element(turned(shape, "F", ""), {2, 3, 4}, {1, 0, 2}), 13);
  EXPECT_EQ(element(turned(shape, "C", "N"), {2, 3, 4}, {1, 0, 2}), 14);
}

TEST(Pickle, AxesThatAreNoPermutationAreErrors) {
  const std::string shape = text("K\x02K\x03K\x04\x87");
  for (std::string axes : {text("K\1K\0\x86"), text("K\1K\1K\0\x87"), text("K\1K\0K\3\x87"),
                           text("K\1K\0J\xff\xff\xff\xff\x87"), text("N"), text("")})
    EXPECT_THAT(error_of(turned(shape, "K", axes)), HasSubstr("expected")) << test::hex(axes);
  EXPECT_THAT(error_of(turned(shape, "A", "")), HasSubstr("order C, F or K, got 'A'"));
}

TEST(Pickle, BuffersThatAreElsewhereAreNamed) {
  EXPECT_THAT(error_of(text("\x80\x05\x97.")), HasSubstr("buffer_callback"));
}

TEST(Pickle, IsToldFromMessagePackByItsFirstBytes) {
  EXPECT_TRUE(is_pickle(as_byte_span(kPython2)));
  for (std::string other : {"", "\x80", "\x80\x01", "\x80\x06", "\x91\x02", "(lp0\n."})
    EXPECT_FALSE(is_pickle(as_byte_span(other)));
}

TEST(Pickle, AnyTruncationIsAnError) {
  for (size_t size = 0; size < kPython2.size(); ++size)
    EXPECT_THAT(error_of(kPython2.substr(0, size)), HasSubstr("expected")) << size;
  EXPECT_THAT(error_of(kPython2 + "."), HasSubstr("expected the end of the pickle, got 1 more bytes"));
}

TEST(Pickle, MachinesWithoutWhatAnOpcodeNeedsAreErrors) {
  for (std::string program : {".",
                              "a.",
                              "e.",
                              "]e.",
                              "t.",
                              "\x85.",
                              "\x87.",
                              "R.",
                              "NR.",
                              "NNR.",
                              "b.",
                              "Nb.",
                              "NNb.",
                              "\x94.",
                              "h\x01.",
                              "\x93.",
                              "NN\x93.",
                              "]N)b.",
                              "cos\nsystem\n.",
                              "cnumpy\ndtype\n.",
                              "(.",
                              "cnumpy\ndtype\n)R.",
                              "cnumpy\nndarray\n)R.",
                              "cnumpy.core.multiarray\nscalar\nN\x85R."})
    EXPECT_THAT(error_of("\x80\x02" + program), HasSubstr("expected")) << test::hex(program);
}

TEST(Pickle, LengthsThatAreNotThereTakeNoMemory) {
  for (std::string head :
       {text("B\xff\xff\xff\xff"), text("\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"),
        text("\x96\xff\xff\xff\xff\xff\xff\xff\xff"), text("X\xff\xff\xff\xff"), text("\x8a\xff")})
    EXPECT_TRUE(
        test::refuses_in_little_memory([&] { parse_pickle("x", as_byte_span("\x80\x04" + head + "abc.")); }));
}

TEST(Pickle, ListsThatRepeatOrHoldThemselvesAreErrors) {
  std::string doubling = "\x80\x02]q";
  doubling += '\0';
  for (char i = 0; i < 40; ++i) doubling += {']', 'q', static_cast<char>(i + 1), '(', 'h', i, 'h', i, 'e'};
  EXPECT_TRUE(test::refuses_in_little_memory([&] { parse_pickle("x", as_byte_span(doubling + ".")); }));
  EXPECT_THAT(error_of("\x80\x02]q\x01h\x01"
                       "a."),
              HasSubstr("at most 64 nested lists"));
  EXPECT_THAT(error_of("\x80\x02" + std::string(200'000, ']') + std::string(199'999, 'a') + "."),
              HasSubstr("at most 64 nested lists"));
}

TEST(Pickle, ReadsIntegersOfAnyLengthUpTo64Bits) {
  const PythonValue::List list =
      list_in(text("\x80\x02](\x8a\x00\x8a\x01\xff\x8a\x02\xff\x00\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80"
                   "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00"
                   "e."));
  EXPECT_EQ(std::get<int64_t>(list.at(0).value), 0);
  EXPECT_EQ(std::get<int64_t>(list.at(1).value), -1);
  EXPECT_EQ(std::get<int64_t>(list.at(2).value), 255);
  EXPECT_EQ(std::get<int64_t>(list.at(3).value), INT64_MIN);
  EXPECT_EQ(std::get<uint64_t>(list.at(4).value), uint64_t{1} << 63);
  EXPECT_THAT(error_of(text("\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.")), HasSubstr("64 bits"));
}

}  // namespace
}  // namespace belfry
