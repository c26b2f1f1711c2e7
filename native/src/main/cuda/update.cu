// One sweep over all parameters, cut into pieces of fixed length, one block each. What changes from step to step is read
// from device memory, so that a captured step can be replayed, and an update whose gradient is not finite is left out.
#include "common.h"
#include "kernels.h"

KERNEL(set_step)(Step *step, unsigned long long draws, float rate, float correction1, float correction2, float scale,
                 float decay) {
    step->draws = draws;
    step->rate = rate;
    step->correction1 = correction1;
    step->correction2 = correction2;
    step->scale = scale;
    step->decay = decay;
    step->finite = 1;
}

// Element numbers first … end of this block's piece.
struct Part {
    const Update *entry;
    int first, end;
};
DEVICE Part partOf(const Update *table, const Piece *pieces) {
    Piece piece = pieces[blockIdx.x];
    Part part = {table + piece.entry, piece.first, piece.first + PIECE};
    if (part.end > part.entry->n) part.end = part.entry->n;
    return part;
}

DEVICE float gradient(const Update &u, int i) {
    return u.flags & 1 ? static_cast<const float *>(u.dw)[i] : widen(static_cast<const T *>(u.dw)[i]);
}

KERNEL(adam)(const Update *table, const Piece *pieces, const Step *step, float beta1, float beta2, float eps,
             float coupled, float decoupled) {
    if (!step->finite) return;
    Part part = partOf(table, pieces);
    const Update u = *part.entry;
    float rate = step->rate, correction1 = step->correction1, correction2 = step->correction2, scale = step->scale;
    float decay = step->decay, from1 = 1.0f - beta1, from2 = 1.0f - beta2;
    bool averaged = u.average != nullptr && decay >= 0;
    for (int i = part.first + threadIdx.x; i < part.end; i += blockDim.x) {
        float w = u.w[i], g = gradient(u, i) * scale + coupled * w;
        float m = beta1 * u.m[i] + from1 * g, v = beta2 * u.v[i] + from2 * g * g;
        w -= rate * (m * correction1 / (sqrtf(v * correction2) + eps) + decoupled * w);
        u.m[i] = m;
        u.v[i] = v;
        u.w[i] = w;
        if (u.copy) narrow(w, static_cast<T *>(u.copy)[i]);
        if (averaged) u.average[i] = decay * u.average[i] + (1.0f - decay) * w;
    }
}

KERNEL(average)(const Update *table, const Piece *pieces, const Step *step) {
    if (!step->finite) return;
    Part part = partOf(table, pieces);
    float decay = step->decay;
    for (int i = part.first + threadIdx.x; i < part.end; i += blockDim.x)
        part.entry->average[i] = decay * part.entry->average[i] + (1.0f - decay) * part.entry->w[i];
}

KERNEL(squares)(const Update *table, const Piece *pieces, double *partial) {
    Part part = partOf(table, pieces);
    double sum = 0;
    for (int i = part.first + threadIdx.x; i < part.end; i += blockDim.x) {
        double g = gradient(*part.entry, i);
        sum += g * g;
    }
    sum = blockSum(sum);
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
    step->finite = finite;
    if (!finite) step->skipped += 1;
}
