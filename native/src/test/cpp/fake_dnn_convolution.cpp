// Convolutions of the stand-in for cuDNN. Float tensors with float filters or bfloat16 with bfloat16, arithmetic in float;
// DEFAULT_MATH rounds floats as tensor cores do (TF32), FMA_MATH does not.
//
// An output pixel sees a patch [r, s, c] of x; every direction is a product of patches with filters:
//   y[pixel, k] = Σ patch · w[k]      dw[k] += dy[pixel, k] · patch      dpatch = Σ_k dy[pixel, k] · w[k], added into dx
#include "fake_dnn.h"

#define TRY(call)                  \
    do {                           \
        int status_ = (call);      \
        if (status_) return status_; \
    } while (0)

API cudnnCreateConvolutionDescriptor(Convolution **d) {
    *d = new Convolution{0, 0, 1, 1, 1, 1, -1, 0, 0, 1};
    return SUCCESS;
}
API cudnnDestroyConvolutionDescriptor(Convolution *d) {
    delete d;
    return SUCCESS;
}
API cudnnSetConvolution2dDescriptor(Convolution *d, int ph, int pw, int sh, int sw, int dh, int dw, int mode, int compute) {
    if (!d || ph < 0 || pw < 0 || sh < 1 || sw < 1 || dh < 1 || dw < 1 || mode < 0 || mode > 1)
        return refuse(BAD_PARAM, "a convolution needs padding >= 0, stride and dilation >= 1");
    *d = {ph, pw, sh, sw, dh, dw, mode, compute, d->math, d->groups};
    return SUCCESS;
}
API cudnnSetConvolutionMathType(Convolution *d, int math) {
    if (!d || math < 0 || math > 3) return BAD_PARAM;
    d->math = math;
    return SUCCESS;
}
API cudnnSetConvolutionGroupCount(Convolution *d, int groups) {
    if (!d || groups < 1) return BAD_PARAM;
    d->groups = groups;
    return SUCCESS;
}
static int extent(int in, int pad, int kernel, int dilation, int stride) {
    return (in + 2 * pad - ((kernel - 1) * dilation + 1)) / stride + 1;
}
API cudnnGetConvolution2dForwardOutputDim(const Convolution *d, const Tensor *x, const Filter *w, int *n, int *c, int *h, int *wide) {
    *n = x->n;
    *c = w->k;
    *h = extent(x->h, d->ph, w->h, d->dh, d->sh);
    *wide = extent(x->w, d->pw, w->w, d->dw, d->sw);
    return SUCCESS;
}

// What all three directions ask of their descriptors.
static int accepts(const Tensor *x, const Filter *w, const Convolution *c, const Tensor *y) {
    if (!x || !w || !c || !y || !x->set() || !w->set() || c->mode < 0 || !y->set())
        return refuse(BAD_PARAM, "a descriptor is missing or was not set");
    int h = 0, wide = 0, n = 0, k = 0;
    cudnnGetConvolution2dForwardOutputDim(c, x, w, &n, &k, &h, &wide);
    if (y->n != n || y->c != k || y->h != h || y->w != wide || x->c != w->c * c->groups || w->k % c->groups)
        return refuse(BAD_PARAM, "the shapes of x, w, y do not go together");
    if (c->mode != 1) return refuse(NOT_SUPPORTED, "only CROSS_CORRELATION is here");
    if (x->type != w->type || x->type != y->type || c->compute != F32 || (x->type != F32 && x->type != CUDNN_BF16))
        return refuse(NOT_SUPPORTED, "the types must be all FLOAT or all BFLOAT16, computed in FLOAT");
    bool last = x->channelsLast() && y->channelsLast() && w->format == 1;
    bool first = x->channelsFirst() && y->channelsFirst() && w->format == 0;
    if (!last && !first) return refuse(NOT_SUPPORTED, "x, w, y must be all NHWC or all NCHW, and packed");
    if (x->type == CUDNN_BF16 && !last) return refuse(NOT_SUPPORTED, "bfloat16 in NCHW");
    return SUCCESS;
}

enum Direction { FORWARD, DATA, WEIGHTS };
// The algorithms of each direction that are here, the quickest first: number, bytes per output channel, deterministic.
struct Algorithm {
    int number;
    size_t bytes;
    bool deterministic;
};
static const std::vector<Algorithm> &algorithms(Direction d) {
    static const std::vector<Algorithm> forward = {{1, 512, true}, {0, 0, true}};
    static const std::vector<Algorithm> data = {{0, 0, false}, {1, 1024, true}};
    static const std::vector<Algorithm> weights = {{0, 0, false}, {1, 2048, true}, {3, 256, false}};
    return d == FORWARD ? forward : d == DATA ? data : weights;
}
static int workspace(Direction d, int number, const Filter *w, size_t *bytes) {
    for (auto &a : algorithms(d))
        if (a.number == number) {
            *bytes = a.bytes * w->k;
            return SUCCESS;
        }
    return refuse(NOT_SUPPORTED, "algorithm " + std::to_string(number) + " does not take these tensors");
}

struct Performance {
    int algorithm, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
};
static int list(Direction d, const Filter *w, const Convolution *c, int wanted, int *found, Performance *p, size_t limit) {
    if (wanted < 1 || !found || !p) return BAD_PARAM;
    *found = 0;
    // As on real devices, each of the two directions is slow for some shapes, here where filters are fewer than channels.
    float time = d != WEIGHTS && w->k < w->c ? 0.5f : 0.1f;
    std::vector<Performance> refused;
    for (auto &a : algorithms(d)) {
        Performance one = {a.number, SUCCESS, time += 0.01f, a.bytes * w->k, a.deterministic, c->math, {}};
        if (one.memory > limit) {
            one.status = 4;  // ALLOC_FAILED in the numbering of the time; anything but success
            one.time = -1;
            refused.push_back(one);
        } else if (*found < wanted) p[(*found)++] = one;
    }
    refused.push_back({5, NOT_SUPPORTED, -1, 0, 0, 0, {}});
    for (auto &one : refused)
        if (*found < wanted) p[(*found)++] = one;
    return SUCCESS;
}

// ---- arithmetic ---------------------------------------------------------------------------------------------------------

struct Job {
    Tensor x, y;
    Filter w;
    Convolution c;
    bool rounded() const { return x.type == F32 && c.math != 3; }
    float in(float v) const { return rounded() ? tf32(v) : v; }
    int patch() const { return w.h * w.w * w.c; }
};
static std::vector<float> unpack(const Job &j, const void *p, const Tensor &t) {  // NHWC
    std::vector<float> v;
    v.reserve(static_cast<size_t>(t.n) * t.h * t.w * t.c);
    for (int n = 0; n < t.n; n++)
        for (int h = 0; h < t.h; h++)
            for (int w = 0; w < t.w; w++)
                for (int c = 0; c < t.c; c++) v.push_back(j.in(get(p, t.type, t.at(n, c, h, w))));
    return v;
}
static void pack(const Tensor &t, const std::vector<float> &v, void *p, float alpha, float beta) {
    size_t i = 0;
    for (int n = 0; n < t.n; n++)
        for (int h = 0; h < t.h; h++)
            for (int w = 0; w < t.w; w++)
                for (int c = 0; c < t.c; c++, i++) {
                    long long at = t.at(n, c, h, w);
                    put(p, t.type, at, blend(alpha, v[i], beta, p, t.type, at));
                }
}
static std::vector<float> unpack(const Job &j, const void *p) {  // KRSC
    std::vector<float> v;
    for (int k = 0; k < j.w.k; k++)
        for (int r = 0; r < j.w.h; r++)
            for (int s = 0; s < j.w.w; s++)
                for (int c = 0; c < j.w.c; c++) v.push_back(j.in(get(p, j.w.type, j.w.at(k, c, r, s))));
    return v;
}
// Calls f(where the pixel's channels of y begin, group, offset in x of each tap or −1) for every output pixel and group.
template <class F> static void pixels(const Job &j, F f) {
    std::vector<long long> taps(j.w.h * j.w.w);
    for (int n = 0; n < j.y.n; n++)
        for (int p = 0; p < j.y.h; p++)
            for (int q = 0; q < j.y.w; q++)
                for (int g = 0; g < j.c.groups; g++) {
                    for (int r = 0; r < j.w.h; r++)
                        for (int s = 0; s < j.w.w; s++) {
                            int h = p * j.c.sh - j.c.ph + r * j.c.dh, w = q * j.c.sw - j.c.pw + s * j.c.dw;
                            bool inside = h >= 0 && w >= 0 && h < j.x.h && w < j.x.w;
                            taps[r * j.w.w + s] =
                                inside ? ((static_cast<long long>(n) * j.x.h + h) * j.x.w + w) * j.x.c + g * j.w.c : -1;
                        }
                    f(((static_cast<long long>(n) * j.y.h + p) * j.y.w + q) * j.y.c, g, taps);
                }
}
static void gather(const Job &j, const std::vector<float> &x, const std::vector<long long> &taps, float *patch) {
    for (size_t t = 0; t < taps.size(); t++)
        for (int c = 0; c < j.w.c; c++) patch[t * j.w.c + c] = taps[t] < 0 ? 0 : x[taps[t] + c];
}

static void forward(const Job &j, const void *x, const void *w, void *y, float alpha, float beta, const std::vector<float> *more = nullptr) {
    auto in = unpack(j, x, j.x), filter = unpack(j, w);
    std::vector<float> out(static_cast<size_t>(j.y.n) * j.y.h * j.y.w * j.y.c), patch(j.patch());
    int each = j.w.k / j.c.groups;
    pixels(j, [&](long long at, int g, const std::vector<long long> &taps) {
        gather(j, in, taps, patch.data());
        for (int k = g * each; k < (g + 1) * each; k++)
            out[at + k] = dot(patch.data(), &filter[static_cast<size_t>(k) * j.patch()], j.patch()) + (more ? (*more)[at + k] / alpha : 0);
    });
    pack(j.y, out, y, alpha, beta);
}
static void backwardData(const Job &j, const void *w, const void *dy, void *dx, float alpha, float beta) {
    auto slope = unpack(j, dy, j.y), filter = unpack(j, w);
    std::vector<float> out(static_cast<size_t>(j.x.n) * j.x.h * j.x.w * j.x.c), patch(j.patch());
    int each = j.w.k / j.c.groups;
    pixels(j, [&](long long at, int g, const std::vector<long long> &taps) {
        std::fill(patch.begin(), patch.end(), 0.0f);
        for (int k = g * each; k < (g + 1) * each; k++)
            addTimes(slope[at + k], &filter[static_cast<size_t>(k) * j.patch()], patch.data(), j.patch());
        for (size_t t = 0; t < taps.size(); t++)
            if (taps[t] >= 0) addTimes(1, &patch[t * j.w.c], &out[taps[t]], j.w.c);
    });
    pack(j.x, out, dx, alpha, beta);
}
static void backwardWeights(const Job &j, const void *x, const void *dy, void *dw, float alpha, float beta) {
    auto in = unpack(j, x, j.x), slope = unpack(j, dy, j.y);
    std::vector<float> out(static_cast<size_t>(j.w.k) * j.patch()), patch(j.patch());
    int each = j.w.k / j.c.groups;
    pixels(j, [&](long long at, int g, const std::vector<long long> &taps) {
        gather(j, in, taps, patch.data());
        for (int k = g * each; k < (g + 1) * each; k++)
            addTimes(slope[at + k], patch.data(), &out[static_cast<size_t>(k) * j.patch()], j.patch());
    });
    size_t i = 0;
    for (int k = 0; k < j.w.k; k++)
        for (int r = 0; r < j.w.h; r++)
            for (int s = 0; s < j.w.w; s++)
                for (int c = 0; c < j.w.c; c++, i++) {
                    long long at = j.w.at(k, c, r, s);
                    put(dw, j.w.type, at, blend(alpha, out[i], beta, dw, j.w.type, at));
                }
}

// ---- calls ----------------------------------------------------------------------------------------------------------------

static int run(Handle *h, Direction d, const Tensor *x, const void *px, const Filter *w, const void *pw, const Convolution *c,
               const Tensor *y, const void *py, int algorithm, const void *scratch, size_t bytes, const float *alpha, const float *beta) {
    if (!h) return NOT_INITIALIZED;
    TRY(accepts(x, w, c, y));
    TRY(pointerOf(px, "x"));
    TRY(pointerOf(pw, "w"));
    TRY(pointerOf(py, "y"));
    if (!alpha || !beta) return NULL_POINTER;
    size_t needed = 0;
    TRY(workspace(d, algorithm, w, &needed));
    if (bytes < needed) return refuse(BAD_PARAM, "a workspace of " + std::to_string(bytes) + " bytes where " + std::to_string(needed) + " are needed");
    Job job = {*x, *y, *w, *c};
    float a = *alpha, b = *beta;
    static const char *names[] = {"cudnnConvolutionForward", "cudnnConvolutionBackwardData", "cudnnConvolutionBackwardFilter"};
    const char *name = names[d];
    return submit(h, name, [=] {
        if (!fakeInDevice(px, job.x.bytes(), name) || !fakeInDevice(pw, job.w.bytes(), name) || !fakeInDevice(py, job.y.bytes(), name) ||
            (needed && !fakeInDevice(scratch, needed, name)))
            return false;
        if (needed) memset(const_cast<void *>(scratch), 0xff, needed);
        if (d == FORWARD) forward(job, px, pw, const_cast<void *>(py), a, b);
        if (d == DATA) backwardData(job, pw, py, const_cast<void *>(px), a, b);
        if (d == WEIGHTS) backwardWeights(job, px, py, const_cast<void *>(pw), a, b);
        return true;
    });
}
API cudnnConvolutionForward(Handle *h, const float *alpha, Tensor *xd, const void *x, Filter *wd, const void *w, Convolution *c,
                            int algorithm, void *scratch, size_t bytes, const float *beta, Tensor *yd, void *y) {
    return run(h, FORWARD, xd, x, wd, w, c, yd, y, algorithm, scratch, bytes, alpha, beta);
}

struct Activation {
    int mode = -1;
};
API cudnnCreateActivationDescriptor(Activation **d) {
    *d = new Activation;
    return SUCCESS;
}
API cudnnDestroyActivationDescriptor(Activation *d) {
    delete d;
    return SUCCESS;
}
API cudnnSetActivationDescriptor(Activation *d, int mode, int nan, double) {
    if (!d || mode < 0 || mode > 6 || nan < 0 || nan > 1) return refuse(BAD_PARAM, "an activation descriptor has a mode and a way with NaN");
    d->mode = mode;
    return SUCCESS;
}
// y = x ∗ w + alpha2 · z + bias. The activation IDENTITY goes with the algorithm IMPLICIT_PRECOMP_GEMM alone, others are not here.
API cudnnConvolutionBiasActivationForward(Handle *h, const float *alpha, Tensor *xd, const void *x, Filter *wd, const void *w, Convolution *c,
                                          int algorithm, void *scratch, size_t bytes, const float *alpha2, Tensor *zd, const void *z,
                                          Tensor *bd, const void *bias, Activation *a, Tensor *yd, void *y) {
    if (!h) return NOT_INITIALIZED;
    TRY(accepts(xd, wd, c, yd));
    if (!zd || !bd || !a || !alpha || !alpha2) return refuse(BAD_PARAM, "a descriptor or a factor is missing");
    if (a->mode != 5 || algorithm != 1) return refuse(NOT_SUPPORTED, "only IDENTITY by IMPLICIT_PRECOMP_GEMM is here");
    if (bd->n != 1 || bd->c != wd->k || bd->h != 1 || bd->w != 1) return refuse(BAD_PARAM, "the bias must be [1, K, 1, 1]");
    if (zd->n != yd->n || zd->c != yd->c || zd->h != yd->h || zd->w != yd->w) return refuse(BAD_PARAM, "z and y differ");
    if (bd->type != yd->type || zd->type != yd->type) return refuse(NOT_SUPPORTED, "bias and z must have the type of y");
    TRY(pointerOf(x, "x"));
    TRY(pointerOf(w, "w"));
    TRY(pointerOf(z, "z"));
    TRY(pointerOf(bias, "bias"));
    TRY(pointerOf(y, "y"));
    size_t needed = 0;
    TRY(workspace(FORWARD, algorithm, wd, &needed));
    if (bytes < needed) return refuse(BAD_PARAM, "a workspace of " + std::to_string(bytes) + " bytes where " + std::to_string(needed) + " are needed");
    Job job = {*xd, *yd, *wd, *c};
    Tensor zs = *zd;
    float a1 = *alpha, a2 = *alpha2;
    const char *name = "cudnnConvolutionBiasActivationForward";
    return submit(h, name, [=] {
        if (!fakeInDevice(x, job.x.bytes(), name) || !fakeInDevice(w, job.w.bytes(), name) || !fakeInDevice(y, job.y.bytes(), name) ||
            !fakeInDevice(z, zs.bytes(), name) || !fakeInDevice(bias, job.w.k * bytesOf(job.y.type), name) ||
            (needed && !fakeInDevice(scratch, needed, name)))
            return false;
        if (needed) memset(scratch, 0xff, needed);
        std::vector<float> more(static_cast<size_t>(job.y.n) * job.y.h * job.y.w * job.y.c);
        for (size_t i = 0; i < more.size(); i++)
            more[i] = (a2 == 0 ? 0 : a2 * get(z, zs.type, i)) + get(bias, job.y.type, i % job.y.c);
        forward(job, x, w, y, a1, 0, &more);
        return true;
    });
}
API cudnnConvolutionBackwardData(Handle *h, const float *alpha, Filter *wd, const void *w, Tensor *yd, const void *dy, Convolution *c,
                                 int algorithm, void *scratch, size_t bytes, const float *beta, Tensor *xd, void *dx) {
    return run(h, DATA, xd, dx, wd, w, c, yd, dy, algorithm, scratch, bytes, alpha, beta);
}
API cudnnConvolutionBackwardFilter(Handle *h, const float *alpha, Tensor *xd, const void *x, Tensor *yd, const void *dy, Convolution *c,
                                   int algorithm, void *scratch, size_t bytes, const float *beta, Filter *wd, void *dw) {
    return run(h, WEIGHTS, xd, x, wd, dw, c, yd, dy, algorithm, scratch, bytes, alpha, beta);
}

API cudnnGetConvolutionForwardWorkspaceSize(Handle *, Tensor *x, Filter *w, Convolution *c, Tensor *y, int algorithm, size_t *n) {
    TRY(accepts(x, w, c, y));
    return workspace(FORWARD, algorithm, w, n);
}
API cudnnGetConvolutionBackwardDataWorkspaceSize(Handle *, Filter *w, Tensor *y, Convolution *c, Tensor *x, int algorithm, size_t *n) {
    TRY(accepts(x, w, c, y));
    return workspace(DATA, algorithm, w, n);
}
API cudnnGetConvolutionBackwardFilterWorkspaceSize(Handle *, Tensor *x, Tensor *y, Convolution *c, Filter *w, int algorithm, size_t *n) {
    TRY(accepts(x, w, c, y));
    return workspace(WEIGHTS, algorithm, w, n);
}
API cudnnGetConvolutionForwardAlgorithmMaxCount(Handle *, int *n) { return *n = 3, SUCCESS; }
API cudnnGetConvolutionBackwardDataAlgorithmMaxCount(Handle *, int *n) { return *n = 3, SUCCESS; }
API cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(Handle *, int *n) { return *n = 4, SUCCESS; }
static int heuristic(Direction d, Tensor *x, Filter *w, Convolution *c, Tensor *y, int wanted, int *found, Performance *p) {
    TRY(accepts(x, w, c, y));
    return list(d, w, c, wanted, found, p, SIZE_MAX);
}
API cudnnGetConvolutionForwardAlgorithm_v7(Handle *, Tensor *x, Filter *w, Convolution *c, Tensor *y, int n, int *f, Performance *p) {
    return heuristic(FORWARD, x, w, c, y, n, f, p);
}
API cudnnGetConvolutionBackwardDataAlgorithm_v7(Handle *, Filter *w, Tensor *y, Convolution *c, Tensor *x, int n, int *f, Performance *p) {
    return heuristic(DATA, x, w, c, y, n, f, p);
}
API cudnnGetConvolutionBackwardFilterAlgorithm_v7(Handle *, Tensor *x, Tensor *y, Convolution *c, Filter *w, int n, int *f, Performance *p) {
    return heuristic(WEIGHTS, x, w, c, y, n, f, p);
}
// The search runs what it measures: the output is overwritten, here by NaN, so that nobody counts on it.
static int search(Direction d, Handle *h, Tensor *x, const void *px, Filter *w, const void *pw, Convolution *c, Tensor *y, const void *py,
                  int wanted, int *found, Performance *p, void *scratch, size_t bytes) {
    if (!h) return NOT_INITIALIZED;
    if (fakeForbiddenNow("cudnnFindConvolution")) return EXECUTION_FAILED;
    TRY(accepts(x, w, c, y));
    TRY(pointerOf(px, "x"));
    TRY(pointerOf(pw, "w"));
    TRY(pointerOf(py, "y"));
    const char *name = "cudnnFindConvolution";
    if (!fakeInDevice(px, x->bytes(), name) || !fakeInDevice(pw, w->bytes(), name) || !fakeInDevice(py, y->bytes(), name) ||
        (bytes && !fakeInDevice(scratch, bytes, name)))
        return EXECUTION_FAILED;
    const void *out = d == FORWARD ? py : d == DATA ? px : pw;
    memset(const_cast<void *>(out), 0xff, d == FORWARD ? y->bytes() : d == DATA ? x->bytes() : w->bytes());
    return list(d, w, c, wanted, found, p, bytes);
}
API cudnnFindConvolutionForwardAlgorithmEx(Handle *h, Tensor *xd, const void *x, Filter *wd, const void *w, Convolution *c, Tensor *yd,
                                           void *y, int n, int *f, Performance *p, void *scratch, size_t bytes) {
    return search(FORWARD, h, xd, x, wd, w, c, yd, y, n, f, p, scratch, bytes);
}
API cudnnFindConvolutionBackwardDataAlgorithmEx(Handle *h, Filter *wd, const void *w, Tensor *yd, const void *dy, Convolution *c, Tensor *xd,
                                                void *dx, int n, int *f, Performance *p, void *scratch, size_t bytes) {
    return search(DATA, h, xd, dx, wd, w, c, yd, dy, n, f, p, scratch, bytes);
}
API cudnnFindConvolutionBackwardFilterAlgorithmEx(Handle *h, Tensor *xd, const void *x, Tensor *yd, const void *dy, Convolution *c,
                                                  Filter *wd, void *dw, int n, int *f, Performance *p, void *scratch, size_t bytes) {
    return search(WEIGHTS, h, xd, x, wd, dw, c, yd, dy, n, f, p, scratch, bytes);
}
