#include "tests/support/peak_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "belfry/base/error.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BELFRY_UNDER_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BELFRY_UNDER_SANITIZER
#endif

namespace belfry::test {
namespace {

/// Of this process, in bytes.
std::optional<uint64_t> value_in_status(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    uint64_t kilobytes = 0;
    if (word == name && status >> kilobytes) return kilobytes << 10;
  }
  return std::nullopt;
}

/// The child's answer; 0 is its failure.
uint64_t growth_during(const std::function<void()>& read) {
  const uint64_t before = value_in_status("VmRSS:").value_or(0);
  try {
    read();
  } catch (const DataError&) {
  } catch (const std::exception& e) {
    std::cerr << "expected a DataError, got: " << e.what() << std::endl;
    return 0;
  }
  const uint64_t peak = value_in_status("VmHWM:").value_or(0);
  return peak > before ? peak - before : 1;
}

}  // namespace

std::optional<uint64_t> peak_memory_of(const std::function<void()>& read) {
#ifdef BELFRY_UNDER_SANITIZER
  return std::nullopt;
#endif
  if (!value_in_status("VmHWM:")) return std::nullopt;
  int ends[2];
  if (pipe(ends) != 0) throw InternalError("[peak_memory_of] expected a pipe, got none");
  const pid_t child = fork();
  if (child == 0) {
    const uint64_t growth = growth_during(read);
    const bool told = write(ends[1], &growth, sizeof growth) == sizeof growth;
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  uint64_t growth = 0;
  const bool told = child > 0 && ::read(ends[0], &growth, sizeof growth) == sizeof growth;
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  if (!told || growth == 0) throw InternalError("[peak_memory_of] expected a read or a DataError");
  return growth;
}

void expect_memory_in_proportion(std::string_view name, uint64_t size, const std::function<void()>& read) {
  constexpr uint64_t kFactor = 40, kFree = 64 << 20;
  const std::optional<uint64_t> peak = peak_memory_of(read);
  if (!peak) GTEST_SKIP() << "the memory cannot be measured";
  EXPECT_LE(*peak, kFactor * size + kFree) << name << " of " << size << " bytes";
  if (std::getenv("BELFRY_TELL_MEMORY"))
    std::cout << name << ": " << size << " bytes, peak " << (*peak >> 10) << " KiB\n";
}

std::string repeated(std::string_view piece, size_t size) {
  std::string text;
  while (text.size() < size) text += piece;
  return text;
}

}  // namespace belfry::test
