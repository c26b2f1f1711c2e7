/**
 * <h2>2 Backends</h2>
 *
 * <p><b>Who computes, and what must everyone who computes agree on?</b>
 *
 * <p>{@link tensor.backend.Backend} is the whole contract between mathematics and silicon: some thirty calls in five
 * groups. What a backend remembers between them, such as plans for shapes and filters in another layout, saves time and changes
 * no result. The caller allocates outputs, and a call fills them:
 *
 * <pre>binary(MUL, a, b, y)          y ← a · b, broadcast
 * matmul(ta, tb, a, b, bias, y) y ← op(a) · op(b) + bias
 * conv2d(p, x, w, bias, z, y)   y[n,p,q,k] ← bias[k] + z[n,p,q,k] + Σ_{r,s,c} w[k,r,s,c] · x[n, p·stride + r − top, q·stride + s − left, c]</pre>
 *
 * A call exists because a library has a better kernel for it, or because a measurement says that composing it from the
 * others costs too much. Everything else is composed: nearest upsampling, unless a convolution follows, is a copy with a
 * stride of 0, a 1x1 convolution a {@code matmul}, concatenation two copies. There are no default implementations, since a default hides a slow path.
 *
 * <p>Pointwise mathematics is a table. One row of {@link tensor.backend.UnaryOp} or {@link tensor.backend.BinaryOp} is the
 * function for Java and its text for C; the rows ending in {@code _GRAD} are its derivatives, checked by differences.
 *
 * <p>{@code reference} is the definition, in double and in plain loops ({@link tensor.backend.reference}). Every other
 * backend is held against it, call by call, on awkward shapes, with an error bound that grows with the root of the number
 * of terms. Randomness obeys the same rule: a draw is a function of seed and position ({@link tensor.backend.Philox}).
 *
 * <h3>Reading order</h3>
 *
 * {@link tensor.backend.Backend}; {@link tensor.backend.UnaryOp}, {@link tensor.backend.BinaryOp},
 * {@link tensor.backend.ReduceOp}, {@link tensor.backend.Special}; {@link tensor.backend.Region};
 * {@link tensor.backend.Distribution}, {@link tensor.backend.Philox}; {@link tensor.backend.Conv2dParams},
 * {@link tensor.backend.NormParams}, {@link tensor.backend.AttentionParams}, {@link tensor.backend.AdamParams};
 * {@link tensor.backend.Checks}, {@link tensor.backend.Backends}.
 *
 * <h3>What always holds</h3>
 *
 * <ul>
 *   <li>Arguments are checked in Java before any crossing ({@link tensor.backend.Checks}); native code may trust them.
 *   <li>Only pointwise outputs may share memory with inputs.
 *   <li>Sums have a fixed order: the same call gives the same bits on the same backend with the same number of threads. With any
 *       other it does so as well, unless a library makes the sum: oneDNN's products and convolutions may depend on it.
 *   <li>{@code auto} says what it took and what it refused; a backend asked for by name never falls back.
 * </ul>
 *
 * <h3>Example (test {@code ChapterTest.backends})</h3>
 *
 * <pre>{@code
 * Backends.Choice choice = Backends.open("auto");
 * System.out.println(choice.explanation()); // backend …: what it is; not …: why
 * try (Backend backend = choice.backend();
 *         Scope scope = Scope.open("example")) {
 *     Tensor a = Tensor.of(backend, Shape.of(2, 2), 1, 2, 3, 4);
 *     Tensor b = Tensor.of(backend, Shape.of(2, 2), 5, 6, 7, 8);
 *     Tensor y = a.emptyLike();
 *     backend.matmul(false, false, a, b, null, y); // 19 22 / 43 50
 * }
 * }</pre>
 *
 * <h3>Not here</h3>
 *
 * Derivatives as a concept: {@code conv2dBackwardData} is here because a library computes it, but which pullback belongs to
 * which op is chapter 3. Fallbacks inside a call: a backend that cannot do something fails when it is opened.
 *
 * <p>Next: {@link tensor.backend.reference}, then chapter 3, {@code autograd}: reverse mode.
 */
package tensor.backend;
