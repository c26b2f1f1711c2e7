package datasets;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Objects;

/** All pixels in one array, [N,H,W,C]. The only {@link Dataset} of this package: what differs is who fills the array. */
final class InMemoryDataset implements Dataset {
    /** v ↦ v · 2/255 − 1, computed in double and cast once. */
    private static final float[] SCALED = new float[256];

    static {
        for (int v = 0; v < 256; v++) {
            SCALED[v] = (float) (v * 2 / 255.0 - 1);
        }
    }

    private final String name;
    private final String description;
    private final Extent extent;
    private final byte[] pixels;
    private final int[] labels;
    private final String sha256;

    private InMemoryDataset(
            String name, String description, Extent extent, byte[] pixels, int[] labels, String sha256) {
        this.name = name;
        this.description = description;
        this.extent = extent;
        this.pixels = pixels;
        this.labels = labels;
        this.sha256 = sha256;
    }

    /** Described by its extent. {@code labels} may be null. */
    InMemoryDataset(String name, Extent extent, byte[] pixels, int[] labels, String sha256) {
        this(name, name + ": " + extent, extent, pixels, labels, sha256);
    }

    /** The same, identified by its pixels. */
    InMemoryDataset(String name, Extent extent, byte[] pixels, int[] labels) {
        this(name, extent, pixels, labels, digest(extent, pixels));
    }

    InMemoryDataset describedAs(String line) {
        return new InMemoryDataset(name, line, extent, pixels, labels, sha256);
    }

    /** Every image covers side x side: shorter side scaled, centre cropped ({@link Resample}). The identity stays the source's. */
    InMemoryDataset resized(int side) {
        if (side == extent.height() && side == extent.width()) {
            return this;
        }
        Extent to = new Extent(extent.size(), side, side, extent.channels()).expectToFit(name);
        byte[] resized = new byte[(int) to.bytes()];
        for (int i = 0; i < to.size(); i++) {
            Resample.cover(
                    pixels(i),
                    extent.height(),
                    extent.width(),
                    extent.channels(),
                    resized,
                    i * to.height() * to.width() * to.channels(),
                    side,
                    side);
        }
        return new InMemoryDataset(
                name, description + ", resized to " + side + "x" + side, to, resized, labels, sha256);
    }

    private static String digest(Extent extent, byte[] pixels) {
        MessageDigest sha = Checksum.digest("SHA-256");
        sha.update(ByteBuffer.allocate(16)
                .putInt(extent.size())
                .putInt(extent.height())
                .putInt(extent.width())
                .putInt(extent.channels())
                .flip());
        return Checksum.hex(sha.digest(pixels));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public int size() {
        return extent.size();
    }

    @Override
    public int height() {
        return extent.height();
    }

    @Override
    public int width() {
        return extent.width();
    }

    @Override
    public int channels() {
        return extent.channels();
    }

    @Override
    public String sha256() {
        return sha256;
    }

    @Override
    public int label(int i) {
        Objects.checkIndex(i, size());
        return labels == null ? -1 : labels[i];
    }

    @Override
    public byte[] pixels(int i) {
        int start = Objects.checkIndex(i, size()) * values();
        return Arrays.copyOfRange(pixels, start, start + values());
    }

    @Override
    public void read(int i, float[] target, int offset, boolean flipHorizontally) {
        int from = Objects.checkIndex(i, size()) * values();
        Objects.checkFromIndexSize(offset, values(), target.length);
        if (!flipHorizontally) {
            for (int k = 0; k < values(); k++) {
                target[offset + k] = SCALED[pixels[from + k] & 0xFF];
            }
            return;
        }
        int width = width();
        int channels = channels();
        for (int row = 0; row < values(); row += width * channels) {
            for (int w = 0; w < width; w++) {
                for (int c = 0; c < channels; c++) {
                    target[offset + row + w * channels + c] =
                            SCALED[pixels[from + row + (width - 1 - w) * channels + c] & 0xFF];
                }
            }
        }
    }
}
