package nativelib;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/** The kernels of {@code src/main/cuda}, compiled to PTX that is kept with their source; the driver compiles it for its device. */
public final class CudaModules {
    private CudaModules() {}

    /** The text of a module, such as {@code kernels_f32.ptx}. */
    public static InputStream open(String file) throws IOException {
        InputStream in = CudaModules.class.getResourceAsStream("/nativelib/cuda/" + file);
        if (in == null)
            throw new FileNotFoundException("/nativelib/cuda/" + file + " is not on the class path: build again");
        return in;
    }
}
