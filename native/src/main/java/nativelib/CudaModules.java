package nativelib;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** The kernels of {@code src/main/cuda}, compiled to PTX that is kept with their source; the driver compiles it for its device. */
public final class CudaModules {
    private CudaModules() {}

    /** The beginning of the hash of their source: what was measured with other kernels need not hold for these. */
    public static String version() {
        try (InputStream in = open("sources.sha256")) {
            return new String(in.readNBytes(12), StandardCharsets.US_ASCII);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The text of a module, such as {@code kernels_f32.ptx}. */
    public static InputStream open(String file) throws IOException {
        InputStream in = CudaModules.class.getResourceAsStream("/nativelib/cuda/" + file);
        if (in == null)
            throw new FileNotFoundException("/nativelib/cuda/" + file + " is not on the class path: build again");
        return in;
    }
}
