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

// A block has 32 filters and 32 channels of a tap: read along the filters, written along the channels.
KERNEL(add_parts)(const float *parts, T *dw, int k, int r, int s, int c, int p) {
    __shared__ float tile[32][33];  // one more, so that no column lies in one bank
    const unsigned LINES = 8, OWN = 32 / LINES;
    unsigned row = blockIdx.z / s, column = blockIdx.z - row * s, filter = blockIdx.x * 32, channel = blockIdx.y * 32;
    unsigned long long each = static_cast<unsigned long long>(r) * c * k;
    const float *from = parts + column * p * each + (static_cast<unsigned long long>(row) * c + channel + threadIdx.y) * k + filter + threadIdx.x;
    float sum[OWN] = {};
    if (filter + threadIdx.x < k) {
#pragma unroll 4
        for (unsigned part = 0; part < p; part++, from += each)
#pragma unroll
            for (unsigned i = 0; i < OWN; i++)
                if (channel + threadIdx.y + i * LINES < c) sum[i] += from[i * LINES * static_cast<unsigned long long>(k)];
    }
#pragma unroll
    for (unsigned i = 0; i < OWN; i++) tile[threadIdx.y + i * LINES][threadIdx.x] = sum[i];
    __syncthreads();
    for (unsigned i = threadIdx.y; i < 32 && filter + i < k; i += LINES)
        if (channel + threadIdx.x < c)
            narrow(tile[threadIdx.x][i], dw[(static_cast<unsigned long long>(filter + i) * r * s + blockIdx.z) * c + channel + threadIdx.x]);
}
