#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace belfry {

/// Base of every exception that Belfry throws. The message reads `[who] expected …, got …`; the three derived
/// kinds say who is to blame, so that a program can tell "fix your code" from "fix your file" from "file a
/// bug".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The caller's graph, configuration or arguments are wrong.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// A file or a piece of data is missing, damaged or not what its format says.
class DataError : public Error {
 public:
  using Error::Error;
  /// `where` is the file's path, `offset` the byte at which the damage was seen.
  DataError(const std::string& where, const std::string& what) : Error(where + ": " + what) {}
  DataError(const std::string& where, uint64_t offset, const std::string& what)
      : Error(where + " at byte " + std::to_string(offset) + ": " + what) {}
};

/// Belfry itself is wrong.
class InternalError : public Error {
 public:
  using Error::Error;
};

}  // namespace belfry
