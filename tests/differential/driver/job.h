#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "tests/differential/driver/attributes.h"

namespace belfry::differential {

/// One configuration: what the generator drew, and what Belfry makes of it.
struct Job {
  const Json& spec;
  const std::map<std::string, at::Tensor>& in;  ///< of all configurations, by "ID/NAME"
  std::map<std::string, at::Tensor>& out;
  Json& status;        ///< by step: the message of the error that ended it; and what the steps note
  std::string folder;  ///< where exports go; empty for none

  std::string id() const { return spec["id"]; }
  const at::Tensor& input(const std::string& name) const { return in.at(id() + "/" + name); }
  bool has_input(const std::string& name) const { return in.count(id() + "/" + name) > 0; }
  void put(const std::string& name, const at::Tensor& value) const { out[id() + "/" + name] = value; }
  bool asks_for(const char* what) const { return spec.value(what, false); }

  /// Whether `act` ended without an exception; the message of one goes to `status[step]`.
  template <typename Act>
  bool attempt(const char* step, Act act) const {
    try {
      act();
      return true;
    } catch (const Error& error) {
      status[step] = error.what();
    } catch (const std::exception& error) {
      status[step] = std::string("not an error of belfry: ") + error.what();
    }
    return false;
  }
};

void run_operators(const Job& job);
void run_layers(const Job& job);
void run_optimizer(const Job& job);
void run_initializer(const Job& job);
void run_random(const Job& job);
void run_inferencer(const Job& job);

/// Exports the outputs "y0", … of inputs in all formats, and runs those that Belfry reads.
void run_exports(const Job& job, Session& session, const Tensors& inputs,
                 const std::vector<at::Tensor>& values, const std::vector<Fetch>& outputs);

}  // namespace belfry::differential
