// Where the elements of a box lie. Axis 0 is the innermost; the loops are unrolled, so that the box stays in the
// constant memory of the launch.
#pragma once
#include "kernels.h"

// Σ i_k first[k] and Σ i_k second[k] of element number i, counted with axis 0 fastest.
DEVICE void place(const Axes &axes, unsigned i, unsigned &first, unsigned &second) {
    first = second = 0;
#pragma unroll
    for (int k = 0; k < 6; k++)
        if (k < axes.rank) {
            unsigned at = i;
            if (k + 1 < axes.rank) {
                unsigned size = axes.size[k], next = i / size;
                at = i - next * size;
                i = next;
            }
            first += at * axes.first[k];
            second += at * axes.second[k];
        }
}

// The first of the two alone.
DEVICE unsigned place(const Axes &axes, unsigned i) {
    unsigned first = 0;
#pragma unroll
    for (int k = 0; k < 6; k++)
        if (k < axes.rank) {
            unsigned at = i;
            if (k + 1 < axes.rank) {
                unsigned size = axes.size[k], next = i / size;
                at = i - next * size;
                i = next;
            }
            first += at * axes.first[k];
        }
    return first;
}

// Whether every step along these axes is one of 16 bytes.
DEVICE bool stepsAligned(const int *stride, int rank) {
    bool all = true;
#pragma unroll
    for (int k = 0; k < 6; k++)
        if (k < rank && stride[k] % VECTOR != 0) all = false;
    return all;
}

// Whether every run along axis 0 starts at a multiple of 16 bytes.
DEVICE bool runsAligned(const T *x, const int *stride, int rank) {
    bool all = aligned(x, 16);
#pragma unroll
    for (int k = 1; k < 6; k++)
        if (k < rank && stride[k] % VECTOR != 0) all = false;
    return all;
}
