// A CPU stand-in for libcudnn.so.9: the legacy calls of a convolutional engine, in plain loops. Here: the library, tensors,
// softmax, batch norm; convolutions are in fake_dnn_convolution.cpp. Refusals are said on stderr.
#include "fake_dnn.h"

API cudnnCreate(void **h) {
    if (fakeForbiddenNow("cudnnCreate")) return NOT_INITIALIZED;
    *h = new Handle;
    return SUCCESS;
}
API cudnnDestroy(void *h) {
    delete static_cast<Handle *>(h);
    return SUCCESS;
}
API cudnnSetStream(Handle *h, void *s) {
    if (!h) return NOT_INITIALIZED;
    h->stream = s;
    return SUCCESS;
}
API cudnnGetStream(Handle *h, void **s) {
    *s = h->stream;
    return SUCCESS;
}
extern "C" __attribute__((visibility("default"))) size_t cudnnGetVersion() { return 90500; }
extern "C" __attribute__((visibility("default"))) size_t cudnnGetCudartVersion() { return 12060; }
API cudnnGetProperty(int type, int *v) {
    *v = type == 0 ? 9 : type == 1 ? 5 : 0;
    return SUCCESS;
}
extern "C" __attribute__((visibility("default"))) const char *cudnnGetErrorString(int status) {
    switch (status) {
        case SUCCESS: return "CUDNN_STATUS_SUCCESS";
        case NOT_INITIALIZED: return "CUDNN_STATUS_NOT_INITIALIZED";
        case BAD_PARAM: return "CUDNN_STATUS_BAD_PARAM";
        case NULL_POINTER: return "CUDNN_STATUS_BAD_PARAM_NULL_POINTER";
        case MISALIGNED_POINTER: return "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER";
        case NOT_SUPPORTED: return "CUDNN_STATUS_NOT_SUPPORTED";
        case EXECUTION_FAILED: return "CUDNN_STATUS_EXECUTION_FAILED";
        default: return "unknown status of the stand-in for cuDNN";
    }
}

API cudnnCreateTensorDescriptor(Tensor **d) {
    *d = new Tensor();
    return SUCCESS;
}
API cudnnDestroyTensorDescriptor(Tensor *d) {
    delete d;
    return SUCCESS;
}
API cudnnSetTensor4dDescriptorEx(Tensor *d, int type, int n, int c, int h, int w, int sn, int sc, int sh, int sw) {
    if (!d || n < 1 || c < 1 || h < 1 || w < 1) return refuse(BAD_PARAM, "a tensor descriptor needs extents of at least 1");
    if (type != F32 && type != CUDNN_BF16) return refuse(NOT_SUPPORTED, "only FLOAT and BFLOAT16 are here");
    d->type = type;
    d->n = n, d->c = c, d->h = h, d->w = w;
    d->sn = sn, d->sc = sc, d->sh = sh, d->sw = sw;
    return SUCCESS;
}
API cudnnSetTensor4dDescriptor(Tensor *d, int format, int type, int n, int c, int h, int w) {
    if (format < 0 || format > 1) return refuse(NOT_SUPPORTED, "only NCHW and NHWC are here");
    return format == 1 ? cudnnSetTensor4dDescriptorEx(d, type, n, c, h, w, h * w * c, 1, w * c, c)
                       : cudnnSetTensor4dDescriptorEx(d, type, n, c, h, w, h * w * c, h * w, w, 1);
}
API cudnnGetTensorSizeInBytes(Tensor *d, size_t *n) {
    *n = d->bytes();
    return SUCCESS;
}
API cudnnCreateFilterDescriptor(Filter **d) {
    *d = new Filter();
    return SUCCESS;
}
API cudnnDestroyFilterDescriptor(Filter *d) {
    delete d;
    return SUCCESS;
}
API cudnnSetFilter4dDescriptor(Filter *d, int type, int format, int k, int c, int h, int w) {
    if (!d || k < 1 || c < 1 || h < 1 || w < 1) return refuse(BAD_PARAM, "a filter descriptor needs extents of at least 1");
    if ((type != F32 && type != CUDNN_BF16) || format < 0 || format > 1) return refuse(NOT_SUPPORTED, "filters are FLOAT or BFLOAT16, NCHW or NHWC");
    *d = {type, format, k, c, h, w};
    return SUCCESS;
}

// ---- softmax: over c (mode 1, CHANNEL) or over c, h and w (mode 0, INSTANCE) ----------------------------------------------

static bool same(const Tensor &a, const Tensor &b) { return a.n == b.n && a.c == b.c && a.h == b.h && a.w == b.w; }
template <class F> static void softmaxRows(const Tensor &t, int mode, F f) {
    int length = mode == 1 ? t.c : t.c * t.h * t.w;
    for (int n = 0; n < t.n; n++)
        for (int p = 0; p < (mode == 1 ? t.h : 1); p++)
            for (int q = 0; q < (mode == 1 ? t.w : 1); q++)
                f(length, [=](const Tensor &own, int i) {
                    return mode == 1 ? own.at(n, i, p, q) : own.at(n, i / (own.h * own.w), i / own.w % own.h, i % own.w);
                });
}
API cudnnSoftmaxForward(Handle *h, int algorithm, int mode, const float *alpha, Tensor *xd, const void *x, const float *beta, Tensor *yd, void *y) {
    if (!h) return NOT_INITIALIZED;
    if (!xd || !yd || !alpha || !beta || !same(*xd, *yd) || mode < 0 || mode > 1) return refuse(BAD_PARAM, "softmax: x and y differ");
    if (algorithm < 0 || algorithm > 1 || xd->type != yd->type) return refuse(NOT_SUPPORTED, "softmax: this algorithm, or two types");
    float a = *alpha, b = *beta;
    Tensor X = *xd, Y = *yd;
    return submit(h, "cudnnSoftmaxForward", [=] {
        if (!fakeInDevice(x, X.bytes(), "cudnnSoftmaxForward") || !fakeInDevice(y, Y.bytes(), "cudnnSoftmaxForward")) return false;
        softmaxRows(X, mode, [&](int n, auto at) {
            std::vector<float> row(n);
            float most = -INFINITY, sum = 0;
            for (int i = 0; i < n; i++) most = std::fmax(most, row[i] = get(x, X.type, at(X, i)));
            for (int i = 0; i < n; i++) sum += row[i] = expf(row[i] - most);
            for (int i = 0; i < n; i++) put(y, Y.type, at(Y, i), blend(a, row[i] / sum, b, y, Y.type, at(Y, i)));
        });
        return true;
    });
}
API cudnnSoftmaxBackward(Handle *h, int algorithm, int mode, const float *alpha, Tensor *yd, const void *y, Tensor *gd, const void *dy,
                         const float *beta, Tensor *xd, void *dx) {
    if (!h) return NOT_INITIALIZED;
    if (!xd || !yd || !gd || !alpha || !beta || !same(*xd, *yd) || !same(*yd, *gd) || mode < 0 || mode > 1)
        return refuse(BAD_PARAM, "softmax: y, dy and dx differ");
    if (algorithm < 0 || algorithm > 1 || xd->type != yd->type || yd->type != gd->type)
        return refuse(NOT_SUPPORTED, "softmax: this algorithm, or several types");
    float a = *alpha, b = *beta;
    Tensor X = *xd, Y = *yd, G = *gd;
    return submit(h, "cudnnSoftmaxBackward", [=] {
        for (auto p : {y, dy, static_cast<const void *>(dx)})
            if (!fakeInDevice(p, X.bytes(), "cudnnSoftmaxBackward")) return false;
        softmaxRows(Y, mode, [&](int n, auto at) {
            float sum = 0;
            for (int i = 0; i < n; i++) sum += get(y, Y.type, at(Y, i)) * get(dy, G.type, at(G, i));
            for (int i = 0; i < n; i++) {
                float value = get(y, Y.type, at(Y, i)) * (get(dy, G.type, at(G, i)) - sum);
                put(dx, X.type, at(X, i), blend(a, value, b, dx, X.type, at(X, i)));
            }
        });
        return true;
    });
}

// ---- batch norm, SPATIAL: one mean and variance for each channel ----------------------------------------------------------

static int acceptsNorm(Handle *h, int mode, const Tensor *x, const Tensor *y, const Tensor *p, double epsilon) {
    if (!h) return NOT_INITIALIZED;
    if (!x || !y || !p || !same(*x, *y)) return refuse(BAD_PARAM, "batch norm: the shapes differ");
    if (mode != 1) return refuse(NOT_SUPPORTED, "batch norm: only the mode SPATIAL is here");
    if (p->n != 1 || p->c != x->c || p->h != 1 || p->w != 1 || p->type != F32)
        return refuse(BAD_PARAM, "batch norm: scale and bias must be FLOAT [1, C, 1, 1]");
    if (!(epsilon >= 0)) return refuse(BAD_PARAM, "batch norm: a negative epsilon");
    return SUCCESS;
}
template <class F> static void overChannel(const Tensor &t, int c, F f) {
    for (int n = 0; n < t.n; n++)
        for (int p = 0; p < t.h; p++)
            for (int q = 0; q < t.w; q++) f(n, p, q, t.at(n, c, p, q));
}
API cudnnBatchNormalizationForwardTraining(Handle *h, int mode, const float *alpha, const float *beta, Tensor *xd, const void *x, Tensor *yd,
                                           void *y, Tensor *pd, const float *scale, const float *bias, double factor, float *runningMean,
                                           float *runningVariance, double epsilon, float *savedMean, float *savedInverse) {
    int status = acceptsNorm(h, mode, xd, yd, pd, epsilon);
    if (status) return status;
    if (!savedMean != !savedInverse || !runningMean != !runningVariance) return refuse(BAD_PARAM, "batch norm: one of a pair is missing");
    Tensor X = *xd, Y = *yd;
    float a = *alpha, b = *beta;
    return submit(h, "cudnnBatchNormalizationForwardTraining", [=] {
        size_t each = X.c * sizeof(float);
        const char *who = "cudnnBatchNormalizationForwardTraining";
        for (const void *p : {static_cast<const void *>(scale), static_cast<const void *>(bias)}) if (!fakeInDevice(p, each, who)) return false;
        for (const void *p : {savedMean, savedInverse, runningMean, runningVariance}) if (p && !fakeInDevice(p, each, who)) return false;
        if (!fakeInDevice(x, X.bytes(), who) || !fakeInDevice(y, Y.bytes(), who)) return false;
        double m = static_cast<double>(X.n) * X.h * X.w;
        for (int c = 0; c < X.c; c++) {
            double mean = 0, square = 0;
            overChannel(X, c, [&](int, int, int, long long i) { mean += get(x, X.type, i); });
            mean /= m;
            overChannel(X, c, [&](int, int, int, long long i) { square += (get(x, X.type, i) - mean) * (get(x, X.type, i) - mean); });
            float inverse = static_cast<float>(1 / sqrt(square / m + epsilon));
            overChannel(X, c, [&](int n, int p, int q, long long i) {
                float hat = (get(x, X.type, i) - static_cast<float>(mean)) * inverse;
                long long to = Y.at(n, c, p, q);
                put(y, Y.type, to, blend(a, hat * scale[c] + bias[c], b, y, Y.type, to));
            });
            if (savedMean) savedMean[c] = static_cast<float>(mean), savedInverse[c] = inverse;
            if (runningMean) {
                runningMean[c] = static_cast<float>(runningMean[c] * (1 - factor) + mean * factor);
                runningVariance[c] = static_cast<float>(runningVariance[c] * (1 - factor) + square / (m > 1 ? m - 1 : 1) * factor);
            }
        }
        return true;
    });
}
API cudnnBatchNormalizationBackward(Handle *h, int mode, const float *alphaData, const float *betaData, const float *alphaParameters,
                                    const float *betaParameters, Tensor *xd, const void *x, Tensor *gd, const void *dy, Tensor *dd, void *dx,
                                    Tensor *pd, const float *scale, float *dscale, float *dbias, double epsilon, const float *savedMean,
                                    const float *savedInverse) {
    int status = acceptsNorm(h, mode, xd, gd, pd, epsilon);
    if (status) return status;
    if (!same(*xd, *dd) || !savedMean != !savedInverse) return refuse(BAD_PARAM, "batch norm: dx differs from x, or one of a pair is missing");
    Tensor X = *xd, G = *gd, D = *dd;
    float a = *alphaData, b = *betaData, ap = *alphaParameters, bp = *betaParameters;
    return submit(h, "cudnnBatchNormalizationBackward", [=] {
        const char *who = "cudnnBatchNormalizationBackward";
        size_t each = X.c * sizeof(float);
        for (const void *p : {static_cast<const void *>(scale), static_cast<const void *>(dscale), static_cast<const void *>(dbias)})
            if (!fakeInDevice(p, each, who)) return false;
        if (savedMean && (!fakeInDevice(savedMean, each, who) || !fakeInDevice(savedInverse, each, who))) return false;
        if (!fakeInDevice(x, X.bytes(), who) || !fakeInDevice(dy, G.bytes(), who) || !fakeInDevice(dx, D.bytes(), who)) return false;
        double m = static_cast<double>(X.n) * X.h * X.w;
        for (int c = 0; c < X.c; c++) {
            double mean = 0, square = 0;
            overChannel(X, c, [&](int, int, int, long long i) { mean += get(x, X.type, i); });
            mean /= m;
            overChannel(X, c, [&](int, int, int, long long i) { square += (get(x, X.type, i) - mean) * (get(x, X.type, i) - mean); });
            double inverse = 1 / sqrt(square / m + epsilon), sum = 0, product = 0;
            if (savedMean) mean = savedMean[c], inverse = savedInverse[c];
            overChannel(X, c, [&](int n, int p, int q, long long i) {
                double slope = get(dy, G.type, G.at(n, c, p, q));
                sum += slope;
                product += slope * (get(x, X.type, i) - mean) * inverse;
            });
            overChannel(X, c, [&](int n, int p, int q, long long i) {
                double hat = (get(x, X.type, i) - mean) * inverse, slope = get(dy, G.type, G.at(n, c, p, q));
                float value = static_cast<float>(scale[c] * inverse * (slope - sum / m - hat * product / m));
                long long to = D.at(n, c, p, q);
                put(dx, D.type, to, blend(a, value, b, dx, D.type, to));
            });
            dscale[c] = static_cast<float>(ap * product) + (bp == 0 ? 0 : bp * dscale[c]);
            dbias[c] = static_cast<float>(ap * sum) + (bp == 0 ? 0 : bp * dbias[c]);
        }
        return true;
    });
}
