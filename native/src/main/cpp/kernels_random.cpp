// Philox 4x32-10 (Salmon et al. 2011) exactly as tensor.backend.Philox: draw i comes from word i mod 4 of counter i / 4. A
// group of counters at a time, so that the rounds run side by side in vectors. Unsuffixed constants are floats here
// (-fsingle-precision-constant); those that must be doubles are cut from long ones.
#include <math.h>

#include "kernels.h"

namespace ddpm {
namespace VARIANT {
namespace {

constexpr int kGroup = 16;          // counters at a time
constexpr int kDraws = 4 * kGroup;  // and what they give

// words[4 · i + k] is word k of counter first + i.
void rounds(uint64_t seed, uint64_t first, uint32_t* words) {
#pragma omp simd
    for (int i = 0; i < kGroup; i++) {
        uint64_t counter = first + i;
        uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32), c2 = 0, c3 = 0;
        uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0, p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
            c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
            c1 = static_cast<uint32_t>(p1);
            c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
            c3 = static_cast<uint32_t>(p0);
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        words[4 * i] = c0;
        words[4 * i + 1] = c1;
        words[4 * i + 2] = c2;
        words[4 * i + 3] = c3;
    }
}

// In the order of Distribution.Kind.
enum Kind { uniform, normal, integers, keep };

void draw_from(int kind, double parameter, const uint32_t* word, float* draw) {
    if (kind == uniform) {
#pragma omp simd
        for (int i = 0; i < kDraws; i++) draw[i] = static_cast<float>(word[i] >> 8) * 0x1p-24f;
    } else if (kind == integers) {
        uint64_t range = static_cast<uint64_t>(parameter);
        for (int i = 0; i < kDraws; i++) draw[i] = static_cast<float>((word[i] * range) >> 32);
    } else if (kind == keep) {  // the uniform draw is below the parameter: compared as whole numbers of 2⁻²⁴
        uint32_t below = static_cast<uint32_t>(ceil(parameter * static_cast<double>(0x1p24f)));
        float kept = static_cast<float>(static_cast<double>(1.0f) / parameter);
#pragma omp simd
        for (int i = 0; i < kDraws; i++) draw[i] = word[i] >> 8 < below ? kept : 0.0f;
    } else {
        const double half = 0.5L, unit = 0x1p-32L, twice_pi = 2 * 3.14159265358979323846L;
        for (int i = 0; i < kDraws; i += 2) {
            double radius = ::sqrt(-2 * ::log((word[i] + half) * unit));
            double angle = twice_pi * (word[i + 1] * unit);
            draw[i] = static_cast<float>(radius * ::cos(angle));
            draw[i + 1] = static_cast<float>(radius * ::sin(angle));
        }
    }
}

// use(first, draw, count) for draws first … first + count − 1 of n, a group at a time.
template <class Use>
void draws(int kind, double parameter, uint64_t seed, uint64_t offset, int64_t n, Use use) {
    int64_t groups = (n + kDraws - 1) / kDraws;
#pragma omp parallel for schedule(static) if (n > 4096)
    for (int64_t g = 0; g < groups; g++) {
        uint32_t words[kDraws];
        float draw[kDraws];
        rounds(seed, offset / 4 + g * kGroup, words);
        draw_from(kind, parameter, words, draw);
        use(g * kDraws, draw, n - g * kDraws < kDraws ? n - g * kDraws : kDraws);
    }
}

}  // namespace

void random(int kind, double parameter, uint64_t seed, uint64_t offset, Value* y, int64_t n) {
    draws(kind, parameter, seed, offset, n, [=](int64_t first, const float* draw, int64_t count) {
        for (int64_t i = 0; i < count; i++) y[first + i] = draw[i];
    });
}

void dropout(double probability, uint64_t seed, uint64_t offset, const Value* x, Value* y, int64_t n) {
    draws(keep, probability, seed, offset, n, [=](int64_t first, const float* draw, int64_t count) {
        for (int64_t i = 0; i < count; i++) y[first + i] = static_cast<float>(x[first + i]) * draw[i];
    });
}

}  // namespace VARIANT
}  // namespace ddpm
