// Descriptors and statuses of the stand-in for cuDNN.
#pragma once
#include <cstdint>
#include <string>

#include "fake_driver.h"
#include "fake_math.h"

enum {
    SUCCESS = 0, NOT_INITIALIZED = 1001, BAD_PARAM = 2000, NULL_POINTER = 2002, MISALIGNED_POINTER = 2003,
    NOT_SUPPORTED = 3000, EXECUTION_FAILED = 5000
};

struct Handle {
    void *stream = nullptr;
};
struct Tensor {
    int type = -1, n = 0, c = 0, h = 0, w = 0;
    long long sn = 0, sc = 0, sh = 0, sw = 0;
    bool set() const { return type >= 0; }
    bool channelsLast() const { return sc == 1 && sw == c && sh == static_cast<long long>(w) * c && sn == static_cast<long long>(h) * w * c; }
    bool channelsFirst() const { return sw == 1 && sh == w && sc == static_cast<long long>(h) * w && sn == sc * c; }
    long long at(int i, int j, int y, int x) const { return i * sn + j * sc + y * sh + x * sw; }
    size_t bytes() const { return (at(n - 1, c - 1, h - 1, w - 1) + 1) * bytesOf(type); }
};
struct Filter {
    int type = -1, format = 0, k = 0, c = 0, h = 0, w = 0;
    bool set() const { return type >= 0; }
    long long at(int i, int j, int y, int x) const {  // KCRS or KRSC
        return format == 1 ? ((static_cast<long long>(i) * h + y) * w + x) * c + j
                           : ((static_cast<long long>(i) * c + j) * h + y) * w + x;
    }
    size_t bytes() const { return static_cast<size_t>(k) * c * h * w * bytesOf(type); }
};
struct Convolution {
    int ph, pw, sh, sw, dh, dw, mode, compute, math, groups;
};

inline int refuse(int code, const std::string &what) {
    fakeSay("cuDNN", what.c_str());
    return code;
}
// Runs or records work that checks its own memory; a failure at once is EXECUTION_FAILED.
inline int submit(Handle *h, const char *name, std::function<bool()> work) {
    bool failed = false;
    bool *status = fakeCapturing(h->stream) ? nullptr : &failed;
    std::function<void()> own = [=] {
        if (!work() && status) *status = true;
    };
    int driver = fakeSubmit(h->stream, name, &own);
    return driver || failed ? EXECUTION_FAILED : SUCCESS;
}
inline int pointerOf(const void *p, const char *what) {
    if (!p) return refuse(NULL_POINTER, std::string(what) + " is missing");
    if (reinterpret_cast<uintptr_t>(p) % 16) return refuse(MISALIGNED_POINTER, std::string(what) + " is not aligned to 16 bytes");
    return SUCCESS;
}
inline float blend(float alpha, float value, float beta, const void *old, int type, long long i) {
    return beta == 0 ? alpha * value : alpha * value + beta * get(old, type, i);
}
