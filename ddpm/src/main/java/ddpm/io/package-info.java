/**
 * <b>7a Files that survive.</b> How is the state of a run kept, so that nothing acknowledged is ever lost and nothing
 * damaged is ever taken for whole?
 *
 * <p>Weights are exchanged as safetensors: a header in JSON, then plain arrays. {@link ddpm.io.SafetensorsFile} checks
 * everything in the header before it allocates anything, and {@link ddpm.io.SafetensorsWriter} adds a checksum for each
 * tensor, so that every flipped bit is found. {@link ddpm.io.CheckpointDirectory} makes a checkpoint appear in one
 * step, by renaming a folder, and {@link ddpm.io.WholeFile} a single file; {@link ddpm.io.RunLock} keeps two processes
 * apart; {@link ddpm.io.Json} is the strict parser under all of them; {@link ddpm.io.FileTrouble} says what failed.
 *
 * <p>Invariants: a checkpoint folder without the prefix {@code .tmp-} is complete; what {@code commit} has returned from
 * is on disk; the same content gives the same bytes; names in files are data and never become paths.
 *
 * <pre>{@code
 * SafetensorsWriter weights = new SafetensorsWriter().add("w", new int[] {2}, () -> new float[] {1, 2});
 * new CheckpointDirectory(run.resolve("checkpoints")).commit("step-000001", Map.of("model.safetensors", weights::write), 2);
 * }</pre>
 *
 * <p>Not here, because: pickle is not read in Java, a pickle runs code; what the tensors mean is
 * {@link ddpm.train.Checkpoint}'s business.
 */
package ddpm.io;
