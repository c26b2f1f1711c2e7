// Chooses among the variants of a kernel.
#pragma once
#include "isa.h"
#include "kernels.h"

namespace ddpm {

// An address that becomes whatever pointer is asked for: what lies there is known by the caller of the call.
struct Address {
    const void* at;

    template <class T>
    operator T*() const {
        return static_cast<T*>(const_cast<void*>(at));
    }
    explicit operator bool() const { return at; }
};

// The same for an array of addresses.
struct Addresses {
    const void* at;

    template <class T>
    operator T* const*() const {
        return static_cast<T* const*>(at);
    }
};

}  // namespace ddpm

// A kernel for floats, as this processor can.
#define CALL(kernel, ...) \
    (ddpm::isa() == ddpm::Isa::avx512 ? ddpm::avx512::kernel(__VA_ARGS__) : ddpm::avx2::kernel(__VA_ARGS__))

// A kernel for halves or floats; its arrays are given as Address.
#define CALL_FOR(half, kernel, ...) ((half) ? ddpm::bf16::kernel(__VA_ARGS__) : CALL(kernel, __VA_ARGS__))
