package ddpm.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The checkpoints of a run: one folder each, which is there whole or not at all.
 *
 * <pre>write into .tmp-PID-NAME → fsync each file → read back and verify → rename to NAME → fsync folder
 *   → remove all but the newest</pre>
 *
 * A process killed at any moment leaves the checkpoints it had acknowledged, and at most one temporary folder, which the
 * next process removes. Renaming a folder means that a model and the state that belongs to it cannot be mixed up.
 */
public final class CheckpointDirectory {
    private static final System.Logger LOG = System.getLogger("ddpm.io");
    private static final String TEMP = ".tmp-";
    private static final String STEP = "step-";
    private static final String NAME = STEP + "\\d{1,18}";

    /** Writes the contents of one file. */
    @FunctionalInterface
    public interface Contents {
        void writeTo(SafetensorsWriter.Sink out) throws IOException;

        /** A text. */
        static Contents text(String text) {
            return out -> out.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
        }
    }

    private final Path folder;
    private final Storage storage;

    /** The checkpoints in this folder, which need not exist yet. */
    public CheckpointDirectory(Path folder) {
        this(folder, Storage.DISK);
    }

    CheckpointDirectory(Path folder, Storage storage) {
        this.folder = folder;
        this.storage = storage;
    }

    /**
     * Saves a checkpoint. When this returns it is safely on disk; when it throws, the checkpoints before it are as they
     * were.
     *
     * @param name name of the folder, {@code step-} and the number of the step, such as {@code step-000400}
     * @param files contents by file name; {@code .safetensors} and {@code .json} files are read back and verified
     * @param keep how many of the newest checkpoints stay
     */
    public void commit(String name, Map<String, Contents> files, int keep) throws IOException {
        storage.createFolder(folder);
        Path target = folder.resolve(name);
        if (!isWhole(target)) save(target, files);
        storage.forceFolder(folder); // also for an earlier save of this step that got no further than its renaming
        prune(target, keep);
    }

    /** Whether the same step was saved before, by this run. */
    private boolean isWhole(Path target) throws IOException {
        if (!Files.exists(target)) return false;
        try {
            verify(target);
            return true;
        } catch (CheckpointException damaged) {
            LOG.log(System.Logger.Level.WARNING, "replacing a damaged checkpoint: " + damaged.getMessage());
            Storage.remove(target, this::warn);
            return false;
        }
    }

    private void save(Path target, Map<String, Contents> files) throws IOException {
        Path temp = folder.resolve(TEMP + ProcessHandle.current().pid() + "-" + target.getFileName());
        try {
            storage.createFolder(temp);
            for (Map.Entry<String, Contents> file : files.entrySet())
                storage.write(temp.resolve(file.getKey()), file.getValue());
            storage.forceFolder(temp);
            verify(temp);
            storage.move(temp, target);
        } catch (IOException e) {
            throw FileTrouble.with(target, e);
        } finally {
            Storage.remove(temp, this::warn);
        }
    }

    /** The newest stay, and the one just saved: those above it are damaged, or it would not have been saved after them. */
    private void prune(Path saved, int keep) throws IOException {
        List<Path> all = all();
        for (Path old : all.subList(Math.min(keep, all.size()), all.size())) {
            if (old.equals(saved)) continue;
            // Renamed first: a folder that is half removed must not look like a checkpoint.
            Path doomed = folder.resolve(TEMP + ProcessHandle.current().pid() + "-old-" + old.getFileName());
            storage.move(old, doomed);
            Storage.remove(doomed, this::warn);
        }
    }

    /** Removes what processes that are gone have left half written. */
    public void cleanStale() throws IOException {
        if (!Files.isDirectory(folder)) return;
        try (Stream<Path> children = Files.list(folder)) {
            children.filter(path -> path.getFileName().toString().startsWith(TEMP))
                    .filter(path -> !isOfLivingProcess(path.getFileName().toString()))
                    .forEach(path -> Storage.remove(path, this::warn));
        }
    }

    private static boolean isOfLivingProcess(String name) {
        String pid = name.substring(TEMP.length()).split("-", 2)[0];
        return pid.matches("\\d{1,18}")
                && Long.parseLong(pid) != ProcessHandle.current().pid()
                && ProcessHandle.of(Long.parseLong(pid))
                        .map(ProcessHandle::isAlive)
                        .orElse(false);
    }

    /** All checkpoints, the newest first; folders of other names are somebody's own. */
    public List<Path> all() throws IOException {
        if (!Files.isDirectory(folder)) return List.of();
        try (Stream<Path> children = Files.list(folder)) {
            return children.filter(Files::isDirectory)
                    .filter(path -> path.getFileName().toString().matches(NAME))
                    .sorted(Comparator.comparingLong(CheckpointDirectory::stepOf)
                            .reversed())
                    .toList();
        }
    }

    private static long stepOf(Path checkpoint) {
        return Long.parseLong(checkpoint.getFileName().toString().substring(STEP.length()));
    }

    /** The newest checkpoint whose files are whole; a damaged one is reported and passed over. */
    public Optional<Path> latest() throws IOException {
        for (Path checkpoint : all())
            try {
                verify(checkpoint);
                return Optional.of(checkpoint);
            } catch (CheckpointException e) {
                warn("passing over a damaged checkpoint: " + e.getMessage());
            }
        return Optional.empty();
    }

    /**
     * Reads all files of a checkpoint.
     *
     * @throws CheckpointException when one is damaged, naming it
     */
    public static void verify(Path checkpoint) throws IOException {
        List<Path> files;
        try (Stream<Path> children = Files.list(checkpoint)) {
            files = children.sorted().toList();
        }
        if (files.isEmpty()) throw new CheckpointException(checkpoint, "the folder is empty");
        for (Path file : files) {
            String name = file.getFileName().toString();
            if (name.endsWith(".safetensors")) SafetensorsFile.read(file).verify();
            if (name.endsWith(".json"))
                try {
                    Json.parse(Files.readAllBytes(file));
                } catch (JsonException e) {
                    throw new CheckpointException(file, "not JSON: " + e.getMessage(), e);
                }
        }
    }

    private void warn(String message) {
        LOG.log(System.Logger.Level.WARNING, message);
    }
}
