// Group norm over x [n, length, channels], channels last, with affine map, time conditioning and SiLU in one kernel each
// way. For channel c of group g of one image, with x̂ = (x + offset_c − mean_g) rstd_g:
//
//   z = a_c x̂ + b_c      a_c = gamma_c (1 + scale_c)      b_c = beta_c (1 + scale_c) + shift_c      y = silu(z) or z
//
// Backward, with dz = dy · silu'(z), S1_c = Σ dz, S2_c = Σ dz x̂ over the pixels and m values in a group:
//
//   dx = rstd (a_c dz − M1_g − x̂ M2_g)      M1_g = Σ_{c in g} a_c S1_c / m      M2_g = Σ_{c in g} a_c S2_c / m
//   dgamma = Σ_n (1 + scale) S2      dbeta = Σ_n (1 + scale) S1      dscale = gamma S2 + beta S1      dshift = S1      doffset = Σ dx
//
// A block does `bundle` neighbouring groups of one image. A thread keeps its channels and goes down the pixels. It loads a
// handful of its vectors at once, still packed, and then computes from registers; where the handful is its whole share, x and
// dy are read once, else the second pass mostly meets the second-level cache. Statistics need no pivot: a thread has the mean
// of its values and the sum of their squares about that mean, and two such pairs make one of both, exactly as if the values
// had been seen together,
//
//   mean = mean1 + off n2 / n      squares = squares1 + squares2 + off² n1 n2 / n      off = mean2 − mean1, n = n1 + n2
//
// so that nothing cancels. All sums have a fixed order. Where images and bundles are fewer than a device wants blocks and too
// long for one block's registers, the pixels are cut into slices, and the two passes become two launches.
#pragma once
#include "common.h"
#include "kernels.h"
#include "packed.h"

#if defined(__CUDACC__) && defined(KERNELS_BF16)
DEVICE float sigmoid(float z) {  // an instruction each, far more exact than what is stored
    float e, s;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(e) : "f"(-1.44269504f * z));
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(s) : "f"(1.0f + e));
    return s;
}
#else
DEVICE float sigmoid(float z) { return __fdividef(1.0f, 1.0f + expf(-z)); }  // the quotient within 2 units in the last place
#endif
#ifdef __CUDACC__
DEVICE float inverseRoot(float v) {
    float r = rsqrtf(v);
    return r + 0.5f * r * (1.0f - v * r * r);  // a step of Newton's: r is within 2 units in the last place
}
#else
DEVICE float inverseRoot(float v) { return 1.0f / sqrtf(v); }
#endif
DEVICE float siluSlope(float z) {
    float s = sigmoid(z);
    return s * (1.0f + z * (1.0f - s));
}

// Vectors of x that a thread holds at a time, as 64 registers allow: its whole share, or a few where that is more, whose
// running sums take registers too; backward, where dy is beside x, both again. tensor.backend.cuda.Norms knows HELD and
// HELD_PAIRS.
#define ONE_OF_1024 1024, 1  // launch bounds: 64 registers, and no wish for two such blocks beside each other
const unsigned HELD = 8, FEW = 4, HELD_PAIRS = 4, FEW_PAIRS = sizeof(T) / 2;

// A block's share of one image, and how its threads are laid over it.
struct Bundle {
    unsigned image, group, groups;   // first group and their number
    unsigned channel, width, depth;  // first channel, channels, channels of one group
    unsigned columns, rows;          // threads side by side, each with V channels, and below one another
    unsigned row, column;
    unsigned begin, pixels;          // of this block's slice
    unsigned own;                    // pixels of this thread, `rows` apart
    unsigned step;                   // values from one of them to the next
    unsigned first;                  // value of the bundle's first channel at this thread's first pixel
    bool single;                     // a thread has one vector of a pixel
};
DEVICE unsigned sliceBegin(unsigned z, unsigned length) { return atMost(z * ((length + gridDim.z - 1) / gridDim.z), length); }
template <int V> DEVICE Bundle bundleOf(int length, int channels, int depth, int groups, int bundle) {
    Bundle b;
    b.image = blockIdx.y;
    b.group = blockIdx.x * bundle;
    b.groups = b.group + bundle < groups ? bundle : groups - b.group;
    b.depth = depth;
    b.channel = b.group * b.depth;
    b.width = b.groups * b.depth;
    b.columns = atMost(b.width / V, blockDim.x);
    forget(b.columns);
    b.rows = blockDim.x / b.columns;
    b.row = threadIdx.x / b.columns;
    b.column = threadIdx.x - b.row * b.columns;
    b.begin = gridDim.z == 1 ? 0 : sliceBegin(blockIdx.z, length);
    b.pixels = gridDim.z == 1 ? length : sliceBegin(blockIdx.z + 1, length) - b.begin;
    b.own = b.row < b.rows && b.row < b.pixels ? (b.pixels - b.row + b.rows - 1) / b.rows : 0;
    b.step = b.rows * channels;
    b.first = (b.image * length + b.begin + b.row) * channels + b.channel;
    b.single = b.columns * V == b.width;
    return b;
}

// Whether a thread can hold its whole share in so many vectors.
DEVICE bool fits(const Bundle &b, unsigned most) { return b.single && b.pixels <= most * b.rows; }

// The block's shared memory: what belongs to a group and to a channel, two sums for each thread and channel, parts of these.
struct OfGroup {
    float mean, rstd, slope, rest;  // the last two backward
};
struct OfChannel {
    float b, a, total1, total2;  // b first: it is what some do not read, and a gap in a load is no word of PTX 7
};
struct Shared {
    OfGroup *group;        // [bundle]
    OfChannel *channel;    // [width]
    float *offset;         // [width]
    float *sum1, *sum2;    // [VECTOR · block + width + 32]
    float *part1, *part2;  // [block + width]
};
DEVICE Shared sharedOf(float *memory, int width, int bundle) {
    int threads = static_cast<int>(blockDim.x), sums = VECTOR * threads + width + 32;
    Shared s;
    s.group = reinterpret_cast<OfGroup *>(memory);
    s.channel = reinterpret_cast<OfChannel *>(memory + 4 * bundle);
    s.offset = memory + 4 * (bundle + width);
    s.sum1 = s.offset + width;
    s.sum2 = s.sum1 + sums;
    s.part1 = s.sum2 + sums;
    s.part2 = s.part1 + threads + width;
    return s;
}

// offset_c, a_c and b_c of the bundle.
DEVICE void coefficients(const Bundle &b, const Shared &s, const float *offset, const float *gamma, const float *beta,
                         const float *scale, const float *shift, int channels) {
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        unsigned at = b.channel + c, conditioned = b.image * channels + at;
        float times = scale ? 1.0f + scale[conditioned] : 1.0f;
        s.offset[c] = offset ? offset[conditioned] : 0.0f;
        s.channel[c].a = gamma ? gamma[at] * times : times;
        s.channel[c].b = (beta ? beta[at] * times : 0.0f) + (shift ? shift[conditioned] : 0.0f);
    }
}

// Whether the mean is taken off each value. A bfloat16 is rounded more coarsely than floats lose when it is taken off products
// and sums instead, which saves an instruction and a register for each value.
const bool CENTRED = sizeof(T) == 4;
DEVICE float centred(float v, float mu) { return CENTRED ? v - mu : v; }

// z = k · centred(x, mu) + plus, what an offset adds being in plus, for S channels of the bundle from c on, and the groups that
// they are in.
template <int S> struct Linear {
    unsigned group[S];
    float mu[S], k[S], plus[S];
};
template <int S> DEVICE Linear<S> linear(const Bundle &b, const Shared &s, unsigned c) {
    Linear<S> l;
    unsigned g = c / b.depth, past = c - g * b.depth;
#pragma unroll
    for (int j = 0; j < S; j++, past++) {
        if (past == b.depth) {
            past = 0;
            g++;
        }
        l.group[j] = g;
        l.mu[j] = s.group[g].mean;
        l.k[j] = s.channel[c + j].a * s.group[g].rstd;
        l.plus[j] = s.channel[c + j].b + l.k[j] * (CENTRED ? s.offset[c + j] : s.offset[c + j] - l.mu[j]);
    }
    return l;
}

// Whether every pixel of the block's share can be read and written so many values at a time.
DEVICE bool by(int vector, const T *x, const T *y, int depth, int groups, int bundle) {
    int last = groups % bundle;
    return depth * groups % vector == 0 && bundle * depth % vector == 0 && last * depth % vector == 0 &&
           aligned(x, vector * sizeof(T)) && aligned(y, vector * sizeof(T));
}
