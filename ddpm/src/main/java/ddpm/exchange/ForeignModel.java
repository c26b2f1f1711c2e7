package ddpm.exchange;

import ddpm.diffusion.NoiseSchedule;
import ddpm.io.CheckpointException;
import ddpm.io.Json;
import ddpm.io.JsonException;
import ddpm.io.SafetensorsFile;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A model that was made elsewhere, or written for elsewhere: a folder as diffusers lays it out (or as the first models on
 * the hub, all files in one folder), a folder that {@code ddpm.Export} wrote, or a single file whose metadata say what it
 * is.
 *
 * @param weights the file of weights
 * @param settings what it says about the network, the noise schedule and sampling, as settings of a run
 * @param image height, width and channels of its images
 */
public record ForeignModel(Path weights, Map<String, Object> settings, List<Integer> image) {
    /** Key under which a file of weights says what network it belongs to. */
    public static final String CONFIG = "config";
    /** Key under which it says how noise grows, as a scheduler's document. */
    public static final String SCHEDULER = "scheduler";

    static final String DIFFUSION = "_diffusion";
    private static final List<String> WEIGHTS = List.of("diffusion_pytorch_model.safetensors", "model.safetensors");
    private static final List<String> PICKLES =
            List.of("diffusion_pytorch_model.bin", "pytorch_model.bin", "model.pt", "diffusion_pytorch_model.pt");

    /**
     * The model at a path; empty when nothing there claims to be one of these.
     *
     * @throws CheckpointException when something does, but is incomplete or asks for what is not known here
     */
    public static Optional<ForeignModel> find(Path path) throws IOException {
        try {
            return Files.isDirectory(path) ? folder(path) : file(path);
        } catch (IllegalArgumentException e) {
            throw new CheckpointException(path, e.getMessage(), e);
        }
    }

    private static Optional<ForeignModel> folder(Path path) throws IOException {
        checkPipeline(path.resolve("model_index.json"));
        for (Path folder : List.of(path.resolve("unet"), path)) {
            Path config = folder.resolve("config.json");
            if (!Files.exists(config)) continue;
            Map<?, ?> network = read(config);
            if (!NetworkDocument.is(network)) continue;
            return Optional.of(model(weights(folder), network, scheduler(path, network)));
        }
        return Optional.empty();
    }

    private static Optional<ForeignModel> file(Path path) throws IOException {
        Path config = path.resolveSibling("config.json");
        if (Files.exists(config)) {
            Map<?, ?> network = read(config);
            return NetworkDocument.is(network)
                    ? Optional.of(
                            model(path, network, scheduler(path.toAbsolutePath().getParent(), network)))
                    : Optional.empty();
        }
        Map<String, String> metadata = SafetensorsFile.read(path).metadata();
        if (!metadata.containsKey(CONFIG)) return Optional.empty();
        Map<?, ?> network = parse(path, metadata.get(CONFIG));
        Map<?, ?> scheduler = metadata.containsKey(SCHEDULER) ? parse(path, metadata.get(SCHEDULER)) : null;
        return Optional.of(model(path, network, scheduler));
    }

    private static void checkPipeline(Path index) throws IOException {
        if (!Files.exists(index)) return;
        Object name = read(index).get("_class_name");
        if (!"DDPMPipeline".equals(name) && !"DDIMPipeline".equals(name))
            throw new CheckpointException(
                    index,
                    "the pipeline " + name
                            + " is not known here; known are DDPMPipeline and DDIMPipeline, which draw pictures from noise alone");
    }

    private static Path weights(Path folder) {
        for (String name : WEIGHTS) if (Files.exists(folder.resolve(name))) return folder.resolve(name);
        for (String name : PICKLES)
            if (Files.exists(folder.resolve(name)))
                throw new CheckpointException(
                        folder.resolve(name),
                        "a pickle can run code, so it is not read here;"
                                + " the README has a few lines of Python that turn it into safetensors");
        throw new CheckpointException(folder, "there is a config.json but none of " + String.join(", ", WEIGHTS));
    }

    /** The scheduler's document, or {@code null} when the network's own says enough. */
    private static Map<?, ?> scheduler(Path folder, Map<?, ?> network) throws IOException {
        if (network.containsKey(DIFFUSION)) return null;
        Path parent = folder.toAbsolutePath().getParent();
        for (Path place : parent == null ? List.of(folder) : List.of(folder, parent))
            for (String name : List.of("scheduler/scheduler_config.json", "scheduler_config.json"))
                if (Files.exists(place.resolve(name))) return read(place.resolve(name));
        throw new CheckpointException(
                folder, "there is no scheduler/scheduler_config.json, which says how noise grows");
    }

    private static ForeignModel model(Path weights, Map<?, ?> network, Map<?, ?> scheduler) throws IOException {
        UNetConfig config = NetworkDocument.read(network, false);
        Map<String, Object> settings = new LinkedHashMap<>();
        Map<String, Object> document = new LinkedHashMap<>();
        network.forEach((key, value) -> {
            if (!key.equals(DIFFUSION)) document.put((String) key, value);
        });
        settings.put("network", document);
        if (network.get(DIFFUSION) instanceof Map<?, ?> diffusion)
            settings.putAll(
                    LucidrainsDocument.LIBRARY.equals(network.get("_library"))
                            ? LucidrainsDocument.readDiffusion(diffusion)
                            : DiffusionDocument.read(diffusion, network.get("_library")));
        else if (scheduler != null) settings.putAll(SchedulerDocument.read(scheduler));
        else throw new IllegalArgumentException("nothing says how noise grows in this model");
        NoiseSchedule schedule = NoiseSchedule.of(
                NoiseSchedule.Kind.of((String) settings.get("schedule")),
                Math.toIntExact((Long) settings.get("timesteps")),
                (Double) settings.get("beta-start"),
                (Double) settings.get("beta-end"));
        ScheduleTables.check(weights, SafetensorsFile.read(weights), schedule);
        return new ForeignModel(weights, settings, List.of(config.height(), config.width(), config.channels()));
    }

    private static Map<?, ?> read(Path file) throws IOException {
        try {
            return parse(file, Files.readString(file, StandardCharsets.UTF_8));
        } catch (CharacterCodingException e) {
            throw new CheckpointException(file, "not JSON: it is no text in UTF-8", e);
        }
    }

    /** Python writes −∞ as a bare word, which is not JSON; in these documents it always means "no bound". */
    private static Map<?, ?> parse(Path file, String text) {
        try {
            String json = text.replaceAll("(\"lambda_min_clipped\"\\s*:\\s*)-Infinity", "$1null");
            if (Json.parse(json) instanceof Map<?, ?> map) return map;
            throw new CheckpointException(file, "not a JSON object");
        } catch (JsonException e) {
            throw new CheckpointException(file, "not JSON: " + e.getMessage(), e);
        }
    }
}
