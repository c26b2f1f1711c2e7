// Calls that move elements and compute nothing: one strided copy, rows picked by an index, and the transpose of that.
#include "common.h"
#include "axes.h"
#include "kernels.h"

// Elements begin … end, of which this thread has begin + thread, begin + thread + threads, …; begin is a multiple of VECTOR.
DEVICE void copyPart(const T *from, T *to, unsigned begin, unsigned end, const Axes &axes, unsigned thread, unsigned threads) {
    bool runs = axes.first[0] == 1 && axes.second[0] == 1 && (axes.rank == 1 || axes.size[0] % VECTOR == 0) &&
                runsAligned(from, axes.first, axes.rank) && runsAligned(to, axes.second, axes.rank);
    unsigned vectors = runs ? (end - begin) / VECTOR : 0;
#pragma unroll 2
    for (unsigned i = thread; i < vectors; i += threads) {
        unsigned source, target;
        place(axes, begin + i * VECTOR, source, target);
        CHECK_ALIGNED(from + source, 16);
        CHECK_ALIGNED(to + target, 16);
        *reinterpret_cast<uint4 *>(to + target) = *reinterpret_cast<const uint4 *>(from + source);
    }
#pragma unroll 1
    for (unsigned i = begin + vectors * VECTOR + thread; i < end; i += threads) {
        unsigned source, target;
        place(axes, i, source, target);
        to[target] = from[source];
    }
}

KERNEL(copy)(const T *from, T *to, int n, Axes axes) { copyPart(from, to, 0, n, axes, flatThread(), flatThreads()); }

KERNEL(copies)(Copies copies) {
    const CopyOfOne &own = ownOf(copies);
    unsigned begin = (blockIdx.x - own.first) * SHORT_PIECE, n = own.n;
    copyPart(static_cast<const T *>(own.from), static_cast<T *>(own.to), begin, begin + SHORT_PIECE < n ? begin + SHORT_PIECE : n,
             own.axes, threadIdx.x, blockDim.x);
}

KERNEL(turn_filters)(Turns turns) {
    __shared__ T tile[32][33];  // a row more, so that no column lies in one bank
    const TurnOfOne &own = ownOf(turns);
    const T *w = static_cast<const T *>(own.w);
    T *y = static_cast<T *>(own.y);
    int k = own.k, taps = own.taps, c = own.c, across = (c + 31) / 32, down = (k + 31) / 32;
    int place = blockIdx.x - own.first, tap = place / (across * down), left = place % across * 32, top = place / across % down * 32;
    int channel = left + threadIdx.x, filter = top + threadIdx.x;
    for (int j = threadIdx.y; j < 32; j += 8) {
        int row = top + j;
        if (row < k && channel < c) tile[j][threadIdx.x] = w[(static_cast<unsigned long long>(row) * taps + tap) * c + channel];
    }
    __syncthreads();
    for (int j = threadIdx.y; j < 32; j += 8) {
        int row = left + j;
        if (row < c && filter < k) y[(static_cast<unsigned long long>(row) * taps + taps - 1 - tap) * k + filter] = tile[threadIdx.x][j];
    }
}

// The row that an index names, or −1.
DEVICE int rowOf(float value, int rows) {
    int row = static_cast<int>(value);
    return static_cast<float>(row) == value && row >= 0 && row < rows ? row : -1;
}

KERNEL(gather)(const T *table, const float *index, T *y, int n, int width, int rows, int *bad) {
    unsigned all = static_cast<unsigned>(n) * width;
    FLAT(j, 0, all) {
        unsigned i = j / width, c = j - i * width;
        int row = rowOf(index[i], rows);
        if (row >= 0) y[j] = table[static_cast<unsigned>(row) * width + c];
        else if (c == 0) atomicMin(bad, static_cast<int>(i));
    }
}

KERNEL(scatter_add)(const float *index, const T *dy, T *dtable, int n, int width, int rows, int *bad) {
    unsigned all = static_cast<unsigned>(rows) * width;
    FLAT(j, 0, all) {
        int v = j / width, c = j - v * width;
        float sum = 0;
        for (int i = 0; i < n; i++) {
            int row = rowOf(index[i], rows);
            if (row == v) sum += widen(dy[static_cast<unsigned>(i) * width + c]);
            if (row < 0 && j == 0) atomicMin(bad, i);
        }
        narrow(sum, dtable[j]);
    }
}
