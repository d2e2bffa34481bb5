#include "belfry/checkpoint/internal/assignment.h"

#include <ATen/Parallel.h>
#include <c10/core/ScalarType.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry::internal {
namespace {

int64_t count(const Shape& shape) {
  int64_t product = 1;
  for (int64_t size : shape) product *= size;
  return product;
}

bool is_unsigned(DType dtype) {
  return dtype == DType::Byte || dtype == DType::UInt16 || dtype == DType::UInt32 || dtype == DType::UInt64;
}

bool is_integer(DType dtype) {
  return c10::isIntegralType(dtype, /*includeBool=*/false);
}

/// Between floating point types, and from integers to those that hold all their values.
bool may_cast(DType from, DType to) {
  if (c10::isFloatingType(from) && c10::isFloatingType(to)) return true;
  if (!is_integer(from) || !is_integer(to)) return false;
  const auto bits = [](DType dtype) { return 8 * c10::elementSize(dtype); };
  if (is_unsigned(from) == is_unsigned(to)) return bits(to) >= bits(from);
  return is_unsigned(from) && bits(to) > bits(from);
}

}  // namespace

void Assignments::add(const Variable& variable, const CheckpointEntry& entry, Fit fit) {
  const bool same_shape = entry.shape == variable.shape();
  const bool same_dtype = entry.dtype == variable.dtype();
  if (same_shape && same_dtype) {
    items_.push_back({variable, entry.name, {}});
    return;
  }
  const std::string what =
      fmt::format("'{}' is {} {}, the file has {} {}", variable.name(), to_string(variable.dtype()),
                  to_string(variable.shape()), entry.stored_dtype, to_string(entry.shape));
  const bool reshapes = same_shape || count(entry.shape) == count(variable.shape());
  const bool casts =
      same_dtype || (entry.dtype != DType::Undefined && may_cast(entry.dtype, variable.dtype()));
  if (fit != Fit::kExact && reshapes && casts) {
    const char* verb = same_dtype ? "reshaped" : same_shape ? "cast" : "reshaped and cast";
    log_warning("[{}] {}: {}", who_, what, verb);
    items_.push_back({variable, entry.name, {}});
  } else if (fit == Fit::kConvertOrSkip) {
    log_warning("[{}] {}: left as it is", who_, what);
  } else {
    add_problem(what);
  }
}

void Assignments::read(const CheckpointReader& reader) {
  read([&](const std::string& name) { return reader.tensor(name); });
}

void Assignments::read(const std::function<at::Tensor(const std::string& name)>& value_of) {
  if (!problems_.empty()) {
    throw UsageError(
        fmt::format("[{}] expected values that fit the graph, got from {}: {}. Nothing was restored", who_,
                    source_, fmt::join(problems_, "; ")));
  }
  at::parallel_for(0, static_cast<int64_t>(items_.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Item& item = items_[static_cast<size_t>(i)];
      item.value = value_of(item.name).reshape(item.variable.shape()).to(item.variable.dtype());
    }
  });
}

void Assignments::apply(Session& session) {
  for (Item& item : items_) {
    session.set_value(item.variable, item.value);
    item.value.reset();
  }
}

}  // namespace belfry::internal
