// The maps of Winograd's convolutions for one line of values: F(m, 3) with m results from m + 2 values, for all lanes of a
// vector. Squares take them along both axes. The formulas stand in kernels_winograd.cpp.
#pragma once
#include "kernels_products.h"

namespace ddpm {
namespace VARIANT {
namespace {

// m = 2, at the points 0, 1, −1, ∞.
struct Two {
    static constexpr int kResults = 2, kSide = 4;

    [[gnu::always_inline]] static void input(const Vector* d, Vector* v) {  // Bᵀ
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[1] - d[3];
    }
    [[gnu::always_inline]] static void output(const Vector* m, Vector* y) {  // Aᵀ
        y[0] = m[0] + m[1] + m[2];
        y[1] = m[1] - m[2] - m[3];
    }
    [[gnu::always_inline]] static void gradient(const Vector* y, Vector* m) {  // A
        m[0] = y[0];
        m[1] = y[0] + y[1];
        m[2] = y[0] - y[1];
        m[3] = -y[1];
    }
    static void filter(const Vector* g, Vector* u) {  // G
        u[0] = g[0];
        u[1] = 0.5f * (g[0] + g[1] + g[2]);
        u[2] = 0.5f * (g[0] - g[1] + g[2]);
        u[3] = g[2];
    }
    static void filter_gradient(const Vector* u, Vector* g) {  // Gᵀ
        g[0] = u[0] + 0.5f * (u[1] + u[2]);
        g[1] = 0.5f * (u[1] - u[2]);
        g[2] = 0.5f * (u[1] + u[2]) + u[3];
    }
};

// m = 4, at 0, a, −a, b, −b, ∞.
struct Four {
    static constexpr int kResults = 4, kSide = 6;
    static constexpr float a = 0.75f, b = 1.5f, aa = a * a, bb = b * b;
    static constexpr float at0 = 1 / (aa * bb), atA = 1 / (2 * aa * (aa - bb)), atB = 1 / (2 * bb * (bb - aa));

    [[gnu::always_inline]] static void input(const Vector* d, Vector* v) {
        Vector even_a = d[4] - bb * d[2], odd_a = d[3] - bb * d[1], even_b = d[4] - aa * d[2], odd_b = d[3] - aa * d[1];
        v[0] = aa * bb * d[0] - (aa + bb) * d[2] + d[4];
        v[1] = even_a + a * odd_a;
        v[2] = even_a - a * odd_a;
        v[3] = even_b + b * odd_b;
        v[4] = even_b - b * odd_b;
        v[5] = aa * bb * d[1] - (aa + bb) * d[3] + d[5];
    }
    [[gnu::always_inline]] static void output(const Vector* m, Vector* y) {
        Vector sum_a = m[1] + m[2], difference_a = m[1] - m[2], sum_b = m[3] + m[4], difference_b = m[3] - m[4];
        y[0] = m[0] + sum_a + sum_b;
        y[1] = a * difference_a + b * difference_b;
        y[2] = aa * sum_a + bb * sum_b;
        y[3] = a * aa * difference_a + b * bb * difference_b + m[5];
    }
    [[gnu::always_inline]] static void gradient(const Vector* y, Vector* m) {
        Vector even_a = y[0] + aa * y[2], odd_a = a * y[1] + a * aa * y[3];
        Vector even_b = y[0] + bb * y[2], odd_b = b * y[1] + b * bb * y[3];
        m[0] = y[0];
        m[1] = even_a + odd_a;
        m[2] = even_a - odd_a;
        m[3] = even_b + odd_b;
        m[4] = even_b - odd_b;
        m[5] = y[3];
    }
    static void filter(const Vector* g, Vector* u) {
        Vector even_a = g[0] + aa * g[2], odd_a = a * g[1], even_b = g[0] + bb * g[2], odd_b = b * g[1];
        u[0] = at0 * g[0];
        u[1] = atA * (even_a + odd_a);
        u[2] = atA * (even_a - odd_a);
        u[3] = atB * (even_b + odd_b);
        u[4] = atB * (even_b - odd_b);
        u[5] = g[2];
    }
    static void filter_gradient(const Vector* u, Vector* g) {
        Vector sum_a = atA * (u[1] + u[2]), difference_a = atA * (u[1] - u[2]);
        Vector sum_b = atB * (u[3] + u[4]), difference_b = atB * (u[3] - u[4]);
        g[0] = at0 * u[0] + sum_a + sum_b;
        g[1] = a * difference_a + b * difference_b;
        g[2] = aa * sum_a + bb * sum_b + u[5];
    }
};

}  // namespace
}  // namespace VARIANT
}  // namespace ddpm
