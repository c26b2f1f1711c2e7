package ddpm.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsTest {
    @TempDir
    Path folder;

    private static byte[] bytes(SafetensorsWriter writer) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        writer.write(b -> {
            byte[] part = new byte[b.remaining()];
            b.get(part);
            out.writeBytes(part);
        });
        return out.toByteArray();
    }

    private static SafetensorsWriter sample() {
        return new SafetensorsWriter()
                .add("b", new int[] {2, 3}, () -> new float[] {1, 2, 3, 4, 5, 6})
                .add("a", new int[] {}, () -> new float[] {-0.5f})
                .addLongs("n", 7, -1)
                .metadata("format", "pt");
    }

    private Path write(byte[] content) throws IOException {
        return Files.write(folder.resolve("f.safetensors"), content);
    }

    private static byte[] file(String header, int dataBytes) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer b = ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        return b.putLong(json.length).put(json).array();
    }

    @Test
    void whatIsWrittenIsReadBack() throws IOException {
        SafetensorsFile file = SafetensorsFile.read(write(bytes(sample())));
        assertEquals(List.of("n", "a", "b"), file.names()); // widest type first, then by name
        assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, file.floats("b"));
        assertArrayEquals(new int[] {2, 3}, file.shape("b"));
        assertArrayEquals(new float[] {-0.5f}, file.floats("a"));
        assertArrayEquals(new long[] {7, -1}, file.longs("n"));
        assertEquals("pt", file.metadata().get("format"));
        assertEquals(1, file.metadata().size());
        file.verify();
    }

    @Test
    void sameContentSameBytesAndTheHeaderIsAligned() throws IOException {
        byte[] first = bytes(sample());
        SafetensorsWriter turned = new SafetensorsWriter()
                .metadata("format", "pt")
                .addLongs("n", 7, -1)
                .add("a", new int[] {}, () -> new float[] {-0.5f})
                .add("b", new int[] {2, 3}, () -> new float[] {1, 2, 3, 4, 5, 6});
        assertArrayEquals(first, bytes(turned));
        assertEquals(0, ByteBuffer.wrap(first).order(ByteOrder.LITTLE_ENDIAN).getLong() % 8);
    }

    @Test
    void allReadableTypesAreWidened() throws IOException {
        String header = "{\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                + "\"l\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[8,16]},"
                + "\"i\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[16,20]},"
                + "\"h\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[20,26]},"
                + "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[26,28]},"
                + "\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[28,29]},"
                + "\"o\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[29,30]}}";
        byte[] content = file(header, 30);
        ByteBuffer data =
                ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN).position(content.length - 30);
        data.putDouble(0.1).putLong(-3).putInt(9);
        data.putShort((short) 0x3c00).putShort((short) 0xfbff).putShort((short) 0x0001); // 1, −65504, 2⁻²⁴
        data.putShort((short) 0xc049).put((byte) 255).put((byte) 1); // −3.140625
        SafetensorsFile f = SafetensorsFile.read(write(content));
        assertArrayEquals(new float[] {0.1f}, f.floats("d"));
        assertArrayEquals(new float[] {-3}, f.floats("l"));
        assertArrayEquals(new float[] {9}, f.floats("i"));
        assertArrayEquals(new float[] {1, -65504, 0x1p-24f}, f.floats("h"));
        assertArrayEquals(new float[] {-3.140625f}, f.floats("b"));
        assertArrayEquals(new float[] {255}, f.floats("u"));
        assertArrayEquals(new float[] {1}, f.floats("o"));
    }

    /** Headers over 8 bytes of data that must be refused. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "null",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},}",
                "{/**/\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "\uFEFF{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}x",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}\u0000",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2e0],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551617],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[65536,65536,65536,65536],\"data_offsets\":[0,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,\"8\"]}}",
                "{\"__metadata__\":{\"k\":1},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[NaN],\"data_offsets\":[0,8]}}",
            })
    void hostileHeadersAreRefused(String header) throws IOException {
        Path path = write(file(header, 8));
        CheckpointException e = assertThrows(CheckpointException.class, () -> SafetensorsFile.read(path));
        assertTrue(e.getMessage().startsWith(path.toString()), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "  {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}     ",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}}",
                "{\"__metadata__\":null,\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"../../etc/passwd\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"e\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
            })
    void unusualHeadersAreAccepted(String header) throws IOException {
        SafetensorsFile file = SafetensorsFile.read(write(file(header, 8)));
        for (String name : file.names()) file.floats(name);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 9, 100_000_001, Long.MAX_VALUE, -1})
    void headerLengthsThatCannotBeAreRefused(long length) throws IOException {
        ByteBuffer b = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
        assertThrows(CheckpointException.class, () -> SafetensorsFile.read(write(b.array())));
    }

    /** Java cannot hold it in one array, which is said before anything is read; the file is a hole. */
    @Test
    void aTensorLargerThanAnArrayIsRefused() throws IOException {
        long bytes = 8L * 300_000_000;
        Path path =
                write(file("{\"a\":{\"dtype\":\"F64\",\"shape\":[300000000],\"data_offsets\":[0," + bytes + "]}}", 0));
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(file.length() + bytes);
        }
        CheckpointException e = assertThrows(
                CheckpointException.class, () -> SafetensorsFile.read(path).floats("a"));
        assertTrue(e.getMessage().contains("more than 2^31 bytes"), e.getMessage());
    }

    @Test
    void everyTruncationIsRefused() throws IOException {
        byte[] whole = bytes(sample());
        for (int n = 0; n < whole.length; n++) {
            byte[] cut = Arrays.copyOf(whole, n);
            assertThrows(CheckpointException.class, () -> SafetensorsFile.read(write(cut)));
        }
        byte[] longer = Arrays.copyOf(whole, whole.length + 1);
        assertThrows(CheckpointException.class, () -> SafetensorsFile.read(write(longer)), "a second file behind");
    }

    @Test
    void everyFlippedBitOfTheDataIsFound() throws IOException {
        byte[] whole = bytes(sample());
        for (int i = whole.length - 44; i < whole.length; i++)
            for (int bit = 0; bit < 8; bit++) {
                byte[] flipped = whole.clone();
                flipped[i] ^= (byte) (1 << bit);
                SafetensorsFile file = SafetensorsFile.read(write(flipped));
                CheckpointException e = assertThrows(CheckpointException.class, file::verify);
                assertTrue(e.getMessage().contains("checksum"), e.getMessage());
            }
    }

    /** 1,000 damaged files: each is refused in words, or holds what it held. */
    @Test
    void damageIsRefusedOrHarmless() throws IOException {
        byte[] whole = bytes(sample());
        Random random = new Random(1);
        for (int k = 0; k < 1000; k++) {
            byte[] damaged = whole.clone();
            int at = random.nextInt(damaged.length);
            switch (random.nextInt(4)) {
                case 0 -> damaged[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> damaged[at] = (byte) random.nextInt(256);
                case 2 -> damaged = Arrays.copyOf(damaged, at);
                default -> System.arraycopy(whole, 0, damaged, at, Math.min(8, damaged.length - at));
            }
            try {
                SafetensorsFile file = SafetensorsFile.read(write(damaged));
                file.verify();
                for (String name : file.names()) {
                    float[] values = file.floats(name);
                    if (name.equals("b")) assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, values);
                }
            } catch (CheckpointException refused) {
                assertTrue(refused.getMessage().contains("f.safetensors"));
            } catch (RuntimeException | Error e) {
                fail("damage number " + k, e);
            }
        }
    }

    @Test
    void namesInMessagesAreEscaped() throws IOException {
        Path path = write(file("{\"a\\nb\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8));
        CheckpointException e = assertThrows(CheckpointException.class, () -> SafetensorsFile.read(path));
        assertTrue(e.getMessage().contains("a\\u000ab"), e.getMessage());
    }
}
