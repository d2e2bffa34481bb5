#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace belfry::test {

/// The bytes by which the resident memory of a process has grown at its peak, while `read` ran in a child of
/// this one. DataErrors of `read` are swallowed: it may refuse. None where the system does not tell or a
/// sanitizer takes memory of its own. Throws InternalError when the child ends in any other way.
std::optional<uint64_t> peak_memory_of(const std::function<void()>& read);

/// Expects that `read`, which reads a file of `size` bytes, takes at most 40 times that and 64 MiB. Skips the
/// test where nothing can be measured.
void expect_memory_in_proportion(std::string_view name, uint64_t size, const std::function<void()>& read);

/// `piece` again and again, for `size` bytes at least.
std::string repeated(std::string_view piece, size_t size);

}  // namespace belfry::test
