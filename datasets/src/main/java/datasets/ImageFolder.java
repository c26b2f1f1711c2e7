package datasets;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * A folder of PNG, JPEG, GIF and BMP files, subfolders included, in the order of their relative paths; links are followed.
 *
 * <pre>every picture: decode → over white → scale until it covers HxW → cut the centre out → RGB, or grey
 *   grey = 0.299 R + 0.587 G + 0.114 B                                       (ITU-R BT.601 luma)</pre>
 *
 * A picture below a first-level subfolder has that folder as its class, numbered in order of the names; one at the top has
 * none. Files with other endings and what is hidden are passed over; a picture that cannot be decoded is an error, not a gap.
 */
public final class ImageFolder {
    /** Height and width unless something else is asked for. */
    public static final int DEFAULT_SIDE = 32;

    private static final List<String> ENDINGS = List.of(".png", ".jpg", ".jpeg", ".gif", ".bmp");
    private static final int MAX_SIDE = 4096;

    private ImageFolder() {}

    /**
     * Loads in RGB; in grey if every pixel of every picture is grey.
     *
     * @param folder a folder of pictures, its subfolders included, or one picture
     *
     * @throws DatasetException if there is no picture or one cannot be decoded
     */
    public static Dataset load(Path folder, int height, int width) {
        return read(folder, height, width, 0);
    }

    /**
     * Loads with the given number of channels.
     *
     * @param channels 1 (grey) or 3 (red, green, blue)
     * @throws DatasetException if there is no picture or one cannot be decoded
     */
    public static Dataset load(Path folder, int height, int width, int channels) {
        if (channels != 1 && channels != 3) {
            throw new DatasetException(folder + ": " + channels + " channels asked for: expected 1 or 3");
        }
        return read(folder, height, width, channels);
    }

    /** {@code channels} 0: as few as the pictures need. */
    private static Dataset read(Path folder, int height, int width, int channels) {
        if (height < 1 || height > MAX_SIDE || width < 1 || width > MAX_SIDE) {
            throw DatasetException.malformed(
                    folder.toString(), "size asked for", "sides of 1.." + MAX_SIDE, height + "x" + width);
        }
        List<Path> files = picturesIn(folder);
        Extent colour = new Extent(files.size(), height, width, 3).expectToFit(folder.toString());
        byte[] rgb = new byte[(int) colour.bytes()];
        for (int i = 0; i < files.size(); i++) {
            Picture picture = Picture.read(files.get(i));
            Resample.cover(
                    picture.rgb(), picture.height(), picture.width(), 3, rgb, i * height * width * 3, height, width);
        }
        boolean grey = channels == 1 || (channels == 0 && isGrey(rgb));
        Extent extent = grey ? new Extent(files.size(), height, width, 1) : colour;
        Path last = folder.toAbsolutePath().normalize().getFileName();
        List<String> classes = classes(folder, files);
        int[] labels = files.stream()
                .mapToInt(file -> classes.indexOf(className(folder, file)))
                .toArray();
        return new InMemoryDataset(last == null ? "pictures" : last.toString(), extent, grey ? luma(rgb) : rgb, labels)
                .describedAs("Pictures: " + extent + " from " + folder);
    }

    /** Sorted by relative path with / between its parts, so that every machine sees one order; a file is itself. */
    private static List<Path> picturesIn(Path folder) {
        if (Files.isRegularFile(folder)) {
            return List.of(folder);
        }
        if (!Files.isDirectory(folder)) {
            throw new DatasetException(folder + ": no such folder or file");
        }
        try (Stream<Path> walk = Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) {
            List<Path> files = walk.filter(file -> isPicture(file.getFileName().toString()))
                    .filter(file -> !isHidden(relative(folder, file)))
                    .filter(Files::isRegularFile)
                    .sorted((a, b) -> relative(folder, a).compareTo(relative(folder, b)))
                    .toList();
            if (files.isEmpty()) {
                throw new DatasetException(folder + ": holds no pictures: expected files ending in " + ENDINGS);
            }
            return files;
        } catch (IOException | UncheckedIOException e) {
            throw new DatasetException(folder + ": cannot be listed: " + e.getMessage(), e);
        }
    }

    private static boolean isPicture(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return ENDINGS.stream().anyMatch(lower::endsWith);
    }

    /** Itself, or a folder that it lies in: thumbnails, checkpoints of notebooks. */
    private static boolean isHidden(String relative) {
        return relative.startsWith(".") || relative.contains("/.");
    }

    private static String relative(Path folder, Path file) {
        return folder.relativize(file).toString().replace('\\', '/');
    }

    private static List<String> classes(Path folder, List<Path> files) {
        TreeSet<String> names = new TreeSet<>();
        files.forEach(file -> names.add(className(folder, file)));
        names.remove("");
        return List.copyOf(names);
    }

    /** The first-level subfolder a file is in; empty at the top. */
    private static String className(Path folder, Path file) {
        String relative = relative(folder, file);
        return relative.substring(0, Math.max(0, relative.indexOf('/')));
    }

    private static boolean isGrey(byte[] rgb) {
        for (int k = 0; k < rgb.length; k += 3) {
            if (rgb[k] != rgb[k + 1] || rgb[k] != rgb[k + 2]) {
                return false;
            }
        }
        return true;
    }

    private static byte[] luma(byte[] rgb) {
        byte[] grey = new byte[rgb.length / 3];
        for (int i = 0; i < grey.length; i++) {
            grey[i] = (byte) Math.round(
                    0.299f * (rgb[3 * i] & 0xFF) + 0.587f * (rgb[3 * i + 1] & 0xFF) + 0.114f * (rgb[3 * i + 2] & 0xFF));
        }
        return grey;
    }
}
