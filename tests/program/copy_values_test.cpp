#include "belfry/program/copy_values.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <complex>
#include <functional>
#include <numeric>
#include <random>

#include "belfry/base/error.h"

namespace belfry::internal {
namespace {

template <typename T>
TensorView view_of(std::vector<T>& values, ElementType type, Sizes sizes) {
  auto memory = std::make_shared<Memory>(
      Memory{.data = values.data(), .bytes = static_cast<int64_t>(values.size() * sizeof(T))});
  return {std::move(memory), type, std::move(sizes)};
}

/// The element at `index` in the order of the sizes, one by one: what a copy is compared with.
template <typename T>
T element(const TensorView& view, int64_t index) {
  int64_t offset = 0;
  for (int64_t axis = view.dim(); axis-- > 0;) {
    offset += index % view.size(axis) * view.stride(axis);
    index /= view.size(axis);
  }
  return view.data_as<const T>()[offset];
}

template <typename T>
void expect_same(const TensorView& from, const TensorView& to, const char* what) {
  for (int64_t i = 0; i < to.numel(); ++i)
    ASSERT_EQ(element<T>(to, i), element<T>(from, i)) << what << ", element " << i;
}

std::vector<float> count(int64_t size) {
  std::vector<float> values(static_cast<size_t>(size));
  std::iota(values.begin(), values.end(), 1.F);
  return values;
}

void expect_copied(const TensorView& from, const char* what) {
  std::vector<float> copied(static_cast<size_t>(from.numel()));
  const TensorView to = view_of(copied, ElementType::kFloat32, from.sizes());
  CopyValues(from, to).run();
  expect_same<float>(from, to, what);
}

TEST(CopyValuesTest, ImagesComeToTheOtherLayout) {
  std::vector<float> values = count(2 * 3 * 50 * 61);
  const TensorView nchw = view_of(values, ElementType::kFloat32, {2, 3, 50, 61});
  expect_copied(nchw.transpose(1, 2).transpose(2, 3), "to NHWC");
  const TensorView nhwc = view_of(values, ElementType::kFloat32, {2, 50, 61, 3});
  expect_copied(nhwc.transpose(2, 3).transpose(1, 2), "to NCHW");
}

TEST(CopyValuesTest, ViewsOfEveryKindBecomeDense) {
  std::vector<float> values = count(130 * 140);
  const TensorView matrix = view_of(values, ElementType::kFloat32, {130, 140});
  expect_copied(matrix, "dense");
  expect_copied(matrix.transpose(0, 1), "transposed");
  expect_copied(matrix.narrow(1, 3, 100), "long rows");
  expect_copied(matrix.narrow(1, 3, 5), "short rows");
  expect_copied(matrix.narrow(1, 3, 1), "one column");
  expect_copied(matrix.as_strided({130, 140}, {0, 1}, 70), "one row for all");
  expect_copied(matrix.as_strided({130, 140}, {0, 0}, 70), "one number for all");
  expect_copied(matrix.as_strided({}, {}, 70), "a number");
  expect_copied(matrix.narrow(0, 0, 0), "none");
}

TEST(CopyValuesTest, AnyOrderOfAxesIsCopied) {
  std::mt19937 random(1);
  for (int round = 0; round < 100; ++round) {
    Sizes sizes(1 + random() % 5);
    for (int64_t& size : sizes) size = 1 + random() % 9;
    std::vector<float> values = count(std::accumulate(sizes.begin(), sizes.end(), 1, std::multiplies<>()));
    TensorView from = view_of(values, ElementType::kFloat32, sizes);
    for (int64_t axis = 0; axis < from.dim(); ++axis) {
      from = from.transpose(axis, static_cast<int64_t>(random()) % from.dim());
      const int64_t first = static_cast<int64_t>(random()) % from.size(axis);
      from = from.narrow(axis, first, from.size(axis) - first);
    }
    expect_copied(from, "random");
  }
}

TEST(CopyValuesTest, ACopyMayGoIntoAPartOfATensor) {
  std::vector<float> values = count(3 * 40), all(5 * 50, -1);
  const TensorView from = view_of(values, ElementType::kFloat32, {3, 40}),
                   whole = view_of(all, ElementType::kFloat32, {5, 50}),
                   to = whole.narrow(0, 1, 3).narrow(1, 2, 40);
  CopyValues(from, to).run();
  expect_same<float>(from, to, "inside");
  EXPECT_EQ(std::ranges::count(all, -1.F), 5 * 50 - 3 * 40);
}

TEST(CopyValuesTest, ItCopiesWhereMemoryLiesAtTheRun) {
  std::vector<float> values = count(6), other = {9, 8, 7, 6, 5, 4}, copied(6);
  const TensorView from = view_of(values, ElementType::kFloat32, {2, 3}).transpose(0, 1);
  const CopyValues copy(from, view_of(copied, ElementType::kFloat32, {3, 2}));
  from.memory()->data = other.data();
  copy.run();
  EXPECT_EQ(copied, std::vector<float>({9, 6, 8, 5, 7, 4}));
}

template <typename T>
void expect_type_copied(ElementType type) {
  std::vector<T> values(35 * 20), copied(35 * 20), filled(35, T(1));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i % 100);
  const TensorView from = view_of(values, type, {35, 20}).transpose(0, 1),
                   to = view_of(copied, type, {20, 35});
  CopyValues(from, to).run();
  expect_same<T>(from, to, "type");
  fill_values(view_of(values, type, {}).as_strided({}, {}, 42), view_of(filled, type, {35}));
  EXPECT_EQ(filled, std::vector<T>(35, T(42)));
}

TEST(CopyValuesTest, EveryTypeIsCopied) {
  expect_type_copied<uint8_t>(ElementType::kUInt8);
  expect_type_copied<int16_t>(ElementType::kInt16);
  expect_type_copied<float>(ElementType::kFloat32);
  expect_type_copied<int64_t>(ElementType::kInt64);
  expect_type_copied<std::complex<float>>(ElementType::kComplex64);
  expect_type_copied<std::complex<double>>(ElementType::kComplex128);
}

TEST(CopyValuesTest, OtherSizesAreNotCopied) {
  std::vector<float> values = count(6), copied(6);
  EXPECT_THROW(CopyValues(view_of(values, ElementType::kFloat32, {2, 3}),
                          view_of(copied, ElementType::kFloat32, {3, 2})),
               InternalError);
}

TEST(CopyValuesTest, AFillReachesTheEnd) {
  std::vector<float> values(100001), seven = {7};
  fill_values(view_of(seven, ElementType::kFloat32, {}), view_of(values, ElementType::kFloat32, {100001}));
  EXPECT_EQ(values, std::vector<float>(100001, 7));
}

}  // namespace
}  // namespace belfry::internal
