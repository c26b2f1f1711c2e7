package datasets;

import static datasets.Fixtures.cifarBatch;
import static datasets.Fixtures.gzip;
import static datasets.Fixtures.refuses;
import static datasets.Fixtures.tar;
import static datasets.Fixtures.tarEntry;
import static datasets.Fixtures.tarFile;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Cifar10BinaryTest {
    private static final String ROOT = "cifar-10-batches-bin/";

    @TempDir
    Path folder;

    private final byte[] one = cifarBatch(3, 1);
    private final byte[] two = cifarBatch(2, 2);

    private Path archive(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("cifar-10-binary.tar.gz"), bytes);
    }

    /** Batches out of order, beside the other files the official archive has. */
    private byte[] honestTar() {
        return tar(
                tarEntry(ROOT, '5', "00000000000", new byte[0]),
                tarFile(ROOT + "data_batch_2.bin", two),
                tarFile(ROOT + "batches.meta.txt", "airplane\n".getBytes()),
                tarFile(ROOT + "data_batch_1.bin", one),
                tarFile(ROOT + "test_batch.bin", cifarBatch(4, 3)));
    }

    @Test
    void planesBecomeChannels() throws IOException {
        Path file = Files.write(folder.resolve("data_batch_1.bin"), one);
        Dataset set = Cifar10Binary.load(file);
        assertEquals(3, set.size());
        assertEquals(3, set.channels());
        assertEquals(32, set.height());
        assertEquals(2, set.label(2));
        byte[] image = set.pixels(1);
        for (int c = 0; c < 3; c++) {
            for (int p = 0; p < 1024; p++) {
                assertEquals(one[3073 + 1 + c * 1024 + p], image[p * 3 + c]);
            }
        }
    }

    @Test
    void archiveAndFolderAreTheSameSet() throws IOException {
        Path inner = Files.createDirectories(folder.resolve("d").resolve(ROOT));
        Files.write(inner.resolve("data_batch_1.bin"), one);
        Files.write(inner.resolve("data_batch_2.bin"), two);
        Files.write(inner.resolve("test_batch.bin"), two);
        Dataset unpacked = Cifar10Binary.load(folder.resolve("d"));
        Dataset packed = Cifar10Binary.load(archive(gzip(honestTar())));
        Dataset tar = Cifar10Binary.load(archive(honestTar()));
        assertEquals(5, packed.size());
        assertEquals(unpacked.sha256(), packed.sha256());
        assertEquals(unpacked.sha256(), tar.sha256());
        for (int i = 0; i < 5; i++) {
            assertArrayEquals(unpacked.pixels(i), packed.pixels(i));
            assertEquals(unpacked.label(i), packed.label(i));
        }
    }

    @Test
    void theTestBatchServesWhereThereIsNothingElse() throws IOException {
        Files.write(folder.resolve("test_batch.bin"), two);
        assertEquals(2, Cifar10Binary.load(folder).size());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3072, 3074, 6145})
    void aBatchHoldsWholeRecords(int length) throws IOException {
        Path file = Files.write(folder.resolve("data_batch_1.bin"), Arrays.copyOf(one, length));
        refuses(() -> Cifar10Binary.load(folder), "data_batch_1.bin", "length", "multiple of 3073", "found " + length);
        refuses(() -> Cifar10Binary.load(file), "data_batch_1.bin", "length", "multiple of 3073", "found " + length);
    }

    @Test
    void aLabelIsOneOfTen() throws IOException {
        one[2 * 3073] = 10;
        Files.write(folder.resolve("data_batch_1.bin"), one);
        refuses(() -> Cifar10Binary.load(folder), "label of image 2", "expected 0..9", "found 10");
    }

    @Test
    void anEmptyFolderAndAForeignArchiveSayWhatIsMissing() throws IOException {
        refuses(() -> Cifar10Binary.load(folder), "no CIFAR-10 batches", "data_batch_1.bin");
        Path archive = archive(gzip(tar(tarFile("data_batch_1", one))));
        refuses(() -> Cifar10Binary.load(archive), "holds no data_batch_1.bin", "binary version");
    }

    @ParameterizedTest
    @CsvSource({
        "../data_batch_1.bin,    0, 00000006003, paths below",
        "a/../../data_batch_1.bin, 0, 00000006003, paths below",
        "a\\..\\data_batch_1.bin, 0, 00000006003, paths below",
        "/data_batch_1.bin,      0, 00000006003, paths below",
        "C:\\data_batch_1.bin,   0, 00000006003, paths below",
        "data_batch_1.bin,       1, 00000000000, hard link",
        "data_batch_1.bin,       2, 00000000000, symbolic link",
        "data_batch_1.bin,       3, 00000000000, device",
        "data_batch_1.bin,       4, 00000000000, device",
        "data_batch_1.bin,       6, 00000000000, pipe",
        "data_batch_1.bin,       x, 00000000011, extended header",
        "data_batch_1.bin,       L, 00000000011, extended header",
        "data_batch_1.bin,       S, 00000000011, type 83",
        "data_batch_1.bin,       5, 00000000011, a folder with content",
        "data_batch_1.bin,       0, 77777777777, 'bytes, found more'",
        "data_batch_1.bin,       0, 777777777777, 'bytes, found more'",
        "data_batch_1.bin,       0, 1234567x, octal number",
        "data_batch_1.bin,       0, -1, octal number",
        "data_batch_1.bin,       0, '', octal number",
    })
    void aHostileEntryRefusesTheArchive(String name, char type, String size, String why) throws IOException {
        Path archive = archive(gzip(tar(tarFile("data_batch_2.bin", two), tarEntry(name, type, size, one))));
        refuses(() -> Cifar10Binary.load(archive), archive.toString(), "refused", why);
        try (Stream<Path> left = Files.list(folder)) {
            assertEquals(1, left.count(), "nothing was unpacked");
        }
        assertEquals(false, Files.exists(folder.resolveSibling("data_batch_1.bin")));
    }

    @Test
    void aSizeOfTwoToThe63IsRefused() throws IOException {
        byte[] entry = tarEntry("data_batch_1.bin", '0', "\u0080\0\0\0\u0080\0\0\0\0\0\0\0", one);
        Path archive = archive(gzip(tar(entry)));
        refuses(() -> Cifar10Binary.load(archive), "octal number");
    }

    @Test
    void aRepeatedNameAndADamagedHeaderAreRefused() throws IOException {
        byte[] entry = tarFile("data_batch_1.bin", one);
        Path archive = archive(gzip(tar(entry, entry)));
        refuses(() -> Cifar10Binary.load(archive), "every name once");
        entry[0] ^= 1;
        archive(gzip(tar(entry)));
        refuses(() -> Cifar10Binary.load(archive), "checksum of a tar header");
    }

    @Test
    void afterTheEndOnlyZerosMayFollow() throws IOException {
        byte[] whole = honestTar();
        assertEquals(
                5,
                Cifar10Binary.load(archive(Arrays.copyOf(whole, whole.length + 10_240)))
                        .size());
        byte[] longer = Arrays.copyOf(whole, whole.length + 512);
        longer[longer.length - 1] = 1;
        Path archive = archive(longer);
        refuses(() -> Cifar10Binary.load(archive), "after its last entry");
        archive(gzip(Arrays.copyOf(whole, whole.length + (2 << 20))));
        refuses(() -> Cifar10Binary.load(archive), "after its last entry");
    }

    @Test
    void everyCutOfTheArchiveIsRefused() throws IOException {
        byte[] whole = honestTar();
        Random random = new Random(5);
        for (int round = 0; round < 60; round++) {
            int length = round < 20 ? round * 64 : random.nextInt(whole.length - 1024);
            Path archive = archive(Arrays.copyOf(whole, length));
            refuses(() -> Cifar10Binary.load(archive), archive.toString(), "expected", "found");
            byte[] packed = gzip(whole);
            archive(Arrays.copyOf(packed, Math.min(length, packed.length - 9)));
            refuses(() -> Cifar10Binary.load(archive), archive.toString(), "expected", "found");
        }
    }

    @Test
    void theChecksumOfThePublishedArchiveIsAsked() throws IOException {
        Path archive = archive(gzip(honestTar()));
        Checksum published = KnownSet.CIFAR10.train().get(0).checksum();
        refuses(() -> Cifar10Binary.read(Payload.of(archive, published)), "MD5 of the file", published.hex());
        archive(honestTar()); // unpacked by its user
        assertEquals(5, Cifar10Binary.read(Payload.of(archive, published)).size());
    }
}
