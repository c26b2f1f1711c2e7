package nativelib;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * The CUDA kernels against plain loops in double, without a GPU: compiled for the CPU and launched through the stand-in
 * for the driver, in both storage types. The programs are C++ (src/test/cpp/kernel_test.cpp and others) and print one
 * line for each case. Where there was no compiler to build them, the tests are skipped.
 */
class CudaKernelsTest {
    private static final Path STAND_INS = Path.of("target/stand-ins");
    private static final String PTX = "src/main/resources/nativelib/cuda/kernels_";

    @TestFactory
    List<DynamicTest> inFloats() throws IOException, InterruptedException {
        return run("kernel_test", "f32", "forward");
    }

    @TestFactory
    List<DynamicTest> inBfloat16() throws IOException, InterruptedException {
        return run("kernel_test", "bf16", "forward");
    }

    /** Threads and blocks in the opposite order: a result that depends on who comes first would change. */
    @TestFactory
    List<DynamicTest> withTheThreadsInReverse() throws IOException, InterruptedException {
        return run("kernel_test", "f32", "reverse");
    }

    /** What the stand-in refuses, and that a capture records without running; each case is a process. */
    @TestFactory
    List<DynamicTest> theStandInItself() throws IOException, InterruptedException {
        return run("stand_in_test", "f32", "forward");
    }

    /** The stand-ins for cuBLAS and cuDNN: right results, and what they refuse. */
    @TestFactory
    List<DynamicTest> theStandInsForLibraries() throws IOException, InterruptedException {
        return run("library_test", "f32", "forward");
    }

    private static List<DynamicTest> run(String program, String module, String order)
            throws IOException, InterruptedException {
        Path file = STAND_INS.resolve(program);
        if (!Files.isExecutable(file)) {
            String why = "skipped: the stand-ins for CUDA were not built, which needs g++ on Linux x86_64";
            return List.of(dynamicTest(why, () -> abort(why)));
        }
        ProcessBuilder builder = new ProcessBuilder(file.toString(), PTX + module + ".ptx");
        builder.environment().put("EMU_ORDER", order);
        builder.environment().keySet().removeIf(name -> name.startsWith("FAKE_CUDA"));
        builder.redirectError(ProcessBuilder.Redirect.DISCARD);
        Process process = builder.start();
        List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList();
        int status = process.waitFor();
        assertTrue(lines.size() >= 9, program + " ended early, status " + status + ": " + lines);
        boolean failed = lines.stream().anyMatch(line -> !line.startsWith("ok "));
        assertEquals(failed ? 1 : 0, status, program + ": " + lines);
        return lines.stream()
                .map(line -> dynamicTest(line, () -> assertTrue(line.startsWith("ok "), line)))
                .toList();
    }
}
