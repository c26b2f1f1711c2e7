// The stand-ins for cuBLAS and cuDNN against plain loops in double, and what they refuse. usage: library_test PTX (the PTX is
// not needed; both programs are called alike).
#include "device.h"

bool halves = false;
void *module = nullptr;
std::vector<Case> &cases() {
    static std::vector<Case> all;
    return all;
}
typedef std::vector<double> Doubles;

extern "C" {
int cublasCreate_v2(void **);
int cublasSetStream_v2(void *, void *);
int cublasSetWorkspace_v2(void *, void *, size_t);
int cublasGemmStridedBatchedEx(void *, int, int, int, int, int, const void *, const void *, int, int, long long, const void *, int, int,
                               long long, const void *, void *, int, int, long long, int, int, int);
int cudnnCreate(void **);
int cudnnSetStream(void *, void *);
int cudnnCreateTensorDescriptor(void **);
int cudnnSetTensor4dDescriptor(void *, int, int, int, int, int, int);
int cudnnCreateFilterDescriptor(void **);
int cudnnSetFilter4dDescriptor(void *, int, int, int, int, int, int);
int cudnnCreateConvolutionDescriptor(void **);
int cudnnSetConvolution2dDescriptor(void *, int, int, int, int, int, int, int, int);
int cudnnSetConvolutionMathType(void *, int);
int cudnnSetConvolutionGroupCount(void *, int);
int cudnnConvolutionForward(void *, const float *, void *, const void *, void *, const void *, void *, int, void *, size_t, const float *,
                            void *, void *);
int cudnnCreateActivationDescriptor(void **);
int cudnnSetActivationDescriptor(void *, int, int, double);
int cudnnConvolutionBiasActivationForward(void *, const float *, void *, const void *, void *, const void *, void *, int, void *, size_t,
                                          const float *, void *, const void *, void *, const void *, void *, void *, void *);
int cudnnConvolutionBackwardData(void *, const float *, void *, const void *, void *, const void *, void *, int, void *, size_t,
                                 const float *, void *, void *);
int cudnnConvolutionBackwardFilter(void *, const float *, void *, const void *, void *, const void *, void *, int, void *, size_t,
                                   const float *, void *, void *);
int cudnnGetConvolutionForwardWorkspaceSize(void *, void *, void *, void *, void *, int, size_t *);
int cudnnFindConvolutionForwardAlgorithmEx(void *, void *, const void *, void *, const void *, void *, void *, void *, int, int *, void *,
                                           void *, size_t);
int cudnnSoftmaxForward(void *, int, int, const float *, void *, const void *, const float *, void *, void *);
int cudnnSoftmaxBackward(void *, int, int, const float *, void *, const void *, void *, const void *, const float *, void *, void *);
}

int main() {
    void *context;
    check(cuInit(0), "cuInit");
    check(cuDevicePrimaryCtxRetain(&context, 0), "cuDevicePrimaryCtxRetain");
    check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    bool all = true;
    for (int type : {0, 1})
        for (Case &c : cases()) {
            halves = type == 1;
            std::string name = c.name + (halves ? " in bfloat16" : " in float");
            try {
                c.body();
                check(cuCtxSynchronize(), "cuCtxSynchronize");
                printf("ok %s\n", name.c_str());
            } catch (const std::exception &e) {
                all = false;
                printf("FAIL %s: %s\n", name.c_str(), e.what());
            }
        }
    return all ? 0 : 1;
}
static void gives(int status, int expected, const char *what) {
    if (status != expected)
        throw std::runtime_error(std::string(what) + " gave status " + std::to_string(status) + ", not " + std::to_string(expected));
}
static const float ONE = 1, ZERO = 0;

// ---- cuBLAS -------------------------------------------------------------------------------------------------------------

struct Blas {
    void *handle = nullptr;
    int type = halves ? 14 : 0;
    Blas() { check(cublasCreate_v2(&handle), "cublasCreate"); }
    // y = op(a) op(b), column-major, batched
    int multiply(int ta, int tb, int m, int n, int k, const Array &a, int lda, long long sa, const Array &b, int ldb, long long sb, Array &c,
                 int ldc, long long sc, int batch, int compute = 68) {
        return cublasGemmStridedBatchedEx(handle, ta, tb, m, n, k, &ONE, a.at(), type, lda, sa, b.at(), type, ldb, sb, &ZERO, c.at(), type,
                                          ldc, sc, batch, compute, -1);
    }
};

CASE(products_with_every_transposition) {
    Blas blas;
    int m = 5, n = 7, k = 33, batch = 3;
    Doubles a = normal(batch * m * k, 1), b = normal(batch * n * k, 2);
    for (int ta : {0, 1})
        for (int tb : {0, 1}) {
            Doubles expected(batch * m * n);
            for (int i = 0; i < batch; i++)
                for (int row = 0; row < m; row++)
                    for (int column = 0; column < n; column++)
                        for (int p = 0; p < k; p++)
                            expected[(i * n + column) * m + row] +=
                                a[i * m * k + (ta ? row * k + p : p * m + row)] * b[(tb ? p * n + column : column * k + p)];
            Array A(a), B(b), C(expected.size());
            check(blas.multiply(ta, tb, m, n, k, A, ta ? k : m, m * k, B, tb ? n : k, 0, C, m, m * n, batch), "a product with one factor for all");
            agree(C.get(), expected, tolerance(), "product");
            if (halves) gives(blas.multiply(ta, tb, m, n, k, A, ta ? k : m, m * k, B, tb ? n : k, 0, C, m, m * n, batch, 77), 15, "TF32 of bfloat16");
            else {
                check(blas.multiply(ta, tb, m, n, k, A, ta ? k : m, m * k, B, tb ? n : k, 0, C, m, m * n, batch, 77), "a product in TF32");
                auto rounded = C.get();
                agree(rounded, expected, 1e-3, "TF32");
                expect(rounded != expected && fabs(rounded[0] / expected[0] - 1) > 1e-7, "TF32 rounds");
            }
        }
}

CASE(what_cuBLAS_refuses) {
    Blas blas;
    Array a(100), b(100), c(100), f(100, true);
    gives(blas.multiply(0, 0, 10, 10, 10, a, 9, 0, b, 10, 0, c, 10, 0, 1), 7, "a leading dimension below the rows");
    gives(blas.multiply(0, 0, 10, 10, 10, a, 10, 0, b, 10, 0, c, 10, 0, 2), 7, "results of a batch that overlap");
    gives(blas.multiply(0, 0, 10, 11, 10, a, 10, 0, b, 10, 0, c, 10, 0, 1), 13, "a result larger than its block");
    gives(cublasGemmStridedBatchedEx(blas.handle, 0, 0, 2, 2, 2, &ONE, a.at(), 0, 2, 0, b.at(), 14, 2, 0, &ZERO, f.at(), 0, 2, 0, 1, 68, -1),
          15, "float times bfloat16");
    void *stream, *graph, *executable;
    check(cuStreamCreate(&stream, 1), "cuStreamCreate");
    check(cublasSetStream_v2(blas.handle, stream), "cublasSetStream");
    Array one(Doubles(1, 3)), two(Doubles(1, 5)), result(Doubles(1, 0));
    auto multiply = [&] { return blas.multiply(0, 0, 1, 1, 1, one, 1, 0, two, 1, 0, result, 1, 0, 1); };
    check(cuStreamBeginCapture_v2(stream, 0), "cuStreamBeginCapture");
    gives(multiply(), 13, "a capture without a workspace");
    check(cuStreamEndCapture(stream, &graph), "cuStreamEndCapture");
    Array workspace(1024, true);
    gives(cublasSetWorkspace_v2(blas.handle, static_cast<char *>(workspace.at()) + 16, 1024), 7, "a workspace that is not aligned");
    check(cublasSetWorkspace_v2(blas.handle, workspace.at(), 4096), "cublasSetWorkspace");
    check(cuStreamBeginCapture_v2(stream, 0), "cuStreamBeginCapture");
    check(multiply(), "a capture with one");
    check(cuStreamEndCapture(stream, &graph), "cuStreamEndCapture");
    expect(result.get()[0] == 0, "what is captured does not run");
    check(cuGraphInstantiateWithFlags(&executable, graph, 0), "cuGraphInstantiate");
    check(cuGraphLaunch(executable, stream), "cuGraphLaunch");
    expect(result.get()[0] == 15, "a launch of the graph does");
}

// ---- cuDNN --------------------------------------------------------------------------------------------------------------

struct Shape {
    int n, h, w, c, k, r, s, pad, stride, groups;
    int p() const { return (h + 2 * pad - r) / stride + 1; }
    int q() const { return (w + 2 * pad - s) / stride + 1; }
};
struct Dnn {
    void *handle, *x, *w, *y, *convolution;
    explicit Dnn(const Shape &d, int format = 1) {
        int type = halves ? 9 : 0;
        check(cudnnCreate(&handle), "cudnnCreate");
        check(cudnnCreateTensorDescriptor(&x), "x");
        check(cudnnCreateTensorDescriptor(&y), "y");
        check(cudnnCreateFilterDescriptor(&w), "w");
        check(cudnnCreateConvolutionDescriptor(&convolution), "convolution");
        check(cudnnSetTensor4dDescriptor(x, 1, type, d.n, d.c, d.h, d.w), "x");
        check(cudnnSetTensor4dDescriptor(y, 1, type, d.n, d.k, d.p(), d.q()), "y");
        check(cudnnSetFilter4dDescriptor(w, type, format, d.k, d.c / d.groups, d.r, d.s), "w");
        check(cudnnSetConvolution2dDescriptor(convolution, d.pad, d.pad, d.stride, d.stride, 1, 1, 1, 0), "convolution");
        check(cudnnSetConvolutionMathType(convolution, 3), "FMA_MATH");
        check(cudnnSetConvolutionGroupCount(convolution, d.groups), "groups");
    }
};

CASE(convolutions) {
    const Shape shapes[] = {{2, 7, 5, 3, 8, 3, 3, 1, 1, 1}, {1, 8, 6, 16, 4, 4, 4, 1, 2, 1}, {2, 5, 5, 6, 9, 3, 3, 1, 2, 3},
                            {1, 6, 6, 5, 5, 3, 3, 1, 1, 5}, {3, 4, 4, 8, 8, 1, 1, 0, 1, 1}};
    for (const Shape &d : shapes) {
        int depth = d.c / d.groups, each = d.k / d.groups;
        Doubles x = normal(d.n * d.h * d.w * d.c, 3), w = normal(d.k * d.r * d.s * depth, 4), dy = normal(d.n * d.p() * d.q() * d.k, 5);
        Doubles y(dy.size()), dx(x.size()), dw(w.size());
        for (int n = 0; n < d.n; n++)
            for (int p = 0; p < d.p(); p++)
                for (int q = 0; q < d.q(); q++)
                    for (int k = 0; k < d.k; k++)
                        for (int r = 0; r < d.r; r++)
                            for (int s = 0; s < d.s; s++)
                                for (int c = 0; c < depth; c++) {
                                    int h = p * d.stride + r - d.pad, v = q * d.stride + s - d.pad;
                                    if (h < 0 || v < 0 || h >= d.h || v >= d.w) continue;
                                    int i = ((n * d.h + h) * d.w + v) * d.c + k / each * depth + c;
                                    int j = ((k * d.r + r) * d.s + s) * depth + c, o = ((n * d.p() + p) * d.q() + q) * d.k + k;
                                    y[o] += x[i] * w[j];
                                    dx[i] += dy[o] * w[j];
                                    dw[j] += dy[o] * x[i];
                                }
        Array X(x), W(w), DY(dy), Y(y.size()), DX(x.size()), DW(w.size()), workspace(1 << 16, true);
        Dnn dnn(d);
        size_t bytes = 1 << 18;
        check(cudnnConvolutionForward(dnn.handle, &ONE, dnn.x, X.at(), dnn.w, W.at(), dnn.convolution, 1, workspace.at(), bytes, &ZERO, dnn.y, Y.at()), "forward");
        agree(Y.get(), y, tolerance(), "y");
        {
            Doubles bias = normal(d.k, 6), z = normal(y.size(), 7), sum = y;
            for (size_t i = 0; i < sum.size(); i++) sum[i] += bias[i % d.k] + z[i];
            Array B(bias), Z(z);
            void *about, *identity;
            check(cudnnCreateTensorDescriptor(&about), "bias");
            check(cudnnSetTensor4dDescriptor(about, 1, halves ? 9 : 0, 1, d.k, 1, 1), "bias");
            check(cudnnCreateActivationDescriptor(&identity), "activation");
            check(cudnnSetActivationDescriptor(identity, 5, 0, 0), "activation");
            auto together = [&](int algorithm) {
                return cudnnConvolutionBiasActivationForward(dnn.handle, &ONE, dnn.x, X.at(), dnn.w, W.at(), dnn.convolution, algorithm, workspace.at(), bytes,
                                                             &ONE, dnn.y, Z.at(), about, B.at(), identity, dnn.y, Y.at());
            };
            check(together(1), "with a bias and more");
            agree(Y.get(), sum, tolerance(), "y with a bias and more");
            gives(together(0), 3000, "an algorithm that adds no bias without an activation");
        }
        check(cudnnConvolutionBackwardData(dnn.handle, &ONE, dnn.w, W.at(), dnn.y, DY.at(), dnn.convolution, 1, workspace.at(), bytes, &ZERO, dnn.x, DX.at()), "data");
        agree(DX.get(), dx, tolerance(), "dx");
        check(cudnnConvolutionBackwardFilter(dnn.handle, &ONE, dnn.x, X.at(), dnn.y, DY.at(), dnn.convolution, 1, workspace.at(), bytes, &ZERO, dnn.w, DW.at()), "filter");
        agree(DW.get(), dw, tolerance(), "dw");
        if (!halves) {
            check(cudnnSetConvolutionMathType(dnn.convolution, 0), "DEFAULT_MATH");
            check(cudnnConvolutionForward(dnn.handle, &ONE, dnn.x, X.at(), dnn.w, W.at(), dnn.convolution, 1, workspace.at(), bytes, &ZERO, dnn.y, Y.at()), "forward");
            agree(Y.get(), y, 2e-3, "TF32");
            expect(fabs(Y.get()[0] / y[0] - 1) > 1e-6, "DEFAULT_MATH rounds as tensor cores do");
        }
    }
}

CASE(what_cuDNN_refuses) {
    Shape d = {1, 4, 4, 8, 8, 3, 3, 1, 1, 1};
    Dnn dnn(d), mixed(d, 0);
    Array x(normal(128, 6)), w(normal(576, 7)), y(128), workspace(4096, true), shifted(128, false, 1);
    size_t needed = 0;
    check(cudnnGetConvolutionForwardWorkspaceSize(dnn.handle, dnn.x, dnn.w, dnn.convolution, dnn.y, 1, &needed), "workspace");
    auto forward = [&](Dnn &n, const void *from, int algorithm, size_t bytes) {
        return cudnnConvolutionForward(n.handle, &ONE, n.x, from, n.w, w.at(), n.convolution, algorithm, workspace.at(), bytes, &ZERO, n.y, y.at());
    };
    check(forward(dnn, x.at(), 1, needed), "forward");
    gives(forward(dnn, x.at(), 1, needed - 1), 2000, "a workspace that is too small");
    gives(forward(dnn, x.at(), 6, needed), 3000, "an algorithm that does not take NHWC");
    gives(forward(mixed, x.at(), 1, needed), 3000, "filters in another layout than the images");
    gives(forward(dnn, shifted.at(), 1, needed), 2003, "an image that is not aligned");
    gives(forward(dnn, nullptr, 1, needed), 2002, "no image");
    check(cudnnSetConvolutionGroupCount(dnn.convolution, 2), "groups");
    gives(forward(dnn, x.at(), 1, needed), 2000, "filters that do not fit the groups");
    check(cudnnSetConvolutionGroupCount(dnn.convolution, 1), "groups");
    char found[5 * 48];
    int count = 0;
    void *stream, *graph;
    auto search = [&] {
        return cudnnFindConvolutionForwardAlgorithmEx(dnn.handle, dnn.x, x.at(), dnn.w, w.at(), dnn.convolution, dnn.y, y.at(), 5, &count, found,
                                                      workspace.at(), 8);
    };
    check(search(), "the search");
    int status[2];
    memcpy(&status[0], found + 4, 4);
    memcpy(&status[1], found + 48 + 4, 4);
    expect(count >= 2 && status[0] == 0 && status[1] != 0, "the search lists what fits the workspace first, then what failed");
    expect(std::isnan(y.get()[0]), "the search overwrites y");
    check(cuStreamCreate(&stream, 1), "cuStreamCreate");
    check(cuStreamBeginCapture_v2(stream, 0), "cuStreamBeginCapture");
    gives(search(), 5000, "a search while capturing");
    gives(cuStreamEndCapture(stream, &graph), 901, "the end of that capture");
}

CASE(softmax_over_channels) {
    int n = 3, c = 33, h = 5;
    Doubles x = normal(n * c * h, 8), dy = normal(n * c * h, 9), y(x.size()), dx(x.size());
    for (int i = 0; i < n; i++)
        for (int j = 0; j < h; j++) {
            double sum = 0, product = 0;
            auto at = [&](int k) { return (i * c + k) * h + j; };
            for (int k = 0; k < c; k++) sum += exp(x[at(k)]);
            for (int k = 0; k < c; k++) y[at(k)] = stored(exp(x[at(k)]) / sum);
            for (int k = 0; k < c; k++) product += y[at(k)] * dy[at(k)];
            for (int k = 0; k < c; k++) dx[at(k)] = y[at(k)] * (dy[at(k)] - product);
        }
    void *handle, *d;
    check(cudnnCreate(&handle), "cudnnCreate");
    check(cudnnCreateTensorDescriptor(&d), "descriptor");
    check(cudnnSetTensor4dDescriptor(d, 0, halves ? 9 : 0, n, c, h, 1), "descriptor");
    Array X(x), Y(x.size()), DY(dy), DX(x.size());
    check(cudnnSoftmaxForward(handle, 1, 1, &ONE, d, X.at(), &ZERO, d, Y.at()), "softmax");
    agree(Y.get(), y, tolerance(), "y");
    check(cudnnSoftmaxBackward(handle, 1, 1, &ONE, d, Y.at(), d, DY.at(), &ZERO, d, DX.at()), "softmax backward");
    agree(DX.get(), dx, tolerance(5e-6), "dx");
}
