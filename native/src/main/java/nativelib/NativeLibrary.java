package nativelib;

import java.io.IOException;
import java.net.URL;
import java.nio.file.Path;
import java.util.List;

/**
 * Loads the native code, once, and says why when it cannot. Four libraries, in this order, so that all of them share
 * one OpenMP runtime:
 *
 * <ol>
 *   <li>{@code libddpm_settings.so}, ours: settings for that runtime, which reads them when it is loaded;
 *   <li>{@code libgomp.so.1} and {@code libdnnl.so.3}, from the oneDNN jar;
 *   <li>{@code libddpm.so}, ours, built by this module.
 * </ol>
 *
 * Loading never throws: ask {@link #isAvailable} first, and call nothing native when it says no.
 */
public final class NativeLibrary {
    private static final String ONEDNN = "/org/bytedeco/dnnl/linux-x86_64/";
    private static final String OURS = "/nativelib/linux-x86_64/";
    /** In the order in which they are loaded. */
    private static final List<String> RESOURCES = List.of(
            OURS + "libddpm_settings.so", ONEDNN + "libgomp.so.1", ONEDNN + "libdnnl.so.3", OURS + "libddpm.so");

    /** One sentence, or {@code null} when everything is loaded. */
    private static final String WHY_NOT = load();

    private NativeLibrary() {}

    /** Whether native methods can be called. */
    public static boolean isAvailable() {
        return WHY_NOT == null;
    }

    /** One sentence that says why nothing native can be called and what to do; {@code null} when it can. */
    public static String whyNot() {
        return WHY_NOT;
    }

    /** Library, version and instruction set, for people: {@code oneDNN 3.13.0, avx512 kernels}. */
    public static String description() {
        if (WHY_NOT != null) throw new IllegalStateException(WHY_NOT);
        return Cpu.oneDnn() + ", " + Cpu.isa() + " kernels";
    }

    /**
     * Native code called from this thread computes on {@code count} threads from now on: this one, and workers that are
     * kept on cores of their own, those that others leave free where there is a choice.
     *
     * @param count at least 1, better not above {@link FreeCores#all}
     */
    public static void threads(int count) {
        if (WHY_NOT != null) throw new IllegalStateException(WHY_NOT);
        FreeCores.all(); // counts, before the calling thread is placed
        boolean choice = count > 1 && count < Cpu.allowed();
        Cpu.threads(count, choice ? FreeCores.busy() : new int[0]);
    }

    private static String load() {
        String refusal = refusal(System.getProperty("os.name"), System.getProperty("os.arch"));
        if (refusal != null) return refusal;
        LibraryCache cache = LibraryCache.ofUser();
        for (String resource : RESOURCES) {
            URL source = NativeLibrary.class.getResource(resource);
            if (source == null) return missing(resource);
            try {
                Path file = cache.unpack(source);
                System.load(file.toString());
            } catch (IOException e) {
                return "the native library " + name(resource) + " could not be unpacked (" + e.getMessage()
                        + "): make room or write access in " + cache.root();
            } catch (UnsatisfiedLinkError e) {
                return "the native library " + name(resource) + " could not be loaded (" + e.getMessage() + "): "
                        + needed(e.getMessage(), cache.root());
            }
        }
        return Cpu.isa().equals("none") ? "this processor has no AVX2 instructions: use another backend" : null;
    }

    /** Why nothing can be loaded on this platform, or {@code null}. */
    static String refusal(String os, String architecture) {
        if (os.equals("Linux") && architecture.equals("amd64")) return null;
        return "the native library exists for Linux x86_64 only, and this is " + os + " " + architecture
                + ": use another backend";
    }

    /** What a library in this folder needs that could not be loaded, by what the system said. */
    static String needed(String message, Path folder) {
        return message.contains("failed to map segment")
                ? "files in " + folder + " may not be executed; name another folder in XDG_CACHE_HOME"
                : "it needs glibc 2.34 or newer and libstdc++";
    }

    /** Why a resource may be missing. */
    static String missing(String resource) {
        return resource.startsWith(ONEDNN)
                ? "the native library " + name(resource)
                        + " is not on the class path: add org.bytedeco:dnnl with the classifier linux-x86_64"
                : "the native library " + name(resource) + " was not built: install g++ and run mvn package again";
    }

    private static String name(String resource) {
        return resource.substring(resource.lastIndexOf('/') + 1);
    }
}
