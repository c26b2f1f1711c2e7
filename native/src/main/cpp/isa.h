// Which of the two compilations of the kernels runs here.
#pragma once

namespace ddpm {

enum class Isa { none, avx2, avx512 };

// Decided once from what the processor and the system support.
Isa isa();

}  // namespace ddpm
