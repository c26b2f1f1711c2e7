#include "passes.h"
#include "convolution.h"
#include "matmul.h"

namespace ddpm {

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

const void* PackedFilters::get(const Desc& packed, Plan& reorder, const void* w, int64_t version) {
    Copy* copy = nullptr;
    for (Copy& c : copies_)
        if (c.layout == packed) copy = &c;
    if (!copy) {
        copies_.emplace_back();
        copy = &copies_.back();
        copy->layout = packed;
    }
    void* data = copy->room.at_least(packed.get_size());
    if (copy->version != version) {
        reorder.run({w, data});
        copy->version = version;
    }
    return data;
}

namespace {

// oneDNN names axes in the order N, C, H, W and leaves the memory order to the strides.
Desc image(Type type, int64_t n, int64_t h, int64_t w, int64_t c) {
    return strided(type, {n, c, h, w}, {h * w * c, 1, w * c, c});
}

Dims filter_extents(const Geometry& g) {
    if (g.groups == 1) return {g.k, g.c, g.r, g.s};
    return {g.groups, g.k / g.groups, g.c / g.groups, g.r, g.s};
}

Desc filter(Type type, const Geometry& g) {
    int64_t c = g.c / g.groups, one = g.r * g.s * c;
    if (g.groups == 1) return strided(type, filter_extents(g), {one, 1, g.s * c, c});
    return strided(type, filter_extents(g), {g.k / g.groups * one, one, 1, g.s * c, c});
}

Desc bias_desc(Type type, const Geometry& g, bool wanted) { return wanted ? strided(type, {g.k}, {1}) : Desc(); }

// A convolution and the reorder of its filter; null when the filter is used as it lies.
struct ConvolutionPlan {
    std::unique_ptr<Plan> convolution, reorder;
    Desc packed;

    const void* filter(PackedFilters& filters, const void* w, int64_t version) const {
        return reorder ? filters.get(packed, *reorder, w, version) : w;
    }
};

std::unique_ptr<ConvolutionPlan> forward_plan(Type type, const Geometry& g, bool with_bias) {
    Desc x = image(type, g.n, g.h, g.w, g.c), y = image(type, g.n, g.p, g.q, g.k), b = bias_desc(type, g, with_bias);
    Forward::primitive_desc pd(engine(), dnnl::prop_kind::forward_training, kDirect, x, any_layout(type, filter_extents(g)), b,
                               y, {g.stride, g.stride}, {g.top, g.left}, {g.bottom, g.right}, shared_scratchpad());
    Desc packed = pd.weights_desc();
    auto plan = std::make_unique<Plan>(
        pd, Plan::Arguments{{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, y}, {DNNL_ARG_BIAS, b}});
    return std::unique_ptr<ConvolutionPlan>(
        new ConvolutionPlan{std::move(plan), reorder_plan(filter(type, g), packed), packed});
}

// The backward descriptors ask for a forward one, as a hint.
Forward::primitive_desc hint(Type type, const Geometry& g, const Desc& x, const Desc& y, const Desc& b) {
    return Forward::primitive_desc(engine(), dnnl::prop_kind::forward_training, kDirect, x,
                                   any_layout(type, filter_extents(g)), b, y, {g.stride, g.stride}, {g.top, g.left},
                                   {g.bottom, g.right});
}

std::unique_ptr<ConvolutionPlan> backward_data_plan(Type type, const Geometry& g) {
    Desc x = image(type, g.n, g.h, g.w, g.c), y = image(type, g.n, g.p, g.q, g.k);
    BackwardData::primitive_desc pd(engine(), kDirect, x, any_layout(type, filter_extents(g)), y, {g.stride, g.stride},
                                    {g.top, g.left}, {g.bottom, g.right}, hint(type, g, x, y, Desc()), shared_scratchpad());
    Desc packed = pd.weights_desc();
    auto plan = std::make_unique<Plan>(
        pd, Plan::Arguments{{DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DIFF_DST, y}, {DNNL_ARG_DIFF_SRC, x}});
    return std::unique_ptr<ConvolutionPlan>(
        new ConvolutionPlan{std::move(plan), reorder_plan(filter(type, g), packed), packed});
}

std::unique_ptr<ConvolutionPlan> backward_weights_plan(Type type, const Geometry& g, bool with_bias) {
    Desc x = image(type, g.n, g.h, g.w, g.c), y = image(type, g.n, g.p, g.q, g.k), b = bias_desc(type, g, with_bias);
    BackwardWeights::primitive_desc pd(engine(), kDirect, x, any_layout(type, filter_extents(g)), b, y, {g.stride, g.stride},
                                       {g.top, g.left}, {g.bottom, g.right}, hint(type, g, x, y, b), shared_scratchpad());
    Desc packed = pd.diff_weights_desc();
    auto plan = std::make_unique<Plan>(pd, Plan::Arguments{{DNNL_ARG_SRC, x},
                                                           {DNNL_ARG_DIFF_DST, y},
                                                           {DNNL_ARG_DIFF_WEIGHTS, packed},
                                                           {DNNL_ARG_DIFF_BIAS, b}});
    return std::unique_ptr<ConvolutionPlan>(
        new ConvolutionPlan{std::move(plan), reorder_plan(packed, filter(type, g)), packed});
}

Key key(Type type, const Geometry& g, bool with_bias) {
    Key key = g.key();
    key.push_back(static_cast<int64_t>(type));
    key.push_back(with_bias);
    return key;
}

Product pixels(const Geometry& g) {  // a 1x1 convolution as y = x · wᵀ
    return {1, g.n * g.p * g.q, g.k, g.c, false, true, false, false};
}

}  // namespace

void convolution(Type type, const Geometry& g, const void* x, const void* w, const void* bias, void* y,
                 PackedFilters& packed, int64_t version) {
    if (g.pointwise()) return matmul(type, pixels(g), x, w, bias, y);
    static auto& plans = *new Plans<ConvolutionPlan>;
    auto& plan = plans.get(key(type, g, bias), [&] { return forward_plan(type, g, bias); });
    plan.convolution->run({x, plan.filter(packed, w, version), y, bias});
}

void convolution_backward_data(Type type, const Geometry& g, const void* w, const void* dy, void* dx,
                               PackedFilters& packed, int64_t version) {
    if (g.pointwise()) return matmul(type, {1, g.n * g.p * g.q, g.c, g.k, false, false, false, false}, dy, w, nullptr, dx);
    static auto& plans = *new Plans<ConvolutionPlan>;
    auto& plan = plans.get(key(type, g, false), [&] { return backward_data_plan(type, g); });
    plan.convolution->run({plan.filter(packed, w, version), dy, dx});
}

void convolution_backward_weights(Type type, const Geometry& g, const void* x, const void* dy, void* dw, void* dbias) {
    if (g.pointwise()) {  // dw = dyᵀ · x
        matmul(type, {1, g.k, g.c, g.n * g.p * g.q, true, false, false, false}, dy, x, nullptr, dw);
        if (dbias) column_sums(type, dy, int64_t(g.n) * g.p * g.q, g.k, dbias);
        return;
    }
    if (g.depthwise()) {
        depthwise_backward_weights(type, g, x, dy, dw);
        if (dbias) column_sums(type, dy, int64_t(g.n) * g.p * g.q, g.k, dbias);
        return;
    }
    static auto& plans = *new Plans<ConvolutionPlan>;
    auto& plan = plans.get(key(type, g, dbias), [&] { return backward_weights_plan(type, g, dbias); });
    void* target = plan.reorder ? scratch().at_least(plan.packed.get_size()) : dw;
    plan.convolution->run({x, dy, target, dbias});
    if (plan.reorder) plan.reorder->run({target, dw});
}

}  // namespace ddpm
