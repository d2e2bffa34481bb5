#include "belfry/formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/formats/file_kind.h"
#include "belfry/formats/json_limits.h"

// A safetensors file (github.com/huggingface/safetensors, "Format"): the length of a JSON header, the
// header, then the bytes of all tensors. Invariant: the tensors lie side by side from the header's end to
// the file's, so that none shares bytes, claims memory that the file has not, or leaves room for something
// hidden.
namespace belfry {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr size_t kAlignment = 8;
constexpr const char* kMetadata = "__metadata__";
constexpr size_t kMaxDepth = 3;  // header, tensor, list
constexpr size_t kMaxRank = 64;  // as many as LibTorch's operators take

// Refuses repeated keys, which the JSON library would drop silently.
json parse_strict(const std::string& path, const std::string& text) {
  if (text.empty() || text[0] != '{') throw DataError(path, "safetensors header does not begin with {");
  check_json(path, "safetensors header", text, {.depth = kMaxDepth, .list = kMaxRank, .unique_keys = true});
  return json::parse(text);
}

// Only plain non-negative integers below 2^63: not -0, not 1.0.
uint64_t size_value(const std::string& where, const json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    throw DataError(where, "expected a size, got " + value.dump());
  }
  return value.get<uint64_t>();
}

const json& field(const std::string& where, const json& tensor, const char* name) {
  if (!tensor.is_object() || !tensor.contains(name)) throw DataError(where, fmt::format("has no {}", name));
  return tensor[name];
}

std::vector<uint64_t> sizes(const std::string& where, const json& list) {
  if (!list.is_array()) throw DataError(where, "expected a list, got " + list.dump());
  std::vector<uint64_t> out;
  for (const json& value : list) out.push_back(size_value(where, value));
  return out;
}

struct Placed {
  ArrayInfo info;
  uint64_t begin, end;
  std::string foreign_type = {};
};

Placed parse_tensor(const std::string& where, const std::string& name, const json& tensor) {
  const json& dtype = field(where, tensor, "dtype");
  std::vector<uint64_t> shape = sizes(where, field(where, tensor, "shape"));
  std::vector<uint64_t> range = sizes(where, field(where, tensor, "data_offsets"));
  Placed placed{{name, DataType::kInvalid, {shape.begin(), shape.end()}}, 0, 0};
  if (!dtype.is_string() || dtype.get<std::string>().empty())
    throw DataError(where, "expected the name of a dtype, got " + dtype.dump());
  placed.info.dtype = from_safetensors_name(dtype.get<std::string>());
  if (range.size() != 2 || range[0] > range[1]) throw DataError(where, "expected data_offsets [begin, end]");
  placed.begin = range[0];
  placed.end = range[1];
  if (placed.info.dtype == DataType::kInvalid) {
    if (!element_count(placed.info.shape))
      throw DataError(where, "impossible shape " + tensor["shape"].dump());
    placed.foreign_type = dtype.get<std::string>();
    return placed;
  }
  if (byte_size(placed.info.dtype, placed.info.shape) != placed.end - placed.begin) {
    throw DataError(
        where, fmt::format("expected the bytes of {}, got {}", describe(placed.info.dtype, placed.info.shape),
                           placed.end - placed.begin));
  }
  return placed;
}

}  // namespace

SafetensorsReader::SafetensorsReader(std::string path, FileSystem& files)
    : path_(std::move(path)), file_(files.open(path_)) {
  uint64_t length = 0;
  if (file_->size() < sizeof length)
    throw DataError(path_, "too short for a safetensors file" + looks_like(*file_));
  file_->read(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > kMaxHeader || length > file_->size() - sizeof length) {
    if (const std::string kind = looks_like(*file_); !kind.empty())
      throw DataError(path_, "expected a safetensors file, got another" + kind);
    throw DataError(path_, fmt::format("safetensors header of {} bytes does not fit", length));
  }
  std::string text(length, '\0');
  file_->read(sizeof length, std::as_writable_bytes(std::span(text)));
  parse_header(text, sizeof length + length);
}

void SafetensorsReader::parse_header(const std::string& text, uint64_t data_begin) {
  std::vector<Placed> placed;
  json header = parse_strict(path_, text);
  for (const auto& [name, value] : header.items()) {
    if (name != kMetadata) {
      placed.push_back(parse_tensor(fmt::format("{}: [tensor {}]", path_, name), name, value));
      continue;
    }
    if (!value.is_object()) throw DataError(path_, "safetensors metadata is not an object");
    for (const auto& [key, entry] : value.items()) {
      if (!entry.is_string()) throw DataError(path_, "safetensors metadata is not a string: " + key);
      metadata_[key] = entry.get<std::string>();
    }
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t position = 0;
  for (Placed& tensor : placed) {
    if (tensor.begin != position) {
      throw DataError(path_, fmt::format("[tensor {}] expected to begin at {}, got {}", tensor.info.name,
                                         position, tensor.begin));
    }
    position = tensor.end;
    if (!tensor.foreign_type.empty()) foreign_types_[tensor.info.name] = std::move(tensor.foreign_type);
    ranges_[tensor.info.name] = {data_begin + tensor.begin, data_begin + tensor.end};
    entries_.push_back(std::move(tensor.info));
  }
  if (position != file_->size() - data_begin) {
    throw DataError(path_,
                    fmt::format("expected {} bytes of data, got {}", position, file_->size() - data_begin));
  }
}

std::string SafetensorsReader::type_name(const ArrayInfo& entry) const {
  const auto foreign = foreign_types_.find(entry.name);
  return foreign == foreign_types_.end() ? to_string(entry.dtype) : foreign->second;
}

void SafetensorsReader::read(const std::string& name, MutableByteSpan out) const {
  auto range = ranges_.find(name);
  if (range == ranges_.end()) throw DataError(path_, fmt::format("[tensor {}] not in the file", name));
  if (const auto foreign = foreign_types_.find(name); foreign != foreign_types_.end())
    throw DataError(path_, fmt::format("[tensor {}] unsupported dtype {}", name, foreign->second));
  auto [begin, end] = range->second;
  if (end - begin != out.size()) {
    throw UsageError(fmt::format("[SafetensorsReader {}] expected {} bytes of memory for {}, got {}", path_,
                                 end - begin, name, out.size()));
  }
  file_->read(begin, out);
}

void write_safetensors(const std::string& path, std::vector<SafetensorsItem> items,
                       const std::map<std::string, std::string>& metadata, FileSystem& files) {
  std::sort(items.begin(), items.end(), [](const SafetensorsItem& a, const SafetensorsItem& b) {
    size_t width_a = size_of(a.info.dtype), width_b = size_of(b.info.dtype);
    return width_a != width_b ? width_a > width_b : a.info.name < b.info.name;
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  uint64_t position = 0;
  for (const auto& [info, bytes] : items) {
    auto dtype = safetensors_name(info.dtype);
    if (!dtype || header.contains(info.name) || info.name == kMetadata) {
      throw UsageError(fmt::format("[safetensors {}] cannot store {} of type {}: {}", path, info.name,
                                   to_string(info.dtype), dtype ? "name is taken" : "no such type there"));
    }
    if (byte_size(info.dtype, info.shape) != bytes.size()) {
      throw UsageError(fmt::format("[safetensors {}] expected the bytes of {} for {}, got {} bytes", path,
                                   describe(info.dtype, info.shape), info.name, bytes.size()));
    }
    header[info.name] = {
        {"dtype", *dtype}, {"shape", info.shape}, {"data_offsets", {position, position + bytes.size()}}};
    position += bytes.size();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception& e) {
    throw UsageError(fmt::format("[safetensors {}] expected names in UTF-8, got: {}", path, e.what()));
  }
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  uint64_t length = text.size();
  AtomicFile file(files, path);
  file.append(std::as_bytes(std::span(&length, 1)));
  file.append(as_byte_span(text));
  for (const SafetensorsItem& item : items) file.append(item.bytes);
  file.publish();
}

}  // namespace belfry
