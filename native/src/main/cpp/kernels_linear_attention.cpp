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

#include "kernels_products.h"

namespace ddpm {
namespace VARIANT {
namespace {

constexpr int64_t kParts = 16;  // of the sum over images, at most

enum Which { kQuery, kKey, kValue };

// Where everything of a call lies in the workspace, in floats. Widths of heads and channels are rounded up to whole vectors.
struct Room {
    int64_t d, channels, parts, turned, weights, image, head, total;

    Room(const AttentionShape& s, bool backward) : d(padded(s.width)), channels(padded(s.channels)) {
        bool projected = s.channels > 0;
        parts = backward && projected ? at_most(s.n, kParts) : 0;
        turned = 3 * s.heads * s.channels * d;               // w, for each part and head [channels, d]
        weights = 3 * s.heads * s.width * channels;          // [3·heads·width, channels]
        image = projected ? s.length * channels : 0;         // of x and, backward, of dx
        head = 4 * kRows * d + 3 * d * d + 3 * d;            // blocks of rows, matrices, rows
        total = turned + (1 + parts) * weights + omp_get_max_threads() * (2 * image + head);
    }
};

// The rows of Q, K and V of one head of an image, and where their gradients go.
struct Head {
    const AttentionShape& s;
    const Room& room;
    Part part;
    int64_t head;
    const Value* qkv;          // without a projection
    Value* dqkv;
    const float *turned, *w;   // with one
    const float* x;
    float *dx, *dw;

    // Rows [count, d].
    const float* rows(Which which, int64_t first, int64_t count, float* to) const {
        if (s.channels) {
            product(count, room.d, s.channels, x + first * room.channels, room.channels, 1,
                    turned + (which * s.heads + head) * s.channels * room.d, room.d, to, room.d, 1.0f, false);
        } else {
            const Value* from = qkv + part.of(which) + first * part.stride;
            for (int64_t i = 0; i < count; i++)  // rows to come: they lie far apart, and the processor does not guess them
                for (int64_t j = 0; j < s.width; j += 64 / sizeof(Value))
                    __builtin_prefetch(from + (i + kRows) * part.stride + j);
            widen(from, part.stride, count, s.width, to);
        }
        return to;
    }

    void gradient(Which which, int64_t first, int64_t count, const float* from) const {
        if (s.channels) {
            int64_t c = room.channels, row = (which * s.heads + head) * s.width * c;
            product(count, c, s.width, from, room.d, 1, w + row, c, dx + first * c, c, 1.0f, true);
            product(s.width, c, count, from, 1, room.d, x + first * c, c, dw + row, c, 1.0f, true);
        } else {
            narrow(from, count, s.width, dqkv + part.of(which) + first * part.stride, part.stride);
        }
    }
};

constexpr int kUsual = 32 / kVector;  // vectors of a head of the usual width

// Each row of width d becomes scale · its softmax.
template <int N>
void normalise_queries(int64_t rows, int64_t d, float scale, float* q) {
    for (int64_t i = 0; i < rows; i++) {
        float* row = q + i * d;
        Vector top = load(row), lanes = {};
        by_vectors<N>(d, [&](int64_t j) { top = larger(top, load(row + j)); });
        float most = across<larger>(top);
        by_vectors<N>(d, [&](int64_t j) {
            Vector e = exp(load(row + j) - most);
            store(row + j, e);
            lanes += e;
        });
        float factor = scale / across<sum>(lanes);
        by_vectors<N>(d, [&](int64_t j) { store(row + j, load(row + j) * factor); });
    }
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

// w in the two forms that the products want.
void arrange(const AttentionShape& s, const Room& room, const Value* w, float* turned, float* weights) {
    for (int64_t block = 0; block < 3 * s.heads; block++)
        turn(w + block * s.width * s.channels, s.channels, s.width, s.channels, turned + block * s.channels * room.d);
    widen(w, s.channels, 3 * s.heads * s.width, s.channels, weights);
}

template <int N>
void forward(const AttentionShape& s, const Value* x, const Value* w, Value* y, Value* context, float* log_sum,
             float* workspace) {
    Room room(s, false);
    int64_t d = room.d;
    float *turned = workspace, *weights = turned + room.turned, *rooms = weights + room.weights;
    if (w) arrange(s, room, w, turned, weights);
#pragma omp parallel for schedule(dynamic) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t task = 0; task < s.n * s.heads; task++) {
        int64_t image = task / s.heads;
        float* own = rooms + omp_get_thread_num() * (room.image + room.head);
        Head head{s, room, Part(s, task), task % s.heads, x, nullptr, turned, weights, own, nullptr, nullptr};
        if (w) widen(x + image * s.length * s.channels, s.channels, s.length, s.channels, own);
        float *k = own + room.image, *v = k + kRows * d, *ctx = v + kRows * d;
        float *offset = ctx + d * d, *sums = offset + d, *top = sums + d;
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
            product(s.width, d, count, k, 1, d, head.rows(kValue, first, count, v), d, ctx, d, 1.0f, true);
        }
        for (int64_t i = 0; i < s.width; i++) {
            float inverse = 1.0f / sums[i];
            for (int64_t j = 0; j < d; j++) ctx[i * d + j] *= inverse;
            log_sum[task * s.width + i] = offset[i] + log(sums[i]);
        }
        narrow(ctx, s.width, s.width, context + task * s.width * s.width, s.width);
        float *q = k, *to = v;
        for (int64_t first = 0; first < s.length; first += kRows) {
            int64_t count = at_most(kRows, s.length - first);
            head.rows(kQuery, first, count, q);
            fill_beyond(count, s.width, q, -__builtin_inff());
            normalise_queries<N>(count, d, s.scale, q);
            product(count, d, s.width, q, d, 1, ctx, d, to, d, 1.0f, false);
            narrow(to, count, s.width, y + head.part.y + first * head.part.out, head.part.out);
        }
    }
}

template <int N>
void backward(const Head& head, const Value* context, const float* log_sum, const Value* dy, float* own) {
    const AttentionShape& s = head.s;
    int64_t d = head.room.d;
    float *a = own, *da = a + kRows * d, *b = da + kRows * d, *db = b + kRows * d;  // blocks of rows
    float *dctx = db + kRows * d, *turned = dctx + d * d, *dturned = turned + d * d;
    float *mean = dturned + d * d, *offset = mean + d;
    turn(context, s.width, s.width, s.width, turned);
    for (int64_t i = 0; i < d * d; i++) dctx[i] = 0;
    for (int64_t first = 0; first < s.length; first += kRows) {
        int64_t count = at_most(kRows, s.length - first);
        head.rows(kQuery, first, count, a);
        fill_beyond(count, s.width, a, -__builtin_inff());
        normalise_queries<N>(count, d, s.scale, a);
        widen(dy + head.part.y + first * head.part.out, head.part.out, count, s.width, b);
        product(s.width, d, count, a, 1, d, b, d, dctx, d, 1.0f, true);      // q̂ᵀ dY
        product(count, d, s.width, b, d, 1, turned, d, da, d, 1.0f, false);  // dY contextᵀ
        query_gradients<N>(count, d, s.scale, a, da);
        head.gradient(kQuery, first, count, da);
    }
    turn(dctx, d, s.width, s.width, dturned);
    for (int64_t j = 0; j < d; j++) {
        mean[j] = j < s.width ? dot(context + j * s.width, dctx + j * d, s.width) : 0;
        offset[j] = j < s.width ? log_sum[j] : __builtin_inff();
    }
    for (int64_t first = 0; first < s.length; first += kRows) {
        int64_t count = at_most(kRows, s.length - first);
        head.rows(kKey, first, count, a);
        normalise_keys<N>(count, d, offset, a);
        product(count, d, s.width, a, d, 1, dctx, d, db, d, 1.0f, false);     // k̂ dcontext
        head.gradient(kValue, first, count, db);
        head.rows(kValue, first, count, b);
        product(count, d, s.width, b, d, 1, dturned, d, da, d, 1.0f, false);  // V dcontextᵀ
        key_gradients<N>(count, d, mean, a, da);
        head.gradient(kKey, first, count, da);
    }
}

}  // namespace

int64_t linear_attention_workspace(const AttentionShape& s) {
    return Room(s, true).total;
}

void linear_attention(const AttentionShape& s, const Value* x, const Value* w, Value* y, Value* context, float* log_sum,
                      float* workspace) {
    padded(s.width) == kUsual * kVector ? forward<kUsual>(s, x, w, y, context, log_sum, workspace)
                                        : forward<0>(s, x, w, y, context, log_sum, workspace);
}

void linear_attention_backward(const AttentionShape& s, const Value* x, const Value* w, const Value* context,
                               const float* log_sum, const Value* dy, Value* dx, Value* dw, float* workspace) {
    Room room(s, true);
    float *turned = workspace, *weights = turned + room.turned, *sums = weights + room.weights;
    float* rooms = sums + room.parts * room.weights;
    int64_t parts = w ? room.parts : s.n, size = s.length * s.channels;
    bool usual = room.d == kUsual * kVector;
    if (w) arrange(s, room, w, turned, weights);
#pragma omp parallel for schedule(dynamic) if (s.n * s.heads * s.length * s.width > 4096)
    for (int64_t part = 0; part < parts; part++) {
        float* xs = rooms + omp_get_thread_num() * (2 * room.image + room.head);
        float *dxs = xs + room.image, *own = dxs + room.image, *dws = sums + part * room.weights;
        for (int64_t i = 0; w && i < room.weights; i++) dws[i] = 0;
        for (int64_t image = part * s.n / parts; image < (part + 1) * s.n / parts; image++) {
            if (w) widen(x + image * size, s.channels, s.length, s.channels, xs);
            for (int64_t i = 0; i < room.image; i++) dxs[i] = 0;
            for (int64_t head = 0; head < s.heads; head++) {
                int64_t task = image * s.heads + head;
                Head one{s, room, Part(s, task), head, x, dx, turned, weights, xs, dxs, dws};
                const Value* ctx = context + task * s.width * s.width;
                usual ? backward<kUsual>(one, ctx, log_sum + task * s.width, dy, own)
                      : backward<0>(one, ctx, log_sum + task * s.width, dy, own);
            }
            if (w) narrow(dxs, s.length, s.channels, dx + image * size, s.channels);
        }
    }
    if (!w) return;
#pragma omp parallel for schedule(static) if (room.weights > kSerial / kParts)
    for (int64_t i = 0; i < 3 * s.heads * s.width; i++)
#pragma omp simd
        for (int64_t c = 0; c < s.channels; c++) {
            float sum = 0;
            for (int64_t part = 0; part < parts; part++) sum += sums[part * room.weights + i * room.channels + c];
            dw[i * s.channels + c] = sum;
        }
}

}  // namespace VARIANT
}  // namespace ddpm
