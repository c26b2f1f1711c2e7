#include "onednn_plan.h"
#include "passes.h"
#include "softmax.h"

namespace ddpm {

namespace {

constexpr auto kSoftmax = dnnl::algorithm::softmax_accurate;

Desc stack(const Stack& s) {
    if (s.inner == 1) return strided({s.outer, s.length}, {s.length, 1});
    return strided({s.outer, s.length, s.inner}, {s.length * s.inner, s.inner, 1});
}

dnnl::softmax_forward::primitive_desc forward_desc(const Stack& s, const dnnl::primitive_attr& attributes) {
    return dnnl::softmax_forward::primitive_desc(engine(), dnnl::prop_kind::forward_training, kSoftmax, stack(s),
                                                 stack(s), 1, attributes);
}

Key key(const Stack& s) { return {s.outer, s.length, s.inner}; }

}  // namespace

void softmax(const Stack& s, const float* x, float* y) {
    static auto& plans = *new Plans<Plan>;
    plans
        .get(key(s),
             [&] {
                 return std::make_unique<Plan>(
                     forward_desc(s, shared_scratchpad()),
                     Plan::Arguments{{DNNL_ARG_SRC, stack(s)}, {DNNL_ARG_DST, stack(s)}});
             })
        .run({x, y});
}

void softmax_backward(const Stack& s, const float* y, const float* dy, float* dx) {
    if (s.inner > 1) return softmax_backward_strided(s, y, dy, dx);
    static auto& plans = *new Plans<Plan>;
    plans
        .get(key(s),
             [&] {
                 dnnl::softmax_backward::primitive_desc pd(engine(), kSoftmax, stack(s), stack(s), stack(s), 1,
                                                           forward_desc(s, {}), shared_scratchpad());
                 return std::make_unique<Plan>(pd, Plan::Arguments{{DNNL_ARG_DST, stack(s)},
                                                                   {DNNL_ARG_DIFF_DST, stack(s)},
                                                                   {DNNL_ARG_DIFF_SRC, stack(s)}});
             })
        .run({y, dy, dx});
}

}  // namespace ddpm
