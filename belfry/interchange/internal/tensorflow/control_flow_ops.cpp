#include <algorithm>
#include <functional>
#include <utility>

#include "belfry/graph/function_value.h"
#include "belfry/inference/freeze.h"
#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

// Control flow as nodes of the graph itself, which every TensorFlow loads: a Switch before each tensor that a
// branch uses and a Merge behind; for loops the ring of Enter, Merge, Switch and NextIteration in a frame
// (Yu et al., Dynamic Control Flow in Large-Scale Machine Learning, 2018). What has no inputs there waits for
// a node that runs only where the branch or the iteration does.

namespace belfry::internal {
namespace {

using Names = std::unordered_map<Tensor, TfName>;

/// A value in a graph, and its type there.
struct Value {
  TfName name;
  DataType dtype;
};
using Values = std::vector<Value>;

Values values_of(const TfCall& call, std::string_view argument) {
  Values values;
  for (const Tensor& tensor : call.tensors(argument))
    values.push_back({call.value(tensor, tensor.dtype()), tf_dtype(tensor.dtype())});
  return values;
}

/// The outputs of the function that the node holds as `argument`, for these inputs, as nodes.
TfNames inlined(TfCall& call, std::string_view argument, const Values& inputs) {
  const Function function = freeze_function("export", held_function(call.node(), argument).function());
  Names names;
  for (size_t i = 0; i < inputs.size(); ++i) names[function.inputs[i]] = inputs[i].name;
  add_nodes(call.out, function, names);
  call.out.enter(call.node().name());
  TfNames outputs;
  for (const Tensor& output : function.outputs) outputs.push_back(names.at(output));
  return outputs;
}

// cond

TfNames cond(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const TfName predicate = call.value("predicate");
  const TfName pivot = out.add("Switch", {predicate, predicate}, kBool);
  const auto branch = [&](const char* argument, const char* inputs, bool taken) {
    const std::string port = taken ? ":1" : "";
    Values given = values_of(call, inputs);
    for (Value& value : given)
      value.name = out.add("Switch", {value.name, predicate}, {{"T", value.dtype}}) + port;
    const GraphDefBuilder::Pivot in_branch(out, out.add("Identity", {pivot + port}, kBool));
    return inlined(call, argument, given);
  };
  const TfNames otherwise = branch("else_branch", "else_inputs", false);
  const TfNames then = branch("then_branch", "then_inputs", true);
  TfNames results;
  for (size_t i = 0; i < then.size(); ++i)
    results.push_back(out.add("Merge", {otherwise[i], then[i]}, call.result(i).dtype, {{"N", int64_t{2}}}));
  return results;
}

// Loops

/// A loop in its own frame.
class Frame {
 public:
  explicit Frame(GraphDefBuilder& out) : out_(out), name_(out.reserve("frame")) {}

  /// A tensor from around the loop, in it.
  Value enter(const Value& value) const { return {enter(value, true), value.dtype}; }
  Values enter(const Values& values) const {
    Values entered;
    for (const Value& value : values) entered.push_back(enter(value));
    return entered;
  }

  /// Runs `next` on variables, which begin as `first`, as long as `condition` says so. Their last values.
  TfNames run(const Values& first, const std::function<TfName(const Values&)>& condition,
              const std::function<TfNames(const Values&)>& next) {
    Values merged, now;
    TfNames switches, backward, results;
    for (const Value& value : first) {
      backward.push_back(out_.reserve("NextIteration"));
      merged.push_back(
          {out_.add("Merge", {enter(value, false), backward.back()}, {{"T", value.dtype}, {"N", int64_t{2}}}),
           value.dtype});
    }
    TfName goes_on;
    {
      const GraphDefBuilder::Pivot in_condition(out_, merged[0].name);
      goes_on = out_.add("LoopCond", {condition(merged)});
    }
    for (const Value& value : merged) {
      switches.push_back(out_.add("Switch", {value.name, goes_on}, {{"T", value.dtype}}));
      results.push_back(out_.add("Exit", {switches.back()}, {{"T", value.dtype}}));
      now.push_back({out_.add("Identity", {switches.back() + ":1"}, {{"T", value.dtype}}), value.dtype});
    }
    const GraphDefBuilder::Pivot in_body(out_, now[0].name);
    const TfNames after = next(now);
    for (size_t i = 0; i < first.size(); ++i)
      out_.add_reserved(backward[i], "NextIteration", {after[i]}, {{"T", first[i].dtype}});
    return results;
  }

 private:
  TfName enter(const Value& value, bool is_constant) const {
    return out_.add("Enter", {value.name},
                    {{"T", value.dtype},
                     {"frame_name", name_},
                     {"is_constant", is_constant},
                     {"parallel_iterations", int64_t{10}}});
  }

  GraphDefBuilder& out_;
  TfName name_;
};

Values joined(Values first, const Values& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// A first value whose shape TensorFlow does not know, where iterations may change it.
Value without_shape(TfCall& call, const Value& value, const Shape& invariant) {
  if (std::ranges::count(invariant, kDynamic) == 0) return value;
  return {call.out.add("PlaceholderWithDefault", {value.name},
                       {{"dtype", value.dtype}, {"shape", GraphDefShape{invariant}}}),
          value.dtype};
}

TfNames while_loop(TfCall& call) {
  GraphDefBuilder& out = call.out;
  Frame frame(out);
  const int64_t limit = call.integer("maximum_iterations");
  Values first = values_of(call, "variables");
  const auto& variables = held_function(call.node(), "body").function().inputs;
  for (size_t i = 0; i < first.size(); ++i) first[i] = without_shape(call, first[i], variables[i].shape());
  const size_t count = first.size();
  if (limit >= 0) first.push_back({out.constant(int64_t{0}, kInt64), tf_dtype(kInt64)});
  const Values asked = frame.enter(values_of(call, "condition_inputs")),
               used = frame.enter(values_of(call, "body_inputs"));
  const auto without_count = [&](const Values& all) {
    return Values(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
  };
  TfNames results = frame.run(
      first,
      [&](const Values& now) {
        const TfName goes_on = inlined(call, "condition", joined(without_count(now), asked))[0];
        if (limit < 0) return goes_on;
        return out.add("LogicalAnd",
                       {goes_on, out.add("Less", {now[count].name, out.constant(limit, kInt64)}, kInt64)});
      },
      [&](const Values& now) {
        TfNames next = inlined(call, "body", joined(without_count(now), used));
        if (limit >= 0)
          next.push_back(out.add("AddV2", {now[count].name, out.constant(int64_t{1}, kInt64)}, kInt64));
        return next;
      });
  results.resize(count);
  return results;
}

/// A loop over the places of the elements, which writes outputs into arrays.
TfNames scan(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const Values elems = values_of(call, "elems"), initial = values_of(call, "initial");
  const auto& results = call.node().outputs();
  const size_t states = initial.size(), outputs = results.size() - states;
  const bool reverse = call.flag("reverse");
  const DType elem_dtype = call.tensors("elems")[0].dtype();
  const TfName count = out.reshape(out.sizes(elems[0].name, elem_dtype, 0, 1), kInt32, {});

  Values first = {{out.constant(int64_t{0}, kInt32), DataType::kInt32}};
  for (const Value& value : initial) first.push_back(value);
  Values handles;
  const auto element_shape = [&](size_t k) {
    const Shape& shape = results[states + k].shape;
    return GraphDefShape{{shape.begin() + 1, shape.end()}};
  };
  for (size_t k = 0; k < outputs; ++k) {
    const TfName array = out.add("TensorArrayV3", {count},
                                 {{"dtype", tf_dtype(results[states + k].dtype)},
                                  {"element_shape", element_shape(k)},
                                  {"dynamic_size", false},
                                  {"clear_after_read", true},
                                  {"identical_element_shapes", true},
                                  {"tensor_array_name", std::string()}});
    handles.push_back({array, DataType::kResource});
    first.push_back({array + ":1", DataType::kFloat32});
  }

  Frame frame(out);
  const Value limit = frame.enter({count, DataType::kInt32});
  const Values sources = frame.enter(elems), arrays = frame.enter(handles),
               captured = frame.enter(values_of(call, "captured"));
  const TfNames after = frame.run(
      first,
      [&](const Values& now) {
        return out.add("Less", {now[0].name, limit.name}, kInt32);
      },
      [&](const Values& now) {
        const TfName one = out.constant(int64_t{1}, kInt32);
        const TfName place =
            reverse ? out.add("Sub", {out.add("Sub", {limit.name, now[0].name}, kInt32), one}, kInt32)
                    : now[0].name;
        Values given(now.begin() + 1, now.begin() + 1 + static_cast<std::ptrdiff_t>(states));
        for (const Value& source : sources) {
          given.push_back({out.add("GatherV2", {source.name, place, out.axis(0)},
                                   {{"Tparams", source.dtype},
                                    {"Tindices", DataType::kInt32},
                                    {"Taxis", DataType::kInt32},
                                    {"batch_dims", int64_t{0}}}),
                           source.dtype});
        }
        const TfNames made = inlined(call, "body", joined(std::move(given), captured));
        TfNames next = {out.add("AddV2", {now[0].name, one}, kInt32)};
        next.insert(next.end(), made.begin(), made.begin() + static_cast<std::ptrdiff_t>(states));
        for (size_t k = 0; k < outputs; ++k) {
          next.push_back(out.add("TensorArrayWriteV3",
                                 {arrays[k].name, place, made[states + k], now[1 + states + k].name},
                                 {{"T", tf_dtype(results[states + k].dtype)}}));
        }
        return next;
      });

  TfNames named(after.begin() + 1, after.begin() + 1 + static_cast<std::ptrdiff_t>(states));
  const TfName places = out.add("Range", {out.axis(0), count, out.axis(1)}, {{"Tidx", DataType::kInt32}});
  for (size_t k = 0; k < outputs; ++k) {
    named.push_back(
        out.add("TensorArrayGatherV3", {handles[k].name, places, after[1 + states + k]},
                {{"dtype", tf_dtype(results[states + k].dtype)}, {"element_shape", element_shape(k)}}));
  }
  return named;
}

}  // namespace

void add_control_flow_ops(TfOps& ops) {
  ops["belfry::cond"] = cond;
  ops["belfry::while_loop"] = while_loop;
  ops["belfry::scan"] = scan;
  ops["belfry::custom_gradient"] = [](TfCall& call) {  // in a body
    TfNames names;
    for (const Value& value : values_of(call, "outputs")) names.push_back(value.name);
    return names;
  };
}

}  // namespace belfry::internal
