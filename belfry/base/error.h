#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace belfry {

/// Base of every exception that Belfry throws. The message reads `[who] expected …, got …`; the derived kinds
/// say who is to blame, so that a program can tell "fix your code" from "fix your data" from "try again with
/// more memory" from "file a bug". An exception of another library's is given the kind that it stands for;
/// one that is of none, a user's own for instance, is a plain Error.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The caller's graph, configuration or arguments are wrong.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// A file is missing, damaged or not what its format says, or the system refuses to read or write it, a full
/// disk included; or a value of the data is one that the computation cannot take: a label beyond the classes.
class DataError : public Error {
 public:
  using Error::Error;
  /// `where` is the file's path, `offset` the byte at which the damage was seen.
  DataError(const std::string& where, const std::string& what) : Error(where + ": " + what) {}
  DataError(const std::string& where, uint64_t offset, const std::string& what)
      : Error(where + " at byte " + std::to_string(offset) + ": " + what) {}
};

/// The machine cannot do what is asked: memory or threads ran out, or a device failed. Program and data may
/// be right, and the same may succeed later, in smaller pieces, or on another machine.
class ResourceError : public Error {
 public:
  using Error::Error;
};

/// There is not enough memory, of the machine or of a device.
class OutOfMemoryError : public ResourceError {
 public:
  using ResourceError::ResourceError;
};

/// Belfry itself, or a library below it, is wrong.
class InternalError : public Error {
 public:
  using Error::Error;
};

}  // namespace belfry
