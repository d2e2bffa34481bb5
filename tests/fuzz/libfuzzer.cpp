// Entry for libFuzzer, which the Clang build makes one program of for each target:
//     build/fuzz/tests/fuzz_bundle tests/fuzz/corpus/bundle
//     build/fuzz/tests/fuzz_operator_graph

#include <string_view>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using belfry::test::fuzz_targets;
  for (const auto& target : fuzz_targets()) {
    if (std::string_view(target.name) == FUZZ_TARGET) target.run({reinterpret_cast<const char*>(data), size});
  }
  for (const auto& target : belfry::test::graph_targets()) {
    if (std::string_view(target.name) == FUZZ_TARGET) target.run({reinterpret_cast<const char*>(data), size});
  }
  return 0;
}
