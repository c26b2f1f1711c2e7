/**
 * <h2>Before chapter 7 · Data: where do images come from?</h2>
 *
 * <p><b>The question.</b> Training wants one thing again and again: some images, as numbers, chosen at random. How do they
 * get from files of four different formats into a {@code float[]}, and how can the choice be random, fast and repeatable?
 *
 * <p><b>The idea.</b> A set of n images is one array of bytes, [N,H,W,C], channels last. Diffusion adds noise of mean 0 and
 * variance 1, so its images are centred too (Ho et al. 2020, section 3.3):
 *
 * <pre>x = v · 2/255 − 1             v in 0..255, x in [−1, 1]</pre>
 *
 * An epoch e is a permutation π_e of 0 .. n−1, cut into batches of B. Here chance has no state: π_e and the coin that mirrors
 * the image at position p are <em>functions</em> of (seed, e) and (seed, e, p), computed by mixing these numbers. What a batch
 * holds therefore depends on three numbers only:
 *
 * <pre>batch(seed, e, b) = { flip_p( image π_e[p] ) : b·B ≤ p &lt; min((b+1)·B, n) }</pre>
 *
 * So it does not matter which thread prepares it, how far ahead, or whether the process was killed in between: the position
 * of a run is (seed, e, b), and resuming there is exact.
 *
 * <p><b>Reading order.</b> {@link datasets.Dataset} (what a set is) → {@link datasets.Idx}, {@link datasets.Cifar10Binary},
 * {@link datasets.ImageFolder} (three formats) → {@link datasets.Datasets} (where they are looked for) →
 * {@link datasets.DataLoader} and {@link datasets.Batch} (how they are served). Behind them: {@code Payload} (read a file
 * that may lie), {@code TarReader}, {@code Picture} and {@code Resample} (any picture to H x W), {@code Shuffle} (chance
 * without a state), {@code Downloader} and {@code KnownSet} (published files and their checksums).
 *
 * <p><b>Invariants.</b>
 *
 * <ul>
 *   <li>Files are distrusted: header, caps, length, counts and checksum are settled by a first pass in constant memory,
 *       before the pixels are allocated. A {@link datasets.DatasetException} is one sentence with path, what, expected, found.
 *   <li>A damaged file is an error. It is never skipped, and never a reason to take other data silently.
 *   <li>Nothing is fetched unless asked for, and nothing from an archive is written to disk.
 *   <li>What identifies a set is the SHA-256 of its images' uncompressed bytes, whatever the labels: the same images packed
 *       anew have the same identity.
 *   <li>Equal (seed, epoch, batch) means equal floats, on every machine.
 * </ul>
 *
 * <p><b>Example</b> (kept true by {@code ChapterTest.oneEpochOfTheBundledImages}):
 *
 * <pre>{@code
 * Dataset fashion = Datasets.open("fashion");
 * System.out.println(fashion.description());            // Fashion-MNIST: 10,000 x 1x28x28 from bundled t10k-images-…
 * try (DataLoader loader = DataLoader.over(fashion, 128, 42).randomFlips(true).open()) {
 *     for (int b = 0; b < loader.batchesPerEpoch(); b++) {
 *         Batch batch = loader.next();
 *         step(batch.pixels(), batch.count());          // [N,28,28,1] in [−1, 1]
 *     }
 *     DataLoader.State position = loader.state();       // (42, 1, 0): the first batch of the next epoch
 * }
 * }</pre>
 *
 * <p><b>Not here, because</b> tensors: this package knows arrays only, so it can be read, tested and reused without the
 * engine. Sets larger than one Java array (2 GiB of pixels): the images of this project fit many times over. Crops, rotations,
 * colour jitter: the paper uses flips and nothing else.
 *
 * <p><b>Next chapter:</b> 7 Training, where batches meet the loss.
 */
package datasets;
