#include "belfry/formats/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "belfry/base/error.h"
#include "belfry/formats/file_kind.h"

// The head of a numpy file (numpy/lib/format.py): magic, version, length, and a Python dictionary, read by a
// parser of just that literal. Types that are not numbers are known by name and never unpickled.
namespace belfry {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64, kMaxRank = 254;

// The header's dictionary: a Python literal with the three known keys in any order.
class DictParser {
 public:
  DictParser(const std::string& where, std::string_view text) : where_(where), text_(text) {}

  void parse(NpyHeader& header) {
    bool have_descr = false, have_order = false, have_shape = false;
    expect('{');
    while (!accept('}')) {
      std::string key = string();
      expect(':');
      if (key == "descr" && !have_descr) {
        have_descr = true;
        parse_descr(header);
      } else if (key == "fortran_order" && !have_order) {
        have_order = true;
        header.fortran_order = boolean();
      } else if (key == "shape" && !have_shape) {
        have_shape = true;
        header.info.shape = shape();
      } else {
        fail("expected the keys descr, fortran_order and shape once, got " + key);
      }
      if (!accept(',') && peek() != '}') fail("expected , or }");
    }
    peek();
    if (at_ != text_.size()) fail("expected nothing behind the dictionary");
    if (!have_descr || !have_order || !have_shape) fail("expected the keys descr, fortran_order and shape");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw DataError(where_, "npy header: " + what); }

  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool accept(char c) {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(fmt::format("expected {} at {}", c, at_));
  }

  std::string string() {
    char quote = peek();
    if (quote != '\'' && quote != '"') fail(fmt::format("expected a string at {}", at_));
    size_t end = text_.find(quote, ++at_);
    if (end == std::string_view::npos) fail("string without end");
    std::string out(text_.substr(at_, end - at_));
    at_ = end + 1;
    return out;
  }

  bool boolean() {
    peek();
    for (std::string_view word : {"True", "False"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return word == "True";
    }
    fail(fmt::format("expected True or False at {}", at_));
  }

  std::vector<int64_t> shape() {
    std::vector<int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      peek();
      int64_t size = 0;
      auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) fail(fmt::format("expected a size at {}", at_));
      at_ = static_cast<size_t>(end - text_.data());
      accept('L');  // Python 2 wrote long numbers so.
      sizes.push_back(size);
      if (sizes.size() > kMaxRank) fail("too many dimensions");
      if (!accept(',') && peek() != ')') fail("expected , or )");
    }
    return sizes;
  }

  // The list of a structured type, which may hold lists, as its text.
  std::string list() {
    const size_t begin = at_;
    int depth = 0;
    do {
      const char c = peek();
      if (c == '\'' || c == '"') {
        string();
        continue;
      }
      if (at_ == text_.size()) fail("list without end");
      depth += c == '[' || c == '(' ? 1 : c == ']' || c == ')' ? -1 : 0;
      ++at_;
    } while (depth > 0);
    return std::string(text_.substr(begin, at_ - begin));
  }

  void parse_descr(NpyHeader& header) {
    if (peek() == '[') {
      header.foreign_type = list();
      return;
    }
    std::string descr = string();
    const bool known_order =
        !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
    if (!known_order) fail("expected a type with its byte order, got '" + descr + "'");
    header.info.dtype = from_npy_descr(descr);
    header.big_endian = descr[0] == '>';
    if (header.info.dtype == DataType::kInvalid) header.foreign_type = std::move(descr);
  }

  const std::string& where_;
  std::string_view text_;
  size_t at_ = 0;
};

size_t header_prefix(std::string_view bytes) {
  return bytes[6] == 1 ? 10 : 12;
}

void swap_bytes(MutableByteSpan elements, size_t size) {
  for (size_t i = 0; size > 1 && i < elements.size(); i += size) {
    std::reverse(elements.begin() + i, elements.begin() + i + size);
  }
}

}  // namespace

void to_row_major(MutableByteSpan elements, const std::vector<int64_t>& shape,
                  const std::vector<size_t>& slowest_first, size_t size) {
  std::vector<std::byte> source(elements.begin(), elements.end());
  std::vector<size_t> stride(shape.size(), 1);
  size_t count = 1;
  for (auto axis = slowest_first.rbegin(); axis != slowest_first.rend(); ++axis) {
    stride[*axis] = count;
    count *= static_cast<size_t>(shape[*axis]);
  }
  std::vector<int64_t> index(shape.size(), 0);
  for (size_t done = 0; done < elements.size(); done += size) {
    size_t from = 0;
    for (size_t d = 0; d < shape.size(); ++d) from += static_cast<size_t>(index[d]) * stride[d];
    std::memcpy(elements.data() + done, source.data() + from * size, size);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

size_t npy_header_size(const std::string& where, std::string_view first_bytes) {
  if (first_bytes.size() < kNpyPrefix || first_bytes.substr(0, kMagic.size()) != kMagic) {
    throw DataError(where,
                    "expected an npy file, got another beginning" + looks_like(as_byte_span(first_bytes)));
  }
  int version = first_bytes[6];
  if (version < 1 || version > 3) throw DataError(where, fmt::format("npy version {} is not known", version));
  uint32_t length = 0;
  std::memcpy(&length, first_bytes.data() + 8, header_prefix(first_bytes) - 8);
  if (length > kNpyMaxHeader - kNpyPrefix) {
    throw DataError(where, fmt::format("npy header of {} bytes is too long", length));
  }
  return header_prefix(first_bytes) + length;
}

NpyHeader parse_npy_header(const std::string& where, std::string_view bytes) {
  NpyHeader header;
  header.size = npy_header_size(where, bytes);
  if (bytes.size() < header.size) throw DataError(where, "npy header is cut off");
  size_t prefix = header_prefix(bytes);
  DictParser(where, bytes.substr(prefix, header.size - prefix)).parse(header);
  const bool fits = header.foreign_type.empty() ? byte_size(header.info.dtype, header.info.shape).has_value()
                                                : element_count(header.info.shape).has_value();
  if (!fits) {
    throw DataError(where, "npy header: impossible shape " + describe(header.info.dtype, header.info.shape));
  }
  return header;
}

bool is_pickled(const NpyHeader& header) {
  return header.foreign_type == "|O" || header.foreign_type == "O";
}

void check_numbers(const std::string& where, const NpyHeader& header) {
  if (header.foreign_type.empty()) return;
  const bool is_pickled = header.foreign_type.find('O') != std::string::npos && header.foreign_type[0] != '[';
  throw DataError(where,
                  fmt::format("expected an array of numbers, got numpy's type {}{}", header.foreign_type,
                              is_pickled ? ": pickled objects are refused, they could run code" : ""));
}

std::string npy_header(DataType dtype, const std::vector<int64_t>& shape) {
  auto descr = npy_descr(dtype);
  if (!descr) throw UsageError("[npy] expected a type that numpy has, got " + to_string(dtype));
  std::string sizes;
  for (size_t i = 0; i < shape.size(); ++i) {
    sizes += fmt::format("{}{}", shape[i], shape.size() == 1 ? "," : i + 1 < shape.size() ? ", " : "");
  }
  std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", *descr, sizes);
  constexpr size_t kPrefix = 10;
  size_t total = (kPrefix + dict.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  dict.resize(total - kPrefix - 1, ' ');
  dict.push_back('\n');
  std::string out(kMagic);
  out.append("\1\0", 2);
  out.push_back(static_cast<char>(dict.size()));
  out.push_back(static_cast<char>(dict.size() >> 8));
  return out.append(dict);
}

void to_native_layout(const NpyHeader& header, MutableByteSpan elements) {
  size_t size = size_of(header.info.dtype);
  bool complex = header.info.dtype == DataType::kComplex64 || header.info.dtype == DataType::kComplex128;
  if (header.big_endian) swap_bytes(elements, complex ? size / 2 : size);
  const size_t rank = header.info.shape.size();
  if (!header.fortran_order || rank < 2) return;
  std::vector<size_t> column_major(rank);
  for (size_t i = 0; i < rank; ++i) column_major[i] = rank - 1 - i;
  to_row_major(elements, header.info.shape, column_major, size);
}

}  // namespace belfry
