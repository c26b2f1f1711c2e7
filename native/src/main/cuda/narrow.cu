// What turns a convolution with few channels on one side into a product of matrices: patches of an image as rows, the sum of
// taps that lie beside one another, and filters as a matrix. Formulas in kernels.h.
#include "common.h"
#include "kernels.h"

// A thread has VECTOR neighbouring columns, whose taps it looks up once, and the rows of every so many pixels.
KERNEL(unfold)(const T *x, T *columns, Convolution d, int length) {
    int parts = length / VECTOR, lines = blockDim.x / parts, line = threadIdx.x / parts;
    int first = threadIdx.x % parts * VECTOR, taps = d.r * d.s, ones = taps * d.c;
    if (line >= lines) return;
    int down[VECTOR], right[VECTOR], at[VECTOR];
#pragma unroll
    for (int j = 0; j < VECTOR; j++) {
        int tap = (first + j) / d.c, c = first + j - tap * d.c;
        if (d.flipped) tap = taps - 1 - tap;
        int r = tap / d.s, s = tap - r * d.s;
        down[j] = first + j < ones ? r : -(1 << 30);  // beside every image
        right[j] = s;
        at[j] = (r * d.w + s) * d.c + c;
    }
    unsigned pixels = static_cast<unsigned>(d.n) * d.p * d.q;
    for (unsigned i = blockIdx.x * lines + line; i < pixels; i += gridDim.x * lines) {
        unsigned row = i / d.q, n = row / d.p;
        int h = static_cast<int>(row - n * d.p) * d.stride - d.top, w = static_cast<int>(i - row * d.q) * d.stride - d.left;
        const T *from = x + ((static_cast<long long>(n) * d.h + h) * d.w + w) * d.c;
        float v[VECTOR];
#pragma unroll
        for (int j = 0; j < VECTOR; j++) {
            bool inside = static_cast<unsigned>(h + down[j]) < static_cast<unsigned>(d.h) &&
                          static_cast<unsigned>(w + right[j]) < static_cast<unsigned>(d.w);
            v[j] = inside ? widen(from[at[j]]) : first + j == ones ? 1.0f : 0.0f;
        }
        store<VECTOR>(v, columns + static_cast<unsigned long long>(i) * length + first);
    }
}

// Neighbouring threads have neighbouring pixels, which lie beside one another in every row of taps.
KERNEL(fold)(const float *taps, const T *bias, const T *z, T *y, Convolution d) {
    unsigned pixels = static_cast<unsigned>(d.n) * d.p * d.q;
    unsigned long long plane = static_cast<unsigned long long>(d.n) * d.h * d.w;
    FLAT(i, 0, pixels * d.k) {
        unsigned k = i / pixels, pixel = i - k * pixels, row = pixel / d.q, n = row / d.p;
        int h = static_cast<int>(row - n * d.p) - d.top, w = static_cast<int>(pixel - row * d.q) - d.left;
        unsigned to = pixel * d.k + k;
        float sum = (bias ? widen(bias[k]) : 0.0f) + (z ? widen(z[to]) : 0.0f);
        for (int r = 0; r < d.r; r++) {
            bool inside = static_cast<unsigned>(h + r) < static_cast<unsigned>(d.h);
            const float *from = taps + (r * d.s * d.k + k) * plane + (static_cast<long long>(n) * d.h + h + r) * d.w + w;
#pragma unroll 3
            for (int s = 0; s < d.s; s++)
                if (inside && static_cast<unsigned>(w + s) < static_cast<unsigned>(d.w)) sum += from[s * (d.k * plane + 1)];
        }
        narrow(sum, y[to]);
    }
}

// The place in the filters of tap t between channel i of the many and channel j of the few.
DEVICE unsigned filterAt(unsigned i, unsigned t, unsigned j, int wide, int taps, int c, int turned) {
    return turned ? (j * taps + t) * wide + i : (i * taps + t) * c + j;
}

KERNEL(pack_filters)(const T *w, const T *bias, T *f, int wide, int taps, int c, int length, int turned) {
    FLAT(e, 0, wide * length) {
        unsigned i = e / length, l = e - i * length, t = l / c;
        float v = 0;
        if (t < taps) v = widen(w[filterAt(i, t, l - t * c, wide, taps, c, turned)]);
        else if (l == taps * c && bias) v = widen(bias[i]);
        narrow(v, f[e]);
    }
}

KERNEL(unpack_filters)(const float *f, T *dw, T *dbias, int wide, int taps, int c, int length, int turned) {
    FLAT(e, 0, wide * length) {
        unsigned i = e / length, l = e - i * length, t = l / c;
        if (t < taps) narrow(f[e], dw[filterAt(i, t, l - t * c, wide, taps, c, turned)]);
        else if (l == taps * c && dbias) narrow(f[e], dbias[i]);
    }
}
