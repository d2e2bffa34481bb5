#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::test {

/// One reader, to be fed with any bytes. It may throw DataError; anything else is a bug.
struct FuzzTarget {
  const char* name;  // also the folder of its corpus below tests/fuzz/corpus
  void (*run)(std::string_view input);
};

const std::vector<FuzzTarget>& fuzz_targets();

/// A generator of graphs of one operator, decided by any bytes (tests/fuzz/one_operator.h).
struct GraphTarget {
  const char* name;
  bool (*run)(std::string_view input);
};

const std::vector<GraphTarget>& graph_targets();

/// Puts right the block checksums of a checkpoint index, as far as its footer leads to blocks, so that damage
/// inside them reaches the parsers behind the check.
void repair_index_checksums(std::string& index);

/// The input of the target "bundle": index and data file in one string.
std::string bundle_input(std::string_view index, std::string_view data);

}  // namespace belfry::test
