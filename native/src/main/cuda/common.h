// What all kernels share: the storage type T, loads and stores of several values, sums over a warp and a block.
// The same sources are compiled by nvcc for the GPU and, for tests without one, by a C++ compiler with emu.h.
#pragma once
#ifdef __CUDACC__
#define DYNAMIC_SHARED(Type, name) extern __shared__ Type name[]
#define CHECK_ALIGNED(pointer, bytes)
#define KERNEL(name) extern "C" __global__ void name
#define KERNEL_UP_TO(threads, name) extern "C" __global__ void __launch_bounds__(threads) name  // for large blocks
#else
#include "emu.h"
#define KERNEL(name) void kernel_##name
#define KERNEL_UP_TO(threads, name) KERNEL(name)
#endif

#define DEVICE static __device__ __forceinline__

#ifdef __CUDACC__
// Until other blocks have counted up to `least`; an error after some ten seconds is better than to wait for ever.
DEVICE void awaitOthers(const unsigned *count, unsigned least) {
    for (unsigned looks = 0; *const_cast<const volatile unsigned *>(count) < least; looks++) {
        if (looks >> 24) __trap();
        __nanosleep(100);
    }
}
#endif

// bfloat16: the upper half of a float.
struct bf16 {
    unsigned short bits;
};

DEVICE float widen(float v) { return v; }
DEVICE float widen(bf16 v) { return __uint_as_float(static_cast<unsigned>(v.bits) << 16); }
DEVICE void narrow(float v, float &to) { to = v; }
// To nearest, ties to even; any NaN becomes 0x7fff. One or two values for one instruction from compute capability 8.0 on.
#if defined(__CUDACC__) && defined(KERNELS_BF16)
DEVICE void narrow(float v, bf16 &to) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(v)); }
DEVICE unsigned pack(float low, float high) {
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
#else
DEVICE void narrow(float v, bf16 &to) {
    unsigned u = __float_as_uint(v);
    bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    to.bits = static_cast<unsigned short>(nan ? 0x7fffu : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
DEVICE unsigned pack(float low, float high) {
    bf16 x, y;
    narrow(low, x);
    narrow(high, y);
    return x.bits | static_cast<unsigned>(y.bits) << 16;
}
#endif

#ifdef KERNELS_BF16
typedef bf16 T;
#else
typedef float T;
#endif
const int VECTOR = 16 / sizeof(T);  // values in 16 bytes

DEVICE bool aligned(const void *pointer, int bytes) {
    return reinterpret_cast<unsigned long long>(pointer) % static_cast<unsigned>(bytes) == 0;
}

// V values at once; for V > 1 the pointer is a multiple of V values.
template <int V> DEVICE void load(const float *from, float *v) {
    if (V == 1) v[0] = from[0];
    else {
        CHECK_ALIGNED(from, 16);
#pragma unroll
        for (int i = 0; i < V; i += 4) {
            float4 four = *reinterpret_cast<const float4 *>(from + i);
            v[i] = four.x; v[i + 1] = four.y; v[i + 2] = four.z; v[i + 3] = four.w;
        }
    }
}
template <int V> DEVICE void store(const float *v, float *to) {
    if (V == 1) to[0] = v[0];
    else {
        CHECK_ALIGNED(to, 16);
#pragma unroll
        for (int i = 0; i < V; i += 4) {
            float4 four = {v[i], v[i + 1], v[i + 2], v[i + 3]};
            *reinterpret_cast<float4 *>(to + i) = four;
        }
    }
}
DEVICE float low(unsigned pair) { return __uint_as_float(pair << 16); }
DEVICE float high(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }
template <int V> DEVICE void load(const bf16 *from, float *v) {
    if (V == 1) v[0] = widen(from[0]);
    if (V == 4) {
        CHECK_ALIGNED(from, 8);
        uint2 u = *reinterpret_cast<const uint2 *>(from);
        v[0] = low(u.x); v[1] = high(u.x); v[2] = low(u.y); v[3] = high(u.y);
    }
    if (V == 8) {
        CHECK_ALIGNED(from, 16);
        uint4 u = *reinterpret_cast<const uint4 *>(from);
        v[0] = low(u.x); v[1] = high(u.x); v[2] = low(u.y); v[3] = high(u.y);
        v[4] = low(u.z); v[5] = high(u.z); v[6] = low(u.w); v[7] = high(u.w);
    }
}
template <int V> DEVICE void store(const float *v, bf16 *to) {
    if (V == 1) narrow(v[0], to[0]);
    if (V == 4) {
        CHECK_ALIGNED(to, 8);
        uint2 u = {pack(v[0], v[1]), pack(v[2], v[3])};
        *reinterpret_cast<uint2 *>(to) = u;
    }
    if (V == 8) {
        CHECK_ALIGNED(to, 16);
        uint4 u = {pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7])};
        *reinterpret_cast<uint4 *>(to) = u;
    }
}

template <int V> DEVICE void addTo(const T *from, float (&v)[V]) {
    float more[V];
    load<V>(from, more);
#pragma unroll
    for (int j = 0; j < V; j++) v[j] += more[j];
}

// Whether runs of `width` values that begin at multiples of it from these pointers, which may be 0, can be read V at a time.
template <class... Pointers> DEVICE bool allows(int vector, int width, Pointers... pointers) {
    return width % vector == 0 && (aligned(pointers, vector * sizeof(T)) && ...);
}

DEVICE unsigned atMost(unsigned v, unsigned most) { return v < most ? v : most; }

// This thread's place in a flat grid, and how many threads there are.
DEVICE unsigned flatThread() { return blockIdx.x * blockDim.x + threadIdx.x; }
DEVICE unsigned flatThreads() { return gridDim.x * blockDim.x; }

// This warp and the number of warps in a flat grid, and this thread's place in its warp.
DEVICE unsigned flatWarp() { return flatThread() >> 5; }
DEVICE unsigned flatWarps() { return flatThreads() >> 5; }
DEVICE unsigned lane() { return threadIdx.x & 31; }

#define LEAST __uint_as_float(0xff800000u)  // −∞

// For a block whose number is that of a piece: the last of the entries whose first piece is not after it.
template <class Entries> DEVICE const auto &ownOf(const Entries &entries) {
    int begin = 0, end = entries.count;
    while (end - begin > 1) {
        int middle = (begin + end) / 2;
        if (entries.each[middle].first <= static_cast<int>(blockIdx.x)) begin = middle;
        else end = middle;
    }
    return entries.each[begin];
}

// The work begin … end, shared out among the threads of a flat grid.
#define FLAT(i, begin, end) \
    _Pragma("unroll 1") for (unsigned i = (begin) + flatThread(); i < static_cast<unsigned>(end); i += flatThreads())

#ifdef __CUDACC__
// Every lane gets the sum, or the largest value, of its warp; the order is that of a binary tree.
template <class N> DEVICE N warpSum(N v) {
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1) v += __shfl_xor_sync(0xffffffffu, v, mask);
    return v;
}
DEVICE float larger(float a, float b) { return a > b || a != a ? a : b; }  // NaN wins
DEVICE float warpMax(float v) {
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1) v = larger(v, __shfl_xor_sync(0xffffffffu, v, mask));
    return v;
}
#else
DEVICE float larger(float a, float b) { return a > b || a != a ? a : b; }
template <class N> DEVICE N warpSum(N v) { return emu::butterfly(v, [](N a, N b) { return a + b; }); }
DEVICE float warpMax(float v) { return emu::butterfly(v, larger); }
#endif

// The same over a block whose size is a multiple of 32. All threads must take part.
template <class N> DEVICE N blockSum(N v) {
    __shared__ N part[32];
    unsigned warp = threadIdx.x >> 5;
    v = warpSum(v);
    if (blockDim.x == 32) return v;
    if (lane() == 0) part[warp] = v;
    __syncthreads();
    N total = 0;
    for (unsigned w = 0; w < blockDim.x >> 5; w++) total += part[w];
    __syncthreads();  // before part is written again
    return total;
}
DEVICE float blockMax(float v) {
    __shared__ float part[32];
    unsigned warp = threadIdx.x >> 5;
    v = warpMax(v);
    if (blockDim.x == 32) return v;
    if (lane() == 0) part[warp] = v;
    __syncthreads();
    float most = part[0];
    for (unsigned w = 1; w < blockDim.x >> 5; w++) most = larger(most, part[w]);
    __syncthreads();
    return most;
}
