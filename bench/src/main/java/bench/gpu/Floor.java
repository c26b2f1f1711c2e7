package bench.gpu;

import ddpm.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a call of ours may cost more than the library's call alone.
 *
 * @param ratio least time of the library's call over ours, where its call takes {@link #LONG} or more
 * @param microseconds most that ours may take longer, device and host, where the library's call is shorter
 * @param reason where they come from
 */
record Floor(double ratio, double microseconds, String reason) {
    /** Microseconds from which on a call is long: the ratio counts. */
    static final double LONG = 50;

    Floor {
        if (!(ratio > 0) || !(microseconds > 0) || reason.isBlank())
            throw new IllegalArgumentException(
                    "a row of the gate needs a ratio and microseconds above 0, and a reason");
    }

    /** Times of one call, microseconds: until the device has finished, and until it is in the queue. */
    record Times(double ours, double raw, double ourHost, double rawHost) {
        /** Whether none is missing (NaN). */
        boolean complete() {
            return !Double.isNaN(ours + raw + ourHost + rawHost);
        }
    }

    /** The rows of a file by the {@linkplain GpuCall#name name} of their call. */
    static Map<String, Floor> read(Path file) throws IOException {
        Map<String, Floor> floors = new LinkedHashMap<>();
        if (Json.parse(Files.readString(file)) instanceof Map<?, ?> all && all.get("rows") instanceof Iterable<?> rows)
            for (Object each : rows)
                if (each instanceof Map<?, ?> row)
                    floors.put(
                            (String) row.get("call"),
                            new Floor(
                                    ((Number) row.get("ratio")).doubleValue(),
                                    ((Number) row.get("microseconds")).doubleValue(),
                                    (String) row.get("reason")));
        if (floors.isEmpty()) throw new IOException(file + " has no rows");
        return floors;
    }

    /** Whether these times pass. A time that is missing does not. */
    boolean passes(Times t) {
        if (t.raw >= LONG) return t.raw / t.ours >= ratio;
        return t.ours - t.raw <= microseconds && t.ourHost - t.rawHost <= microseconds;
    }
}
