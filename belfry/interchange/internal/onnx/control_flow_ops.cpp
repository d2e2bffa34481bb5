#include "belfry/graph/function_value.h"
#include "belfry/inference/freeze.h"
#include "belfry/interchange/internal/onnx/ops.h"

// A branch or body becomes a graph that is an attribute of its node. What it captures it uses by name, as
// graphs of ONNX see the values of those around them.

namespace belfry::internal {
namespace {

using Names = std::unordered_map<Tensor, OnnxName>;

/// The function that a node holds, with what depends on no input as weights.
Function held(const OnnxCall& call, std::string_view argument) {
  return freeze_function("export_onnx", held_function(call.node(), argument).function());
}

OnnxNames values_of(const OnnxCall& call, std::string_view argument) {
  OnnxNames names;
  for (const Tensor& tensor : call.tensors(argument)) names.push_back(call.value(tensor, tensor.dtype()));
  return names;
}

/// Lets `names` stand for the inputs of `function` from `first` on.
void name_inputs(const Function& function, size_t first, const OnnxNames& given, Names& names) {
  for (size_t i = 0; i < given.size(); ++i) names[function.inputs[first + i]] = given[i];
}

/// An input of an inner graph for each of `count` inputs of the function, from the first on.
void add_inputs(OnnxBuilder& out, const Function& function, size_t count, Names& names) {
  for (size_t i = 0; i < count; ++i) {
    const Tensor& input = function.inputs[i];
    names[input] = out.input(public_name(input), input.dtype(), input.shape());
  }
}

void add_outputs(OnnxBuilder& out, const Function& function, const Names& names) {
  for (const Tensor& output : function.outputs)
    out.output(public_name(output) + "/result", names.at(output), output.dtype(), output.shape());
}

std::shared_ptr<const OnnxGraph> branch(const OnnxCall& call, std::string_view argument,
                                        std::string_view inputs) {
  const Function function = held(call, argument);
  OnnxBuilder out(call.out);
  Names names;
  name_inputs(function, 0, values_of(call, inputs), names);
  add_calls(out, function, names);
  add_outputs(out, function, names);
  return out.finish_inner(std::string(argument));
}

OnnxNames cond(OnnxCall& call) {
  return call.out.add_multi("If", {call.value("predicate")}, call.node().outputs().size(),
                            {{"then_branch", branch(call, "then_branch", "then_inputs")},
                             {"else_branch", branch(call, "else_branch", "else_inputs")}});
}

/// ONNX asks after each iteration, and is told whether there is a first.
OnnxNames while_loop(OnnxCall& call) {
  const Function condition = held(call, "condition");
  const Function body = held(call, "body");
  const OnnxNames first = values_of(call, "variables"), asked = values_of(call, "condition_inputs"),
                  used = values_of(call, "body_inputs");
  const size_t count = first.size();
  const auto ask = [&](OnnxBuilder& out, const OnnxNames& variables) {
    Names names;
    name_inputs(condition, 0, variables, names);
    name_inputs(condition, count, asked, names);
    add_calls(out, condition, names);
    return names.at(condition.outputs[0]);
  };

  OnnxBuilder out(call.out);
  Names names;
  out.input("iteration", kInt64, {});
  out.input("goes_on", kBool, {});
  add_inputs(out, body, count, names);
  name_inputs(body, count, used, names);
  add_calls(out, body, names);
  OnnxNames next;
  for (const Tensor& output : body.outputs) next.push_back(names.at(output));
  out.output("goes_on/result", ask(out, next), kBool, {});
  add_outputs(out, body, names);

  const int64_t limit = call.integer("maximum_iterations");
  const OnnxName begins = ask(call.out, first);
  call.out.enter(call.node().name());
  OnnxNames inputs = {limit < 0 ? OnnxName() : call.out.constant(limit, kInt64), begins};
  inputs.insert(inputs.end(), first.begin(), first.end());
  return call.out.add_multi("Loop", inputs, count, {{"body", out.finish_inner("body")}});
}

OnnxNames scan(OnnxCall& call) {
  const Function body = held(call, "body");
  OnnxNames inputs = values_of(call, "initial");
  const size_t states = inputs.size(), elems = call.tensors("elems").size();
  const OnnxNames scanned = values_of(call, "elems");
  inputs.insert(inputs.end(), scanned.begin(), scanned.end());

  OnnxBuilder out(call.out);
  Names names;
  add_inputs(out, body, states + elems, names);
  name_inputs(body, states + elems, values_of(call, "captured"), names);
  add_calls(out, body, names);
  add_outputs(out, body, names);

  const size_t results = call.node().outputs().size();
  const int64_t direction = call.flag("reverse") ? 1 : 0;
  return call.out.add_multi("Scan", inputs, results,
                            {{"body", out.finish_inner("body")},
                             {"num_scan_inputs", static_cast<int64_t>(elems)},
                             {"scan_input_directions", std::vector<int64_t>(elems, direction)},
                             {"scan_output_directions", std::vector<int64_t>(results - states, direction)}});
}

}  // namespace

void add_control_flow_ops(OnnxOps& ops) {
  ops["belfry::cond"] = cond;
  ops["belfry::while_loop"] = while_loop;
  ops["belfry::scan"] = scan;
  ops["belfry::custom_gradient"] = [](OnnxCall& call) { return values_of(call, "outputs"); };  // in a body
}

}  // namespace belfry::internal
