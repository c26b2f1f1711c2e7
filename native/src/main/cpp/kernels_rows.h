// Sums over rows of few channels. To be included in kernels that are compiled once for each variant, hence the unnamed
// namespace.
//
// Channel counts like 28 do not fill vectors: rows are therefore taken several at a time, so many that they do, with one sum for
// each place in them.
#pragma once
#include <type_traits>

#include "kernels_vectors.h"

namespace ddpm {
namespace VARIANT {
namespace {

// Channels of as many rows as together fill whole vectors, and some of them: a sum waits for itself.
inline int64_t rows_width(int64_t channels) {
    constexpr int64_t few = 4 * kLanes;
    int64_t rows = few;
    while (rows > 1 && channels * (rows / 2) % kLanes == 0 && channels * (rows / 2) >= few) rows /= 2;
    return rows * channels;
}

template <class T, class From>
inline T get(const From* from) {
    if constexpr (std::is_same_v<T, float>) return *from;
    else return load(from);
}

template <class To>
inline void put(To* to, Vector v) {
    store(to, v);
}

template <class To>
inline void put(To* to, float v) {
    *to = v;
}

template <class T>
inline void add(float* to, T v) {
    put(to, get<T>(to) + v);
}

// Calls body(zero, i, j) for the n values of rows that are taken together, j within `width`: for vectors of them, and one by one
// for what is left of the last rows. The zero is of the type to compute with.
template <class Body>
inline void in_whole_rows(int64_t n, int64_t width, Body body) {
    for (int64_t first = 0; first < n; first += width) {
        int64_t count = at_most(width, n - first), j = 0;
        for (; j + kVector <= count; j += kVector) body(Vector{}, first + j, j);
        for (; j < count; j++) body(0.0f, first + j, j);
    }
}

// sum [width] += the n values of rows.
template <class From>
inline void add_rows(const From* x, int64_t n, int64_t width, float* sum) {
    in_whole_rows(n, width, [&](auto zero, int64_t i, int64_t j) { add(sum + j, get<decltype(zero)>(x + i)); });
}

inline void clear(float* x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = 0;
}

// Σ over the rows that were taken together and some of the channels, in double.
inline double fold(const float* sum, int64_t width, int64_t channels, int64_t first, int64_t count) {
    double total = 0;
    for (int64_t row = 0; row < width; row += channels)
        for (int64_t c = first; c < first + count; c++) total += static_cast<double>(sum[row + c]);
    return total;
}

}  // namespace
}  // namespace VARIANT
}  // namespace ddpm
