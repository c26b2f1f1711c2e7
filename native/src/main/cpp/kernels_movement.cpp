// One strided copy for slices, concatenation, permutation, repetition: axes that lie alike on both sides are merged, and the
// axis on which both sides are contiguous is the inner loop. Where that is short or none, results are gathered in runs that are
// contiguous on their side only. And sums or maxima over any axes.
#include "kernels_axes.h"

namespace ddpm {
namespace VARIANT {
namespace {

void line(const Value* from, int64_t fs, Value* to, int64_t ts, int64_t n) {
    if (fs == 1 && ts == 1) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) to[i] = from[i];
    } else if (fs == 0 && ts == 1) {
        Value v = from[0];
#pragma omp simd
        for (int64_t i = 0; i < n; i++) to[i] = v;
    } else {
        for (int64_t i = 0; i < n; i++) to[i * ts] = from[i * fs];
    }
}

// How good an axis is as the inner loop: contiguous on both sides, then on the written side, then on the read side.
int64_t worth(const Axis& a) {
    int64_t kind = a.b == 1 && a.a <= 1 ? 4 : a.b == 1 ? 2 : a.a == 1 ? 2 : 1;
    return kind * (a.size > 64 ? 64 : a.size);
}

constexpr int64_t kGathered = 1024;  // elements of a run at most
constexpr int64_t kShort = 16;       // an inner loop of fewer is slower than to gather

// A stretch of results that lie together, from as many axes as make one up; where its elements are read; the other axes.
struct Run {
    int64_t size = 1;
    int32_t from[kGathered] = {0};
    int rank = 0;
    Axis rest[kMaxAxes + 1];

    Run(const Axis* axes, int count) {
        for (; rank < count; rank++) rest[rank] = axes[rank];
        for (int k = 0; k < rank;) {
            Axis next = rest[k];
            if (next.b != size || size * next.size > kGathered || (next.size - 1) * next.a > kFar) {
                k++;
                continue;
            }
            for (int64_t i = 1; i < next.size; i++)
                for (int64_t j = 0; j < size; j++) from[i * size + j] = from[j] + static_cast<int32_t>(i * next.a);
            size *= next.size;
            for (rank--, count = k; count < rank; count++) rest[count] = rest[count + 1];
            k = 0;
        }
    }

    void copy(const Value* x, Value* y) const {
#pragma omp simd
        for (int64_t i = 0; i < size; i++) y[i] = x[from[i]];
    }

    static constexpr int64_t kFar = int64_t(1) << 27;  // so that the sum of all axes' offsets is an int
};

}  // namespace

void copy(const Value* from, const int64_t* from_strides, Value* to, const int64_t* to_strides, const int32_t* sizes,
          int axes) {
    Axis axis[kMaxAxes + 1];
    int rank = merged(sizes, from_strides, to_strides, axes, axis);
    int best = rank - 1;
    for (int k = 0; k < rank; k++)
        if (worth(axis[k]) > worth(axis[best])) best = k;
    Axis inner = axis[best];
    if (inner.b != 1 || inner.a > 1 || inner.size < kShort) {
        Run run(axis, rank);
        if (run.size >= kShort) {
            each_row(run.rest, run.rank, run.size, [&](int64_t, int64_t f, int64_t t) { run.copy(from + f, to + t); });
            return;
        }
    }
    for (int k = best; k < rank - 1; k++) axis[k] = axis[k + 1];
    rank--;
    if (rank == 0) {  // one run: cut it, so that all threads have some
        constexpr int64_t kChunk = 1 << 14;
        int64_t chunks = (inner.size + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) if (inner.size > kSerial)
        for (int64_t c = 0; c < chunks; c++)
            line(from + c * kChunk * inner.a, inner.a, to + c * kChunk * inner.b, inner.b,
                 at_most(kChunk, inner.size - c * kChunk));
        return;
    }
    each_row(axis, rank, inner.size,
             [&](int64_t, int64_t f, int64_t t) { line(from + f, inner.a, to + t, inner.b, inner.size); });
}

namespace {

constexpr int64_t kStretch = 1 << 12;  // terms that are added in float before a double takes over
constexpr int64_t kFew = 64;           // terms whose places are worked out once for all results

// NaN wins: a comparison with it is false.
inline float larger_or_nan(float a, float b) {
    return a >= b || a != a ? a : b;
}

// Of two parts of a sum or maximum.
inline double combined(bool maximum, double a, double b) {
    return !maximum ? a + b : a >= b || a != a ? a : b;
}

// Sum or maximum of a contiguous run.
double run(bool maximum, const Value* x, int64_t n) {
    if (maximum) {
        float best = x[0];
        for (int64_t i = 1; i < n; i++) best = larger_or_nan(best, x[i]);
        return best;
    }
    double total = 0;
    for (int64_t first = 0; first < n; first += kStretch) {
        float lane[16] = {}, rest = 0;
        int64_t end = at_most(n, first + kStretch), i = first;
        for (; i + 16 <= end; i += 16)
#pragma omp simd
            for (int j = 0; j < 16; j++) lane[j] += x[i + j];
        for (; i < end; i++) rest += x[i];
        double sum = rest;
        for (int j = 0; j < 16; j++) sum += static_cast<double>(lane[j]);
        total += sum;
    }
    return total;
}

// The axes of x, merged into runs that stay or vanish alternately.
struct Runs {
    int64_t size[kMaxAxes + 1], stride[kMaxAxes + 1];
    bool gone[kMaxAxes + 1];
    int rank = 0;

    Runs(const int32_t* x_shape, const int32_t* y_shape, int axes) {
        for (int k = 0; k < axes; k++) {
            if (x_shape[k] == 1) continue;
            bool vanishes = y_shape[k] == 1;
            if (rank > 0 && gone[rank - 1] == vanishes) {
                size[rank - 1] *= x_shape[k];
            } else {
                size[rank] = x_shape[k];
                gone[rank++] = vanishes;
            }
        }
        int64_t whole = 1;
        for (int k = rank - 1; k >= 0; k--) {
            stride[k] = whole;
            whole *= size[k];
        }
    }

    int64_t inner() const { return size[rank - 1]; }

    // How many places the runs before the last one have, those that vanish or those that stay.
    int64_t places(bool vanish) const {
        int64_t count = 1;
        for (int k = 0; k < rank - 1; k++)
            if (gone[k] == vanish) count *= size[k];
        return count;
    }

    // Where place i of these lies.
    int64_t at(bool vanish, int64_t i) const {
        int64_t offset = 0;
        for (int k = rank - 2; k >= 0; k--)
            if (gone[k] == vanish) {
                offset += i % size[k] * stride[k];
                i /= size[k];
            }
        return offset;
    }
};

// Where the terms of a result lie, from where it begins.
struct TermOffsets {
    const Runs& runs;
    int64_t few[kFew];

    TermOffsets(const Runs& runs, int64_t terms) : runs(runs) {
        for (int64_t t = 0; t < at_most(terms, kFew); t++) few[t] = runs.at(true, t);
    }
    int64_t operator[](int64_t t) const { return t < kFew ? few[t] : runs.at(true, t); }
};

// Everything: partial results of fixed stretches, put together in order.
void reduce_all(bool maximum, const Value* x, int64_t n, Value* y, double* partial) {
    int64_t chunks = (n + kStretch - 1) / kStretch;
#pragma omp parallel for schedule(static) if (n > kSerial)
    for (int64_t c = 0; c < chunks; c++) partial[c] = run(maximum, x + c * kStretch, at_most(kStretch, n - c * kStretch));
    double total = partial[0];
    for (int64_t c = 1; c < chunks; c++) total = combined(maximum, total, partial[c]);
    y[0] = static_cast<float>(total);
}

// The last run vanishes: each result is a sum of contiguous runs.
void reduce_runs(bool maximum, const Runs& runs, const Value* x, Value* y) {
    int64_t inner = runs.inner(), results = runs.places(false), terms = runs.places(true);
    TermOffsets offset(runs, terms);
#pragma omp parallel for schedule(static) if (results * terms * inner > kSerial)
    for (int64_t r = 0; r < results; r++) {
        const Value* from = x + runs.at(false, r);
        double total = run(maximum, from, inner);
        for (int64_t t = 1; t < terms; t++) total = combined(maximum, total, run(maximum, from + offset[t], inner));
        y[r] = static_cast<float>(total);
    }
}

// The last run stays: rows are added up as vectors, a strip at a time.
void reduce_rows(bool maximum, const Runs& runs, const Value* x, Value* y) {
    int64_t inner = runs.inner(), results = runs.places(false), terms = runs.places(true);
    int64_t strips = (inner + kRowStrip - 1) / kRowStrip, stretch = maximum ? terms : at_most(terms, kStretch);
    TermOffsets offset(runs, terms);
#pragma omp parallel for schedule(static) if (results * terms * inner > kSerial)
    for (int64_t task = 0; task < results * strips; task++) {
        int64_t r = task / strips, first = task % strips * kRowStrip, width = at_most(kRowStrip, inner - first);
        const Value* from = x + runs.at(false, r) + first;
        float strip[kRowStrip];
        double totals[kRowStrip];
        for (int64_t begin = 0; begin < terms; begin += stretch) {
            for (int64_t j = 0; j < width; j++) strip[j] = from[offset[begin] + j];
            for (int64_t t = begin + 1; t < at_most(terms, begin + stretch); t++) {
                const Value* term = from + offset[t];
                if (maximum) {
                    for (int64_t j = 0; j < width; j++) strip[j] = larger_or_nan(strip[j], term[j]);
                } else {
#pragma omp simd
                    for (int64_t j = 0; j < width; j++) strip[j] += term[j];
                }
            }
            if (stretch == terms) continue;
            for (int64_t j = 0; j < width; j++) totals[j] = static_cast<double>(strip[j]) + (begin > 0 ? totals[j] : 0);
        }
        Value* to = y + r * inner + first;
        for (int64_t j = 0; j < width; j++) to[j] = stretch == terms ? strip[j] : static_cast<float>(totals[j]);
    }
}

}  // namespace

void reduce(bool maximum, const Value* x, const int32_t* x_shape, Value* y, const int32_t* y_shape, int axes,
            double* partial) {
    Runs runs(x_shape, y_shape, axes);
    if (runs.rank == 0) y[0] = x[0];
    else if (runs.rank == 1 && runs.gone[0]) reduce_all(maximum, x, runs.size[0], y, partial);
    else if (runs.gone[runs.rank - 1]) reduce_runs(maximum, runs, x, y);
    else reduce_rows(maximum, runs, x, y);
}

}  // namespace VARIANT
}  // namespace ddpm
