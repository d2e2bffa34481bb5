#pragma once

#include <string>

namespace belfry::test {

/// The message of the Kind of exception that `call` throws; "nothing was thrown" when it throws none.
template <typename Kind, typename Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Kind& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace belfry::test
