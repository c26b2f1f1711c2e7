/**
 * <h2>2 Backends, continued: the definition</h2>
 *
 * <p><b>What does each call mean, exactly?</b>
 *
 * <p>Here every call is a loop that can be read beside its formula. Elements are widened to double, all arithmetic is in
 * double, and each result is rounded once when it is stored:
 *
 * <pre>y = round(f(x))      |y − f(x)| ≤ 2⁻²⁴ · |f(x)| for F32, up to the error of double itself</pre>
 *
 * so an F32 result is as close to the mathematics as F32 can be, which is what a definition must be for fast code to be
 * measured by. With F64 tensors the same lines give derivatives by differences to eight digits.
 *
 * <p>Loops are ordered for reading first. The heavy ones (products, convolutions, attention) run their innermost loop over
 * neighbouring elements and their outermost over threads; each output element is summed by one thread in the order of the
 * formula, so results are the same bits for any number of threads. On another machine the last bit of a double may differ where
 * Java lets it: in exp, log, sin, cos, tanh and pow. Fresh memory holds NaN: a value that nobody wrote shows.
 *
 * <h3>Reading order</h3>
 *
 * {@link tensor.backend.reference.ReferenceBackend}; then {@code Pointwise}, {@code Rows}, {@code Reduction},
 * {@code Movement}; {@code Matmul}, {@code Convolution}; {@code GroupNorm}, {@code Softmax}, {@code Heads},
 * {@code Attention}, {@code LinearAttention}; {@code Updates}; {@code ArrayBlock}.
 *
 * <h3>What always holds</h3>
 *
 * <ul>
 *   <li>A call is check, unpack, compute: no state, no cache, no shape-dependent path.
 *   <li>Backward calls read only what {@link tensor.backend.Backend} says they are given.
 * </ul>
 *
 * <h3>Example (test {@code ChapterTest.theDefinition})</h3>
 *
 * <pre>{@code
 * try (Backend backend = new ReferenceBackend();
 *         Scope scope = Scope.open("example")) {
 *     Tensor x = Tensor.of(backend, Shape.of(3), 1e8f, 1, -1e8f);
 *     x.sum().item(); // 1: float alone would say 0
 *     Tensor.empty(backend, DType.F32, Shape.of(1)).item(); // NaN
 * }
 * }</pre>
 *
 * <h3>Not here</h3>
 *
 * Blocking, vector instructions, fused passes: they belong to the backends that are held against this one.
 *
 * <p>Next: chapter 3, {@code autograd}: reverse mode.
 */
package tensor.backend.reference;
