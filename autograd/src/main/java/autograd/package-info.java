/**
 * <b>3 Reverse mode.</b> How do derivatives arise?
 *
 * <p>A program that computes a number L from arrays is a list of steps y = f(x₁, x₂, …). Write x̄ for dL/dx. The chain
 * rule says that each step turns ȳ into contributions to its inputs,
 *
 * <pre>x̄ₖ += Jₖᵀ ȳ      Jₖ = ∂f/∂xₖ</pre>
 *
 * and since a step needs ȳ whole before it can pass anything on, going through the list backwards gives every
 * derivative at the cost of about two forward passes, however many inputs there are. Nobody forms Jₖ: each
 * {@link autograd.Op} brings the function ȳ ↦ Jₖᵀ ȳ with it, its {@link autograd.Pullback}, as a lambda that has
 * captured what it needs. The tape does the "+=", when the sum is asked for, unless a pullback can do it in the pass that
 * computes its contribution ({@link autograd.Pullback.Adding}).
 *
 * <p>In reading order: {@link autograd.Op} and {@link autograd.Pullback}; {@link autograd.Variable};
 * {@link autograd.Tape}, the list and its reverse sweep; {@link autograd.Gradients}, the result. Then
 * {@link autograd.ops}, one file for each op, and {@link autograd.check}, which proves them.
 *
 * <p>Invariants: no op handles broadcasting, the tape sums every gradient to its input's shape; a tensor that was handed
 * out as a gradient is never written to; without an open tape nothing is noted and nothing is kept.
 *
 * <pre>{@code
 * Variable w = Variable.leaf(Tensor.of(backend, DType.F64, Shape.of(1), 3));
 * try (Tape tape = Tape.start()) {
 *     Variable y = Add.add(Mul.mul(w, w), Scale.scale(w, 5));      // w² + 5 w
 *     tape.backward(Sum.sum(y)).of(w);                             // 2 w + 5 = 11
 * }
 * }</pre>
 *
 * <p>Not here, because: derivatives of derivatives, which diffusion does not need; mutable {@code .grad} fields, which
 * one forgets to zero; graphs that are compiled, since libraries have the kernels. Next: chapter 4, {@link nn}.
 */
package autograd;
