// What this machine can do at most: fused multiply-adds, bfloat16 dot products, copying. Prints "name value" lines in
// GFLOP/s and GB/s; every figure is the best of many samples, on OMP_NUM_THREADS threads.
#include <immintrin.h>
#include <omp.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The best rate of `work` units a run over half a second.
template <typename Body>
double best(double work, Body body) {
  body();
  double rate = 0;
  for (double end = seconds() + 0.5; seconds() < end;) {
    double begin = seconds();
    body();
    rate = std::max(rate, work / (seconds() - begin));
  }
  return rate;
}

constexpr int rounds = 1 << 20;
constexpr int chains = 12;  // latency 4 or 5 times 2 units, with room
volatile float sink[64];  // read by nobody, so nothing may be left out

// clang or gcc keep `chains` independent accumulators in registers.
__attribute__((target("avx2,fma"))) void fma_avx2(float seed) {
  __m256 a[chains], x = _mm256_set1_ps(seed), y = _mm256_set1_ps(1e-9f);
  for (int i = 0; i < chains; i++) a[i] = _mm256_set1_ps(seed + i);
  for (int r = 0; r < rounds; r++)
#pragma GCC unroll 12
    for (int i = 0; i < chains; i++) a[i] = _mm256_fmadd_ps(a[i], x, y);
  for (int i = 1; i < chains; i++) a[0] = _mm256_add_ps(a[0], a[i]);
  sink[omp_get_thread_num() % 64] = _mm256_cvtss_f32(a[0]);
}

__attribute__((target("avx512f"))) void fma_avx512(float seed) {
  __m512 a[chains], x = _mm512_set1_ps(seed), y = _mm512_set1_ps(1e-9f);
  for (int i = 0; i < chains; i++) a[i] = _mm512_set1_ps(seed + i);
  for (int r = 0; r < rounds; r++)
#pragma GCC unroll 12
    for (int i = 0; i < chains; i++) a[i] = _mm512_fmadd_ps(a[i], x, y);
  for (int i = 1; i < chains; i++) a[0] = _mm512_add_ps(a[0], a[i]);
  sink[omp_get_thread_num() % 64] = _mm512_cvtss_f32(a[0]);
}

__attribute__((target("avx512f,avx512bf16"))) void dot_bf16(float seed) {
  __m512 a[chains];
  __m512bh x = (__m512bh)_mm512_set1_ps(seed), y = (__m512bh)_mm512_set1_ps(1e-9f);
  for (int i = 0; i < chains; i++) a[i] = _mm512_set1_ps(seed + i);
  for (int r = 0; r < rounds; r++)
#pragma GCC unroll 12
    for (int i = 0; i < chains; i++) a[i] = _mm512_dpbf16_ps(a[i], x, y);
  for (int i = 1; i < chains; i++) a[0] = _mm512_add_ps(a[0], a[i]);
  sink[omp_get_thread_num() % 64] = _mm512_cvtss_f32(a[0]);
}

template <typename Kernel>
double flops(int lanes, Kernel kernel) {
  double work = 2.0 * lanes * chains * rounds * omp_get_max_threads();
  return best(work, [&] {
    volatile float seed = 0.999f;
#pragma omp parallel
    kernel(seed);
  });
}

}  // namespace

int main() {
  std::printf("threads %d\n", omp_get_max_threads());
  bool wide = __builtin_cpu_supports("avx512f");
  if (wide)
    std::printf("fma_gflops %.1f\n", flops(16, fma_avx512) * 1e-9);
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    std::printf("fma_gflops %.1f\n", flops(8, fma_avx2) * 1e-9);
  if (__builtin_cpu_supports("avx512bf16")) std::printf("bf16_gflops %.1f\n", flops(32, dot_bf16) * 1e-9);

  constexpr size_t bytes = size_t(256) << 20;
  char* from = static_cast<char*>(std::aligned_alloc(4096, bytes));
  char* to = static_cast<char*>(std::aligned_alloc(4096, bytes));
  size_t part = bytes / omp_get_max_threads() / 64 * 64;
  auto each = [&](auto body) {
#pragma omp parallel
    body(from + part * omp_get_thread_num(), to + part * omp_get_thread_num());
  };
  each([&](char* a, char* b) { std::memset(a, 1, part), std::memset(b, 1, part); });
  double moved = 2.0 * part * omp_get_max_threads();
  std::printf("copy_gbs %.1f\n", 1e-9 * best(moved, [&] {
    each([&](const char* a, char* b) { std::memcpy(b, a, part); });
  }));
  std::free(from);
  std::free(to);
}
