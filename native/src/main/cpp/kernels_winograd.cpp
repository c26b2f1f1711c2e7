// 3x3 convolution of stride 1 by F(2x2, 3x3) (Winograd 1980; Lavin and Gray 2016), channels last. A tile of 2x2 results
// depends on 4x4 pixels d and the filter g:
//
//   y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A       Bᵀ = ⎡1  0 −1  0⎤   G = ⎡1  0  0⎤   Aᵀ = ⎡1  1  1  0⎤
//                                             ⎢0  1  1  0⎥       ⎢½  ½  ½⎥        ⎣0  1 −1 −1⎦
//                                             ⎢0 −1  1  0⎥       ⎢½ −½  ½⎥
//                                             ⎣0  1  0 −1⎦       ⎣0  0  1⎦
//
// With V = Bᵀ d B and U = G g Gᵀ for all tiles, channels and filters, each of the 16 points ξ is one product of matrices:
// M[ξ] [tiles, K] = V[ξ] [tiles, C] U[ξ] [C, K]. The gradient with respect to the filters is the same map transposed:
//
//   dM = A dy Aᵀ       dU[ξ] [K, C] = Σ over tiles dM[ξ]ᵀ V[ξ]       dg = Gᵀ dU G
//
// The transforms add and halve, so in floats the result is as exact as that of the direct sum to within a factor of about
// two. In halves V, U and dM are rounded once more than a direct sum rounds: its error of 1.6e-3 (relative, L2) becomes 4e-3.
//
// A thread takes tiles as many at a time as stay in its own cache with their V and M. Every result is made by one thread in
// one order; the sums over tiles are cut into parts by the shape alone, so that the number of threads changes no bit.
#include <omp.h>

#include "kernels_products.h"
#include "kernels_winograd.h"

namespace ddpm {
namespace VARIANT {
namespace {

// What the processor multiplies and adds at once: in halves two terms of a sum.
#ifdef __AVX512BF16__
using Word = Pair;
#else
using Word = float;
#endif
constexpr int64_t kTerms = sizeof(Word) / sizeof(Value);

constexpr int64_t kPoints = 16;
constexpr int64_t kStrip = 2 * kVector;       // filters of U that lie together
constexpr int64_t kForwardCached = 1 << 19;   // bytes of V and M that a thread works on at a time
constexpr int64_t kWeightsCached = 1 << 20;   // bytes of a row of points of V and dM
constexpr int64_t kLeastTiles = 2 * kTall;    // at a time
constexpr int64_t kPartTiles = 128;           // least tiles of a part of the sum over them
constexpr int64_t kPartFloats = 1 << 21;      // about so many for the sums of all parts
constexpr int64_t kParts = 16;                // at most

// For each point a row of channels for each tile. Planes of points are a cache line apart beyond their size, and rows whose
// lengths are powers of two are longer, or too many would fall into one set of the cache.
template <class T>
struct Planes {
    T* first;
    int64_t width, stride;

    Planes(T* first, int64_t rows, int64_t channels)
        : first(first),
          width(padded(channels) + (padded(channels) % 128 ? 0 : kLanes)),
          stride(rows * width + 64 / int64_t(sizeof(T))) {}
    T* row(int64_t point, int64_t i) const { return first + point * stride + i * width; }
    int64_t bytes(int64_t points) const { return points * stride * sizeof(T); }
};

// The 2x2 tiles that cover [N, P, Q]; those at the lower and right edge may reach beyond.
struct Tiles {
    int64_t rows, columns, count;

    explicit Tiles(const Geometry& g) : rows((g.p + 1) / 2), columns((g.q + 1) / 2), count(g.n * rows * columns) {}
};

// Where a square of pixels lies in an image [h, w, channels], pixel by pixel; `beyond` stands for what is outside.
template <class T, int SIDE>
struct Square {
    T* at[SIDE][SIDE];

    Square() = default;
    Square(T* image, int64_t h, int64_t w, int64_t channels, int64_t top, int64_t left, T* beyond) {
        if (top >= 0 && left >= 0 && top + SIDE <= h && left + SIDE <= w) {
            T* first = image + (top * w + left) * channels;
            for (int r = 0; r < SIDE; r++)
                for (int s = 0; s < SIDE; s++) at[r][s] = first + (r * w + s) * channels;
            return;
        }
        for (int r = 0; r < SIDE; r++)
            for (int s = 0; s < SIDE; s++) {
                bool there = top + r >= 0 && top + r < h && left + s >= 0 && left + s < w;
                at[r][s] = there ? image + ((top + r) * w + left + s) * channels : beyond;
            }
    }
};

// Which tile: its image and the place of its first result.
struct Place {
    int64_t image, p, q;

    Place(const Tiles& tiles, int64_t tile) {
        int64_t each = tiles.rows * tiles.columns;
        image = tile / each;
        p = tile % each / tiles.columns * 2;
        q = tile % tiles.columns * 2;
    }

    void advance(const Tiles& tiles) {
        q += 2;
        if (q < 2 * tiles.columns) return;
        q = 0;
        p += 2;
        if (p < 2 * tiles.rows) return;
        p = 0;
        image++;
    }
};

using Input = Square<const Value, 4>;
using Gradient = Square<const Value, 2>;
using Output = Square<Value, 2>;

Input input(const Geometry& g, const Place& at, const Value* x, const Value* zeros) {
    return Input(x + at.image * g.h * g.w * g.c, g.h, g.w, g.c, at.p - g.top, at.q - g.left, zeros);
}

template <class Pixels, class T>
Pixels results(const Geometry& g, const Place& at, T* y, T* beyond) {
    return Pixels(y + at.image * g.p * g.q * g.k, g.p, g.q, g.k, at.p, at.q, beyond);
}

// Row r of V = Bᵀ d B, for the channels from c on.
template <int R>
inline void to_points(const Input& d, int64_t c, Vector v[4]) {
    constexpr int first = R == 3 ? 1 : R, second = R == 2 ? 1 : R == 3 ? 3 : 2;
    Vector t[4];
#pragma GCC unroll 4
    for (int s = 0; s < 4; s++) {
        Vector a = load(d.at[first][s] + c), b = load(d.at[second][s] + c);
        t[s] = R == 1 ? a + b : a - b;
    }
    v[0] = t[0] - t[2];
    v[1] = t[1] + t[2];
    v[2] = t[2] - t[1];
    v[3] = t[1] - t[3];
}

// Row r of dM = A dy Aᵀ.
template <int R>
inline void to_points(const Gradient& dy, int64_t c, Vector m[4]) {
    Vector t[2];
#pragma GCC unroll 2
    for (int s = 0; s < 2; s++) {
        Vector a = load(dy.at[0][s] + c), b = load(dy.at[1][s] + c);
        t[s] = R == 0 ? a : R == 1 ? a + b : R == 2 ? a - b : -b;
    }
    m[0] = t[0];
    m[1] = t[0] + t[1];
    m[2] = t[0] - t[1];
    m[3] = -t[1];
}

// Calls body(c) for vectors of channels; the last one overlaps where it would reach beyond.
template <class Body>
inline void by_vectors(int64_t channels, Body body) {
    for (int64_t c = 0; c < channels; c += kVector) body(c + kVector <= channels ? c : channels - kVector);
}

// V of some tiles, the channels of a tile together.
void input_tiles(const Geometry& g, const Tiles& tiles, const Value* x, int64_t first, int64_t count,
                 const Value* zeros, const Planes<Value>& v) {
    Place at(tiles, first);
    for (int64_t i = 0; i < count; i++, at.advance(tiles)) {
        const Input d = input(g, at, x, zeros);
        by_vectors(g.c, [&](int64_t c) {
            Vector points[kPoints];
            to_points<0>(d, c, points);
            to_points<1>(d, c, points + 4);
            to_points<2>(d, c, points + 8);
            to_points<3>(d, c, points + 12);
            Value* to = v.row(0, i) + c;
#pragma GCC unroll 16
            for (int64_t point = 0; point < kPoints; point++) store(to + point * v.stride, points[point]);
        });
        if (g.c % kTerms)
            for (int64_t point = 0; point < kPoints; point++) v.row(point, i)[g.c] = 0;
    }
}

// Row R of the points of some tiles; a word holds one channel of as many tiles as it has terms. `pixels` tells where those of
// a tile lie, or zeros in place of a tile beyond the last.
template <int R, class Pixels, class At>
void row_of_points(const Tiles& tiles, int64_t first, int64_t count, int64_t channels, At pixels,
                   const Planes<Word>& to) {
    Place at(tiles, first);
    for (int64_t i = 0; i < count; i += kTerms) {
        Pixels of[kTerms];
        for (int64_t e = 0; e < kTerms; e++, at.advance(tiles)) of[e] = pixels(at, i + e < count);
        by_vectors(channels, [&](int64_t c) {
            Vector points[kTerms][4], terms[kTerms];
#pragma GCC unroll 2
            for (int64_t e = 0; e < kTerms; e++) to_points<R>(of[e], c, points[e]);
            Word* row = to.row(0, i / kTerms) + c;
#pragma GCC unroll 4
            for (int s = 0; s < 4; s++) {
#pragma GCC unroll 2
                for (int64_t e = 0; e < kTerms; e++) terms[e] = points[e][s];
                store_terms(row + s * to.stride, terms);
            }
        });
    }
}

template <int R>
void rows_of_points(const Geometry& g, const Tiles& tiles, int64_t first, int64_t count, const Value* x,
                    const Value* dy, const Value* zeros, const Planes<Word>& v, const Planes<Word>& dm) {
    row_of_points<R, Input>(
        tiles, first, count, g.c,
        [&](const Place& at, bool there) {
            return there ? input(g, at, x, zeros) : Input(nullptr, 0, 0, 0, 0, 0, zeros);
        },
        v);
    row_of_points<R, Gradient>(
        tiles, first, count, g.k,
        [&](const Place& at, bool there) {
            return there ? results<Gradient>(g, at, dy, zeros) : Gradient(nullptr, 0, 0, 0, 0, 0, zeros);
        },
        dm);
}

// y ← Aᵀ M A + bias
void points_to_output(const Planes<float>& m, int64_t i, int64_t channels, const float* bias,
                      const Output& y) {
    by_vectors(channels, [&](int64_t c) {
        const float* from = m.row(0, i) + c;
        Vector t[2][4];
#pragma GCC unroll 4
        for (int s = 0; s < 4; s++) {
            Vector m0 = load(from + s * m.stride), m1 = load(from + (4 + s) * m.stride),
                   m2 = load(from + (8 + s) * m.stride), m3 = load(from + (12 + s) * m.stride);
            t[0][s] = m0 + m1 + m2;
            t[1][s] = m1 - m2 - m3;
        }
        Vector shift = load(bias + c);
#pragma GCC unroll 2
        for (int r = 0; r < 2; r++) {
            store(y.at[r][0] + c, t[r][0] + t[r][1] + t[r][2] + shift);
            store(y.at[r][1] + c, t[r][1] - t[r][2] - t[r][3] + shift);
        }
    });
}

// One line of G applied to three values, all four at once.
inline void four(Vector g0, Vector g1, Vector g2, Vector* u) {
    u[0] = g0;
    u[1] = 0.5f * (g0 + g1 + g2);
    u[2] = 0.5f * (g0 - g1 + g2);
    u[3] = g2;
}

// And Gᵀ applied to four.
inline void three(float u0, float u1, float u2, float u3, float* g) {
    g[0] = u0 + 0.5f * (u1 + u2);
    g[1] = 0.5f * (u1 - u2);
    g[2] = 0.5f * (u1 + u2) + u3;
}

// U = G g Gᵀ for as many filters as a vector holds; taps[3 r + s] of all of them together.
inline void filter_to_points(const float (*taps)[kVector], Vector u[kPoints]) {
    Vector lines[3][4], column[4];
#pragma GCC unroll 3
    for (int r = 0; r < 3; r++) four(load(taps[3 * r]), load(taps[3 * r + 1]), load(taps[3 * r + 2]), lines[r]);
#pragma GCC unroll 4
    for (int s = 0; s < 4; s++) {
        four(lines[0][s], lines[1][s], lines[2][s], column);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) u[4 * r + s] = column[r];
    }
}

// How U lies: for every point strips of kStrip filters, in a strip the words of a filter's channels.
struct Filters {
    int64_t terms, width;  // words of channels, filters

    explicit Filters(const Geometry& g) : terms((g.c + kTerms - 1) / kTerms), width(padded(g.k)) {}
    int64_t words() const { return kPoints * terms * width; }
    int64_t strip(int64_t k) const { return at_most(kStrip, width - k / kStrip * kStrip); }
    int64_t at(int64_t point, int64_t k) const {
        return (point * width + k / kStrip * kStrip) * terms + k % kStrip;
    }
};

// As many of `all` tiles as fit.
int64_t tiles_together(int64_t bytes, int64_t bytes_each, int64_t all) {
    int64_t fit = bytes / bytes_each / kTall * kTall;
    return at_most(all, fit > kLeastTiles ? fit : kLeastTiles);
}

int64_t forward_tiles(const Geometry& g) {
    int64_t share = (Tiles(g).count + omp_get_max_threads() - 1) / omp_get_max_threads();
    int64_t each = kPoints * (sizeof(Value) * padded(g.c) + sizeof(float) * padded(g.k));
    return tiles_together(kForwardCached, each, share);
}

// How the sum over tiles is cut: into parts, and a part's points into rows for tasks of their own where parts are few.
struct Parts {
    int64_t count, tiles, together, rows;

    explicit Parts(const Geometry& g) {
        int64_t all = Tiles(g).count, fit = kPartFloats / (kPoints * g.k * padded(g.c));
        count = at_most(fit < 2 ? 2 : at_most(fit, kParts), (all + kPartTiles - 1) / kPartTiles);
        tiles = ((all + count - 1) / count + kTerms - 1) / kTerms * kTerms;
        count = (all + tiles - 1) / tiles;
        rows = count >= kParts ? 4 : count >= kParts / 2 ? 2 : 1;
        together = tiles_together(kWeightsCached, 4 * sizeof(Value) * (padded(g.c) + padded(g.k)), tiles);
    }
};

// Floats, for one thread.
int64_t forward_room(const Geometry& g) {
    int64_t together = forward_tiles(g);
    int64_t planes = Planes<Value>(nullptr, together, g.c).bytes(kPoints) + Planes<float>(nullptr, together, g.k).bytes(kPoints);
    return planes / sizeof(float) + padded(g.k);
}

int64_t weights_room(const Geometry& g, int64_t together) {
    int64_t planes = Planes<Word>(nullptr, together, g.c).bytes(4) + Planes<Word>(nullptr, together, g.k).bytes(4);
    return planes / sizeof(float);
}

}  // namespace

int64_t winograd_workspace(const Geometry& g) {
    Parts parts(g);
    int64_t sums = parts.count * Planes<float>(nullptr, g.k, g.c).bytes(kPoints) / sizeof(float);
    int64_t weights = sums + omp_get_max_threads() * weights_room(g, parts.together);
    int64_t forward = omp_get_max_threads() * forward_room(g);
    return padded(g.c) + padded(g.k) + (weights > forward ? weights : forward);
}

int64_t winograd_filter_size(const Geometry& g) {
    return Filters(g).words();
}

// u from w [K, 3, 3, C], or, turned, from w [C, 3, 3, K] rotated by half a turn.
void winograd_filters(const Geometry& g, bool turned, const Value* w, float* u) {
    Filters to(g);
    Word* words = reinterpret_cast<Word*>(u);
#pragma omp parallel for schedule(static)
    for (int64_t k0 = 0; k0 < to.width; k0 += kVector) {
        int64_t filters = at_most(kVector, g.k - k0);
        float taps[9][kVector] = {};
        for (int64_t i = 0; i < to.terms; i++) {
            Vector points[kTerms][kPoints] = {}, terms[kTerms];
            for (int64_t e = 0; e < at_most(kTerms, g.c - i * kTerms); e++) {
                int64_t c = i * kTerms + e;
                for (int64_t tap = 0; tap < 9; tap++)
                    for (int64_t k = 0; k < filters; k++)
                        taps[tap][k] = turned ? w[(c * 9 + 8 - tap) * g.k + k0 + k] : w[((k0 + k) * 9 + tap) * g.c + c];
                filter_to_points(taps, points[e]);
            }
            for (int64_t point = 0; point < kPoints; point++) {
                for (int64_t e = 0; e < kTerms; e++) terms[e] = points[e][point];
                store_terms(words + to.at(point, k0) + i * to.strip(k0), terms);
            }
        }
    }
}

void winograd(const Geometry& g, const Value* x, const float* u, const Value* bias, Value* y, float* workspace) {
    Tiles tiles(g);
    Filters filters(g);
    const Word* words = reinterpret_cast<const Word*>(u);
    int64_t together = forward_tiles(g), room = forward_room(g);
    float *shift = workspace, *nothing = shift + padded(g.k), *rooms = nothing + padded(g.c);
    for (int64_t k = 0; k < g.k; k++) shift[k] = bias ? float(bias[k]) : 0;
    for (int64_t c = 0; c < g.c; c++) nothing[c] = 0;
    const Value* zeros = reinterpret_cast<const Value*>(nothing);
#pragma omp parallel
    {
        Planes<float> m(rooms + omp_get_thread_num() * room, together, g.k);
        Planes<Value> v(reinterpret_cast<Value*>(m.first + kPoints * m.stride), together, g.c);
        Value* beyond = v.first + kPoints * v.stride;
#pragma omp for schedule(dynamic)
        for (int64_t first = 0; first < tiles.count; first += together) {
            int64_t count = at_most(together, tiles.count - first);
            input_tiles(g, tiles, x, first, count, zeros, v);
            for (int64_t point = 0; point < kPoints; point++)
                for (int64_t k = 0; k < filters.width; k += kStrip)
                    product(count, filters.strip(k), filters.terms, reinterpret_cast<const Word*>(v.row(point, 0)),
                            v.width / kTerms, 1, words + filters.at(point, k), filters.strip(k), m.row(point, 0) + k,
                            m.width, 1.0f, false);
            Place at(tiles, first);
            for (int64_t i = 0; i < count; i++, at.advance(tiles))
                points_to_output(m, i, g.k, shift, results<Output>(g, at, y, beyond));
        }
    }
}

void winograd_backward_weights(const Geometry& g, const Value* x, const Value* dy, Value* dw, float* workspace) {
    Tiles tiles(g);
    Parts parts(g);
    for (int64_t c = 0; c < padded(g.c) + padded(g.k); c++) workspace[c] = 0;
    const Value* zeros = reinterpret_cast<const Value*>(workspace);
    Planes<float> du(workspace + padded(g.c) + padded(g.k), g.k, g.c);
    float* rooms = du.first + parts.count * kPoints * du.stride;
    int64_t room = weights_room(g, parts.together), tasks_each = 4 / parts.rows;
#pragma omp parallel
    {
        Planes<Word> v(reinterpret_cast<Word*>(rooms + omp_get_thread_num() * room), parts.together, g.c);
        Planes<Word> dm(v.first + 4 * v.stride, parts.together, g.k);
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < parts.count * tasks_each; task++) {
            int64_t part = task / tasks_each, from = part * parts.tiles, end = at_most(from + parts.tiles, tiles.count);
            int64_t top = task % tasks_each * parts.rows;
            for (int64_t first = from; first < end; first += parts.together)
                for (int64_t r = top; r < top + parts.rows; r++) {
                    int64_t count = at_most(parts.together, end - first);
                    if (r == 0) rows_of_points<0>(g, tiles, first, count, x, dy, zeros, v, dm);
                    if (r == 1) rows_of_points<1>(g, tiles, first, count, x, dy, zeros, v, dm);
                    if (r == 2) rows_of_points<2>(g, tiles, first, count, x, dy, zeros, v, dm);
                    if (r == 3) rows_of_points<3>(g, tiles, first, count, x, dy, zeros, v, dm);
                    for (int64_t s = 0; s < 4; s++)
                        product(g.k, padded(g.c), (count + kTerms - 1) / kTerms, dm.row(s, 0), 1, dm.width, v.row(s, 0),
                                v.width, du.row(part * kPoints + 4 * r + s, 0), du.width, 1.0f, first > from);
                }
        }
#pragma omp for schedule(static)
        for (int64_t k = 0; k < g.k; k++)
#pragma omp simd
            for (int64_t c = 0; c < g.c; c++) {
                float lines[4][3], column[3];
#pragma GCC unroll 4
                for (int r = 0; r < 4; r++) {
                    float sums[4] = {};
                    for (int64_t part = 0; part < parts.count; part++)
#pragma GCC unroll 4
                        for (int s = 0; s < 4; s++) sums[s] += du.row(part * kPoints + 4 * r + s, k)[c];
                    three(sums[0], sums[1], sums[2], sums[3], lines[r]);
                }
#pragma GCC unroll 3
                for (int s = 0; s < 3; s++) {
                    three(lines[0][s], lines[1][s], lines[2][s], lines[3][s], column);
#pragma GCC unroll 3
                    for (int r = 0; r < 3; r++) dw[(k * 9 + 3 * r + s) * g.c + c] = column[r];
                }
            }
    }
}

}  // namespace VARIANT
}  // namespace ddpm
