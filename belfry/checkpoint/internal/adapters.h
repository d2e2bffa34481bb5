#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>

#include "belfry/base/file_system.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/formats/array_info.h"

// One pair of functions for each file format, each in a file of its own.
namespace belfry::internal {

using NamedTensors = std::map<std::string, at::Tensor>;

std::unique_ptr<CheckpointReader> open_bundle(const std::string& prefix);
void write_bundle(const std::string& prefix, const NamedTensors& tensors);

std::unique_ptr<CheckpointReader> open_npz(const std::string& path);
void write_npz(const std::string& path, const NamedTensors& tensors);

std::unique_ptr<CheckpointReader> open_npy(const std::string& path);

std::unique_ptr<CheckpointReader> open_caffe_model(const std::string& path);

std::unique_ptr<CheckpointReader> open_safetensors(const std::string& path);
void write_safetensors(const std::string& path, const NamedTensors& tensors);

/// `stored_dtype`: the file's own word for the type.
CheckpointEntry to_entry(const ArrayInfo& info, std::string stored_dtype);

/// The elements of a contiguous CPU tensor.
ByteSpan bytes_of(const at::Tensor& tensor);
MutableByteSpan mutable_bytes_of(at::Tensor& tensor);

}  // namespace belfry::internal
