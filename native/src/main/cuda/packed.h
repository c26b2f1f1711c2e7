// A thread's share of an array in registers, as it lies in memory.
#pragma once
#include "common.h"

// V values as they are in memory, two to a word or one.
template <int V> struct Packed {
    static const int EACH = V > 1 && sizeof(T) == 2 ? 2 : 1, WORDS = V / EACH;
    unsigned word[WORDS];
};
template <int V> DEVICE float get(const Packed<V> &p, int j) {
    if constexpr (Packed<V>::EACH == 1) return __uint_as_float(p.word[j]);
    else return j % 2 == 0 ? low(p.word[j / 2]) : high(p.word[j / 2]);
}
template <int V, int S> DEVICE void put(const float (&v)[S], Packed<V> &p, int j) {
#pragma unroll
    for (int i = 0; i < S; i += Packed<V>::EACH)
        if constexpr (Packed<V>::EACH == 1) p.word[j + i] = __float_as_uint(v[i]);
        else p.word[(j + i) / 2] = pack(v[i], v[i + 1]);
}
// 0 in place of value j.
template <int V> DEVICE void clear(Packed<V> &p, int j) {
    if constexpr (Packed<V>::EACH == 1) p.word[j] = 0;
    else p.word[j / 2] &= j % 2 == 0 ? 0xffff0000u : 0x0000ffffu;
}
template <int V> DEVICE void fetch(const T *from, Packed<V> &p) {
    if constexpr (V == 1) p.word[0] = __float_as_uint(widen(*from));
    else if constexpr (Packed<V>::WORDS == 2) {
        CHECK_ALIGNED(from, 8);
        uint2 u = *reinterpret_cast<const uint2 *>(from);
        p.word[0] = u.x; p.word[1] = u.y;
    } else {
        CHECK_ALIGNED(from, 16);
        uint4 u = *reinterpret_cast<const uint4 *>(from);
        p.word[0] = u.x; p.word[1] = u.y; p.word[2] = u.z; p.word[3] = u.w;
    }
}
template <int V> DEVICE void put(const Packed<V> &p, T *to) {
    if constexpr (V == 1) narrow(get(p, 0), *to);
    else if constexpr (Packed<V>::WORDS == 2) {
        CHECK_ALIGNED(to, 8);
        uint2 u = {p.word[0], p.word[1]};
        *reinterpret_cast<uint2 *>(to) = u;
    } else {
        CHECK_ALIGNED(to, 16);
        uint4 u = {p.word[0], p.word[1], p.word[2], p.word[3]};
        *reinterpret_cast<uint4 *>(to) = u;
    }
}
// k steps ahead, by one multiplication and addition of 64 bits.
DEVICE const T *ahead(const T *from, unsigned step, int k) {
    return reinterpret_cast<const T *>(reinterpret_cast<const char *>(from) + static_cast<unsigned long long>(step) * (k * sizeof(T)));
}
// The first `count` of N vectors that lie `step` values apart; zeros for the others.
template <int V, int N> DEVICE void fetch(const T *from, unsigned step, unsigned count, Packed<V> (&held)[N]) {
#pragma unroll
    for (int k = 0; k < N; k++) {
#pragma unroll
        for (int w = 0; w < Packed<V>::WORDS; w++) held[k].word[w] = 0;
        if (k < count) fetch(ahead(from, step, k), held[k]);
    }
}
template <int V, int N> DEVICE void put(const Packed<V> (&held)[N], T *to, unsigned step, unsigned count) {
#pragma unroll
    for (int k = 0; k < N; k++)
        if (k < count) put(held[k], const_cast<T *>(ahead(to, step, k)));
}
// to += more, rounded once.
#if defined(__CUDACC__) && defined(KERNELS_BF16)
DEVICE void addPair(unsigned more, unsigned &to) {  // 1 · more + to, two at a time
    asm("fma.rn.bf16x2 %0, %1, %2, %0;" : "+r"(to) : "r"(more), "r"(0x3f803f80u));
}
#else
DEVICE void addPair(unsigned more, unsigned &to) { to = pack(low(to) + low(more), high(to) + high(more)); }
#endif
template <int V> DEVICE void add(const Packed<V> &more, Packed<V> &to) {
#pragma unroll
    for (int w = 0; w < Packed<V>::WORDS; w++)
        if constexpr (Packed<V>::EACH == 2) addPair(more.word[w], to.word[w]);
        else to.word[w] = __float_as_uint(__uint_as_float(to.word[w]) + __uint_as_float(more.word[w]));
}
// to += a + b, rounded once.
template <int V> DEVICE void add(const Packed<V> &a, const Packed<V> &b, Packed<V> &to) {
#pragma unroll
    for (int j = 0; j < V; j += Packed<V>::EACH) {
        float sum[Packed<V>::EACH];
#pragma unroll
        for (int i = 0; i < Packed<V>::EACH; i++) sum[i] = get(to, j + i) + get(a, j + i) + get(b, j + i);
        put(sum, to, j);
    }
}
// Bars the compiler from keeping what it computed from v, so that registers stay free.
DEVICE void forget(unsigned &v) { asm volatile("" : "+r"(v)); }
template <int V, int N> DEVICE void forget(Packed<V> (&held)[N]) {
#pragma unroll
    for (int k = 0; k < N; k++)
#pragma unroll
        for (int w = 0; w < Packed<V>::WORDS; w++) forget(held[k].word[w]);
}
