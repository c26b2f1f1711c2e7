// What the arrays of a network hold, by variant: floats, or their upper halves.
#pragma once
#include <cstdint>

namespace ddpm {

// bfloat16: the upper half of a float, rounded to nearest even; NaN stays NaN. The same bits as tensor.DType.toBf16. The
// conversions are always inlined: they are compiled for several instruction sets, and the linker must not choose.
struct Bf16 {
    uint16_t bits;

    Bf16() = default;
    Bf16(const Bf16&) = default;
    __attribute__((always_inline)) Bf16& operator=(const Bf16& other) {
        bits = other.bits;
        return *this;
    }

    __attribute__((always_inline)) Bf16(float value) { *this = value; }

    // Written so that loops over it become vectors: no branch, and no temporary object that would be copied.
    __attribute__((always_inline)) Bf16& operator=(float value) {
        uint32_t whole;
        __builtin_memcpy(&whole, &value, 4);
        uint32_t rounded = (whole + 0x7fffu + (whole >> 16 & 1u)) >> 16, quiet = whole >> 16 | 0x40u;
        uint32_t is_nan = 0u - ((whole & 0x7fffffffu) > 0x7f800000u);  // all ones
        bits = static_cast<uint16_t>((quiet & is_nan) | (rounded & ~is_nan));
        return *this;
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
