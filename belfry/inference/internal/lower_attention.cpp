#include <cmath>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lower_to_primitive.h"
#include "belfry/inference/internal/lowerings.h"

namespace belfry::internal {
namespace {

using dnnl::memory;

/// Scores of more bytes than this leave the cache, where ATen's operator, which never holds all of them, is
/// better.
constexpr int64_t kMaxScores = 16 << 20;

/// As two batched products with a softmax in between: queries, keys, values are [..., heads, time, size].
bool lower_attention(ProgramBuilder& builder, const Node& node) {
  const Tensor query = input_named(node, "query"), key = input_named(node, "key"),
               value = input_named(node, "value"), mask = input_named(node, "attn_mask");
  const Shape &q = query.shape(), &k = key.shape(), &v = value.shape();
  if (q.size() != 4 || k.size() != 4 || v.size() != 4 || node.attribute("is_causal").toBool() ||
      node.attribute("dropout_p").toDouble() != 0 || node.attribute("enable_gqa").toBool())
    return false;
  const DType dtype = query.dtype();
  if (key.dtype() != dtype || value.dtype() != dtype ||
      !supported({builder.value(query), builder.value(key), builder.value(value)}) ||
      (mask.defined() && !supported({builder.value(mask)})))
    return false;
  const int64_t batch = q[0], heads = q[1], time = q[2], size = q[3], keys = k[2], width = v[3];
  if (k[0] != batch || v[0] != batch || k[1] != heads || v[1] != heads) return false;
  const int64_t score_bytes = batch * heads * time * keys * 4;
  if (score_bytes > kMaxScores) return false;

  const auto type = *data_type(element_type(dtype));
  const memory::desc queries({batch, heads, time, size}, type, memory::format_tag::abcd),
      keys_transposed({batch, heads, size, keys}, type, memory::format_tag::abdc),
      values({batch, heads, keys, width}, type, memory::format_tag::abcd),
      scores({batch, heads, time, keys}, memory::data_type::f32, memory::format_tag::abcd),
      weights({batch, heads, time, keys}, type, memory::format_tag::abcd),
      output({batch, heads, time, width}, type, memory::format_tag::acbd);

  const c10::IValue scale = node.attribute("scale");
  dnnl::post_ops after_scores;
  after_scores.append_eltwise(
      1.f, dnnl::algorithm::eltwise_linear,
      static_cast<float>(scale.isNone() ? 1 / std::sqrt(size) : scale.toScalar().toDouble()), 0.f);
  TensorView mask_value;
  memory::desc mask_desc;
  if (mask.defined()) {
    mask_value = builder.dense(mask);
    Sizes sizes = mask_value.sizes();
    if (sizes.size() < 4) sizes.insert(sizes.begin(), 4 - sizes.size(), 1);
    mask_value = mask_value.view(sizes);
    mask_desc = desc_of(mask_value);
    after_scores.append_binary(dnnl::algorithm::binary_add, mask_desc);
  }
  const dnnl::matmul::primitive_desc score(dnnl::matmul::desc(queries, keys_transposed, scores),
                                           attributes(after_scores), cpu_engine());
  const dnnl::softmax_v2_forward::primitive_desc softmax(
      dnnl::softmax_v2_forward::desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_accurate,
                                     scores, weights, 3),
      attributes({}), cpu_engine());
  const dnnl::matmul::primitive_desc average(dnnl::matmul::desc(weights, values, output), attributes({}),
                                             cpu_engine());
  if (!is_usable(score) || !is_usable(softmax) || !is_usable(average)) return false;

  const TensorView score_value = builder.make({batch, heads, time, keys}, kFloat32);
  auto first = make_primitive<dnnl::matmul>(score);
  first->add(DNNL_ARG_SRC, queries, builder.dense(query));
  first->add(DNNL_ARG_WEIGHTS, keys_transposed, builder.dense(key));
  if (mask.defined()) first->add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(1) | DNNL_ARG_SRC_1, mask_desc, mask_value);
  first->add(DNNL_ARG_DST, scores, score_value);
  emit(builder, node, std::move(first), {score_value});

  const TensorView weight_value =
      dtype == kFloat32 ? score_value : builder.make({batch, heads, time, keys}, dtype);
  auto second = make_primitive<dnnl::softmax_v2_forward>(softmax);
  second->add(DNNL_ARG_SRC, scores, score_value);
  second->add(DNNL_ARG_DST, weights, weight_value);
  emit(builder, node, std::move(second), {weight_value});

  // Heads next to each other for each time, as what follows wants them.
  const TensorView result = builder.make({batch, time, heads, width}, dtype);
  auto third = make_primitive<dnnl::matmul>(average);
  third->add(DNNL_ARG_SRC, weights, weight_value);
  third->add(DNNL_ARG_WEIGHTS, values, builder.dense(value));
  third->add(DNNL_ARG_DST, output, result);
  emit(builder, node, std::move(third), {result});
  builder.define(node.output(), result.transpose(1, 2));
  return true;
}

}  // namespace

void add_attention_lowerings(Lowerings& table) {
  table["aten::scaled_dot_product_attention"].push_back(lower_attention);
}

}  // namespace belfry::internal
