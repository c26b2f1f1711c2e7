// Which variant of the kernels for floats runs here; bfloat16 asks for AVX-512.
#pragma once

namespace ddpm {

enum class Isa { none, avx2, avx512 };

// Decided once from what the processor and the system support.
Isa isa();

// Whether the processor multiplies halves by itself (AVX512_BF16), and is not held back from it.
bool multiplies_halves();

}  // namespace ddpm
