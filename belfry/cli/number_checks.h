#pragma once

#include <CLI/CLI.hpp>

namespace belfry::cli {

// Checks for CLI::Option::check, with shorter messages than CLI11's own. NaN passes none.

CLI::Validator positive_number();
CLI::Validator number_from_zero();

}  // namespace belfry::cli
