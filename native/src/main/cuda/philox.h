// Philox 4x32-10 (Salmon et al. 2011) exactly as tensor.backend.Philox: draw i comes from word i mod 4 of counter i / 4.
#pragma once
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
// The counter of the mask's first four elements.
DEVICE unsigned long long firstCounter(const Mask &mask) { return ((mask.step ? mask.step->draws : 0) + mask.offset) / 4; }
