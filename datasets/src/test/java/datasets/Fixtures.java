package datasets;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.function.Executable;

/** Small files of the true formats, and what every refusal must look like. */
final class Fixtures {
    private Fixtures() {}

    static byte[] random(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    static byte[] idxImages(int n, int height, int width) {
        return ByteBuffer.allocate(16 + n * height * width)
                .putInt(0x803)
                .putInt(n)
                .putInt(height)
                .putInt(width)
                .put(random(n * height * width, n))
                .array();
    }

    static byte[] idxLabels(int... labels) {
        ByteBuffer bytes = ByteBuffer.allocate(8 + labels.length).putInt(0x801).putInt(labels.length);
        for (int label : labels) {
            bytes.put((byte) label);
        }
        return bytes.array();
    }

    static byte[] gzip(byte[] bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** A CIFAR-10 batch: labels 0, 1, 2, … modulo 10, random planes. */
    static byte[] cifarBatch(int images, long seed) {
        byte[] bytes = random(images * 3073, seed);
        for (int i = 0; i < images; i++) {
            bytes[i * 3073] = (byte) (i % 10);
        }
        return bytes;
    }

    /** A ustar entry: header with a right checksum, content, padding. */
    static byte[] tarEntry(String name, char type, String size, byte[] content) {
        byte[] bytes = new byte[512 + (content.length + 511) / 512 * 512];
        put(bytes, 0, name);
        put(bytes, 100, "0000644");
        put(bytes, 124, size);
        bytes[156] = (byte) type;
        put(bytes, 257, "ustar");
        put(bytes, 263, "00");
        put(bytes, 148, "        ");
        int sum = 0;
        for (int i = 0; i < 512; i++) {
            sum += bytes[i] & 0xFF;
        }
        put(bytes, 148, String.format("%06o\0 ", sum));
        System.arraycopy(content, 0, bytes, 512, content.length);
        return bytes;
    }

    static byte[] tarFile(String name, byte[] content) {
        return tarEntry(name, '0', String.format("%011o", content.length), content);
    }

    static byte[] tar(byte[]... entries) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] entry : entries) {
            out.writeBytes(entry);
        }
        out.writeBytes(new byte[1024]);
        return out.toByteArray();
    }

    private static void put(byte[] target, int offset, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        System.arraycopy(bytes, 0, target, offset, bytes.length);
    }

    /** The code refuses in one line that contains each of the parts. */
    static String refuses(Executable code, String... parts) {
        String sentence = assertThrows(DatasetException.class, code).getMessage();
        assertFalse(sentence.contains("\n"), sentence);
        for (String part : parts) {
            assertTrue(sentence.contains(part), () -> "\"" + part + "\" in: " + sentence);
        }
        return sentence;
    }
}
