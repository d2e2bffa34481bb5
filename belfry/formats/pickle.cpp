#include "belfry/formats/pickle.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <deque>
#include <unordered_map>

#include "belfry/base/error.h"

// The pickle machine of Python's pickletools, cut down to what builds plain values and numpy's arrays: its
// only functions are the five of find_function, and nothing is imported or called. Invariant: memory is in
// proportion to the pickle, though values may be referred to any number of times.
namespace belfry {
namespace {

// The opcodes of Python's pickletools that plain values and numpy's types need.
enum Opcode : uint8_t {
  kProto = 0x80,
  kFrame = 0x95,
  kStop = '.',
  kMark = '(',
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyTuple = ')',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNone = 'N',
  kTrue = 0x88,
  kFalse = 0x89,
  kInt32 = 'J',
  kUInt8 = 'K',
  kUInt16 = 'M',
  kLong1 = 0x8a,
  kFloat = 'G',
  kText8 = 0x8c,
  kText32 = 'X',
  kText64 = 0x8d,
  kBytes8 = 'C',
  kBytes32 = 'B',
  kBytes64 = 0x8e,
  kByteArray64 = 0x96,
  kString8 = 'U',   // Python 2's str
  kString32 = 'T',  //
  kMemoize = 0x94,
  kPut8 = 'q',
  kPut32 = 'r',
  kGet8 = 'h',
  kGet32 = 'j',
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kBuild = 'b',
  kNextBuffer = 0x97,  // bytes that were kept out of the pickle
};
constexpr uint8_t kMinProtocol = 2, kMaxProtocol = 5;

// A pickle may refer to a value that it holds once any number of times. As a tree of values that may take
// this many times the pickle's size.
constexpr uint64_t kMaxRepetition = 128;

enum class Function { kArrayFromBuffer, kEmptyArray, kArrayType, kDtype, kScalar };

std::optional<Function> find_function(std::string_view module, std::string_view name) {
  if (module.starts_with("numpy._core.")) module.remove_prefix(std::strlen("numpy._core."));
  if (module.starts_with("numpy.core.")) module.remove_prefix(std::strlen("numpy.core."));
  if (module == "numeric" && name == "_frombuffer") return Function::kArrayFromBuffer;
  if (module == "multiarray" && name == "_reconstruct") return Function::kEmptyArray;
  if (module == "multiarray" && name == "scalar") return Function::kScalar;
  if (module == "numpy" && name == "ndarray") return Function::kArrayType;
  if (module == "numpy" && name == "dtype") return Function::kDtype;
  return std::nullopt;
}

struct Object;
using Objects = std::vector<Object*>;

struct Mark {};
struct Dtype {
  std::string type;  // "f4"
  char order = '|';
};
struct EmptyArray {};  // to which BUILD gives its content
struct Dict {
  Objects items;  // key, value, key, value, …
};

// Objects beyond kFreeObjects need as many bytes as the shortest number that has one of its own.
constexpr uint64_t kFreeObjects = uint64_t{1} << 18, kBytesPerObject = 3;

// What is on the pickle machine's stack and in its memo. A tuple is a list here.
struct Object {
  std::variant<PythonValue, Objects, Mark, Function, Dtype, EmptyArray, Dict> content;
};

std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Machine {
 public:
  Machine(const std::string& where, ByteSpan bytes)
      : where_(where), bytes_(bytes), values_left_(most_python_values(bytes.size())) {}

  PythonValue run() {
    for (;;) {
      const auto op = static_cast<uint8_t>(take(1)[0]);
      if (op == kStop) break;
      if (!push_value(op) && !combine(op) && !remember(op) && !skip_header(op)) {
        --at_;
        if (op == kNextBuffer)
          fail(
              "expected an array's elements in the pickle, got a mark that they are elsewhere (it was made "
              "with a buffer_callback)");
        fail(fmt::format("expected plain values and arrays of numbers, got the pickle opcode {:#x}", op));
      }
    }
    if (at_ != bytes_.size())
      fail(fmt::format("expected the end of the pickle, got {} more bytes", bytes_.size() - at_));
    left_ = kMaxRepetition * bytes_.size();
    const Object& whole = *pop();
    if (const auto* dict = std::get_if<Dict>(&whole.content)) return {dictionary(*dict)};
    return value_of(whole, 0);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw DataError(where_, at_, what); }

  ByteSpan take(uint64_t size) {
    if (size > bytes_.size() - at_) fail(fmt::format("expected {} bytes, got {}", size, bytes_.size() - at_));
    ByteSpan taken = bytes_.subspan(at_, size);
    at_ += size;
    return taken;
  }
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view line() {
    const std::string_view rest = as_text(bytes_.subspan(at_));
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) fail("expected a line, got none");
    at_ += end + 1;
    return rest.substr(0, end);
  }

  template <typename Content>
  bool push(Content content) {
    if (objects_.size() >= kFreeObjects + bytes_.size() / kBytesPerObject)
      fail("expected fewer values, got more than fit the size of the pickle");
    objects_.push_back({std::move(content)});
    stack_.push_back(&objects_.back());
    return true;
  }
  // Values of one or two bytes, which nothing alters, are one object however often they come.
  template <typename Content>
  bool push_shared(Object*& shared, Content content) {
    if (!shared) shared = &objects_.emplace_back(Object{std::move(content)});
    stack_.push_back(shared);
    return true;
  }
  bool push_bytes(ByteSpan bytes) { return push(PythonValue{bytes}); }
  bool push_text(ByteSpan bytes) { return push(PythonValue{as_text(bytes)}); }

  Object* top() const {
    if (stack_.empty()) fail("expected a value on the pickle's stack, got none");
    return stack_.back();
  }
  Object* pop() {
    Object* object = top();
    stack_.pop_back();
    return object;
  }
  Objects pop_tuple(size_t size) {
    if (stack_.size() < size) fail(fmt::format("expected {} values on the pickle's stack", size));
    Objects values(stack_.end() - static_cast<ptrdiff_t>(size), stack_.end());
    stack_.resize(stack_.size() - size);
    return values;
  }
  Objects pop_to_mark() {
    size_t begin = stack_.size();
    while (begin > 0 && !std::holds_alternative<Mark>(stack_[begin - 1]->content)) --begin;
    if (begin == 0) fail("expected a mark on the pickle's stack, got none");
    Objects values(stack_.begin() + static_cast<ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin - 1);
    return values;
  }

  bool skip_header(uint8_t op) {
    if (op == kFrame) {
      take(8);
    } else if (op == kProto) {
      const auto version = number<uint8_t>();
      if (version > kMaxProtocol) fail(fmt::format("expected a pickle protocol up to 5, got {}", version));
    } else {
      return false;
    }
    return true;
  }

  bool push_value(uint8_t op) {
    switch (op) {
      case kNone:
        return push_shared(none_, PythonValue{});
      case kTrue:
      case kFalse:
        return push_shared(booleans_[op == kTrue ? 1 : 0], PythonValue{op == kTrue});
      case kInt32:
        return push(PythonValue{int64_t{number<int32_t>()}});
      case kUInt8: {
        const auto value = number<uint8_t>();
        return push_shared(bytes_as_integers_[value], PythonValue{int64_t{value}});
      }
      case kUInt16:
        return push(PythonValue{int64_t{number<uint16_t>()}});
      case kLong1:
        return push(long_integer(take(number<uint8_t>())));
      case kFloat:
        return push(PythonValue{std::bit_cast<double>(__builtin_bswap64(number<uint64_t>()))});
      case kText8:
        return push_text(take(number<uint8_t>()));
      case kText32:
        return push_text(take(number<uint32_t>()));
      case kText64:
        return push_text(take(number<uint64_t>()));
      case kBytes8:
      case kString8:
        return push_bytes(take(number<uint8_t>()));
      case kBytes32:
      case kString32:
        return push_bytes(take(number<uint32_t>()));
      case kBytes64:
      case kByteArray64:
        return push_bytes(take(number<uint64_t>()));
      case kEmptyList:
      case kEmptyTuple:
        return push(Objects{});
      case kEmptyDict:
        return push(Dict{});
      case kMark:
        return push_shared(mark_, Mark{});
      case kGlobal: {
        const std::string_view module = line();
        return push_function(module, line());
      }
    }
    return false;
  }

  PythonValue long_integer(ByteSpan little_endian) const {
    const size_t size = little_endian.size();
    const bool is_negative = size > 0 && (little_endian[size - 1] & std::byte{0x80}) != std::byte{};
    uint64_t value = is_negative ? UINT64_MAX : 0;
    std::memcpy(&value, little_endian.data(), std::min(size, sizeof value));
    if (size > 9 || (size == 9 && little_endian[8] != std::byte{}))
      fail("expected an integer of 64 bits, got a larger one");
    if (value > INT64_MAX && !is_negative) return {value};
    return {static_cast<int64_t>(value)};
  }

  bool remember(uint8_t op) {
    switch (op) {
      case kMemoize:
        return put(memo_.size() + far_memo_.size());
      case kPut8:
        return put(number<uint8_t>());
      case kPut32:
        return put(number<uint32_t>());
      case kGet8:
      case kGet32: {
        const uint64_t index = op == kGet8 ? number<uint8_t>() : number<uint32_t>();
        const auto far = far_memo_.find(index);
        if (index >= memo_.size() && far == far_memo_.end())
          fail("expected a value that came before, got an unknown one");
        stack_.push_back(index < memo_.size() ? memo_[index] : far->second);
        return true;
      }
    }
    return false;
  }

  // Python counts without gaps.
  bool put(uint64_t index) {
    if (index < memo_.size()) {
      memo_[index] = top();
    } else if (index == memo_.size()) {
      memo_.push_back(top());
    } else {
      far_memo_[index] = top();
    }
    return true;
  }

  bool combine(uint8_t op) {
    switch (op) {
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return push(pop_tuple(1 + op - kTuple1));
      case kTuple:
        return push(pop_to_mark());
      case kAppend:
        append(pop_tuple(1));
        return true;
      case kAppends:
        append(pop_to_mark());
        return true;
      case kSetItem:
        set_items(pop_tuple(2));
        return true;
      case kSetItems:
        set_items(pop_to_mark());
        return true;
      case kStackGlobal: {
        const Objects words = pop_tuple(2);
        return push_function(text(*words[0]), text(*words[1]));
      }
      case kReduce: {
        const Objects words = pop_tuple(2);
        return call(*words[0], tuple(*words[1]));
      }
      case kBuild: {
        const Object* state = pop();
        build(*top(), tuple(*state));
        return true;
      }
    }
    return false;
  }

  void append(const Objects& values) {
    auto* list = std::get_if<Objects>(&top()->content);
    if (!list) fail("expected a list to append to, got something else");
    list->insert(list->end(), values.begin(), values.end());
  }

  void set_items(const Objects& items) {
    auto* dict = std::get_if<Dict>(&top()->content);
    if (!dict || items.size() % 2 != 0) fail("expected keys and values for a dictionary, got something else");
    dict->items.insert(dict->items.end(), items.begin(), items.end());
  }

  bool push_function(std::string_view module, std::string_view name) {
    const std::optional<Function> function = find_function(module, name);
    if (!function)
      fail(fmt::format("expected plain values and arrays of numbers, got a pickled {}.{}", module, name));
    return push(*function);
  }

  bool call(const Object& function, const Objects& arguments) {
    const auto* which = std::get_if<Function>(&function.content);
    if (!which) fail("expected a function of numpy's to call, got a value");
    switch (*which) {
      case Function::kDtype:
        if (arguments.empty()) break;
        return push(Dtype{std::string(text(*arguments[0]))});
      case Function::kEmptyArray:
        return push(EmptyArray{});
      case Function::kScalar:
        if (arguments.size() != 2) break;
        return push(PythonValue{array(dtype(*arguments[0]), {}, bytes(*arguments[1]), false)});
      case Function::kArrayFromBuffer:
        if (arguments.size() != 4 && arguments.size() != 5) break;
        return push(PythonValue{array_from_buffer(arguments)});
      case Function::kArrayType:
        break;
    }
    fail("expected a call that makes a numpy array, got other arguments");
  }

  // numpy's _frombuffer(elements, dtype, shape, order): order is "C" or "F". From numpy 2.3 on "K" stands for
  // an array whose axes lie in another order: elements of `shape` are row-major, and then its axis
  // `axes[i]` becomes axis i.
  PythonArray array_from_buffer(const Objects& arguments) const {
    const std::string_view order = text(*arguments[3]);
    std::vector<int64_t> sizes = shape(*arguments[2]);
    const ByteSpan elements = bytes(*arguments[0]);
    const bool has_axes = arguments.size() == 5 && !is_none(*arguments[4]);
    if (order != "K" && !has_axes && (order == "C" || order == "F"))
      return array(dtype(*arguments[1]), std::move(sizes), elements, order == "F");
    if (order != "K" || !has_axes) fail(fmt::format("expected an array in order C, F or K, got '{}'", order));

    const std::vector<int64_t> axes = shape(*arguments[4]);
    std::vector<int64_t> turned(sizes.size());
    std::vector<size_t> slowest_first(sizes.size(), sizes.size());
    if (axes.size() != sizes.size()) fail(fmt::format("expected {} axes, got {}", sizes.size(), axes.size()));
    for (size_t i = 0; i < axes.size(); ++i) {
      const auto from = static_cast<uint64_t>(axes[i]);
      if (from >= sizes.size() || slowest_first[from] != sizes.size())
        fail(fmt::format("expected each axis once, got {}", axes[i]));
      turned[i] = sizes[from];
      slowest_first[from] = i;
    }
    PythonArray made = array(dtype(*arguments[1]), std::move(turned), elements, false);
    made.axis_order = std::move(slowest_first);
    return made;
  }

  // BUILD fills in what the call has left open: a dtype's byte order (its state is version, order, …), an
  // array's content (version, shape, dtype, is it column-major, elements).
  void build(Object& object, const Objects& state) {
    if (auto* type = std::get_if<Dtype>(&object.content)) {
      if (state.size() < 2 || text(*state[1]).size() != 1) fail("expected the state of a dtype");
      type->order = text(*state[1])[0];
    } else if (std::holds_alternative<EmptyArray>(object.content)) {
      if (state.size() != 5) fail("expected the state of an array");
      if (const auto* objects = std::get_if<Objects>(&state[4]->content);
          objects && dtype(*state[2]).type == "O8") {
        object.content = array_of_objects(*objects, shape(*state[1]));
        return;
      }
      const auto* flag = std::get_if<PythonValue>(&state[3]->content);
      const auto* is_fortran = flag ? std::get_if<bool>(&flag->value) : nullptr;
      object.content =
          PythonValue{array(dtype(*state[2]), shape(*state[1]), bytes(*state[4]), is_fortran && *is_fortran)};
    } else {
      fail("expected a numpy array or dtype to set the state of, got something else");
    }
  }

  using Content = decltype(Object::content);

  /// Lists of lists of the elements, which lie row by row; without dimensions the one element itself.
  Content array_of_objects(Objects elements, const std::vector<int64_t>& sizes) {
    // A list may be referred to by any number of arrays, and each copies it.
    const auto* dict = elements.size() == 1 ? std::get_if<Dict>(&elements[0]->content) : nullptr;
    copied_ += elements.size() + (dict ? dict->items.size() : 0);
    if (copied_ > bytes_.size()) fail("expected arrays, got ones that repeat their parts too often");
    if (sizes.empty() && elements.size() == 1) {
      if (!dict) return plain(*elements[0]);
      return *dict;
    }
    uint64_t size = 1;
    for (int64_t n : sizes) {
      const bool fits = n >= 0 && !__builtin_mul_overflow(size, static_cast<uint64_t>(n), &size);
      if (!fits || sizes.size() > kMaxPythonRank) fail("expected the shape of an array of objects");
    }
    if (size != elements.size() || sizes.empty())
      fail(fmt::format("expected an array of {} objects, got {}", elements.size(), size));
    for (size_t axis = sizes.size(); axis-- > 1 && !elements.empty();) {
      const auto row = static_cast<size_t>(sizes[axis]);
      Objects rows;
      rows.reserve(elements.size() / row);
      for (size_t begin = 0; begin < elements.size(); begin += row) {
        const auto first = elements.begin() + static_cast<ptrdiff_t>(begin);
        objects_.push_back({Objects(first, first + static_cast<ptrdiff_t>(row))});
        rows.push_back(&objects_.back());
      }
      elements = std::move(rows);
    }
    return elements;
  }

  PythonArray array(const Dtype& type, std::vector<int64_t> shape, ByteSpan elements, bool is_fortran) const {
    PythonArray array = python_array(where_, type.order + type.type, std::move(shape), elements);
    if (is_fortran && array.shape.size() > 1) {
      for (size_t axis = array.shape.size(); axis-- > 0;) array.axis_order.push_back(axis);
    }
    return array;
  }

  const PythonValue& plain(const Object& object) const {
    if (const auto* value = std::get_if<PythonValue>(&object.content)) return *value;
    if (std::holds_alternative<Dict>(object.content))
      fail("expected a plain value, got a dictionary, an object or a structure");
    fail("expected a plain value, got a list or something of numpy's");
  }
  static bool is_none(const Object& object) {
    const auto* value = std::get_if<PythonValue>(&object.content);
    return value && std::holds_alternative<std::monostate>(value->value);
  }
  std::string_view text(const Object& object) const {
    const PythonValue& value = plain(object);
    if (const auto* text = std::get_if<std::string_view>(&value.value)) return *text;
    if (const auto* bytes = std::get_if<ByteSpan>(&value.value)) return as_text(*bytes);
    fail("expected a text, got " + type_name(value));
  }
  ByteSpan bytes(const Object& object) const {
    const PythonValue& value = plain(object);
    if (const auto* bytes = std::get_if<ByteSpan>(&value.value)) return *bytes;
    fail("expected the bytes of an array, got " + type_name(value));
  }
  const Objects& tuple(const Object& object) const {
    if (const auto* values = std::get_if<Objects>(&object.content)) return *values;
    fail("expected a tuple, got something else");
  }
  const Dtype& dtype(const Object& object) const {
    if (const auto* type = std::get_if<Dtype>(&object.content)) return *type;
    fail("expected a dtype of numpy's, got something else");
  }
  std::vector<int64_t> shape(const Object& object) const {
    std::vector<int64_t> sizes;
    for (const Object* size : tuple(object)) {
      const auto* number = std::get_if<int64_t>(&plain(*size).value);
      if (!number) fail("expected integers as shape");
      sizes.push_back(*number);
    }
    return sizes;
  }

  PythonDict dictionary(const Dict& dict) {
    const size_t count = dict.items.size() / 2;
    if (count > values_left_) fail("expected fewer values, got more than fit the size of the pickle");
    values_left_ -= count;
    PythonDict result;
    result.keys.reserve(count);
    result.values.reserve(count);
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      result.keys.push_back(text(*dict.items[i]));
      spend(result.keys.back().size());
      result.values.push_back(value_of(*dict.items[i + 1], 1));
    }
    return result;
  }

  PythonValue value_of(const Object& object, int depth) {
    if (depth > kMaxPythonDepth) fail(fmt::format("expected at most {} nested lists", kMaxPythonDepth));
    if (const auto* list = std::get_if<Objects>(&object.content)) {
      if (depth > 0 && list->size() > kMaxPythonRank) {
        if (std::optional<PythonNumbers> all = numbers(*list)) return {*std::move(all)};
      }
      if (list->size() > values_left_)
        fail("expected fewer values, got more than fit the size of the pickle");
      values_left_ -= list->size();
      PythonValue::List values;
      values.reserve(list->size());
      for (const Object* value : *list) values.push_back(value_of(*value, depth + 1));
      return {std::move(values)};
    }
    const PythonValue& value = plain(object);
    if (const auto* array = std::get_if<PythonArray>(&value.value)) spend(array->elements.size());
    if (const auto* bytes = std::get_if<ByteSpan>(&value.value)) spend(bytes->size());
    if (const auto* text = std::get_if<std::string_view>(&value.value)) spend(text->size());
    return value;
  }

  std::optional<PythonNumbers> numbers(const Objects& list) {
    PythonNumbers numbers;
    for (const Object* value : list) {
      const auto* number = std::get_if<PythonValue>(&value->content);
      if (!number || !numbers.add(*number)) return std::nullopt;
      if (numbers.bits.size() == 1) numbers.bits.reserve(list.size());
    }
    spend(list.size() * sizeof numbers.bits[0]);
    return numbers;
  }

  void spend(uint64_t size) {
    if (size > left_) fail("expected a value, got one that repeats its parts too often");
    left_ -= size;
  }

  const std::string& where_;
  ByteSpan bytes_;
  size_t at_ = 0;
  std::deque<Object> objects_;  // owns them all: lists may hold each other, and themselves
  Objects stack_;
  Objects memo_;
  std::unordered_map<uint64_t, Object*> far_memo_;  // of indexes that leave a gap
  Object *none_ = nullptr, *mark_ = nullptr, *booleans_[2] = {}, *bytes_as_integers_[256] = {};
  uint64_t values_left_;
  uint64_t copied_ = 0;  // elements of arrays of objects
  uint64_t left_ = 0;    // bytes that the parts of values may still take
};

}  // namespace

bool is_pickle(ByteSpan bytes) {
  return bytes.size() >= 2 && static_cast<uint8_t>(bytes[0]) == kProto &&
         static_cast<uint8_t>(bytes[1]) >= kMinProtocol && static_cast<uint8_t>(bytes[1]) <= kMaxProtocol;
}

PythonValue parse_pickle(const std::string& where, ByteSpan bytes) {
  return Machine(where, bytes).run();
}

}  // namespace belfry
