#include "passes.h"
#include "matmul.h"
#include "onednn_plan.h"
#include "variants.h"

namespace ddpm {

namespace {

// Up to this width a bias is written first and added to; beyond, the additional pass costs more than sgemm gains.
constexpr int kNarrow = 160;

Desc factor(Type type, int64_t batch, int64_t rows, int64_t columns, bool transposed) {
    return strided(type, {batch, rows, columns}, {rows * columns, transposed ? 1 : columns, transposed ? rows : 1});
}

std::unique_ptr<Plan> matmul_plan(Type type, const Product& p, bool with_bias) {
    Desc a = factor(type, p.a_shared ? 1 : p.batch, p.m, p.inner, p.ta);
    Desc b = factor(type, p.b_shared ? 1 : p.batch, p.inner, p.n, p.tb);
    Desc y = factor(type, p.batch, p.m, p.n, false);
    Desc bias = with_bias ? strided(type, {1, 1, p.n}, {p.n, p.n, 1}) : Desc();
    dnnl::matmul::primitive_desc pd(engine(), a, b, bias, y, shared_scratchpad());
    return std::make_unique<Plan>(
        pd,
        Plan::Arguments{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, y}, {DNNL_ARG_BIAS, bias}});
}

// y [m, n] = op(a) · op(b) + beta · y by the BLAS-like entry of oneDNN, which is level with its matmul primitive or up to
// three times faster (weight gradients: a long inner axis) for what networks ask.
void sgemm(int64_t m, int64_t n, int64_t inner, bool ta, bool tb, const float* a, const float* b, float beta, float* y) {
    dnnl::error::wrap_c_api(dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, inner, 1, a, ta ? m : inner, b,
                                       tb ? inner : n, beta, y, n),
                            "oneDNN could not multiply");
}

void product_of_floats(const Product& p, const float* a, const float* b, const float* bias, float* y) {
    if (p.ta && !p.tb && !bias && p.m > p.n) {  // a weight gradient: faster when the longer axis of the result is the last
        float* turned = static_cast<float*>(scratch().at_least(sizeof(float) * p.m * p.n));
        sgemm(p.n, p.m, p.inner, true, false, b, a, 0, turned);
        return transpose(turned, p.n, p.m, y);
    }
    if (bias) repeat_row(bias, p.m, p.n, y);
    sgemm(p.m, p.n, p.inner, p.ta, p.tb, a, b, bias ? 1.0f : 0.0f, y);
}

}  // namespace

void matmul(Type type, Product p, const void* a, const void* b, const void* bias, void* y) {
    if (p.b_shared && !p.a_shared && !p.ta) {  // the batch only adds rows
        p.m *= p.batch;
        p.batch = 1;
    }
    if (type == Type::f32 && p.batch == 1 && (!bias || p.n <= kNarrow))
        return product_of_floats(p, Address{a}, Address{b}, Address{bias}, Address{y});
    static auto& plans = *new Plans<Plan>;
    Key key{static_cast<int64_t>(type), p.batch, p.m, p.n, p.inner, p.ta, p.tb, p.a_shared, p.b_shared, bias != nullptr};
    Plan& plan = plans.get(key, [&] { return matmul_plan(type, p, bias); });
    plan.run({a, b, y, bias});
}

}  // namespace ddpm
