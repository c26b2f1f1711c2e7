package datasets;

/**
 * Some images of one epoch, ready for upload. Its arrays are recycled: they are valid until the next
 * {@link DataLoader#next()}, and always have room for a full batch; only the first {@link #count} images count.
 */
public final class Batch {
    private final float[] pixels;
    private final int[] labels;
    private int count;
    private long epoch;

    Batch(int capacity, int values) {
        this.pixels = new float[Math.multiplyExact(capacity, values)];
        this.labels = new int[capacity];
    }

    /** Reads order[start .. start+count−1] into this batch. */
    void fill(Dataset dataset, int[] order, int start, int count, DataLoader.State at, boolean randomFlips) {
        this.count = count;
        this.epoch = at.epoch();
        for (int b = 0; b < count; b++) {
            int i = order[start + b];
            labels[b] = dataset.label(i);
            boolean flip = randomFlips && Shuffle.flips(at.seed(), at.epoch(), start + b);
            dataset.read(i, pixels, b * dataset.values(), flip);
        }
    }

    /** [N,H,W,C] in [−1, 1], N = {@link #count}. */
    public float[] pixels() {
        return pixels;
    }

    /** Number of images: the batch size, or fewer at the end of an epoch. */
    public int count() {
        return count;
    }

    /** The class of each image, −1 for none. */
    public int[] labels() {
        return labels;
    }

    /** The pass over the data this batch belongs to, from 0. */
    public long epoch() {
        return epoch;
    }
}
