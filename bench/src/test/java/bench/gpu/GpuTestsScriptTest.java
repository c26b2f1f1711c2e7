package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code gpu-tests.sh} between programs that only say that they ran. */
class GpuTestsScriptTest {
    @TempDir
    Path folder;

    /** No PyTorch. */
    private static final String NONE = "exit 1";

    /** One whose networks are compiled at once, but for that of max-autotune, which never is; the mode "default" fails when it runs. */
    private static final String TORCH = """
            [ "$1" = -c ] && exit 0
            [ "$1" = -u ] && echo "| a convolution |" && exit 0
            case "$*" in *max-autotune*) sleep 60 ;; esac
            printf 'warm\\nwarm\\nwarm\\nwarm\\n' >&2
            for go; do :; done
            while [ ! -e "$go" ]; do sleep 0.05; done
            echo "begins: $3" >>$(dirname "$0")/order
            sleep 0.3
            case "$*" in *default*) echo Traceback >&2; exit 1 ;; esac
            echo "| PyTorch 2 $3 | $5 |"
            echo "ends: $3" >>$(dirname "$0")/order
            """;

    private String python = NONE;

    private record Outcome(int code, String said) {}

    /** @param failing what ends with {@code code}: a word of its command line */
    private Outcome run(String failing, int code, String... arguments) throws IOException, InterruptedException {
        program("python3", python);
        String ends = "case \"$*\" in *" + failing + "*) exit " + code + " ;; esac";
        program("java/bin/java", "shift 5; echo \"java $*\"; case \"$*\" in *Summary*) exit 0 ;; esac; " + ends);
        program("kernel_test", "echo \"ok one\"; echo \"kernel_test $*\" >&2; " + ends);
        program("compute-sanitizer", "shift 4; \"$@\"");
        program("run-gpu-benchmarks", "echo \"run-gpu-benchmarks $*\"; " + ends);
        Files.writeString(folder.resolve("commit"), "abc");
        Path script = folder.resolve("run-gpu-tests");
        Files.copy(Path.of("gpu-tests.sh"), script, StandardCopyOption.REPLACE_EXISTING);
        List<String> command = new ArrayList<>(List.of("bash", script.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
        builder.environment().put("WAIT", "2");
        builder.environment().merge("PATH", folder.toString(), (path, first) -> first + ":" + path);
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), said);
    }

    private void program(String name, String body) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, "#!/bin/sh\n" + body + "\n");
        assertTrue(file.toFile().setExecutable(true));
    }

    @Test
    void endsWithOneWhenAnyPartFailed() throws Exception {
        assertEquals(0, run("nothing", 1).code);
        Outcome checks = run("--checks", 134);
        assertEquals(1, checks.code);
        assertTrue(checks.said.contains("--times"), checks.said);
        assertTrue(checks.said.contains("abc checks=134 kernels=0 times=0 benchmarks=0"), checks.said);
        assertEquals(1, run("--times", 1).code);
        Outcome kernels = run("kernels_bf16", 1);
        assertEquals(1, kernels.code);
        assertTrue(
                kernels.said.contains("- kernels, f32: 1 cases right\n- kernels, bf16: FAILED\n  - kernel_test "),
                kernels.said);
        Outcome gate = run("--gate", 1);
        assertEquals(1, gate.code);
        assertTrue(gate.said.contains("abc checks=0 kernels=0 times=0 benchmarks=1"), gate.said);
    }

    @Test
    void withoutAGpuNothingElseIsTried() throws Exception {
        Outcome none = run("--checks", 7);
        assertEquals(7, none.code);
        assertFalse(none.said.contains("--times") || none.said.contains("GpuSummary"), none.said);
    }

    /** PyTorch may have filled it: what was found is kept, and the rest is tried. */
    @Test
    void aGpuThatIsFullLaterEndsNothing() throws Exception {
        Outcome full = run("--times", 7);
        assertEquals(1, full.code);
        assertTrue(full.said.contains("abc checks=0 kernels=0 times=7 benchmarks=0"), full.said);
    }

    @Test
    void pyTorchsNetworksWaitAndRunOneAfterTheOther() throws Exception {
        python = TORCH;
        Outcome both = run("nothing", 1, "out");
        assertEquals(0, both.code, both.said);
        assertEquals(
                List.of(
                        "| PyTorch 2 reduce-overhead | ddpm-cifar10 |",
                        "| PyTorch 2 reduce-overhead | ddpm-cifar10 |",
                        "| PyTorch 2 reduce-overhead | annotated |",
                        "- failed: default ddpm-cifar10 bf16 1 --sample",
                        "| PyTorch 2 eager | ddpm-cifar10,annotated |",
                        "| a convolution |"),
                Files.readAllLines(folder.resolve("out/torch.md")).stream()
                        .filter(line -> !line.startsWith("- left out"))
                        .toList());
        assertTrue(both.said.contains("left out: PyTorch, max-autotune ddpm-cifar10 bf16 1"), both.said);
        assertTrue(both.said.contains("Traceback"), both.said);
        List<String> order = Files.readAllLines(folder.resolve("order"));
        assertEquals(9, order.size(), order.toString()); // of five networks one fails in the middle
        assertEquals("begins: reduce-overhead", order.get(0));
        for (int i = 0; i < 6; i += 2) assertEquals(order.get(i).replace("begins", "ends"), order.get(i + 1));
        int times = both.said.indexOf("--times");
        assertTrue(times > both.said.indexOf("--checks") && times < both.said.indexOf("| PyTorch 2"), both.said);
    }

    @Test
    void aRefusedCallLeavesTheReportOfBefore() throws Exception {
        Path old = Files.createDirectories(folder.resolve("out")).resolve("report.md");
        Files.writeString(old, "of before");
        assertEquals(2, run("nothing", 1, "out", "--sanitise").code);
        assertTrue(Files.exists(old));
    }

    @Test
    void aPartIsRunAlone() throws Exception {
        String checks = run("nothing", 1, "out", "--checks").said;
        assertTrue(checks.contains("/out/checks --checks"), checks);
        assertTrue(checks.contains("/out abc checks=0 kernels=0"), checks);
        assertFalse(checks.contains("--times") || checks.contains("run-gpu-benchmarks"), checks);
        String times = run("nothing", 1, "out", "--times").said;
        assertTrue(times.contains("/out/times --times"), times);
        assertFalse(times.contains("--checks") || times.contains("run-gpu-benchmarks"), times);
    }

    @Test
    void kernelsAreRunUnderAllToolsOfTheSanitizer() throws Exception {
        Outcome sanitize = run("nothing", 1, "out", "--sanitize");
        assertEquals(0, sanitize.code, sanitize.said);
        assertTrue(sanitize.said.contains("- kernels under racecheck, bf16: 1 cases right"), sanitize.said);
        assertTrue(sanitize.said.contains("abc memcheck=0 initcheck=0 racecheck=0 synccheck=0"), sanitize.said);
        assertFalse(sanitize.said.contains("--checks") || sanitize.said.contains("--times"), sanitize.said);
        assertEquals(1, run("kernels_f32", 1, "out", "--sanitize").code);
    }

    @Test
    void optionsThatWouldBePassedOverAreRefused() throws Exception {
        Outcome both = run("nothing", 1, "--times", "--checks");
        assertEquals(2, both.code);
        assertTrue(both.said.startsWith("error: --times does nothing else"), both.said);
        Outcome unknown = run("nothing", 1, "out", "--check");
        assertEquals(2, unknown.code);
        assertTrue(unknown.said.startsWith("error: there is no option --check"), unknown.said);
        assertFalse(Files.exists(folder.resolve("out")));
    }

    @Test
    void tinyShapesAreNotHeldAgainstTheFloorsOfLargeOnes() throws Exception {
        assertTrue(run("nothing", 1, "out").said.contains("/out/benchmarks --gate"));
        String small = run("nothing", 1, "out", "--small").said;
        assertTrue(small.contains("/out/benchmarks --small"), small);
        assertFalse(small.contains("--gate"), small);
    }

    @Test
    void aReportOfBeforeDoesNotStayAmongTheNew() throws Exception {
        Path old = Files.createDirectories(folder.resolve("out/times")).resolve("report.json");
        Files.writeString(old, "{}");
        run("nothing", 1, "out", "--checks");
        assertFalse(Files.exists(old));
    }
}
