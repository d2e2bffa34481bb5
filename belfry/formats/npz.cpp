#include "belfry/formats/npz.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <map>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/formats/file_kind.h"
#include "belfry/formats/npy.h"

// A zip archive of .npy members, through libzip. Heads of all members are read when an archive is opened,
// and none may claim more than deflate can pack into its bytes, or all together more bytes than the file
// has: memory is bounded before any is taken. A written archive is built in memory and replaces the file at
// once.
namespace belfry {
namespace {

constexpr std::string_view kSuffix = ".npy";
// Deflate cannot do better than this, so a member cannot hold more.
constexpr uint64_t kMaxDeflateRatio = 1032;

struct ZipErrorText {
  explicit ZipErrorText(int code) { zip_error_init_with_code(&error, code); }
  ~ZipErrorText() { zip_error_fini(&error); }
  std::string text() { return zip_error_strerror(&error); }
  zip_error_t error;
};

struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Member = std::unique_ptr<zip_file_t, CloseFile>;

void read_exactly(zip_file_t* member, const std::string& where, char* out, uint64_t size) {
  while (size > 0) {
    zip_int64_t n = zip_fread(member, out, size);
    if (n < 0) throw DataError(where, zip_file_strerror(member));
    if (n == 0) throw DataError(where, fmt::format("member ends {} bytes early", size));
    out += n;
    size -= static_cast<uint64_t>(n);
  }
}

// Reads the npy head: first what tells its length, then the rest.
NpyHeader read_header(zip_file_t* member, const std::string& where) {
  std::string head(kNpyPrefix, '\0');
  read_exactly(member, where, head.data(), head.size());
  head.resize(npy_header_size(where, head));
  if (head.size() > kNpyPrefix)
    read_exactly(member, where, head.data() + kNpyPrefix, head.size() - kNpyPrefix);
  return parse_npy_header(where, head);
}

std::vector<float> widened(ByteSpan bfloat16) {
  std::vector<float> out(bfloat16.size() / 2);
  for (size_t i = 0; i < out.size(); ++i)
    std::memcpy(reinterpret_cast<char*>(&out[i]) + 2, &bfloat16[2 * i], 2);
  return out;
}

}  // namespace

struct NpzReader::Archive {
  std::string path;
  uint64_t size = 0;
  zip_t* zip = nullptr;
  std::map<std::string, uint64_t> index;  // by array name

  ~Archive() {
    if (zip) zip_discard(zip);
  }

  std::string where(const std::string& name) const { return fmt::format("{}: [array {}]", path, name); }

  Member open(const std::string& name) const {
    Member member(zip_fopen_index(zip, index.at(name), 0));
    if (!member) throw DataError(where(name), zip_strerror(zip));
    return member;
  }

  zip_stat_t stat(uint64_t i) const {
    zip_stat_t stat;
    constexpr uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    if (zip_stat_index(zip, i, 0, &stat) < 0 || (stat.valid & kNeeded) != kNeeded) {
      throw DataError(path, fmt::format("member {} of the archive is damaged: {}", i, zip_strerror(zip)));
    }
    return stat;
  }
};

NpzReader::NpzReader(const std::string& path) : archive_(std::make_unique<Archive>()) {
  archive_->path = path;
  archive_->size = FileSystem::posix().open(path)->size();
  int code = 0;
  archive_->zip = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (!archive_->zip)
    throw DataError(path, "expected an npz file: " + ZipErrorText(code).text() + looks_like(path));
  read_headers();
}

NpzReader::NpzReader(const std::string& name, ByteSpan content) : archive_(std::make_unique<Archive>()) {
  archive_->path = name;
  archive_->size = content.size();
  ZipErrorText error(0);
  zip_source_t* source = zip_source_buffer_create(content.data(), content.size(), 0, &error.error);
  if (source) archive_->zip = zip_open_from_source(source, ZIP_RDONLY, &error.error);
  if (!archive_->zip) {
    zip_source_free(source);
    throw DataError(name, "expected an npz file: " + error.text() + looks_like(content));
  }
  read_headers();
}

NpzReader::~NpzReader() = default;
NpzReader::NpzReader(NpzReader&&) noexcept = default;

void NpzReader::read_headers() {
  auto count = static_cast<uint64_t>(zip_get_num_entries(archive_->zip, 0));
  uint64_t packed = 0;
  for (uint64_t i = 0; i < count; ++i) {
    zip_stat_t stat = archive_->stat(i);
    std::string name(stat.name);
    if (!name.ends_with(kSuffix)) continue;
    name.resize(name.size() - kSuffix.size());
    std::string where = archive_->where(name);
    if (!archive_->index.emplace(name, i).second) throw DataError(where, "is in the archive twice");
    NpyHeader header = read_header(archive_->open(name).get(), where);
    const bool is_foreign = !header.foreign_type.empty();
    const uint64_t expected =
        is_foreign ? stat.size : header.size + *byte_size(header.info.dtype, header.info.shape);
    if (stat.size != expected) {
      throw DataError(where, fmt::format("expected {} bytes for {}, got {}", expected,
                                         describe(header.info.dtype, header.info.shape), stat.size));
    }
    // Members that share their bytes could unpack to any size.
    if (stat.comp_size > archive_->size - packed) {
      throw DataError(where,
                      fmt::format("the members' sizes exceed the {} bytes of the file", archive_->size));
    }
    packed += stat.comp_size;
    if (stat.size / kMaxDeflateRatio > stat.comp_size) {
      throw DataError(where, fmt::format("{} bytes cannot be packed into {}", stat.size, stat.comp_size));
    }
    header.info.name = name;
    if (is_foreign) foreign_types_[name] = header.foreign_type;
    entries_.push_back(header.info);
  }
}

std::string NpzReader::type_name(const ArrayInfo& entry) const {
  const auto foreign = foreign_types_.find(entry.name);
  return foreign == foreign_types_.end() ? to_string(entry.dtype) : foreign->second;
}

void NpzReader::read(const std::string& name, MutableByteSpan out) const {
  std::string where = archive_->where(name);
  if (!archive_->index.contains(name)) throw DataError(where, "not in the archive");
  Member member = archive_->open(name);
  NpyHeader header = read_header(member.get(), where);
  check_numbers(where, header);
  if (byte_size(header.info.dtype, header.info.shape) != out.size()) {
    throw UsageError(fmt::format("[NpzReader] expected memory for {} of {}, got {} bytes",
                                 describe(header.info.dtype, header.info.shape), where, out.size()));
  }
  read_exactly(member.get(), where, reinterpret_cast<char*>(out.data()), out.size());
  // The sum is compared when the end is reached, which only reading past it does.
  char beyond;
  if (zip_fread(member.get(), &beyond, 1) != 0) throw DataError(where, zip_file_strerror(member.get()));
  to_native_layout(header, out);
}

std::string NpzReader::read_pickle(const std::string& name) const {
  const std::string where = archive_->where(name);
  const auto found = archive_->index.find(name);
  if (found == archive_->index.end()) throw DataError(where, "not in the archive");
  const Member member = archive_->open(name);
  const NpyHeader header = read_header(member.get(), where);
  if (!is_pickled(header)) throw DataError(where, "expected an array of objects, got one of other values");
  std::string pickle(archive_->stat(found->second).size - header.size, '\0');
  read_exactly(member.get(), where, pickle.data(), pickle.size());
  char beyond;
  if (zip_fread(member.get(), &beyond, 1) != 0) throw DataError(where, zip_file_strerror(member.get()));
  return pickle;
}

struct NpzWriter::Archive {
  zip_source_t* target = nullptr;
  zip_t* zip = nullptr;
  std::list<std::string> contents;  // libzip reads them when the archive is closed

  ~Archive() {
    if (zip) zip_discard(zip);
    if (target) zip_source_free(target);
  }
  void check(bool good) const {
    if (!good)
      throw InternalError(std::string("[NpzWriter] expected an archive, got: ").append(zip_strerror(zip)));
  }
};

NpzWriter::NpzWriter(std::string path, FileSystem& files)
    : files_(files), path_(std::move(path)), archive_(std::make_unique<Archive>()) {
  ZipErrorText error(0);
  archive_->target = zip_source_buffer_create(nullptr, 0, 0, &error.error);
  if (archive_->target) archive_->zip = zip_open_from_source(archive_->target, ZIP_TRUNCATE, &error.error);
  if (!archive_->zip) throw InternalError("[NpzWriter] expected an archive, got: " + error.text());
  zip_source_keep(archive_->target);  // zip_close gives it up, but what it holds is what we want
}

NpzWriter::~NpzWriter() = default;

void NpzWriter::add(const std::string& name, DataType dtype, const std::vector<int64_t>& shape,
                    ByteSpan bytes) {
  if (byte_size(dtype, shape) != bytes.size()) {
    throw UsageError(fmt::format("[NpzWriter {}] expected the bytes of {} for {}, got {} bytes", path_,
                                 describe(dtype, shape), name, bytes.size()));
  }
  if (dtype == DataType::kBFloat16) {
    std::vector<float> floats = widened(bytes);
    return add(name, DataType::kFloat32, shape, std::as_bytes(std::span(floats)));
  }
  std::string content = npy_header(dtype, shape);
  content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string& kept = archive_->contents.emplace_back(std::move(content));

  zip_source_t* source = zip_source_buffer(archive_->zip, kept.data(), kept.size(), 0);
  archive_->check(source);
  zip_int64_t index =
      zip_file_add(archive_->zip, (name + std::string(kSuffix)).c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    throw UsageError(
        fmt::format("[NpzWriter {}] cannot add {}: {}", path_, name, zip_strerror(archive_->zip)));
  }
  // A fixed date, numpy's, so that equal arrays give equal files.
  constexpr zip_uint16_t kFirstOfJanuary1980 = 0x21;
  archive_->check(
      zip_file_set_dostime(archive_->zip, static_cast<zip_uint64_t>(index), 0, kFirstOfJanuary1980, 0) == 0);
}

void NpzWriter::finish() {
  // libzip makes no file of no members. numpy's is the end of a directory, in zip.
  if (archive_->contents.empty()) {
    const std::string end = std::string("PK\5\6") + std::string(18, '\0');
    return write_file_atomically(files_, path_, as_byte_span(end));
  }
  archive_->check(zip_close(archive_->zip) == 0);
  archive_->zip = nullptr;
  zip_source_t* target = archive_->target;
  zip_stat_t stat;
  if (zip_source_stat(target, &stat) < 0 || !(stat.valid & ZIP_STAT_SIZE) || zip_source_open(target) < 0) {
    throw InternalError("[NpzWriter] expected to read the archive back, got an error");
  }
  std::string content(stat.size, '\0');
  if (zip_source_read(target, content.data(), content.size()) != static_cast<zip_int64_t>(content.size())) {
    throw InternalError("[NpzWriter] expected to read the archive back, got less");
  }
  zip_source_close(target);
  write_file_atomically(files_, path_, as_byte_span(content));
}

}  // namespace belfry
