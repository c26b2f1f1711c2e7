package ddpm.report;

import ddpm.io.FileTrouble;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * An event file for TensorBoard: records of {@code length (u64), masked CRC-32C of it, payload, masked CRC-32C of that},
 * little-endian, the payload being an {@code Event} protocol buffer.
 */
public final class TensorBoardWriter implements Closeable {
    private final Path file;
    private final OutputStream out;

    /** Starts a new event file in a folder; TensorBoard merges several. */
    public TensorBoardWriter(Path folder, long unixSeconds) throws IOException {
        Path path = folder.resolve("events.out.tfevents." + unixSeconds + ".ddpm");
        for (int n = 1; Files.exists(path); n++)
            path = folder.resolve("events.out.tfevents." + (unixSeconds + n) + ".ddpm");
        file = path;
        out = Files.newOutputStream(file);
        Message version = new Message();
        version.bytes(3, "brain.Event:2".getBytes(StandardCharsets.UTF_8));
        event(0, unixSeconds, version);
    }

    /** One number of a curve. */
    public void scalar(String tag, long step, double wallSeconds, double value) throws IOException {
        Message entry = new Message();
        entry.bytes(1, tag.getBytes(StandardCharsets.UTF_8));
        entry.float32(2, (float) value);
        summary(step, wallSeconds, entry);
    }

    /** A picture. */
    public void image(String tag, long step, double wallSeconds, Picture picture) throws IOException {
        Message image = new Message();
        image.varint(1, picture.height());
        image.varint(2, picture.width());
        image.varint(3, picture.channels());
        image.bytes(4, picture.toPng());
        Message entry = new Message();
        entry.bytes(1, tag.getBytes(StandardCharsets.UTF_8));
        entry.bytes(4, image.toBytes());
        summary(step, wallSeconds, entry);
    }

    private void summary(long step, double wallSeconds, Message entry) throws IOException {
        Message summary = new Message();
        summary.bytes(1, entry.toBytes());
        Message event = new Message();
        event.bytes(5, summary.toBytes());
        event(step, wallSeconds, event);
    }

    private void event(long step, double wallSeconds, Message rest) throws IOException {
        Message event = new Message();
        event.float64(1, wallSeconds);
        event.varint(2, step);
        event.append(rest);
        try {
            out.write(record(event.toBytes()));
            out.flush();
        } catch (IOException e) {
            throw FileTrouble.with(file, e);
        }
    }

    /** A record around a payload. */
    static byte[] record(byte[] payload) {
        ByteBuffer record = ByteBuffer.allocate(payload.length + 16).order(ByteOrder.LITTLE_ENDIAN);
        record.putLong(payload.length);
        record.putInt(maskedCrc(record.array(), 0, 8));
        record.put(payload);
        record.putInt(maskedCrc(payload, 0, payload.length));
        return record.array();
    }

    /** CRC-32C, rotated right by 15 and shifted by a constant, so that a CRC of data with CRCs in it means something. */
    static int maskedCrc(byte[] bytes, int from, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, from, length);
        return Integer.rotateRight((int) crc.getValue(), 15) + 0xa282ead8;
    }

    @Override
    public void close() throws IOException {
        out.close();
    }

    /** The wire format of protocol buffers. */
    private static final class Message {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        void varint(int field, long value) {
            raw(field << 3);
            raw(value);
        }

        void bytes(int field, byte[] value) {
            raw(field << 3 | 2);
            raw(value.length);
            bytes.writeBytes(value);
        }

        void float32(int field, float value) {
            raw(field << 3 | 5);
            bytes.writeBytes(ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putFloat(value)
                    .array());
        }

        void float64(int field, double value) {
            raw(field << 3 | 1);
            bytes.writeBytes(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putDouble(value)
                    .array());
        }

        void append(Message other) {
            bytes.writeBytes(other.toBytes());
        }

        byte[] toBytes() {
            return bytes.toByteArray();
        }

        private void raw(long value) {
            for (; (value & ~0x7fL) != 0; value >>>= 7) bytes.write((int) (value & 0x7f | 0x80));
            bytes.write((int) value);
        }
    }
}
