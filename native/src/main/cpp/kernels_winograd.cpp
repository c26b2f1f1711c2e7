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
// The transforms add and halve, so the result is as exact as that of the direct sum to within a factor of about two. Tiles are
// taken as many at a time as stay in the last cache with their V and M; every result is made by one thread in one order.
#include <omp.h>
#include <string.h>

#include "kernels_products.h"
#include "kernels_winograd.h"

namespace ddpm {
namespace VARIANT {
namespace {

constexpr int64_t kPoints = 16;

// V, M and what else has a plane for each point. Planes are a cache line apart beyond their size, or all points of a tile
// would fall into one set of the cache.
struct Planes {
    float* first;
    int64_t width, stride;

    Planes(float* first, int64_t rows, int64_t channels)
        : first(first), width(padded(channels)), stride(rows * width + kLanes) {}
    float* row(int64_t point, int64_t i) const { return first + point * stride + i * width; }
    int64_t size() const { return kPoints * stride; }
};

// The 2x2 tiles that cover [N, P, Q]; those at the lower and right edge may reach beyond.
struct Tiles {
    int64_t rows, columns, count;

    explicit Tiles(const Geometry& g) : rows((g.p + 1) / 2), columns((g.q + 1) / 2), count(g.n * rows * columns) {}

    // Tiles worked on at a time.
    int64_t together(const Geometry& g) const {
        int64_t fit = kWinogradCached / (kPoints * (padded(g.c) + padded(g.k))) / kRows * kRows;
        return at_most(count, fit > kRows ? fit : kRows);
    }
};

// A square of pixels in an image [h, w, channels], where it lies or, where it reaches beyond the edge, in a copy.
struct Patch {
    float* first;
    int64_t row, column;  // strides

    Patch(const float* image, int64_t h, int64_t w, int64_t channels, int64_t top, int64_t left, int64_t side,
          float* spare)
        : first(spare), row(side * channels), column(channels) {
        if (inside(h, w, top, left, side)) {
            first = const_cast<float*>(image) + (top * w + left) * channels;
            row = w * channels;
        }
    }

    static bool inside(int64_t h, int64_t w, int64_t top, int64_t left, int64_t side) {
        return top >= 0 && left >= 0 && top + side <= h && left + side <= w;
    }
};

// The pixels of a patch that lie in the image are copied between the two; the others read as 0 and are not written.
template <bool READ>
void copy_patch(float* image, int64_t h, int64_t w, int64_t channels, int64_t top, int64_t left, int64_t side,
                float* patch) {
    for (int64_t r = 0; r < side; r++)
        for (int64_t s = 0; s < side; s++) {
            float* at = patch + (r * side + s) * channels;
            bool there = top + r >= 0 && top + r < h && left + s >= 0 && left + s < w;
            float* pixel = image + ((top + r) * w + left + s) * channels;
            if (there && READ) memcpy(at, pixel, channels * sizeof(float));
            if (there && !READ) memcpy(pixel, at, channels * sizeof(float));
            if (!there && READ) memset(at, 0, channels * sizeof(float));
        }
}

Patch read_patch(const float* image, int64_t h, int64_t w, int64_t channels, int64_t top, int64_t left, int64_t side,
                 float* spare) {
    Patch patch(image, h, w, channels, top, left, side, spare);
    if (patch.first == spare)
        copy_patch<true>(const_cast<float*>(image), h, w, channels, top, left, side, spare);
    return patch;
}

inline void clear_beyond(const Planes& to, int64_t i, int64_t channels) {
    if (channels == to.width) return;
    for (int64_t point = 0; point < kPoints; point++)
        for (int64_t c = channels; c < to.width; c++) to.row(point, i)[c] = 0;
}

// V ← Bᵀ d B
void input_to_points(const Patch& d, int64_t channels, const Planes& to, int64_t i) {
    float* v = to.row(0, i);
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float t[4][4];
#pragma GCC unroll 4
        for (int s = 0; s < 4; s++) {
            const float* p = d.first + s * d.column + c;
            float d0 = p[0], d1 = p[d.row], d2 = p[2 * d.row], d3 = p[3 * d.row];
            t[0][s] = d0 - d2;
            t[1][s] = d1 + d2;
            t[2][s] = d2 - d1;
            t[3][s] = d1 - d3;
        }
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            float* out = v + 4 * r * to.stride + c;
            out[0] = t[r][0] - t[r][2];
            out[to.stride] = t[r][1] + t[r][2];
            out[2 * to.stride] = t[r][2] - t[r][1];
            out[3 * to.stride] = t[r][1] - t[r][3];
        }
    }
    clear_beyond(to, i, channels);
}

// dM ← A dy Aᵀ
void gradient_to_points(const Patch& dy, int64_t channels, const Planes& to, int64_t i) {
    float* m = to.row(0, i);
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        const float* p = dy.first + c;
        float t[4][2];
#pragma GCC unroll 2
        for (int s = 0; s < 2; s++) {
            float d0 = p[s * dy.column], d1 = p[s * dy.column + dy.row];
            t[0][s] = d0;
            t[1][s] = d0 + d1;
            t[2][s] = d0 - d1;
            t[3][s] = -d1;
        }
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            float* out = m + 4 * r * to.stride + c;
            out[0] = t[r][0];
            out[to.stride] = t[r][0] + t[r][1];
            out[2 * to.stride] = t[r][0] - t[r][1];
            out[3 * to.stride] = -t[r][1];
        }
    }
    clear_beyond(to, i, channels);
}

// y ← Aᵀ M A + bias
void points_to_output(const Planes& from, int64_t i, int64_t channels, const float* bias, const Patch& y) {
    const float* m = from.row(0, i);
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float t[2][4];
#pragma GCC unroll 4
        for (int s = 0; s < 4; s++) {
            const float* p = m + s * from.stride + c;
            float m0 = p[0], m1 = p[4 * from.stride], m2 = p[8 * from.stride], m3 = p[12 * from.stride];
            t[0][s] = m0 + m1 + m2;
            t[1][s] = m1 - m2 - m3;
        }
#pragma GCC unroll 2
        for (int r = 0; r < 2; r++) {
            float* out = y.first + r * y.row + c;
            out[0] = t[r][0] + t[r][1] + t[r][2] + bias[c];
            out[y.column] = t[r][1] - t[r][2] - t[r][3] + bias[c];
        }
    }
}

// One line of G applied to three values, all four at once.
inline void four(float g0, float g1, float g2, float* u) {
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

// Which tile: its image and the place of its first result.
struct Place {
    int64_t image, p, q;

    Place(const Tiles& tiles, int64_t tile) {
        int64_t each = tiles.rows * tiles.columns;
        image = tile / each;
        p = tile % each / tiles.columns * 2;
        q = tile % tiles.columns * 2;
    }
};

void input_tiles(const Geometry& g, const Tiles& tiles, const float* x, int64_t first, int64_t count, const Planes& v,
                 float* spare) {
#pragma omp for schedule(static)
    for (int64_t i = 0; i < count; i++) {
        Place at(tiles, first + i);
        const float* image = x + at.image * g.h * g.w * g.c;
        input_to_points(read_patch(image, g.h, g.w, g.c, at.p - g.top, at.q - g.left, 4, spare), g.c, v, i);
    }
}

}  // namespace

int64_t winograd_workspace(const Geometry& g) {
    int64_t together = Tiles(g).together(g), patch = 16 * (g.c > g.k ? g.c : g.k);
    return Planes(nullptr, together, g.c).size() + Planes(nullptr, together, g.k).size() +
           Planes(nullptr, g.k, g.c).size() + omp_get_max_threads() * patch + padded(g.k);
}

int64_t winograd_filter_size(const Geometry& g) {
    return Planes(nullptr, g.c, g.k).size();
}

// u [16, C, K] from w [K, 3, 3, C], or, turned, from w [C, 3, 3, K] rotated by half a turn.
void winograd_filters(const Geometry& g, bool turned, const float* w, float* u) {
    Planes to(u, g.c, g.k);
    if (turned) {
#pragma omp parallel for schedule(static)
        for (int64_t c = 0; c < g.c; c++)
#pragma omp simd
            for (int64_t k = 0; k < g.k; k++) {
                const float* tap = w + (c * 9 + 8) * g.k + k;  // the last one first
                float lines[3][4], column[4];
#pragma GCC unroll 3
                for (int r = 0; r < 3; r++)
                    four(tap[-3 * r * g.k], tap[-(3 * r + 1) * g.k], tap[-(3 * r + 2) * g.k], lines[r]);
#pragma GCC unroll 4
                for (int s = 0; s < 4; s++) {
                    four(lines[0][s], lines[1][s], lines[2][s], column);
#pragma GCC unroll 4
                    for (int r = 0; r < 4; r++) u[(4 * r + s) * to.stride + c * to.width + k] = column[r];
                }
            }
        return;
    }
    int64_t blocks = to.width / kLanes;
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < blocks; block++) {
        int64_t k0 = block * kLanes, rows = at_most(kLanes, g.k - k0);
        float part[kPoints][kLanes][kLanes] = {};  // [point, filter, channel]
        for (int64_t c0 = 0; c0 < g.c; c0 += kLanes) {
            int64_t columns = at_most(kLanes, g.c - c0);
            for (int64_t k = 0; k < rows; k++)
#pragma omp simd
                for (int64_t c = 0; c < columns; c++) {
                    const float* tap = w + (k0 + k) * 9 * g.c + c0 + c;
                    float lines[3][4], column[4];
#pragma GCC unroll 3
                    for (int r = 0; r < 3; r++)
                        four(tap[3 * r * g.c], tap[(3 * r + 1) * g.c], tap[(3 * r + 2) * g.c], lines[r]);
#pragma GCC unroll 4
                    for (int s = 0; s < 4; s++) {
                        four(lines[0][s], lines[1][s], lines[2][s], column);
#pragma GCC unroll 4
                        for (int r = 0; r < 4; r++) part[4 * r + s][k][c] = column[r];
                    }
                }
            for (int64_t point = 0; point < kPoints; point++)
                for (int64_t c = 0; c < columns; c++) {
                    float* line = to.row(point, c0 + c) + k0;
#pragma omp simd
                    for (int64_t k = 0; k < kLanes; k++) line[k] = part[point][k][c];
                }
        }
    }
}

void winograd(const Geometry& g, const float* x, const float* u, const float* bias, float* y, float* workspace) {
    Tiles tiles(g);
    int64_t together = tiles.together(g), patch = 16 * (g.c > g.k ? g.c : g.k);
    Planes filters(const_cast<float*>(u), g.c, g.k);
    Planes v(workspace, together, g.c), m(v.first + v.size(), together, g.k);
    float *shift = m.first + m.size(), *spares = shift + padded(g.k);
    for (int64_t k = 0; k < g.k; k++) shift[k] = bias ? bias[k] : 0;
#pragma omp parallel
    {
        float* spare = spares + omp_get_thread_num() * patch;
        for (int64_t first = 0; first < tiles.count; first += together) {
            int64_t count = at_most(together, tiles.count - first), parts = (count + kRows - 1) / kRows;
            input_tiles(g, tiles, x, first, count, v, spare);
#pragma omp for schedule(static)
            for (int64_t task = 0; task < kPoints * parts; task++) {
                int64_t point = task / parts, row = task % parts * kRows;
                product(at_most(kRows, count - row), m.width, g.c, v.row(point, row), v.width, 1, filters.row(point, 0),
                        filters.width, m.row(point, row), m.width, 1.0f, false);
            }
#pragma omp for schedule(static)
            for (int64_t i = 0; i < count; i++) {
                Place at(tiles, first + i);
                float* image = y + at.image * g.p * g.q * g.k;
                Patch to(image, g.p, g.q, g.k, at.p, at.q, 2, spare);
                points_to_output(m, i, g.k, shift, to);
                if (to.first == spare) copy_patch<false>(image, g.p, g.q, g.k, at.p, at.q, 2, spare);
            }
        }
    }
}

void winograd_backward_weights(const Geometry& g, const float* x, const float* dy, float* dw, float* workspace) {
    Tiles tiles(g);
    int64_t together = tiles.together(g), patch = 16 * (g.c > g.k ? g.c : g.k);
    Planes v(workspace, together, g.c), dm(v.first + v.size(), together, g.k), du(dm.first + dm.size(), g.k, g.c);
    float* spares = du.first + du.size();
    int64_t row_parts = (g.k + kRows - 1) / kRows;
#pragma omp parallel
    {
        float* spare = spares + omp_get_thread_num() * patch;
        for (int64_t first = 0; first < tiles.count; first += together) {
            int64_t count = at_most(together, tiles.count - first);
            input_tiles(g, tiles, x, first, count, v, spare);
#pragma omp for schedule(static)
            for (int64_t i = 0; i < count; i++) {
                Place at(tiles, first + i);
                const float* image = dy + at.image * g.p * g.q * g.k;
                gradient_to_points(read_patch(image, g.p, g.q, g.k, at.p, at.q, 2, spare), g.k, dm, i);
            }
#pragma omp for schedule(static)
            for (int64_t task = 0; task < kPoints * row_parts; task++) {
                int64_t point = task / row_parts, row = task % row_parts * kRows;
                product(at_most(kRows, g.k - row), v.width, count, dm.row(point, 0) + row, 1, dm.width, v.row(point, 0),
                        v.width, du.row(point, row), du.width, 1.0f, first > 0);
            }
        }
#pragma omp for schedule(static)
        for (int64_t k = 0; k < g.k; k++) {
            const float* from = du.row(0, k);
#pragma omp simd
            for (int64_t c = 0; c < g.c; c++) {
                float lines[4][3], column[3];
#pragma GCC unroll 4
                for (int r = 0; r < 4; r++) {
                    const float* p = from + 4 * r * du.stride + c;
                    three(p[0], p[du.stride], p[2 * du.stride], p[3 * du.stride], lines[r]);
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
}

}  // namespace VARIANT
}  // namespace ddpm
