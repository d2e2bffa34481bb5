#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/formats/array_info.h"
#include "tests/support/message_of.h"

namespace belfry::test {

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void spit(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

/// The memory of `values`.
template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline std::string hex(const std::string& bytes) {
  std::string out;
  for (unsigned char c : bytes) {
    out += "0123456789abcdef"[c >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

/// The array `name` of any reader, as bytes.
template <typename Reader>
std::string read_array(const Reader& reader, const std::string& name) {
  for (const ArrayInfo& info : reader.entries()) {
    if (info.name != name) continue;
    std::string bytes(byte_size(info.dtype, info.shape).value_or(0), '\0');
    reader.read(name, std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }
  return "no such array";
}

/// Whether `call` throws DataError in a process that may take no more than 64 MiB on top of what this one
/// has.
template <typename Call>
bool refuses_in_little_memory(Call call) {
  const pid_t child = ::fork();
  if (child == 0) {
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t most = pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) + (64 << 20);
    [[maybe_unused]] const rlimit limit{most, most};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which map memory as they like
    ::setrlimit(RLIMIT_AS, &limit);
#endif
    try {
      call();
    } catch (const DataError&) {
      ::_exit(0);
    } catch (...) {
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace belfry::test
