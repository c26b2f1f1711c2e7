package bench;

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
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code gpu-peers.sh} between programs that only say that they ran, on a machine without PyTorch. */
class GpuPeersTest {
    @TempDir
    Path folder;

    private record Outcome(int code, String said) {}

    private Outcome run(Map<String, Integer> codes, String... arguments) throws IOException, InterruptedException {
        for (String name : List.of("python3", "run-gpu-tests", "run-gpu-benchmarks")) {
            Path program = folder.resolve(name);
            int code = name.equals("python3") ? 1 : codes.getOrDefault(name, 0);
            Files.writeString(program, "#!/bin/sh\necho \"" + name + " $*\"\nexit " + code + "\n");
            assertTrue(program.toFile().setExecutable(true));
        }
        Path script = folder.resolve("run-gpu-peers");
        Files.copy(Path.of("gpu-peers.sh"), script, StandardCopyOption.REPLACE_EXISTING);
        List<String> command = new ArrayList<>(List.of("bash", script.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
        builder.environment().merge("PATH", folder.toString(), (path, first) -> first + ":" + path);
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), said);
    }

    @Test
    void endsWithOneWhenAnyPartFailed() throws Exception {
        assertEquals(0, run(Map.of()).code);
        assertEquals(1, run(Map.of("run-gpu-tests", 1)).code);
        assertEquals(1, run(Map.of("run-gpu-benchmarks", 1)).code);
    }

    @Test
    void tinyShapesAreNotHeldAgainstTheFloorsOfLargeOnes() throws Exception {
        assertTrue(run(Map.of(), "out").said.contains("/out/gate --gate"));
        String small = run(Map.of(), "out", "--small").said;
        assertTrue(small.contains("/out/gate --small"), small);
        assertFalse(small.contains("--gate"), small);
    }
}
