// Softmax attention straight from the buffer qkv [n, length, 3·heads·width], one (image, head) at a time, in blocks of rows,
// so that scores and probabilities stay in cache and never become a tensor; only log Σ exp of each row is kept.
//
//   P = softmax(scale Q Kᵀ), y = P V
//   dV = Pᵀ dY    dS = P ∘ (dY Vᵀ − (dY · y))    dQ = scale dS K    dK = scale dSᵀ Q
#include <omp.h>

#include "isa.h"
#include "kernels_products.h"

namespace ddpm {
namespace VARIANT {
namespace {

// Workspace of a thread, in floats: what belongs to a whole head, blocks of rows, and copies of both for the products. Rows of
// features are d apart, rows of positions l.
struct Layout {
    int64_t d, l, all, block, scores, thread;

    explicit Layout(const AttentionShape& s)
        : d(spaced(s.width)), l(spaced(s.length)), all((s.length + 1) * d), block(kRows * d), scores(kRows * l) {
        int64_t turned = (s.width + 1) * l;
        thread = 4 * turned + 4 * all + 4 * block + 3 * scores;
    }
};

// Takes pieces of the workspace one after the other.
struct Pieces {
    float* next;

    float* operator()(int64_t floats) {
        float* piece = next;
        next += floats;
        return piece;
    }
};

template <class Word>
void forward(const AttentionShape& s, const Value* qkv, Value* y, float* log_sum, float* workspace) {
    using T = Terms<Word>;
    Layout layout(s);
    int64_t d = layout.d, l = layout.l, features = padded(s.width), positions = padded(s.length);
#pragma omp parallel for schedule(static) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        Part part(s, task);
        Pieces pieces{workspace + omp_get_thread_num() * layout.thread};
        float *turned = pieces((s.width + 1) * l), *plain = pieces(layout.all);
        turn(qkv + part.k, part.stride, s.length, s.width, turned, l);
        widen(qkv + part.v, part.stride, s.length, s.width, plain, d);
        const Word* keys = T::over_rows(turned, s.width, l, pieces((s.width + 1) * l));
        const Word* values = T::over_rows(plain, s.length, d, pieces(layout.all));
        float *scores = pieces(layout.scores), *rows = pieces(layout.block);
        float *copy = pieces(layout.block), *scores_copy = pieces(layout.scores);
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            widen(qkv + part.q + first * part.stride, part.stride, count, s.width, rows, d);
            product(count, positions, T::words(s.width), T::in_rows(rows, count, d, copy), T::words(d), 1, keys, l, scores, l,
                    s.scale, false);
            for (int64_t i = 0; i < count; i++) {
                float* row = scores + i * l;
                float top = largest(row, s.length);
#pragma omp simd
                for (int64_t j = 0; j < s.length; j++) row[j] = exp(row[j] - top);
                float sum = total(row, s.length), inverse = 1.0f / sum;
#pragma omp simd
                for (int64_t j = 0; j < s.length; j++) row[j] *= inverse;
                for (int64_t j = s.length; j < l; j++) row[j] = 0;
                log_sum[task * s.length + first + i] = top + log(sum);
            }
            product(count, features, T::words(s.length), T::in_rows(scores, count, l, scores_copy), T::words(l), 1, values, d,
                    rows, d, 1.0f, false);
            narrow(rows, d, count, s.width, y + part.y + first * part.out, part.out);
        }
    }
}

template <class Word>
void backward(const AttentionShape& s, const Value* qkv, const Value* y, const float* log_sum, const Value* dy,
              Value* dqkv, float* workspace) {
    using T = Terms<Word>;
    Layout layout(s);
    int64_t d = layout.d, l = layout.l, features = padded(s.width), positions = padded(s.length);
    int64_t across = (s.width + 1) * l;
#pragma omp parallel for schedule(static) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        Part part(s, task);
        Pieces pieces{workspace + omp_get_thread_num() * layout.thread};
        float *keys_turned = pieces(across), *values_turned = pieces(across), *keys = pieces(layout.all);
        turn(qkv + part.k, part.stride, s.length, s.width, keys_turned, l);
        turn(qkv + part.v, part.stride, s.length, s.width, values_turned, l);
        widen(qkv + part.k, part.stride, s.length, s.width, keys, d);
        const Word* kt = T::over_rows(keys_turned, s.width, l, pieces(across));
        const Word* vt = T::over_rows(values_turned, s.width, l, pieces(across));
        const Word* k = T::over_rows(keys, s.length, d, pieces(layout.all));
        float *dk = pieces(layout.all), *dv = pieces(layout.all);
        float *p = pieces(layout.scores), *ds = pieces(layout.scores), *q = pieces(layout.block), *dyw = pieces(layout.block);
        float *dq = pieces(layout.block), *copy = pieces(layout.block), *scores_copy = pieces(layout.scores);
        for (int64_t i = 0; i < s.length * d; i++) dk[i] = dv[i] = 0;
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            const Value* yi = y + part.y + first * part.out;
            widen(qkv + part.q + first * part.stride, part.stride, count, s.width, q, d);
            widen(dy + part.y + first * part.out, part.out, count, s.width, dyw, d);
            product(count, positions, T::words(s.width), T::in_rows(q, count, d, copy), T::words(d), 1, kt, l, p, l, s.scale,
                    false);
            product(count, positions, T::words(s.width), T::in_rows(dyw, count, d, copy), T::words(d), 1, vt, l, ds, l, 1.0f,
                    false);
            for (int64_t i = 0; i < count; i++) {
                float *pi = p + i * l, *dsi = ds + i * l;
                float kept = log_sum[task * s.length + first + i];
                float delta = dot(yi + i * part.out, dyw + i * d, s.width);
#pragma omp simd
                for (int64_t j = 0; j < s.length; j++) {
                    pi[j] = exp(pi[j] - kept);
                    dsi[j] = pi[j] * (dsi[j] - delta);
                }
                for (int64_t j = s.length; j < l; j++) pi[j] = dsi[j] = 0;
            }
            product(s.length, features, T::words(count), T::over_rows(p, count, l, scores_copy), 1, l,
                    T::over_rows(dyw, count, d, copy), d, dv, d, 1.0f, true);
            product(count, features, T::words(s.length), T::in_rows(ds, count, l, scores_copy), T::words(l), 1, k, d, dq, d,
                    s.scale, false);
            narrow(dq, d, count, s.width, dqkv + part.q + first * part.stride, part.stride);
            product(s.length, features, T::words(count), T::over_rows(ds, count, l, scores_copy), 1, l,
                    T::over_rows(q, count, d, copy), d, dk, d, s.scale, true);
        }
        narrow(dk, d, s.length, s.width, dqkv + part.k, part.stride);
        narrow(dv, d, s.length, s.width, dqkv + part.v, part.stride);
    }
}

}  // namespace

int64_t attention_workspace(const AttentionShape& s) {
    return omp_get_max_threads() * Layout(s).thread;
}

void attention(const AttentionShape& s, const Value* qkv, Value* y, float* log_sum, float* workspace) {
#ifdef __AVX512BF16__
    if (multiplies_halves()) return forward<Pair>(s, qkv, y, log_sum, workspace);
#endif
    forward<float>(s, qkv, y, log_sum, workspace);
}

void attention_backward(const AttentionShape& s, const Value* qkv, const Value* y, const float* log_sum,
                        const Value* dy, Value* dqkv, float* workspace) {
#ifdef __AVX512BF16__
    if (multiplies_halves()) return backward<Pair>(s, qkv, y, log_sum, dy, dqkv, workspace);
#endif
    backward<float>(s, qkv, y, log_sum, dy, dqkv, workspace);
}

}  // namespace VARIANT
}  // namespace ddpm
