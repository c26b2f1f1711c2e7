// 3x3 convolution of stride 1 by F(m x m, 3x3) (Winograd 1980; Lavin and Gray 2016), channels last. A tile of m x m results
// depends on (m+2)x(m+2) pixels d and the filter g:
//
//   y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A
//
// Lines of d and g are polynomials whose product is known from its values at m + 2 points, one of them infinity: G evaluates,
// Aᵀ is the transpose of evaluating, Bᵀ that of interpolating. m = 2 takes the points 0, 1, −1, ∞, and 16 products for 4
// results of a channel instead of 36; m = 4 takes 0, ±a, ±b, ∞, and 36 for 16 results instead of 144. With a = ¾, b = 3/2 all
// constants but G's are exact, and the error is a half of that with the usual 1 and 2 (points as in Barabasz et al. 2020).
//
// With V = Bᵀ d B and U = G g Gᵀ for all tiles, channels and filters, each of the points ξ is one product of matrices:
// M[ξ] [tiles, K] = V[ξ] [tiles, C] U[ξ] [C, K]. The gradient with respect to the filters is the same map transposed:
//
//   dM = A dy Aᵀ       dU[ξ] [K, C] = Σ over tiles dM[ξ]ᵀ V[ξ]       dg = Gᵀ dU G
//
// In halves V, U and dM are rounded once more than a direct sum rounds: with m = 2 its error of 1.6e-3 (relative, L2) becomes
// 4e-3, with m = 4 it would be too large.
//
// A thread takes tiles as many at a time as stay in its own cache with their V and M. Every result is made by one thread in
// one order; the sums over tiles are cut into parts by the shape alone, so that the number of threads changes no bit.
#include <omp.h>

#include <type_traits>

#include "kernels_products.h"
#include "kernels_winograd.h"
#include "kernels_winograd_maps.h"

namespace ddpm {
namespace VARIANT {
namespace {

constexpr int64_t kStrip = 2 * kVector;      // filters of U that lie together
constexpr int64_t kForwardCached = 1 << 19;  // bytes of V and M that a thread works on at a time
constexpr int64_t kWeightsCached = 1 << 20;  // bytes of V and dM that a thread works on at a time
constexpr int64_t kLeastTiles = 2 * kTall;   // at a time
constexpr int64_t kManyTiles = 48;           // at a time where U is large, and where a thread has no more
constexpr int64_t kLargeFilters = 3 << 22;   // bytes of U that the cache of all threads does not keep beside the rest
constexpr int64_t kPartTiles = 64;           // least tiles of a part of the sum over them
constexpr int64_t kPartFloats = 1 << 21;     // about so many for the sums of all parts
constexpr int64_t kParts = 16;               // at most

// For each point a row of channels for each tile. Planes of points are a cache line apart beyond their size, as rows are.
template <class T>
struct Planes {
    T* first;
    int64_t width, stride;

    Planes(T* first, int64_t rows, int64_t channels)
        : first(first),
          width(spaced(channels)),
          stride(rows * width + 64 / int64_t(sizeof(T))) {}
    T* row(int64_t point, int64_t i) const { return first + point * stride + i * width; }
    int64_t floats(int64_t points) const { return points * stride * sizeof(T) / sizeof(float); }
};

// The tiles of m x m that cover [N, P, Q]; those at the lower and right edge may reach beyond.
struct Tiles {
    int64_t side, rows, columns, count;

    Tiles(const Geometry& g, int64_t side)
        : side(side), rows((g.p + side - 1) / side), columns((g.q + side - 1) / side), count(g.n * rows * columns) {}
};

// Which tile: its image and the place of its first result.
struct Place {
    int64_t image, p, q;

    Place(const Tiles& tiles, int64_t tile) {
        int64_t each = tiles.rows * tiles.columns;
        image = tile / each;
        p = tile % each / tiles.columns * tiles.side;
        q = tile % tiles.columns * tiles.side;
    }

    void advance(const Tiles& tiles) {
        q += tiles.side;
        if (q < tiles.side * tiles.columns) return;
        q = 0;
        p += tiles.side;
        if (p < tiles.side * tiles.rows) return;
        p = 0;
        image++;
    }
};

// Where a square of pixels lies in an image [h, w, channels], pixel by pixel; `beyond` stands for what is outside.
template <class T, int SIDE>
struct Square {
    T* at[SIDE][SIDE];

    Square() = default;
    explicit Square(T* everywhere) {
        for (auto& row : at)
            for (T*& pixel : row) pixel = everywhere;
    }
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

// Asks for the pixels of the tile below this one in an image [h, w, channels], in time for the next row of tiles: a tile is short
// of the processor's own foresight. The last ones ask beyond the image, for the next image or for nothing.
template <class F, class T>
__attribute__((always_inline)) inline void fetch_below(const T* image, int64_t w, int64_t channels, const Place& at) {
    const T* first = image + ((at.p + F::kSide) * w + at.q) * channels;
    for (int64_t r = 0; r < F::kResults; r++)
        for (int64_t i = 0; i < F::kResults * channels; i += 64 / int64_t(sizeof(T)))
            __builtin_prefetch(first + r * w * channels + i);
}

// The pixels that a tile depends on.
template <class F>
struct Input : Square<const Value, F::kSide> {
    using Square<const Value, F::kSide>::Square;
    Input(const Geometry& g, const Place& at, const Value* x, const Value* zeros)
        : Square<const Value, F::kSide>(x + at.image * g.h * g.w * g.c, g.h, g.w, g.c, at.p - g.top, at.q - g.left,
                                        zeros) {}
    __attribute__((always_inline)) static void fetch(const Geometry& g, const Place& at, const Value* x) {
        fetch_below<F>(x + at.image * g.h * g.w * g.c, g.w, g.c, at);
    }
    static constexpr int kPixels = F::kSide;
    [[gnu::always_inline]] static void map(const Vector* d, Vector* v) { F::input(d, v); }
};

// The results of a tile, or their gradients.
template <class F, class T>
struct Results : Square<T, F::kResults> {
    using Square<T, F::kResults>::Square;
    Results(const Geometry& g, const Place& at, T* y, T* beyond)
        : Square<T, F::kResults>(y + at.image * g.p * g.q * g.k, g.p, g.q, g.k, at.p, at.q, beyond) {}
    __attribute__((always_inline)) static void fetch(const Geometry& g, const Place& at, T* y) {
        fetch_below<F>(y + at.image * g.p * g.q * g.k, g.q, g.k, at);
    }
    static constexpr int kPixels = F::kResults;
    [[gnu::always_inline]] static void map(const Vector* y, Vector* m) { F::gradient(y, m); }
};

// Some lines of points.
template <int... R>
struct Lines {
    static constexpr int kCount = sizeof...(R);
    static constexpr int kAt[] = {R...};
};

// The lines R, … of V = Bᵀ d B, or of dM = A dy Aᵀ, for the channels from c on.
template <class F, class Pixels, int... R>
[[gnu::always_inline]] inline void points_of(const Pixels& pixels, int64_t c, Lines<R...>, Vector (*points)[F::kSide]) {
    Vector lines[sizeof...(R)][F::kSide];
#pragma GCC unroll 6
    for (int s = 0; s < Pixels::kPixels; s++) {
        Vector column[F::kSide], mapped[F::kSide];
#pragma GCC unroll 6
        for (int r = 0; r < Pixels::kPixels; r++) column[r] = load(pixels.at[r][s] + c);
        Pixels::map(column, mapped);
        int line = 0;
        ((lines[line++][s] = mapped[R]), ...);  // the compiler leaves out the others
    }
#pragma GCC unroll 2
    for (int line = 0; line < int(sizeof...(R)); line++) Pixels::map(lines[line], points[line]);
}

// Calls body for the lines of the points 0 and ∞, a and −a, b and −b, in that order, that lie in [top, top + lines) of it: by
// pairs, whose sums are half the same, or for one of a pair.
template <class F, class Body>
inline void by_lines(int64_t top, int64_t lines, Body body) {
    auto within = [=](int64_t line) { return line >= top && line < top + lines; };
    auto pair = [&](int64_t at, auto first, auto second) {
        if (within(at) && within(at + 1)) body(Lines<first, second>());
        else if (within(at)) body(Lines<first>());
        else if (within(at + 1)) body(Lines<second>());
    };
    pair(0, std::integral_constant<int, 0>(), std::integral_constant<int, F::kSide - 1>());
    pair(2, std::integral_constant<int, 1>(), std::integral_constant<int, 2>());
    if constexpr (F::kSide > 4) pair(4, std::integral_constant<int, 3>(), std::integral_constant<int, 4>());
}

// V of some tiles, the channels of a tile together.
template <class F>
void input_tiles(const Geometry& g, const Tiles& tiles, const Value* x, int64_t first, int64_t count,
                 const Value* zeros, const Planes<Value>& v) {
    Place at(tiles, first);
    for (int64_t i = 0; i < count; i++, at.advance(tiles)) {
        const Input<F> d(g, at, x, zeros);
        Input<F>::fetch(g, at, x);
        over_channels(g.c, [&](int64_t c) {
            by_lines<F>(0, F::kSide, [&](auto lines) {
                Vector points[lines.kCount][F::kSide];
                points_of<F>(d, c, lines, points);
#pragma GCC unroll 2
                for (int line = 0; line < lines.kCount; line++) {
                    Value* to = v.row(lines.kAt[line] * F::kSide, i) + c;
#pragma GCC unroll 6
                    for (int s = 0; s < F::kSide; s++) store(to + s * v.stride, points[line][s]);
                }
            });
        });
        if (g.c % kTerms)
            for (int64_t point = 0; point < F::kSide * F::kSide; point++) {
                void* beyond = v.row(point, i) + g.c;  // zeroed as bytes, for a product reads them as part of a Word
                __builtin_memset(beyond, 0, sizeof(Value));
            }
    }
}

// Lines of the points of some tiles; a word holds one channel of as many tiles as it has terms, zeros for one beyond the last.
template <class F, class Pixels, class Some, class T>
void lines_of_points(const Geometry& g, const Tiles& tiles, int64_t first, int64_t count, int64_t channels, T* image,
                     T* zeros, Some lines, const Planes<Word>& to) {
    Place at(tiles, first);
    for (int64_t i = 0; i < count; i += kTerms) {
        Pixels of[kTerms];
        for (int64_t e = 0; e < kTerms; e++, at.advance(tiles)) {
            of[e] = i + e < count ? Pixels(g, at, image, zeros) : Pixels(zeros);
            if (lines.kAt[0] == 0) Pixels::fetch(g, at, image);  // the other lines find them in the second cache
        }
        over_channels(channels, [&](int64_t c) {
            Vector points[kTerms][Some::kCount][F::kSide], terms[kTerms];
#pragma GCC unroll 2
            for (int64_t e = 0; e < kTerms; e++) points_of<F>(of[e], c, lines, points[e]);
#pragma GCC unroll 2
            for (int line = 0; line < Some::kCount; line++) {
                Word* row = to.row(line * F::kSide, i / kTerms) + c;
#pragma GCC unroll 6
                for (int s = 0; s < F::kSide; s++) {
#pragma GCC unroll 2
                    for (int64_t e = 0; e < kTerms; e++) terms[e] = points[e][line][s];
                    store_terms(row + s * to.stride, terms);
                }
            }
        });
    }
}

// y ← Aᵀ M A + bias
template <class F>
void points_to_output(const Planes<float>& m, int64_t i, int64_t channels, const float* bias,
                      const Results<F, Value>& y) {
    over_channels(channels, [&](int64_t c) {
        const float* from = m.row(0, i) + c;
        Vector lines[F::kResults][F::kSide], shift = load(bias + c);
#pragma GCC unroll 6
        for (int s = 0; s < F::kSide; s++) {
            Vector column[F::kSide], mapped[F::kResults];
#pragma GCC unroll 6
            for (int r = 0; r < F::kSide; r++) column[r] = load(from + (r * F::kSide + s) * m.stride);
            F::output(column, mapped);
#pragma GCC unroll 6
            for (int r = 0; r < F::kResults; r++) lines[r][s] = mapped[r];
        }
#pragma GCC unroll 6
        for (int r = 0; r < F::kResults; r++) {
            Vector results[F::kResults];
            F::output(lines[r], results);
#pragma GCC unroll 6
            for (int s = 0; s < F::kResults; s++) store(y.at[r][s] + c, results[s] + shift);
        }
    });
}

// U = G g Gᵀ of one channel for as many filters as a vector holds; taps[3 r + s][c] of all of them together.
template <class F>
inline void filter_to_points(const Vector (*taps)[kVector], int64_t c, Vector* u) {
    Vector lines[3][F::kSide];
#pragma GCC unroll 3
    for (int r = 0; r < 3; r++) {
        Vector g[3] = {taps[3 * r][c], taps[3 * r + 1][c], taps[3 * r + 2][c]};
        F::filter(g, lines[r]);
    }
#pragma GCC unroll 6
    for (int s = 0; s < F::kSide; s++) {
        Vector g[3] = {lines[0][s], lines[1][s], lines[2][s]}, column[F::kSide];
        F::filter(g, column);
#pragma GCC unroll 6
        for (int r = 0; r < F::kSide; r++) u[r * F::kSide + s] = column[r];
    }
}

// How U lies: for every point strips of kStrip filters, in a strip the words of a filter's channels. Points are a cache line
// apart beyond their size, too.
struct Filters {
    int64_t terms, width;  // words of channels, filters

    explicit Filters(const Geometry& g) : terms((g.c + kTerms - 1) / kTerms), width(padded(g.k)) {}
    int64_t strip(int64_t k) const { return at_most(kStrip, width - k / kStrip * kStrip); }
    int64_t words(int64_t points) const { return points * (width * terms + 64 / int64_t(sizeof(Word))); }
    int64_t at(int64_t point, int64_t k) const { return words(point) + k / kStrip * kStrip * terms + k % kStrip; }
};

// As many of `all` tiles as fit, but no fewer than `least`.
int64_t tiles_together(int64_t bytes, int64_t bytes_each, int64_t all, int64_t least) {
    int64_t fit = bytes / bytes_each / kTall * kTall;
    return at_most(all, fit > least ? fit : least);
}

// U is read once for so many tiles, V and M of each are written and read.
template <class F>
int64_t forward_tiles(const Geometry& g) {
    constexpr int64_t kPoints = F::kSide * F::kSide;
    int64_t share = (Tiles(g, F::kResults).count + omp_get_max_threads() - 1) / omp_get_max_threads();
    int64_t each = kPoints * (sizeof(Value) * padded(g.c) + sizeof(float) * padded(g.k));
    bool large = Filters(g).words(kPoints) * int64_t(sizeof(Word)) > kLargeFilters;
    return tiles_together(kForwardCached, each, share, large || share <= kManyTiles ? kManyTiles : kLeastTiles);
}

// How the sum over tiles is cut: into parts, and a part's points into pairs of lines or lines for tasks of their own where parts
// are few. A task makes V and dM of a pair at a time, or of its one line.
template <class F>
struct Parts {
    int64_t count, tiles, together, lines;  // lines of points of a task

    explicit Parts(const Geometry& g) {
        int64_t all = Tiles(g, F::kResults).count, fit = kPartFloats / (F::kSide * F::kSide * g.k * padded(g.c));
        count = at_most(fit < 2 ? 2 : at_most(fit, kParts), (all + kPartTiles - 1) / kPartTiles);
        tiles = ((all + count - 1) / count + kTerms - 1) / kTerms * kTerms;
        count = (all + tiles - 1) / tiles;
        lines = count >= kParts ? F::kSide : count >= kParts / 2 ? 2 : 1;
        together = tiles_together(kWeightsCached, points() * sizeof(Value) * (padded(g.c) + padded(g.k)), tiles, kLeastTiles);
    }
    int64_t points() const { return F::kSide * at_most(lines, 2); }  // at a time
};

// Floats, for one thread.
template <class F>
int64_t forward_room(const Geometry& g) {
    int64_t together = forward_tiles<F>(g), points = F::kSide * F::kSide;
    return Planes<Value>(nullptr, together, g.c).floats(points) + Planes<float>(nullptr, together, g.k).floats(points) +
           padded(g.k);
}

template <class F>
int64_t weights_room(const Geometry& g, const Parts<F>& parts) {
    return Planes<Word>(nullptr, parts.together, g.c).floats(parts.points()) +
           Planes<Word>(nullptr, parts.together, g.k).floats(parts.points());
}

template <class F>
int64_t workspace_for(const Geometry& g) {
    Parts<F> parts(g);
    int64_t sums = parts.count * Planes<float>(nullptr, g.k, g.c).floats(F::kSide * F::kSide);
    int64_t weights = sums + omp_get_max_threads() * weights_room(g, parts);
    int64_t forward = omp_get_max_threads() * forward_room<F>(g);
    return padded(g.c) + padded(g.k) + (weights > forward ? weights : forward);
}

// The taps [9][channel] of a vector of filters from k on, for a vector of channels from c on; zeros beyond the last.
void take_taps(const Geometry& g, bool turned, const Value* w, int64_t k, int64_t c, Vector (*taps)[kVector]) {
    int64_t filters = at_most(kVector, g.k - k), channels = at_most(kVector, g.c - c);
    for (int64_t tap = 0; tap < 9; tap++) {
        if (turned) {
            for (int64_t i = 0; i < kVector; i++)
                taps[tap][i] = i < channels ? load_some(w + ((c + i) * 9 + 8 - tap) * g.k + k, filters) : Vector{};
        } else {
            for (int64_t i = 0; i < kVector; i++)
                taps[tap][i] = i < filters ? load_some(w + ((k + i) * 9 + tap) * g.c + c, channels) : Vector{};
            transpose(taps[tap]);
        }
    }
}

// A strip is written whole, for its rows are cache lines, and a line of w is read once.
template <class F>
void transform_filters(const Geometry& g, bool turned, const Value* w, float* u) {
    constexpr int64_t kPoints = F::kSide * F::kSide;
    Filters to(g);
    Word* words = reinterpret_cast<Word*>(u);
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t k0 = 0; k0 < to.width; k0 += kStrip)
        for (int64_t c0 = 0; c0 < g.c; c0 += kVector) {
            Vector taps[kStrip / kVector][9][kVector];
            for (int64_t k = 0; k < to.strip(k0); k += kVector) take_taps(g, turned, w, k0 + k, c0, taps[k / kVector]);
            for (int64_t i = 0; i < at_most(kVector, g.c - c0); i += kTerms)
                for (int64_t k = 0; k < to.strip(k0); k += kVector) {
                    Vector points[kTerms][kPoints], terms[kTerms];
                    for (int64_t e = 0; e < kTerms; e++) filter_to_points<F>(taps[k / kVector], i + e, points[e]);
                    for (int64_t point = 0; point < kPoints; point++) {
                        for (int64_t e = 0; e < kTerms; e++) terms[e] = points[e][point];
                        store_terms(words + to.at(point, k0 + k) + (c0 + i) / kTerms * to.strip(k0), terms);
                    }
                }
        }
}

template <class F>
void forward(const Geometry& g, const Value* x, const float* u, const Value* bias, Value* y, float* workspace) {
    constexpr int64_t kPoints = F::kSide * F::kSide;
    Tiles tiles(g, F::kResults);
    Filters filters(g);
    const Word* words = reinterpret_cast<const Word*>(u);
    int64_t together = forward_tiles<F>(g), room = forward_room<F>(g);
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
            input_tiles<F>(g, tiles, x, first, count, zeros, v);
            for (int64_t point = 0; point < kPoints; point++)
                for (int64_t k = 0; k < filters.width; k += kStrip)
                    product<true>(count, filters.strip(k), filters.terms, reinterpret_cast<const Word*>(v.row(point, 0)),
                            v.width / kTerms, 1, words + filters.at(point, k), filters.strip(k), m.row(point, 0) + k,
                            m.width, 1.0f, false);
            Place at(tiles, first);
            for (int64_t i = 0; i < count; i++, at.advance(tiles))
                points_to_output<F>(m, i, g.k, shift, Results<F, Value>(g, at, y, beyond));
        }
    }
}

template <class F>
void backward_weights(const Geometry& g, const Value* x, const Value* dy, Value* dw, float* workspace) {
    constexpr int64_t kPoints = F::kSide * F::kSide;
    Tiles tiles(g, F::kResults);
    Parts<F> parts(g);
    for (int64_t c = 0; c < padded(g.c) + padded(g.k); c++) workspace[c] = 0;
    const Value* zeros = reinterpret_cast<const Value*>(workspace);
    Planes<float> du(workspace + padded(g.c) + padded(g.k), g.k, g.c);
    float* rooms = du.first + parts.count * kPoints * du.stride;
    int64_t room = weights_room(g, parts), tasks_each = F::kSide / parts.lines;
#pragma omp parallel
    {
        Planes<Word> v(reinterpret_cast<Word*>(rooms + omp_get_thread_num() * room), parts.together, g.c);
        Planes<Word> dm(v.first + parts.points() * v.stride, parts.together, g.k);
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < parts.count * tasks_each; task++) {
            int64_t part = task / tasks_each, from = part * parts.tiles, end = at_most(from + parts.tiles, tiles.count);
            int64_t top = task % tasks_each * parts.lines;
            for (int64_t first = from; first < end; first += parts.together) {
                int64_t count = at_most(parts.together, end - first);
                by_lines<F>(top, parts.lines, [&](auto lines) {
                    lines_of_points<F, Input<F>>(g, tiles, first, count, g.c, x, zeros, lines, v);
                    lines_of_points<F, Results<F, const Value>>(g, tiles, first, count, g.k, dy, zeros, lines, dm);
                    for (int64_t s = 0; s < lines.kCount * F::kSide; s++) {
                        int64_t point = lines.kAt[s / F::kSide] * F::kSide + s % F::kSide;
                        product<true>(g.k, padded(g.c), (count + kTerms - 1) / kTerms, dm.row(s, 0), 1, dm.width, v.row(s, 0),
                                v.width, du.row(part * kPoints + point, 0), du.width, 1.0f, first > from);
                    }
                });
            }
        }
#pragma omp for schedule(static)
        for (int64_t k = 0; k < g.k; k++)
            over_channels(g.c, [&](int64_t c) {
                Vector lines[F::kSide][3];
#pragma GCC unroll 6
                for (int r = 0; r < F::kSide; r++) {
                    Vector sums[F::kSide] = {};
                    for (int64_t part = 0; part < parts.count; part++)
#pragma GCC unroll 6
                        for (int s = 0; s < F::kSide; s++)
                            sums[s] += load(du.row(part * kPoints + F::kSide * r + s, k) + c);
                    F::filter_gradient(sums, lines[r]);
                }
#pragma GCC unroll 3
                for (int s = 0; s < 3; s++) {
                    Vector column[F::kSide], taps[3];
#pragma GCC unroll 6
                    for (int r = 0; r < F::kSide; r++) column[r] = lines[r][s];
                    F::filter_gradient(column, taps);
#pragma GCC unroll 3
                    for (int r = 0; r < 3; r++) store(dw + (k * 9 + 3 * r + s) * g.c + c, taps[r]);
                }
            });
    }
}

}  // namespace

// Products for each pair of channels, with the transform of a filter counted as so many more tiles: what it costs where the
// memory is the limit.
int winograd_tile(const Geometry& g) {
    constexpr int64_t kFilterTiles = 48;
    if (kTerms > 1) return 2;
    int64_t two = 16 * (Tiles(g, 2).count + kFilterTiles), four = 36 * (Tiles(g, 4).count + kFilterTiles);
    return four < two ? 4 : 2;
}

int64_t winograd_workspace(const Geometry& g, int tile) {
    return tile == 2 ? workspace_for<Two>(g) : workspace_for<Four>(g);
}

int64_t winograd_filter_size(const Geometry& g, int tile) {
    return Filters(g).words((tile + 2) * (tile + 2));
}

// u from w [K, 3, 3, C], or, turned, from w [C, 3, 3, K] rotated by half a turn.
void winograd_filters(const Geometry& g, int tile, bool turned, const Value* w, float* u) {
    tile == 2 ? transform_filters<Two>(g, turned, w, u) : transform_filters<Four>(g, turned, w, u);
}

void winograd(const Geometry& g, int tile, const Value* x, const float* u, const Value* bias, Value* y,
              float* workspace) {
    tile == 2 ? forward<Two>(g, x, u, bias, y, workspace) : forward<Four>(g, x, u, bias, y, workspace);
}

void winograd_backward_weights(const Geometry& g, int tile, const Value* x, const Value* dy, Value* dw,
                               float* workspace) {
    tile == 2 ? backward_weights<Two>(g, x, dy, dw, workspace) : backward_weights<Four>(g, x, dy, dw, workspace);
}

}  // namespace VARIANT
}  // namespace ddpm
