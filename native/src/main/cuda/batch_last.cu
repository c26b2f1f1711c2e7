// The gradient of filters as products whose sums run along memory: images with their batch innermost, and the sum of the
// products of all rows. Formulas in kernels.h.
#include "common.h"
#include "kernels.h"

const int BATCH_CHANNELS = 32, BATCH_IMAGES = 128, BATCH_THREADS = 256;

// A block has a pixel's channels of that many images: read along the channels, written along the images.
KERNEL_UP_TO(BATCH_THREADS, batch_last)(const T *x, T *y, int n, int h, int w, int c, int top, int left) {
    __shared__ T tile[BATCH_CHANNELS][BATCH_IMAGES + 1];  // one more, so that no column lies in one bank
    const unsigned lanes = BATCH_CHANNELS / VECTOR, lines = BATCH_THREADS / lanes;
    unsigned chunks = (c + BATCH_CHANNELS - 1) / BATCH_CHANNELS, pixel = blockIdx.x / chunks, wide = w + 2 * left;
    unsigned channel = (blockIdx.x - pixel * chunks) * BATCH_CHANNELS, image = blockIdx.y * BATCH_IMAGES;
    unsigned line = pixel / wide, column = pixel - line * wide;
    unsigned p = line - top, q = column - left;  // −1 is a large number
    bool inside = p < h && q < w;
    if (inside) {
        unsigned own = threadIdx.x % lanes * VECTOR, row = threadIdx.x / lanes;
        bool some = channel + own < c;
        const T *from = x + ((static_cast<unsigned long long>(image + row) * h + p) * w + q) * c + channel + own;
        float v[BATCH_IMAGES / lines][VECTOR] = {};
#pragma unroll
        for (unsigned i = 0; i < BATCH_IMAGES / lines; i++)
            if (some && image + row + i * lines < n) load<VECTOR>(from + static_cast<unsigned long long>(i * lines) * h * w * c, v[i]);
#pragma unroll
        for (unsigned i = 0; i < BATCH_IMAGES / lines; i++)
#pragma unroll
            for (unsigned j = 0; j < VECTOR; j++) narrow(v[i][j], tile[own + j][row + i * lines]);
    }
    __syncthreads();
    for (unsigned j = threadIdx.x / 32; j < BATCH_CHANNELS && channel + j < c; j += BATCH_THREADS / 32) {
        T *to = y + ((static_cast<unsigned long long>(line) * c + channel + j) * wide + column) * n + image;
#pragma unroll
        for (unsigned i = lane(); i < BATCH_IMAGES; i += 32)
            if (image + i < n) {
                if (inside) to[i] = tile[j][i];
                else narrow(0, to[i]);
            }
    }
}

template <int V> DEVICE void addParts(const float *parts, T *dw, unsigned k, unsigned r, unsigned s, unsigned c, unsigned p) {
    unsigned vectors = c / V;
    unsigned long long each = static_cast<unsigned long long>(k) * r * c;
    FLAT(i, 0, k * r * s * vectors) {
        unsigned filter = i / vectors, channel = (i - filter * vectors) * V, row = filter / s, column = filter - row * s;
        const float *from = parts + column * p * each + row * c + channel;  // filter is k, r, s and row is k, r
        float sum[V] = {};
#pragma unroll 8
        for (unsigned part = 0; part < p; part++) {
            float more[V];
            load<V>(from + part * each, more);
#pragma unroll
            for (int j = 0; j < V; j++) sum[j] += more[j];
        }
        store<V>(sum, dw + filter * c + channel);
    }
}

KERNEL(add_parts)(const float *parts, T *dw, int k, int r, int s, int c, int p) {
    if (allows(4, c, dw)) addParts<4>(parts, dw, k, r, s, c, p);
    else addParts<1>(parts, dw, k, r, s, c, p);
}
