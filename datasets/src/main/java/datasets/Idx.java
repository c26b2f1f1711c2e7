package datasets;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The IDX format of MNIST, Fashion-MNIST and KMNIST; raw or gzip. All integers are big-endian and unsigned.
 *
 * <pre>images: 00 00 08 03 | n | H | W | n·H·W bytes        length = 16 + n·H·W
 * labels: 00 00 08 01 | n | n bytes                        length = 8 + n</pre>
 *
 * Order of the checks: magic, dimensions against caps, length by a bounded survey, image count against label count; only
 * then the pixels are allocated.
 */
public final class Idx {
    private static final int IMAGES_MAGIC = 0x00000803;
    private static final int LABELS_MAGIC = 0x00000801;
    private static final int MAX_SIDE = 4096;
    private static final int MAX_IMAGES = 100_000_000;
    /** Preferred first: the training set, then the test set; dotted and unpacked forms are in circulation. */
    private static final List<String> IMAGE_FILES = List.of(
            "train-images-idx3-ubyte.gz",
            "train-images-idx3-ubyte",
            "train-images.idx3-ubyte",
            "t10k-images-idx3-ubyte.gz",
            "t10k-images-idx3-ubyte",
            "t10k-images.idx3-ubyte");

    private Idx() {}

    /**
     * Loads an image file, or the training set (else the test set) of a folder under the official file names. Labels are
     * taken from the file beside it, {@code images-idx3} read as {@code labels-idx1}, if there is one.
     *
     * @throws DatasetException if a file is missing or malformed
     */
    public static Dataset load(Path fileOrFolder) {
        Path images = Files.isDirectory(fileOrFolder)
                ? imagesIn(fileOrFolder)
                        .orElseThrow(() -> new DatasetException(fileOrFolder + ": holds no IDX images: expected "
                                + IMAGE_FILES.get(0) + " or one like it"))
                : fileOrFolder;
        Payload labels = labelsBeside(images).map(Payload::of).orElse(null);
        Path folder = images.toAbsolutePath().normalize().getParent();
        Path name = folder.getFileName();
        return read(name == null ? "idx" : name.toString(), Payload.of(images), labels, null);
    }

    /** The image file of a folder, if it has one. */
    static Optional<Path> imagesIn(Path folder) {
        return IMAGE_FILES.stream()
                .map(folder::resolve)
                .filter(Files::isRegularFile)
                .findFirst();
    }

    private static Optional<Path> labelsBeside(Path images) {
        String name = String.valueOf(images.getFileName())
                .replace("images-idx3", "labels-idx1")
                .replace("images.idx3", "labels.idx1");
        if (name.equals(String.valueOf(images.getFileName()))) {
            return Optional.empty();
        }
        String stem = name.endsWith(".gz") ? name.substring(0, name.length() - 3) : name;
        return List.of(name, stem, stem + ".gz").stream()
                .map(images::resolveSibling)
                .filter(Files::isRegularFile)
                .findFirst();
    }

    /**
     * Both files of a set.
     *
     * @param name used if the images are not a published set
     * @param labels may be null
     * @param known the set this must be, or null to recognise it by its payload
     */
    static InMemoryDataset read(String name, Payload images, Payload labels, KnownSet known) {
        Extent extent = imageHeader(images);
        String sha256 = images.survey(16 + extent.bytes());
        extent.expectToFit(images.path());
        KnownSet set = known != null ? known : KnownSet.withImages(sha256).orElse(null);
        int[] label = labels == null ? null : labels(labels, images.path(), extent.size(), set);
        byte[] pixels = new byte[(int) extent.bytes()];
        images.reading(in -> {
            in.skipNBytes(16);
            return expectFilled(images, in.readNBytes(pixels, 0, pixels.length), pixels.length);
        });
        InMemoryDataset dataset = new InMemoryDataset(set == null ? name : set.key(), extent, pixels, label, sha256);
        String title = set == null ? "IDX images" : set.title();
        return dataset.describedAs(title + ": " + extent + " from " + images.path());
    }

    private static Extent imageHeader(Payload images) {
        ByteBuffer header = header(images, 16, IMAGES_MAGIC, "IDX images");
        long n = Integer.toUnsignedLong(header.getInt());
        long h = Integer.toUnsignedLong(header.getInt());
        long w = Integer.toUnsignedLong(header.getInt());
        if (n < 1 || n > MAX_IMAGES || h < 1 || h > MAX_SIDE || w < 1 || w > MAX_SIDE) {
            throw DatasetException.malformed(
                    images.path(),
                    "dimensions",
                    "1.." + MAX_IMAGES + " images with sides of 1.." + MAX_SIDE,
                    n + " images of " + h + "x" + w);
        }
        return new Extent((int) n, (int) h, (int) w, 1);
    }

    private static int[] labels(Payload labels, String imagesPath, int images, KnownSet set) {
        long n = Integer.toUnsignedLong(
                header(labels, 8, LABELS_MAGIC, "IDX labels").getInt());
        if (n != images) {
            throw DatasetException.malformed(
                    labels.path(), "number of labels", images + ", one for each image of " + imagesPath, n);
        }
        labels.survey(8 + n);
        byte[] bytes = labels.reading(in -> {
            in.skipNBytes(8);
            return in.readNBytes(images);
        });
        expectFilled(labels, bytes.length, images);
        int[] label = new int[images];
        for (int i = 0; i < images; i++) {
            label[i] = bytes[i] & 0xFF;
            if (set != null && label[i] >= set.classes()) {
                throw DatasetException.malformed(
                        labels.path(), "label of image " + i, "0.." + (set.classes() - 1), label[i]);
            }
        }
        return label;
    }

    private static ByteBuffer header(Payload file, int length, int magic, String what) {
        byte[] head = file.head(length);
        if (head.length < length) {
            throw DatasetException.malformed(
                    file.path(),
                    "header of " + what,
                    length + " bytes",
                    head.length + (head.length == 1 ? " byte" : " bytes"));
        }
        ByteBuffer header = ByteBuffer.wrap(head);
        int found = header.getInt();
        if (found != magic) {
            throw DatasetException.malformed(
                    file.path(),
                    "magic number of " + what,
                    String.format("0x%08x", magic),
                    String.format("0x%08x", found));
        }
        return header;
    }

    /** Only a file that was cut between survey and reading gets here with too little. */
    private static int expectFilled(Payload file, int found, int expected) {
        if (found != expected) {
            throw DatasetException.malformed(file.path(), "length while reading", expected + " bytes", found);
        }
        return found;
    }
}
