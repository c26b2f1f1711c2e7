// Philox 4x32-10 (Salmon et al. 2011) exactly as tensor.backend.Philox: draw i comes from word i mod 4 of counter i / 4.
#include <cmath>

#include "kernels.h"

namespace ddpm {

static void block(uint64_t seed, uint64_t counter, uint32_t* words) {
    uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0, p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
        c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
        c1 = static_cast<uint32_t>(p1);
        c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
        c3 = static_cast<uint32_t>(p0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

// In the order of Distribution.Kind.
enum Kind { uniform, normal, integers, keep };

template <class Value>
void random(int kind, double parameter, uint64_t seed, uint64_t offset, Value* y, int64_t n) {
    constexpr double pi = 3.14159265358979323846;
    int64_t blocks = (n + 3) / 4;
#pragma omp parallel for schedule(static) if (n > 4096)
    for (int64_t b = 0; b < blocks; b++) {
        uint32_t word[4];
        float draw[4];
        block(seed, offset / 4 + b, word);
        for (int i = 0; i < 4; i++) {
            double unit = (word[i] >> 8) * 0x1p-24;
            if (kind == uniform) draw[i] = static_cast<float>(unit);
            if (kind == integers)
                draw[i] = static_cast<float>((static_cast<uint64_t>(word[i]) * static_cast<uint64_t>(parameter)) >> 32);
            if (kind == keep) draw[i] = unit < parameter ? static_cast<float>(1 / parameter) : 0.0f;
        }
        if (kind == normal)
            for (int i = 0; i < 4; i += 2) {
                double radius = std::sqrt(-2 * std::log((word[i] + 0.5) * 0x1p-32));
                double angle = 2 * pi * (word[i + 1] * 0x1p-32);
                draw[i] = static_cast<float>(radius * std::cos(angle));
                draw[i + 1] = static_cast<float>(radius * std::sin(angle));
            }
        for (int64_t i = 4 * b; i < n && i < 4 * b + 4; i++) y[i] = draw[i - 4 * b];
    }
}

template void random(int, double, uint64_t, uint64_t, float*, int64_t);
template void random(int, double, uint64_t, uint64_t, Bf16*, int64_t);

}  // namespace ddpm
