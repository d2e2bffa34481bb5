// Every typed function of belfry/ops, exported, over values that are not ordinary numbers: what the session
// computes is what ONNX Runtime and TensorFlow compute of the exports, and a session of the ONNX model that
// was read again.
//
// BELFRY_HARD_VALUES=1 prints a table: for each kind of values, how many cases differ, with a known reason or
// without, and which these are; an entry of known_differences.h that never differs then fails the test.

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>

#include "belfry/base/error.h"
#include "belfry/checkpoint/element_type.h"
#include "belfry/formats/npz.h"
#include "belfry/interchange/onnx.h"
#include "belfry/interchange/saved_model.h"
#include "tests/interchange/known_differences.h"
#include "tests/support/export_cases.h"
#include "tests/support/hard_values.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::kKnown;
using test::Known;
using test::OpCase;
using test::ValueKind;
using Values = std::vector<at::Tensor>;

bool matches(const std::string& text, const char* expression) {
  return std::regex_match(text, std::regex(expression));
}

/// Numbers at which formulas differ, beside those of tests/support/hard_values.h.
std::vector<ValueKind> kinds_of(DType dtype) {
  const auto whole = [](double factor) {
    return [factor](const at::Tensor& x) { return (x * factor).round(); };
  };
  if (dtype != kFloat32) return {{"integers", whole(7)}, {"ends"}};
  std::vector<ValueKind> kinds = test::value_kinds();
  kinds.push_back({"whole", whole(3)});
  kinds.push_back({"equal", [](const at::Tensor& x) { return at::full_like(x, 0.75); }});
  kinds.push_back({"far from 0", [](const at::Tensor& x) { return x + 10; }});
  kinds.push_back({"large", [](const at::Tensor& x) { return x * 1000; }});
  kinds.push_back({"size 33", nullptr, 33});
  return kinds;
}

/// The largest and the least number of a type of integers.
at::Tensor ends(const at::Tensor& x, DType dtype) {
  const auto of = [&](auto type) {
    using Limits = std::numeric_limits<decltype(type)>;
    return at::where(x.gt(0), at::full_like(x, Limits::max(), dtype), at::full_like(x, Limits::min(), dtype));
  };
  return dtype == kInt64 ? of(int64_t{}) : of(int32_t{});
}

/// A case as a graph of float32, or of integers, where the table has floating point.
struct Case {
  size_t index;
  DType dtype;
  std::unique_ptr<test::BuiltCase> built = {};

  const OpCase& op() const { return test::op_cases()[index]; }
  std::string name() const {
    return test::case_name(index) + (dtype == kFloat32 ? "" : fmt::format("_{}", to_string(dtype)));
  }
  test::ExportCase source() const {
    test::ExportCase result{name(), {}, op().build};
    for (size_t i = 0; i < op().inputs.size(); ++i) {
      const DType given = op().inputs[i].dtype();
      result.inputs.push_back(
          {fmt::format("in{}", i), op().inputs[i].declared(), given == kFloat64 ? dtype : given});
    }
    return result;
  }
  /// Filters stay ordinary: whether zeros of a padding are multiplied by infinite ones is open.
  Values values(const ValueKind& kind) const {
    Values values = test::inputs_of(op(), kind);
    if (op().function.find("conv") != std::string::npos) {
      const Values ordinary = test::inputs_of(op(), {"ordinary", nullptr, kind.size});
      std::copy(ordinary.begin() + 1, ordinary.end(), values.begin() + 1);
    }
    for (at::Tensor& value : values) {
      if (!value.is_floating_point()) continue;
      value = std::string(kind.name) == "ends" ? ends(value, dtype) : value.to(dtype);
    }
    return values;
  }
};

/// The cases that a graph can be built of, and that give the same twice.
std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (size_t index = 0; index < test::op_cases().size(); ++index) {
    const OpCase& op = test::op_cases()[index];
    if (op.inputs.empty() || matches(op.function, "random_.*|dropout|truncated_normal")) continue;
    // Places and orders: TensorFlow refuses boxes that are not finite, and ends the process at large ones.
    if (matches(op.function, "crop_and_resize|roi_align|.*non_max_suppression")) continue;
    const bool floating = std::any_of(op.inputs.begin(), op.inputs.end(),
                                      [](const test::OpInput& in) { return in.dtype() == kFloat64; });
    for (DType dtype : {kFloat32, kInt64, kInt32}) {
      if (dtype != kFloat32 && !floating) continue;
      Case c{index, dtype};
      try {
        c.built = std::make_unique<test::BuiltCase>(c.source());
        cases.push_back(std::move(c));
      } catch (const Error& error) {
        EXPECT_NE(dtype, kFloat32) << c.name() << ": " << error.what();  // not all functions have integers
      }
    }
  }
  return cases;
}

/// What is computed, or why not.
struct Outcome {
  Values results;
  std::string refusal;
};
template <typename Compute>
Outcome attempt(Compute compute) {
  try {
    return {compute(), ""};
  } catch (const Error& error) {
    return {{}, error.what()};
  }
}

/// Rounding beside the largest of sums that cancel.
test::Tolerance tolerance_of(const at::Tensor& expected) {
  const at::Tensor finite = at::abs(expected.to(at::kDouble)).nan_to_num(0, 0, 0);
  const double largest = finite.numel() ? finite.max().item<double>() : 0;
  return {.relative = 1e-4, .absolute = std::max(1e-5, 1e-6 * largest)};
}

testing::AssertionResult same(const Outcome& actual, const Values& expected, const ValueKind& kind) {
  if (!actual.refusal.empty()) return testing::AssertionFailure() << actual.refusal;
  if (actual.results.size() != expected.size())
    return testing::AssertionFailure() << actual.results.size() << " results";
  for (size_t i = 0; i < expected.size(); ++i) {
    if (actual.results[i].scalar_type() != expected[i].scalar_type())
      return testing::AssertionFailure() << "output " << i << " has another dtype";
    const auto result = test::same(actual.results[i], expected[i], kind, tolerance_of(expected[i]));
    if (!result) return testing::AssertionFailure() << "output " << i << ": " << result.message();
  }
  return testing::AssertionSuccess();
}

/// Kinds by name, and for each the cases that differ, for a known reason or not.
class Table {
 public:
  void add(const std::string& kind, const std::string& name, bool differs, bool known) {
    ++ran_[kind];
    if (differs) (known ? known_ : wrong_)[kind].insert(name);
  }
  void print(const std::string& title) const {
    fmt::print("{}\n| values | cases | differ | known | which |\n| --- | --- | --- | --- | --- |\n", title);
    for (const auto& [kind, count] : ran_)
      fmt::print("| {} | {} | {} | {} | {} |\n", kind, count, of(wrong_, kind).size(),
                 of(known_, kind).size(), fmt::join(of(wrong_, kind), ", "));
  }

 private:
  using Names = std::map<std::string, std::set<std::string>>;
  static std::set<std::string> of(const Names& names, const std::string& kind) {
    const auto found = names.find(kind);
    return found == names.end() ? std::set<std::string>() : found->second;
  }
  std::map<std::string, int> ran_;
  Names wrong_, known_;
};

/// A case on values of a kind, and what the session computes of them.
struct Compared {
  const Case* c;
  ValueKind kind;
  Values values, expected;
  std::string path;  ///< of its arrays: "name of the case/number of the kind"
};

/// What Python wrote.
struct Results {
  explicit Results(const std::string& path) : reader(path) {
    for (const ArrayInfo& info : reader.entries()) arrays.emplace(info.name, info);
  }
  NpzReader reader;
  std::map<std::string, ArrayInfo> arrays;
};

class HardValuesTest : public testing::Test {
 protected:
  // Thousands of small graphs: beside other tests, two threads for each would wait for each other's cores.
  void SetUp() override { at::set_num_threads(1); }
  void TearDown() override { at::set_num_threads(threads_); }

  /// What of a case the session computes, and the runtime can be asked for.
  std::vector<Compared> comparisons(const std::string& runtime, const Case& c) {
    std::vector<Compared> all;
    for (const ValueKind& kind : kinds_of(c.dtype)) {
      const Known* known = find(runtime, c, kind);
      if (known && known->dies) {
        used_.insert(known);
        continue;
      }
      Values values = c.values(kind);
      Outcome expected = attempt([&] { return c.built->run(values); });
      if (expected.refusal.empty())
        all.push_back({&c, kind, std::move(values), std::move(expected.results),
                       fmt::format("{}/{}", c.name(), all.size())});
    }
    return all;
  }

  /// False for a case, of integers most often, that the format has no operator for.
  template <typename Write>
  bool exported(const Case& c, Write write) {
    try {
      write(*c.built, folder_ / c.name());
      return true;
    } catch (const UsageError& error) {
      const std::string message = error.what();
      EXPECT_TRUE((c.dtype != kFloat32 && message.find(" of int") != std::string::npos) ||
                  message.find("got an unknown operator") != std::string::npos)
          << c.name() << ": " << message;
      return false;
    }
  }

  /// Runs everything in Python, by the word for the format.
  template <typename Write>
  void expect_all(const std::string& runtime, const std::string& format, Write write) {
    const std::vector<Case> cases = all_cases();
    std::vector<Compared> all;
    for (const Case& c : cases) {
      auto some = comparisons(runtime, c);
      if (!some.empty() && exported(c, write))
        all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    }
    save(all);
    const auto troubles = run(format);
    const Results results(folder_ / "out.npz");
    for (const Compared& one : all) expect(runtime, one, computed(one, results, troubles));
    expect_known_are_used(runtime);
  }

  void expect(const std::string& runtime, const Compared& one, const Outcome& actual) {
    const bool lacks_integers =
        one.c->dtype != kFloat32 && actual.refusal.find("NOT_IMPLEMENTED") != std::string::npos;
    if (lacks_integers) return;
    const auto result = same(actual, one.expected, one.kind);
    const Known* known = find(runtime, *one.c, one.kind);
    EXPECT_TRUE(result || known) << one.c->name() << ", " << one.kind.name << ": " << result.message();
    table_.add(one.kind.name, one.c->name(), !result, known);
    if (!result) used_.insert(known);
  }
  /// Where a table is asked for: kernels for other processors may differ elsewhere.
  void expect_known_are_used(const std::string& runtime) {
    if (!std::getenv("BELFRY_HARD_VALUES")) return;
    for (const Known& known : kKnown) {
      EXPECT_TRUE(!matches(runtime, known.runtimes) || used_.contains(&known))
          << "never differs: " << known.functions << ", " << known.kinds;
    }
    table_.print(runtime);
  }

  const test::TempDir folder_;

 private:
  void save(const std::vector<Compared>& all) const {
    NpzWriter writer(folder_ / "in.npz");
    for (const Compared& one : all) {
      for (size_t i = 0; i < one.values.size(); ++i) {
        const at::Tensor value = one.values[i].contiguous();
        writer.add(fmt::format("{}/in{}", one.path, i), to_stored(value.scalar_type(), one.path),
                   value.sizes().vec(),
                   {static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()});
      }
    }
    writer.finish();
  }
  /// The troubles by the path of what had them.
  std::map<std::string, std::string> run(const std::string& format) const {
    std::istringstream lines(
        test::run_python("tests/interchange/run_hard_values.py", {format, folder_.path()}));
    std::map<std::string, std::string> troubles;
    for (std::string line; std::getline(lines, line);)
      troubles[line.substr(0, line.find(": "))] = line.substr(line.find(": ") + 2);
    return troubles;
  }
  static Outcome computed(const Compared& one, const Results& results,
                          const std::map<std::string, std::string>& troubles) {
    for (const std::string& path : {one.path, one.c->name()}) {
      const auto found = troubles.find(path);
      if (found != troubles.end()) return {{}, found->second};
    }
    Outcome outcome;
    for (size_t i = 0; i < one.expected.size(); ++i) {
      const auto found = results.arrays.find(fmt::format("{}/{}", one.path, i));
      if (found == results.arrays.end()) return {{}, "was not computed"};
      const ArrayInfo& info = found->second;
      at::Tensor value = at::empty(info.shape, to_dtype(info.dtype));
      results.reader.read(info.name, {static_cast<std::byte*>(value.data_ptr()), value.nbytes()});
      outcome.results.push_back(value);
    }
    return outcome;
  }
  static const Known* find(const std::string& runtime, const Case& c, const ValueKind& kind) {
    for (const Known& known : kKnown) {
      if (matches(runtime, known.runtimes) && matches(c.op().function, known.functions) &&
          matches(kind.name, known.kinds))
        return &known;
    }
    return nullptr;
  }

  const int threads_ = at::get_num_threads();
  std::set<const Known*> used_;
  Table table_;
};

TEST_F(HardValuesTest, AreTheSameInOnnxRuntime) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  expect_all("ONNX Runtime", "onnx", [](test::BuiltCase& built, const std::string& path) {
    export_onnx(built.session, built.inputs, built.outputs, path + ".onnx");
  });
}

TEST_F(HardValuesTest, AreTheSameInTensorFlow) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  expect_all("TensorFlow", "frozen", [](test::BuiltCase& built, const std::string& path) {
    export_frozen_graph(built.session, built.inputs, built.outputs, path + ".pb");
    built.save_output_names(path + ".outputs");
  });
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What TensorFlow computes of a frozen graph it computes of a SavedModel too.
TEST_F(HardValuesTest, ASavedModelHasTheNodesOfTheFrozenGraph) {
  for (const Case& c : all_cases()) {
    const std::string path = folder_ / c.name();
    const auto write = [](test::BuiltCase& built, const std::string& to) {
      export_frozen_graph(built.session, built.inputs, built.outputs, to + ".pb");
      export_saved_model(built.session, built.inputs, built.outputs, to);
    };
    if (c.dtype != kFloat32 || !exported(c, write)) continue;
    const std::string nodes = content(path + ".pb");
    EXPECT_FALSE(nodes.empty());
    EXPECT_NE(content(path + "/saved_model.pb").find(nodes), std::string::npos) << c.name();
  }
}

TEST_F(HardValuesTest, AreTheSameReadAgain) {
  for (const Case& c : all_cases()) {
    const auto some = comparisons("Belfry", c);
    const auto write = [](test::BuiltCase& built, const std::string& path) {
      export_onnx(built.session, built.inputs, built.outputs, path);
    };
    if (some.empty() || !exported(c, write)) continue;
    Graph graph;
    GraphScope as_default(graph);
    const Function imported = import_onnx(folder_ / c.name());
    Session session(graph);
    const Callable run = session.make_callable({imported.inputs.begin(), imported.inputs.end()},
                                               {imported.outputs.begin(), imported.outputs.end()});
    for (const Compared& one : some) expect("Belfry", one, attempt([&] { return run(one.values); }));
  }
  expect_known_are_used("Belfry");
}

}  // namespace
}  // namespace belfry
