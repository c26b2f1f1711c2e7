// Numbers as the stand-ins for cuBLAS and cuDNN hold them.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

const int F32 = 0, CUDA_BF16 = 14, CUDNN_BF16 = 9;  // the two libraries number bfloat16 differently
inline bool isHalf(int type) { return type == CUDA_BF16 || type == CUDNN_BF16; }
inline int bytesOf(int type) { return isHalf(type) ? 2 : 4; }

inline float get(const void *p, int type, long long i) {
    if (!isHalf(type)) return static_cast<const float *>(p)[i];
    uint32_t u = static_cast<uint32_t>(static_cast<const uint16_t *>(p)[i]) << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}
inline void put(void *p, int type, long long i, float v) {
    if (!isHalf(type)) {
        static_cast<float *>(p)[i] = v;
        return;
    }
    uint32_t u;
    memcpy(&u, &v, 4);
    static_cast<uint16_t *>(p)[i] =
        (u & 0x7fffffffu) > 0x7f800000u ? 0x7fff : static_cast<uint16_t>((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
// What a tensor core reads of a float: 10 bits of the mantissa, rounded to nearest.
inline float tf32(float v) {
    uint32_t u;
    memcpy(&u, &v, 4);
    if ((u & 0x7f800000u) != 0x7f800000u) u = (u + 0x1000u) & 0xffffe000u;
    memcpy(&v, &u, 4);
    return v;
}
inline float dot(const float *a, const float *b, int n) {
    float sum = 0;
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}
inline void addTimes(float factor, const float *x, float *y, int n) {
    for (int i = 0; i < n; i++) y[i] += factor * x[i];
}
