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

const int RUN = 4;   // pixels of one thread
const int LONG = 7, HIGH = 2;  // pixels of one thread where filters and steps are the usual ones, which the compiler can unroll
const int LINE = 33;           // floats between taps in shared memory: 32 channels, and one for other banks

// The block's filters, tap by tap, 32 channels each: filter[tap · LINE + lane]; taps: those of one channel.
DEVICE void stageFilters(const T *f, float *filter, int first, int channels, int taps, int flipped) {
    unsigned thread = threadIdx.y * 32 + threadIdx.x;
#pragma unroll 4
    for (unsigned i = thread; i < 32 * taps; i += 256) {
        unsigned lane = i / taps, tap = i - lane * taps;
        filter[(flipped ? taps - 1 - tap : tap) * LINE + lane] =
            first + lane < channels ? widen(f[static_cast<unsigned long long>(first) * taps + i]) : 0.0f;
    }
}

// Filters of one channel each for S x S taps and steps of one pixel, the usual kind.
DEVICE bool usual(const Convolution &d, int side) { return d.stride == 1 && d.c == d.k && d.r == side && d.s == side; }

// v[k] = the pixels from w on of a row, 0 beside the image.
template <int N> DEVICE void neighbours(const T *row, int w, int width, int step, float *v) {
    const T *from = row + static_cast<long long>(w) * step;
#pragma unroll
    for (int k = 0; k < N; k++, from += step) v[k] = static_cast<unsigned>(w + k) < static_cast<unsigned>(width) ? widen(*from) : 0.0f;
}

// HIGH rows of LONG pixels share what they read: LONG + S − 1 values for HIGH · LONG · S products.
template <int S> DEVICE void usualDepthwise(const T *x, const float *filters, T *y, const Convolution &d, unsigned i) {
    int runs = (d.q + LONG - 1) / LONG, layers = (d.p + HIGH - 1) / HIGH;
    unsigned all = static_cast<unsigned>(d.n) * layers * runs;
    for (unsigned j = blockIdx.y * 8 + threadIdx.y; j < all; j += gridDim.y * 8) {
        unsigned layer = j / runs, n = layer / layers;
        int q = (j - layer * runs) * LONG, p = (layer - n * layers) * HIGH;
        float sum[HIGH][LONG] = {};
#pragma unroll 1
        for (int r = 0; r < S + HIGH - 1; r++) {
            int h = p + r - d.top;
            if (h < 0 || h >= d.h) continue;
            float v[LONG + S - 1];
            neighbours<LONG + S - 1>(x + (static_cast<unsigned long long>(n) * d.h + h) * d.w * d.c + i, q - d.left, d.w, d.c, v);
#pragma unroll
            for (int t = 0; t < HIGH; t++) {  // it is row r − t of the taps of row p + t
                if (static_cast<unsigned>(r - t) >= S) continue;
                const float *taps = filters + (r - t) * S * LINE + threadIdx.x;
#pragma unroll
                for (int s = 0; s < S; s++)
#pragma unroll
                    for (int k = 0; k < LONG; k++) sum[t][k] += taps[s * LINE] * v[k + s];
            }
        }
#pragma unroll
        for (int t = 0; t < HIGH; t++)
#pragma unroll
            for (int k = 0; k < LONG; k++)
                if (p + t < d.p && q + k < d.q)
                    narrow(sum[t][k], y[((static_cast<unsigned long long>(n) * d.p + p + t) * d.q + q + k) * d.k + i]);
    }
}

KERNEL(depthwise)(const T *x, const T *f, T *y, Convolution d) {
    DYNAMIC_SHARED(float, filters);
    int first = blockIdx.x * 32, i = first + threadIdx.x;
    stageFilters(f, filters, first, d.k, d.r * d.s, d.flipped);
    __syncthreads();
    if (i >= d.k) return;
    if (usual(d, 7)) return usualDepthwise<7>(x, filters, y, d, i);
    if (usual(d, 3)) return usualDepthwise<3>(x, filters, y, d, i);
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
                float tap = filters[(r * d.s + s) * LINE + threadIdx.x];
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

KERNEL(depthwise_data)(const T *f, const T *dy, T *dx, Convolution d) {
    DYNAMIC_SHARED(float, filters);  // [multiplier, taps, LINE]
    int first = blockIdx.x * 32, c = first + threadIdx.x, times = d.k / d.c, taps = d.r * d.s;
    stageFilters(f, filters, first, d.c, times * taps, 0);
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
                        sum[k] += filters[(m * taps + r * d.s + s) * LINE + threadIdx.x] *
                                  widen(row[static_cast<unsigned>(q) * d.k + m]);
                }
        }
#pragma unroll
        for (int k = 0; k < RUN; k++)
            if (w + k < d.w) narrow(sum[k], dx[(static_cast<unsigned long long>(line) * d.w + w + k) * d.c + c]);
    }
}

// The lines of this block's slice.
DEVICE void slice(unsigned lines, int slices, unsigned &begin, unsigned &end) {
    unsigned length = (lines + slices - 1) / slices;
    begin = blockIdx.z * length;
    end = begin + length < lines ? begin + length : lines;
}

// Writes the sum of what the threads of a column have for tap number `tap` of filter i.
DEVICE void putSlope(float own, float *partial, const Convolution &d, int i, int tap) {
    __shared__ float part[8][32];
    __syncthreads();
    part[threadIdx.y][threadIdx.x] = own;
    __syncthreads();
    if (threadIdx.y != 0 || i >= d.k) return;
    float total = 0;
    for (int j = 0; j < 8; j++) total += part[j][threadIdx.x];
    unsigned taps = d.r * d.s;
    partial[static_cast<unsigned long long>(blockIdx.z) * d.k * taps + i * taps + tap] = total;
}

// The rows r … r + HIGH − 1 of taps share what they read of x: in line p of an image row r meets output row p, row r + t the
// one t before it, so that there are HIGH − 1 lines more than output rows.
template <int S> DEVICE void usualWeights(const T *x, const T *dy, float *partial, const Convolution &d, int slices) {
    int i = blockIdx.x * 32 + threadIdx.x, r = blockIdx.y * HIGH;
    unsigned high = d.p + HIGH - 1, begin, end;
    slice(d.n * high, slices, begin, end);
    float sum[HIGH][S] = {};
    for (unsigned line = begin + threadIdx.y; line < end && i < d.k; line += 8) {
        unsigned n = line / high;
        int p = static_cast<int>(line - n * high), h = p + r - d.top;
        if (h < 0 || h >= d.h) continue;
        const T *row = x + (static_cast<unsigned long long>(n) * d.h + h) * d.w * d.c + i;
        const T *slope = dy + (static_cast<unsigned long long>(n) * d.p + p) * d.q * d.k + i;
        for (int q = 0; q < d.q; q += LONG) {
            float v[LONG + S - 1];
            neighbours<LONG + S - 1>(row, q - d.left, d.w, d.c, v);
#pragma unroll
            for (int t = 0; t < HIGH; t++) {
                if (r + t >= S || p < t || p - t >= d.p) continue;
                float g[LONG];
                neighbours<LONG>(slope - static_cast<unsigned long long>(t) * d.q * d.k, q, d.q, d.k, g);
#pragma unroll
                for (int s = 0; s < S; s++)
#pragma unroll
                    for (int k = 0; k < LONG; k++) sum[t][s] += g[k] * v[k + s];
            }
        }
    }
#pragma unroll
    for (int t = 0; t < HIGH; t++)
#pragma unroll
        for (int s = 0; s < S; s++)
            if (r + t < S) putSlope(sum[t][s], partial, d, i, (r + t) * S + s);
}

// For any filter: the taps s0 … s0 + 7 of the row.
DEVICE void slopes(const T *x, const T *dy, const Convolution &d, int i, int r, int s0, unsigned begin, unsigned end, float *sum) {
    int c = i / (d.k / d.c);
    for (unsigned line = begin + threadIdx.y; line < end; line += 8) {
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
}

// Block (x, y, z): 32 channels, tap row y or HIGH rows from y · HIGH on, slice z of the lines; eight taps of the row at a time.
KERNEL(depthwise_weights)(const T *x, const T *dy, float *partial, Convolution d, int slices) {
    if (usual(d, 7)) return usualWeights<7>(x, dy, partial, d, slices);
    if (usual(d, 3)) return usualWeights<3>(x, dy, partial, d, slices);
    int i = blockIdx.x * 32 + threadIdx.x, r = blockIdx.y;
    unsigned begin, end;
    slice(static_cast<unsigned>(d.n) * d.p, slices, begin, end);
    for (int s0 = 0; s0 < d.s; s0 += 8) {
        float sum[8] = {};
        if (i < d.k) slopes(x, dy, d, i, r, s0, begin, end, sum);
#pragma unroll
        for (int s = 0; s < 8; s++)
            if (s0 + s < d.s) putSlope(sum[s], partial, d, i, r * d.s + s0 + s);
    }
}
