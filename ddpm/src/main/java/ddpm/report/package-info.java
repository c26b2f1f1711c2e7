/**
 * <b>7b Showing a run.</b> How does a person see what training does?
 *
 * <p>Everything here takes plain numbers and writes files: it knows neither tensors nor models. Images arrive as
 * batches [N,H,W,C] of floats in [−1, 1] and become 8-bit {@link ddpm.report.Picture}s by rounding and clamping
 * (casting without clamping wraps noisy values round, one of the notebook's bugs). Files are written whole or not at
 * all ({@link ddpm.io.WholeFile}), but for those that grow by a line or an event each step.
 *
 * <p>In reading order: {@link ddpm.report.Picture}, {@link ddpm.report.ImageGrid}, {@link ddpm.report.AnimatedGif} with
 * its {@code Palette}; {@link ddpm.report.LinePlot}; {@link ddpm.report.MetricsCsv} and
 * {@link ddpm.report.TensorBoardWriter} for machines; {@link ddpm.report.ProgressLine} and
 * {@link ddpm.report.HalfBlocks} for terminals; {@link ddpm.report.HtmlReport} for afterwards.
 *
 * <pre>{@code
 * Picture grid = ImageGrid.square(ImageGrid.split(samples, 28, 28, 1));
 * grid.writePng(Path.of("grid.png"));
 * }</pre>
 *
 * <p>Not here, because: no text is ever drawn into a picture, since a Java without fonts would fail on it; plots are SVG
 * text. Nothing here decides when to report; that is {@link ddpm.train.Trainer}'s.
 */
package ddpm.report;
