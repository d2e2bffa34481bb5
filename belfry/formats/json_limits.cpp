// The JSON library offers a callback while it makes values, but then looks through the parent at the end of
// each object: quadratic in the number of objects. Its events alone take linear time and no memory.

#include "belfry/formats/json_limits.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "belfry/base/error.h"

namespace belfry {
namespace {

using nlohmann::json;

// A list or object takes about a hundred bytes as a value, and two in the text. Of those beyond kFree there
// may be one in kBytesEach bytes.
constexpr size_t kFree = 1 << 18, kBytesEach = 8;

class Checker : public nlohmann::json_sax<json> {
 public:
  Checker(const std::string& where, const std::string& what, size_t size, const JsonLimits& limits)
      : where_(where), what_(what), limits_(limits), left_(kFree + size / kBytesEach) {}

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t&) override { return count(); }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return count(); }
  bool start_object(size_t) override { return open(/*is_list=*/false); }
  bool start_array(size_t) override { return open(/*is_list=*/true); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (limits_.unique_keys && !open_.back().keys.insert(name).second)
      fail(fmt::format("has the key {} twice", name));
    return true;
  }

  bool parse_error(size_t, const std::string&, const json::exception& e) override {
    throw DataError(where_, fmt::format("{}: {}", what_, e.what()));
  }

 private:
  struct Container {
    bool is_list = false;
    size_t elements = 0;
    std::set<std::string> keys = {};
  };

  [[noreturn]] void fail(const std::string& reason) const { throw DataError(where_, what_ + " " + reason); }

  bool count() {
    if (!open_.empty() && open_.back().is_list && ++open_.back().elements > limits_.list)
      fail(fmt::format("has a list of more than {} elements", limits_.list));
    return true;
  }

  bool open(bool is_list) {
    count();
    if (open_.size() == limits_.depth) fail("is nested too deep");
    if (left_-- == 0) fail("has more lists and objects than fit its length");
    open_.push_back({.is_list = is_list});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& where_;
  const std::string& what_;
  const JsonLimits& limits_;
  size_t left_;
  std::vector<Container> open_;
};

}  // namespace

void check_json(const std::string& where, const std::string& what, const std::string& text,
                const JsonLimits& limits) {
  Checker checker(where, what, text.size(), limits);
  json::sax_parse(text, &checker);
}

}  // namespace belfry
