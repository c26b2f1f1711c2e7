// A 3x3 convolution, padding 1, of an image in which every pixel stands 2x2 times, as one of the image itself, x [n, h, w, c].
// By rows, pixel 2i + a of y, a in {0, 1}, sees only two different rows of x, and taps that meet the same can be summed:
//   a = 0: row i − 1 by w0, row i by w1 + w2        a = 1: row i by w0 + w1, row i + 1 by w2
// Columns likewise. So for each of the four places (a, b) of a square there are filters of 2x2 taps; all of them are one
// convolution, padding 1, whose channels are four strands of y, one for each place:
//   y[2i + a, 2j + b, k] = strands[i + a, j + b, (2a + b) · k's + k]
#include "common.h"
#include "kernels.h"

// Which of the two taps at place a of a square the tap r of three is part of.
DEVICE int tapOf(int a, int r) { return (r + 1 - a) / 2; }
DEVICE int tapOf(int place, int r, int s) { return 2 * tapOf(place / 2, r) + tapOf(place % 2, s); }

// The 9 or 4 taps of a filter for V channels, `step` values apart.
template <int V, int N> DEVICE void loadTaps(const T *from, unsigned step, float (&taps)[N][V]) {
#pragma unroll
    for (int t = 0; t < N; t++) load<V>(from + t * step, taps[t]);
}
template <int V, int N> DEVICE void storeTaps(const float (&taps)[N][V], unsigned step, T *to) {
#pragma unroll
    for (int t = 0; t < N; t++) store<V>(taps[t], to + t * step);
}

template <int V> DEVICE void sumTaps(const T *w, T *summed, unsigned k, unsigned c) {
    unsigned vectors = c / V;
    FLAT(i, 0, k * vectors) {
        unsigned filter = i / vectors, channel = (i - filter * vectors) * V;
        float taps[9][V];
        loadTaps(w + filter * 9 * c + channel, c, taps);
#pragma unroll
        for (int place = 0; place < 4; place++) {
            float sums[4][V] = {};
#pragma unroll
            for (int t = 0; t < 9; t++)
#pragma unroll
                for (int j = 0; j < V; j++) sums[tapOf(place, t / 3, t % 3)][j] += taps[t][j];
            storeTaps(sums, c, summed + (place * k + filter) * 4 * c + channel);
        }
    }
}

KERNEL(sum_taps)(const T *w, T *summed, int k, int c) {
    if (allows(VECTOR, c, w, summed)) sumTaps<VECTOR>(w, summed, k, c);
    else sumTaps<1>(w, summed, k, c);
}

template <int V> DEVICE void spreadTaps(const T *dsummed, T *dw, unsigned k, unsigned c) {
    unsigned vectors = c / V;
    FLAT(i, 0, k * vectors) {
        unsigned filter = i / vectors, channel = (i - filter * vectors) * V;
        float sums[9][V] = {};
#pragma unroll
        for (int place = 0; place < 4; place++) {
            float taps[4][V];
            loadTaps(dsummed + (place * k + filter) * 4 * c + channel, c, taps);
#pragma unroll
            for (int t = 0; t < 9; t++)
#pragma unroll
                for (int j = 0; j < V; j++) sums[t][j] += taps[tapOf(place, t / 3, t % 3)][j];
        }
        storeTaps(sums, c, dw + filter * 9 * c + channel);
    }
}

KERNEL(spread_taps)(const T *dsummed, T *dw, int k, int c) {
    if (allows(VECTOR, c, dsummed, dw)) spreadTaps<VECTOR>(dsummed, dw, k, c);
    else spreadTaps<1>(dsummed, dw, k, c);
}

template <int V> DEVICE void weave(const T *strands, const T *bias, const T *z, T *y, unsigned n, unsigned h, unsigned w, unsigned k) {
    unsigned vectors = k / V;
    FLAT(i, 0, 4 * n * h * w * vectors) {
        unsigned pixel = i / vectors, channel = (i - pixel * vectors) * V;
        unsigned line = pixel / (2 * w), q = pixel - line * 2 * w, image = line / (2 * h), p = line - image * 2 * h;
        unsigned place = 2 * (p % 2) + q % 2, from = (image * (h + 1) + (p + 1) / 2) * (w + 1) + (q + 1) / 2;
        float v[V];
        load<V>(strands + (4 * from + place) * k + channel, v);
        if (bias) addTo<V>(bias + channel, v);
        if (z) addTo<V>(z + i * V, v);
        store<V>(v, y + i * V);
    }
}

KERNEL(weave)(const T *strands, const T *bias, const T *z, T *y, int n, int h, int w, int k) {
    if (allows(VECTOR, k, strands, bias, z, y)) weave<VECTOR>(strands, bias, z, y, n, h, w, k);
    else if (allows(4, k, strands, bias, z, y)) weave<4>(strands, bias, z, y, n, h, w, k);
    else weave<1>(strands, bias, z, y, n, h, w, k);
}

template <int V> DEVICE void unweave(const T *dy, T *strands, unsigned n, unsigned h, unsigned w, unsigned k) {
    unsigned vectors = k / V;
    FLAT(i, 0, 4 * n * (h + 1) * (w + 1) * vectors) {
        unsigned strand = i / vectors, channel = (i - strand * vectors) * V, place = strand % 4, at = strand / 4;
        unsigned line = at / (w + 1), column = at - line * (w + 1), image = line / (h + 1), row = line - image * (h + 1);
        unsigned p = 2 * row - place / 2, q = 2 * column - place % 2;  // −1 is a large number
        float v[V] = {};
        if (p < 2 * h && q < 2 * w) load<V>(dy + ((image * 2 * h + p) * 2 * w + q) * k + channel, v);
        store<V>(v, strands + i * V);
    }
}

KERNEL(unweave)(const T *dy, T *strands, int n, int h, int w, int k) {
    if (allows(VECTOR, k, dy, strands)) unweave<VECTOR>(dy, strands, n, h, w, k);
    else if (allows(4, k, dy, strands)) unweave<4>(dy, strands, n, h, w, k);
    else unweave<1>(dy, strands, n, h, w, k);
}
