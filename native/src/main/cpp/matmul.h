// Products of matrices, row-major, batched.
#pragma once
#include "onednn_plan.h"

namespace ddpm {

// y [batch, m, n] = op(a) · op(b): op(a) [batch, m, inner], stored [.., inner, m] when ta; op(b) [batch, inner, n], stored
// [.., n, inner] when tb. A shared factor has no batch axis.
struct Product {
    int batch, m, n, inner;
    bool ta, tb, a_shared, b_shared;
};

// bias [n] or null.
void matmul(Type type, Product p, const void* a, const void* b, const void* bias, void* y);

}  // namespace ddpm
