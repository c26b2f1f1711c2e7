// Group norm over x [n, spatial, channels], channels last, with affine map, time conditioning and SiLU in one kernel each
// way. For one image and channel c of group g everything is linear before SiLU:
//
//   z = A_c x + B_c      A_c = rstd_g gamma_c (1 + scale_c)      B_c = (beta_c − m_c rstd_g gamma_c)(1 + scale_c) + shift_c
//
// with m_c = mean_g − offset_c: what is added to a channel is taken off the mean that is taken off the channel, and costs nothing.
//
// Backward, with dz = dy · silu'(z), S1_c = Σ dz, S2_c = Σ dz x̂ over the pixels and k_c = gamma_c (1 + scale_c):
//
//   dx = rstd (k_c dz − M1_g − x̂ M2_g)      M1_g = Σ_{c in g} k_c S1_c / m      M2_g likewise with S2      m = values in a group
//   doffset = Σ dx      dgamma += (1 + scale) S2      dbeta += (1 + scale) S1      dscale = gamma S2 + beta S1      dshift = S1
//
// One image fits the second-level cache, so memory is read once although the image is gone over three times (mean,
// variance about the mean, result). Rows are taken several at a time, with the coefficients repeated. One thread does one
// image; the sums over images are put together in order. A sum over an image is one float for each place in the rows: of 65,536
// rows, as many as images of 256 x 256 have, it is off by 1.5e-5 of itself (measured), which a norm does not notice.
#include <omp.h>

#include "kernels_rows.h"

namespace ddpm {
namespace VARIANT {
namespace {

void repeat(float* x, int64_t width, int64_t channels) {
    for (int64_t j = channels; j < width; j++) x[j] = x[j - channels];
}

struct Coefficients {
    const NormShape& s;
    const NormArrays& a;
    int64_t image;

    float gamma(int64_t c) const { return a.gamma ? a.gamma[c] : 1.0f; }
    float beta(int64_t c) const { return a.beta ? a.beta[c] : 0.0f; }
    float scale(int64_t c) const { return a.scale ? 1.0f + a.scale[image * s.channels + c] : 1.0f; }
    float offset(int64_t c) const { return a.offset ? a.offset[image * s.channels + c] : 0.0f; }
    float mean(int64_t c) const { return a.mean[image * s.groups + c / (s.channels / s.groups)] - offset(c); }
    float shift(int64_t c) const { return a.shift ? a.shift[image * s.channels + c] : 0.0f; }

    // A and B of z = A x + B, repeated to `width`.
    void affine(float* A, float* B, int64_t width) const {
        int64_t in_group = s.channels / s.groups;
        for (int64_t c = 0; c < s.channels; c++) {
            int64_t g = image * s.groups + c / in_group;
            float k = a.rstd[g] * gamma(c);
            A[c] = k * scale(c);
            B[c] = (beta(c) - mean(c) * k) * scale(c) + shift(c);
        }
        repeat(A, width, s.channels);
        repeat(B, width, s.channels);
    }
};

// A norm over whole images without an affine map does not tell channels apart: a few are as good, and fill vectors whatever
// the length. Never more than there were, for which the workspace was made.
NormShape in_vectors(const NormShape& s, const NormArrays& a) {
    constexpr int64_t few = 4;
    int64_t n = s.spatial * s.channels;
    bool alike = s.groups == 1 && !a.offset && !a.gamma && !a.beta && !a.scale && !a.shift;
    return alike && s.channels >= few && n % few == 0 ? NormShape{s.n, n / few, few, 1, s.eps, s.silu} : s;
}

// The gradients of one image, by one thread.
struct ImageGradients {
    const NormShape& s;
    const NormArrays& a;
    Coefficients k;
    int64_t image, width, n, in_group;
    float *A, *B, *S1, *S2, *mean, *rstd, *part1, *part2;  // [width]
    const Value *x, *dy;
    float* dz;  // [n], of floats that are not rounded yet

    ImageGradients(const NormShape& s, const NormArrays& a, int64_t image, int64_t width, float* own, const Value* xs,
                   const Value* dys, float* dz)
        : s(s), a(a), k{s, a, image}, image(image), width(width), n(s.spatial * s.channels),
          in_group(s.channels / s.groups), A(own), B(own + width), S1(own + 2 * width), S2(own + 3 * width),
          mean(own + 4 * width), rstd(own + 5 * width), part1(own + 6 * width), part2(own + 7 * width),
          x(xs + image * n), dy(dys + image * n), dz(dz) {}

    // dz, and S1 and S2 of each channel in part1 and part2.
    void sums() {
        k.affine(A, B, width);
        for (int64_t c = 0; c < s.channels; c++) {
            mean[c] = k.mean(c);
            rstd[c] = a.rstd[image * s.groups + c / in_group];
        }
        repeat(mean, width, s.channels);
        repeat(rstd, width, s.channels);
        clear(S1, width);
        clear(S2, width);
        in_whole_rows(n, width, [&](auto zero, int64_t i, int64_t j) {
            using T = decltype(zero);
            T value = get<T>(x + i), d = get<T>(dy + i);
            if (s.silu) {
                T z = value * get<T>(A + j) + get<T>(B + j), sigmoid = 1.0f / (1.0f + exp(-z));
                d *= sigmoid * (1.0f + z * (1.0f - sigmoid));
                put(dz + i, d);
            }
            add(S1 + j, d);
            add(S2 + j, d * ((value - get<T>(mean + j)) * get<T>(rstd + j)));
        });
        for (int64_t c = 0; c < s.channels; c++) {
            part1[c] = static_cast<float>(fold(S1, width, s.channels, c, 1));
            part2[c] = static_cast<float>(fold(S2, width, s.channels, c, 1));
        }
    }

    // Of gain and bias the part of this image, and of its conditions, unless null.
    void of_channels(float* dgamma, float* dbeta, float* dscale, float* dshift) const {
        for (int64_t c = 0; c < s.channels; c++) {
            dgamma[c] = k.scale(c) * part2[c];
            dbeta[c] = k.scale(c) * part1[c];
            if (dscale) {
                dscale[image * s.channels + c] = k.gamma(c) * part2[c] + k.beta(c) * part1[c];
                dshift[image * s.channels + c] = part1[c];
            }
        }
    }

    // dx = P dz + Q x + R, plus before and more unless null; its sums go to doffset unless null.
    void of_pixels(const Value* before, const Value* more, Value* dx, float* doffset) {
        float *P = A, *Q = B, *R = S1, *sum = doffset ? S2 : nullptr;
        for (int64_t g = 0; g < s.groups; g++) {
            float M1 = 0, M2 = 0, m = static_cast<float>(s.spatial * in_group);
            for (int64_t c = g * in_group; c < (g + 1) * in_group; c++) {
                M1 += k.gamma(c) * k.scale(c) * part1[c];
                M2 += k.gamma(c) * k.scale(c) * part2[c];
            }
            M1 /= m;
            M2 /= m;
            float r = a.rstd[image * s.groups + g];
            for (int64_t c = g * in_group; c < (g + 1) * in_group; c++) {
                P[c] = r * k.gamma(c) * k.scale(c);
                Q[c] = -r * r * M2;
                R[c] = r * (k.mean(c) * r * M2 - M1);
            }
        }
        repeat(P, width, s.channels);
        repeat(Q, width, s.channels);
        repeat(R, width, s.channels);
        clear(S2, width);
        auto gradient = [&](auto zero, int64_t i, int64_t j) {
            using T = decltype(zero);
            T d = s.silu ? get<T>(dz + i) : get<T>(dy + i);
            return d * get<T>(P + j) + get<T>(x + i) * get<T>(Q + j) + get<T>(R + j);
        };
        if (!before && !sum) {
            in_whole_rows(n, width, [&](auto zero, int64_t i, int64_t j) { put(dx + i, gradient(zero, i, j)); });
            return;
        }
        in_whole_rows(n, width, [&](auto zero, int64_t i, int64_t j) {
            using T = decltype(zero);
            T d = gradient(zero, i, j);
            if (sum) add(sum + j, d);
            if (more) d = d + (get<T>(before + i) + get<T>(more + i));
            else if (before) d = d + get<T>(before + i);
            put(dx + i, d);
        });
        if (sum)
            for (int64_t c = 0; c < s.channels; c++)
                doffset[image * s.channels + c] = static_cast<float>(fold(sum, width, s.channels, c, 1));
    }
};

}  // namespace

// Eight vectors of one width for each thread, two of one channel each for each image, and an image for each thread.
int64_t norm_workspace(const NormShape& s) {
    return omp_get_max_threads() * (8 * rows_width(s.channels) + s.spatial * s.channels) + s.n * 2 * s.channels;
}

void group_norm(const NormShape& given, const NormArrays& a, const Value* xs, Value* y, float* workspace) {
    NormShape s = in_vectors(given, a);
    int64_t width = rows_width(s.channels), n = s.spatial * s.channels, in_group = s.channels / s.groups;
    double m = static_cast<double>(s.spatial * in_group);
#pragma omp parallel for schedule(static) if (s.n * n > kSerial)
    for (int64_t image = 0; image < s.n; image++) {
        float* own = workspace + omp_get_thread_num() * 8 * width;
        float *sum = own, *A = own + width, *B = own + 2 * width;
        const Value* x = xs + image * n;
        clear(sum, width);
        add_rows(x, n, width, sum);
        Coefficients k{s, a, image};
        for (int64_t g = 0; g < s.groups; g++) {
            double total = fold(sum, width, s.channels, g * in_group, in_group);
            for (int64_t c = g * in_group; c < (g + 1) * in_group; c++) total += static_cast<double>(k.offset(c)) * s.spatial;
            a.mean[image * s.groups + g] = static_cast<float>(total / m);
            for (int64_t c = g * in_group; c < (g + 1) * in_group; c++) A[c] = k.mean(c);
        }
        repeat(A, width, s.channels);
        clear(sum, width);
        in_whole_rows(n, width, [&](auto zero, int64_t i, int64_t j) {
            using T = decltype(zero);
            T d = get<T>(x + i) - get<T>(A + j);
            add(sum + j, d * d);
        });
        for (int64_t g = 0; g < s.groups; g++) {
            double variance = fold(sum, width, s.channels, g * in_group, in_group) / m;
            a.rstd[image * s.groups + g] =
                static_cast<float>(static_cast<double>(1.0L) / __builtin_sqrt(variance + static_cast<double>(s.eps)));
        }
        k.affine(A, B, width);
        Value* to = y + image * n;
        in_whole_rows(n, width, [&](auto zero, int64_t i, int64_t j) {
            using T = decltype(zero);
            T z = get<T>(x + i) * get<T>(A + j) + get<T>(B + j);
            put(to + i, s.silu ? z / (1.0f + exp(-z)) : z);
        });
    }
}

void group_norm_backward(const NormShape& given, const NormArrays& a, const Value* xs, const Value* dy, const Value* before,
                         const Value* more, Value* dx, float* doffset, float* dgamma, float* dbeta, float* dscale, float* dshift,
                         float* workspace) {
    NormShape s = in_vectors(given, a);
    int64_t width = rows_width(s.channels), n = s.spatial * s.channels;
    float* partial = workspace + omp_get_max_threads() * 8 * width;  // [n, 2, channels]: of dgamma, of dbeta
    float* gradients = partial + s.n * 2 * s.channels;
#pragma omp parallel for schedule(static) if (s.n * n > kSerial)
    for (int64_t image = 0; image < s.n; image++) {
        Value* to = dx + image * n;
        float* own = workspace + omp_get_thread_num() * 8 * width;
        float* dz = as_floats(to) ? as_floats(to) : gradients + omp_get_thread_num() * n;
        float *of_gamma = partial + image * 2 * s.channels, *of_beta = of_gamma + s.channels;
        ImageGradients one(s, a, image, width, own, xs, dy, dz);
        one.sums();
        one.of_channels(of_gamma, of_beta, dscale, dshift);
        one.of_pixels(before ? before + image * n : nullptr, more ? more + image * n : nullptr, to, doffset);
    }
    if (!dgamma) return;
    for (int64_t c = 0; c < s.channels; c++) {
        double of_gamma = 0, of_beta = 0;
        for (int64_t image = 0; image < s.n; image++) {
            of_gamma += static_cast<double>(partial[image * 2 * s.channels + c]);
            of_beta += static_cast<double>(partial[(image * 2 + 1) * s.channels + c]);
        }
        dgamma[c] = static_cast<float>(of_gamma);
        dbeta[c] = static_cast<float>(of_beta);
    }
}

}  // namespace VARIANT
}  // namespace ddpm
