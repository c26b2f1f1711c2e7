/**
 * <b>7 Training.</b> How does a network get from random numbers to a model, on a real machine that may be stopped at any
 * moment?
 *
 * <p>In reading order: {@link ddpm.train.Training}, the state and the one step that changes it;
 * {@link ddpm.train.Trainer}, the loop around it; {@link ddpm.train.Checkpoint}, the state as files;
 * {@link ddpm.train.Setting}, {@link ddpm.train.Preset} and {@link ddpm.train.Settings}, what can be chosen;
 * {@link ddpm.train.RunFolder} and {@link ddpm.train.RunOutput}, what is left behind; {@link ddpm.train.Sampling};
 * {@link ddpm.train.Interrupts}.
 *
 * <p>Invariants: N steps, a stop, and N more are 2N steps bit for bit, in the middle of an epoch too, on the processor
 * with the same number of threads; an update that would write Inf or NaN is not applied; drawing samples never changes
 * the course of training; a run's folder is never overwritten.
 *
 * <p>Not here, because: mathematics is in chapters 3 to 6, files in {@link ddpm.io}, pictures in {@link ddpm.report}.
 */
package ddpm.train;
