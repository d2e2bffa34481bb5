#include "protocol.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ne.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

// The Open Inference Protocol, version 2 (github.com/kserve/open-inference-protocol), with the extension for
// binary tensors: requests to tensors, results to answers. Nothing that a client sends is believed: depth,
// numbers of elements and lengths are checked before memory is taken, and an error names its place in the
// request.
namespace kserve {
namespace {

using belfry::DType;
using belfry::TensorSpec;
// Requests are looked up by key, which an ordered object does one key after the other; answers keep their
// order.
using json = nlohmann::json;
using nlohmann::ordered_json;

// What follows copies binary tensors as they are.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

// No tensor can be larger: sizes above would overflow strides long before their data is missed.
constexpr int64_t kMaxElements = int64_t{1} << 40;

constexpr std::pair<const char*, DType> kDatatypes[] = {
    {"BOOL", belfry::kBool},    {"UINT8", belfry::kUInt8},   {"INT8", belfry::kInt8},
    {"INT16", belfry::kInt16},  {"INT32", belfry::kInt32},   {"INT64", belfry::kInt64},
    {"FP16", belfry::kFloat16}, {"BF16", belfry::kBFloat16}, {"FP32", belfry::kFloat32},
    {"FP64", belfry::kFloat64}};

std::string datatype(DType dtype) {
  for (const auto& [name, value] : kDatatypes)
    if (value == dtype) return name;
  throw HttpError(500, fmt::format("[kserve] expected a dtype that the protocol knows, got {}",
                                   belfry::to_string(dtype)));
}

/// Where in the request a message points at: "inputs[2]".
using Where = std::string;

[[noreturn]] void refuse(const Where& where, const std::string& expected, const std::string& got) {
  throw HttpError(400, fmt::format("[infer {}] expected {}, got {}", where, expected, got));
}

/// A short word for a value; never its text, which may be long.
std::string kind_of(const json& value) {
  return value.is_null() ? "nothing" : value.type_name();
}

std::string describe_number(const json& value) {
  return value.is_number() ? value.dump() : kind_of(value);
}

/// The member, or null when it is missing.
const json& member(const json& object, const char* key) {
  static const json kMissing;
  const auto it = object.find(key);
  return it == object.end() ? kMissing : *it;
}

const json& array_member(const json& object, const char* key, const Where& where) {
  const json& value = member(object, key);
  if (!value.is_array()) refuse(where, fmt::format("an array '{}'", key), kind_of(value));
  return value;
}

const std::string& text_member(const json& object, const char* key, const Where& where) {
  const json& value = member(object, key);
  if (!value.is_string()) refuse(where, fmt::format("a string '{}'", key), kind_of(value));
  return value.get_ref<const std::string&>();
}

/// A member of "parameters", null when it is missing.
const json& parameter(const json& object, const char* key, const Where& where) {
  const json& parameters = member(object, "parameters");
  if (!parameters.is_null() && !parameters.is_object())
    refuse(where, "an object 'parameters'", kind_of(parameters));
  return parameters.is_null() ? parameters : member(parameters, key);
}

bool flag(const json& object, const char* key, const Where& where) {
  const json& value = parameter(object, key, where);
  if (!value.is_null() && !value.is_boolean())
    refuse(where, fmt::format("true or false for '{}'", key), kind_of(value));
  return value.is_boolean() && value.get<bool>();
}

/// Reads JSON without keeping any of it, to see how deep it goes: the parser's own callback would take time
/// that grows with the square of the text.
class Depth : public nlohmann::json_sax<json> {
 public:
  explicit Depth(size_t max) : max_(max) {}
  bool start_object(size_t) override { return enter(); }
  bool start_array(size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool key(string_t&) override { return true; }
  // Whoever parses it says what is wrong.
  bool parse_error(size_t, const std::string&, const json::exception&) override { return false; }

 private:
  bool enter() {
    if (++depth_ > max_) refuse("request", fmt::format("at most {} levels", max_), "more");
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }

  size_t max_;
  size_t depth_ = 0;
};

void check_depth(std::string_view text, size_t max) {
  Depth depth(max);
  json::sax_parse(text, &depth);
}

json parse_json(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.json_bytes) {
    throw HttpError(413, fmt::format("[infer] expected at most {} bytes of JSON, got {}", limits.json_bytes,
                                     text.size()));
  }
  // A tensor's data is nested in the request, its inputs, and one of them.
  check_depth(text, limits.nesting + 3);
  json request;
  try {
    request = json::parse(text);
  } catch (const json::parse_error& error) {
    refuse("request", "JSON", fmt::format("a syntax error at byte {} of {}", error.byte, text.size()));
  } catch (const json::exception&) {
    refuse("request", "JSON", "a number out of range");
  }
  if (!request.is_object()) refuse("request", "a JSON object", kind_of(request));
  return request;
}

size_t json_part(std::string_view body, std::optional<std::string_view> header) {
  if (!header) return body.size();
  size_t length = 0;
  const auto [end, error] = std::from_chars(header->data(), header->data() + header->size(), length);
  if (error != std::errc() || end != header->data() + header->size() || length > body.size()) {
    refuse("Inference-Header-Content-Length", fmt::format("0 to {}, the length of the body", body.size()),
           fmt::format("'{:.40}'", *header));
  }
  return length;
}

DType parse_datatype(const json& tensor, const Where& where) {
  const std::string& name = text_member(tensor, "datatype", where);
  for (const auto& [known, dtype] : kDatatypes)
    if (name == known) return dtype;
  std::string all;
  for (const auto& [known, dtype] : kDatatypes) all += fmt::format("{}{}", all.empty() ? "" : ", ", known);
  refuse(where, "a datatype of " + all, fmt::format("'{:.40}'", name));
}

std::vector<int64_t> parse_shape(const json& tensor, const Where& where, const ParseLimits& limits) {
  const json& sizes = array_member(tensor, "shape", where);
  if (sizes.size() > limits.nesting) {
    refuse(where, fmt::format("at most {} dimensions", limits.nesting), std::to_string(sizes.size()));
  }
  std::vector<int64_t> shape;
  int64_t elements = 1;
  for (const json& size : sizes) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() > static_cast<uint64_t>(kMaxElements / elements)) {
      refuse(where, "a shape of sizes >= 0 for data that can be sent", describe_number(size));
    }
    shape.push_back(size.get<int64_t>());
    elements *= std::max<int64_t>(shape.back(), 1);
  }
  return shape;
}

int64_t elements_of(const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (int64_t size : shape) elements *= size;
  return elements;
}

at::Tensor copy_tensor(const void* data, const std::vector<int64_t>& shape, DType dtype) {
  at::Tensor tensor = at::empty(shape, dtype);
  if (tensor.nbytes() > 0) std::memcpy(tensor.mutable_data_ptr(), data, tensor.nbytes());
  return tensor;
}

/// Reads JSON numbers, flat or nested as the shape says, into a tensor of T's.
template <typename T>
class DataReader {
 public:
  DataReader(const std::vector<int64_t>& shape, const Where& where) : shape_(shape), where_(where) {}

  at::Tensor read(const json& data, DType dtype) {
    const bool nested = shape_.size() > 1 && !data.empty() && data[0].is_array();
    if (nested) {
      read_level(data, 0);
    } else {
      const auto elements = static_cast<size_t>(elements_of(shape_));
      if (data.size() != elements) {
        refuse(where_, fmt::format("{} elements of data for shape {}", elements, belfry::to_string(shape_)),
               std::to_string(data.size()));
      }
      for (const json& value : data) add(value);
    }
    return copy_tensor(values_.data(), shape_, dtype);
  }

 private:
  void read_level(const json& data, size_t dim) {
    if (dim == shape_.size()) return add(data);
    if (!data.is_array() || data.size() != static_cast<size_t>(shape_[dim])) {
      refuse(where_, fmt::format("data nested as shape {}", belfry::to_string(shape_)),
             data.is_array() ? fmt::format("{} elements in dimension {}", data.size(), dim) : kind_of(data));
    }
    for (const json& inner : data) read_level(inner, dim + 1);
  }

  void add(const json& value) {
    if constexpr (std::is_same_v<T, bool>) {
      if (!value.is_boolean()) refuse(where_, "true or false in data", kind_of(value));
      values_.push_back(value.get<bool>());
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!value.is_number()) refuse(where_, "numbers in data", kind_of(value));
      const double number = value.get<double>();
      if (std::abs(number) > std::numeric_limits<T>::max())
        refuse(where_, "data in the datatype's range", value.dump());
      values_.push_back(static_cast<T>(number));
    } else {
      if (!value.is_number_integer()) refuse(where_, "integers in data", kind_of(value));
      const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.get<uint64_t>())
                                                   : std::in_range<T>(value.get<int64_t>());
      if (!fits) refuse(where_, "data in the datatype's range", value.dump());
      values_.push_back(value.get<T>());
    }
  }

  const std::vector<int64_t>& shape_;
  const Where& where_;
  // Grows with the data that is there: the shape is only a claim. Bytes for bool, as in a tensor.
  std::vector<std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>> values_;
};

at::Tensor read_data(const json& data, const std::vector<int64_t>& shape, DType dtype, const Where& where) {
  switch (dtype) {
    case DType::Bool:
      return DataReader<bool>(shape, where).read(data, dtype);
    case DType::Byte:
      return DataReader<uint8_t>(shape, where).read(data, dtype);
    case DType::Char:
      return DataReader<int8_t>(shape, where).read(data, dtype);
    case DType::Short:
      return DataReader<int16_t>(shape, where).read(data, dtype);
    case DType::Int:
      return DataReader<int32_t>(shape, where).read(data, dtype);
    case DType::Long:
      return DataReader<int64_t>(shape, where).read(data, dtype);
    case DType::Float:
      return DataReader<float>(shape, where).read(data, dtype);
    case DType::Double:
      return DataReader<double>(shape, where).read(data, dtype);
    default:
      refuse(where, "binary data for " + datatype(dtype), "JSON");
  }
}

/// Takes the tensor's bytes from the front of `binary`.
at::Tensor take_binary(std::string_view& binary, const json& size, const std::vector<int64_t>& shape,
                       DType dtype, const Where& where) {
  const uint64_t bytes = static_cast<uint64_t>(elements_of(shape)) * c10::elementSize(dtype);
  if (!size.is_number_unsigned() || size.get<uint64_t>() != bytes) {
    refuse(
        where,
        fmt::format("a binary_data_size of {} for {} {}", bytes, datatype(dtype), belfry::to_string(shape)),
        describe_number(size));
  }
  if (bytes > binary.size()) {
    refuse(where, fmt::format("{} bytes of binary data", bytes),
           fmt::format("the body's end after {}", binary.size()));
  }
  const void* data = binary.data();
  binary.remove_prefix(bytes);
  // Any byte but 0 is true; a bool tensor must hold nothing but 0 and 1.
  if (dtype == DType::Bool) return copy_tensor(data, shape, DType::Byte).ne(0);
  return copy_tensor(data, shape, dtype);
}

NamedTensor parse_input(const json& tensor, std::string_view& binary, const Where& where,
                        const ParseLimits& limits) {
  if (!tensor.is_object()) refuse(where, "an object", kind_of(tensor));
  const std::string& name = text_member(tensor, "name", where);
  const DType dtype = parse_datatype(tensor, where);
  const std::vector<int64_t> shape = parse_shape(tensor, where, limits);
  const json& binary_size = parameter(tensor, "binary_data_size", where);
  if (binary_size.is_null())
    return {name, read_data(array_member(tensor, "data", where), shape, dtype, where)};
  if (tensor.contains("data")) refuse(where, "either 'data' or 'binary_data_size'", "both");
  return {name, take_binary(binary, binary_size, shape, dtype, where)};
}

/// The tensor's values as a flat JSON array.
template <typename T>
ordered_json flat(const at::Tensor& tensor) {
  const T* values = tensor.const_data_ptr<T>();
  return ordered_json(std::vector<T>(values, values + tensor.numel()));
}

ordered_json flat_data(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case DType::Bool:
      return flat<bool>(tensor);
    case DType::Float:
      return flat<float>(tensor);
    case DType::Double:
      return flat<double>(tensor);
    case DType::Half:
    case DType::BFloat16:
      return flat<float>(tensor.to(DType::Float));
    default:
      return flat<int64_t>(tensor.to(DType::Long));
  }
}

ordered_json describe(const std::vector<TensorSpec>& specs) {
  ordered_json all = ordered_json::array();
  for (const TensorSpec& spec : specs) {
    all.push_back({{"name", spec.name}, {"datatype", datatype(spec.dtype)}, {"shape", spec.shape}});
  }
  return all;
}

/// Names in a URL need not be UTF-8, JSON must be.
std::string to_text(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

InferRequest parse_infer_request(std::string_view body, std::optional<std::string_view> json_bytes,
                                 const ParseLimits& limits) {
  const size_t length = json_part(body, json_bytes);
  std::string_view binary = body.substr(length);
  const json message = parse_json(body.substr(0, length), limits);

  InferRequest request;
  if (!member(message, "id").is_null()) request.id = text_member(message, "id", "request");
  request.binary_outputs = flag(message, "binary_data_output", "request");
  for (const json& input : array_member(message, "inputs", "request")) {
    const Where where = fmt::format("inputs[{}]", request.inputs.size());
    request.inputs.push_back(parse_input(input, binary, where, limits));
  }
  if (!binary.empty())
    refuse("request", "nothing after the binary tensors", fmt::format("{} bytes", binary.size()));
  if (member(message, "outputs").is_null()) return request;
  std::set<std::string> names;
  for (const json& output : array_member(message, "outputs", "request")) {
    const Where where = fmt::format("outputs[{}]", request.outputs.size());
    if (!output.is_object()) refuse(where, "an object", kind_of(output));
    const std::string& name = text_member(output, "name", where);
    // Or a short request could have an answer of any length.
    if (!names.insert(name).second) refuse(where, "each output once", fmt::format("'{:.100}' twice", name));
    const bool has_own_form = !parameter(output, "binary_data", where).is_null();
    request.outputs.push_back(
        {name, has_own_form ? flag(output, "binary_data", where) : request.binary_outputs});
  }
  return request;
}

std::vector<at::Tensor> in_order(const std::vector<TensorSpec>& specs, const InferRequest& request) {
  std::vector<at::Tensor> tensors(specs.size());
  for (const NamedTensor& input : request.inputs) {
    size_t k = 0;
    while (k < specs.size() && specs[k].name != input.name) ++k;
    if (k == specs.size())
      refuse("inputs", "names of the model's inputs", fmt::format("'{:.100}'", input.name));
    if (tensors[k].defined()) refuse("inputs", "each input once", fmt::format("'{}' twice", input.name));
    tensors[k] = input.value;
  }
  for (size_t k = 0; k < specs.size(); ++k) {
    if (!tensors[k].defined()) refuse("inputs", fmt::format("an input '{}'", specs[k].name), "none");
  }
  return tensors;
}

Body write_infer_response(const ModelInfo& model, const InferRequest& request,
                          const std::vector<at::Tensor>& outputs) {
  std::vector<InferRequest::Output> wanted = request.outputs;
  if (wanted.empty()) {
    for (const TensorSpec& spec : model.outputs) wanted.push_back({spec.name, request.binary_outputs});
  }
  ordered_json response = {{"model_name", model.name}, {"model_version", model.version}};
  if (!request.id.empty()) response["id"] = request.id;
  ordered_json& list = response["outputs"] = ordered_json::array();
  std::string binary;
  bool any_binary = false;
  for (const auto& [name, as_binary] : wanted) {
    size_t k = 0;
    while (k < model.outputs.size() && model.outputs[k].name != name) ++k;
    if (k == model.outputs.size())
      refuse("outputs", "names of the model's outputs", fmt::format("'{:.100}'", name));
    const at::Tensor value = outputs[k].contiguous();
    ordered_json output = {
        {"name", name}, {"datatype", datatype(value.scalar_type())}, {"shape", value.sizes().vec()}};
    if (as_binary) {
      any_binary = true;
      output["parameters"] = {{"binary_data_size", value.nbytes()}};
      binary.append(static_cast<const char*>(value.const_data_ptr()), value.nbytes());
    } else {
      output["data"] = flat_data(value);
    }
    list.push_back(std::move(output));
  }
  Body body{to_text(response), std::nullopt};
  if (any_binary) body.json_bytes = body.bytes.size();
  body.bytes += binary;
  return body;
}

std::string server_metadata() {
  return to_text({{"name", "belfry"}, {"version", "0.1.0"}, {"extensions", {"binary_tensor_data"}}});
}

std::string model_metadata(const ModelInfo& model) {
  return to_text({{"name", model.name},
                  {"versions", {model.version}},
                  {"platform", model.platform},
                  {"inputs", describe(model.inputs)},
                  {"outputs", describe(model.outputs)}});
}

std::string error_body(std::string_view message) {
  return to_text({{"error", message}});
}

std::string state_body(std::string_view key, bool value, std::string_view name) {
  ordered_json body = ordered_json::object();
  if (!name.empty()) body["name"] = name;
  body[std::string(key)] = value;
  return to_text(body);
}

}  // namespace kserve
