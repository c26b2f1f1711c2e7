package ddpm.train;

import datasets.Dataset;
import ddpm.io.CheckpointDirectory;
import ddpm.io.CheckpointException;
import ddpm.io.FileTrouble;
import ddpm.io.Json;
import ddpm.io.JsonException;
import ddpm.io.RunLock;
import ddpm.io.WholeFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import tensor.Shape;

/**
 * The folder of one run, {@code runs/NAME}, which belongs to one process at a time and is never overwritten:
 * {@code config.json, metrics.csv, events.out.tfevents.*, samples/, checkpoints/, final.png, forward.png, denoise.gif,
 * report.html}.
 */
public final class RunFolder implements AutoCloseable {
    /** Folder of the checkpoints in that of a run. */
    public static final String CHECKPOINTS = "checkpoints";

    /** Key of the facts that are not settings: data, versions, machine, command. */
    static final String ABOUT = "about";
    /** Key under which the network's image size stands among the facts. */
    static final String IMAGE = "image";

    /** Key under which the number of classes stands among the facts. */
    public static final String CLASSES = "classes";

    /** Keys under which the data and its digest stand among the facts. */
    public static final String DATA = "data";

    public static final String SHA256 = "data-sha256";

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
        List<Path> fromNewest;
        try (Stream<Path> children = Files.list(runs)) {
            fromNewest = children.map(run -> run.resolve(CHECKPOINTS))
                    .filter(Files::isDirectory)
                    .sorted(Comparator.comparingLong(
                                    (Path folder) -> folder.toFile().lastModified())
                            .reversed())
                    .toList();
        }
        for (Path folder : fromNewest)
            if (!new CheckpointDirectory(folder).all().isEmpty()) return Optional.of(folder.getParent());
        return Optional.empty();
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
        WholeFile.write(path.resolve(Checkpoint.CONFIG), Json.write(config).getBytes(StandardCharsets.UTF_8));
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
        } catch (IOException e) {
            throw FileTrouble.with(file, e);
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
        if (about(config).get(IMAGE) instanceof List<?> image && image.size() == 3 && isOneArray(image))
            return image.stream().mapToInt(v -> ((Long) v).intValue()).toArray();
        throw new CheckpointException(file, "config.json does not say how large the images are (about.image)");
    }

    private static boolean isOneArray(List<?> extents) {
        long size = 1;
        for (Object extent : extents) {
            if (!(extent instanceof Long n) || n < 1 || n > Shape.MAX_SIZE / size) return false;
            size *= n;
        }
        return true;
    }

    /** Number of classes that the network of a configuration's run is told; 0 for none. */
    public static int classesOf(Path file, Map<String, Object> config) {
        if (!(about(config).get(CLASSES) instanceof Long n)) return 0;
        if (n < 0 || n > Labels.MOST)
            throw new CheckpointException(
                    file, "about.classes in config.json needs a whole number in 0.." + Labels.MOST + ", not " + n);
        return n.intValue();
    }

    /** The facts of a configuration that are not settings. */
    public static Map<?, ?> about(Map<String, Object> config) {
        return config.get(ABOUT) instanceof Map<?, ?> about ? about : Map.of();
    }

    /** Digest of the data that a configuration's run was trained on; {@code null} where it does not say. */
    public static String digestOf(Map<String, Object> config) {
        return about(config).get(SHA256) instanceof String digest ? digest : null;
    }

    /**
     * Refuses data that a model was not trained on, where it says on what, and images of another size than it draws.
     *
     * @param file what messages call the configuration
     */
    public static void requireSame(Path file, Map<String, Object> config, Dataset data) {
        String before = digestOf(config);
        if (before != null && !before.equals(data.sha256()))
            throw new CheckpointException(
                    file,
                    "the run was trained on other data (" + about(config).get(DATA) + "), found now: "
                            + data.description());
        requireSize(file, config, data);
    }

    /** Refuses images of another size than the model draws. */
    public static void requireSize(Path file, Map<String, Object> config, Dataset data) {
        int[] image = imageOf(file, config);
        if (image[0] != data.height() || image[1] != data.width() || image[2] != data.channels())
            throw new CheckpointException(
                    file,
                    "the model is one of images " + image[0] + "x" + image[1] + "x" + image[2]
                            + ": give such --data, not " + data.description());
    }

    @Override
    public void close() throws IOException {
        lock.close();
    }
}
