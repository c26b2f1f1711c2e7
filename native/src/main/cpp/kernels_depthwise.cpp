// dw[c,r,s] = Σ_{n,p,q} dy[n,p,q,c] · x[n, p·stride + r − top, q·stride + s − left, c], a vector of channels at a time:
// a row of x, padded with zeros, meets the rows of dy it belongs to; one row of the filter stays in registers.
#include <immintrin.h>
#include <omp.h>
#include <string.h>

#include "kernels_layers.h"

namespace ddpm {
namespace VARIANT {

namespace {

#ifdef __AVX512F__
constexpr int kLanes = 16;
typedef __m512 Vec;
typedef __mmask16 Mask;
inline Mask first(int lanes) { return static_cast<Mask>((1u << lanes) - 1); }
inline Vec load(const float* from, Mask mask) { return _mm512_maskz_loadu_ps(mask, from); }
inline Vec load(const Bf16* from, Mask mask) {
    __m512i whole = _mm512_maskz_cvtepu16_epi32(mask, _mm256_maskz_loadu_epi16(mask, from));
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(mask, whole, 16));
}
#else
constexpr int kLanes = 8;
typedef __m256 Vec;
typedef __m256i Mask;
inline Mask first(int lanes) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vec load(const float* from, Mask mask) { return _mm256_maskload_ps(from, mask); }
#endif

// to [count] ← `lanes` channels of each of `count` pixels; the lanes beyond are 0.
inline void gather(const Value* from, int64_t channels, int lanes, int64_t count, Vec* to) {
    Mask mask = first(lanes);
    for (int64_t i = 0; i < count; i++) to[i] = load(from + i * channels, mask);
}

// sum[s] += Σ_q dy[q] · x[q·stride + s] for COUNT neighbouring s.
template <int COUNT>
inline void correlate(const Vec* dy, const Vec* x, int64_t columns, int64_t stride, Vec* sum) {
    Vec in_registers[COUNT];
    for (int s = 0; s < COUNT; s++) in_registers[s] = sum[s];
    for (int64_t q = 0; q < columns; q++, x += stride)
        for (int s = 0; s < COUNT; s++) in_registers[s] += dy[q] * x[s];
    for (int s = 0; s < COUNT; s++) sum[s] = in_registers[s];
}

inline void correlate(const Vec* dy, const Vec* x, const Geometry& g, Vec* sum) {
    int s = 0;
    for (; s + 7 <= g.s; s += 7) correlate<7>(dy, x + s, g.q, g.stride, sum + s);
    for (; s + 3 <= g.s; s += 3) correlate<3>(dy, x + s, g.q, g.stride, sum + s);
    for (; s < g.s; s++) correlate<1>(dy, x + s, g.q, g.stride, sum + s);
}

// sum [R,S] += what one image contributes to `lanes` channels.
void add_image(const Geometry& g, const Value* x, const Value* dy, int lanes, Vec* row, Vec* gradient, Vec* sum) {
    gather(dy, g.c, lanes, int64_t(g.p) * g.q, gradient);
    int64_t width = int64_t(g.q - 1) * g.stride + g.s;  // columns of the padded row that are read
    int64_t inside = width - g.left < g.w ? width - g.left : g.w;
    for (int h = 0; h < g.h; h++) {
        if (inside > 0) gather(x + int64_t(h) * g.w * g.c, g.c, lanes, inside, row + g.left);
        for (int r = 0; r < g.r; r++) {
            int down = h + g.top - r;  // p · stride
            if (down < 0 || down % g.stride || down / g.stride >= g.p) continue;
            correlate(gradient + int64_t(down / g.stride) * g.q, row, g, sum + int64_t(r) * g.s);
        }
    }
}

}  // namespace

void depthwise_backward_weights(const Geometry& g, const Value* x, const Value* dy, float* workspace,
                                int64_t workspace_per_thread, float* partial, Value* dw) {
    int64_t taps = int64_t(g.r) * g.s;
    int blocks = (g.c + kLanes - 1) / kLanes;
    int chunk_size = (g.n + kImageChunks - 1) / kImageChunks;
    int chunks = (g.n + chunk_size - 1) / chunk_size;
#pragma omp parallel for schedule(static)
    for (int task = 0; task < chunks * blocks; task++) {
        int chunk = task / blocks, block = task % blocks, channel = block * kLanes;
        int lanes = g.c - channel < kLanes ? g.c - channel : kLanes;
        int64_t width = int64_t(g.q - 1) * g.stride + g.s;
        Vec* sum = reinterpret_cast<Vec*>(workspace + omp_get_thread_num() * workspace_per_thread);
        Vec* row = sum + taps;
        Vec* gradient = row + width;
        memset(sum, 0, (taps + width) * sizeof(Vec));
        int end = (chunk + 1) * chunk_size < g.n ? (chunk + 1) * chunk_size : g.n;
        for (int n = chunk * chunk_size; n < end; n++)
            add_image(g, x + int64_t(n) * g.h * g.w * g.c + channel, dy + int64_t(n) * g.p * g.q * g.c + channel, lanes,
                      row, gradient, sum);
        memcpy(partial + task * taps * kLanes, sum, taps * sizeof(Vec));
    }
    for (int c = 0; c < g.c; c++)
        for (int64_t tap = 0; tap < taps; tap++) {
            double sum = 0;
            for (int chunk = 0; chunk < chunks; chunk++)
                sum += partial[((chunk * blocks + c / kLanes) * taps + tap) * kLanes + c % kLanes];
            dw[c * taps + tap] = static_cast<float>(sum);
        }
}

}  // namespace VARIANT
}  // namespace ddpm
