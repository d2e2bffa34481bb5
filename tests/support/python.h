#pragma once

#include <string>
#include <vector>

namespace belfry::test {

/// True when the project's Python environment (TensorFlow, tensorpack, TensorBoard, numpy) is there. Tests
/// that need it begin with `if (!python_available()) GTEST_SKIP() << kNoPython;`.
bool python_available();
inline constexpr const char* kNoPython = "no Python environment in .env/python";

/// Runs `script` (a path from the repository's root) in that environment and returns what it wrote to stdout;
/// stderr goes through. Throws std::runtime_error when it ends with another code than 0.
std::string run_python(const std::string& script, const std::vector<std::string>& arguments = {});

}  // namespace belfry::test
