// Depthwise convolution, channels last: every channel has filters of its own. x [n, h, w, c], filters [k, r, s] with
// k = c · multiplier, y [n, p, q, k], output channel i reads channel i / multiplier:
//
//   y[n, p, q, i] = Σ_{r,s} f[i, r, s] · x[n, p·stride + r − top, q·stride + s − left, i / multiplier]
//   dx[n, h, w, c] = Σ f[i, r, s] · dy[n, p, q, i] over i of c and all (p, r), (q, s) that meet in (h, w)
//   df[i, r, s] = Σ_{n,p,q} dy[n, p, q, i] · x[…]
//
// For where cuDNN has no algorithm or a slow one. Lanes are neighbouring channels, so every access is a full line; a block
// keeps the filters of its 32 channels in shared memory, and a thread makes RUN pixels of a row with each tap it reads.
#include "common.h"
#include "kernels.h"

const int RUN = 4;  // pixels of one thread

// The block's filters, tap by tap, 32 channels each: filter[tap · 32 + lane].
DEVICE void stageFilters(const T *f, float *filter, int first, int k, int taps) {
    unsigned thread = threadIdx.y * 32 + threadIdx.x;
    for (unsigned i = thread; i < 32 * taps; i += 256) {
        unsigned lane = i / taps, tap = i - lane * taps;
        filter[tap * 32 + lane] = first + lane < k ? widen(f[static_cast<unsigned long long>(first + lane) * taps + tap]) : 0.0f;
    }
}

KERNEL(depthwise)(const T *x, const T *f, T *y, Depthwise d) {
    DYNAMIC_SHARED(float, filters);
    int first = blockIdx.x * 32, i = first + threadIdx.x;
    stageFilters(f, filters, first, d.k, d.r * d.s);
    __syncthreads();
    if (i >= d.k) return;
    int c = i / (d.k / d.c), runs = (d.q + RUN - 1) / RUN;
    unsigned all = static_cast<unsigned>(d.n) * d.p * runs;
    for (unsigned j = blockIdx.y * 8 + threadIdx.y; j < all; j += gridDim.y * 8) {
        unsigned line = j / runs, q = (j - line * runs) * RUN, n = line / d.p, p = line - n * d.p;
        float sum[RUN] = {};
        for (int r = 0; r < d.r; r++) {
            int h = static_cast<int>(p) * d.stride + r - d.top;
            if (h < 0 || h >= d.h) continue;
            const T *row = x + (static_cast<unsigned long long>(n) * d.h + h) * d.w * d.c + c;
            for (int s = 0; s < d.s; s++) {
                float tap = filters[(r * d.s + s) * 32 + threadIdx.x];
#pragma unroll
                for (int k = 0; k < RUN; k++) {
                    int w = static_cast<int>(q + k) * d.stride + s - d.left;
                    if (w >= 0 && w < d.w) sum[k] += tap * widen(row[static_cast<unsigned>(w) * d.c]);
                }
            }
        }
#pragma unroll
        for (int k = 0; k < RUN; k++)
            if (q + k < d.q) narrow(sum[k], y[(static_cast<unsigned long long>(line) * d.q + q + k) * d.k + i]);
    }
}

KERNEL(depthwise_data)(const T *f, const T *dy, T *dx, Depthwise d) {
    DYNAMIC_SHARED(float, filters);  // [multiplier, taps, 32]
    int first = blockIdx.x * 32, c = first + threadIdx.x, times = d.k / d.c, taps = d.r * d.s;
    unsigned thread = threadIdx.y * 32 + threadIdx.x;
    for (unsigned i = thread; i < 32 * times * taps; i += 256) {
        unsigned lane = i / (times * taps), rest = i - lane * times * taps;
        filters[rest * 32 + lane] =
            first + lane < d.c ? widen(f[static_cast<unsigned long long>(first + lane) * times * taps + rest]) : 0.0f;
    }
    __syncthreads();
    if (c >= d.c) return;
    int runs = (d.w + RUN - 1) / RUN;
    unsigned all = static_cast<unsigned>(d.n) * d.h * runs;
    for (unsigned j = blockIdx.y * 8 + threadIdx.y; j < all; j += gridDim.y * 8) {
        unsigned line = j / runs, w = (j - line * runs) * RUN, n = line / d.h, h = line - n * d.h;
        float sum[RUN] = {};
        for (int r = 0; r < d.r; r++) {
            int down = static_cast<int>(h) + d.top - r, p = down / d.stride;
            if (down < 0 || down % d.stride != 0 || p >= d.p) continue;
            const T *row = dy + (static_cast<unsigned long long>(n) * d.p + p) * d.q * d.k + c * times;
            for (int s = 0; s < d.s; s++)
#pragma unroll
                for (int k = 0; k < RUN; k++) {
                    int right = static_cast<int>(w + k) + d.left - s, q = right / d.stride;
                    if (right < 0 || right % d.stride != 0 || q >= d.q) continue;
                    for (int m = 0; m < times; m++)
                        sum[k] += filters[(m * taps + r * d.s + s) * 32 + threadIdx.x] *
                                  widen(row[static_cast<unsigned>(q) * d.k + m]);
                }
        }
#pragma unroll
        for (int k = 0; k < RUN; k++)
            if (w + k < d.w) narrow(sum[k], dx[(static_cast<unsigned long long>(line) * d.w + w + k) * d.c + c]);
    }
}

// Block (x, y, z): 32 channels, tap row y, slice z of the lines (n, p); eight taps of the row at a time.
KERNEL(depthwise_weights)(const T *x, const T *dy, float *partial, Depthwise d, int slices) {
    __shared__ float part[8][32];
    int i = blockIdx.x * 32 + threadIdx.x, r = blockIdx.y;
    bool inside = i < d.k;
    int c = inside ? i / (d.k / d.c) : 0;
    unsigned lines = static_cast<unsigned>(d.n) * d.p, length = (lines + slices - 1) / slices, begin = blockIdx.z * length;
    unsigned end = begin + length < lines ? begin + length : lines;
    for (int s0 = 0; s0 < d.s; s0 += 8) {
        float sum[8] = {};
        for (unsigned line = begin + threadIdx.y; inside && line < end; line += 8) {
            unsigned n = line / d.p, p = line - n * d.p;
            int h = static_cast<int>(p) * d.stride + r - d.top;
            if (h < 0 || h >= d.h) continue;
            const T *row = x + (static_cast<unsigned long long>(n) * d.h + h) * d.w * d.c + c;
            const T *slope = dy + static_cast<unsigned long long>(line) * d.q * d.k + i;
            for (int q = 0; q < d.q; q++) {
                float g = widen(slope[static_cast<unsigned>(q) * d.k]);
#pragma unroll
                for (int s = 0; s < 8; s++) {
                    int w = q * d.stride + s0 + s - d.left;
                    if (s0 + s < d.s && w >= 0 && w < d.w) sum[s] += g * widen(row[static_cast<unsigned>(w) * d.c]);
                }
            }
        }
#pragma unroll
        for (int s = 0; s < 8; s++) {
            __syncthreads();
            part[threadIdx.y][threadIdx.x] = sum[s];
            __syncthreads();
            if (threadIdx.y == 0 && inside && s0 + s < d.s) {
                float total = 0;
                for (int j = 0; j < 8; j++) total += part[j][threadIdx.x];
                unsigned taps = d.r * d.s, outputs = d.k * taps;
                partial[static_cast<unsigned long long>(blockIdx.z) * outputs + i * taps + r * d.s + s0 + s] = total;
            }
        }
    }
}
