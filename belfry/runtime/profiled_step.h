#pragma once

#include <string>

namespace belfry {

/// One instruction of a compiled graph or training step and the time that it took.
struct ProfiledStep {
  std::string node;    ///< name of the node that it computes, after fusion: "conv0/output"
  std::string kernel;  ///< what did the work: "brgconv:avx512_core"
  double seconds = 0;
};

}  // namespace belfry
