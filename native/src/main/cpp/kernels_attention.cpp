// Attention straight from the buffer qkv [n, length, 3·heads·width], one (image, head) at a time, so that everything in
// between (scores, probabilities, normalised keys) stays in cache and never becomes a tensor.
//
//   softmax:  P = softmax(scale Q Kᵀ), y = P V                  in blocks of rows; only log Σ exp of each row is kept
//     dV = Pᵀ dY    dS = P ∘ (dY Vᵀ − (dY · y))    dQ = scale dS K    dK = scale dSᵀ Q
//   linear:   q̂ = scale softmax over features of Q, k̂ = softmax over positions of K, context = k̂ᵀ V, y = q̂ context
//     dcontext = q̂ᵀ dY    dq̂ = dY contextᵀ    dV = k̂ dcontext    dk̂ = V dcontextᵀ
//     dQ = q̂ ∘ (dq̂ − (softmax · dq̂))          dK = k̂ ∘ (dk̂ − Σ_j context dcontext)
//
// The small products run on one register-blocked kernel: rows of C by two vectors, A broadcast from wherever it
// lies, B by rows. Widths are rounded up to 16 by copies where they are not multiples.
#include <omp.h>

#include "kernels.h"
#include "kernels_math.h"

namespace ddpm {
namespace ISA {
namespace {

#ifdef __AVX512F__
typedef float Vector __attribute__((vector_size(64), aligned(4)));
constexpr int kTall = 8;  // rows of C in registers: 8 × 2 vectors of the 32
#else
typedef float Vector __attribute__((vector_size(32), aligned(4)));
constexpr int kTall = 4;  // 4 × 2 vectors of the 16
#endif
constexpr int64_t kVector = sizeof(Vector) / sizeof(float);
constexpr int64_t kLanes = 16;  // widths are rounded up to this
constexpr int64_t kRows = 64;   // rows of scores that are made at a time

int64_t padded(int64_t n) {
    return (n + kLanes - 1) / kLanes * kLanes;
}

Vector load(const float* p) {
    return *reinterpret_cast<const Vector*>(p);
}

void store(float* p, Vector v) {
    *reinterpret_cast<Vector*>(p) = v;
}

// C [rows, V vectors] (+)= alpha · A B over k terms; A(i, t) = a[i·ai + t·at], B by rows of stride ldb.
template <int ROWS, int V>
void tile(int64_t k, const float* a, int64_t ai, int64_t at, const float* b, int64_t ldb, float* c, int64_t ldc,
          float alpha, bool add) {
    // Unrolled whole, or the sums would live in memory instead of registers.
    Vector sum[ROWS][V] = {};
    for (int64_t t = 0; t < k; t++) {
        Vector row[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) row[v] = load(b + t * ldb + v * kVector);
#pragma GCC unroll 8
        for (int i = 0; i < ROWS; i++) {
            float factor = a[i * ai + t * at];
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) sum[i][v] += factor * row[v];
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) {
            float* to = c + i * ldc + v * kVector;
            store(to, add ? load(to) + alpha * sum[i][v] : alpha * sum[i][v]);
        }
}

template <int V>
void strip(int64_t m, int64_t k, const float* a, int64_t ai, int64_t at, const float* b, int64_t ldb, float* c,
           int64_t ldc, float alpha, bool add) {
    int64_t i = 0;
    for (; i + kTall <= m; i += kTall) tile<kTall, V>(k, a + i * ai, ai, at, b, ldb, c + i * ldc, ldc, alpha, add);
    for (; i < m; i++) tile<1, V>(k, a + i * ai, ai, at, b, ldb, c + i * ldc, ldc, alpha, add);
}

// C [m, n] (+)= alpha · A B; n a multiple of 16.
void product(int64_t m, int64_t n, int64_t k, const float* a, int64_t ai, int64_t at, const float* b, int64_t ldb,
             float* c, int64_t ldc, float alpha, bool add) {
    int64_t j = 0;
    for (; j + 2 * kVector <= n; j += 2 * kVector) strip<2>(m, k, a, ai, at, b + j, ldb, c + j, ldc, alpha, add);
    if (j < n) strip<1>(m, k, a, ai, at, b + j, ldb, c + j, ldc, alpha, add);
}

// to [rows, padded(columns)] ← from, zeros beyond.
void widen(const float* from, int64_t stride, int64_t rows, int64_t columns, float* to) {
    int64_t wide = padded(columns);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) to[i * wide + j] = from[i * stride + j];
        for (int64_t j = columns; j < wide; j++) to[i * wide + j] = 0;
    }
}

// to [columns, padded(rows)] ← fromᵀ, zeros beyond.
void turn(const float* from, int64_t stride, int64_t rows, int64_t columns, float* to) {
    int64_t wide = padded(rows);
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = rows; i < wide; i++) to[j * wide + i] = 0;
    for (int64_t i0 = 0; i0 < rows; i0 += kLanes)
        for (int64_t j = 0; j < columns; j++)
            for (int64_t i = i0; i < at_most(rows, i0 + kLanes); i++) to[j * wide + i] = from[i * stride + j];
}

void narrow(const float* from, int64_t rows, int64_t columns, float* to, int64_t stride) {
    int64_t wide = padded(columns);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) to[i * stride + j] = from[i * wide + j];
}

float largest(const float* x, int64_t n) {
    float best = x[0];
    for (int64_t i = 1; i < n; i++) best = best > x[i] ? best : x[i];
    return best;
}

float total(const float* x, int64_t n) {
    float lane[kLanes] = {}, sum = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
#pragma omp simd
        for (int64_t j = 0; j < kLanes; j++) lane[j] += x[i + j];
    for (; i < n; i++) sum += x[i];
    for (int64_t j = 0; j < kLanes; j++) sum += lane[j];
    return sum;
}

float dot(const float* x, const float* y, int64_t n) {
    float lane[kLanes] = {}, sum = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
#pragma omp simd
        for (int64_t j = 0; j < kLanes; j++) lane[j] += x[i + j] * y[i + j];
    for (; i < n; i++) sum += x[i] * y[i];
    for (int64_t j = 0; j < kLanes; j++) sum += lane[j];
    return sum;
}

// Where the parts of one (image, head) lie.
struct Part {
    int64_t stride, out;  // of a row of qkv, of a row of y
    int64_t q, k, v, y;   // offsets

    Part(const AttentionShape& s, int64_t task) {
        int64_t image = task / s.heads, head = task % s.heads, all = s.heads * s.width;
        stride = 3 * all;
        out = all;
        q = image * s.length * stride + head * s.width;
        k = q + all;
        v = k + all;
        y = image * s.length * out + head * s.width;
    }
};

}  // namespace

int64_t attention_workspace(const AttentionShape& s) {
    int64_t d = padded(s.width), l = padded(s.length);
    return omp_get_max_threads() * (2 * s.width * l + 4 * s.length * d + 2 * kRows * l + 2 * kRows * d);
}

void attention(const AttentionShape& s, const float* qkv, float* y, float* log_sum, float* workspace) {
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
            product(count, l, s.width, qkv + part.q + first * part.stride, part.stride, 1, keys, l, scores, l, s.scale,
                    false);
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

void attention_backward(const AttentionShape& s, const float* qkv, const float* y, const float* log_sum,
                        const float* dy, float* dqkv, float* workspace) {
    int64_t d = padded(s.width), l = padded(s.length);
    int64_t each = attention_workspace(s) / omp_get_max_threads();
#pragma omp parallel for schedule(static) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        Part part(s, task);
        float* own = workspace + omp_get_thread_num() * each;
        float *keys = own, *values = keys + s.width * l;                      // turned: [width, l]
        float *plain = values + s.width * l, *dk = plain + s.length * d;      // K [length, d], its gradient
        float *dv = dk + s.length * d, *spare = dv + s.length * d;            // spare: one [length, d] unused by backward
        float *p = spare + s.length * d, *ds = p + kRows * l;                 // a block of rows
        float *rows = ds + kRows * l, *dyw = rows + kRows * d;
        turn(qkv + part.k, part.stride, s.length, s.width, keys);
        turn(qkv + part.v, part.stride, s.length, s.width, values);
        widen(qkv + part.k, part.stride, s.length, s.width, plain);
        for (int64_t i = 0; i < s.length * d; i++) dk[i] = dv[i] = 0;
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            const float* q = qkv + part.q + first * part.stride;
            const float *yi = y + part.y + first * part.out, *dyi = dy + part.y + first * part.out;
            product(count, l, s.width, q, part.stride, 1, keys, l, p, l, s.scale, false);
            product(count, l, s.width, dyi, part.out, 1, values, l, ds, l, 1.0f, false);
            for (int64_t i = 0; i < count; i++) {
                float *pi = p + i * l, *dsi = ds + i * l;
                float kept = log_sum[task * s.length + first + i];
                float delta = dot(dyi + i * part.out, yi + i * part.out, s.width);
#pragma omp simd
                for (int64_t j = 0; j < s.length; j++) {
                    pi[j] = exp(pi[j] - kept);
                    dsi[j] = pi[j] * (dsi[j] - delta);
                }
            }
            widen(dyi, part.out, count, s.width, dyw);
            product(s.length, d, count, p, 1, l, dyw, d, dv, d, 1.0f, true);
            product(count, d, s.length, ds, l, 1, plain, d, rows, d, s.scale, false);
            narrow(rows, count, s.width, dqkv + part.q + first * part.stride, part.stride);
            widen(q, part.stride, count, s.width, rows);
            product(s.length, d, count, ds, 1, l, rows, d, dk, d, s.scale, true);
        }
        narrow(dk, s.length, s.width, dqkv + part.k, part.stride);
        narrow(dv, s.length, s.width, dqkv + part.v, part.stride);
    }
}

int64_t linear_attention_workspace(const AttentionShape& s) {
    int64_t d = padded(s.width);
    return omp_get_max_threads() * (5 * s.length * d + 4 * d * d + 2 * d);
}

namespace {

// q̂ = scale · softmax of each row, [length, d], zeros beyond the width.
void normalise_queries(const AttentionShape& s, const float* q, int64_t stride, float* to) {
    int64_t d = padded(s.width);
    for (int64_t i = 0; i < s.length; i++) {
        const float* row = q + i * stride;
        float* out = to + i * d;
        float top = largest(row, s.width);
#pragma omp simd
        for (int64_t j = 0; j < s.width; j++) out[j] = exp(row[j] - top);
        for (int64_t j = s.width; j < d; j++) out[j] = 0;
        float factor = s.scale / total(out, s.width);
#pragma omp simd
        for (int64_t j = 0; j < s.width; j++) out[j] *= factor;
    }
}

// k̂ = exp(k − offset) with one offset for each feature, [length, d].
void keys_from(const AttentionShape& s, const float* k, int64_t stride, const float* offset, float* to) {
    int64_t d = padded(s.width);
    for (int64_t i = 0; i < s.length; i++) {
        const float* row = k + i * stride;
        float* out = to + i * d;
#pragma omp simd
        for (int64_t j = 0; j < s.width; j++) out[j] = exp(row[j] - offset[j]);
        for (int64_t j = s.width; j < d; j++) out[j] = 0;
    }
}

}  // namespace

void linear_attention(const AttentionShape& s, const float* qkv, float* y, float* context, float* log_sum,
                      float* workspace) {
    int64_t d = padded(s.width), each = linear_attention_workspace(s) / omp_get_max_threads();
#pragma omp parallel for schedule(static) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        Part part(s, task);
        float* own = workspace + omp_get_thread_num() * each;
        float *q = own, *k = q + s.length * d, *v = k + s.length * d, *rows = v + s.length * d;
        float *ctx = rows + 2 * s.length * d, *offset = ctx + 4 * d * d, *sum = offset + d;
        const float* from = qkv + part.k;
        for (int64_t j = 0; j < s.width; j++) offset[j] = from[j];
        for (int64_t i = 1; i < s.length; i++)
#pragma omp simd
            for (int64_t j = 0; j < s.width; j++) {
                float x = from[i * part.stride + j];
                offset[j] = offset[j] > x ? offset[j] : x;
            }
        keys_from(s, from, part.stride, offset, k);
        for (int64_t j = 0; j < d; j++) sum[j] = 0;
        for (int64_t i = 0; i < s.length; i++)
#pragma omp simd
            for (int64_t j = 0; j < d; j++) sum[j] += k[i * d + j];
        widen(qkv + part.v, part.stride, s.length, s.width, v);
        product(s.width, d, s.length, k, 1, d, v, d, ctx, d, 1.0f, false);
        for (int64_t i = 0; i < s.width; i++) {
            float inverse = 1.0f / sum[i];
            for (int64_t j = 0; j < d; j++) ctx[i * d + j] *= inverse;
            log_sum[task * s.width + i] = offset[i] + log(sum[i]);
        }
        narrow(ctx, s.width, s.width, context + task * s.width * s.width, s.width);
        normalise_queries(s, qkv + part.q, part.stride, q);
        product(s.length, d, s.width, q, d, 1, ctx, d, rows, d, 1.0f, false);
        narrow(rows, s.length, s.width, y + part.y, part.out);
    }
}

void linear_attention_backward(const AttentionShape& s, const float* qkv, const float* context, const float* log_sum,
                               const float* dy, float* dqkv, float* workspace) {
    int64_t d = padded(s.width), each = linear_attention_workspace(s) / omp_get_max_threads();
#pragma omp parallel for schedule(static) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        Part part(s, task);
        float* own = workspace + omp_get_thread_num() * each;
        float *q = own, *k = q + s.length * d, *dyw = k + s.length * d, *dq = dyw + s.length * d, *dk = dq + s.length * d;
        float *dctx = dk + s.length * d, *turned = dctx + d * d, *dturned = turned + d * d, *weight = dturned + 2 * d * d;
        const float* ctx = context + task * s.width * s.width;
        normalise_queries(s, qkv + part.q, part.stride, q);
        keys_from(s, qkv + part.k, part.stride, log_sum + task * s.width, k);
        widen(dy + part.y, part.out, s.length, s.width, dyw);
        product(s.width, d, s.length, q, 1, d, dyw, d, dctx, d, 1.0f, false);  // q̂ᵀ dY
        turn(ctx, s.width, s.width, s.width, turned);
        product(s.length, d, s.width, dyw, d, 1, turned, d, dq, d, 1.0f, false);  // dY contextᵀ
        for (int64_t i = 0; i < s.length; i++) {
            float *qi = q + i * d, *dqi = dq + i * d;
            float mean = dot(qi, dqi, d) / s.scale;
            float* to = dqkv + part.q + i * part.stride;
#pragma omp simd
            for (int64_t j = 0; j < s.width; j++) to[j] = qi[j] * (dqi[j] - mean);
        }
        product(s.length, d, s.width, k, d, 1, dctx, d, dq, d, 1.0f, false);  // k̂ dcontext
        narrow(dq, s.length, s.width, dqkv + part.v, part.stride);
        turn(dctx, d, s.width, s.width, dturned);
        product(s.length, d, s.width, qkv + part.v, part.stride, 1, dturned, d, dk, d, 1.0f, false);  // V dcontextᵀ
        for (int64_t i = 0; i < s.width; i++) weight[i] = dot(ctx + i * s.width, dctx + i * d, s.width);
        for (int64_t i = 0; i < s.length; i++) {
            float *ki = k + i * d, *dki = dk + i * d;
            float* to = dqkv + part.k + i * part.stride;
#pragma omp simd
            for (int64_t j = 0; j < s.width; j++) to[j] = ki[j] * (dki[j] - weight[j]);
        }
    }
}

}  // namespace ISA
}  // namespace ddpm
