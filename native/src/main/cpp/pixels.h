// 1x1 convolutions of stride 1 between few channels, as products over pixels (kernels_pixels.cpp). At least 16 channels on either
// side; halves ask for a processor that multiplies them (isa.h) and for even numbers of channels.
#pragma once
#include "convolution.h"

namespace ddpm {

void pixels(Type type, const Geometry& g, const void* x, const void* w, const void* bias, void* y);
void pixels_backward_data(Type type, const Geometry& g, const void* w, const void* dy, void* dx);
void pixels_backward_weights(Type type, const Geometry& g, const void* x, const void* dy, void* dw, void* dbias);

}  // namespace ddpm
