package bench;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tensor.backend.Precision;

/**
 * How the process of a contestant is started. Two builds of libtorch take part, each where it is the better rival and the
 * only one that can: the PyTorch project's own ({@code libtorch}, with MKL) in fp32; in bf16 that of the bindings' project
 * ({@code libtorch-bf16}, jars), whose bindings reach autocast. A process sees one of them.
 */
public final class Launch {
    private static final List<Path> TCMALLOC = List.of(
            Path.of("/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"),
            Path.of("/usr/lib64/libtcmalloc_minimal.so.4"));

    /** What must not stand on the class path beside the jars of {@code libtorch-bf16}. */
    private static final Pattern OTHER_BUILD =
            Pattern.compile(".*/(pytorch|openblas|javacpp|pytorch-native-cpu)-[0-9][^/]*\\.jar");

    private Launch() {}

    /**
     * A Java process in which this contestant can compute; its errors go where ours go.
     *
     * @param main the class to run, then its arguments
     */
    public static ProcessBuilder of(String contestant, Precision precision, String... main) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx768m",
                "-Xmn16m", // or garbage that nobody has collected yet counts as memory of the contestant
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED"));
        ProcessBuilder builder = new ProcessBuilder().redirectError(ProcessBuilder.Redirect.INHERIT);
        String classes = System.getProperty("java.class.path");
        if (contestant.startsWith("libtorch")) {
            Map<String, String> environment = builder.environment();
            command.addAll(
                    List.of("-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-Dorg.bytedeco.javacpp.nopointergc=true"));
            if (precision == Precision.BF16) {
                environment.remove("LD_LIBRARY_PATH"); // it leads to the other build
                classes = withBindings(beside("libtorch-bf16"), classes);
            } else {
                Path libraries = beside("libtorch");
                command.addAll(List.of("-Djava.library.path=" + libraries, "-Dorg.bytedeco.javacpp.pathsFirst=true"));
                environment.put("LD_LIBRARY_PATH", libraries.toString());
            }
            if (Machine.isHeldToAvx2())
                environment.putAll(Map.of("ATEN_CPU_CAPABILITY", "avx2", "MKL_ENABLE_INSTRUCTIONS", "AVX2"));
            environment.put("OPENBLAS_NUM_THREADS", "1"); // its threads and libtorch's would wait for each other
            TCMALLOC.stream()
                    .filter(Files::exists)
                    .findFirst()
                    .ifPresent(file -> environment.put("LD_PRELOAD", file.toString()));
        }
        command.addAll(List.of("-cp", classes));
        command.addAll(List.of(main));
        return builder.command(command);
    }

    /** The allocator that libtorch gets: without tcmalloc it is 1.6 times slower, which would be no rival. */
    public static String allocator() {
        return TCMALLOC.stream().anyMatch(Files::exists) ? "tcmalloc" : "glibc's malloc, for there is no tcmalloc here";
    }

    private static String withBindings(Path jars, String classes) {
        Stream<String> rest = Arrays.stream(classes.split(File.pathSeparator))
                .filter(entry -> !OTHER_BUILD.matcher(entry).matches());
        try (Stream<Path> files = Files.list(jars)) {
            return Stream.concat(files.map(Path::toString).sorted(), rest)
                    .collect(Collectors.joining(File.pathSeparator));
        } catch (IOException e) {
            throw new UncheckedIOException("libtorch for bf16 is not in this build: build with -Privals", e);
        }
    }

    /** A folder that the build has put beside the classes. */
    static Path beside(String folder) {
        try {
            return Path.of(Launch.class
                            .getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .resolveSibling(folder);
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
