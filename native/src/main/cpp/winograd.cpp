#include "winograd.h"

#include "kernels_winograd.h"
#include "passes.h"
#include "variants.h"

namespace ddpm {

// The gradient dx is a convolution of dy with the filters turned round: its geometry.
static Geometry mirrored(const Geometry& g) {
    return {g.n, g.p, g.q, g.k, g.c, 3, 3, g.h, g.w, 1, 2 - g.top, 2 - g.left, 2 - g.bottom, 2 - g.right, 1};
}

// Filters are transformed for this call only, but kept from the second call on that finds them unchanged: a training step
// uses each version once, sampling the same one in every step, and the transform is 2 to 4 times as large as the filter.
static void pass(Type type, const Geometry& g, bool turned, const void* x, const void* w, const void* bias, void* y,
                 PackedFilters& packed, int64_t version) {
    bool half = type == Type::bf16;
    int tile = CALL_FOR(half, winograd_tile, g);
    int64_t work = (CALL_FOR(half, winograd_workspace, g, tile) + 15) / 16 * 16;
    size_t size = CALL_FOR(half, winograd_filter_size, g, tile) * sizeof(float);
    PackedFilters::Transformed& copy = packed.transformed(turned);
    bool again = copy.version == version && copy.tile == tile && copy.filters == g.k;
    float* workspace = static_cast<float*>(scratch().at_least(work * sizeof(float) + (again ? 0 : size)));
    if (!again) copy.room.release();
    float* u = again ? static_cast<float*>(copy.room.at_least(size)) : workspace + work;
    if (!again || !copy.kept) CALL_FOR(half, winograd_filters, g, tile, turned, Address{w}, u);
    copy.version = version;
    copy.tile = tile;
    copy.filters = g.k;
    copy.kept = again;
    CALL_FOR(half, winograd, g, tile, Address{x}, u, Address{bias}, Address{y}, workspace);
}

void winograd(Type type, const Geometry& g, const void* x, const void* w, const void* bias, void* y,
              PackedFilters& packed, int64_t version) {
    pass(type, g, false, x, w, bias, y, packed, version);
}

void winograd_backward_data(Type type, const Geometry& g, const void* w, const void* dy, void* dx,
                            PackedFilters& packed, int64_t version) {
    pass(type, mirrored(g), true, dy, w, nullptr, dx, packed, version);
}

void winograd_backward_weights(Type type, const Geometry& g, const void* x, const void* dy, void* dw, void* dbias) {
    bool half = type == Type::bf16;
    int tile = CALL_FOR(half, winograd_tile, g);
    void* workspace = scratch().at_least(CALL_FOR(half, winograd_workspace, g, tile) * sizeof(float));
    CALL_FOR(half, winograd_backward_weights, g, tile, Address{x}, Address{dy}, Address{dw},
             static_cast<float*>(workspace));
    if (dbias) column_sums(type, dy, int64_t(g.n) * g.p * g.q, g.k, dbias);
}

}  // namespace ddpm
