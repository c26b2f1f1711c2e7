// Softmax attention straight from the buffer qkv [n, length, 3·heads·width], one (image, head) at a time, in blocks of rows,
// so that scores and probabilities stay in cache and never become a tensor; only log Σ exp of each row is kept.
//
//   P = softmax(scale Q Kᵀ), y = P V
//   dV = Pᵀ dY    dS = P ∘ (dY Vᵀ − (dY · y))    dQ = scale dS K    dK = scale dSᵀ Q
#include <omp.h>

#include "kernels_products.h"

namespace ddpm {
namespace VARIANT {

int64_t attention_workspace(const AttentionShape& s) {
    int64_t d = padded(s.width), l = padded(s.length);
    return omp_get_max_threads() * (2 * s.width * l + 3 * s.length * d + 2 * kRows * l + 3 * kRows * d);
}

void attention(const AttentionShape& s, const Value* qkv, Value* y, float* log_sum, float* workspace) {
    int64_t d = padded(s.width), l = padded(s.length);
    int64_t each = attention_workspace(s) / omp_get_max_threads();
#pragma omp parallel for schedule(static) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        Part part(s, task);
        float* own = workspace + omp_get_thread_num() * each;
        float *keys = own, *values = keys + s.width * l, *scores = values + s.length * d, *rows = scores + kRows * l;
        turn(qkv + part.k, part.stride, s.length, s.width, keys);
        widen(qkv + part.v, part.stride, s.length, s.width, values);
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            widen(qkv + part.q + first * part.stride, part.stride, count, s.width, rows);
            product(count, l, s.width, rows, d, 1, keys, l, scores, l, s.scale, false);
            for (int64_t i = 0; i < count; i++) {
                float* row = scores + i * l;
                float top = largest(row, s.length);
#pragma omp simd
                for (int64_t j = 0; j < s.length; j++) row[j] = exp(row[j] - top);
                float sum = total(row, s.length), inverse = 1.0f / sum;
#pragma omp simd
                for (int64_t j = 0; j < s.length; j++) row[j] *= inverse;
                log_sum[task * s.length + first + i] = top + log(sum);
            }
            product(count, d, s.length, scores, l, 1, values, d, rows, d, 1.0f, false);
            narrow(rows, count, s.width, y + part.y + first * part.out, part.out);
        }
    }
}

void attention_backward(const AttentionShape& s, const Value* qkv, const Value* y, const float* log_sum,
                        const Value* dy, Value* dqkv, float* workspace) {
    int64_t d = padded(s.width), l = padded(s.length);
    int64_t each = attention_workspace(s) / omp_get_max_threads();
#pragma omp parallel for schedule(static) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        Part part(s, task);
        float* own = workspace + omp_get_thread_num() * each;
        float *keys = own, *values = keys + s.width * l;                      // turned: [width, l]
        float *plain = values + s.width * l, *dk = plain + s.length * d;      // K [length, d], its gradient
        float* dv = dk + s.length * d;
        float *p = dv + s.length * d, *ds = p + kRows * l;                    // a block of rows, as all that follow
        float *q = ds + kRows * l, *dyw = q + kRows * d, *dq = dyw + kRows * d;
        turn(qkv + part.k, part.stride, s.length, s.width, keys);
        turn(qkv + part.v, part.stride, s.length, s.width, values);
        widen(qkv + part.k, part.stride, s.length, s.width, plain);
        for (int64_t i = 0; i < s.length * d; i++) dk[i] = dv[i] = 0;
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            const Value* yi = y + part.y + first * part.out;
            widen(qkv + part.q + first * part.stride, part.stride, count, s.width, q);
            widen(dy + part.y + first * part.out, part.out, count, s.width, dyw);
            product(count, l, s.width, q, d, 1, keys, l, p, l, s.scale, false);
            product(count, l, s.width, dyw, d, 1, values, l, ds, l, 1.0f, false);
            for (int64_t i = 0; i < count; i++) {
                float *pi = p + i * l, *dsi = ds + i * l;
                float kept = log_sum[task * s.length + first + i];
                float delta = dot(yi + i * part.out, dyw + i * d, s.width);
#pragma omp simd
                for (int64_t j = 0; j < s.length; j++) {
                    pi[j] = exp(pi[j] - kept);
                    dsi[j] = pi[j] * (dsi[j] - delta);
                }
            }
            product(s.length, d, count, p, 1, l, dyw, d, dv, d, 1.0f, true);
            product(count, d, s.length, ds, l, 1, plain, d, dq, d, s.scale, false);
            narrow(dq, count, s.width, dqkv + part.q + first * part.stride, part.stride);
            product(s.length, d, count, ds, 1, l, q, d, dk, d, s.scale, true);
        }
        narrow(dk, s.length, s.width, dqkv + part.k, part.stride);
        narrow(dv, s.length, s.width, dqkv + part.v, part.stride);
    }
}

}  // namespace VARIANT
}  // namespace ddpm
