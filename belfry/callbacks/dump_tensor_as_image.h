#pragma once

#include <functional>
#include <string>
#include <vector>

#include "belfry/loop/callback.h"

namespace belfry {

struct DumpTensorAsImageOptions {
  /// Of the files, and the tag for monitors; "": the tensor's name.
  std::string prefix = {};
  /// Makes an image [H, W] or [H, W, C], or several [N, H, W, C], of the value; none: it is one.
  std::function<at::Tensor(const at::Tensor& value)> map_func = {};
  /// Pixels are multiplied by it, after map_func; then 0 is black, and 255 white.
  double scale = 255;
};

/// Writes a tensor as images into the trainer's log_dir whenever it is triggered, "<prefix>-ep003.png",
/// several as
/// "<prefix>-ep003-0.png" and so on ('/' of the prefix becomes '-'), and puts them to the monitors. C is 1, 3
/// (RGB) or 4. The tensor is computed by itself, so it must not depend on the inputs: a variable, say.
class DumpTensorAsImage : public Triggerable {
 public:
  explicit DumpTensorAsImage(std::string tensor_name, DumpTensorAsImageOptions options = {});

  std::string name() const override { return "DumpTensorAsImage"; }
  /// Throws UsageError where there is no log_dir, or no tensor of that name.
  void before_train() override;
  /// Throws UsageError for a value that is no image.
  void trigger() override;

 private:
  std::string tensor_name_;
  DumpTensorAsImageOptions options_;
  Tensor tensor_;
};

using DumpParamAsImage = DumpTensorAsImage;

}  // namespace belfry
