#include "pixels.h"

#include "variants.h"

namespace ddpm {

static float* floats(int64_t count) { return static_cast<float*>(scratch().at_least(count * sizeof(float))); }

// The factor is w [inner, outer] or, turned, the transpose of w [outer, inner].
static void product(Type type, const Geometry& g, int64_t inner, int64_t outer, bool turned, const void* x, const void* w,
                    const void* bias, void* y) {
    bool half = type == Type::bf16;
    float* workspace = floats(CALL_FOR(half, pixel_products_workspace, inner, outer));
    CALL_FOR(half, pixel_products, int64_t(g.n) * g.p * g.q, inner, outer, turned, Address{x}, Address{w}, Address{bias},
             Address{y}, workspace);
}

void pixels(Type type, const Geometry& g, const void* x, const void* w, const void* bias, void* y) {
    product(type, g, g.c, g.k, true, x, w, bias, y);
}

void pixels_backward_data(Type type, const Geometry& g, const void* w, const void* dy, void* dx) {
    product(type, g, g.k, g.c, false, dy, w, nullptr, dx);
}

void pixels_backward_weights(Type type, const Geometry& g, const void* x, const void* dy, void* dw, void* dbias) {
    bool half = type == Type::bf16;
    float* workspace = floats(CALL_FOR(half, pixel_weights_workspace, g));
    CALL_FOR(half, pixel_weights, g, Address{x}, Address{dy}, Address{dw}, Address{dbias}, workspace);
}

}  // namespace ddpm
