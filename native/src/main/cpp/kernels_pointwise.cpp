// y = f(x) and y = f(a, b): one loop for each row of the pointwise table, so that the compiler vectorises each formula.
// Broadcasting is by strides: axes that lie alike in all three arrays are merged, the last one is the inner loop, whose
// strides are 0 or 1. Bound by memory; measured 60 to 70 GB/s on 2 Zen 5 cores for adds, 45 for SiLU.
#include "kernels_axes.h"

namespace ddpm {
namespace VARIANT {
namespace {

constexpr int64_t kChunk = 1 << 14;

using UnaryLoop = void (*)(const Value*, Value*, int64_t);
using BinaryLoop = void (*)(const Value*, int64_t, const Value*, int64_t, Value*, int64_t);

#define UNARY(NAME, formula)                                     \
    void unary_##NAME(const Value* xs, Value* ys, int64_t n) {   \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) {    \
            float x = xs[i];                                     \
            ys[i] = formula;                                     \
        }                                                        \
    }
#define BINARY(NAME, formula)                                                                               \
    void binary_##NAME(const Value* as, int64_t sa, const Value* bs, int64_t sb, Value* ys, int64_t n) {    \
        if (sa == 1 && sb == 1) {                                                                           \
            _Pragma("omp simd") for (int64_t i = 0; i < n; i++) {                                           \
                float a = as[i], b = bs[i];                                                                 \
                ys[i] = formula;                                                                            \
            }                                                                                               \
        } else if (sa == 1 && sb == 0) {                                                                    \
            float b = bs[0];                                                                                \
            _Pragma("omp simd") for (int64_t i = 0; i < n; i++) {                                           \
                float a = as[i];                                                                            \
                ys[i] = formula;                                                                            \
            }                                                                                               \
        } else {                                                                                            \
            for (int64_t i = 0; i < n; i++) {                                                               \
                float a = as[i * sa], b = bs[i * sb];                                                       \
                ys[i] = formula;                                                                            \
            }                                                                                               \
        }                                                                                                   \
    }
#include "pointwise.def"
#undef UNARY
#undef BINARY

#define UNARY(NAME, formula) unary_##NAME,
#define BINARY(NAME, formula)
const UnaryLoop kUnary[] = {
#include "pointwise.def"
};
#undef UNARY
#undef BINARY
#define UNARY(NAME, formula)
#define BINARY(NAME, formula) binary_##NAME,
const BinaryLoop kBinary[] = {
#include "pointwise.def"
};
#undef UNARY
#undef BINARY

}  // namespace

void fill(Value* y, int64_t n, float value) {
    const Value rounded = value;
#pragma omp parallel for simd schedule(static) if (n > kSerial)
    for (int64_t i = 0; i < n; i++) y[i] = rounded;
}

void unary(int f, const Value* x, Value* y, int64_t n) {
    UnaryLoop loop = kUnary[f];
    int64_t chunks = (n + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) if (n > kSerial)
    for (int64_t c = 0; c < chunks; c++) loop(x + c * kChunk, y + c * kChunk, at_most(kChunk, n - c * kChunk));
}

void binary(int f, const Value* a, const int64_t* a_strides, const Value* b, const int64_t* b_strides, Value* y,
            const int32_t* shape, int axes) {
    BinaryLoop loop = kBinary[f];
    Axis axis[kMaxAxes + 1];
    int rank = merged(shape, a_strides, b_strides, axes, axis);
    Axis inner = axis[rank - 1];
    if (rank == 1) {  // one run: cut it, so that all threads have some
        int64_t chunks = (inner.size + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) if (inner.size > kSerial)
        for (int64_t c = 0; c < chunks; c++) {
            int64_t first = c * kChunk;
            loop(a + first * inner.a, inner.a, b + first * inner.b, inner.b, y + first,
                 at_most(kChunk, inner.size - first));
        }
        return;
    }
    each_row(axis, rank - 1, inner.size, [&](int64_t row, int64_t oa, int64_t ob) {
        loop(a + oa, inner.a, b + ob, inner.b, y + row * inner.size, inner.size);
    });
}

}  // namespace VARIANT
}  // namespace ddpm
