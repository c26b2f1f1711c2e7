// One sweep over all parameters, cut into pieces of fixed length, one block each. What changes from step to step is read
// from device memory, so that a captured step can be replayed, and an update whose gradient is not finite is left out.
#include "common.h"
#include "kernels.h"

KERNEL(set_step)(Step *step, unsigned long long draws, float rate, float correction1, float correction2, float scale,
                 float decay, long long known) {
    step->draws = draws;
    step->rate = rate;
    step->correction1 = correction1;
    step->correction2 = correction2;
    step->scale = scale;
    step->decay = decay;
    step->finite = known < 0 || step->skipped == known;
}

// The entry of this block's piece, as if its arrays began with the piece and were as long.
DEVICE Update partOf(const Update *table, const Piece *pieces) {
    Piece piece = pieces[blockIdx.x];
    Update u = table[piece.entry];
    long long first = piece.first;
    u.w += first;
    u.dw = static_cast<const char *>(u.dw) + first * (u.half ? 2 : 4);
    u.m += first;
    u.v += first;
    if (u.average) u.average += first;
    u.n = u.n - first < PIECE ? u.n - first : PIECE;
    return u;
}

// body.at<4>(i) or body.at<1>(i) for every element of body.u: 16 bytes of each array at a time, but for the last few.
// Arrays start at multiples of 16 bytes, and so do pieces of them.
template <class Body> DEVICE void sweep(Body &body) {
    int n = static_cast<int>(body.u.n);
    for (int i = 4 * threadIdx.x; i < n; i += 4 * blockDim.x) {
        if (i + 4 <= n) body.template at<4>(i);
        else
            for (int j = i; j < n; j++) body.template at<1>(j);
    }
}

template <int V> DEVICE void gradient(const Update &u, int i, float *g) {
    if (u.half) load<V>(static_cast<const bf16 *>(u.dw) + i, g);
    else load<V>(static_cast<const float *>(u.dw) + i, g);
}

struct Adam {
    Update u;
    Step step;
    float beta1, beta2, eps, coupled, decoupled;

    template <int V> __device__ __forceinline__ void at(int i) {
        float w[V], g[V], m[V], v[V], average[V];
        load<V>(u.w + i, w);
        gradient<V>(u, i, g);
        load<V>(u.m + i, m);
        load<V>(u.v + i, v);
        bool averaged = u.average != nullptr && step.decay >= 0;
        if (averaged) load<V>(u.average + i, average);
        float from1 = 1.0f - beta1, from2 = 1.0f - beta2;
#pragma unroll
        for (int k = 0; k < V; k++) {
            float slope = g[k] * step.scale + coupled * w[k];
            m[k] = beta1 * m[k] + from1 * slope;
            v[k] = beta2 * v[k] + from2 * slope * slope;
            w[k] -= step.rate * (m[k] * step.correction1 / (sqrtf(v[k] * step.correction2) + eps) + decoupled * w[k]);
            if (averaged) average[k] = step.decay * average[k] + (1.0f - step.decay) * w[k];
        }
        store<V>(m, u.m + i);
        store<V>(v, u.v + i);
        store<V>(w, u.w + i);
        if (averaged) store<V>(average, u.average + i);
    }
};
KERNEL(adam)(const Update *table, const Piece *pieces, const Step *step, float beta1, float beta2, float eps,
             float coupled, float decoupled) {
    if (!step->finite) return;
    Adam body = {partOf(table, pieces), *step, beta1, beta2, eps, coupled, decoupled};
    sweep(body);
}

struct Average {
    Update u;
    float decay;

    template <int V> __device__ __forceinline__ void at(int i) {
        float w[V], average[V];
        load<V>(u.w + i, w);
        load<V>(u.average + i, average);
#pragma unroll
        for (int k = 0; k < V; k++) average[k] = decay * average[k] + (1.0f - decay) * w[k];
        store<V>(average, u.average + i);
    }
};
KERNEL(average)(const Update *table, const Piece *pieces, const Step *step) {
    if (!step->finite) return;
    Average body = {partOf(table, pieces), step->decay};
    sweep(body);
}

struct Squares {
    Update u;
    double sum;

    template <int V> __device__ __forceinline__ void at(int i) {
        float v[V];
        gradient<V>(u, i, v);
#pragma unroll
        for (int k = 0; k < V; k++) sum += static_cast<double>(v[k]) * v[k];
    }
};
KERNEL(squares)(const Update *table, const Piece *pieces, double *partial) {
    Squares body = {partOf(table, pieces), 0};
    sweep(body);
    double sum = blockSum(body.sum);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

KERNEL(squares_finish)(const double *partial, int pieces, Step *step, double limit, const float *loss) {
    double sum = 0;
    for (int i = threadIdx.x; i < pieces; i += blockDim.x) sum += partial[i];
    sum = blockSum(sum);
    if (threadIdx.x != 0) return;
    bool finite = sum - sum == 0 && (!loss || *loss - *loss == 0);
    step->squares = sum;
    step->scale = limit > 0 && sqrt(sum) > limit ? static_cast<float>(limit / sqrt(sum)) : 1.0f;
    if (step->finite && !finite) step->skipped += 1;
    step->finite = step->finite && finite;
}
