package datasets;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * CIFAR-10 in its binary form: the folder of {@code data_batch_*.bin}, one such file, or {@code cifar-10-binary.tar.gz}.
 *
 * <pre>record (3,073 bytes): label 0..9 | 1,024 red | 1,024 green | 1,024 blue, each plane [32,32]
 * here:                 pixel[h, w, c] = plane[c][h, w]                    planar → channels last</pre>
 *
 * The source is walked twice. The first walk checks every record's label and every file's length and adds up the images;
 * the second fills the array, in the order of the file names whatever their order in the archive.
 */
public final class Cifar10Binary {
    private static final int SIDE = 32;
    private static final int PLANE = SIDE * SIDE;
    private static final int RECORD = 1 + 3 * PLANE;
    private static final String BATCH = "data_batch_\\d+\\.bin";
    private static final String TEST = "test_batch.bin";

    private Cifar10Binary() {}

    /** Something that holds batch files and can show them again and again. */
    private interface Source {
        void forEachBatch(Visitor visitor) throws IOException;
    }

    private interface Visitor {
        void accept(String file, long bytes, InputStream in) throws IOException;
    }

    /**
     * Loads the training images; the test images if there is nothing else.
     *
     * @param path a folder (or one that holds {@code cifar-10-batches-bin}), a {@code .bin} file, or the archive, gzip or not
     * @throws DatasetException if there is no batch or a batch is malformed
     */
    public static Dataset load(Path path) {
        return Files.isDirectory(path)
                ? readFolder(path)
                : path.toString().endsWith(".bin") ? readFile(path) : read(Payload.of(path));
    }

    /** Whether a folder, or its {@code cifar-10-batches-bin}, holds batches. */
    static boolean isIn(Path folder) {
        return !batchesIn(folder).isEmpty();
    }

    /** The archive, checked against its expected checksum. */
    static InMemoryDataset read(Payload archive) {
        archive.verifyKept(Long.MAX_VALUE);
        return read(
                archive.path(),
                visitor -> archive.reading(in -> {
                    TarReader tar = new TarReader(archive.path(), in);
                    boolean training = false;
                    for (TarReader.Entry entry = tar.next(); entry != null; entry = tar.next()) {
                        if (entry.file().matches(BATCH)) {
                            training = true;
                            visitor.accept(entry.file(), entry.bytes(), entry.body());
                        }
                    }
                    if (!training) {
                        throw new DatasetException(archive.path()
                                + ": holds no data_batch_1.bin: expected the binary version of CIFAR-10");
                    }
                    return in;
                }));
    }

    private static InMemoryDataset readFolder(Path folder) {
        List<Path> batches = batchesIn(folder);
        if (batches.isEmpty()) {
            throw new DatasetException(
                    folder + ": holds no CIFAR-10 batches: expected data_batch_1.bin to data_batch_5.bin");
        }
        return read(folder.toString(), visitor -> {
            for (Path batch : batches) {
                visit(batch, visitor);
            }
        });
    }

    private static InMemoryDataset readFile(Path file) {
        return read(file.toString(), visitor -> visit(file, visitor));
    }

    private static void visit(Path file, Visitor visitor) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new DatasetException(file + ": no such file");
        }
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
            visitor.accept(file.getFileName().toString(), Files.size(file), in);
        }
    }

    private static List<Path> batchesIn(Path folder) {
        Path inner = folder.resolve("cifar-10-batches-bin");
        Path root = Files.isDirectory(inner) ? inner : folder;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(root, "*.bin")) {
            SortedMap<String, Path> training = new TreeMap<>();
            files.forEach(file -> {
                if (file.getFileName().toString().matches(BATCH)) {
                    training.put(file.getFileName().toString(), file);
                }
            });
            if (training.isEmpty() && Files.isRegularFile(root.resolve(TEST))) {
                return List.of(root.resolve(TEST));
            }
            return List.copyOf(training.values());
        } catch (IOException e) {
            throw new DatasetException(root + ": cannot be listed: " + e.getMessage(), e);
        }
    }

    private static InMemoryDataset read(String path, Source source) {
        SortedMap<String, Integer> images = new TreeMap<>();
        walk(path, source, (file, bytes, in) -> images.put(file, survey(path + ": " + file, bytes, in)));

        SortedMap<String, Integer> first = new TreeMap<>();
        long size = 0;
        for (String file : images.keySet()) {
            first.put(file, (int) size);
            size += images.get(file);
        }
        if (size > Integer.MAX_VALUE / RECORD) {
            throw DatasetException.malformed(path, "number of images", "60000 or so", size);
        }
        Extent extent = new Extent((int) size, SIDE, SIDE, 3).expectToFit(path);
        byte[] pixels = new byte[(int) extent.bytes()];
        int[] labels = new int[extent.size()];
        walk(path, source, (file, bytes, in) -> {
            int start = first.getOrDefault(file, extent.size());
            int end = start + images.getOrDefault(file, 0);
            byte[] record = new byte[RECORD];
            for (int i = start; i < end; i++) {
                labels[i] = readRecord(path + ": " + file, i - start, in, record);
                interleave(record, pixels, i * 3 * PLANE);
            }
        });
        return new InMemoryDataset(KnownSet.CIFAR10.key(), extent, pixels, labels)
                .describedAs(KnownSet.CIFAR10.title() + ": " + extent + " from " + path);
    }

    /** Number of images of one batch, every one of them read and found well-formed. */
    private static int survey(String path, long bytes, InputStream in) throws IOException {
        if (bytes == 0 || bytes % RECORD != 0 || bytes > Integer.MAX_VALUE) {
            throw DatasetException.malformed(path, "length", "a positive multiple of " + RECORD + " bytes", bytes);
        }
        int images = (int) (bytes / RECORD);
        byte[] record = new byte[RECORD];
        for (int i = 0; i < images; i++) {
            readRecord(path, i, in, record);
        }
        return images;
    }

    private static int readRecord(String path, int image, InputStream in, byte[] record) throws IOException {
        int n = in.readNBytes(record, 0, RECORD);
        if (n < RECORD) {
            throw DatasetException.malformed(path, "record of image " + image, RECORD + " bytes", n);
        }
        int label = record[0] & 0xFF;
        if (label >= KnownSet.CIFAR10.classes()) {
            throw DatasetException.malformed(path, "label of image " + image, "0..9", label);
        }
        return label;
    }

    private static void interleave(byte[] record, byte[] pixels, int offset) {
        for (int p = 0; p < PLANE; p++) {
            for (int c = 0; c < 3; c++) {
                pixels[offset + p * 3 + c] = record[1 + c * PLANE + p];
            }
        }
    }

    private static void walk(String path, Source source, Visitor visitor) {
        try {
            source.forEachBatch(visitor);
        } catch (IOException e) {
            throw new DatasetException(path + ": cannot be read: " + e.getMessage(), e);
        }
    }
}
