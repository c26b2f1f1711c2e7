/**
 * <b>3b Proof.</b> Why should anybody believe the derivatives? Because every op, in every awkward shape of
 * {@link autograd.check.OpCatalogue}, is held against difference quotients in double by
 * {@link autograd.check.GradientCheck}:
 *
 * <pre>⟨u, (f(x + h v) − f(x − h v)) / 2h⟩ = ⟨Jᵀ u, v⟩      for random u, v</pre>
 *
 * because an error planted in any gradient, a flipped sign or one per cent, is shown to be noticed, and because every
 * backend is then held against the reference on the same cases ({@link autograd.check.Parity}). Benchmarks read the cases,
 * too, which is why this package is not test code.
 */
package autograd.check;
