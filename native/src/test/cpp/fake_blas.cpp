// A CPU stand-in for cuBLAS: matrix products of float32 (with or without TF32 rounding) and bfloat16, in plain loops.
// It refuses what the documentation refuses: leading dimensions, types that do not go together, a workspace that is not
// aligned to 256 bytes, matrices outside device memory, results that overlap; and a capture without a workspace of the
// caller's, because cuBLAS would allocate one.
#include <string>

#include "fake_driver.h"
#include "fake_math.h"

enum {
    SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15
};
enum { COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, COMPUTE_32F_FAST_TF32 = 77 };
struct Handle {
    void *stream = nullptr;
    void *workspace = nullptr;
    int math = 0, pointers = 0;
};

static int refuse(int code, const char *what) {
    fakeSay("cuBLAS", what);
    return code;
}

API cublasCreate_v2(void **h) {
    if (fakeForbiddenNow("cublasCreate")) return NOT_INITIALIZED;
    *h = new Handle;
    return SUCCESS;
}
API cublasDestroy_v2(void *h) {
    delete static_cast<Handle *>(h);
    return h ? SUCCESS : NOT_INITIALIZED;
}
API cublasSetStream_v2(void *h, void *s) {
    if (!h) return NOT_INITIALIZED;
    static_cast<Handle *>(h)->stream = s;
    static_cast<Handle *>(h)->workspace = nullptr;  // documented: back to the library's own workspace
    return SUCCESS;
}
API cublasGetStream_v2(void *h, void **s) {
    if (!h) return NOT_INITIALIZED;
    *s = static_cast<Handle *>(h)->stream;
    return SUCCESS;
}
API cublasSetMathMode(void *h, int mode) {
    if (!h) return NOT_INITIALIZED;
    static_cast<Handle *>(h)->math = mode;
    return SUCCESS;
}
API cublasGetMathMode(void *h, int *mode) {
    if (!h) return NOT_INITIALIZED;
    *mode = static_cast<Handle *>(h)->math;
    return SUCCESS;
}
API cublasSetAtomicsMode(void *h, int) { return h ? SUCCESS : NOT_INITIALIZED; }
API cublasSetPointerMode_v2(void *h, int mode) {
    if (!h) return NOT_INITIALIZED;
    static_cast<Handle *>(h)->pointers = mode;
    return SUCCESS;
}
API cublasGetPointerMode_v2(void *h, int *mode) {
    if (!h) return NOT_INITIALIZED;
    *mode = static_cast<Handle *>(h)->pointers;
    return SUCCESS;
}
API cublasSetWorkspace_v2(void *h, void *p, size_t n) {
    if (!h) return NOT_INITIALIZED;
    if (reinterpret_cast<uintptr_t>(p) % 256) return refuse(INVALID_VALUE, "the workspace is not aligned to 256 bytes");
    if (n && !fakeInDevice(p, n, "cublasSetWorkspace")) return INVALID_VALUE;
    static_cast<Handle *>(h)->workspace = p;
    return SUCCESS;
}
API cublasGetVersion_v2(void *, int *v) {
    *v = FAKE_VERSION;
    return SUCCESS;
}
API cublasGetProperty(int type, int *v) {
    *v = type == 0 ? FAKE_VERSION / 10000 : type == 1 ? FAKE_VERSION / 100 % 100 : FAKE_VERSION % 100;
    return SUCCESS;
}

// Rows of `depth` floats: the m rows of op(A), or the n columns of op(B).
static void rows(const void *from, int type, bool rounded, int count, int depth, long long rowStride, long long step, std::vector<float> &to) {
    to.resize(static_cast<size_t>(count) * depth);
    for (int i = 0; i < count; i++)
        for (int p = 0; p < depth; p++) {
            float v = get(from, type, i * rowStride + p * step);
            to[static_cast<size_t>(i) * depth + p] = rounded ? tf32(v) : v;
        }
}
static const void *advance(const void *p, int type, long long n) { return static_cast<const char *>(p) + n * bytesOf(type); }

API cublasGemmStridedBatchedEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *A, int at,
                               int lda, long long sa, const void *B, int bt, int ldb, long long sb, const void *beta, void *C,
                               int ct, int ldc, long long sc, int batch, int compute, int) {
    auto h = static_cast<Handle *>(handle);
    if (!h) return NOT_INITIALIZED;
    if (ta < 0 || ta > 2 || tb < 0 || tb > 2 || m < 0 || n < 0 || k < 0 || batch < 0)
        return refuse(INVALID_VALUE, "a negative size or an unknown transposition");
    auto atLeast = [](int ld, int rows) { return ld >= (rows > 1 ? rows : 1); };
    if (!atLeast(lda, ta ? k : m) || !atLeast(ldb, tb ? n : k) || !atLeast(ldc, m))
        return refuse(INVALID_VALUE, "a leading dimension is too small");
    bool floats = at == F32 && bt == F32 && ct == F32;
    bool halves = at == CUDA_BF16 && bt == CUDA_BF16 && (ct == CUDA_BF16 || ct == F32);
    bool known = compute == COMPUTE_32F || compute == COMPUTE_32F_PEDANTIC || (compute == COMPUTE_32F_FAST_TF32 && floats);
    if (!(floats || halves) || !known) return refuse(NOT_SUPPORTED, "these types and this compute type do not go together");
    if (m == 0 || n == 0 || batch == 0) return SUCCESS;
    if (!alpha || !beta || !C) return refuse(INVALID_VALUE, "a pointer is missing");
    if (batch > 1 && sc < (n - 1ll) * ldc + m && !(sc > 0 && sc >= m && ldc >= (batch - 1) * sc + m))
        return refuse(INVALID_VALUE, "the results of the batch overlap");
    for (auto p : {A, B, static_cast<const void *>(C)})
        if (reinterpret_cast<uintptr_t>(p) % bytesOf(at)) return refuse(EXECUTION_FAILED, "a matrix is not aligned to its elements");
    if (fakeCapturing(h->stream) && !h->workspace)
        return refuse(EXECUTION_FAILED, "captured without cublasSetWorkspace after cublasSetStream");
    bool rounded = floats && (compute == COMPUTE_32F_FAST_TF32 || (h->math == 3 && compute == COMPUTE_32F));
    bool onDevice = h->pointers == 1;
    float hostAlpha = onDevice ? 0 : *static_cast<const float *>(alpha), hostBeta = onDevice ? 0 : *static_cast<const float *>(beta);
    bool failed = false;
    auto extent = [=](long long stride, int columns, int ld, int rows, int type) {
        return ((batch - 1) * stride + (columns - 1ll) * ld + rows) * bytesOf(type);
    };
    auto check = [=] {
        return (k == 0 || (fakeInDevice(A, extent(sa, ta ? m : k, lda, ta ? k : m, at), "cuBLAS matrix A") &&
                           fakeInDevice(B, extent(sb, tb ? k : n, ldb, tb ? n : k, bt), "cuBLAS matrix B"))) &&
               fakeInDevice(C, extent(sc, n, ldc, m, ct), "cuBLAS matrix C");
    };
    bool *status = fakeCapturing(h->stream) ? nullptr : &failed;
    std::function<void()> work = [=] {
        if (!check()) {
            if (status) *status = true;
            return;
        }
        float al = onDevice ? *static_cast<const float *>(alpha) : hostAlpha, be = onDevice ? *static_cast<const float *>(beta) : hostBeta;
        std::vector<float> a, b;
        for (int i = 0; i < batch; i++) {
            if (i == 0 || sa) rows(advance(A, at, i * sa), at, rounded, m, k, ta ? lda : 1, ta ? 1 : lda, a);
            if (i == 0 || sb) rows(advance(B, bt, i * sb), bt, rounded, n, k, tb ? 1 : ldb, tb ? ldb : 1, b);
            for (int column = 0; column < n; column++)
                for (int row = 0; row < m; row++) {
                    float sum = al * dot(&a[0] + static_cast<size_t>(row) * k, &b[0] + static_cast<size_t>(column) * k, k);
                    long long to = i * sc + static_cast<long long>(column) * ldc + row;
                    put(C, ct, to, be == 0 ? sum : sum + be * get(C, ct, to));
                }
        }
    };
    int driver = fakeSubmit(h->stream, "cublasGemmStridedBatchedEx", &work);
    return driver || failed ? EXECUTION_FAILED : SUCCESS;
}
API cublasGemmEx(void *h, int ta, int tb, int m, int n, int k, const void *al, const void *A, int at, int lda, const void *B,
                 int bt, int ldb, const void *be, void *C, int ct, int ldc, int compute, int algo) {
    return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, al, A, at, lda, 0, B, bt, ldb, 0, be, C, ct, ldc, 0, 1, compute, algo);
}
API cublasSgemm_v2(void *h, int ta, int tb, int m, int n, int k, const float *al, const float *A, int lda, const float *B, int ldb,
                   const float *be, float *C, int ldc) {
    return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, al, A, F32, lda, 0, B, F32, ldb, 0, be, C, F32, ldc, 0, 1, COMPUTE_32F, 0);
}
API cublasSgemmStridedBatched(void *h, int ta, int tb, int m, int n, int k, const float *al, const float *A, int lda, long long sa,
                              const float *B, int ldb, long long sb, const float *be, float *C, int ldc, long long sc, int batch) {
    return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, al, A, F32, lda, sa, B, F32, ldb, sb, be, C, F32, ldc, sc, batch, COMPUTE_32F, 0);
}
