// The hand-written kernels behind nativelib.Kernels. Each exists twice, compiled for AVX2 and for AVX-512;
// jni_kernels.cpp chooses. Formulas stand at tensor.backend.Backend; all arrays are row-major floats.
//
// Code that is compiled twice must not contain templates or inline functions with external names (the linker would keep
// one of the two copies for both), so helpers live in unnamed namespaces and workspace comes from the caller.
#pragma once
#include <cstdint>

#include "kernels_layers.h"

namespace ddpm {

constexpr int kMaxAxes = 8;
constexpr int64_t kSerial = 1 << 15;       // fewer elements than this are not worth waking a thread for
constexpr int64_t kSquareChunk = 1 << 13;  // elements of a sum of squares that are added in one stretch

struct NormShape {
    int64_t n, spatial, channels, groups;
    float eps;
    bool silu;
};

struct NormArrays {
    const float *x, *gamma, *beta, *scale, *shift;
    float *mean, *rstd;
};

struct AttentionShape {
    int64_t n, length, heads, width;
    float scale;
};

struct AdamStep {
    float rate, beta1, beta2, eps, coupled, decoupled, correction1, correction2, gradient_scale;
};

DDPM_FOR_EACH_ISA(
    void fill(float* y, int64_t n, float value);
    void copy(const float* from, const int64_t* from_strides, float* to, const int64_t* to_strides, const int32_t* sizes,
              int axes);
    void unary(int f, const float* x, float* y, int64_t n);
    void binary(int f, const float* a, const int64_t* a_strides, const float* b, const int64_t* b_strides, float* y,
                const int32_t* shape, int axes);
    void reduce(bool maximum, const float* x, const int32_t* x_shape, float* y, const int32_t* y_shape, int axes,
                double* partial);
    int64_t norm_workspace(const NormShape& s);
    void group_norm(const NormShape& s, const NormArrays& a, float* y, float* workspace);
    void group_norm_backward(const NormShape& s, const NormArrays& a, const float* dy, float* dx, float* dgamma,
                             float* dbeta, float* dscale, float* dshift, float* workspace);
    int64_t attention_workspace(const AttentionShape& s);
    void attention(const AttentionShape& s, const float* qkv, float* y, float* log_sum, float* workspace);
    void attention_backward(const AttentionShape& s, const float* qkv, const float* y, const float* log_sum,
                            const float* dy, float* dqkv, float* workspace);
    int64_t linear_attention_workspace(const AttentionShape& s);
    void linear_attention(const AttentionShape& s, const float* qkv, float* y, float* context, float* log_sum,
                          float* workspace);
    void linear_attention_backward(const AttentionShape& s, const float* qkv, const float* context,
                                   const float* log_sum, const float* dy, float* dqkv, float* workspace);
    void adam(const AdamStep& p, float* const* w, const float* const* dw, float* const* m, float* const* v,
              const int64_t* sizes, int count);
    void exponential_average(float decay, float* const* average, const float* const* w, const int64_t* sizes, int count);
    double sum_of_squares(const float* const* x, const int64_t* sizes, int count, double* partial);)

// The number of partial sums that `reduce` and `sum_of_squares` may need.
int64_t reduce_partials(int64_t size);
int64_t square_partials(const int64_t* sizes, int count);

// Philox 4x32-10; not a hot path, compiled once, in double.
void random(int kind, double parameter, uint64_t seed, uint64_t offset, float* y, int64_t n);

}  // namespace ddpm
