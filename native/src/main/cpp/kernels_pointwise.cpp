// y = f(x) and y = f(a, b): one loop for each row of the pointwise table, so that the compiler vectorises each formula.
// Broadcasting is by strides: axes that lie alike in all three arrays are merged, the last one is the inner loop, whose
// strides are 0 or 1. Bound by memory; measured 60 to 70 GB/s on 2 Zen 5 cores for adds, 45 for SiLU.
#include "kernels.h"
#include "kernels_math.h"

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
    int64_t size[kMaxAxes] = {}, sa[kMaxAxes] = {}, sb[kMaxAxes] = {};
    int rank = 0;
    for (int k = 0; k < axes; k++) {
        if (shape[k] == 1) continue;
        bool merge = rank > 0 && sa[rank - 1] == a_strides[k] * shape[k] && sb[rank - 1] == b_strides[k] * shape[k];
        if (merge) {
            size[rank - 1] *= shape[k];
        } else {
            size[rank++] = shape[k];
        }
        sa[rank - 1] = a_strides[k];
        sb[rank - 1] = b_strides[k];
    }
    if (rank == 0) {
        size[rank++] = 1;
    }
    if (rank == 1) {  // one run: cut it, so that all threads have some
        int64_t n = size[0], chunks = (n + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) if (n > kSerial)
        for (int64_t c = 0; c < chunks; c++) {
            int64_t first = c * kChunk;
            loop(a + first * sa[0], sa[0], b + first * sb[0], sb[0], y + first, at_most(kChunk, n - first));
        }
        return;
    }
    int64_t inner = size[rank - 1], rows = 1;
    for (int k = 0; k < rank - 1; k++) rows *= size[k];
    int64_t block = inner > 1024 ? 1 : 1024 / inner;  // rows that share one computation of where they lie
    int64_t blocks = (rows + block - 1) / block;
#pragma omp parallel for schedule(static) if (rows * inner > kSerial)
    for (int64_t part = 0; part < blocks; part++) {
        int64_t row = part * block, end = at_most(rows, row + block);
        int64_t at[kMaxAxes], oa = 0, ob = 0, rest = row;
        for (int k = rank - 2; k >= 0; k--) {
            at[k] = rest % size[k];
            rest /= size[k];
            oa += at[k] * sa[k];
            ob += at[k] * sb[k];
        }
        for (; row < end; row++) {
            loop(a + oa, sa[rank - 1], b + ob, sb[rank - 1], y + row * inner, inner);
            for (int k = rank - 2; k >= 0; k--) {
                oa += sa[k];
                ob += sb[k];
                if (++at[k] < size[k]) break;
                oa -= at[k] * sa[k];
                ob -= at[k] * sb[k];
                at[k] = 0;
            }
        }
    }
}

}  // namespace VARIANT
}  // namespace ddpm
