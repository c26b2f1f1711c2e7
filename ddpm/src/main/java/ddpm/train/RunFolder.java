package ddpm.train;

import ddpm.io.CheckpointDirectory;
import ddpm.io.CheckpointException;
import ddpm.io.Json;
import ddpm.io.JsonException;
import ddpm.io.RunLock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The folder of one run, {@code runs/NAME}, which belongs to one process at a time and is never overwritten:
 * {@code config.json, metrics.csv, events.out.tfevents.*, samples/, checkpoints/, final.png, forward.png, denoise.gif,
 * report.html}.
 */
public final class RunFolder implements AutoCloseable {
    static final String CHECKPOINTS = "checkpoints";
    /** Key of the facts that are not settings: data, versions, machine, command. */
    static final String ABOUT = "about";
    /** Key under which the network's image size stands among the facts. */
    static final String IMAGE = "image";

    /** Key under which the number of classes stands among the facts. */
    public static final String CLASSES = "classes";

    /** Letters of the data's name in that of a run, which has at most 100 with the time. */
    private static final int MOST_OF_DATA = 84;

    private final Path path;
    private final RunLock lock;

    private RunFolder(Path path, RunLock lock) {
        this.path = path;
        this.lock = lock;
    }

    /**
     * A new folder.
     *
     * @param name its name; {@code null} for one made of the data's name and the time
     * @throws CheckpointException when it exists
     */
    public static RunFolder create(Path runs, String name, String dataName) throws IOException {
        String chosen = name != null
                ? name
                : nameOf(dataName) + "-"
                        + DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss").format(LocalDateTime.now());
        if (!chosen.matches("[A-Za-z0-9][A-Za-z0-9._-]{0,99}"))
            throw new IllegalArgumentException(
                    "name needs letters, digits, dots, hyphens and underscores, at most 100 of them, not " + chosen);
        Files.createDirectories(runs);
        Path path = runs.resolve(chosen);
        for (int n = 2; name == null && Files.exists(path); n++) path = runs.resolve(chosen + "-" + n);
        if (Files.exists(path))
            throw new CheckpointException(
                    path, "there is a run of this name already: choose another --name, or go on with --resume " + path);
        Files.createDirectory(path);
        return new RunFolder(path, RunLock.take(path));
    }

    /** What a run may be called of the name of its data, which can be that of any folder. */
    private static String nameOf(String data) {
        String fit = data.replaceAll("[^A-Za-z0-9._-]+", "-").replaceAll("^[^A-Za-z0-9]+|-+$", "");
        return fit.isEmpty() ? "data" : fit.substring(0, Math.min(MOST_OF_DATA, fit.length()));
    }

    /** An existing run. */
    public static RunFolder open(Path path) throws IOException {
        if (!Files.exists(path.resolve(Checkpoint.CONFIG)))
            throw new CheckpointException(path, "this is not the folder of a run: it has no config.json");
        RunFolder folder = new RunFolder(path, RunLock.take(path));
        folder.checkpoints().cleanStale();
        return folder;
    }

    /** The run that was written to last and has a checkpoint. */
    public static Optional<Path> newest(Path runs) throws IOException {
        if (!Files.isDirectory(runs)) return Optional.empty();
        try (Stream<Path> children = Files.list(runs)) {
            return children.filter(run -> Files.isDirectory(run.resolve(CHECKPOINTS)))
                    .max(Comparator.comparingLong(
                            run -> run.resolve(CHECKPOINTS).toFile().lastModified()));
        }
    }

    public Path path() {
        return path;
    }

    /** A run as it is given on a command line. */
    public static String argument(Path run) {
        return run.toString().contains(" ") ? "'" + run + "'" : run.toString();
    }

    public CheckpointDirectory checkpoints() {
        return new CheckpointDirectory(path.resolve(CHECKPOINTS));
    }

    /** Writes {@code config.json}: settings first, then the facts. */
    void writeConfig(Map<String, Object> config) throws IOException {
        Path temp = path.resolve("." + Checkpoint.CONFIG + ".tmp");
        Files.write(temp, Json.write(config).getBytes(StandardCharsets.UTF_8));
        Files.move(temp, path.resolve(Checkpoint.CONFIG), StandardCopyOption.ATOMIC_MOVE);
    }

    /** A configuration file, whole. */
    public static Map<String, Object> readConfig(Path file) throws IOException {
        if (!Files.exists(file)) throw new CheckpointException(file, "there is no such configuration file");
        try {
            if (Json.parse(Files.readAllBytes(file)) instanceof Map<?, ?> map) {
                Map<String, Object> config = new LinkedHashMap<>();
                map.forEach((key, value) -> config.put((String) key, value));
                return config;
            }
            throw new CheckpointException(file, "a configuration is a JSON object");
        } catch (JsonException e) {
            throw new CheckpointException(file, "not JSON: " + e.getMessage(), e);
        }
    }

    /** The settings in a configuration, without the facts beside them. */
    public static Map<String, Object> settingsOf(Map<String, Object> config) {
        Map<String, Object> settings = new LinkedHashMap<>(config);
        settings.remove(ABOUT);
        return settings;
    }

    /** Height, width and channels of the images of a configuration's run. */
    public static int[] imageOf(Path file, Map<String, Object> config) {
        if (config.get(ABOUT) instanceof Map<?, ?> about
                && about.get(IMAGE) instanceof java.util.List<?> image
                && image.size() == 3
                && image.stream().allMatch(Long.class::isInstance))
            return image.stream().mapToInt(v -> Math.toIntExact((Long) v)).toArray();
        throw new CheckpointException(file, "config.json does not say how large the images are (about.image)");
    }

    /** Number of classes that the network of a configuration's run is told; 0 for none. */
    public static int classesOf(Map<String, Object> config) {
        return config.get(ABOUT) instanceof Map<?, ?> about && about.get(CLASSES) instanceof Long n
                ? Math.toIntExact(n)
                : 0;
    }

    @Override
    public void close() throws IOException {
        lock.close();
    }
}
