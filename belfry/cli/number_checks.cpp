#include "belfry/cli/number_checks.h"

#include <fmt/format.h>

namespace belfry::cli {
namespace {

template <typename Accept>
CLI::Validator number_that(Accept accept, const char* what) {
  const auto check = [=](const std::string& text) {
    double number = 0;
    const bool good = CLI::detail::lexical_cast(text, number) && accept(number);
    return good ? std::string() : fmt::format("expected a number {}, got {}", what, text);
  };
  return CLI::Validator(check, "");
}

}  // namespace

CLI::Validator positive_number() {
  return number_that([](double number) { return number > 0; }, "above 0");
}
CLI::Validator number_from_zero() {
  return number_that([](double number) { return number >= 0; }, "of 0 or more");
}

}  // namespace belfry::cli
