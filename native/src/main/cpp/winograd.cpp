#include "winograd.h"

#include "kernels_winograd.h"
#include "passes.h"
#include "variants.h"

namespace ddpm {

// The gradient dx is a convolution of dy with the filters turned round: its geometry.
static Geometry mirrored(const Geometry& g) {
    return {g.n, g.p, g.q, g.k, g.c, 3, 3, g.h, g.w, 1, 2 - g.top, 2 - g.left, 2 - g.bottom, 2 - g.right, 1};
}

static float* workspace(const Geometry& g) {
    return static_cast<float*>(scratch().at_least(CALL(winograd_workspace, g) * sizeof(float)));
}

const float* PackedFilters::transformed(const Geometry& g, bool turned, const float* w, int64_t version) {
    Copy& copy = transformed_[turned];
    float* u = static_cast<float*>(copy.room.at_least(CALL(winograd_filter_size, g) * sizeof(float)));
    if (copy.version != version) {
        CALL(winograd_filters, g, turned, w, u);
        copy.version = version;
    }
    return u;
}

void winograd(const Geometry& g, const float* x, const float* w, const float* bias, float* y, PackedFilters& packed,
              int64_t version) {
    CALL(winograd, g, x, packed.transformed(g, false, w, version), bias, y, workspace(g));
}

void winograd_backward_data(const Geometry& g, const float* w, const float* dy, float* dx, PackedFilters& packed,
                            int64_t version) {
    Geometry m = mirrored(g);
    CALL(winograd, m, dy, packed.transformed(m, true, w, version), nullptr, dx, workspace(m));
}

void winograd_backward_weights(const Geometry& g, const float* x, const float* dy, float* dw, float* dbias) {
    CALL(winograd_backward_weights, g, x, dy, dw, workspace(g));
    if (dbias) column_sums(Type::f32, dy, int64_t(g.n) * g.p * g.q, g.k, dbias);
}

}  // namespace ddpm
