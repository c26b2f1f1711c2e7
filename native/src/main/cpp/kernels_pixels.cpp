// Gradient of the filters of a 1x1 convolution of few channels, in halves: one long sum over pixels,
//
//   dw [K, C] = dyᵀ x      dbias [K] = Σ dy[pixel]
//
// x and dy are copied by blocks into the first cache, as the pairs that the products want. The pixels are cut into parts by the
// shape alone, each summed by one thread in order.
#include <omp.h>

#include "kernels_products.h"
#include "kernels_rows.h"

namespace ddpm {
namespace bf16 {
namespace {

constexpr int64_t kParts = 16;        // at most
constexpr int64_t kPartPixels = 512;  // at least
constexpr int64_t kBlock = 64;        // pixels that are copied at a time

// Where everything lies in the workspace, in floats.
struct Layout {
    int64_t pixels, parts, each, width, rows, sums, part, thread;

    explicit Layout(const Geometry& g)
        : pixels(int64_t(g.n) * g.p * g.q),
          parts(at_most(kParts, (pixels + kPartPixels - 1) / kPartPixels)),
          each((pixels + parts - 1) / parts),
          width(padded(g.c)),
          rows(rows_width(g.k)),
          sums(g.k * width),
          part(sums + rows),
          thread(kBlock * (width + padded(g.k))) {}
};

// Rows of x as terms over rows, zeros below the last one.
void as_terms(const Value* x, int64_t rows, int64_t channels, Word* to) {
    int64_t width = padded(channels);
    for (int64_t i = 0; i < rows; i += kTerms)
        over_channels(channels, [&](int64_t c) {
            Vector terms[kTerms];
            for (int64_t e = 0; e < kTerms; e++) {
                terms[e] = i + e < rows ? load(x + (i + e) * channels + c) : Vector{};
                __builtin_prefetch(x + (i + e + kBlock) * channels + c);
            }
            store_terms(to + i / kTerms * width + c, terms);
        });
}

}  // namespace

int64_t pixel_weights_workspace(const Geometry& g) {
    Layout layout(g);
    return layout.parts * layout.part + omp_get_max_threads() * layout.thread;
}

void pixel_weights(const Geometry& g, const Value* x, const Value* dy, Value* dw, Value* dbias, float* workspace) {
    Layout layout(g);
#pragma omp parallel
    {
        float* own = workspace + layout.parts * layout.part + omp_get_thread_num() * layout.thread;
        Word *of_x = reinterpret_cast<Word*>(own), *of_dy = of_x + kBlock * layout.width;
#pragma omp for schedule(dynamic)
        for (int64_t part = 0; part < layout.parts; part++) {
            float *sums = workspace + part * layout.part, *bias = sums + layout.sums;
            int64_t from = part * layout.each, end = at_most(from + layout.each, layout.pixels);
            clear(bias, layout.rows);
            for (int64_t first = from; first < end; first += kBlock) {
                int64_t count = at_most(kBlock, end - first);
                as_terms(x + first * g.c, count, g.c, of_x);
                as_terms(dy + first * g.k, count, g.k, of_dy);
                product(g.k, layout.width, (count + kTerms - 1) / kTerms, of_dy, 1, padded(g.k), of_x, layout.width, sums,
                        layout.width, 1.0f, first > from);
                if (dbias) add_rows(dy + first * g.k, count * g.k, layout.rows, bias);
            }
        }
#pragma omp for schedule(static)
        for (int64_t k = 0; k < g.k; k++) {
            over_channels(g.c, [&](int64_t c) {
                Vector sum = {};
                for (int64_t part = 0; part < layout.parts; part++)
                    sum += load(workspace + part * layout.part + k * layout.width + c);
                store(dw + k * g.c + c, sum);
            });
            if (!dbias) continue;
            double sum = 0;
            for (int64_t part = 0; part < layout.parts; part++)
                sum += fold(workspace + part * layout.part + layout.sums, layout.rows, g.k, k, 1);
            dbias[k] = static_cast<float>(sum);
        }
    }
}

}  // namespace bf16
}  // namespace ddpm
