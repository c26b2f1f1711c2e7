// Elementary functions of floats that the compiler can vectorise: no branches, no calls, no tables. Every unsuffixed
// constant is a float (-fsingle-precision-constant). Errors against functions of doubles, as tensor.backend.cpu.KernelsTest
// checks: exp, log, tanh at most 2 ulp, erf 3e-7 absolute, sin and cos 2 ulp up to 100, 1.2e-7 up to 1e9; zeros (but for the
// sign of a zero), infinities and NaN come out as they should.
#pragma once
#include <cstdint>

#include "value.h"

namespace ddpm {
namespace VARIANT {
namespace {

constexpr float SQRT1_2 = 0.70710678118654752440f;
constexpr float SQRT2_PI = 0.79788456080286535588f;
constexpr float SQRT1_2PI = 0.39894228040143267794f;

inline float from_bits(int32_t bits) {
    float x;
    __builtin_memcpy(&x, &bits, 4);
    return x;
}

inline int32_t to_bits(float x) {
    int32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    return bits;
}

inline float abs(float x) {
    return __builtin_fabsf(x);
}

inline float sqrt(float x) {
    return __builtin_sqrtf(x);
}

// eˣ = 2ⁿ eʳ with n = round(x / ln 2), |r| <= ln 2 / 2, and eʳ by Taylor to r⁷. 2ⁿ is applied in two halves, so that results
// in the denormal range and at the overflow come out right.
inline float exp(float x) {
    float bounded = x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x;
    float n = (bounded * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
    float r = __builtin_fmaf(n, -0.693145751953125f, bounded);
    r = __builtin_fmaf(n, -1.42860682030941723e-6f, r);
    float p = 1.0f / 5040;
    p = __builtin_fmaf(p, r, 1.0f / 720);
    p = __builtin_fmaf(p, r, 1.0f / 120);
    p = __builtin_fmaf(p, r, 1.0f / 24);
    p = __builtin_fmaf(p, r, 1.0f / 6);
    p = __builtin_fmaf(p, r, 0.5f);
    p = __builtin_fmaf(p, r, 1.0f);
    p = __builtin_fmaf(p, r, 1.0f);
    int32_t k = static_cast<int32_t>(n);
    int32_t half = k >> 1;
    return p * from_bits((half + 127) << 23) * from_bits((k - half + 127) << 23);
}

// x = 2ᵉ m with m in [√½, √2); ln m = 2 artanh(s), s = (m − 1) / (m + 1), by its series to s⁹.
inline float log(float x) {
    bool tiny = x < 1.17549435e-38f;
    float scaled = tiny ? x * 8388608.0f : x;
    int32_t bits = to_bits(scaled);
    int32_t e = (bits - 0x3f3504f3) >> 23;
    float m = from_bits(bits - (e << 23));
    float exponent = static_cast<float>(e) - (tiny ? 23.0f : 0.0f);
    float f = m - 1.0f;
    float s = f / (2.0f + f);
    float z = s * s;
    float p = 2.0f / 9;
    p = __builtin_fmaf(p, z, 2.0f / 7);
    p = __builtin_fmaf(p, z, 2.0f / 5);
    p = __builtin_fmaf(p, z, 2.0f / 3);
    // ln(1 + f) = f − s (f − z p)
    float tail = s * (f - z * p);
    float y = exponent * 0.693145751953125f + (f - (tail - exponent * 1.42860682030941723e-6f));
    y = x == 0.0f ? -__builtin_inff() : y;
    y = x < 0.0f ? __builtin_nanf("") : y;
    return x > 3.40282347e38f || x != x ? x : y;
}

// Near zero an odd polynomial (Cephes, S. Moshier), elsewhere 1 − 2 / (e²ˣ + 1).
inline float tanh(float x) {
    float a = abs(x);
    float z = x * x;
    float p = -5.70498872745e-3f;
    p = __builtin_fmaf(p, z, 2.06390887954e-2f);
    p = __builtin_fmaf(p, z, -5.37397155531e-2f);
    p = __builtin_fmaf(p, z, 1.33314422036e-1f);
    p = __builtin_fmaf(p, z, -3.33332819422e-1f);
    float small = __builtin_fmaf(p * z, x, x);
    float large = 1.0f - 2.0f / (exp(2.0f * a) + 1.0f);
    large = x < 0.0f ? -large : large;
    return a < 0.625f ? small : large;
}

// |x| < 1: an odd polynomial; else 1 − e^(−x²) q(1/x²)/x (Cephes, S. Moshier).
inline float erf(float x) {
    float a = abs(x);
    float z = x * x;
    float p = 7.853861353153693e-5f;
    p = __builtin_fmaf(p, z, -8.010193625184903e-4f);
    p = __builtin_fmaf(p, z, 5.188327685732524e-3f);
    p = __builtin_fmaf(p, z, -2.685381193529856e-2f);
    p = __builtin_fmaf(p, z, 1.128358514861418e-1f);
    p = __builtin_fmaf(p, z, -3.761262582423300e-1f);
    p = __builtin_fmaf(p, z, 1.128379165726710f);
    float small = x * p;
    float q = 1.0f / (a < 1.0f ? 1.0f : a);
    float y = q * q;
    float near = 2.326819970068386e-2f;
    near = __builtin_fmaf(near, y, -1.387039388740657e-1f);
    near = __builtin_fmaf(near, y, 3.687424674597105e-1f);
    near = __builtin_fmaf(near, y, -5.824733027278666e-1f);
    near = __builtin_fmaf(near, y, 6.210004621745983e-1f);
    near = __builtin_fmaf(near, y, -4.944515323274145e-1f);
    near = __builtin_fmaf(near, y, 3.404879937665872e-1f);
    near = __builtin_fmaf(near, y, -2.741127028184656e-1f);
    near = __builtin_fmaf(near, y, 5.638259427386472e-1f);
    float far = -1.047766399936249e+1f;
    far = __builtin_fmaf(far, y, 1.297719955372516e+1f);
    far = __builtin_fmaf(far, y, -7.495518717768503f);
    far = __builtin_fmaf(far, y, 2.921019019210786f);
    far = __builtin_fmaf(far, y, -1.015265279202700f);
    far = __builtin_fmaf(far, y, 4.218463358204948e-1f);
    far = __builtin_fmaf(far, y, -2.820767439740514e-1f);
    far = __builtin_fmaf(far, y, 5.641895067754075e-1f);
    float complement = exp(-z) * q * (a < 2.0f ? near : far);
    float large = 1.0f - complement;
    large = x < 0.0f ? -large : large;
    float value = a < 1.0f ? small : large;
    return x != x ? x : value;
}

// The nearest multiple of π/2 is taken off in double, which is exact enough for |x| up to 1e9; then a polynomial. Beyond 3.3e9
// the multiple is no int, and what comes out means nothing.
inline float sin_of_quarter(float x, int shift) {
    double wide = x;
    double turns = wide * static_cast<double>(0.63661977236758134308L);
    double nearest = __builtin_rint(turns);
    float r = static_cast<float>(wide - nearest * static_cast<double>(1.57079632679489661923L));
    int32_t quarter = (static_cast<int32_t>(nearest) + shift) & 3;
    float z = r * r;
    float s = -1.9515295891e-4f;
    s = __builtin_fmaf(s, z, 8.3321608736e-3f);
    s = __builtin_fmaf(s, z, -1.6666654611e-1f);
    s = __builtin_fmaf(s * z, r, r);
    float c = 2.443315711809948e-5f;
    c = __builtin_fmaf(c, z, -1.388731625493765e-3f);
    c = __builtin_fmaf(c, z, 4.166664568298827e-2f);
    c = __builtin_fmaf(c * z, z, 1.0f - 0.5f * z);
    float y = (quarter & 1) ? c : s;
    return (quarter & 2) ? -y : y;
}

inline float sin(float x) {
    return sin_of_quarter(x, 0);
}

inline float cos(float x) {
    return sin_of_quarter(x, 1);
}

inline float gelu_tanh_derivative(float x) {
    float t = tanh(SQRT2_PI * (x + 0.044715f * x * x * x));
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * SQRT2_PI * (1.0f + 3.0f * 0.044715f * x * x);
}

// The same array when it holds floats, or else null.
inline float* as_floats(float* values) {
    return values;
}
inline const float* as_floats(const float* values) {
    return values;
}
inline float* as_floats(const Bf16*) {
    return nullptr;
}

inline int64_t at_most(int64_t a, int64_t b) {
    return a < b ? a : b;
}

}  // namespace
}  // namespace VARIANT
}  // namespace ddpm
