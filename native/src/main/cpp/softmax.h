// Softmax along the middle axis of x [outer, length, inner], f32.
#pragma once
#include <cstdint>

namespace ddpm {

struct Stack {
    int64_t outer, length, inner;
};

void softmax(const Stack& s, const float* x, float* y);
void softmax_backward(const Stack& s, const float* y, const float* dy, float* dx);

}  // namespace ddpm
