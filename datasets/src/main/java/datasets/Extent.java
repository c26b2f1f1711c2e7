package datasets;

import java.util.Locale;

/** How many images of which size: N images [H,W,C] of bytes. The one place where "does it fit?" is asked. */
record Extent(int size, int height, int width, int channels) {
    /** A Java array holds at most 2³¹ − 1 elements; a few less on some virtual machines. */
    private static final long LARGEST_ARRAY = Integer.MAX_VALUE - 16;

    /** N·H·W·C. */
    long bytes() {
        return (long) size * height * width * channels;
    }

    /** Refuses, before anything is allocated, what one Java array or three quarters of this heap cannot hold. */
    Extent expectToFit(String path) {
        long heap = Runtime.getRuntime().maxMemory() / 4 * 3;
        if (bytes() > LARGEST_ARRAY) {
            throw new DatasetException(String.format(
                    Locale.ROOT,
                    "%s: %s are %,d bytes, and one set holds at most %,d: use fewer or smaller images",
                    path,
                    this,
                    bytes(),
                    LARGEST_ARRAY));
        }
        if (bytes() > heap) {
            throw new DatasetException(String.format(
                    Locale.ROOT,
                    "%s: %s are %,d bytes, and this Java heap leaves %,d: raise -Xmx, or use fewer or smaller images",
                    path,
                    this,
                    bytes(),
                    heap));
        }
        return this;
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%,d x %dx%dx%d", size, channels, height, width);
    }
}
