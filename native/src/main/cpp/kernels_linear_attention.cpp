// Linear attention, one head of an image at a time, in blocks of rows that stay in the first cache: normalised queries and
// keys never become a tensor, nor do queries, keys and values where they are a projection of x, which is then made within.
//
//   q̂ = scale softmax over features of Q, k̂ = softmax over positions of K, context = k̂ᵀ V, y = q̂ context
//   dcontext = q̂ᵀ dY    dq̂ = dY contextᵀ    dV = k̂ dcontext    dk̂ = V dcontextᵀ
//   dQ = q̂ ∘ (dq̂ − (softmax · dq̂))          dK = k̂ ∘ (dk̂ − Σ_j context dcontext)
//   [Q K V] = x wᵀ      dx = [dQ dK dV] w      dw = [dQ dK dV]ᵀ x
//
// Backward, a thread takes images, all heads of one, because dx is a sum over heads; dw is summed in parts of the images
// that the shape decides, and these in order.
#include <omp.h>

#include <type_traits>

#include "isa.h"
#include "kernels_products.h"

namespace ddpm {
namespace VARIANT {
namespace {

constexpr int64_t kParts = 16;  // of the sum over images, at most

enum Which { kQuery, kKey, kValue };

// Where everything of a call lies in the workspace, in floats. Widths of heads and channels are rounded up to whole vectors.
struct Layout {
    int64_t d, channels, parts, turned, weights, image, block, head, thread, total;

    Layout(const AttentionShape& s, bool backward) : d(padded(s.width)), channels(padded(s.channels)) {
        bool projected = s.channels > 0;
        parts = backward && projected ? at_most(s.n, kParts) : 0;
        turned = 3 * s.heads * (s.channels + 1) * d;              // w, for each part and head [channels, d]
        weights = 3 * s.heads * (s.width + 1) * channels;         // [3·heads·width, channels]
        image = projected ? (s.length + 1) * channels : 0;        // of x, its two copies and dx
        block = kRows * d;
        head = 6 * block + 4 * d * d + 3 * d;                     // blocks of rows, matrices, rows
        thread = 4 * image + head;
        total = 2 * turned + (2 + parts) * weights + omp_get_max_threads() * thread;
    }
};

// w as the products want it: for each part and head [channels, d] with terms over rows, and [width, channels] likewise.
template <class Word>
struct Weights {
    const Word *turned, *plain;

    Weights(const AttentionShape& s, const Layout& layout, const Value* w, float* at) : turned(nullptr), plain(nullptr) {
        if (!w) return;
        float *turns = at, *turn_words = turns + layout.turned, *plains = turn_words + layout.turned;
        float* plain_words = plains + layout.weights;
        for (int64_t block = 3 * s.heads - 1; block >= 0; block--) {  // the first one's addresses are those of all
            const Value* from = w + block * s.width * s.channels;
            float *t = turns + block * s.channels * layout.d, *p = plains + block * s.width * layout.channels;
            turn(from, s.channels, s.width, s.channels, t, layout.d);
            widen(from, s.channels, s.width, s.channels, p, layout.channels);
            turned = Terms<Word>::over_rows(t, s.channels, layout.d, turn_words + block * turned_size(s, layout));
            plain = Terms<Word>::over_rows(p, s.width, layout.channels, plain_words + block * plain_size(s, layout));
        }
    }
    static int64_t turned_size(const AttentionShape& s, const Layout& layout) {
        return Terms<Word>::words(s.channels) * layout.d;
    }
    static int64_t plain_size(const AttentionShape& s, const Layout& layout) {
        return Terms<Word>::words(s.width) * layout.channels;
    }
};

// The rows of Q, K and V of one head of an image, and where their gradients go.
template <class Word>
struct Head {
    const AttentionShape& s;
    const Layout& layout;
    Part part;
    int64_t head;
    const Value* qkv;  // without a projection
    Value* dqkv;
    Weights<Word> w;  // with one
    const Word *x_in_rows, *x_over_rows;
    float *dx, *dw;

    // Rows [count, d].
    const float* rows(Which which, int64_t first, int64_t count, float* to) const {
        if (s.channels) {
            int64_t words = Terms<Word>::words(layout.channels);
            product(count, layout.d, Terms<Word>::words(s.channels), x_in_rows + first * words, words, 1,
                    w.turned + (which * s.heads + head) * w.turned_size(s, layout), layout.d, to, layout.d, 1.0f, false);
        } else {
            const Value* from = qkv + part.of(which) + first * part.stride;
            widen(from, part.stride, count, s.width, to, layout.d);
        }
        return to;
    }

    void gradient(Which which, int64_t first, int64_t count, const float* from, float* copies) const {
        if (s.channels) {
            int64_t c = layout.channels, block = which * s.heads + head, d = layout.d;
            product(count, c, Terms<Word>::words(s.width), Terms<Word>::in_rows(from, count, d, copies),
                    Terms<Word>::words(d), 1, w.plain + block * w.plain_size(s, layout), c, dx + first * c, c, 1.0f, true);
            product(s.width, c, Terms<Word>::words(count),
                    Terms<Word>::over_rows(from, count, d, copies + layout.block), 1, d,
                    x_over_rows + first / Terms<Word>::kEach * c, c, dw + block * s.width * c, c, 1.0f, true);
        } else {
            narrow(from, layout.d, count, s.width, dqkv + part.of(which) + first * part.stride, part.stride);
        }
    }
};

constexpr int kUsual = 32 / kVector;  // vectors of a head of the usual width

// Each row of width d becomes scale · its softmax; several rows at a time, for each waits for its own maximum and sum.
template <int N, int ROWS = 4>
void normalise_queries(int64_t rows, int64_t d, float scale, float* q) {
    int64_t i = 0;
    for (; i + ROWS <= rows; i += ROWS) {
        float* row = q + i * d;
        Vector most[ROWS], sums[ROWS] = {};
#pragma GCC unroll 4
        for (int r = 0; r < ROWS; r++) {
            Vector top = load(row + r * d);
            by_vectors<N>(d, [&](int64_t j) { top = larger(top, load(row + r * d + j)); });
            most[r] = Vector{} + across<larger>(top);
        }
#pragma GCC unroll 4
        for (int r = 0; r < ROWS; r++)
            by_vectors<N>(d, [&](int64_t j) {
                Vector e = exp(load(row + r * d + j) - most[r]);
                store(row + r * d + j, e);
                sums[r] += e;
            });
#pragma GCC unroll 4
        for (int r = 0; r < ROWS; r++) {
            float factor = scale / across<sum>(sums[r]);
            by_vectors<N>(d, [&](int64_t j) { store(row + r * d + j, load(row + r * d + j) * factor); });
        }
    }
    if constexpr (ROWS > 1) normalise_queries<N, 1>(rows - i, d, scale, q + i * d);
}

// Each row becomes exp(k − offset), one offset for each feature.
template <int N>
void normalise_keys(int64_t rows, int64_t d, const float* offset, float* k) {
    for (int64_t i = 0; i < rows; i++)
        by_vectors<N>(d, [&](int64_t j) { store(k + i * d + j, exp(load(k + i * d + j) - load(offset + j))); });
}

// dx = x̂ ∘ (dx − mean), the mean that of the row or of each feature.
template <int N>
void query_gradients(int64_t rows, int64_t d, float scale, const float* q, float* dq) {
    for (int64_t i = 0; i < rows; i++) {
        Vector lanes = {};
        by_vectors<N>(d, [&](int64_t j) { lanes += load(q + i * d + j) * load(dq + i * d + j); });
        float mean = across<sum>(lanes) / scale;
        by_vectors<N>(d, [&](int64_t j) {
            store(dq + i * d + j, load(q + i * d + j) * (load(dq + i * d + j) - mean));
        });
    }
}

template <int N>
void key_gradients(int64_t rows, int64_t d, const float* mean, const float* k, float* dk) {
    for (int64_t i = 0; i < rows; i++)
        by_vectors<N>(d, [&](int64_t j) {
            store(dk + i * d + j, load(k + i * d + j) * (load(dk + i * d + j) - load(mean + j)));
        });
}

// The offsets become the largest of them and the rows; what has been summed up is carried over to them.
template <int N>
void raise(int64_t rows, int64_t d, const float* k, float* offset, float* sums, float* context, float* top) {
    by_vectors<N>(d, [&](int64_t j) {
        Vector most = load(offset + j);
        for (int64_t i = 0; i < rows; i++) most = larger(most, load(k + i * d + j));
        store(top + j, most);
    });
    for (int64_t j = 0; j < d; j++) {
        if (top[j] == offset[j]) continue;
        float factor = exp(offset[j] - top[j]);
        offset[j] = top[j];
        sums[j] *= factor;
        for (int64_t f = 0; f < d; f += kVector) store(context + j * d + f, load(context + j * d + f) * factor);
    }
}

template <int N>
void add_rows(int64_t rows, int64_t d, const float* k, float* sums) {
    by_vectors<N>(d, [&](int64_t j) {
        Vector lanes = load(sums + j);
        for (int64_t i = 0; i < rows; i++) lanes += load(k + i * d + j);
        store(sums + j, lanes);
    });
}

// What is beyond the width of a head, so that it counts for nothing in a maximum and in a sum of exponentials.
void fill_beyond(int64_t rows, int64_t width, float* x, float value) {
    int64_t d = padded(width);
    for (int64_t i = 0; i < rows && width < d; i++)
        for (int64_t j = width; j < d; j++) x[i * d + j] = value;
}

template <int N, class Word>
void forward(const AttentionShape& s, const Value* x, const Value* w, Value* y, Value* context, float* log_sum,
             float* workspace) {
    using T = Terms<Word>;
    Layout layout(s, false);
    int64_t d = layout.d;
    Weights<Word> weights(s, layout, w, workspace);
    float* of_threads = workspace + 2 * (layout.turned + layout.weights);
#pragma omp parallel for schedule(dynamic) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        int64_t image = task / s.heads;
        float *xs = of_threads + omp_get_thread_num() * layout.thread, *copy = xs + layout.image;
        if (w) widen(x + image * s.length * s.channels, s.channels, s.length, s.channels, xs, layout.channels);
        const Word* rows = T::in_rows(xs, w ? s.length : 0, layout.channels, copy);
        Head<Word> head{s, layout, Part(s, task), task % s.heads, x, nullptr, weights, rows, nullptr, nullptr, nullptr};
        float *k = copy + layout.image, *v = k + layout.block, *copies = v + layout.block;
        float *ctx = copies + 2 * layout.block, *ctx_copy = ctx + d * d;
        float *offset = ctx_copy + d * d, *sums = offset + d, *top = sums + d;
        for (int64_t j = 0; j < d; j++) {
            offset[j] = j < s.width ? -__builtin_inff() : __builtin_inff();
            sums[j] = 0;
        }
        for (int64_t i = 0; i < d * d; i++) ctx[i] = 0;
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            head.rows(kKey, first, count, k);
            raise<N>(count, d, k, offset, sums, ctx, top);
            normalise_keys<N>(count, d, offset, k);
            add_rows<N>(count, d, k, sums);
            head.rows(kValue, first, count, v);
            product(s.width, d, T::words(count), T::over_rows(k, count, d, copies), 1, d,
                    T::over_rows(v, count, d, copies + layout.block), d, ctx, d, 1.0f, true);
        }
        for (int64_t i = 0; i < s.width; i++) {
            float inverse = 1.0f / sums[i];
            for (int64_t j = 0; j < d; j++) ctx[i * d + j] *= inverse;
            log_sum[task * s.width + i] = offset[i] + log(sums[i]);
        }
        narrow(ctx, d, s.width, s.width, context + task * s.width * s.width, s.width);
        const Word* factor = T::over_rows(ctx, s.width, d, ctx_copy);
        float *q = k, *to = v;
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            head.rows(kQuery, first, count, q);
            fill_beyond(count, s.width, q, -__builtin_inff());
            normalise_queries<N>(count, d, s.scale, q);
            product(count, d, T::words(s.width), T::in_rows(q, count, d, copies), T::words(d), 1, factor, d, to, d,
                    1.0f, false);
            narrow(to, d, count, s.width, y + head.part.y + first * head.part.out, head.part.out);
        }
    }
}

template <int N, class Word>
void backward(const Head<Word>& head, const Value* context, const float* log_sum, const Value* dy, float* own) {
    using T = Terms<Word>;
    const AttentionShape& s = head.s;
    int64_t d = head.layout.d, block = head.layout.block;
    float *a = own, *da = a + block, *b = da + block, *db = b + block, *copies = db + block;  // blocks of rows
    float *dctx = copies + 2 * block, *turned = dctx + d * d, *copy = turned + d * d, *second = copy + d * d;
    float *mean = second + d * d, *offset = mean + d;
    turn(context, s.width, s.width, s.width, turned, d);
    for (int64_t i = 0; i < d * d; i++) dctx[i] = 0;
    const Word* factor = T::over_rows(turned, s.width, d, copy);
    for (int64_t first = 0; first < s.length; first += kRows) {
        int64_t count = at_most(kRows, s.length - first);
        head.rows(kQuery, first, count, a);
        fill_beyond(count, s.width, a, -__builtin_inff());
        normalise_queries<N>(count, d, s.scale, a);
        const Value* rows = dy + head.part.y + first * head.part.out;
        widen(rows, head.part.out, count, s.width, b, d);
        product(s.width, d, T::words(count), T::over_rows(a, count, d, copies), 1, d,  // q̂ᵀ dY
                T::over_rows(b, count, d, copies + block), d, dctx, d, 1.0f, true);
        product(count, d, T::words(s.width), T::in_rows(b, count, d, copies), T::words(d), 1, factor, d,  // dY contextᵀ
                da, d, 1.0f, false);
        query_gradients<N>(count, d, s.scale, a, da);
        head.gradient(kQuery, first, count, da, copies);
    }
    turn(dctx, d, s.width, s.width, turned, d);
    factor = T::over_rows(turned, s.width, d, copy);
    const Word* plain = T::over_rows(dctx, s.width, d, second);
    for (int64_t j = 0; j < d; j++) {
        mean[j] = j < s.width ? dot(context + j * s.width, dctx + j * d, s.width) : 0;
        offset[j] = j < s.width ? log_sum[j] : __builtin_inff();
    }
    for (int64_t first = 0; first < s.length; first += kRows) {
        int64_t count = at_most(kRows, s.length - first);
        head.rows(kKey, first, count, a);
        normalise_keys<N>(count, d, offset, a);
        product(count, d, T::words(s.width), T::in_rows(a, count, d, copies), T::words(d), 1, plain, d,  // k̂ dcontext
                db, d, 1.0f, false);
        head.gradient(kValue, first, count, db, copies);
        head.rows(kValue, first, count, b);
        product(count, d, T::words(s.width), T::in_rows(b, count, d, copies), T::words(d), 1, factor, d,  // V dcontextᵀ
                da, d, 1.0f, false);
        key_gradients<N>(count, d, mean, a, da);
        head.gradient(kKey, first, count, da, copies);
    }
}

template <int N, class Word>
void backward_all(const AttentionShape& s, const Value* x, const Value* w, const Value* context, const float* log_sum,
                  const Value* dy, Value* dx, Value* dw, float* workspace) {
    Layout layout(s, true);
    Weights<Word> weights(s, layout, w, workspace);
    float *sums = workspace + 2 * (layout.turned + layout.weights), *of_threads = sums + layout.parts * layout.weights;
    int64_t parts = w ? layout.parts : s.n, size = s.length * s.channels;
#pragma omp parallel for schedule(dynamic) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t part = 0; part < parts; part++) {
        float *xs = of_threads + omp_get_thread_num() * layout.thread, *copy = xs + layout.image, *second = copy + layout.image;
        float *dxs = second + layout.image, *own = dxs + layout.image, *dws = sums + part * layout.weights;
        for (int64_t i = 0; w && i < layout.weights; i++) dws[i] = 0;
        for (int64_t image = part * s.n / parts; image < (part + 1) * s.n / parts; image++) {
            if (w) widen(x + image * size, s.channels, s.length, s.channels, xs, layout.channels);
            const Word* in_rows = Terms<Word>::in_rows(xs, w ? s.length : 0, layout.channels, copy);
            const Word* over_rows = Terms<Word>::over_rows(xs, w ? s.length : 0, layout.channels, second);
            for (int64_t i = 0; i < layout.image; i++) dxs[i] = 0;
            for (int64_t head = 0; head < s.heads; head++) {
                int64_t task = image * s.heads + head;
                backward<N, Word>({s, layout, Part(s, task), head, x, dx, weights, in_rows, over_rows, dxs, dws},
                                  context + task * s.width * s.width, log_sum + task * s.width, dy, own);
            }
            if (w) narrow(dxs, layout.channels, s.length, s.channels, dx + image * size, s.channels);
        }
    }
    if (!w) return;
#pragma omp parallel for schedule(static) if (layout.weights > kSerial / kParts)
    for (int64_t i = 0; i < 3 * s.heads * s.width; i++)
#pragma omp simd
        for (int64_t c = 0; c < s.channels; c++) {
            float sum = 0;
            for (int64_t part = 0; part < parts; part++) sum += sums[part * layout.weights + i * layout.channels + c];
            dw[i * s.channels + c] = sum;
        }
}

// Calls body<N, Word>() with the vectors of a head, where they are as usual, and with pairs, where the processor has them.
template <class Body>
void as_this(const AttentionShape& s, Body body) {
    bool usual = padded(s.width) == kUsual * kVector;
    std::integral_constant<int, kUsual> known;
    std::integral_constant<int, 0> any;
#ifdef __AVX512BF16__
    if (multiplies_halves()) return usual ? body(known, Pair()) : body(any, Pair());
#endif
    usual ? body(known, float()) : body(any, float());
}

}  // namespace

int64_t linear_attention_workspace(const AttentionShape& s) {
    return Layout(s, true).total;
}

void linear_attention(const AttentionShape& s, const Value* x, const Value* w, Value* y, Value* context, float* log_sum,
                      float* workspace) {
    as_this(s, [&](auto n, auto word) {
        forward<n, decltype(word)>(s, x, w, y, context, log_sum, workspace);
    });
}

void linear_attention_backward(const AttentionShape& s, const Value* x, const Value* w, const Value* context,
                               const float* log_sum, const Value* dy, Value* dx, Value* dw, float* workspace) {
    as_this(s, [&](auto n, auto word) {
        backward_all<n, decltype(word)>(s, x, w, context, log_sum, dy, dx, dw, workspace);
    });
}

}  // namespace VARIANT
}  // namespace ddpm
