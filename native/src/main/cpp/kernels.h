// The hand-written kernels behind nativelib.Kernels. Each exists in three variants, a namespace each: for floats with AVX2,
// for floats with AVX-512, and for bfloat16 with AVX-512; variants.h chooses. Value is what the arrays of the network hold;
// sums, statistics and workspace are floats or doubles in all of them. Formulas stand at tensor.backend.Backend; all arrays
// are row-major.
//
// Code that is compiled several times must not contain templates or inline functions with external names (the linker would
// keep one of the copies for all), so helpers live in unnamed namespaces and workspace comes from the caller.
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

// What a norm needs beside its values.
struct NormArrays {
    const float *offset, *gamma, *beta, *scale, *shift;
    float *mean, *rstd;
};

struct AttentionShape {
    int64_t n, length, heads, width;
    float scale;
    int64_t channels = 0;  // of what queries, keys and values are a projection; 0: they are given
};

struct AdamStep {
    float rate, beta1, beta2, eps, coupled, decoupled, correction1, correction2, gradient_scale;
};

DDPM_FOR_EACH_VARIANT(
    void fill(Value* y, int64_t n, float value);
    void copy(const Value* from, const int64_t* from_strides, Value* to, const int64_t* to_strides, const int32_t* sizes,
              int axes);
    void unary(int f, const Value* x, Value* y, int64_t n);
    void binary(int f, const Value* a, const int64_t* a_strides, const Value* b, const int64_t* b_strides, Value* y,
                const int32_t* shape, int axes);
    void random(int kind, double parameter, uint64_t seed, uint64_t offset, Value* y, int64_t n);
    void dropout(double probability, uint64_t seed, uint64_t offset, const Value* x, Value* y, int64_t n);
    void reduce(bool maximum, const Value* x, const int32_t* x_shape, Value* y, const int32_t* y_shape, int axes,
                double* partial);
    int64_t norm_workspace(const NormShape& s);
    void group_norm(const NormShape& s, const NormArrays& a, const Value* x, Value* y, float* workspace);
    void group_norm_backward(const NormShape& s, const NormArrays& a, const Value* x, const Value* dy, const Value* before,
                             const Value* more, Value* dx, float* doffset, float* dgamma, float* dbeta, float* dscale, float* dshift,
                             float* workspace);
    int64_t attention_workspace(const AttentionShape& s);
    void attention(const AttentionShape& s, const Value* qkv, Value* y, float* log_sum, float* workspace);
    void attention_backward(const AttentionShape& s, const Value* qkv, const Value* y, const float* log_sum,
                            const Value* dy, Value* dqkv, float* workspace);
    int64_t linear_attention_workspace(const AttentionShape& s);
    void linear_attention(const AttentionShape& s, const Value* x, const Value* w, Value* y, Value* context,
                          float* log_sum, float* workspace);
    void linear_attention_backward(const AttentionShape& s, const Value* x, const Value* w, const Value* context,
                                   const float* log_sum, const Value* dy, Value* dx, Value* dw, float* workspace);
    void adam(const AdamStep& p, float* const* w, const Value* const* dw, float* const* m, float* const* v,
              const int64_t* sizes, int count);
    double sum_of_squares(const Value* const* x, const int64_t* sizes, int count, double* partial);)

DDPM_FOR_EACH_FLOAT_VARIANT(
    void exponential_average(float decay, float* const* average, const float* const* w, const int64_t* sizes, int count);)

// Between the two kinds of values.
namespace bf16 {
void narrow(const float* x, Bf16* y, int64_t n);
void widen(const Bf16* x, float* y, int64_t n);
}  // namespace bf16

// The number of partial sums that `reduce` and `sum_of_squares` may need.
int64_t reduce_partials(int64_t size);
int64_t square_partials(const int64_t* sizes, int count);

}  // namespace ddpm
