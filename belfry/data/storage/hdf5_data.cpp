#include "belfry/data/storage/hdf5_data.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include <mutex>
#include <utility>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/data/storage/internal/columns.h"
#include "belfry/dataflow/internal/stored_tensor.h"
#include "belfry/formats/file_kind.h"

// Datasets of an HDF5 file as columns in memory, through HDF5's C interface. Every call holds one lock, as
// the library may not be called by two threads. A dataset is read only if its shape fits the bytes that it
// is stored in, as much as compression can pack.
namespace belfry {
namespace {

// Deflate, HDF5's strongest common filter, cannot pack better, so a dataset cannot hold more.
constexpr uint64_t kMaxDeflateRatio = 1032;

// HDF5 may be called by one thread at a time. While this lives the library also keeps its errors to itself.
class Hdf5Lock {
 public:
  Hdf5Lock() : lock_(mutex()) {
    H5Eget_auto2(H5E_DEFAULT, &print_, &print_to_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Hdf5Lock() { H5Eset_auto2(H5E_DEFAULT, print_, print_to_); }

 private:
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }

  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_to_ = nullptr;
};

// The innermost reason of the last failure.
std::string last_error() {
  std::string reason = "unknown";
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned n, const H5E_error2_t* error, void* out) -> herr_t {
        if (n == 0 && error->desc) *static_cast<std::string*>(out) = error->desc;
        return 0;
      },
      &reason);
  return reason;
}

// A handle of HDF5's, closed by the function for its kind.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& where, std::string_view what)
      : id_(id), close_(close) {
    if (id_ < 0) throw DataError(where, fmt::format("cannot {}: {}", what, last_error()));
  }
  Handle(const Handle&) = delete;
  ~Handle() { close(); }
  operator hid_t() const { return id_; }
  /// Negative when what was written did not get there.
  herr_t close() { return id_ < 0 ? 0 : close_(std::exchange(id_, -1)); }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

struct Type {
  at::ScalarType scalar;
  hid_t memory;  // HDF5's own constant
};

hid_t half_type() {
  static const hid_t type = [] {
    const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, /*sign=*/15, /*exponent=*/10, /*exponent_size=*/5, /*mantissa=*/0,
                  /*mantissa_size=*/10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    return half;
  }();
  return type;
}

// h5py's form of bool: an enumeration of one byte.
hid_t bool_type() {
  static const hid_t type = [] {
    const hid_t boolean = H5Tenum_create(H5T_NATIVE_INT8);
    for (int8_t value : {0, 1}) H5Tenum_insert(boolean, value ? "TRUE" : "FALSE", &value);
    return boolean;
  }();
  return type;
}

std::vector<Type> types() {
  return {
      {at::kFloat, H5T_NATIVE_FLOAT},   {at::kDouble, H5T_NATIVE_DOUBLE}, {at::kHalf, half_type()},
      {at::kByte, H5T_NATIVE_UINT8},    {at::kChar, H5T_NATIVE_INT8},     {at::kShort, H5T_NATIVE_INT16},
      {at::kInt, H5T_NATIVE_INT32},     {at::kLong, H5T_NATIVE_INT64},    {at::kUInt16, H5T_NATIVE_UINT16},
      {at::kUInt32, H5T_NATIVE_UINT32}, {at::kUInt64, H5T_NATIVE_UINT64}, {at::kBool, bool_type()}};
}

std::optional<Type> type_of(hid_t stored) {
  for (const Type& type : types()) {
    if (H5Tget_class(stored) == H5Tget_class(type.memory) &&
        H5Tget_size(stored) == H5Tget_size(type.memory) &&
        (H5Tget_class(stored) != H5T_INTEGER || H5Tget_sign(stored) == H5Tget_sign(type.memory)))
      return type;
  }
  return std::nullopt;
}

// HDF5's word for a type that is not one of those, for messages.
std::string class_name(hid_t stored) {
  static constexpr std::pair<H5T_class_t, const char*> kNames[] = {{H5T_INTEGER, "integers"},
                                                                   {H5T_FLOAT, "floats"},
                                                                   {H5T_TIME, "times"},
                                                                   {H5T_STRING, "text"},
                                                                   {H5T_BITFIELD, "bits"},
                                                                   {H5T_OPAQUE, "opaque bytes"},
                                                                   {H5T_COMPOUND, "a compound type"},
                                                                   {H5T_ENUM, "an enumeration"},
                                                                   {H5T_REFERENCE, "references"},
                                                                   {H5T_VLEN, "lists of different lengths"},
                                                                   {H5T_ARRAY, "arrays as elements"}};
  const H5T_class_t found = H5Tget_class(stored);
  for (const auto& [type, name] : kNames) {
    if (type == found) return fmt::format("{} of {} bytes", name, H5Tget_size(stored));
  }
  return "another type";
}

std::vector<int64_t> shape_of(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> sizes(static_cast<size_t>(std::max(rank, 0)));
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  return {sizes.begin(), sizes.end()};
}

// A file of a stranger's could make us read any other file of ours: by a link into it, by values stored in it
// as they are, or by a dataset composed of others. Everything must be in the one file that was named.
at::Tensor read_dataset(hid_t file, const std::string& name, const std::string& path) {
  const std::string where = fmt::format("{}: [dataset {}]", path, name);
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, where, "make its properties");
  auto refuse = [](const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) -> herr_t {
    return -1;
  };
  H5Pset_elink_cb(access, refuse, nullptr);
  const Handle dataset(H5Dopen2(file, name.c_str(), access), H5Dclose, where, "open it");
  const Handle made(H5Dget_create_plist(dataset), H5Pclose, where, "read its properties");
  if (H5Pget_external_count(made) != 0 || H5Pget_layout(made) == H5D_VIRTUAL)
    throw DataError(where, "expected values in this file, got some that it says are in others");
  const Handle stored(H5Dget_type(dataset), H5Tclose, where, "read its type");
  const Handle space(H5Dget_space(dataset), H5Sclose, where, "read its shape");
  const std::optional<Type> type = type_of(stored);
  if (!type) throw DataError(where, "expected numbers, got " + class_name(stored));
  const std::vector<int64_t> shape = shape_of(space);
  if (shape.empty()) throw DataError(where, "expected rows, got a scalar");
  const std::optional<uint64_t> size = byte_size(internal::stored_type(type->scalar, "HDF5Data"), shape);
  if (!size || *size / kMaxDeflateRatio > H5Dget_storage_size(dataset)) {
    throw DataError(where, fmt::format("expected the values of [{}], got {} bytes that cannot hold them",
                                       fmt::join(shape, ", "), H5Dget_storage_size(dataset)));
  }
  at::Tensor tensor = at::empty(shape, at::TensorOptions(type->scalar));
  if (H5Dread(dataset, type->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.mutable_data_ptr()) < 0)
    throw DataError(where, "cannot read it: " + last_error());
  return tensor;
}

std::vector<at::Tensor> read(const std::string& path, const std::vector<std::string>& data_paths) {
  if (data_paths.empty()) throw UsageError("[HDF5Data] expected at least one dataset, got none");
  FileSystem::posix().open(path);  // for the system's reason when it is missing
  const Hdf5Lock lock;
  const hid_t opened = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (opened < 0) {
    const std::string reason = last_error();
    throw DataError(path, fmt::format("cannot open it as HDF5: {}{}", reason, looks_like(path)));
  }
  const Handle file(opened, H5Fclose, path, "open it as HDF5");
  std::vector<at::Tensor> columns;
  for (const std::string& name : data_paths) {
    columns.push_back(read_dataset(file, name, path));
    if (columns.back().size(0) != columns[0].size(0)) {
      throw DataError(fmt::format("{}: [dataset {}]", path, name),
                      fmt::format("expected {} rows as {} has, got {}", columns[0].size(0), data_paths[0],
                                  columns.back().size(0)));
    }
  }
  return columns;
}

void write_dataset(hid_t file, const std::string& name, const at::Tensor& column, const std::string& path) {
  const std::string where = fmt::format("{}: [dataset {}]", path, name);
  const auto& known = types();
  const auto type = std::ranges::find(known, column.scalar_type(), &Type::scalar);
  if (type == known.end()) {
    throw UsageError(fmt::format("[HDF5Serializer] expected a type that HDF5 has for {}, got {}", name,
                                 c10::toString(column.scalar_type())));
  }
  const std::vector<hsize_t> shape(column.sizes().begin(), column.sizes().end());
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose, where,
                     "make its shape");
  const Handle make_groups(H5Pcreate(H5P_LINK_CREATE), H5Pclose, where, "make its properties");
  H5Pset_create_intermediate_group(make_groups, 1);
  const Handle dataset(
      H5Dcreate2(file, name.c_str(), type->memory, space, make_groups, H5P_DEFAULT, H5P_DEFAULT), H5Dclose,
      where, "make it");
  if (H5Dwrite(dataset, type->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, column.const_data_ptr()) < 0)
    throw DataError(where, "cannot write it: " + last_error());
}

void write(const std::string& path, const std::vector<std::string>& data_paths,
           const std::vector<at::Tensor>& columns) {
  const Hdf5Lock lock;
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose, path, "create it");
  for (size_t i = 0; i < columns.size(); ++i) write_dataset(file, data_paths[i], columns[i], path);
  if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 || file.close() < 0)
    throw DataError(path, "cannot write it: " + last_error());
}

}  // namespace

HDF5Data::HDF5Data(const std::string& path, const std::vector<std::string>& data_paths,
                   HDF5DataOptions options)
    : ProxyDataFlow(internal::flow_of_columns(read(path, data_paths), options.shuffle, options.seed)) {}

void HDF5Serializer::save(AnyDataFlow flow, const std::string& path,
                          const std::vector<std::string>& data_paths) {
  const std::vector<at::Tensor> columns = internal::columns_of(*flow, "HDF5Serializer");
  if (columns.size() != data_paths.size()) {
    throw UsageError(fmt::format("[HDF5Serializer] expected a path for each of {} components, got {}",
                                 columns.size(), data_paths.size()));
  }
  TemporaryPath temporary(FileSystem::posix(), path);
  temporary.create()->close();  // the library would make one that others may read
  write(temporary.path(), data_paths, columns);
  temporary.publish();
}

}  // namespace belfry
