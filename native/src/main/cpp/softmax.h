// Softmax along the middle axis of x [outer, length, inner].
#pragma once
#include <cstdint>

#include "onednn_plan.h"

namespace ddpm {

struct Stack {
    int64_t outer, length, inner;
};

void softmax(Type type, const Stack& s, const void* x, void* y);
void softmax_backward(Type type, const Stack& s, const void* y, const void* dy, void* dx);

}  // namespace ddpm
