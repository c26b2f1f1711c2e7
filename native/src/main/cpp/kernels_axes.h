// Walks two arrays that have the same axes and strides of their own: what strided copies and broadcasting share.
#pragma once
#include "kernels.h"
#include "kernels_math.h"

namespace ddpm {
namespace VARIANT {
namespace {

struct Axis {
    int64_t size, a, b;  // extent, stride in one array and in the other
};

// The axes of these shapes, those of extent 1 left out and neighbours that lie alike in both arrays merged. Returns how many;
// at least one.
inline int merged(const int32_t* sizes, const int64_t* a, const int64_t* b, int axes, Axis* axis) {
    int rank = 0;
    for (int k = 0; k < axes; k++) {
        if (sizes[k] == 1) continue;
        Axis next{sizes[k], a[k], b[k]};
        Axis* last = rank > 0 ? &axis[rank - 1] : nullptr;
        if (last && last->a == next.a * next.size && last->b == next.b * next.size) {
            *last = {last->size * next.size, next.a, next.b};
        } else {
            axis[rank++] = next;
        }
    }
    if (rank == 0) axis[rank++] = {1, 1, 1};
    return rank;
}

// Calls line(row, a, b) for all rows that the axes count, with where they begin, in blocks for the threads; `length` is that of
// a row.
template <class Line>
void each_row(const Axis* axis, int rank, int64_t length, Line line) {
    int64_t rows = 1;
    for (int k = 0; k < rank; k++) rows *= axis[k].size;
    int64_t block = length > 1024 ? 1 : 1024 / length;  // rows that share one computation of where they lie
    int64_t blocks = (rows + block - 1) / block;
#pragma omp parallel for schedule(static) if (rows * length > kSerial)
    for (int64_t part = 0; part < blocks; part++) {
        int64_t row = part * block, end = at_most(rows, row + block);
        int64_t at[kMaxAxes], a = 0, b = 0, rest = row;
        for (int k = rank - 1; k >= 0; k--) {
            at[k] = rest % axis[k].size;
            rest /= axis[k].size;
            a += at[k] * axis[k].a;
            b += at[k] * axis[k].b;
        }
        for (; row < end; row++) {
            line(row, a, b);
            for (int k = rank - 1; k >= 0; k--) {
                a += axis[k].a;
                b += axis[k].b;
                if (++at[k] < axis[k].size) break;
                a -= at[k] * axis[k].a;
                b -= at[k] * axis[k].b;
                at[k] = 0;
            }
        }
    }
}

}  // namespace
}  // namespace VARIANT
}  // namespace ddpm
