// What attention needs beside matrix products: row softmax with its logSum, and the softmaxes of linear attention over
// features and over positions. Formulas at tensor.backend.Backend and in the comments of kernels.h.
#include "common.h"
#include "kernels.h"

#define LEAST __uint_as_float(0xff800000u)  // −∞

KERNEL(softmax_rows)(const float *s, T *p, float *logSum, int rows, int columns, float scale) {
    for (unsigned i = blockIdx.x; i < rows; i += gridDim.x) {
        const float *row = s + static_cast<unsigned long long>(i) * columns;
        T *out = p + static_cast<unsigned long long>(i) * columns;
        float most = LEAST, sum = 0;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) most = larger(most, scale * row[j]);
        most = blockMax(most);
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) sum += expf(scale * row[j] - most);
        sum = blockSum(sum);
        float inverse = 1.0f / sum;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x)
            narrow(expf(scale * row[j] - most) * inverse, out[j]);
        if (threadIdx.x == 0) logSum[i] = most + logf(sum);
    }
}

template <int V> DEVICE void probabilities(const float *s, const float *logSum, T *p, unsigned all, unsigned columns, float scale) {
    FLAT(i, 0, all / V) {
        float v[V], sum = logSum[i * V / columns];
        load<V>(s + i * V, v);
#pragma unroll
        for (int j = 0; j < V; j++) v[j] = expf(scale * v[j] - sum);
        store<V>(v, p + i * V);
    }
}

KERNEL(probabilities)(const float *s, const float *logSum, T *p, int rows, int columns, float scale) {
    unsigned all = static_cast<unsigned>(rows) * columns;
    if (columns % VECTOR == 0 && aligned(s, 16) && aligned(p, 16)) probabilities<VECTOR>(s, logSum, p, all, columns, scale);
    else probabilities<1>(s, logSum, p, all, columns, scale);
}

KERNEL(softmax_rows_backward)(const T *p, const float *dp, T *ds, int rows, int columns, float scale) {
    for (unsigned i = blockIdx.x; i < rows; i += gridDim.x) {
        unsigned long long first = static_cast<unsigned long long>(i) * columns;
        float dot = 0;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) dot += widen(p[first + j]) * dp[first + j];
        dot = blockSum(dot);
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x)
            narrow(scale * widen(p[first + j]) * (dp[first + j] - dot), ds[first + j]);
    }
}

// This warp and the number of warps in a flat grid.
DEVICE unsigned flatWarp() { return flatThread() >> 5; }
DEVICE unsigned flatWarps() { return flatThreads() >> 5; }
DEVICE unsigned lane() { return threadIdx.x & 31; }

KERNEL(row_dot)(const T *a, const T *b, float *y, int rows, int columns) {
    for (unsigned i = flatWarp(); i < rows; i += flatWarps()) {
        unsigned long long first = static_cast<unsigned long long>(i) * columns;
        float dot = 0;
        for (unsigned c = lane(); c < columns; c += 32) dot += widen(a[first + c]) * widen(b[first + c]);
        dot = warpSum(dot);
        if (lane() == 0) y[i] = dot;
    }
}

// Row i = (image · length + position) · heads + head: its first feature in a packed array, and as a query in qkv.
DEVICE unsigned long long queryAt(unsigned i, int heads, int d) {
    return (static_cast<unsigned long long>(i / heads) * 3 * heads + i % heads) * d;
}

KERNEL(query_softmax)(const T *qkv, T *qHat, int n, int length, int heads, int d, float scale) {
    unsigned rows = static_cast<unsigned>(n) * length * heads;
    if (d <= 32) {  // a feature for each lane: read once, and the rows of a warp do not wait for one another
#pragma unroll 4
        for (unsigned i = flatWarp(); i < rows; i += flatWarps()) {
            float v = lane() < d ? widen(qkv[queryAt(i, heads, d) + lane()]) : LEAST;
            float e = expf(v - warpMax(v)), sum = warpSum(e);
            if (lane() < d) narrow(e * (scale / sum), qHat[static_cast<unsigned long long>(i) * d + lane()]);
        }
        return;
    }
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

KERNEL(query_softmax_backward)(const T *qHat, const T *dqHat, T *dqkv, int n, int length, int heads, int d,
                               float scale) {
    unsigned rows = static_cast<unsigned>(n) * length * heads;
    if (d <= 32) {
#pragma unroll 4
        for (unsigned i = flatWarp(); i < rows; i += flatWarps()) {
            unsigned long long at = static_cast<unsigned long long>(i) * d + lane();
            float q = lane() < d ? widen(qHat[at]) : 0.0f, slope = lane() < d ? widen(dqHat[at]) : 0.0f;
            float dot = warpSum(q * slope) / scale;
            if (lane() < d) narrow(q * (slope - dot), dqkv[queryAt(i, heads, d) + lane()]);
        }
        return;
    }
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

KERNEL(key_log_sum)(const T *qkv, float *logSum, int n, int length, int width) {
    __shared__ float part[8][32];
    unsigned e = blockIdx.x * 32 + threadIdx.x, image = blockIdx.y;
    if (image >= n) return;
    bool inside = e < width;
    const T *k = qkv + static_cast<unsigned long long>(image) * length * 3 * width + width + (inside ? e : 0);
    float most = LEAST;
#pragma unroll 8
    for (unsigned l = threadIdx.y; l < length; l += 8) most = larger(most, widen(k[3ull * l * width]));
    part[threadIdx.y][threadIdx.x] = most;
    __syncthreads();
    for (int j = 0; j < 8; j++) most = larger(most, part[j][threadIdx.x]);
    __syncthreads();
    float sum = 0;
#pragma unroll 8
    for (unsigned l = threadIdx.y; l < length; l += 8) sum += expf(widen(k[3ull * l * width]) - most);
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && inside) {
        for (int j = 1; j < 8; j++) sum += part[j][threadIdx.x];
        logSum[image * width + e] = most + logf(sum);
    }
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

KERNEL(diagonal_blocks)(T *full, T *blocks, int n, int heads, int first, int count, int d) {
    unsigned all = static_cast<unsigned>(n) * count * d * count * d;
    FLAT(i, 0, all) {
        long long at = inBlocks(i, heads, first, count, d);
        if (at >= 0) blocks[at] = full[i];
        else narrow(0.0f, full[i]);
    }
}

KERNEL(block_diagonal)(const T *blocks, T *full, int n, int heads, int first, int count, int d) {
    unsigned all = static_cast<unsigned>(n) * count * d * count * d;
    FLAT(i, 0, all) {
        long long at = inBlocks(i, heads, first, count, d);
        if (at >= 0) full[i] = blocks[at];
        else narrow(0.0f, full[i]);
    }
}
