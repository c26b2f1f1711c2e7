// What the arrays of a network hold, by variant: floats, or their upper halves.
#pragma once
#include <cstdint>

namespace ddpm {

// bfloat16: the upper half of a float, rounded to nearest even; NaN stays NaN. The same bits as tensor.DType.toBf16. The
// conversions are always inlined: they are compiled for several instruction sets, and the linker must not choose.
struct Bf16 {
    uint16_t bits;

    Bf16() = default;

    __attribute__((always_inline)) Bf16(float value) {
        uint32_t whole;
        __builtin_memcpy(&whole, &value, 4);
        uint32_t rounded = (whole + 0x7fffu + (whole >> 16 & 1u)) >> 16;
        bits = static_cast<uint16_t>(value != value ? whole >> 16 | 0x40u : rounded);
    }

    __attribute__((always_inline)) operator float() const {
        uint32_t whole = static_cast<uint32_t>(bits) << 16;
        float value;
        __builtin_memcpy(&value, &whole, 4);
        return value;
    }
};

}  // namespace ddpm

// Declares the same kernels in the namespace of each variant: floats with AVX2, floats with AVX-512, halves with AVX-512.
#define DDPM_FOR_EACH_VARIANT(declarations) \
    DDPM_FOR_EACH_FLOAT_VARIANT(declarations) \
    namespace bf16 {                        \
    using Value = Bf16;                     \
    declarations                            \
    }

#define DDPM_FOR_EACH_FLOAT_VARIANT(declarations) \
    namespace avx2 {                        \
    using Value = float;                    \
    declarations                            \
    }                                       \
    namespace avx512 {                      \
    using Value = float;                    \
    declarations                            \
    }
