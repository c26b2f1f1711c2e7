#include "isa.h"

#include <cstdlib>
#include <cstring>

namespace ddpm {

// oneDNN's own variable, ONEDNN_MAX_CPU_ISA, holds our kernels back as well: AVX2 tries that half on a newer processor, and
// AVX512_CORE what a processor without AVX512_BF16 does. Either may have VNNI behind it.
static bool held_back_to(const char* name) {
    const char* most = std::getenv("ONEDNN_MAX_CPU_ISA");
    if (!most || std::strncmp(most, name, std::strlen(name)) != 0) return false;
    const char* rest = most + std::strlen(name);
    return *rest == '\0' || std::strncmp(rest, "_VNNI", 5) == 0;
}

static Isa detect() {
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return avx2 && avx512 && !held_back_to("AVX2") ? Isa::avx512 : avx2 ? Isa::avx2 : Isa::none;
}

Isa isa() {
    static const Isa found = detect();
    return found;
}

bool multiplies_halves() {
    static const bool found = isa() == Isa::avx512 && __builtin_cpu_supports("avx512bf16") &&
                              !held_back_to("AVX512_CORE");
    return found;
}

}  // namespace ddpm
