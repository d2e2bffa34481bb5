#include "belfry/formats/checkpoint_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"

// The file `checkpoint` of a folder: a CheckpointState in protobuf's text format
// (tensorflow/python/training/checkpoint_state.proto). The parser knows that message alone, skips fields
// that it does not know, and bounds how many checkpoints a file may list.
namespace belfry {
namespace {

constexpr uint64_t kMaxSize = 64 << 20;
constexpr size_t kMostPaths = 10000;  // each is looked for

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}
bool is_octal(char c) {
  return c >= '0' && c <= '7';
}
bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == '+' || c == '-';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `field: value` pairs of protobuf's text format, values being strings or words; no nested messages.
class TextParser {
 public:
  TextParser(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  CheckpointState parse() {
    CheckpointState state;
    for (skip_space(); !at_end(); skip_space()) {
      std::string field = word();
      expect(':');
      if (!accept('[')) {
        read_value(field, state);
      } else if (!accept(']')) {
        do read_value(field, state);
        while (accept(','));
        expect(']');
      }
      if (!accept(',')) accept(';');
    }
    if (state.newest.empty()) throw DataError(path_, "expected model_checkpoint_path, got none");
    return state;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    throw DataError(path_, at_, "expected " + expected);
  }

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  void skip_space() {
    while (!at_end() && (is_space(peek()) || peek() == '#')) {
      if (peek() != '#') {
        ++at_;
      } else {
        at_ = std::min(text_.find('\n', at_), text_.size());
      }
    }
  }

  bool accept(char c) {
    skip_space();
    if (at_end() || peek() != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(fmt::format("'{}'", c));
  }

  std::string word() {
    size_t start = at_;
    while (!at_end() && is_word(peek())) ++at_;
    if (at_ == start) fail("a word");
    return std::string(text_.substr(start, at_ - start));
  }

  bool at_string() const { return peek() == '"' || peek() == '\''; }

  void read_value(const std::string& field, CheckpointState& state) {
    skip_space();
    bool is_string = at_string();
    if (field == "model_checkpoint_path") {
      state.newest = strings();
    } else if (field == "all_model_checkpoint_paths") {
      if (state.all.size() == kMostPaths) fail(fmt::format("at most {} checkpoints", kMostPaths));
      state.all.push_back(strings());
    } else if (is_string) {
      strings();
    } else if (field == "all_model_checkpoint_timestamps") {
      state.timestamps.push_back(number());
    } else if (field == "last_preserved_timestamp") {
      state.last_preserved_timestamp = number();
    } else {
      word();
    }
  }

  double number() {
    size_t start = at_;
    std::string text = word();
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      at_ = start;
      fail("a number");
    }
    return value;
  }

  // Adjacent strings are one.
  std::string strings() {
    std::string out;
    if (!at_string()) fail("a string");
    for (; at_string(); skip_space()) {
      char quote = text_[at_++];
      while (peek() != quote) {
        if (at_end() || peek() == '\n') fail("the end of the string");
        char c = text_[at_++];
        out += c == '\\' ? escape() : c;
      }
      ++at_;
    }
    return out;
  }

  char escape() {
    if (at_end()) fail("an escaped character");
    char c = text_[at_++];
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'a':
        return '\a';
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      case 'x':
      case 'X':
        return hex();
    }
    if (!is_octal(c)) {
      if (std::string_view("\\'\"?").find(c) == std::string_view::npos) fail("a known escape");
      return c;
    }
    int code = c - '0';
    for (int digits = 1; digits < 3 && is_octal(peek()); ++digits) code = code * 8 + (text_[at_++] - '0');
    return static_cast<char>(code);
  }

  char hex() {
    int code = hex_digit(peek());
    if (code < 0) fail("a hex digit");
    ++at_;
    if (int low = hex_digit(peek()); low >= 0) {
      code = code * 16 + low;
      ++at_;
    }
    return static_cast<char>(code);
  }

  const std::string& path_;
  std::string_view text_;
  size_t at_ = 0;
};

// protobuf's CEscape, except that bytes of UTF-8 stay as they are.
std::string escaped(std::string_view text) {
  std::string out(1, '"');
  for (char c : text) {
    auto code = static_cast<unsigned char>(c);
    switch (c) {
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      case '"':
        out.append("\\\"");
        break;
      case '\'':
        out.append("\\'");
        break;
      case '\\':
        out.append("\\\\");
        break;
      default:
        if (code < 0x20 || code == 0x7f) {
          out += fmt::format("\\{:03o}", code);
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
  return out;
}

}  // namespace

std::string name_in_list(const std::string& path) {
  return path.substr(path.find_last_of("/\\") + 1);
}

CheckpointState parse_checkpoint_state(const std::string& path, std::string_view text) {
  return TextParser(path, text).parse();
}

std::string to_text(const CheckpointState& state) {
  std::string out = fmt::format("model_checkpoint_path: {}\n", escaped(state.newest));
  for (const std::string& path : state.all)
    out += fmt::format("all_model_checkpoint_paths: {}\n", escaped(path));
  for (double time : state.timestamps) out += fmt::format("all_model_checkpoint_timestamps: {}\n", time);
  if (state.last_preserved_timestamp) {
    out += fmt::format("last_preserved_timestamp: {}\n", *state.last_preserved_timestamp);
  }
  return out;
}

CheckpointState read_checkpoint_state(const std::string& folder, FileSystem& files) {
  std::string path = folder + "/" + kCheckpointStateName;
  return parse_checkpoint_state(path, read_file(files, path, kMaxSize));
}

void write_checkpoint_state(const std::string& folder, const CheckpointState& state, FileSystem& files) {
  write_file_atomically(files, folder + "/" + kCheckpointStateName, as_byte_span(to_text(state)));
}

}  // namespace belfry
