/**
 * <b>4a Updates.</b> What is done with gradients? {@link optim.Updates} lines them up with their parameters, measures
 * their norm and finds the first that is not finite; an {@link optim.Optimizer} ({@link optim.Adam}, {@link optim.Sgd})
 * changes the parameters in place, Adam all of them in one call of the backend; {@link optim.LearningRate} is a function of
 * the step; {@link optim.Ema} keeps the averaged weights that images are drawn with.
 *
 * <pre>m ← β₁ m + (1 − β₁) g      v ← β₂ v + (1 − β₂) g²      w ← w − α m̂ / (√v̂ + ε)      w̄ ← d w̄ + (1 − d) w</pre>
 *
 * <p>Not here, because: optimizers do not own the parameters, do not clip on their own, and hold no schedule.
 */
package optim;
