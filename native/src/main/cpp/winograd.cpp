#include "winograd.h"

#include "kernels_winograd.h"
#include "passes.h"
#include "variants.h"

namespace ddpm {

// The gradient dx is a convolution of dy with the filters turned round: its geometry.
static Geometry mirrored(const Geometry& g) {
    return {g.n, g.p, g.q, g.k, g.c, 3, 3, g.h, g.w, 1, 2 - g.top, 2 - g.left, 2 - g.bottom, 2 - g.right, 1};
}

static float* workspace(Type type, const Geometry& g) {
    return static_cast<float*>(
        scratch().at_least(CALL_FOR(type == Type::bf16, winograd_workspace, g) * sizeof(float)));
}

const float* PackedFilters::transformed(Type type, const Geometry& g, bool turned, const void* w, int64_t version) {
    bool half = type == Type::bf16;
    Copy& copy = transformed_[turned];
    float* u = static_cast<float*>(copy.room.at_least(CALL_FOR(half, winograd_filter_size, g) * sizeof(float)));
    if (copy.version != version) {
        CALL_FOR(half, winograd_filters, g, turned, Address{w}, u);
        copy.version = version;
    }
    return u;
}

static void pass(Type type, const Geometry& g, const void* x, const float* u, const void* bias, void* y) {
    CALL_FOR(type == Type::bf16, winograd, g, Address{x}, u, Address{bias}, Address{y}, workspace(type, g));
}

void winograd(Type type, const Geometry& g, const void* x, const void* w, const void* bias, void* y,
              PackedFilters& packed, int64_t version) {
    pass(type, g, x, packed.transformed(type, g, false, w, version), bias, y);
}

void winograd_backward_data(Type type, const Geometry& g, const void* w, const void* dy, void* dx,
                            PackedFilters& packed, int64_t version) {
    Geometry m = mirrored(g);
    pass(type, m, dy, packed.transformed(type, m, true, w, version), nullptr, dx);
}

void winograd_backward_weights(Type type, const Geometry& g, const void* x, const void* dy, void* dw, void* dbias) {
    CALL_FOR(type == Type::bf16, winograd_backward_weights, g, Address{x}, Address{dy}, Address{dw}, workspace(type, g));
    if (dbias) column_sums(type, dy, int64_t(g.n) * g.p * g.q, g.k, dbias);
}

}  // namespace ddpm
