#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "belfry/graph/attribute.h"
#include "belfry/graph/tensor.h"

namespace belfry {

/// Adds one node that applies any operator of the dispatcher, ATen's or a registered one, to the default
/// graph: `call("aten::gelu", {x}, {{"approximate", "tanh"}})`. `inputs` are the schema's tensor arguments in
/// order, `attributes` the others by name (see Graph::add). Throws UsageError when the arguments do not fit
/// the schema, when the shapes are wrong, or when the operator has several outputs.
Tensor call(std::string_view op, const std::vector<Tensor>& inputs, const Attributes& attributes = {},
            const std::string& name = "");

/// As `call`, for operators of any number of outputs.
std::vector<Tensor> call_multi(std::string_view op, const std::vector<Tensor>& inputs,
                               const Attributes& attributes = {}, const std::string& name = "");

}  // namespace belfry
