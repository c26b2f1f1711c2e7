package tensor.backend.cuda;

import java.io.IOException;
import java.net.URL;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcudnn.JCudnn;
import nativelib.LibraryCache;

/**
 * Loads NVIDIA's libraries and JCuda's bridges to them, once, or says in one sentence what is missing. The order is
 * driver, cuBLAS, NVRTC, cuDNN, bridges: the system's loader takes a library that is in the process already before it looks
 * for a file of that name, so it does not matter in which folder each of them was found.
 *
 * <p>The bridges were linked to {@code libcublas.so.12}; where only version 13 is found, the one to cuBLAS is
 * {@linkplain Retarget retargeted}. They are unpacked to a private folder: JCuda by itself would take whatever file of
 * the right name lies in the system's temporary folder. {@code jcuda.runtime.JCuda} is never loaded.
 */
final class Libraries {
    private static final String DRIVER = "libcuda.so.1";
    private static final String DNN = "libcudnn.so.9";
    /** Versions of cuBLAS, the one that the bridges were made for first. */
    private static final List<Integer> BLAS = List.of(12, 13);

    private static final String VERSION = "12.6.0";

    /** One sentence, or {@code null} when everything is loaded. */
    private static final String WHY_NOT = load();

    private Libraries() {}

    /** One sentence that says what is missing and what to do; {@code null} when nothing is. */
    static String whyNot() {
        return WHY_NOT;
    }

    /** The version of cuBLAS that was loaded: 12 or 13. */
    static int blasVersion() {
        return blasVersion(LibrarySearch.ofHost());
    }

    /** What lies where on this machine, one line for each library; for people. Loads nothing. */
    static List<String> look(LibrarySearch search) {
        List<String> lines = new ArrayList<>();
        boolean all = true;
        for (String name : List.of(DRIVER, blas(12), blas(13), DNN)) {
            Path file = search.find(name);
            all &= file != null;
            String version = name.substring(0, name.indexOf(".so.") + 4);
            lines.add(name + ": " + (file == null ? "not found" + search.others(version) : describe(file)));
        }
        if (!all) lines.add(search.where());
        return lines;
    }

    private static String describe(Path file) {
        try {
            return file + " -> " + file.toRealPath().getFileName();
        } catch (IOException e) {
            return file.toString();
        }
    }

    private static String load() {
        String os = System.getProperty("os.name");
        String architecture = System.getProperty("os.arch");
        if (!os.equals("Linux") || !architecture.equals("amd64"))
            return "it exists for Linux x86_64 only, and this is " + os + " " + architecture;
        LibrarySearch search = LibrarySearch.ofHost();
        String missing = missing(search);
        if (missing != null) return missing;
        try {
            return load(search);
        } catch (IOException e) {
            return "JCuda's libraries could not be unpacked (" + e.getMessage() + "): make room or write access in "
                    + LibraryCache.ofUser().root();
        } catch (UnsatisfiedLinkError e) {
            return "a library could not be loaded: " + firstLine(e);
        }
    }

    /** The first library that is not on this machine, in a sentence, or {@code null}. */
    static String missing(LibrarySearch search) {
        if (search.find(DRIVER) == null)
            return "no NVIDIA driver: " + DRIVER + " was not found (ddpm.Doctor says where); install the driver";
        if (blasVersion(search) == 0)
            return "no cuBLAS: neither " + blas(12) + " nor " + blas(13) + " was found"
                    + search.others("libcublas.so.") + " (" + search.where()
                    + "); install CUDA 12 or 13, or name the folder with -D"
                    + LibrarySearch.PROPERTY;
        if (search.find(DNN) == null)
            return "no cuDNN: " + DNN + " was not found" + search.others("libcudnn.so.") + " (" + search.where()
                    + "); install cuDNN 9, or name the folder with -D" + LibrarySearch.PROPERTY;
        return null;
    }

    /** The version of cuBLAS to use, or 0. */
    static int blasVersion(LibrarySearch search) {
        for (int version : BLAS) if (search.find(blas(version)) != null) return version;
        return 0;
    }

    private static String blas(int version) {
        return "libcublas.so." + version;
    }

    private static String load(LibrarySearch search) throws IOException {
        int version = blasVersion(search);
        System.load(absolute(search.find(DRIVER)));
        Path blas = search.find(blas(version));
        Path light = blas.resolveSibling("libcublasLt.so." + version);
        if (!Files.exists(light)) light = search.find("libcublasLt.so." + version);
        if (light != null) System.load(absolute(light));
        System.load(absolute(blas));
        Path compiler = search.find("libnvrtc.so." + version);
        if (compiler != null) {
            loadAll(compiler.resolveSibling("libnvrtc-builtins.so." + version + ".*"));
            loads(compiler);
        }
        Path dnn = search.find(DNN);
        loadAll(dnn.resolveSibling("libcudnn_*.so.9"));
        System.load(absolute(dnn));
        String missing = bridge("JCudaDriver", version, () -> JCudaDriver.setExceptionsEnabled(false));
        if (missing == null) missing = bridge("JCublas2", version, JCublas2::initialize);
        if (missing == null) missing = bridge("JCudnn", version, JCudnn::initialize);
        return missing;
    }

    private static String absolute(Path file) {
        return file.toAbsolutePath().toString();
    }

    /**
     * cuDNN opens its parts and NVRTC, with which it compiles some of its kernels, by name when it needs them, which fails where they
     * lie in a folder that the system's loader does not know; what is in the process already is found. Parts need each other,
     * so rounds are made until one changes nothing; one that cannot be loaded will be missed by cuDNN, which says so.
     *
     * @param pattern the files, a {@code *} in the name
     */
    private static void loadAll(Path pattern) throws IOException {
        List<Path> parts = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(
                pattern.toAbsolutePath().getParent(), pattern.getFileName().toString())) {
            files.forEach(parts::add);
        }
        while (parts.removeIf(Libraries::loads)) continue;
    }

    private static boolean loads(Path part) {
        try {
            System.load(absolute(part));
            return true;
        } catch (UnsatisfiedLinkError e) {
            return false;
        }
    }

    /**
     * Unpacks a bridge and lets JCuda load it: its class looks in the folder of temporary files, whose name it asks the
     * system property for, and takes the file that lies there.
     */
    private static String bridge(String name, int blas, Runnable initialize) throws IOException {
        String file = "lib" + name + "-" + VERSION + "-linux-x86_64.so";
        URL resource = Libraries.class.getResource("/lib/" + file);
        if (resource == null)
            return file + " is not on the class path: add the natives of org.jcuda with the classifier linux-x86_64";
        LibraryCache cache = LibraryCache.ofUser();
        Path unpacked = cache.unpack(resource);
        if (name.equals("JCublas2") && blas != 12)
            unpacked = cache.keep(file, Retarget.retarget(Files.readAllBytes(unpacked), blas(12), blas(blas)));
        String temporary = System.getProperty("java.io.tmpdir");
        System.setProperty("java.io.tmpdir", unpacked.getParent().toString());
        try {
            initialize.run();
        } finally {
            System.setProperty("java.io.tmpdir", temporary);
        }
        return null;
    }

    /** JCuda answers in a page of text; the cause stands in the line that names the file. */
    private static String firstLine(UnsatisfiedLinkError e) {
        for (String line : String.valueOf(e.getMessage()).split("\n"))
            if (line.contains(".so") && line.contains(": ")) return line.strip();
        return String.valueOf(e.getMessage()).split("\n")[0];
    }
}
