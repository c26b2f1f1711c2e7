/**
 * <b>The programs.</b> {@link ddpm.Train}, {@link ddpm.Sample}, {@link ddpm.Edit}, {@link ddpm.Evaluate},
 * {@link ddpm.TrainClassifier}, {@link ddpm.Visualize}, {@link ddpm.Export}, {@link ddpm.Doctor}: command
 * lines over the chapters below, with one way to fail (a sentence and an exit code, see {@code Failure}).
 *
 * <p>The chapters: {@link ddpm.diffusion} (5), {@link ddpm.unet} (6), {@link ddpm.train} (7) with {@link ddpm.io} (7a),
 * {@link ddpm.report} (7b), {@link ddpm.exchange} (7c) and {@link ddpm.evaluate} (7d).
 */
package ddpm;
