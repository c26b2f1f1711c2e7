// What linear attention needs beside matrix products: the softmaxes over features and over positions, and matrices of several
// heads as one. Formulas at tensor.backend.Backend and in the comments of kernels.h.
#include "common.h"
#include "kernels.h"

#ifdef __CUDACC__
// The sum, or the largest value, of LANES neighbouring lanes, a power of two; the order is that of a binary tree.
template <int LANES> DEVICE float groupSum(float v) {
#pragma unroll
    for (int mask = LANES / 2; mask > 0; mask >>= 1) v += __shfl_xor_sync(0xffffffffu, v, mask);
    return v;
}
template <int LANES> DEVICE float groupMax(float v) {
#pragma unroll
    for (int mask = LANES / 2; mask > 0; mask >>= 1) v = larger(v, __shfl_xor_sync(0xffffffffu, v, mask));
    return v;
}
#else
template <int LANES> DEVICE float groupSum(float v) {
    return emu::butterfly(v, [](float a, float b) { return a + b; }, LANES);
}
template <int LANES> DEVICE float groupMax(float v) { return emu::butterfly(v, larger, LANES); }
#endif

// Row i = (image · length + position) · heads + head: its first feature in a packed array, and as a query in qkv.
DEVICE unsigned long long queryAt(unsigned i, int heads, int d) {
    return (static_cast<unsigned long long>(i / heads) * 3 * heads + i % heads) * d;
}

// Where a row has at most V · LANES features, a lane takes V of them and a warp BATCH · 32 / LANES rows at once. LANES is the
// smallest power of two that is enough. Lanes without work load what others do and forget it.
const int BATCH = 2, FEWEST = 4;

template <int V, int LANES = FEWEST>
DEVICE void querySoftmax(const T *qkv, T *qHat, unsigned rows, int heads, int d, float scale) {
    if constexpr (LANES < 32)
        if (d > V * LANES) return querySoftmax<V, 2 * LANES>(qkv, qHat, rows, heads, d, scale);
    const unsigned side = 32 / LANES;  // rows side by side in a warp
    unsigned e = lane() % LANES * V;
    for (unsigned start = flatWarp() * BATCH * side; start < rows; start += flatWarps() * BATCH * side) {
        unsigned i = start + lane() / LANES;
        float v[BATCH][V];
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            load<V>(qkv + queryAt(atMost(i + k * side, rows - 1), heads, d) + (e < d ? e : 0), v[k]);
#pragma unroll
            for (int j = 0; j < V; j++) v[k][j] = e < d ? v[k][j] : LEAST;
        }
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            float most = v[k][0], sum = 0;
#pragma unroll
            for (int j = 1; j < V; j++) most = larger(most, v[k][j]);
            most = groupMax<LANES>(most);
#pragma unroll
            for (int j = 0; j < V; j++) sum += v[k][j] = expf(v[k][j] - most);
            float factor = scale / groupSum<LANES>(sum);
#pragma unroll
            for (int j = 0; j < V; j++) v[k][j] *= factor;
        }
#pragma unroll
        for (int k = 0; k < BATCH; k++)
            if (i + k * side < rows && e < d) store<V>(v[k], qHat + static_cast<unsigned long long>(i + k * side) * d + e);
    }
}

KERNEL(query_softmax)(const T *qkv, T *qHat, int n, int length, int heads, int d, float scale) {
    unsigned rows = static_cast<unsigned>(n) * length * heads;
    if (d <= 32 * VECTOR && d % VECTOR == 0 && aligned(qkv, 16) && aligned(qHat, 16))
        return querySoftmax<VECTOR>(qkv, qHat, rows, heads, d, scale);
    if (d <= 32) return querySoftmax<1, 32>(qkv, qHat, rows, heads, d, scale);
    for (unsigned i = flatWarp(); i < rows; i += flatWarps()) {
        const T *q = qkv + queryAt(i, heads, d);
        T *out = qHat + static_cast<unsigned long long>(i) * d;
        float most = LEAST, sum = 0;
        for (unsigned e = lane(); e < d; e += 32) most = larger(most, widen(q[e]));
        most = warpMax(most);
        for (unsigned e = lane(); e < d; e += 32) sum += expf(widen(q[e]) - most);
        float factor = scale / warpSum(sum);
        for (unsigned e = lane(); e < d; e += 32) narrow(expf(widen(q[e]) - most) * factor, out[e]);
    }
}

template <int V, int LANES = FEWEST>
DEVICE void querySoftmaxBackward(const T *qHat, const T *dqHat, T *dqkv, unsigned rows, int heads, int d, float scale) {
    if constexpr (LANES < 32)
        if (d > V * LANES) return querySoftmaxBackward<V, 2 * LANES>(qHat, dqHat, dqkv, rows, heads, d, scale);
    const unsigned side = 32 / LANES;
    unsigned e = lane() % LANES * V;
    for (unsigned start = flatWarp() * BATCH * side; start < rows; start += flatWarps() * BATCH * side) {
        unsigned i = start + lane() / LANES;
        float q[BATCH][V], slope[BATCH][V];
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            unsigned long long at = static_cast<unsigned long long>(atMost(i + k * side, rows - 1)) * d + (e < d ? e : 0);
            load<V>(qHat + at, q[k]);
            load<V>(dqHat + at, slope[k]);
        }
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            float dot = 0;
#pragma unroll
            for (int j = 0; j < V; j++) dot += q[k][j] * slope[k][j];
            dot = groupSum<LANES>(e < d ? dot : 0.0f) / scale;
#pragma unroll
            for (int j = 0; j < V; j++) q[k][j] *= slope[k][j] - dot;
        }
#pragma unroll
        for (int k = 0; k < BATCH; k++)
            if (i + k * side < rows && e < d) store<V>(q[k], dqkv + queryAt(i + k * side, heads, d) + e);
    }
}

KERNEL(query_softmax_backward)(const T *qHat, const T *dqHat, T *dqkv, int n, int length, int heads, int d,
                               float scale) {
    unsigned rows = static_cast<unsigned>(n) * length * heads;
    if (d <= 32 * VECTOR && d % VECTOR == 0 && aligned(qHat, 16) && aligned(dqHat, 16) && aligned(dqkv, 16))
        return querySoftmaxBackward<VECTOR>(qHat, dqHat, dqkv, rows, heads, d, scale);
    if (d <= 32) return querySoftmaxBackward<1, 32>(qHat, dqHat, dqkv, rows, heads, d, scale);
    for (unsigned i = flatWarp(); i < rows; i += flatWarps()) {
        unsigned long long first = static_cast<unsigned long long>(i) * d;
        T *dq = dqkv + queryAt(i, heads, d);
        float dot = 0;
        for (unsigned e = lane(); e < d; e += 32) dot += widen(qHat[first + e]) * widen(dqHat[first + e]);
        dot = warpSum(dot) / scale;
        for (unsigned e = lane(); e < d; e += 32)
            narrow(widen(qHat[first + e]) * (widen(dqHat[first + e]) - dot), dq[e]);
    }
}

// Σ exp(v) = sum · exp(most) over some values v; most is finite, so that it holds for no value and for −∞ too.
struct LogSum {
    float most, sum;
};
DEVICE LogSum none() {
    LogSum s = {__uint_as_float(0xff7fffffu), 0};  // the least of all finite floats
    return s;
}
DEVICE void add(const LogSum &other, LogSum &s) {
    float most = larger(s.most, other.most);
    s.sum = s.sum * expf(s.most - most) + other.sum * expf(other.most - most);
    s.most = most;
}

// The 32 features from blockIdx.x · 32 on, V for each thread and 256 / (32 / V) lines of threads.
template <int V> DEVICE void keyLogSum(const T *qkv, float *logSum, int length, int width) {
    const unsigned SIDE = 32 / V, LINES = 256 / SIDE, BATCH = 16 / V;
    __shared__ LogSum part[LINES][32];
    unsigned line = threadIdx.x / SIDE, first = blockIdx.x * 32, at = threadIdx.x % SIDE * V, image = blockIdx.y;
    LogSum own[V];
#pragma unroll
    for (int j = 0; j < V; j++) own[j] = none();
    if (first + at < width) {
        const T *k = qkv + static_cast<unsigned long long>(image) * length * 3 * width + width + first + at;
        for (unsigned l = line; l < length; l += BATCH * LINES) {
            float v[BATCH][V];
#pragma unroll
            for (unsigned b = 0; b < BATCH; b++) {
                unsigned at = l + b * LINES;
                load<V>(k + 3ull * atMost(at, length - 1) * width, v[b]);
#pragma unroll
                for (int j = 0; j < V; j++) v[b][j] = at < length ? v[b][j] : LEAST;
            }
#pragma unroll
            for (int j = 0; j < V; j++) {
                float most = own[j].most, sum = 0;
#pragma unroll
                for (unsigned b = 0; b < BATCH; b++) most = larger(most, v[b][j]);
#pragma unroll
                for (unsigned b = 0; b < BATCH; b++) sum += expf(v[b][j] - most);
                own[j].sum = own[j].sum * expf(own[j].most - most) + sum;
                own[j].most = most;
            }
        }
    }
#pragma unroll
    for (int j = 0; j < V; j++) part[line][at + j] = own[j];
    __syncthreads();
    // A warp adds up every eighth line, then the first one adds up those of the warps.
    unsigned warp = threadIdx.x >> 5, e = lane();
    LogSum total = part[warp][e];
#pragma unroll
    for (unsigned l = 8; l < LINES; l += 8) add(part[warp + l][e], total);
    part[warp][e] = total;
    __syncthreads();
    if (warp != 0 || first + e >= width) return;
#pragma unroll
    for (unsigned l = 1; l < 8; l++) add(part[l][e], total);
    logSum[image * width + first + e] = total.most + logf(total.sum);
}

KERNEL(key_log_sum)(const T *qkv, float *logSum, int n, int length, int width) {
    if (blockIdx.y >= n) return;
    if (width % VECTOR == 0 && aligned(qkv, 16)) keyLogSum<VECTOR>(qkv, logSum, length, width);
    else keyLogSum<1>(qkv, logSum, length, width);
}

// Element i of a packed array [n, length, width]: its place as a key in qkv, and that of its sum in [n, width].
struct Key {
    unsigned long long key;
    unsigned sum;
};
DEVICE Key keyAt(unsigned i, unsigned length, unsigned width) {
    unsigned pixel = i / width, e = i - pixel * width;
    Key k = {static_cast<unsigned long long>(pixel) * 3 * width + width + e, pixel / length * width + e};
    return k;
}

template <int V> DEVICE void keySoftmax(const T *qkv, const float *logSum, T *kHat, unsigned all, int length, int width) {
    FLAT(i, 0, all / V) {
        Key at = keyAt(i * V, length, width);
        float v[V], sum[V];
        load<V>(qkv + at.key, v);
        load<V>(logSum + at.sum, sum);
#pragma unroll
        for (int j = 0; j < V; j++) v[j] = expf(v[j] - sum[j]);
        store<V>(v, kHat + i * V);
    }
}

KERNEL(key_softmax)(const T *qkv, const float *logSum, T *kHat, int n, int length, int width) {
    unsigned all = static_cast<unsigned>(n) * length * width;
    if (width % VECTOR == 0 && aligned(qkv, 16) && aligned(logSum, 16) && aligned(kHat, 16))
        keySoftmax<VECTOR>(qkv, logSum, kHat, all, length, width);
    else keySoftmax<1>(qkv, logSum, kHat, all, length, width);
}

template <int V>
DEVICE void keySoftmaxBackward(const T *kHat, const T *dkHat, const float *dot, T *dqkv, unsigned all, int length, int width) {
    FLAT(i, 0, all / V) {
        Key at = keyAt(i * V, length, width);
        float k[V], dk[V], sum[V];
        load<V>(kHat + i * V, k);
        load<V>(dkHat + i * V, dk);
        load<V>(dot + at.sum, sum);
#pragma unroll
        for (int j = 0; j < V; j++) k[j] *= dk[j] - sum[j];
        store<V>(k, dqkv + at.key);
    }
}

KERNEL(key_softmax_backward)(const T *kHat, const T *dkHat, const float *dot, T *dqkv, int n, int length, int width) {
    unsigned all = static_cast<unsigned>(n) * length * width;
    if (width % VECTOR == 0 && aligned(kHat, 16) && aligned(dkHat, 16) && aligned(dot, 16) && aligned(dqkv, 16))
        keySoftmaxBackward<VECTOR>(kHat, dkHat, dot, dqkv, all, length, width);
    else keySoftmaxBackward<1>(kHat, dkHat, dot, dqkv, all, length, width);
}

// Element i of full [n, count·d, count·d]: its place in blocks [n, heads, d, d], or −1 beside the diagonal.
DEVICE long long inBlocks(unsigned i, int heads, int first, int count, int d) {
    unsigned w = count * d, row = i / w, column = i - row * w, image = row / w, h = column / d;
    row -= image * w;
    if (row / d != h) return -1;
    return ((static_cast<long long>(image) * heads + first + h) * d + row % d) * d + column % d;
}

template <int V> DEVICE void diagonalBlocks(T *full, T *blocks, unsigned all, int heads, int first, int count, int d) {
    FLAT(i, 0, all / V) {
        long long at = inBlocks(i * V, heads, first, count, d);
        float v[V] = {};
        if (at >= 0) {
            load<V>(full + i * V, v);
            store<V>(v, blocks + at);
        } else store<V>(v, full + i * V);
    }
}

KERNEL(diagonal_blocks)(T *full, T *blocks, int n, int heads, int first, int count, int d) {
    unsigned all = static_cast<unsigned>(n) * count * d * count * d;
    if (d % VECTOR == 0 && aligned(full, 16) && aligned(blocks, 16))
        diagonalBlocks<VECTOR>(full, blocks, all, heads, first, count, d);
    else diagonalBlocks<1>(full, blocks, all, heads, first, count, d);
}

template <int V> DEVICE void blockDiagonal(const T *blocks, T *full, unsigned all, int heads, int first, int count, int d) {
    FLAT(i, 0, all / V) {
        long long at = inBlocks(i * V, heads, first, count, d);
        float v[V] = {};
        if (at >= 0) load<V>(blocks + at, v);
        store<V>(v, full + i * V);
    }
}

KERNEL(block_diagonal)(const T *blocks, T *full, int n, int heads, int first, int count, int d) {
    unsigned all = static_cast<unsigned>(n) * count * d * count * d;
    if (d % VECTOR == 0 && aligned(full, 16) && aligned(blocks, 16))
        blockDiagonal<VECTOR>(blocks, full, all, heads, first, count, d);
    else blockDiagonal<1>(blocks, full, all, heads, first, count, d);
}
