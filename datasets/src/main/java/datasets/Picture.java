package datasets;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorConvertOp;
import java.awt.image.ColorModel;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import java.util.Set;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.FileImageInputStream;
import javax.imageio.stream.ImageInputStream;

/**
 * One decoded picture file: [height, width, 3], unsigned bytes, sRGB, transparency composited over white.
 *
 * <pre>v = (a · v + (255 − a) · 255) / 255</pre>
 *
 * Grey pictures are read from their raster, not through {@code getRGB}: Java takes stored grey values for linear light and
 * would brighten them (128 becomes 188). Of an animation the first frame counts; EXIF orientation is not applied.
 */
record Picture(int height, int width, byte[] rgb) {
    /** 64 million pixels: a large camera's, and 256 MB while it is being decoded. */
    private static final long MAX_PIXELS = 64_000_000;

    private static final Set<String> FORMATS = Set.of("png", "jpeg", "gif", "bmp");
    private static final int WHITE = 255;

    /**
     * Decodes a file by its content, whatever its name says; its size is checked before its pixels are touched.
     *
     * @throws DatasetException naming the file
     */
    static Picture read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new DatasetException(file + ": no such file");
        }
        try (ImageInputStream in = new FileImageInputStream(file.toFile())) {
            ImageReader reader = readerFor(file, in);
            try {
                reader.setInput(in, true, true);
                expectDecodable(file, reader.getWidth(0), reader.getHeight(0));
                return of(reader.read(0));
            } finally {
                reader.dispose();
            }
        } catch (DatasetException e) {
            throw e;
        } catch (IOException | RuntimeException e) { // the decoders of the JDK answer damage with almost any exception
            throw new DatasetException(file + ": cannot be decoded: expected an intact picture, found: " + e, e);
        }
    }

    private static ImageReader readerFor(Path file, ImageInputStream in) throws IOException {
        for (Iterator<ImageReader> readers = ImageIO.getImageReaders(in); readers.hasNext(); ) {
            ImageReader reader = readers.next();
            if (FORMATS.contains(reader.getFormatName().toLowerCase(Locale.ROOT))) {
                return reader;
            }
            reader.dispose();
        }
        throw DatasetException.malformed(file.toString(), "format", "PNG, JPEG, GIF or BMP", "none of them");
    }

    private static void expectDecodable(Path file, int width, int height) {
        if (width < 1 || height < 1 || (long) width * height > MAX_PIXELS) {
            throw DatasetException.malformed(
                    file.toString(), "size", "1.." + MAX_PIXELS + " pixels", width + "x" + height);
        }
    }

    static Picture of(BufferedImage image) {
        ColorModel model = image.getColorModel();
        boolean grey = model.getColorSpace().getType() == ColorSpace.TYPE_GRAY && !(model instanceof IndexColorModel);
        byte[] rgb = new byte[image.getHeight() * image.getWidth() * 3];
        if (grey) {
            grey(image, rgb);
        } else {
            colour(model.getColorSpace().isCS_sRGB() ? image : toSrgb(image), rgb);
        }
        return new Picture(image.getHeight(), image.getWidth(), rgb);
    }

    private static BufferedImage toSrgb(BufferedImage image) {
        return new ColorConvertOp(null)
                .filter(image, new BufferedImage(image.getWidth(), image.getHeight(), BufferedImage.TYPE_INT_ARGB));
    }

    private static void colour(BufferedImage image, byte[] rgb) {
        int width = image.getWidth();
        int[] row = new int[width];
        for (int h = 0; h < image.getHeight(); h++) {
            image.getRGB(0, h, width, 1, row, 0, width);
            for (int w = 0; w < width; w++) {
                int alpha = row[w] >>> 24;
                for (int c = 0; c < 3; c++) {
                    rgb[(h * width + w) * 3 + c] = overWhite(row[w] >>> (16 - 8 * c) & 0xFF, alpha);
                }
            }
        }
    }

    private static void grey(BufferedImage image, byte[] rgb) {
        Raster raster = image.getRaster();
        boolean transparent = raster.getNumBands() > 1;
        int width = image.getWidth();
        int[] values = new int[width];
        int[] alphas = new int[width];
        int largest = (1 << raster.getSampleModel().getSampleSize(0)) - 1;
        for (int h = 0; h < image.getHeight(); h++) {
            raster.getSamples(0, h, width, 1, 0, values);
            if (transparent) {
                raster.getSamples(0, h, width, 1, 1, alphas);
            }
            for (int w = 0; w < width; w++) {
                int alpha = transparent ? to8Bits(alphas[w], largest) : 255;
                byte v = overWhite(to8Bits(values[w], largest), alpha);
                int k = (h * width + w) * 3;
                rgb[k] = v;
                rgb[k + 1] = v;
                rgb[k + 2] = v;
            }
        }
    }

    private static int to8Bits(int v, int largest) {
        return (v * 255 + largest / 2) / largest;
    }

    private static byte overWhite(int v, int alpha) {
        return (byte) ((alpha * v + (255 - alpha) * WHITE + 127) / 255);
    }
}
