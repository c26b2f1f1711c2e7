package ddpm.report;

import ddpm.io.WholeFile;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/**
 * An 8-bit image, grey (1 channel) or RGB (3), row-major, channels last.
 *
 * @param width in pixels
 * @param height in pixels
 * @param channels 1 or 3
 * @param pixels [height, width, channels], unsigned
 */
public record Picture(int width, int height, int channels, byte[] pixels) {
    public Picture {
        if (channels != 1 && channels != 3)
            throw new IllegalArgumentException("a picture has 1 or 3 channels, not " + channels);
        if (pixels.length != width * height * channels)
            throw new IllegalArgumentException("a picture of " + width + "x" + height + "x" + channels + " needs "
                    + width * height * channels + " bytes, not " + pixels.length);
    }

    /**
     * Image number {@code index} of a batch [N,H,W,C] in [−1, 1]: {@code round((v + 1) · 127.5)}, clamped to 0 … 255.
     *
     * @throws IllegalArgumentException when a value is not a number
     */
    public static Picture of(float[] batch, int index, int height, int width, int channels) {
        byte[] pixels = new byte[height * width * channels];
        for (int i = 0, from = index * pixels.length; i < pixels.length; i++) {
            float v = batch[from + i];
            if (Float.isNaN(v)) throw new IllegalArgumentException("image " + index + " holds NaN and cannot be shown");
            pixels[i] = (byte) Math.round((Math.max(-1, Math.min(1, v)) + 1) * 127.5f);
        }
        return new Picture(width, height, channels, pixels);
    }

    /** A picture of one colour. */
    public static Picture blank(int width, int height, int channels, int value) {
        byte[] pixels = new byte[width * height * channels];
        java.util.Arrays.fill(pixels, (byte) value);
        return new Picture(width, height, channels, pixels);
    }

    /** Every pixel as a square of {@code factor} × {@code factor}. */
    public Picture enlarged(int factor) {
        Picture large = blank(width * factor, height * factor, channels, 0);
        for (int y = 0; y < large.height; y++)
            for (int x = 0; x < large.width; x++)
                for (int c = 0; c < channels; c++)
                    large.pixels[(y * large.width + x) * channels + c] = (byte) value(x / factor, y / factor, c);
        return large;
    }

    /** Copies {@code other} into this picture with its upper left corner at (x, y). */
    void paste(Picture other, int x, int y) {
        for (int row = 0; row < other.height; row++)
            System.arraycopy(
                    other.pixels,
                    row * other.width * channels,
                    pixels,
                    ((y + row) * width + x) * channels,
                    other.width * channels);
    }

    /** Channel c of a pixel, 0 … 255. */
    public int value(int x, int y, int c) {
        return pixels[(y * width + x) * channels + c] & 0xff;
    }

    /** For ImageIO. */
    BufferedImage toBufferedImage() {
        BufferedImage image = new BufferedImage(
                width, height, channels == 1 ? BufferedImage.TYPE_BYTE_GRAY : BufferedImage.TYPE_INT_RGB);
        if (channels == 1) {
            image.getRaster().setDataElements(0, 0, width, height, pixels);
        } else {
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++)
                    image.setRGB(x, y, value(x, y, 0) << 16 | value(x, y, 1) << 8 | value(x, y, 2));
        }
        return image;
    }

    /** The picture as a PNG file's bytes. */
    public byte[] toPng() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            ImageIO.write(toBufferedImage(), "png", bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    /** Writes a PNG file, whole or not at all. */
    public void writePng(Path file) throws IOException {
        WholeFile.write(file, toPng());
    }
}
