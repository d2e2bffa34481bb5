#include "belfry/formats/msgpack.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <concepts>
#include <optional>

#include "belfry/base/error.h"
#include "belfry/formats/array_info.h"

// MessagePack (github.com/msgpack/msgpack/blob/master/spec.md), with numpy's arrays as msgpack_numpy writes
// them: what tensorpack's serializer makes. Values are views of the bytes. Depth and number of values are
// bounded by the size of the input.
namespace belfry {
namespace {

// First bytes of values (the specification's table of formats). Below: what has its size or value in it.
enum Head : uint8_t {
  kFixMap = 0x80,
  kFixList = 0x90,
  kFixText = 0xa0,
  kNil = 0xc0,
  kFalse = 0xc2,
  kTrue = 0xc3,
  kBytes8 = 0xc4,
  kFloat32Head = 0xca,
  kFloat64Head = 0xcb,
  kUnsigned8 = 0xcc,
  kSigned8 = 0xd0,
  kText8 = 0xd9,
  kList16 = 0xdc,
  kMap16 = 0xde,
  kNegative = 0xe0,
};
constexpr size_t kSmallList = 16, kSmallText = 32, kSmallInteger = 128;

std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <std::unsigned_integral T>
T big_endian(ByteSpan bytes) {
  T value = 0;
  for (std::byte b : bytes) value = static_cast<T>(value << 8 | static_cast<T>(b));
  return value;
}

class Parser {
 public:
  Parser(const std::string& where, ByteSpan bytes)
      : where_(where), bytes_(bytes), values_left_(most_python_values(bytes.size())) {}

  PythonValue only_value() {
    PythonValue value = next(0);
    if (at_ != bytes_.size()) fail(fmt::format("expected the end of the value, got {} more bytes", left()));
    return value;
  }

 private:
  /// A map of msgpack_numpy's, as far as it has been read.
  struct NumpyFields {
    std::optional<bool> is_array;
    std::optional<PythonValue> type, kind, shape;
    std::optional<ByteSpan> data;
  };

  [[noreturn]] void fail(const std::string& what) const { throw DataError(where_, at_, what); }
  size_t left() const { return bytes_.size() - at_; }

  ByteSpan take(uint64_t size) {
    if (size > left()) fail(fmt::format("expected {} bytes, got {}", size, left()));
    ByteSpan taken = bytes_.subspan(at_, size);
    at_ += size;
    return taken;
  }
  /// An unsigned number of 2^log2_size bytes.
  uint64_t number(int log2_size) { return big_endian<uint64_t>(take(uint64_t{1} << log2_size)); }

  PythonValue next(int depth) {
    const auto head = static_cast<uint8_t>(take(1)[0]);
    if (head < kFixMap) return {int64_t{head}};
    if (head >= kNegative) return {int64_t{static_cast<int8_t>(head)}};
    if (head < kFixList) return map(head - kFixMap, depth);
    if (head < kFixText) return list(head - kFixList, depth);
    if (head < kNil) return {as_text(take(head - kFixText))};
    if (head >= kUnsigned8 && head < kSigned8) return unsigned_number(head - kUnsigned8);
    if (head >= kSigned8 && head < kSigned8 + 4) return signed_number(head - kSigned8);
    if (head >= kText8 && head < kText8 + 3) return {as_text(take(number(head - kText8)))};
    if (head >= kBytes8 && head < kBytes8 + 3) return {take(number(head - kBytes8))};
    switch (head) {
      case kNil:
        return {};
      case kFalse:
      case kTrue:
        return {head == kTrue};
      case kFloat32Head:
        return {double{std::bit_cast<float>(big_endian<uint32_t>(take(4)))}};
      case kFloat64Head:
        return {std::bit_cast<double>(big_endian<uint64_t>(take(8)))};
      case kList16:
      case kList16 + 1:
        return list(number(1 + head - kList16), depth);
      case kMap16:
      case kMap16 + 1:
        return map(number(1 + head - kMap16), depth);
    }
    --at_;
    fail(fmt::format("expected a MessagePack value, got the unused or extension type {:#x}", head));
  }

  PythonValue unsigned_number(int log2_size) {
    const uint64_t value = number(log2_size);
    if (value > INT64_MAX) return {value};
    return {static_cast<int64_t>(value)};
  }

  PythonValue signed_number(int log2_size) {
    const int unused_bits = 64 - (8 << log2_size);
    return {static_cast<int64_t>(number(log2_size) << unused_bits) >> unused_bits};
  }

  static bool is_number(std::byte first) {
    const auto head = static_cast<uint8_t>(first);
    return head < kFixMap || head >= kNegative || head == kFalse || head == kTrue ||
           (head >= kFloat32Head && head < kSigned8 + 4);
  }

  /// None, with nothing read, where the values are no numbers of one type.
  std::optional<PythonNumbers> numbers(uint64_t count) {
    const size_t begin = at_;
    PythonNumbers numbers;
    if (is_number(bytes_[at_])) numbers.bits.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      if (left() > 0 && is_number(bytes_[at_]) && numbers.add(next(kMaxPythonDepth))) continue;
      at_ = begin;
      return std::nullopt;
    }
    return numbers;
  }

  PythonValue list(uint64_t count, int depth) {
    if (depth >= kMaxPythonDepth) fail(fmt::format("expected at most {} nested lists", kMaxPythonDepth));
    if (count > left()) fail(fmt::format("expected a list of {} values, got {} bytes", count, left()));
    if (depth > 0 && count > kMaxPythonRank) {
      if (std::optional<PythonNumbers> all = numbers(count)) return {*std::move(all)};
    }
    if (count > values_left_) fail("expected fewer values, got more than fit the size of the whole");
    values_left_ -= count;
    PythonValue::List values;
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) values.push_back(next(depth + 1));
    return {std::move(values)};
  }

  /// An array of numpy's, or, as the outermost value, any dictionary with text as keys. msgpack_numpy's keys
  /// are bytes in Python 3; in Python 2, where all keys are text, the first is "nd".
  PythonValue map(uint64_t count, int depth) {
    if (depth > 0 || count == 0) return {numpy(count, depth)};
    const size_t begin = at_;
    const PythonValue first = next(kMaxPythonDepth);
    at_ = begin;
    const auto* text = std::get_if<std::string_view>(&first.value);
    if (!text || *text == "nd") return {numpy(count, depth)};
    return {dictionary(count)};
  }

  PythonDict dictionary(uint64_t count) {
    if (count > left()) fail(fmt::format("expected a dictionary of {} values, got {} bytes", count, left()));
    if (count > values_left_) fail("expected fewer values, got more than fit the size of the whole");
    values_left_ -= count;
    PythonDict dict;
    dict.keys.reserve(count);
    dict.values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      dict.keys.push_back(key());
      dict.values.push_back(next(1));
    }
    return dict;
  }

  std::string_view key() {
    const PythonValue value = next(kMaxPythonDepth);
    if (const auto* bytes = std::get_if<ByteSpan>(&value.value)) return as_text(*bytes);
    if (const auto* text = std::get_if<std::string_view>(&value.value)) return *text;
    fail("expected a text as key, got " + type_name(value));
  }

  PythonArray numpy(uint64_t count, int depth) {
    if (depth >= kMaxPythonDepth) fail(fmt::format("expected at most {} nested lists", kMaxPythonDepth));
    NumpyFields fields;
    for (uint64_t i = 0; i < count; ++i) {
      const std::string_view name = key();
      if (name == "nd") {
        const PythonValue value = next(kMaxPythonDepth);
        if (const auto* is_array = std::get_if<bool>(&value.value)) fields.is_array = *is_array;
      } else if (name == "type") {
        fields.type = next(std::max(depth + 1, kMaxPythonDepth - 3));  // lists when it is a structure
      } else if (name == "kind") {
        fields.kind = next(kMaxPythonDepth);
      } else if (name == "shape") {
        fields.shape = next(std::max(depth + 1, kMaxPythonDepth - 1));
      } else if (name == "data") {
        fields.data = data();
      } else {
        fail(fmt::format(
            "expected an array, a number, text, bytes or a list, got a dictionary with the key '{}'", name));
      }
    }
    return array(fields);
  }

  ByteSpan data() {
    const PythonValue value = next(kMaxPythonDepth);
    if (const auto* bytes = std::get_if<ByteSpan>(&value.value)) return *bytes;
    if (const auto* text = std::get_if<std::string_view>(&value.value)) return as_byte_span(*text);
    fail("expected the bytes of an array, got " + type_name(value));
  }

  PythonArray array(const NumpyFields& fields) const {
    if (!fields.is_array || !fields.type || !fields.data || (*fields.is_array && !fields.shape))
      fail("expected an array, a number, text, bytes or a list, got a dictionary that is no numpy array");
    std::string_view type;
    if (const auto* bytes = std::get_if<ByteSpan>(&fields.type->value)) type = as_text(*bytes);
    if (const auto* text = std::get_if<std::string_view>(&fields.type->value)) type = *text;
    if (std::holds_alternative<PythonValue::List>(fields.type->value))
      fail("expected an array of numbers, got one of structures or pickled objects");
    try {
      return python_array(where_, type, *fields.is_array ? shape(*fields.shape) : std::vector<int64_t>{},
                          *fields.data);
    } catch (const DataError& e) {
      throw DataError(fmt::format("{} (the array that ends at byte {})", e.what(), at_));
    }
  }

  std::vector<int64_t> shape(const PythonValue& value) const {
    const auto* list = std::get_if<PythonValue::List>(&value.value);
    if (!list || list->size() > kMaxPythonRank)
      fail(fmt::format("expected a list of up to {} sizes as shape, got {}", kMaxPythonRank,
                       list ? "a longer one" : type_name(value)));
    std::vector<int64_t> sizes;
    for (const PythonValue& size : *list) {
      const auto* number = std::get_if<int64_t>(&size.value);
      if (!number) fail("expected integers as shape, got " + type_name(size));
      sizes.push_back(*number);
    }
    return sizes;
  }

  const std::string& where_;
  ByteSpan bytes_;
  size_t at_ = 0;
  uint64_t values_left_;
};

void append_big_endian(std::string& out, uint64_t value, int size) {
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

PythonValue parse_msgpack(const std::string& where, ByteSpan bytes) {
  return Parser(where, bytes).only_value();
}

// The shortest of: a size inside the first byte, in 8 bits (where the type has that), in 16, in 32.
void MsgpackWriter::head(uint8_t short_head, size_t short_limit, uint8_t long_head, size_t size) {
  const bool has_8_bits = long_head == kText8 || long_head == kBytes8;
  if (size < short_limit) {
    out_.push_back(static_cast<char>(short_head | size));
  } else if (has_8_bits && size <= UINT8_MAX) {
    out_.push_back(static_cast<char>(long_head));
    append_big_endian(out_, size, 1);
  } else if (size <= UINT16_MAX) {
    out_.push_back(static_cast<char>(long_head + (has_8_bits ? 1 : 0)));
    append_big_endian(out_, size, 2);
  } else if (size <= UINT32_MAX) {
    out_.push_back(static_cast<char>(long_head + (has_8_bits ? 2 : 1)));
    append_big_endian(out_, size, 4);
  } else {
    throw UsageError(
        fmt::format("[MsgpackWriter] expected less than 4 GiB in one value, got {} bytes", size));
  }
}

void MsgpackWriter::list(size_t elements) {
  head(kFixList, kSmallList, kList16, elements);
}

void MsgpackWriter::map(size_t elements) {
  head(kFixMap, kSmallList, kMap16, elements);
}

void MsgpackWriter::bytes(ByteSpan bytes) {
  head(0, 0, kBytes8, bytes.size());
  out_.append(as_text(bytes));
}

void MsgpackWriter::text(std::string_view text) {
  head(kFixText, kSmallText, kText8, text.size());
  out_.append(text);
}

void MsgpackWriter::integer(uint64_t value) {
  if (value < kSmallInteger) {
    out_.push_back(static_cast<char>(value));
    return;
  }
  const int log2_size = value <= UINT8_MAX ? 0 : value <= UINT16_MAX ? 1 : value <= UINT32_MAX ? 2 : 3;
  out_.push_back(static_cast<char>(kUnsigned8 + log2_size));
  append_big_endian(out_, value, 1 << log2_size);
}

void MsgpackWriter::key(std::string_view name) {
  bytes(as_byte_span(name));
}

void MsgpackWriter::array(DataType dtype, const std::vector<int64_t>& shape, ByteSpan elements) {
  const std::optional<std::string> descr = npy_descr(dtype);
  if (!descr) throw UsageError("[MsgpackWriter] expected a type that numpy has, got " + to_string(dtype));
  if (byte_size(dtype, shape) != elements.size()) {
    throw UsageError(fmt::format("[MsgpackWriter] expected the bytes of an array {}, got {} bytes",
                                 describe(dtype, shape), elements.size()));
  }
  const bool is_scalar = shape.empty();
  out_.push_back(static_cast<char>(kFixMap | (is_scalar ? 3 : 5)));
  key("nd");
  out_.push_back(static_cast<char>(is_scalar ? kFalse : kTrue));
  key("type");
  text(*descr);
  if (!is_scalar) {
    key("kind");
    bytes({});
    key("shape");
    list(shape.size());
    for (int64_t size : shape) integer(static_cast<uint64_t>(size));
  }
  key("data");
  bytes(elements);
}

}  // namespace belfry
