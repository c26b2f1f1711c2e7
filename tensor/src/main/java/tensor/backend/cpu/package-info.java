/**
 * <h2>2 Backends, continued: the processor</h2>
 *
 * <p><b>How do the calls of a backend become fast on a CPU?</b>
 *
 * <p>Three ideas carry the speed. Images lie channels last, so the innermost loop of everything (a convolution, a norm, an
 * activation) runs over neighbouring channels, a vector at a time. Whatever depends on the shape alone is done once:
 *
 * <pre>plan(shape, threads) = oneDNN primitive + memory objects      call = addresses + execute ≈ 1 µs</pre>
 *
 * And whatever depends on a filter's values alone is done once per update: oneDNN wants filters in a layout of its own, so
 * a copy in that layout is kept beside the filter, valid for one {@linkplain tensor.memory.Buffer#version() version} of
 * its buffer.
 *
 * <p>A convolution of 1x1 pixels is a product of matrices and is computed as one: y [N·H·W, K] = x [N·H·W, C] · wᵀ; but where
 * the processor multiplies bf16 by itself (AVX512_BF16), the gradient of w in it, a sum over many pixels of few channels, is
 * our own loop ({@code kernels_pixels.cpp}). A convolution of 3x3 and stride 1, from 16 channels and 128 squares of 2x2 pixels
 * on and in bf16 on such processors only, is our own as well, with 36 products where the sum asks for 144 (Winograd's F(4x4,
 * 3x3), or in bf16 and where pixels are few F(2x2, 3x3): {@code kernels_winograd.cpp}). The weight gradient of a depthwise
 * convolution and the softmax gradient off the last axis are our own loops, because oneDNN's are 6 and 100 times slower there;
 * group norm and attention are our own because fusing them saves passes over memory, which is what they cost.
 *
 * <h3>Reading order</h3>
 *
 * {@link tensor.backend.cpu.CpuBackend}; {@code Layers}, the questions oneDNN is asked, and which convolutions it is not;
 * {@code FilterCopies}; {@code Norms} and {@code Updates}, whose kernels take many arguments; then the module {@code native}:
 * {@code nativelib.OneDnn}, {@code nativelib.Kernels} and their C++.
 *
 * <h3>What always holds</h3>
 *
 * <ul>
 *   <li>Every argument is checked before the crossing; native code trusts it.
 *   <li>Every output is marked {@linkplain tensor.memory.Buffer#written() written}; a filter written without it would be
 *       used as it was before.
 *   <li>A call has finished when it returns; memory released after it can be reused at once.
 *   <li>The same call gives the same bits on the same machine with the same number of threads.
 * </ul>
 *
 * <h3>Example (test {@code CpuBackendTest.theExampleOfTheChapter})</h3>
 *
 * <pre>{@code
 * try (Backend backend = CpuBackend.open(1);
 *         Scope scope = Scope.open("example")) {
 *     Tensor x = Tensor.of(backend, Shape.of(1, 1, 3, 1), 1, 2, 4); // an image of one row
 *     Tensor w = Tensor.of(backend, Shape.of(1, 1, 2, 1), -1, 1); // differences of neighbours
 *     Tensor y = x.empty(Shape.of(1, 1, 2, 1));
 *     backend.conv2d(Conv2dParams.of(1, 0), x, w, null, null, y);
 *     y.toFloats(); // [1, 2]
 * }
 * }</pre>
 *
 * <h3>Not here</h3>
 *
 * F64: it exists to check derivatives, which the reference does. Blocked activations: channels last is level with them, and
 * everything else can read it.
 *
 * <p>Next: chapter 3, {@code autograd}: reverse mode.
 */
package tensor.backend.cpu;
