#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <string>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/callbacks/inferencer.h"
#include "belfry/graph/tower.h"
#include "belfry/input/input_source.h"
#include "belfry/loop/trainer.h"

namespace belfry::internal {

/// The function to build towers with: `function` if given, else the trainer's. Throws UsageError, in the name
/// of `who`, when there is none.
TowerFunc& choose_tower_func(const std::string& who, Trainer& trainer, TowerFunc* function);

/// Builds an inference tower that reuses the variables of training, on the tensors of `input`. Returns what
/// to fetch for each batch: the tower's first input, whose size is the batch's, then all the inferencers'
/// tensors.
std::vector<Tensor> build_inference_tower(const std::string& name, c10::Device device, TowerFunc& function,
                                          InputSource& input, const Inferencers& inferencers);

/// Number of samples that the values of those fetches belong to.
int64_t batch_size_of(const std::vector<at::Tensor>& values);

/// Hands each inferencer its part of the values.
void give_to_inferencers(const std::vector<at::Tensor>& values, int64_t batch_size,
                         const Inferencers& inferencers);

/// Puts the inferencers' scalars to the monitors.
void report(Trainer& trainer, const Inferencers& inferencers);

}  // namespace belfry::internal
