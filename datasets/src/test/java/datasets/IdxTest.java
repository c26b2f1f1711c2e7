package datasets;

import static datasets.Fixtures.gzip;
import static datasets.Fixtures.idxImages;
import static datasets.Fixtures.idxLabels;
import static datasets.Fixtures.refuses;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class IdxTest {
    private static final int N = 5;
    private static final int H = 7;
    private static final int W = 3;

    @TempDir
    Path folder;

    private Path images;
    private Path labels;
    private byte[] imageBytes;

    @BeforeEach
    void aSmallNonSquareSet() throws IOException {
        images = folder.resolve("train-images-idx3-ubyte");
        labels = folder.resolve("train-labels-idx1-ubyte");
        imageBytes = idxImages(N, H, W);
        Files.write(images, imageBytes);
        Files.write(labels, idxLabels(3, 1, 4, 1, 5));
    }

    @Test
    void everyPixelAndLabelArrives() {
        Dataset set = Idx.load(folder);
        assertEquals(N, set.size());
        assertEquals(H, set.height());
        assertEquals(W, set.width());
        assertEquals(1, set.channels());
        assertEquals(4, set.label(2));
        assertEquals(folder.getFileName().toString(), set.name());
        for (int i = 0; i < N; i++) {
            int start = 16 + i * H * W;
            assertArrayEquals(Arrays.copyOfRange(imageBytes, start, start + H * W), set.pixels(i));
        }
        assertTrue(set.description().contains("5 x 1x7x3 from " + images), set.description());
    }

    @Test
    void packingChangesNeitherPixelsNorIdentity() throws IOException {
        Dataset raw = Idx.load(images);
        Files.delete(images);
        Path packed = Files.write(folder.resolve("train-images-idx3-ubyte.gz"), gzip(imageBytes));
        Dataset zipped = Idx.load(packed);
        assertEquals(raw.sha256(), zipped.sha256());
        assertArrayEquals(raw.pixels(N - 1), zipped.pixels(N - 1));
        assertEquals(5, zipped.label(4));
    }

    @Test
    void withoutLabelsEveryLabelIsMinusOne() throws IOException {
        Files.delete(labels);
        assertEquals(-1, Idx.load(folder).label(0));
    }

    @Test
    void aMissingFileOrFolderIsNamed() {
        refuses(() -> Idx.load(folder.resolve("absent")), "absent", "no such file");
        refuses(() -> Idx.load(folder.getParent().resolve(folder.getFileName()).resolve("x/y")), "no such file");
    }

    @Test
    void everyTruncationUpTo64BytesIsRefused() throws IOException {
        for (int length = 0; length <= 64; length++) {
            Files.write(images, Arrays.copyOf(imageBytes, length));
            refuses(() -> Idx.load(images), images.toString(), "expected", "found");
            Files.write(images, gzip(Arrays.copyOf(imageBytes, length)));
            refuses(() -> Idx.load(images), images.toString(), "expected", "found");
        }
    }

    @Test
    void everyCutOfTheCompressedFileIsRefused() throws IOException {
        byte[] packed = gzip(imageBytes);
        for (int length = 0; length < packed.length; length++) {
            Files.write(images, Arrays.copyOf(packed, length));
            refuses(() -> Idx.load(images), images.toString(), "expected", "found");
        }
    }

    @Test
    void everyCutOfTheLabelsIsRefused() throws IOException {
        byte[] bytes = Files.readAllBytes(labels);
        for (int length = 0; length < bytes.length; length++) {
            Files.write(labels, Arrays.copyOf(bytes, length));
            refuses(() -> Idx.load(images), labels.toString(), "expected", "found");
        }
    }

    @Test
    void aMutatedFileIsRefusedInOneSentenceOrLoadsWithItsOwnIdentity() throws IOException {
        String identity = Idx.load(images).sha256();
        Random random = new Random(11);
        int loaded = 0;
        for (int round = 0; round < 200; round++) {
            byte[] bytes = round % 2 == 0 ? imageBytes.clone() : gzip(imageBytes);
            int at = random.nextInt(bytes.length);
            switch (round / 2 % 3) {
                case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bytes = Arrays.copyOf(bytes, at);
                default -> bytes = Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(9));
            }
            Files.write(images, bytes);
            try {
                Dataset set = Idx.load(images);
                assertEquals(set.sha256().equals(identity), Arrays.equals(pixels(set), pixelsOf(imageBytes)));
                loaded++;
            } catch (DatasetException e) {
                assertTrue(e.getMessage().startsWith(images.toString()), e.getMessage());
            }
        }
        assertTrue(loaded < 120, loaded + " of 200 loaded");
    }

    private static byte[] pixels(Dataset set) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (int i = 0; i < set.size(); i++) {
            all.writeBytes(set.pixels(i));
        }
        return all.toByteArray();
    }

    private static byte[] pixelsOf(byte[] idx) {
        return Arrays.copyOfRange(idx, 16, idx.length);
    }

    @ParameterizedTest
    @CsvSource({
        "0x00000801, 5, 7, 3, magic",
        "0x00000000, 5, 7, 3, magic",
        "0x00000803, 0, 7, 3, dimensions",
        "0x00000803, 5, 0, 3, dimensions",
        "0x00000803, 5, 7, 0x80000000, dimensions",
        "0x00000803, 0xffffffff, 7, 3, dimensions",
        "0x00000803, 0x80000000, 0x80000000, 0x80000000, dimensions",
        "0x00000803, 5, 4097, 3, dimensions",
        "0x00000803, 100000000, 4096, 4096, length",
        "0x00000803, 6, 7, 3, length",
        "0x00000803, 4, 7, 3, length",
    })
    void aHostileHeaderCostsNothing(String magic, String n, String h, String w, String what) throws IOException {
        ByteBuffer.wrap(imageBytes)
                .putInt(Long.decode(magic).intValue())
                .putInt(Long.decode(n).intValue())
                .putInt(Long.decode(h).intValue())
                .putInt(Long.decode(w).intValue());
        Files.write(images, imageBytes);
        refuses(() -> Idx.load(images), images.toString(), what, "expected", "found");
        Files.write(images, gzip(imageBytes));
        refuses(() -> Idx.load(images), images.toString(), what, "expected", "found");
    }

    @Test
    void aGzipBombIsLeftAfterItsFirstSuperfluousBuffer() throws IOException {
        try (GZIPOutputStream bomb = new GZIPOutputStream(Files.newOutputStream(images))) {
            bomb.write(imageBytes);
            byte[] zeros = new byte[1 << 20];
            for (int mebibyte = 0; mebibyte < 64; mebibyte++) {
                bomb.write(zeros);
            }
        }
        refuses(() -> Idx.load(images), "length", "121 bytes", "more than that");
    }

    @Test
    void aDamagedChecksumOfTheCompressionIsNoticed() throws IOException {
        byte[] packed = gzip(imageBytes);
        packed[packed.length - 5] ^= 1;
        Files.write(images, packed);
        refuses(() -> Idx.load(images), images.toString(), "damaged");
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 6})
    void oneLabelPerImage(int count) throws IOException {
        Files.write(labels, idxLabels(new int[count]));
        refuses(() -> Idx.load(images), labels.toString(), "number of labels", "expected 5", "found " + count);
    }

    @Test
    void labelsOfAPublishedSetAreBelowItsNumberOfClasses() throws IOException {
        Files.write(labels, idxLabels(0, 9, 10, 1, 2));
        refuses(
                () -> Idx.read("kmnist", Payload.of(images), Payload.of(labels), KnownSet.KMNIST),
                labels.toString(),
                "label of image 2",
                "expected 0..9",
                "found 10");
        assertEquals(10, Idx.load(images).label(2), "an unknown set may have more classes");
    }

    @Test
    void aFileUnderAPublishedNameMustHaveThePublishedPayload() {
        Checksum other = Checksum.ofPayload("00");
        refuses(
                () -> Idx.read("x", Payload.of(images, other), null, KnownSet.FASHION),
                images.toString(),
                "SHA-256 of the uncompressed data",
                "expected 00",
                "found " + Idx.load(images).sha256());
    }

    @Test
    void theMd5OfACompressedFileIsAskedOfCompressedFilesOnly() throws IOException {
        Checksum other = Checksum.ofFile("00");
        assertEquals(N, Idx.read("x", Payload.of(images, other), null, null).size());
        Path packed = Files.write(folder.resolve("packed"), gzip(imageBytes));
        refuses(() -> Idx.read("x", Payload.of(packed, other), null, null), "MD5 of the file", "expected 00");
    }
}
