package ddpm.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointDirectoryTest {
    @TempDir
    Path folder;

    private static Map<String, CheckpointDirectory.Contents> files(float value) {
        SafetensorsWriter w = new SafetensorsWriter().add("w", new int[] {1000}, () -> {
            float[] values = new float[1000];
            java.util.Arrays.fill(values, value);
            return values;
        });
        return Map.of("model.safetensors", w::write, "config.json", CheckpointDirectory.Contents.text("{}"));
    }

    private static float value(Path checkpoint) throws IOException {
        return SafetensorsFile.read(checkpoint.resolve("model.safetensors")).floats("w")[999];
    }

    private List<String> names() throws IOException {
        try (Stream<Path> children = Files.list(folder)) {
            return children.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void theNewestCheckpointIsFoundAndOldOnesGo() throws IOException {
        CheckpointDirectory c = new CheckpointDirectory(folder);
        for (int i = 1; i <= 4; i++) c.commit("step-" + i, files(i), 2);
        assertEquals(List.of("step-3", "step-4"), names());
        assertEquals(4, value(c.latest().orElseThrow()));
    }

    @Test
    void aDamagedCheckpointIsPassedOver() throws IOException {
        CheckpointDirectory c = new CheckpointDirectory(folder);
        c.commit("step-1", files(1), 5);
        c.commit("step-2", files(2), 5);
        Path file = folder.resolve("step-2/model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 3] ^= 4;
        Files.write(file, bytes);
        assertEquals(1, value(c.latest().orElseThrow()));
    }

    /** A run goes on from before a damaged checkpoint: what it saves then must not count as the oldest. */
    @Test
    void theNewCheckpointStaysBesideADamagedNewerOne() throws IOException {
        CheckpointDirectory c = new CheckpointDirectory(folder);
        c.commit("step-1", files(1), 5);
        c.commit("step-3", files(3), 5);
        Files.write(folder.resolve("step-3/model.safetensors"), new byte[20]);
        c.commit("step-2", files(2), 1);
        assertEquals(2, value(c.latest().orElseThrow()));
    }

    /** What somebody has put aside is neither removed nor taken for the newest; older runs have a file {@code last}. */
    @Test
    void whatHasOtherNamesIsLeftAlone() throws IOException {
        CheckpointDirectory c = new CheckpointDirectory(folder);
        Files.writeString(folder.resolve("last"), "step-7\n");
        c.commit("step-1", files(1), 1);
        Files.move(folder.resolve("step-1"), folder.resolve("best"));
        Files.createDirectory(folder.resolve("zoo"));
        for (int i = 2; i <= 4; i++) c.commit("step-" + i, files(i), 1);
        assertEquals(List.of("best", "last", "step-4", "zoo"), names());
        assertEquals(4, value(c.latest().orElseThrow()));
    }

    /** A checkpoint that lies elsewhere, on a larger disk, with a link in its place, is not the run's to empty. */
    @Test
    void ofALinkOnlyTheLinkIsRemoved() throws IOException {
        Path elsewhere = folder.resolve("archive/step-1");
        new CheckpointDirectory(elsewhere.getParent()).commit("step-1", files(1), 1);
        Path checkpoints = Files.createDirectory(folder.resolve("checkpoints"));
        Files.createSymbolicLink(checkpoints.resolve("step-1"), elsewhere);
        Files.createSymbolicLink(checkpoints.resolve(".tmp-999999999-step-1"), elsewhere);
        CheckpointDirectory c = new CheckpointDirectory(checkpoints);
        c.cleanStale();
        c.commit("step-2", files(2), 1);
        assertEquals(List.of(checkpoints.resolve("step-2")), c.all());
        assertTrue(Files.notExists(checkpoints.resolve(".tmp-999999999-step-1"), LinkOption.NOFOLLOW_LINKS));
        assertEquals(1, value(elsewhere));
    }

    @Test
    void whatDeadProcessesLeftIsRemoved() throws IOException {
        Files.createDirectories(folder.resolve(".tmp-999999999-step-7"));
        Files.writeString(folder.resolve(".tmp-999999999-step-7/model.safetensors"), "half");
        new CheckpointDirectory(folder).cleanStale();
        assertEquals(List.of(), names());
    }

    /** The first operation fails, then the second, … until a save meets no failure: no checkpoint is ever lost. */
    @Test
    void whicheverOperationFailsTheFormerCheckpointStays() throws IOException {
        new CheckpointDirectory(folder).commit("step-1", files(1), 2);
        int n = 1;
        for (; ; n++) {
            FailingStorage storage = new FailingStorage(n);
            CheckpointDirectory c = new CheckpointDirectory(folder, storage);
            try {
                c.commit("step-2", files(2), 2);
                assertTrue(!storage.failed());
                break;
            } catch (IOException expected) {
                Path latest = new CheckpointDirectory(folder).latest().orElseThrow();
                float found = value(latest);
                assertTrue(found == 1 || found == 2 && latest.endsWith("step-2"));
                assertTrue(names().stream().noneMatch(name -> name.startsWith(".tmp")), names()::toString);
                Storage.remove(folder.resolve("step-2"), message -> {});
            }
        }
        assertTrue(n > 12, "a save has many operations that can fail, seen " + n);
    }

    /** Whatever was missing when a save was cut short, the next save of the same step makes good. */
    @Test
    void whicheverOperationFailsTheNextTryCompletesIt() throws IOException {
        new CheckpointDirectory(folder).commit("step-1", files(1), 1);
        boolean failed = true;
        for (int n = 1; failed; n++) {
            FailingStorage storage = new FailingStorage(n);
            try {
                new CheckpointDirectory(folder, storage).commit("step-" + (n + 1), files(n + 1), 1);
            } catch (IOException expected) {
                new CheckpointDirectory(folder).commit("step-" + (n + 1), files(n + 1), 1);
            }
            failed = storage.failed();
            assertEquals(List.of("step-" + (n + 1)), names());
        }
    }

    /** A process that saves as fast as it can; for the test below. */
    public static final class Saver {
        public static void main(String[] args) throws IOException {
            CheckpointDirectory c = new CheckpointDirectory(Path.of(args[0]));
            c.cleanStale();
            int from = c.latest().isPresent() ? (int) value(c.latest().orElseThrow()) : 0;
            for (int i = from + 1; ; i++) {
                c.commit(String.format("step-%06d", i), files(i), 2);
                System.out.println(i);
            }
        }
    }

    @Test
    void aKilledProcessLosesNothingThatItAcknowledged() throws Exception {
        Random random = new Random(3);
        int acknowledged = 0;
        Path said = Files.createTempFile("said", ".txt");
        for (int kill = 0; kill < 8; kill++) {
            Process saver = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            Saver.class.getName(),
                            folder.toString())
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .redirectOutput(said.toFile())
                    .start();
            while (Files.size(said) == 0) Thread.sleep(5); // the first checkpoint of this process
            Thread.sleep(random.nextInt(120));
            saver.destroyForcibly().waitFor();
            List<String> lines = Files.readAllLines(said);
            acknowledged = Integer.parseInt(lines.get(lines.size() - 1));
            float found = value(new CheckpointDirectory(folder).latest().orElseThrow());
            assertTrue(found >= acknowledged, "acknowledged " + acknowledged + ", found " + found);
        }
        new CheckpointDirectory(folder).cleanStale();
        assertTrue(names().stream().noneMatch(name -> name.startsWith(".tmp")), names()::toString);
    }

    @Test
    void aRunInUseIsRefusedNamingTheProcess() throws IOException {
        try (RunLock held = RunLock.take(folder)) {
            CheckpointException e = assertThrows(CheckpointException.class, () -> RunLock.take(folder));
            assertTrue(
                    e.getMessage().contains("process " + ProcessHandle.current().pid()), e.getMessage());
        }
        RunLock.take(folder).close();
    }
}
