package ddpm.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.zip.CRC32C;

/**
 * Collects tensors and writes them as a safetensors file: by width of type, widest first, then by name; the header padded
 * with spaces to a multiple of 8, so that the data is aligned. The same content gives the same bytes.
 */
public final class SafetensorsWriter {
    /** Where the bytes go. */
    @FunctionalInterface
    public interface Sink {
        /** Takes all remaining bytes. */
        void write(ByteBuffer bytes) throws IOException;
    }

    private record Item(String name, SafetensorsFile.Dtype dtype, int[] shape, Supplier<ByteBuffer> data) {
        long bytes() {
            long size = dtype.bytes;
            for (int extent : shape) size *= extent;
            return size;
        }
    }

    private final List<Item> items = new ArrayList<>();
    private final Map<String, String> metadata = new TreeMap<>();

    /** A tensor of 32-bit floats. The values are asked for when they are written, and may be asked for twice. */
    public SafetensorsWriter add(String name, int[] shape, Supplier<float[]> values) {
        return add(new Item(name, SafetensorsFile.Dtype.F32, shape.clone(), () -> {
            float[] v = values.get();
            ByteBuffer data =
                    ByteBuffer.allocate(Math.multiplyExact(v.length, 4)).order(ByteOrder.LITTLE_ENDIAN);
            data.asFloatBuffer().put(v);
            return data;
        }));
    }

    /** A vector of 64-bit integers. */
    public SafetensorsWriter addLongs(String name, long... values) {
        long[] v = values.clone();
        return add(new Item(name, SafetensorsFile.Dtype.I64, new int[] {v.length}, () -> {
            ByteBuffer data = ByteBuffer.allocate(v.length * 8).order(ByteOrder.LITTLE_ENDIAN);
            data.asLongBuffer().put(v);
            return data;
        }));
    }

    private SafetensorsWriter add(Item item) {
        if (items.stream().anyMatch(i -> i.name.equals(item.name)))
            throw new IllegalArgumentException("the tensor " + Json.escaped(item.name) + " was added twice");
        items.add(item);
        return this;
    }

    /** A string beside the tensors. */
    public SafetensorsWriter metadata(String key, String value) {
        metadata.put(key, value);
        return this;
    }

    /** Writes the file. Each tensor's values are made twice: once for its checksum, once for its bytes. */
    public void write(Sink out) throws IOException {
        items.sort(Comparator.comparingInt((Item i) -> -i.dtype.bytes).thenComparing(Item::name));
        Map<String, Object> sums = new LinkedHashMap<>();
        Map<String, Object> header = new LinkedHashMap<>();
        Map<String, Object> strings = new TreeMap<>(metadata);
        header.put("__metadata__", strings);
        long offset = 0;
        for (Item item : items) {
            CRC32C crc = new CRC32C();
            crc.update(checked(item).array());
            sums.put(item.name, crc.getValue());
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("dtype", item.dtype.name());
            List<Object> shape = new ArrayList<>();
            for (int extent : item.shape) shape.add((long) extent);
            fields.put("shape", shape);
            fields.put("data_offsets", List.of(offset, offset + item.bytes()));
            header.put(item.name, fields);
            offset += item.bytes();
        }
        strings.put(SafetensorsFile.CHECKSUMS, Json.compact(sums));
        byte[] json = Json.compact(header).getBytes(StandardCharsets.UTF_8);
        int padded = (json.length + 7) / 8 * 8;
        ByteBuffer head = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
        head.putLong(padded).put(json);
        while (head.hasRemaining()) head.put((byte) ' ');
        out.write(head.flip());
        for (Item item : items) out.write(checked(item));
    }

    private static ByteBuffer checked(Item item) {
        ByteBuffer data = item.data.get();
        if (data.capacity() != item.bytes())
            throw new IllegalArgumentException("tensor " + Json.escaped(item.name) + " has " + data.capacity()
                    + " bytes, its shape needs " + item.bytes());
        return data;
    }
}
