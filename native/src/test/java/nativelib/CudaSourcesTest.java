package nativelib;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The PTX that is checked in is the PTX of the CUDA sources that are checked in. */
class CudaSourcesTest {
    private static final Path PTX = Path.of("src/main/resources/nativelib/cuda");
    private static final List<String> MODULES = List.of("kernels_f32.ptx", "kernels_bf16.ptx");

    @Test
    void thePtxWasMadeFromTheseSources() throws IOException, NoSuchAlgorithmException {
        List<Path> sources = new ArrayList<>();
        sources.add(Path.of("src/main/cpp/pointwise.def"));
        try (Stream<Path> cuda = Files.list(Path.of("src/main/cuda"))) {
            sources.addAll(
                    cuda.filter(p -> p.toString().endsWith(".cu")).sorted().toList());
        }
        try (Stream<Path> cuda = Files.list(Path.of("src/main/cuda"))) {
            sources.addAll(
                    cuda.filter(p -> p.toString().endsWith(".h")).sorted().toList());
        }
        StringBuilder list = new StringBuilder(); // what sha256sum prints
        for (Path source : sources)
            list.append(sha256(Files.readAllBytes(source)))
                    .append("  ")
                    .append(Path.of("src/main").relativize(source))
                    .append('\n');
        assertEquals(
                Files.readString(PTX.resolve("sources.sha256")).strip(),
                sha256(list.toString().getBytes(StandardCharsets.UTF_8)),
                "the CUDA sources have changed: run native/ptx.sh");
    }

    private static String sha256(byte[] content) throws NoSuchAlgorithmException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }

    @Test
    void theCompilerGivesTheSamePtxAgain(@TempDir Path again) throws IOException, InterruptedException {
        assumeTrue(onPath("nvcc") && onPath("ptxas"), "skipped: there is no nvcc here to compile the kernels again");
        Process process = new ProcessBuilder("bash", "ptx.sh", again.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        assumeTrue(!output.contains("not 13.0"), "skipped: " + output.strip());
        assertEquals(0, status, output);
        for (String module : MODULES)
            assertEquals(
                    -1L,
                    Files.mismatch(PTX.resolve(module), again.resolve(module)),
                    module + " is not what nvcc makes of the sources: run native/ptx.sh");
    }

    private static boolean onPath(String program) {
        return Stream.of(System.getenv("PATH").split(":"))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }

    @Test
    void thePtxSuitsOldDriversAndHoldsEveryKernelThatIsDeclared() throws IOException {
        List<String> declared = new ArrayList<>();
        collect("KERNEL\\((\\w+)\\)\\(", Path.of("src/main/cuda/kernels.h"), "", declared);
        collect("^UNARY\\((\\w+),", Path.of("src/main/cpp/pointwise.def"), "unary_", declared);
        collect("^BINARY\\((\\w+),", Path.of("src/main/cpp/pointwise.def"), "binary_", declared);
        assertTrue(declared.size() > 60, declared.toString());
        Pattern absolute = Pattern.compile("(?<![\\w.])/\\w[\\w.-]*/");
        for (String module : MODULES) {
            String text = Files.readString(PTX.resolve(module));
            String oldest = module.contains("bf16") ? "80" : "75";
            assertTrue(text.contains("\n.version 7.0\n.target sm_" + oldest + "\n"), module);
            List<String> entries = new ArrayList<>();
            collect("\\.visible \\.entry (\\w+)\\(", PTX.resolve(module), "", entries);
            assertEquals(
                    declared.stream().sorted().toList(),
                    entries.stream().sorted().toList(),
                    module);
            assertFalse(absolute.matcher(text).find(), "no paths of a machine in " + module);
        }
    }

    private static void collect(String pattern, Path file, String prefix, List<String> to) throws IOException {
        Matcher found = Pattern.compile(pattern, Pattern.MULTILINE).matcher(Files.readString(file));
        while (found.find()) if (!found.group(1).startsWith("name")) to.add(prefix + found.group(1));
    }
}
