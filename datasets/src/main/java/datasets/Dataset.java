package datasets;

/**
 * A finite, indexed set of equally sized 8-bit images, perhaps with a class label each.
 *
 * <pre>x[h, w, c] = v[h, w, c] · 2/255 − 1        v in 0..255,  x in [−1, 1],  channels last</pre>
 *
 * Reading image i twice gives the same bytes; an implementation may be read from several threads at once. The loaders of
 * this package hold all pixels in memory; an own implementation may compute or fetch them.
 */
public interface Dataset {
    /** A short key, fit for a folder name: {@code fashion}, {@code mnist}, {@code kmnist}, {@code cifar10}, or the user's folder. */
    String name();

    /** One line for the screen: what was found, how many x CxHxW, where, and what a fuller set would need. */
    String description();

    /** Number of images, at least 1. */
    int size();

    /** Height of every image in pixels. */
    int height();

    /** Width of every image in pixels. */
    int width();

    /** 1 (grey) or 3 (red, green, blue). */
    int channels();

    /** The class of image i, 0-based; −1 if it has none. */
    int label(int i);

    /** A copy of image i: height · width · channels bytes, [H,W,C], unsigned. */
    byte[] pixels(int i);

    /**
     * Writes image i as [H,W,C] floats in [−1, 1] to {@code target[offset ..]}.
     *
     * @param flipHorizontally mirror left and right: x'[h, w, c] = x[h, W−1−w, c]
     */
    void read(int i, float[] target, int offset, boolean flipHorizontally);

    /**
     * Identity of the images, for the record of a run: SHA-256 in hex. For IDX the uncompressed image file, which is the
     * number others publish; otherwise the big-endian ints (n, H, W, C) followed by all pixels, [N,H,W,C]. A set that is
     * resized after it was read keeps its source's, since the size is a setting of the run; labels do not count.
     */
    String sha256();

    /** Values of one image: height · width · channels. */
    default int values() {
        return height() * width() * channels();
    }

    /**
     * A set from an array, for tests and synthetic data.
     *
     * @param pixels [N,H,W,C] unsigned bytes, kept, not copied
     * @param labels one per image, or null
     */
    static Dataset of(String name, int height, int width, int channels, byte[] pixels, int[] labels) {
        if (height < 1 || width < 1 || (channels != 1 && channels != 3)) {
            throw new DatasetException(name + ": images of " + channels + "x" + height + "x" + width
                    + ": expected 1 or 3 channels and sides of at least 1");
        }
        int values = height * width * channels;
        if (pixels.length == 0 || pixels.length % values != 0) {
            throw DatasetException.malformed(
                    name, "pixels", "a positive multiple of " + values, pixels.length + " bytes");
        }
        int size = pixels.length / values;
        if (labels != null && labels.length != size) {
            throw DatasetException.malformed(name, "labels", size, labels.length);
        }
        return new InMemoryDataset(name, new Extent(size, height, width, channels), pixels, labels);
    }
}
