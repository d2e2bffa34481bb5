#include "belfry/checkpoint/training_state.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/formats/tfrecord.h"

namespace belfry {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kVersion = 1;

std::string header_of(const TrainingState& state) {
  Json header = {{"version", kVersion},
                 {"global_step", state.global_step},
                 {"epoch", state.epoch},
                 {"steps_done", state.steps_done},
                 {"steps_per_epoch", state.steps_per_epoch}};
  if (state.data) {
    header["data"] = {
        {"source", state.data->source}, {"pass", state.data->pass}, {"index", state.data->index}};
    if (state.data->num_part != 1) header["data"]["num_part"] = state.data->num_part;
  }
  Json random = Json::array();
  for (const auto& [name, numbers] : state.random) random.push_back(name);
  header["random"] = std::move(random);
  return header.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

/// The state of which `header` tells, and the names of the random nodes whose records follow.
TrainingState parse_header(const Json& header, std::vector<std::string>& random) {
  if (const auto version = header.at("version").get<int64_t>(); version != kVersion)
    throw UsageError(fmt::format("expected version {}, got {}", kVersion, version));
  TrainingState state{.global_step = header.at("global_step").get<int64_t>(),
                      .epoch = header.at("epoch").get<int64_t>(),
                      .steps_done = header.at("steps_done").get<int64_t>(),
                      .steps_per_epoch = header.at("steps_per_epoch").get<int64_t>(),
                      .data = {},
                      .random = {}};
  std::vector<int64_t> numbers = {state.global_step, state.epoch, state.steps_done, state.steps_per_epoch};
  if (const auto data = header.find("data"); data != header.end()) {
    state.data = {.source = data->at("source").get<std::string>(),
                  .pass = data->at("pass").get<int64_t>(),
                  .index = data->at("index").get<int64_t>(),
                  .num_part = data->value("num_part", int64_t{1})};
    numbers.insert(numbers.end(), {state.data->pass, state.data->index, state.data->num_part - 1});
  }
  if (std::any_of(numbers.begin(), numbers.end(), [](int64_t n) { return n < 0; }))
    throw UsageError("expected numbers >= 0, got a negative one");
  random = header.at("random").get<std::vector<std::string>>();
  return state;
}

at::Tensor to_bytes(std::string_view record) {
  at::Tensor bytes = at::empty({static_cast<int64_t>(record.size())}, at::kByte);
  if (!record.empty()) std::memcpy(bytes.mutable_data_ptr<uint8_t>(), record.data(), record.size());
  return bytes;
}

}  // namespace

void write_training_state(const std::string& prefix, const TrainingState& state, FileSystem& files) {
  RecordWriter writer(prefix + kTrainingStateSuffix, files);
  writer.append(header_of(state));
  for (const auto& [name, numbers] : state.random) {
    const at::Tensor bytes = numbers.cpu().contiguous();
    writer.append({reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()), bytes.nbytes()});
  }
  writer.publish();
}

std::optional<TrainingState> read_training_state(const std::string& prefix, FileSystem& files) {
  const std::string path = prefix + kTrainingStateSuffix;
  if (!files.exists(path)) return std::nullopt;
  RecordReader reader(path, files);
  std::string record;
  if (!reader.next(record)) throw DataError(path, "expected the state of a training, got an empty file");
  TrainingState state;
  std::vector<std::string> random;
  try {
    state = parse_header(Json::parse(record), random);
  } catch (const nlohmann::json::exception& e) {
    throw DataError(path, fmt::format("expected the state of a training, got {}", e.what()));
  } catch (const UsageError& e) {
    throw DataError(path, e.what());
  }
  for (const std::string& name : random) {
    if (!reader.next(record))
      throw DataError(path, fmt::format("expected the state of {} generators of random numbers, got {}",
                                        random.size(), state.random.size()));
    state.random[name] = to_bytes(record);
  }
  return state;
}

}  // namespace belfry
