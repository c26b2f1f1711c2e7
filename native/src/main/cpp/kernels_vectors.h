// Vectors of floats as wide as the variant's registers, loaded from and stored to floats or halves. To be included in kernels
// that are compiled once for each variant, hence the unnamed namespace.
#pragma once
#include <immintrin.h>

#include "kernels.h"
#include "kernels_math.h"

namespace ddpm {
namespace VARIANT {
namespace {

#ifdef __AVX512F__
typedef float Vector __attribute__((vector_size(64), aligned(4)));
constexpr __mmask16 kAll = 0xffff;  // forms of instructions without a mask make g++ 12 warn of something uninitialised
#else
typedef float Vector __attribute__((vector_size(32), aligned(4)));
#endif
constexpr int64_t kVector = sizeof(Vector) / sizeof(float);
constexpr int64_t kLanes = 16;  // widths are rounded up to this

inline int64_t padded(int64_t n) {
    return (n + kLanes - 1) / kLanes * kLanes;
}

// The distance of rows of n values, at most as many as these: a power of two would put too many of them into one set of a cache.
inline int64_t spaced(int64_t n) {
    return padded(n) + (padded(n) % 128 ? 0 : kLanes);
}

inline Vector load(const float* p) {
    return *reinterpret_cast<const Vector*>(p);
}

inline void store(float* p, Vector v) {
    *reinterpret_cast<Vector*>(p) = v;
}

#ifdef __AVX512F__
inline Vector load(const Bf16* p) {
    __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return reinterpret_cast<Vector>(_mm512_maskz_slli_epi32(kAll, _mm512_maskz_cvtepu16_epi32(kAll, halves), 16));
}

inline void store(Bf16* p, Vector v) {
#ifdef __AVX512BF16__
    __m256i halves = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(v)));
#else  // as in value.h
    typedef uint32_t Words __attribute__((vector_size(sizeof(Vector))));
    Words whole = reinterpret_cast<Words>(v), rounded = (whole + 0x7fffu + (whole >> 16 & 1u)) >> 16;
    Words chosen = (whole & 0x7fffffffu) > 0x7f800000u ? (whole >> 16 | 0x40u) : rounded;
    __m256i halves = _mm512_maskz_cvtepi32_epi16(kAll, reinterpret_cast<__m512i>(chosen));
#endif
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), halves);
}
#endif

// The first n values from p on, zeros in the other lanes.
template <class From>
inline Vector load_some(const From* p, int64_t n) {
    if (n >= kVector) return load(p);
    Vector v = {};
    for (int64_t i = 0; i < n; i++) v[i] = p[i];
    return v;
}

// Lane by lane; b where either is not a number.
inline Vector larger(Vector a, Vector b) {
#ifdef __AVX512F__
    return reinterpret_cast<Vector>(_mm512_maskz_max_ps(kAll, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#else
    return a > b ? a : b;
#endif
}

inline Vector smaller(Vector a, Vector b) {
#ifdef __AVX512F__
    return reinterpret_cast<Vector>(_mm512_maskz_min_ps(kAll, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#else
    return a < b ? a : b;
#endif
}

// exp of every lane, as in kernels_math.h; compilers make twice the instructions of that.
inline Vector exp(Vector x) {
#ifdef __AVX512F__
    Vector low = Vector{} - 104.0f, high = Vector{} + 89.0f;
    Vector bounded = smaller(high, larger(low, x));
    Vector n = reinterpret_cast<Vector>(_mm512_maskz_roundscale_ps(
        kAll, reinterpret_cast<__m512>(bounded * 1.44269504088896341f), _MM_FROUND_TO_NEAREST_INT));
    Vector r = bounded - n * 0.693145751953125f;
    r -= n * 1.42860682030941723e-6f;
    Vector p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return reinterpret_cast<Vector>(
        _mm512_maskz_scalef_ps(kAll, reinterpret_cast<__m512>(p), reinterpret_cast<__m512>(n)));
#else
    Vector y;
#pragma omp simd
    for (int i = 0; i < kVector; i++) y[i] = exp(float(x[i]));
    return y;
#endif
}

inline Vector sum(Vector a, Vector b) {
    return a + b;
}

// All lanes of v combined, by halves: a chain of lanes would cost more than the rest of a short row.
template <Vector (*combine)(Vector, Vector)>
float across(Vector v) {
    constexpr int kCount = static_cast<int>(kVector);
    typedef int32_t Lanes __attribute__((vector_size(sizeof(Vector))));
    Lanes lane = {};
    for (int i = 0; i < kCount; i++) lane[i] = i;
#pragma GCC unroll 4
    for (int half = kCount / 2; half > 0; half /= 2)
        v = combine(v, __builtin_shuffle(v, (lane + half) & (kCount - 1)));
    return v[0];
}

// Exchanges the squares of HALF beside the diagonal, in each square of twice that along it.
template <int HALF>
inline void exchange_squares(Vector* rows) {
    constexpr int kCount = static_cast<int>(kVector);
    typedef int32_t Lanes __attribute__((vector_size(sizeof(Vector))));
    Lanes upper = {}, lower = {};
    for (int i = 0; i < kCount; i++) {
        upper[i] = i & HALF ? kCount + i - HALF : i;
        lower[i] = i & HALF ? kCount + i : i + HALF;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kCount; i++) {
        if (i & HALF) continue;
        Vector a = rows[i], b = rows[i + HALF];
        rows[i] = __builtin_shuffle(a, b, upper);
        rows[i + HALF] = __builtin_shuffle(a, b, lower);
    }
}

// Rows become columns, as many as there are lanes.
inline void transpose(Vector* rows) {
    exchange_squares<1>(rows);
    exchange_squares<2>(rows);
    exchange_squares<4>(rows);
    if constexpr (kVector > 8) exchange_squares<8>(rows);
}

}  // namespace
}  // namespace VARIANT
}  // namespace ddpm
