package ddpm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ddpm.ProgramTest.Outcome;
import ddpm.train.RunFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run keeps when it goes on, and what programs that come after it believe of it. */
class GoingOnTest {
    private static final Outcome DONE = new Outcome(0, "");
    private static final String TINY = "--dim 8 --dim-mults 1,2 --batch-size 4 --timesteps 6 --steps 4 --samples 4"
            + " --decay constant --data $/digits --out $/runs -q --name ";

    @TempDir
    Path folder;

    @BeforeEach
    void data() throws IOException {
        ProgramTest.digits(folder);
    }

    private Outcome run(Program program, String line) {
        return ProgramTest.run(folder, program, line);
    }

    private byte[] bytes(String file) throws IOException {
        return Files.readAllBytes(folder.resolve(file));
    }

    private Map<?, ?> about(String run) throws IOException {
        return RunFolder.about(RunFolder.readConfig(folder.resolve("runs/" + run + "/config.json")));
    }

    private static String model(int step) {
        return "/checkpoints/step-0000000" + step + "/model.safetensors";
    }

    @Test
    void aDryRunOfARunChangesNothing() throws IOException {
        assertEquals(DONE, run(new Train(), TINY + "one"));
        List<byte[]> before = List.of(bytes("runs/one/config.json"), bytes("runs/one/metrics.csv"));
        assertEquals(DONE, run(new Train(), "--resume $/runs/one --steps 9 --dry-run -q"));
        assertArrayEquals(before.get(0), bytes("runs/one/config.json"));
        assertArrayEquals(before.get(1), bytes("runs/one/metrics.csv"));
        assertFalse(Files.exists(folder.resolve("runs/one" + model(9))));
    }

    @Test
    void aRunGoesOnInThePrecisionThatItWasBegunIn() throws IOException {
        String reference = " --backend reference";
        String half = reference + " --precision bf16";
        assertEquals(DONE, run(new Train(), TINY.replace("--steps 4", "--steps 5") + "straight" + half));
        assertEquals(DONE, run(new Train(), TINY + "cut" + half));
        assertEquals(DONE, run(new Train(), "--resume $/runs/cut --steps 5 -q" + reference));
        assertArrayEquals(bytes("runs/straight" + model(5)), bytes("runs/cut" + model(5)));
        assertEquals("bf16", about("cut").get("precision"));
        assertEquals(DONE, run(new Train(), "--resume $/runs/cut --steps 6 -q --precision fp32" + reference));
        assertEquals("fp32", about("cut").get("precision"));
    }

    @Test
    void aRunWhosePrecisionIsNotToBeHadIsToldHowToGoOn() throws IOException {
        assertEquals(DONE, run(new Train(), TINY + "one"));
        Path config = folder.resolve("runs/one/config.json");
        Files.writeString(
                config, Files.readString(config).replace("\"about\": {", "\"about\": {\"precision\": \"tf32\","));
        Outcome refused = run(new Train(), "--resume $/runs/one --steps 5 --backend cpu -q");
        assertEquals(7, refused.code(), refused.error());
        assertTrue(refused.error().contains("the run was begun in it, and --precision fp32 goes on"), refused.error());
        assertEquals(DONE, run(new Train(), "--resume $/runs/one --steps 5 --precision fp32 -q"));
    }

    /** The test images come with the program: a run on either half of Fashion-MNIST is judged where the other half lies. */
    @Test
    void aRunOnFashionIsJudgedByTheTestImagesWhereverItWasTrained() throws IOException {
        assertEquals(DONE, run(new Train(), TINY.replace("$/digits", "fashion") + "one"));
        Path config = folder.resolve("runs/one/config.json");
        for (String digest : List.of(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b")) {
            String now = "\"data-sha256\": \"" + digest + "\"";
            Files.writeString(config, Files.readString(config).replaceAll("\"data-sha256\": \"[0-9a-f]*\"", now));
            assertEquals(DONE, run(new Evaluate(), "$/runs/one --test-images 2 --metrics bpd -q"));
        }
    }

    /** What was copied from another machine. */
    @Test
    void checkpointsAloneAreEnoughToDraw() throws IOException {
        assertEquals(DONE, run(new Train(), TINY + "one"));
        Files.delete(folder.resolve("runs/one/config.json"));
        assertEquals(DONE, run(new Sample(), "$/runs/one -q --out $/s.png"));
    }

    /** Killed after the new length was written and before a step was saved. */
    @Test
    void theNewLengthOfARunIsKeptThoughNoStepHasFollowed() throws IOException {
        assertEquals(DONE, run(new Train(), TINY + "one"));
        Path config = folder.resolve("runs/one/config.json");
        Files.writeString(config, Files.readString(config).replace("\"steps\": 4", "\"steps\": 6"));
        assertEquals(DONE, run(new Train(), "--resume $/runs/one -q"));
        assertTrue(Files.exists(folder.resolve("runs/one" + model(6))));
    }

    /** What the finished run is told about drawing holds for whoever draws with it. */
    @Test
    void whatAFinishedRunIsToldIsWhatOthersDrawWith() throws IOException {
        assertEquals(DONE, run(new Train(), TINY + "one"));
        assertEquals(DONE, run(new Sample(), "$/runs/one -q --out $/before.png"));
        assertEquals(DONE, run(new Train(), "--resume $/runs/one --sampler ddim --sampling-steps 3 -q"));
        assertEquals(DONE, run(new Sample(), "$/runs/one -q --out $/after.png"));
        assertEquals(DONE, run(new Sample(), "$/runs/one -q --out $/said.png --sampler ddim --sampling-steps 3"));
        assertArrayEquals(bytes("said.png"), bytes("after.png"));
        assertFalse(Arrays.equals(bytes("before.png"), bytes("after.png")));
    }

    @Test
    void howARunBeganAndWentOnIsKept() throws IOException {
        assertEquals(DONE, run(new Train(), TINY + "one"));
        Map<?, ?> first = about("one");
        for (int steps : new int[] {5, 6})
            assertEquals(DONE, run(new Train(), "--resume $/runs/one -q --steps " + steps));
        Map<?, ?> now = about("one");
        assertTrue(first.get("options").toString().contains("--dim 8"), first.toString());
        assertEquals(first.get("options"), now.get("options"));
        assertEquals(first.get("started"), now.get("started"));
        List<?> resumed = (List<?>) now.get("resumed");
        assertEquals(2, resumed.size(), resumed.toString());
        assertTrue(resumed.get(1).toString().endsWith(" --steps 6"), resumed.toString());
    }

    /** Moved, it is the same data; with another image it is not. */
    @Test
    void programsLookAtTheDataThatTheRunWasTrainedOn() throws IOException {
        assertEquals(DONE, run(new Train(), TINY + "one --labels"));
        Files.move(folder.resolve("digits"), folder.resolve("moved"));
        Map<String, Program> lines = Map.of(
                "$/runs/one --test-images 2 -q", new Evaluate(),
                "inpaint $/runs/one --rounds 1 --out $/e.png -q", new Edit(),
                "--noisy $/runs/one --epochs 1 --out $/c.safetensors -q", new TrainClassifier());
        lines.forEach((line, program) -> {
            Outcome gone = run(program, line);
            assertEquals(3, gone.code(), gone.error());
            assertEquals(DONE, run(program, line + " --data $/moved"));
        });
        Path images = folder.resolve("moved/train-images-idx3-ubyte");
        byte[] changed = Files.readAllBytes(images);
        changed[100]++;
        Files.write(images, changed);
        lines.forEach((line, program) -> {
            Outcome other = run(program, line + " --data $/moved");
            assertEquals(4, other.code(), other.error());
            assertTrue(other.error().contains("trained on other data"), other.error());
        });
    }
}
