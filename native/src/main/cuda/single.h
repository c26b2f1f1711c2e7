// A float whose arithmetic takes the constants of the pointwise table as floats: in CUDA C++ `0.5 * x` of a plain float is
// double arithmetic, which is 2 to 64 times slower.
#pragma once

#ifdef __CUDACC__
#define DEVICE_MEMBER __device__ __forceinline__
#else
#define DEVICE_MEMBER inline
#endif

struct Single {
    float v;
    DEVICE_MEMBER Single(float value) : v(value) {}
    DEVICE_MEMBER Single(double value) : v(static_cast<float>(value)) {}
    DEVICE_MEMBER Single(int value) : v(static_cast<float>(value)) {}
};
DEVICE Single operator+(Single a, Single b) { return a.v + b.v; }
DEVICE Single operator-(Single a, Single b) { return a.v - b.v; }
DEVICE Single operator*(Single a, Single b) { return a.v * b.v; }
DEVICE Single operator/(Single a, Single b) { return a.v / b.v; }
DEVICE Single operator-(Single a) { return -a.v; }
DEVICE bool operator<(Single a, Single b) { return a.v < b.v; }
DEVICE bool operator>(Single a, Single b) { return a.v > b.v; }
DEVICE bool operator>=(Single a, Single b) { return a.v >= b.v; }
DEVICE bool operator<=(Single a, Single b) { return a.v <= b.v; }
DEVICE bool operator!=(Single a, Single b) { return a.v != b.v; }
DEVICE Single abs(Single x) { return fabsf(x.v); }
DEVICE Single sqrt(Single x) { return sqrtf(x.v); }
DEVICE Single exp(Single x) { return expf(x.v); }
DEVICE Single log(Single x) { return logf(x.v); }
// Called, not inlined: their reduction of large arguments is most of their code, and only time embeddings use them.
static __device__ __noinline__ float sine(float x) { return sinf(x); }
static __device__ __noinline__ float cosine(float x) { return cosf(x); }
DEVICE Single sin(Single x) { return sine(x.v); }
DEVICE Single cos(Single x) { return cosine(x.v); }
DEVICE Single tanh(Single x) { return tanhf(x.v); }
DEVICE Single erf(Single x) { return erff(x.v); }

#define SQRT1_2 0.70710678118654752440    // 1/√2
#define SQRT2_PI 0.79788456080286535588   // √(2/π)
#define SQRT1_2PI 0.39894228040143267794  // 1/√(2π)

// d/dx of 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))).
DEVICE Single gelu_tanh_derivative(Single x) {
    Single t = tanh(SQRT2_PI * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * SQRT2_PI * (1 + 3 * 0.044715 * x * x);
}
