package ddpm.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * A safetensors file, opened for reading, strictly. Layout: the header's length N as 8 bytes little-endian, N bytes of
 * JSON, then the data. An entry of the header has {@code dtype}, {@code shape} and {@code data_offsets} [begin, end)
 * within the data; row-major, little-endian.
 *
 * <p>Nothing is allocated for a tensor before the whole header has been checked against the length of the file: offsets
 * must cover the data from its start to the end of the file without gap or overlap. Stricter than the reference: no name
 * stands twice, and no tensor has more than 2³¹ bytes or 8 axes. Names are data; they are never used as paths.
 *
 * <p>Files that {@link SafetensorsWriter} wrote carry a CRC-32C for each tensor, which is checked when it is read; other
 * files have none.
 */
public final class SafetensorsFile {
    /** Metadata key under which the checksums stand: a JSON object from name to CRC-32C. */
    static final String CHECKSUMS = "ddpm.crc32c";

    private static final long MAX_HEADER = 100_000_000;
    private static final int MAX_RANK = 8;
    private static final long MAX_SIZE = Integer.MAX_VALUE - 8L;

    /** Element types and their widths in bytes. */
    enum Dtype {
        F64(8),
        I64(8),
        F32(4),
        I32(4),
        F16(2),
        BF16(2),
        U8(1),
        BOOL(1);

        final int bytes;

        Dtype(int bytes) {
            this.bytes = bytes;
        }
    }

    /** One tensor; {@code offset} counts from the start of the file. */
    record Entry(String name, Dtype dtype, int[] shape, int size, long offset, Long checksum) {}

    private final Path path;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    private SafetensorsFile(Path path) {
        this.path = path;
    }

    /**
     * Reads and checks the header.
     *
     * @throws CheckpointException when the file is not a safetensors file we accept
     * @throws IOException when it cannot be read
     */
    public static SafetensorsFile read(Path path) throws IOException {
        SafetensorsFile file = new SafetensorsFile(path);
        try (SeekableByteChannel channel = Files.newByteChannel(path)) {
            long length = channel.size();
            if (length < 8) throw file.wrong("too short to be a safetensors file: " + length + " bytes");
            long n = file.bytes(channel, 0, 8).getLong();
            if (n < 0 || n > MAX_HEADER || n > length - 8)
                throw file.wrong("the header claims " + Long.toUnsignedString(n) + " bytes in a file of " + length);
            file.header(file.bytes(channel, 8, (int) n).array(), 8 + n, length);
        }
        return file;
    }

    private CheckpointException wrong(String what) {
        return new CheckpointException(path, what);
    }

    private ByteBuffer bytes(SeekableByteChannel channel, long from, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
        try {
            channel.position(from);
            while (buffer.hasRemaining())
                if (channel.read(buffer) < 0)
                    throw wrong("ends at byte " + channel.position() + ", in the middle of data");
        } catch (IOException e) {
            throw FileTrouble.with(path, e);
        }
        return buffer.flip();
    }

    private void header(byte[] json, long dataStart, long fileLength) {
        Object root;
        try {
            root = Json.parse(json);
        } catch (JsonException e) {
            throw new CheckpointException(path, "the header is not JSON: " + e.getMessage(), e);
        }
        if (!(root instanceof Map<?, ?> header)) throw wrong("the header is not a JSON object");
        Map<?, ?> sums = readMetadata(header.get("__metadata__"));
        List<Entry> found = new ArrayList<>();
        header.forEach((name, fields) -> {
            if (!name.equals("__metadata__")) found.add(entry((String) name, fields, dataStart, fileLength, sums));
        });
        found.sort(Comparator.comparingLong(Entry::offset).thenComparingLong(e -> (long) e.size * e.dtype.bytes));
        long end = dataStart;
        for (Entry e : found) {
            if (e.offset != end)
                throw wrong(quoted(e.name) + " begins at byte " + (e.offset - dataStart) + " of the data, expected "
                        + (end - dataStart) + ": tensors must follow each other without gap or overlap");
            end += (long) e.size * e.dtype.bytes;
            entries.put(e.name, e);
        }
        if (end != fileLength)
            throw wrong("the tensors end at byte " + end + " but the file has " + fileLength + " bytes");
    }

    private Map<?, ?> readMetadata(Object json) {
        if (json == null) return Map.of();
        if (!(json instanceof Map<?, ?> map)) throw wrong("__metadata__ is not an object");
        map.forEach((key, value) -> {
            if (!(value instanceof String text)) throw wrong("__metadata__ holds something other than strings");
            metadata.put((String) key, text);
        });
        String sums = metadata.remove(CHECKSUMS);
        try {
            return sums == null ? Map.of() : (Map<?, ?>) Json.parse(sums);
        } catch (JsonException | ClassCastException e) {
            throw new CheckpointException(path, "the checksums in the header are damaged", e);
        }
    }

    private Entry entry(String name, Object json, long dataStart, long fileLength, Map<?, ?> sums) {
        if (!(json instanceof Map<?, ?> fields)) throw wrong(quoted(name) + " is not an object");
        Dtype dtype = null;
        for (Dtype known : Dtype.values()) if (known.name().equals(fields.get("dtype"))) dtype = known;
        if (dtype == null)
            throw wrong(quoted(name) + " has dtype " + Json.escaped(String.valueOf(fields.get("dtype")))
                    + ", which is not one of " + List.of(Dtype.values()));
        if (!(fields.get("shape") instanceof List<?> dims) || dims.size() > MAX_RANK)
            throw wrong(quoted(name) + " has no shape of at most " + MAX_RANK + " extents");
        int[] shape = new int[dims.size()];
        long size = 1;
        for (int i = 0; i < shape.length; i++) {
            if (!(dims.get(i) instanceof Long extent) || extent < 0 || extent > MAX_SIZE)
                throw wrong(quoted(name) + " has an extent of " + dims.get(i));
            shape[i] = extent.intValue();
            size *= extent;
            if (size > MAX_SIZE) throw wrong(quoted(name) + " has more than 2^31 elements: " + dims);
        }
        if (size * dtype.bytes > MAX_SIZE) throw wrong(quoted(name) + " has more than 2^31 bytes: " + dtype + dims);
        if (!(fields.get("data_offsets") instanceof List<?> offsets)
                || offsets.size() != 2
                || !(offsets.get(0) instanceof Long begin)
                || !(offsets.get(1) instanceof Long end))
            throw wrong(quoted(name) + " has no data_offsets of two whole numbers");
        if (begin < 0 || end < begin || end > fileLength - dataStart)
            throw wrong(quoted(name) + " lies at " + offsets + " in data of " + (fileLength - dataStart) + " bytes");
        if (end - begin != size * dtype.bytes)
            throw wrong(quoted(name) + " has " + (end - begin) + " bytes, but " + dtype + dims + " needs "
                    + size * dtype.bytes);
        Object sum = sums.get(name);
        if (!sums.isEmpty() && !(sum instanceof Long)) throw wrong(quoted(name) + " has no checksum beside others");
        return new Entry(name, dtype, shape, (int) size, dataStart + begin, (Long) sum);
    }

    private static String quoted(String name) {
        return "tensor \"" + Json.escaped(name) + "\"";
    }

    /** The names of all tensors, in the order of their data. */
    public List<String> names() {
        return List.copyOf(entries.keySet());
    }

    /** The strings of {@code __metadata__}, without our checksums. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** The extents of a tensor. */
    public int[] shape(String name) {
        return entry(name).shape.clone();
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) throw wrong("there is no " + quoted(name));
        return entry;
    }

    /** The elements of a tensor of any type, as float. */
    public float[] floats(String name) throws IOException {
        Entry e = entry(name);
        ByteBuffer data = data(e);
        float[] values = new float[e.size];
        for (int i = 0; i < values.length; i++)
            values[i] = switch (e.dtype) {
                case F32 -> data.getFloat();
                case F64 -> (float) data.getDouble();
                case BF16 -> Float.intBitsToFloat(data.getShort() << 16);
                case F16 -> half(data.getShort());
                case I64 -> data.getLong();
                case I32 -> data.getInt();
                case U8, BOOL -> data.get() & 0xff;
            };
        return values;
    }

    /** The elements of an I64 tensor. */
    public long[] longs(String name) throws IOException {
        Entry e = entry(name);
        if (e.dtype != Dtype.I64) throw wrong(quoted(name) + " has dtype " + e.dtype + ", expected I64");
        long[] values = new long[e.size];
        data(e).asLongBuffer().get(values);
        return values;
    }

    /** Reads every tensor that has a checksum, and so verifies it. */
    public void verify() throws IOException {
        for (Entry e : entries.values()) if (e.checksum != null) data(e);
    }

    private ByteBuffer data(Entry e) throws IOException {
        try (SeekableByteChannel channel = Files.newByteChannel(path)) {
            ByteBuffer data = bytes(channel, e.offset, Math.multiplyExact(e.size, e.dtype.bytes));
            if (e.checksum != null) {
                CRC32C crc = new CRC32C();
                crc.update(data.array());
                if (crc.getValue() != e.checksum)
                    throw wrong(quoted(e.name) + " is damaged: its checksum is " + crc.getValue() + ", expected "
                            + e.checksum);
            }
            return data;
        }
    }

    /** IEEE 754 binary16 to binary32. */
    private static float half(short bits) {
        int sign = (bits & 0x8000) << 16;
        int exponent = bits >> 10 & 0x1f;
        int fraction = bits & 0x3ff;
        if (exponent == 0x1f) return Float.intBitsToFloat(sign | 0x7f800000 | fraction << 13);
        float magnitude =
                exponent == 0 ? fraction * 0x1p-24f : Float.intBitsToFloat(exponent + 112 << 23 | fraction << 13);
        return sign == 0 ? magnitude : -magnitude;
    }
}
