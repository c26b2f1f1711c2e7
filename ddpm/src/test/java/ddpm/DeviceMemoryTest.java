package ddpm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ddpm.ProgramTest.Outcome;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tensor.backend.Backend;
import tensor.backend.Backends;

/** A device that is too small for what a run asks of it half-way: a stand-in, told its size, in a process of its own. */
class DeviceMemoryTest {
    private static final String TINY = "--data fashion --out $ --dim 8 --dim-mults 1,2 --batch-size 4 --timesteps 6"
            + " --decay constant --save-every 2 --steps 6 --name ";

    @TempDir
    Path folder;

    @BeforeAll
    static void onlyAStandInCanBeToldItsSize() {
        try (Backend there = Backends.open("auto").backend()) {
            assumeTrue(there.description().contains("stand-in"), "only a stand-in can be told its size");
        }
    }

    private Outcome train(int megabytes, String more) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Train.class.getName()));
        command.addAll(List.of(
                ("--backend cuda -q " + more).replace("$", folder.toString()).split(" ")));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("FAKE_CUDA_MEMORY", String.valueOf((long) megabytes << 20));
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), said);
    }

    private byte[] model(String run, int step) throws IOException {
        return Files.readAllBytes(folder.resolve(run + "/checkpoints/step-0000000" + step + "/model.safetensors"));
    }

    /** The grid after step 5 needs more than the steps do; what was saved before it is whole, and goes on where there is room. */
    @Test
    void aRunThatRunsOutOfMemoryHalfWayKeepsItsLastCheckpoint() throws IOException, InterruptedException {
        assertEquals(new Outcome(0, ""), train(1024, TINY + "straight --samples 4"));
        Outcome full = train(96, TINY + "full --samples 1024 --sample-every 5");
        assertEquals(Failure.MEMORY, full.code(), full.error());
        assertTrue(full.error().startsWith("error: not enough memory (asked for "), full.error());
        assertTrue(full.error().contains(" of 96 MiB free"), full.error());
        assertTrue(full.error().strip().endsWith(": try half the --batch-size, or fewer --samples"), full.error());
        assertEquals(1, full.error().lines().count(), full.error());
        assertArrayEquals(model("straight", 4), model("full", 4));
        assertFalse(Files.exists(folder.resolve("full/checkpoints/step-00000006")));
        Outcome again = train(96, "--resume $/full --samples 1024");
        assertEquals(Failure.MEMORY, again.code(), again.error());
        String advice = ": try a new run by --init with half the --batch-size, or fewer --samples";
        assertTrue(again.error().strip().endsWith(advice), again.error());
        assertEquals(new Outcome(0, ""), train(1024, "--resume $/full --samples 4"));
        assertArrayEquals(model("straight", 6), model("full", 6));
    }
}
