// Random numbers. Normals by Box–Muller in double, so that the numbers are those of the other backends to the last bit but one.
#include "philox.h"

// In the order of Distribution.Kind.
enum Kind { UNIFORM, NORMAL, INTEGERS, KEEP };

// The largest word for which (word >> 8) · 2⁻²⁴ is below the probability: up to it a draw of the kind KEEP is not 0.
DEVICE unsigned mostOf(double probability) { return static_cast<unsigned>(ceil(probability * 0x1p24)) * 256u - 1; }

KERNEL(draw)(int kind, double parameter, unsigned long long seed, const Step *step, unsigned long long offset, T *y, int count) {
    unsigned n = count;
    bool fours = aligned(y, 4 * sizeof(T));
    unsigned most = mostOf(kind == KEEP ? parameter : 1);
    float kept = static_cast<float>(1 / parameter);
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
            if (kind == KEEP) value[i] = word[i] <= most ? kept : 0.0f;
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

KERNEL(dropout)(Mask mask, const T *x, T *y, int n) {
    unsigned long long first = firstCounter(mask);
    unsigned vectors = aligned(x, 16) && aligned(y, 16) ? n / VECTOR : 0;
    FLAT(i, 0, vectors) {
        float v[VECTOR];
        load<VECTOR>(x + i * VECTOR, v);
#pragma unroll
        for (int j = 0; j < VECTOR; j += 4) {
            unsigned word[4];
            philox(mask.seed, first + (i * VECTOR + j) / 4, word);
#pragma unroll
            for (int k = 0; k < 4; k++) v[j + k] *= word[k] <= mask.most ? mask.kept : 0.0f;
        }
        store<VECTOR>(v, y + i * VECTOR);
    }
    FLAT(i, vectors * VECTOR, n) {
        unsigned word[4], own = 0;
        philox(mask.seed, first + i / 4, word);
#pragma unroll
        for (int k = 0; k < 4; k++)
            if (i % 4 == k) own = word[k];
        narrow(widen(x[i]) * (own <= mask.most ? mask.kept : 0.0f), y[i]);
    }
}
