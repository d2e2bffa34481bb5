#include "belfry/input/proxy_input.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "belfry/base/error.h"

namespace belfry {
namespace {

class RemappedInput final : public ProxyInputSource {
 public:
  RemappedInput(Shared<InputSource> input, std::vector<std::string> names)
      : ProxyInputSource(std::move(input)), names_(std::move(names)) {
    if (names_.empty()) throw UsageError("[remap_input_source] expected names of inputs, got none");
    if (std::set<std::string>(names_.begin(), names_.end()).size() != names_.size()) {
      throw UsageError(
          fmt::format("[remap_input_source] expected different names, got {}", fmt::join(names_, ", ")));
    }
  }

  std::vector<Tensor> input_tensors() override {
    std::vector<Tensor> tensors;
    const std::vector<Tensor> provided = input_->input_tensors();
    for (const TensorSpec& spec : signature()) {
      const auto found = std::find(names_.begin(), names_.end(), spec.name);
      tensors.push_back(found == names_.end() ? build_or_reuse_placeholder(spec)
                                              : provided[static_cast<size_t>(found - names_.begin())]);
    }
    return tensors;
  }

 private:
  void on_setup() override {
    std::vector<TensorSpec> provided;
    for (const std::string& name : names_) {
      const auto found = std::find_if(signature().begin(), signature().end(),
                                      [&](const TensorSpec& spec) { return spec.name == name; });
      if (found == signature().end()) {
        std::vector<std::string> inputs;
        for (const TensorSpec& spec : signature()) inputs.push_back(spec.name);
        throw UsageError(fmt::format("[remap_input_source] expected inputs of the model ({}), got '{}'",
                                     fmt::join(inputs, ", "), name));
      }
      provided.push_back(*found);
    }
    input_->setup(provided);
  }

  std::vector<std::string> names_;
};

}  // namespace

ProxyInputSource::ProxyInputSource(Shared<InputSource> input) : input_(std::move(input)) {
  if (!input_) throw UsageError("[ProxyInputSource] expected an input source, got none");
}

Shared<InputSource> remap_input_source(Shared<InputSource> input, std::vector<std::string> names) {
  return std::make_shared<RemappedInput>(std::move(input), std::move(names));
}

void PlaceholderInput::on_setup() {
  for (const TensorSpec& spec : signature()) placeholders_.push_back(build_or_reuse_placeholder(spec));
}

}  // namespace belfry
