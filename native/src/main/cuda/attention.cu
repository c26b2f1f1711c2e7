// What softmax attention needs beside matrix products: softmax over rows with its logSum, and dots of rows. Formulas at
// tensor.backend.Backend and in the comments of kernels.h.
#include "common.h"
#include "kernels.h"

// A row of at most 32 · V · N columns for a warp, which keeps it in registers: a lane has the V columns from columnAt<V>(k) on
// for each k < N. N is 1, doubled until that is enough; at most 8, for 256 columns where V = 1 and 1024 where V = 4.
template <int V> constexpr int WARP_COLUMNS = 32 * V * 8;
template <int V> DEVICE unsigned columnAt(int k) { return (32 * k + lane()) * V; }

template <int V, int N> DEVICE void storeRow(const float (&v)[N][V], unsigned columns, T *row) {
#pragma unroll
    for (int k = 0; k < N; k++) {
        unsigned c = columnAt<V>(k);
        if (c < columns) store<V>(v[k], row + c);
    }
}

template <int V, int N = 1>
DEVICE void softmaxRows(const float *s, T *p, float *logSum, unsigned rows, unsigned columns, float scale) {
    if constexpr (N < 8)
        if (columns > 32 * V * N) return softmaxRows<V, 2 * N>(s, p, logSum, rows, columns, scale);
    for (unsigned i = flatWarp(); i < rows; i += flatWarps()) {
        unsigned long long first = static_cast<unsigned long long>(i) * columns;
        float v[N][V] = {}, most = LEAST, sum = 0;
#pragma unroll
        for (int k = 0; k < N; k++)
            if (columnAt<V>(k) < columns) load<V>(s + first + columnAt<V>(k), v[k]);
#pragma unroll
        for (int k = 0; k < N; k++)
#pragma unroll
            for (int j = 0; j < V; j++) {
                v[k][j] = columnAt<V>(k) < columns ? scale * v[k][j] : LEAST;
                most = larger(most, v[k][j]);
            }
        most = warpMax(most);
#pragma unroll
        for (int k = 0; k < N; k++)
#pragma unroll
            for (int j = 0; j < V; j++) sum += v[k][j] = expf(v[k][j] - most);
        sum = warpSum(sum);
        float inverse = 1.0f / sum;
#pragma unroll
        for (int k = 0; k < N; k++)
#pragma unroll
            for (int j = 0; j < V; j++) v[k][j] *= inverse;
        storeRow<V, N>(v, columns, p + first);
        if (lane() == 0) logSum[i] = most + logf(sum);
    }
}

KERNEL(softmax_rows)(const float *s, T *p, float *logSum, int rows, int columns, float scale) {
    if (columns <= WARP_COLUMNS<4> && columns % 4 == 0 && aligned(s, 16) && aligned(p, 4 * sizeof(T)))
        return softmaxRows<4>(s, p, logSum, rows, columns, scale);
    if (columns <= WARP_COLUMNS<1>) return softmaxRows<1>(s, p, logSum, rows, columns, scale);
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

// Beyond the row its first columns: a branch would wait for the values that it loads and widens.
template <int V, int N, class S> DEVICE void loadRow(const S *row, unsigned columns, float (&v)[N][V]) {
#pragma unroll
    for (int k = 0; k < N; k++) {
        unsigned c = columnAt<V>(k);
        load<V>(row + (c < columns ? c : 0), v[k]);
    }
}
template <int V, int N = 1>
DEVICE void softmaxRowsBackward(const T *p, const float *dp, T *ds, unsigned rows, unsigned columns, float scale) {
    if constexpr (N < 8)
        if (columns > 32 * V * N) return softmaxRowsBackward<V, 2 * N>(p, dp, ds, rows, columns, scale);
    for (unsigned i = flatWarp(); i < rows; i += flatWarps()) {
        unsigned long long first = static_cast<unsigned long long>(i) * columns;
        float weight[N][V], slope[N][V], dot = 0;
        loadRow<V, N>(p + first, columns, weight);
        loadRow<V, N>(dp + first, columns, slope);
#pragma unroll
        for (int k = 0; k < N; k++)
#pragma unroll
            for (int j = 0; j < V; j++) dot += columnAt<V>(k) < columns ? weight[k][j] * slope[k][j] : 0.0f;
        dot = warpSum(dot);
#pragma unroll
        for (int k = 0; k < N; k++)
#pragma unroll
            for (int j = 0; j < V; j++) slope[k][j] = scale * weight[k][j] * (slope[k][j] - dot);
        storeRow<V, N>(slope, columns, ds + first);
    }
}

KERNEL(softmax_rows_backward)(const T *p, const float *dp, T *ds, int rows, int columns, float scale) {
    if (columns <= WARP_COLUMNS<4> && columns % 4 == 0 && aligned(p, 4 * sizeof(T)) && aligned(dp, 16) && aligned(ds, 4 * sizeof(T)))
        return softmaxRowsBackward<4>(p, dp, ds, rows, columns, scale);
    if (columns <= WARP_COLUMNS<1>) return softmaxRowsBackward<1>(p, dp, ds, rows, columns, scale);
    for (unsigned i = blockIdx.x; i < rows; i += gridDim.x) {
        unsigned long long first = static_cast<unsigned long long>(i) * columns;
        float dot = 0;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) dot += widen(p[first + j]) * dp[first + j];
        dot = blockSum(dot);
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x)
            narrow(scale * widen(p[first + j]) * (dp[first + j] - dot), ds[first + j]);
    }
}

KERNEL(row_dot)(const T *a, const T *b, float *y, int rows, int columns) {
    for (unsigned i = flatWarp(); i < rows; i += flatWarps()) {
        unsigned long long first = static_cast<unsigned long long>(i) * columns;
        float dot = 0;
        for (unsigned c = lane(); c < columns; c += 32) dot += widen(a[first + c]) * widen(b[first + c]);
        dot = warpSum(dot);
        if (lane() == 0) y[i] = dot;
    }
}
