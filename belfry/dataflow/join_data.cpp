#include "belfry/dataflow/join_data.h"

#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/dataflow/internal/can_all_resume.h"

namespace belfry {
namespace {

struct ConcatPass {
  std::optional<Datapoint> next() {
    for (; index < sources.size(); ++index, current.reset()) {
      if (!current) current.emplace(sources[index]->start_pass(pass));
      if (std::optional<Datapoint> datapoint = current->next()) return datapoint;
    }
    return std::nullopt;
  }

  int64_t skip(int64_t count) {
    int64_t skipped = 0;
    for (; index < sources.size(); ++index, current.reset()) {
      if (!current) current.emplace(sources[index]->start_pass(pass));
      skipped += current->skip(count - skipped);
      if (skipped == count) break;
    }
    return skipped;
  }

  std::vector<AnyDataFlow> sources;
  int64_t pass;
  size_t index = 0;
  std::optional<DataIterator> current = {};
};

struct JoinPass {
  std::optional<Datapoint> next() {
    Datapoint joined;
    bool has_names = false;
    for (DataIterator& pass : passes) {
      std::optional<Datapoint> part = pass.next();
      if (!part) return std::nullopt;
      if (&pass == &passes.front()) {
        has_names = part->has_names();
        joined = std::move(*part);
      } else if (part->has_names() != has_names) {
        throw DataError("[JoinData] expected names in all sources or in none, got some of each");
      } else if (has_names) {
        add_names(joined, *part);
      } else {
        joined.insert(joined.end(), std::make_move_iterator(part->begin()),
                      std::make_move_iterator(part->end()));
      }
    }
    return joined;
  }

  static void add_names(Datapoint& joined, Datapoint& part) {
    for (size_t i = 0; i < part.size(); ++i) {
      const std::string& name = part.names()[i];
      if (joined.find(name))
        throw DataError(fmt::format("[JoinData] expected different names, got '{}' in two sources", name));
      joined.set(name, std::move(part[i]));
    }
  }

  int64_t skip(int64_t count) {
    for (DataIterator& pass : passes) count = std::min(count, pass.skip(count));
    return count;
  }

  std::vector<DataIterator> passes;
};

}  // namespace

ConcatData::ConcatData(std::vector<AnyDataFlow> sources) : sources_(std::move(sources)) {}

DataIterator ConcatData::start_pass(int64_t pass) {
  return DataIterator(ConcatPass{sources_, pass});
}

std::optional<int64_t> ConcatData::size() const {
  int64_t sum = 0;
  for (const AnyDataFlow& source : sources_) {
    std::optional<int64_t> n = source->size();
    if (!n) return std::nullopt;
    sum += *n;
  }
  return sum;
}

bool ConcatData::can_resume() const {
  return internal::can_all_resume(sources_);
}

void ConcatData::reset_state() {
  DataFlow::reset_state();
  for (const AnyDataFlow& source : sources_) source->reset_state();
}

JoinData::JoinData(std::vector<AnyDataFlow> sources) : sources_(std::move(sources)) {
  if (sources_.empty()) throw UsageError("[JoinData] expected at least one dataflow, got none");
  for (const AnyDataFlow& source : sources_) {
    std::optional<int64_t> first = sources_[0]->size(), n = source->size();
    if (first && n && *first != *n)
      log_warning("[JoinData] dataflows of different sizes: {} and {}", *first, *n);
  }
}

DataIterator JoinData::start_pass(int64_t pass) {
  std::vector<DataIterator> passes;
  for (const AnyDataFlow& source : sources_) passes.push_back(source->start_pass(pass));
  return DataIterator(JoinPass{std::move(passes)});
}

std::optional<int64_t> JoinData::size() const {
  std::optional<int64_t> smallest = sources_[0]->size();
  for (const AnyDataFlow& source : sources_) {
    std::optional<int64_t> n = source->size();
    if (!n) return std::nullopt;
    smallest = std::min(*smallest, *n);
  }
  return smallest;
}

bool JoinData::can_resume() const {
  return internal::can_all_resume(sources_);
}

void JoinData::reset_state() {
  DataFlow::reset_state();
  for (const AnyDataFlow& source : sources_) source->reset_state();
}

}  // namespace belfry
