// All kernels in one module. With KERNELS_BF16 the storage type T is bfloat16, else float.
#include "pointwise.cu"
#include "movement.cu"
#include "reduce.cu"
#include "random.cu"
#include "norm.cu"
#include "attention.cu"
#include "depthwise.cu"
#include "update.cu"
