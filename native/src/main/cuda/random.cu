// Philox 4x32-10 (Salmon et al. 2011) exactly as tensor.backend.Philox: draw i comes from word i mod 4 of counter i / 4.
// Normals by Box–Muller in double, so that the numbers are those of the other backends to the last bit but one.
#include "common.h"
#include "kernels.h"

DEVICE void philox(unsigned long long seed, unsigned long long counter, unsigned *c) {
    c[0] = static_cast<unsigned>(counter);
    c[1] = static_cast<unsigned>(counter >> 32);
    c[2] = c[3] = 0;
    unsigned k0 = static_cast<unsigned>(seed), k1 = static_cast<unsigned>(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        unsigned high0 = __umulhi(0xD2511F53u, c[0]), low0 = 0xD2511F53u * c[0];
        unsigned high1 = __umulhi(0xCD9E8D57u, c[2]), low1 = 0xCD9E8D57u * c[2];
        c[0] = high1 ^ c[1] ^ k0;
        c[1] = low1;
        c[2] = high0 ^ c[3] ^ k1;
        c[3] = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

// In the order of Distribution.Kind.
enum Kind { UNIFORM, NORMAL, INTEGERS, KEEP };

// A draw of the kind KEEP: word >> 8 is below `below` ⟺ (word >> 8) · 2⁻²⁴ is below the probability.
struct Keep {
    unsigned below;
    float kept;
};
DEVICE Keep keepOf(double probability) {
    Keep keep = {static_cast<unsigned>(ceil(probability * 0x1p24)), static_cast<float>(1 / probability)};
    return keep;
}
DEVICE float drawn(const Keep &keep, unsigned word) { return word >> 8 < keep.below ? keep.kept : 0.0f; }

KERNEL(draw)(int kind, double parameter, unsigned long long seed, const Step *step, unsigned long long offset, T *y, int count) {
    unsigned n = count;
    bool fours = aligned(y, 4 * sizeof(T));
    Keep keep = keepOf(kind == KEEP ? parameter : 1);
    unsigned long long first = ((step ? step->draws : 0) + offset) / 4;
    FLAT(block, 0, (n + 3) / 4) {
        unsigned word[4];
        float value[4];
        philox(seed, first + block, word);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float unit = (word[i] >> 8) * 0x1p-24f;  // exact
            if (kind == UNIFORM) value[i] = unit;
            if (kind == INTEGERS) value[i] = static_cast<float>(__umulhi(word[i], static_cast<unsigned>(parameter)));
            if (kind == KEEP) value[i] = drawn(keep, word[i]);
        }
        if (kind == NORMAL) {
#pragma unroll
            for (int i = 0; i < 4; i += 2) {
                double radius = sqrt(-2 * log((word[i] + 0.5) * 0x1p-32));
                double angle = 2 * 3.14159265358979323846 * (word[i + 1] * 0x1p-32);
                value[i] = static_cast<float>(radius * cos(angle));
                value[i + 1] = static_cast<float>(radius * sin(angle));
            }
        }
        if (fours && 4 * block + 3 < n) {
            store<4>(value, y + 4 * block);
            continue;
        }
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (4 * block + i < n) narrow(value[i], y[4 * block + i]);
    }
}

KERNEL(dropout)(double probability, unsigned long long seed, const Step *step, unsigned long long offset, const T *x, T *y,
                int n) {
    Keep keep = keepOf(probability);
    unsigned long long first = ((step ? step->draws : 0) + offset) / 4;
    unsigned vectors = aligned(x, 16) && aligned(y, 16) ? n / VECTOR : 0;
    FLAT(i, 0, vectors) {
        float v[VECTOR];
        load<VECTOR>(x + i * VECTOR, v);
#pragma unroll
        for (int j = 0; j < VECTOR; j += 4) {
            unsigned word[4];
            philox(seed, first + (i * VECTOR + j) / 4, word);
#pragma unroll
            for (int k = 0; k < 4; k++) v[j + k] *= drawn(keep, word[k]);
        }
        store<VECTOR>(v, y + i * VECTOR);
    }
    FLAT(i, vectors * VECTOR, n) {
        unsigned word[4], own = 0;
        philox(seed, first + i / 4, word);
#pragma unroll
        for (int k = 0; k < 4; k++)
            if (i % 4 == k) own = word[k];
        narrow(widen(x[i]) * drawn(keep, own), y[i]);
    }
}
