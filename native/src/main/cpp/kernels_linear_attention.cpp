// Linear attention straight from the buffer qkv [n, length, 3·heads·width], one (image, head) at a time, in blocks of rows
// that stay in the first cache: normalised queries and keys never become a tensor.
//
//   q̂ = scale softmax over features of Q, k̂ = softmax over positions of K, context = k̂ᵀ V, y = q̂ context
//   dcontext = q̂ᵀ dY    dq̂ = dY contextᵀ    dV = k̂ dcontext    dk̂ = V dcontextᵀ
//   dQ = q̂ ∘ (dq̂ − (softmax · dq̂))          dK = k̂ ∘ (dk̂ − Σ_j context dcontext)
#include <omp.h>

#include "kernels_products.h"

namespace ddpm {
namespace VARIANT {

int64_t linear_attention_workspace(const AttentionShape& s) {
    int64_t d = padded(s.width);
    return omp_get_max_threads() * (4 * kRows * d + 4 * d * d + 2 * d);
}

namespace {

constexpr int64_t kAhead = 16;  // rows

// Fetches a row to come. The rows of one head lie far apart, and the processor does not guess them.
void ahead(const Value* row, int64_t width) {
    for (int64_t j = 0; j < width; j += 64 / sizeof(Value)) __builtin_prefetch(row + j);
}

// q̂ = scale · softmax of each row, [rows, d], zeros beyond the width.
void normalise_queries(int64_t rows, int64_t width, float scale, const Value* q, int64_t stride, float* to) {
    int64_t d = padded(width);
    for (int64_t i = 0; i < rows; i++) {
        const Value* row = q + i * stride;
        ahead(row + kAhead * stride, width);
        float* out = to + i * d;
        float top = largest(row, width);
#pragma omp simd
        for (int64_t j = 0; j < width; j++) out[j] = exp(row[j] - top);
        for (int64_t j = width; j < d; j++) out[j] = 0;
        float factor = scale / total(out, width);
#pragma omp simd
        for (int64_t j = 0; j < width; j++) out[j] *= factor;
    }
}

// k̂ = exp(k − offset) with one offset for each feature, [rows, d].
void keys_from(int64_t rows, int64_t width, const Value* k, int64_t stride, const float* offset, float* to) {
    int64_t d = padded(width);
    for (int64_t i = 0; i < rows; i++) {
        const Value* row = k + i * stride;
        ahead(row + kAhead * stride, width);
        float* out = to + i * d;
#pragma omp simd
        for (int64_t j = 0; j < width; j++) out[j] = exp(row[j] - offset[j]);
        for (int64_t j = width; j < d; j++) out[j] = 0;
    }
}

// Rows of whole vectors of floats: where they lie when they are that, else a copy.
struct Rows {
    const float* first;
    int64_t stride;
};

Rows rows_of(const Value* from, int64_t stride, int64_t rows, int64_t width, float* spare) {
    if (as_floats(from) && width == padded(width)) return {as_floats(from), stride};
    widen(from, stride, rows, width, spare);
    return {spare, padded(width)};
}

// to [rows, width] ← A B; straight there when these are whole vectors of floats, else through the spare rows.
void product_to(int64_t rows, int64_t width, const float* a, int64_t ai, const float* b, Value* to, int64_t stride,
                float* spare) {
    int64_t d = padded(width);
    if (as_floats(to) && width == d) {
        product(rows, d, width, a, ai, 1, b, d, as_floats(to), stride, 1.0f, false);
    } else {
        product(rows, d, width, a, ai, 1, b, d, spare, d, 1.0f, false);
        narrow(spare, rows, width, to, stride);
    }
}

}  // namespace

void linear_attention(const AttentionShape& s, const Value* qkv, Value* y, Value* context, float* log_sum,
                      float* workspace) {
    int64_t d = padded(s.width), each = linear_attention_workspace(s) / omp_get_max_threads();
#pragma omp parallel for schedule(static) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        Part part(s, task);
        float* own = workspace + omp_get_thread_num() * each;
        float *k = own, *spare = k + kRows * d, *ctx = spare + kRows * d, *offset = ctx + d * d, *sum = offset + d;
        const Value* from = qkv + part.k;
        for (int64_t j = 0; j < s.width; j++) offset[j] = from[j];
        for (int64_t i = 1; i < s.length; i++) {
            ahead(from + (i + kAhead) * part.stride, s.width);
#pragma omp simd
            for (int64_t j = 0; j < s.width; j++) {
                float x = from[i * part.stride + j];
                offset[j] = offset[j] > x ? offset[j] : x;
            }
        }
        for (int64_t j = 0; j < d; j++) sum[j] = 0;
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            keys_from(count, s.width, from + first * part.stride, part.stride, offset, k);
            for (int64_t i = 0; i < count; i++)
#pragma omp simd
                for (int64_t j = 0; j < d; j++) sum[j] += k[i * d + j];
            Rows v = rows_of(qkv + part.v + first * part.stride, part.stride, count, s.width, spare);
            product(s.width, d, count, k, 1, d, v.first, v.stride, ctx, d, 1.0f, first > 0);
        }
        for (int64_t i = 0; i < s.width; i++) {
            float inverse = 1.0f / sum[i];
            for (int64_t j = 0; j < d; j++) ctx[i * d + j] *= inverse;
            log_sum[task * s.width + i] = offset[i] + log(sum[i]);
        }
        narrow(ctx, s.width, s.width, context + task * s.width * s.width, s.width);
        float* q = k;
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            normalise_queries(count, s.width, s.scale, qkv + part.q + first * part.stride, part.stride, q);
            product_to(count, s.width, q, d, ctx, y + part.y + first * part.out, part.out, spare);
        }
    }
}

void linear_attention_backward(const AttentionShape& s, const Value* qkv, const Value* context, const float* log_sum,
                               const Value* dy, Value* dqkv, float* workspace) {
    int64_t d = padded(s.width), each = linear_attention_workspace(s) / omp_get_max_threads();
#pragma omp parallel for schedule(static) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        Part part(s, task);
        float* own = workspace + omp_get_thread_num() * each;
        float *q = own, *dq = q + kRows * d, *spare = dq + kRows * d;  // blocks of rows
        float *dctx = spare + kRows * d, *turned = dctx + d * d, *dturned = turned + d * d, *weight = dturned + d * d;
        const Value* ctx = context + task * s.width * s.width;
        turn(ctx, s.width, s.width, s.width, turned);
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            normalise_queries(count, s.width, s.scale, qkv + part.q + first * part.stride, part.stride, q);
            Rows dyi = rows_of(dy + part.y + first * part.out, part.out, count, s.width, spare);
            product(s.width, d, count, q, 1, d, dyi.first, dyi.stride, dctx, d, 1.0f, first > 0);  // q̂ᵀ dY
            product(count, d, s.width, dyi.first, dyi.stride, 1, turned, d, dq, d, 1.0f, false);   // dY contextᵀ
            for (int64_t i = 0; i < count; i++) {
                float *qi = q + i * d, *dqi = dq + i * d;
                float mean = dot(qi, dqi, d) / s.scale;
                Value* to = dqkv + part.q + (first + i) * part.stride;
#pragma omp simd
                for (int64_t j = 0; j < s.width; j++) to[j] = qi[j] * (dqi[j] - mean);
            }
        }
        turn(dctx, d, s.width, s.width, dturned);
        for (int64_t i = 0; i < s.width; i++) weight[i] = dot(ctx + i * s.width, dctx + i * d, s.width);
        float *k = q, *dk = dq;
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first), at = first * part.stride;
            keys_from(count, s.width, qkv + part.k + at, part.stride, log_sum + task * s.width, k);
            product_to(count, s.width, k, d, dctx, dqkv + part.v + at, part.stride, spare);  // k̂ dcontext
            Rows v = rows_of(qkv + part.v + at, part.stride, count, s.width, spare);
            product(count, d, s.width, v.first, v.stride, 1, dturned, d, dk, d, 1.0f, false);  // V dcontextᵀ
            for (int64_t i = 0; i < count; i++) {
                float *ki = k + i * d, *dki = dk + i * d;
                Value* to = dqkv + part.k + at + i * part.stride;
#pragma omp simd
                for (int64_t j = 0; j < s.width; j++) to[j] = ki[j] * (dki[j] - weight[j]);
            }
        }
    }
}

}  // namespace VARIANT
}  // namespace ddpm
