// Group norm over x [n, length, channels], channels last, with affine map, time conditioning and SiLU in one kernel each
// way. For channel c of group g of one image, with x̂ = (x + offset_c − mean_g) rstd_g:
//
//   z = a_c x̂ + b_c      a_c = gamma_c (1 + scale_c)      b_c = beta_c (1 + scale_c) + shift_c      y = silu(z) or z
//
// Dropout multiplies y, and backward dy, by a mask of 0 and 1/keep: the latter is taken into the coefficients, zeros are put
// over what has been computed, or read.
//
// Backward, with dz = dy · silu'(z), S1_c = Σ dz, S2_c = Σ dz x̂ over the pixels and m values in a group:
//
//   dx = rstd (a_c dz − M1_g − x̂ M2_g)      M1_g = Σ_{c in g} a_c S1_c / m      M2_g = Σ_{c in g} a_c S2_c / m
//   dgamma = Σ_n (1 + scale) S2      dbeta = Σ_n (1 + scale) S1      dscale = gamma S2 + beta S1      dshift = S1      doffset = Σ dx
//
// A block does `bundle` neighbouring groups of one image. A thread keeps its channels and goes down the pixels. It loads a
// handful of its vectors at once, still packed, and then computes from registers; where the handful is its whole share, x and
// dy are read once, else twice, the second time backwards, since the caches hold what was read last. For the same reason the first
// blocks have the last images, which the kernel before has written last; and where the two passes are two launches, the first of the
// second have the first images. Statistics need no pivot: a thread has the mean of its values and the sum of their squares about
// that mean, and two such pairs make one of both, exactly as if the values had been seen together,
//
//   mean = mean1 + off n2 / n      squares = squares1 + squares2 + off² n1 n2 / n      off = mean2 − mean1, n = n1 + n2
//
// so that nothing cancels. All sums have a fixed order.
//
// Where that is faster the pixels of an image are cut into slices. Then the two passes are two launches, or, where each block can
// hold its slice in registers, the blocks of a bundle's slices meet in between, and read it once: a block leaves its sums in memory,
// counts itself, waits until all of them have, and adds up theirs. Blocks take their places in the order in which they start, one
// slice after the other, so that of all who meet only the last are not all on the device; the others come to an end, and make room.
#pragma once
#include "common.h"
#include "kernels.h"
#include "packed.h"
#include "philox.h"

// SiLU and its slope, of w = UNIT z: for what is stored as bfloat16, e^−z = 2^w is one instruction, far more exact than that.
#ifdef KERNELS_BF16
const float UNIT = -1.44269504f;  // −1 / ln 2
#else
const float UNIT = 1;
#endif
#ifdef __CUDACC__
DEVICE float quotient(float v) {  // 1 / v within 1 unit in the last place; 0 where it is less than 2^−126
    float q;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(q) : "f"(v));
    return q;
}
#else
DEVICE float quotient(float v) { return 1.0f / v; }
#endif
DEVICE float power(float w) {  // e^−z
#ifndef KERNELS_BF16
    return expf(-w);
#elif defined(__CUDACC__)
    float e;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(e) : "f"(w));
    return e;
#else
    return exp2f(w);
#endif
}
DEVICE float siluOf(float w, float unit) { return w * quotient(unit * power(w) + unit); }  // UNIT / unit times it
DEVICE float siluSlope(float w) {  // UNIT times it
    float s = quotient(1.0f + power(w));
    return s * (UNIT + w * (1.0f - s));
}
#ifdef __CUDACC__
DEVICE float inverseRoot(float v) {
    float r = rsqrtf(v);
    return r + 0.5f * r * (1.0f - v * r * r);  // a step of Newton's: r is within 2 units in the last place
}
#else
DEVICE float inverseRoot(float v) { return 1.0f / sqrtf(v); }
#endif

// Vectors of x that a thread holds at a time, as 64 registers allow: its whole share, or a few where that is more, whose
// running sums take registers too; backward, where dy is beside x, both again. tensor.backend.cuda.NormLaunching knows
// HELD and HELD_PAIRS.
#define ONE_OF_1024 1024, 1  // launch bounds: 64 registers, and no wish for two such blocks beside each other
const unsigned HELD = 8, FEW = 4, HELD_PAIRS = 4, FEW_PAIRS = sizeof(T) / 2;

// A block's share of one image, and how its threads are laid over it.
struct Bundle {
    unsigned image, slice;
    unsigned group, groups;          // first group and their number
    unsigned channel, width, depth;  // first channel, channels, channels of one group
    unsigned columns, rows;          // threads side by side, each with V channels, and below one another
    unsigned row, column;
    unsigned begin, pixels;          // of the slice
    unsigned own;                    // pixels of this thread, `rows` apart
    unsigned step;                   // values from one of them to the next
    unsigned first;                  // value of the bundle's first channel at this thread's first pixel
    bool single;                     // a thread has one vector of a pixel
};
DEVICE unsigned sliceBegin(unsigned slice, unsigned length) {
    return atMost(slice * ((length + gridDim.y - 1) / gridDim.y), length);
}
// How many blocks have started before this one; the last one leaves the count at 0.
DEVICE unsigned takePlace(unsigned *meetings) {
    unsigned place = atomicAdd(meetings, 1u);
    if (place == gridDim.x * gridDim.y * gridDim.z - 1) *meetings = 0;
    return place;
}
// What follows from a thread's row; computed again later, it takes no registers in between.
DEVICE void place(Bundle &b, unsigned length, unsigned channels) {
    b.column = threadIdx.x - b.row * b.columns;
    b.step = b.rows * channels;
    b.first = (b.image * length + b.begin + b.row) * channels + b.channel;
}
// MEETS: the blocks of a bundle's slices meet; else meetings is not used.
template <int V, bool MEETS>
DEVICE Bundle bundleOf(int phase, unsigned *meetings, int length, int channels, int depth, int groups, int bundle) {
    Bundle b;
    b.image = phase == APPLY ? blockIdx.z : gridDim.z - 1 - blockIdx.z;
    b.slice = phase == APPLY ? gridDim.y - 1 - blockIdx.y : blockIdx.y;
    unsigned number = blockIdx.x;
    if (MEETS) {
        DYNAMIC_SHARED(float, memory);
        if (threadIdx.x == 0) memory[0] = __uint_as_float(takePlace(meetings));
        __syncthreads();
        number = __float_as_uint(memory[0]);
        __syncthreads();
        b.image = gridDim.z - 1 - number / (gridDim.x * gridDim.y);
        b.slice = number % gridDim.y;
        number = number / gridDim.y % gridDim.x;
    }
    b.group = number * bundle;
    b.groups = b.group + bundle < groups ? bundle : groups - b.group;
    b.depth = depth;
    b.channel = b.group * b.depth;
    b.width = b.groups * b.depth;
    b.columns = atMost(b.width / V, blockDim.x);
    forget(b.columns);
    b.rows = blockDim.x / b.columns;
    b.row = threadIdx.x / b.columns;
    b.begin = gridDim.y == 1 ? 0 : sliceBegin(b.slice, length);
    b.pixels = gridDim.y == 1 ? length : sliceBegin(b.slice + 1, length) - b.begin;
    b.own = b.row < b.rows && b.row < b.pixels ? (b.pixels - b.row + b.rows - 1) / b.rows : 0;
    place(b, length, channels);
    b.single = b.columns * V == b.width;
    return b;
}

DEVICE unsigned *meetingOf(const Bundle &b, unsigned *meetings, int bundle) {
    return meetings + 1 + b.image * gridDim.x + b.group / static_cast<unsigned>(bundle);
}
// Returns when the blocks of all slices of the bundle have come here: what each has written before, each can read.
DEVICE void meet(const Bundle &b, unsigned *meetings, int bundle) {
    __syncthreads();
    if (threadIdx.x == 0) {
        unsigned *count = meetingOf(b, meetings, bundle);
        __threadfence();
        atomicAdd(count, 1u);
        awaitOthers(count, gridDim.y);
        __threadfence();
    }
    __syncthreads();
}
// After all of the block have read: the last to go leaves the count at 0, for the next kernel.
DEVICE void depart(const Bundle &b, unsigned *meetings, int bundle) {
    if (threadIdx.x == 0) {
        unsigned *count = meetingOf(b, meetings, bundle);
        if (atomicAdd(count, 1u) == 2 * gridDim.y - 1) *count = 0;
    }
}

// A thread's first vector and the way to its next: in x, or, where the channels from `split` on lie in a tensor of their own,
// in x or in that one.
template <class E> struct Way {
    E *first;
    unsigned step;
};
template <class E>
DEVICE Way<E> wayOf(const Bundle &b, unsigned column, E *x, E *x2, unsigned split, unsigned length, unsigned channels) {
    if (!x2) return {x + (b.first + column), b.step};
    unsigned pixel = b.image * length + b.begin + b.row, c = b.channel + column, rest = channels - split;
    if (c < split) return {x + (pixel * split + c), b.rows * split};
    return {x2 + (pixel * rest + c - split), b.rows * rest};
}

// Whether a thread can hold its whole share in so many vectors.
DEVICE bool fits(const Bundle &b, unsigned most) { return b.single && b.pixels <= most * b.rows; }

// Whether the mean is taken off each value. A bfloat16 is rounded more coarsely than floats lose when it is taken off products
// and sums instead, which saves an instruction and a register for each value.
const bool CENTRED = sizeof(T) == 4;
DEVICE float centred(float v, float mu) { return CENTRED ? v - mu : v; }

// The block's shared memory: for each channel, what the values of a vector meet in order; and what they add up to.
struct Shared {
    float *mu, *rise, *plus;                // UNIT z, or z / keep, = rise · centred(x, mu) + plus
    float *moved;                           // x̂ = rstd · (centred(x, mu) + moved)
    float *k, *rstd, *slope, *rest;         // backward, dx = k dz + slope · centred(x, mu) + rest
    float *total1, *total2;                 // S1 and S2
    float *sums;                            // of threads
};
DEVICE Shared sharedOf(float *memory, int width) {
    Shared s;
    s.mu = memory;
    s.rise = s.mu + width;
    s.plus = s.rise + width;
    s.moved = s.plus + width;
    s.k = s.moved + width;
    s.rstd = s.k + width;
    s.slope = s.rstd + width;
    s.rest = s.slope + width;
    s.total1 = s.rest + width;
    s.total2 = s.total1 + width;
    s.sums = s.total2 + width;
    return s;
}

// a_c, b_c and offset_c of the bundle, in the places of rise, plus and moved.
DEVICE void coefficients(const Bundle &b, const Shared &s, const float *offset, const float *gamma, const float *beta,
                         const float *scale, const float *shift, int channels) {
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        unsigned at = b.channel + c, conditioned = b.image * channels + at;
        float times = scale ? 1.0f + scale[conditioned] : 1.0f;
        s.rise[c] = gamma ? gamma[at] * times : times;
        s.plus[c] = (beta ? beta[at] * times : 0.0f) + (shift ? shift[conditioned] : 0.0f);
        s.moved[c] = offset ? offset[conditioned] : 0.0f;
    }
}
// What these become when the statistics of the channel's group are known; returns k.
DEVICE float settle(const Shared &s, unsigned c, float mu, float rstd, float unit) {
    float k = s.rise[c] * rstd, moved = CENTRED ? s.moved[c] : s.moved[c] - mu;
    s.mu[c] = mu;
    s.rise[c] = unit * k;
    s.plus[c] = unit * (s.plus[c] + k * moved);
    s.moved[c] = moved;
    return k;
}

// What z takes, for S channels of the bundle from c on.
template <int S> struct Linear {
    float mu[S], rise[S], plus[S];
};
template <int S> DEVICE Linear<S> linear(const Shared &s, unsigned c) {
    Linear<S> l;
    load<S>(s.mu + c, l.mu);
    load<S>(s.rise + c, l.rise);
    load<S>(s.plus + c, l.plus);
    return l;
}

// Zeros where the mask has them, in the first `count` of N vectors, which lie `step` values apart in the masked array, from
// value `at` on. Where a vector has 4 values or more, these are multiples of 4, and four neighbours are one draw of words.
template <int V, int N>
DEVICE void drop(const Mask &mask, unsigned at, unsigned step, unsigned count, Packed<V> (&held)[N]) {
    const int S = V < 4 ? V : 4;
    unsigned long long first = firstCounter(mask);
#pragma unroll
    for (int k = 0; k < N; k++) {
        if (k >= count) break;
        unsigned i = at + k * step;
#pragma unroll
        for (int j = 0; j < V; j += S) {
            unsigned word[4];
            philox(mask.seed, first + (i + j) / 4, word);
#pragma unroll
            for (int w = 0; w < 4; w++)
                if (word[w] > mask.most && (V >= 4 || i % 4 == w)) clear(held[k], V >= 4 ? j + w : 0);
        }
    }
}
DEVICE bool drops(const Mask &mask) { return mask.most != 0xffffffffu; }

// Whether every pixel of the block's share can be read and written so many values at a time.
DEVICE bool by(int vector, const T *x, const T *y, int depth, int groups, int bundle) {  // the last bundle, too
    return depth * groups % vector == 0 && bundle * depth % vector == 0 && aligned(x, vector * sizeof(T)) &&
           aligned(y, vector * sizeof(T));
}
