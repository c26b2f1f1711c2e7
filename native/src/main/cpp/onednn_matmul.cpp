#include "passes.h"
#include "matmul.h"
#include "onednn_plan.h"

namespace ddpm {

namespace {

Desc factor(int64_t batch, int64_t rows, int64_t columns, bool transposed) {
    return strided({batch, rows, columns}, {rows * columns, transposed ? 1 : columns, transposed ? rows : 1});
}

std::unique_ptr<Plan> matmul_plan(const Product& p, bool with_bias) {
    Desc a = factor(p.a_shared ? 1 : p.batch, p.m, p.inner, p.ta);
    Desc b = factor(p.b_shared ? 1 : p.batch, p.inner, p.n, p.tb);
    Desc y = factor(p.batch, p.m, p.n, false);
    Desc bias = with_bias ? strided({1, 1, p.n}, {p.n, p.n, 1}) : Desc();
    dnnl::matmul::primitive_desc pd(engine(), a, b, bias, y, shared_scratchpad());
    return std::make_unique<Plan>(
        pd,
        Plan::Arguments{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, y}, {DNNL_ARG_BIAS, bias}});
}

// y [m, n] = aᵀ · b with a [inner, m] and b [inner, n], inner long: a weight gradient. Here the BLAS-like entry of oneDNN is
// two to three times faster than its matmul, when the longer of m and n is the last axis of what it writes.
void gradient_product(const Product& p, const float* a, const float* b, float* y) {
    auto sgemm = [&](int64_t m, int64_t n, const float* left, const float* right, float* to) {
        dnnl::error::wrap_c_api(dnnl_sgemm('T', 'N', m, n, p.inner, 1, left, m, right, n, 0, to, n),
                                "oneDNN could not multiply");
    };
    if (p.n >= p.m) return sgemm(p.m, p.n, a, b, y);
    float* turned = static_cast<float*>(scratch().at_least(sizeof(float) * p.m * p.n));
    sgemm(p.n, p.m, b, a, turned);
    transpose(turned, p.n, p.m, y);
}

}  // namespace

void matmul(Product p, const float* a, const float* b, const float* bias, float* y) {
    if (p.b_shared && !p.a_shared && !p.ta) {  // the batch only adds rows
        p.m *= p.batch;
        p.batch = 1;
    }
    if (p.batch == 1 && p.ta && !p.tb && !bias) return gradient_product(p, a, b, y);
    static Plans<Plan> plans;
    Key key{p.batch, p.m, p.n, p.inner, p.ta, p.tb, p.a_shared, p.b_shared, bias != nullptr};
    Plan& plan = plans.get(key, [&] { return matmul_plan(p, bias); });
    plan.run({a, b, y, bias});
}

}  // namespace ddpm
