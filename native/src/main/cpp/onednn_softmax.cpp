#include "onednn_plan.h"
#include "passes.h"
#include "softmax.h"

namespace ddpm {

namespace {

constexpr auto kSoftmax = dnnl::algorithm::softmax_accurate;

Desc stack(Type type, const Stack& s) {
    if (s.inner == 1) return strided(type, {s.outer, s.length}, {s.length, 1});
    return strided(type, {s.outer, s.length, s.inner}, {s.length * s.inner, s.inner, 1});
}

dnnl::softmax_forward::primitive_desc forward_desc(const Desc& x, const dnnl::primitive_attr& attributes) {
    return dnnl::softmax_forward::primitive_desc(engine(), dnnl::prop_kind::forward_training, kSoftmax, x, x, 1,
                                                 attributes);
}

Key key(Type type, const Stack& s) { return {static_cast<int64_t>(type), s.outer, s.length, s.inner}; }

}  // namespace

void softmax(Type type, const Stack& s, const void* x, void* y) {
    static auto& plans = *new Plans<Plan>;
    plans
        .get(key(type, s),
             [&] {
                 Desc values = stack(type, s);
                 return std::make_unique<Plan>(forward_desc(values, shared_scratchpad()),
                                               Plan::Arguments{{DNNL_ARG_SRC, values}, {DNNL_ARG_DST, values}});
             })
        .run({x, y});
}

void softmax_backward(Type type, const Stack& s, const void* y, const void* dy, void* dx) {
    if (s.inner > 1) return softmax_backward_strided(type, s, y, dy, dx);
    static auto& plans = *new Plans<Plan>;
    plans
        .get(key(type, s),
             [&] {
                 Desc values = stack(type, s);
                 dnnl::softmax_backward::primitive_desc pd(engine(), kSoftmax, values, values, values, 1,
                                                           forward_desc(values, {}), shared_scratchpad());
                 return std::make_unique<Plan>(
                     pd, Plan::Arguments{
                             {DNNL_ARG_DST, values}, {DNNL_ARG_DIFF_DST, values}, {DNNL_ARG_DIFF_SRC, values}});
             })
        .run({y, dy, dx});
}

}  // namespace ddpm
