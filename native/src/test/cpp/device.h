// A few lines over the driver API for the tests of the kernels: arrays that are kept as doubles on the host and as T or
// float on the device, launches by name, and a list of cases whose outcome is one line each. It speaks to whatever
// libcuda.so.1 is found, the stand-in or a real one.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fake_math.h"

typedef uint64_t Address;
extern "C" {
int cuInit(unsigned);
int cuDeviceGet(int *, int);
int cuDevicePrimaryCtxRetain(void **, int);
int cuCtxSetCurrent(void *);
int cuCtxSynchronize();
int cuMemAlloc_v2(Address *, size_t);
int cuMemFree_v2(Address);
int cuMemcpyHtoD_v2(Address, const void *, size_t);
int cuMemcpyDtoH_v2(void *, Address, size_t);
int cuModuleLoadData(void **, const void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuFuncSetAttribute(void *, int, int);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
int cuStreamCreate(void **, unsigned);
int cuStreamCreateWithPriority(void **, unsigned, int);
int cuStreamWaitEvent(void *, void *, unsigned);
int cuEventCreate(void **, unsigned);
int cuEventRecord(void *, void *);
int cuStreamSynchronize(void *);
int cuStreamBeginCapture_v2(void *, int);
int cuStreamEndCapture(void *, void **);
int cuGraphInstantiateWithFlags(void **, void *, unsigned long long);
int cuGraphLaunch(void *, void *);
int cuMemcpyHtoDAsync_v2(Address, const void *, size_t, void *);
int cuMemsetD8Async(Address, unsigned char, size_t, void *);
}

inline void check(int status, const char *what) {
    if (status) throw std::runtime_error(std::string(what) + " gave status " + std::to_string(status));
}

extern bool halves;   // which of the two modules is under test
extern void *module;  // the loaded one

struct Launch {
    unsigned gx, gy, bx, by, shared, gz = 1;
};
inline Launch flat(long n) {
    long grid = (n + 1023) / 1024;
    return {static_cast<unsigned>(grid < 1 ? 1 : grid > 40 ? 40 : grid), 1, 256, 1, 0};
}
inline Launch warps(long rows) { return {static_cast<unsigned>(rows < 80 ? (rows + 7) / 8 : 10), 1, 256, 1, 0}; }

template <class... A> void launch(const char *name, Launch l, A... values) {
    void *function;
    check(cuModuleGetFunction(&function, module, name), name);
    void *parameters[] = {&values...};
    if (l.shared > 48 << 10) check(cuFuncSetAttribute(function, 8, l.shared), name);
    check(cuLaunchKernel(function, l.gx, l.gy, l.gz, l.bx, l.by, 1, l.shared, nullptr, parameters, nullptr), name);
}

// An array on the device: T (or float when `wide`), beginning `shift` elements into its block to test alignment.
class Array {
  public:
    Array(size_t n, bool wide = false, int shift = 0) : n_(n), type_(wide || !halves ? F32 : CUDA_BF16), shift_(shift) {
        check(cuMemAlloc_v2(&block_, (n + shift) * bytesOf(type_)), "cuMemAlloc");
    }
    Array(const std::vector<double> &v, bool wide = false, int shift = 0) : Array(v.size(), wide, shift) { put(v); }
    // Of a type that is neither the module's nor wide.
    struct Type {
        int number;
    };
    Array(const std::vector<double> &v, Type type) : n_(v.size()), type_(type.number), shift_(0) {
        check(cuMemAlloc_v2(&block_, n_ * bytesOf(type_)), "cuMemAlloc");
        put(v);
    }
    Array(const Array &) = delete;
    ~Array() { cuMemFree_v2(block_); }
    void *at() const { return reinterpret_cast<void *>(block_ + shift_ * bytesOf(type_)); }
    void put(const std::vector<double> &v) {
        std::vector<char> raw(n_ * bytesOf(type_));
        for (size_t i = 0; i < n_; i++) ::put(raw.data(), type_, i, static_cast<float>(v[i]));
        check(cuMemcpyHtoD_v2(reinterpret_cast<Address>(at()), raw.data(), raw.size()), "upload");
    }
    std::vector<double> get() const {
        std::vector<char> raw(n_ * bytesOf(type_));
        check(cuMemcpyDtoH_v2(raw.data(), reinterpret_cast<Address>(at()), raw.size()), "download");
        std::vector<double> v(n_);
        for (size_t i = 0; i < n_; i++) v[i] = ::get(raw.data(), type_, i);
        return v;
    }

  private:
    Address block_ = 0;
    size_t n_;
    int type_, shift_;
};
// A block of plain structures on the device.
template <class S> class Records {
  public:
    explicit Records(const std::vector<S> &v) : n_(v.size()) {
        check(cuMemAlloc_v2(&block_, n_ * sizeof(S)), "cuMemAlloc");
        check(cuMemcpyHtoD_v2(block_, v.data(), n_ * sizeof(S)), "upload");
    }
    Records(const Records &) = delete;
    ~Records() { cuMemFree_v2(block_); }
    void *at() const { return reinterpret_cast<void *>(block_); }
    std::vector<S> get() const {
        std::vector<S> v(n_);
        check(cuMemcpyDtoH_v2(v.data(), block_, n_ * sizeof(S)), "download");
        return v;
    }

  private:
    Address block_ = 0;
    size_t n_;
};

// Roughly normal numbers that T holds exactly, so that rounding of the inputs is not part of a comparison.
inline double stored(double v, bool wide = false) {
    char raw[4];
    int type = wide || !halves ? F32 : CUDA_BF16;
    put(raw, type, 0, static_cast<float>(v));
    return get(raw, type, 0);
}
inline std::vector<double> normal(size_t n, unsigned seed, bool wide = false) {
    std::vector<double> v(n);
    uint64_t s = seed * 0x9E3779B97F4A7C15ull + 1;
    for (double &x : v) {
        double sum = -6;
        for (int i = 0; i < 12; i++) {
            s = s * 6364136223846793005ull + 1442695040888963407ull;
            sum += static_cast<double>(s >> 11) * 0x1p-53;
        }
        x = stored(sum, wide);
    }
    return v;
}
inline std::vector<double> between(double low, double high, size_t n, unsigned seed) {
    std::vector<double> v = normal(n, seed, true);
    for (double &x : v) x = stored(low + (high - low) * 0.5 * (1 + tanh(x)));
    return v;
}

// ‖got − expected‖ / ‖expected‖ must not exceed the bound; `wide` results are floats in both modules.
inline void agree(const std::vector<double> &got, const std::vector<double> &expected, double bound, const char *what) {
    double difference = 0, size = 0;
    if (got.size() != expected.size()) throw std::runtime_error(std::string(what) + ": another number of values");
    for (size_t i = 0; i < got.size(); i++) {
        difference += (got[i] - expected[i]) * (got[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    double error = difference == 0 ? 0 : sqrt(difference / size);
    if (!(error <= bound)) {
        char text[120];
        snprintf(text, sizeof text, "%s: relative error %.3g > %.3g", what, error, bound);
        throw std::runtime_error(text);
    }
}
inline double tolerance(double floats = 1e-6) { return halves ? 3e-3 : floats; }
inline void expect(bool holds, const char *what) {
    if (!holds) throw std::runtime_error(what);
}

struct Case {
    std::string name;
    std::function<void()> body;
};
std::vector<Case> &cases();
struct Add {
    Add(const std::string &name, std::function<void()> body) { cases().push_back({name, body}); }
};
#define CASE(name)                                \
    static void case_##name();                    \
    static Add add_##name(#name, case_##name);    \
    static void case_##name()
