package ddpm.train;

import datasets.DataLoader;
import ddpm.exchange.ForeignModel;
import ddpm.exchange.NetworkDocument;
import ddpm.exchange.WeightNames;
import ddpm.io.CheckpointDirectory;
import ddpm.io.CheckpointException;
import ddpm.io.Json;
import ddpm.io.SafetensorsFile;
import ddpm.io.SafetensorsWriter;
import ddpm.unet.Ports;
import ddpm.unet.UNet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import nn.Parameter;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;

/**
 * The whole state of a {@link Training} as a folder of files:
 *
 * <ul>
 *   <li>{@code model.safetensors}: the weights, named and shaped as PyTorch's {@code state_dict}, filters [K,C,R,S];
 *   <li>{@code ema.safetensors}: the averaged weights, likewise, when there are any;
 *   <li>{@code train_state.safetensors}: Adam's moments, and {@code progress}: steps done, steps planned, position in
 *       the random stream, position in the data;
 *   <li>{@code config.json}: the settings.
 * </ul>
 */
public final class Checkpoint {
    static final String MODEL = "model.safetensors";
    public static final String EMA = "ema.safetensors";
    static final String STATE = "train_state.safetensors";
    /** Name of the settings in a checkpoint and in a run. */
    public static final String CONFIG = "config.json";

    private static final int PROGRESS = 7;

    private Checkpoint() {}

    /** Saves; when this returns, the checkpoint is safely on disk. */
    public static void save(Training training, long planned, Map<String, Object> config, CheckpointDirectory to)
            throws IOException {
        UNet unet = training.unet();
        Map<String, Parameter> parameters = unet.parameters();
        Map<String, CheckpointDirectory.Contents> files = new LinkedHashMap<>();
        files.put(MODEL, weights(unet, null)::write);
        if (training.ema() != null) files.put(EMA, weights(unet, training.ema().average())::write);
        SafetensorsWriter state = new SafetensorsWriter();
        training.adam().state().forEach((slot, tensor) -> {
            Parameter p = parameters.get(slot.substring(slot.indexOf('/') + 1));
            state.add(slot, p.exchangeShape().toArray(), () -> p.toExchange(tensor));
        });
        DataLoader.State data = training.position();
        state.addLongs(
                "progress",
                training.step(),
                planned,
                training.rng().seed(),
                training.rng().offset(),
                data.seed(),
                data.epoch(),
                data.nextBatch());
        training.timesteps().save(state);
        files.put(STATE, state::write);
        files.put(CONFIG, CheckpointDirectory.Contents.text(Json.write(config)));
        to.commit(
                String.format(Locale.ROOT, "step-%08d", training.step()),
                files,
                training.settings().keep());
    }

    /**
     * Weights under their names, with the network they belong to where it is a published one; {@code values} replaces
     * the parameters' own.
     */
    public static SafetensorsWriter weights(UNet unet, Map<String, Tensor> values) {
        SafetensorsWriter writer = new SafetensorsWriter().metadata("format", "pt");
        if (unet.ports().equals(Ports.PLAIN))
            NetworkDocument.describe(unet.config())
                    .ifPresent(network -> writer.metadata(ForeignModel.CONFIG, Json.compact(network)));
        unet.parameters()
                .forEach((name, p) -> writer.add(
                        name,
                        p.exchangeShape().toArray(),
                        () -> p.toExchange(values == null ? p.value() : values.get(name))));
        return writer;
    }

    /**
     * Puts a training where a checkpoint was taken.
     *
     * @return the number of steps that were planned for the run
     */
    public static long restore(Path checkpoint, Training training) throws IOException {
        Map<String, Parameter> parameters = training.unet().parameters();
        load(checkpoint.resolve(MODEL), parameters);
        if (training.ema() != null)
            load(checkpoint.resolve(EMA), parameters, training.ema().average());
        SafetensorsFile state = SafetensorsFile.read(checkpoint.resolve(STATE));
        for (Map.Entry<String, Tensor> slot : training.adam().state().entrySet()) {
            Parameter p = parameters.get(slot.getKey().substring(slot.getKey().indexOf('/') + 1));
            fill(state, checkpoint.resolve(STATE), slot.getKey(), p, slot.getValue());
        }
        long[] progress = state.longs("progress");
        if (progress.length != PROGRESS)
            throw new CheckpointException(
                    checkpoint, "progress has " + progress.length + " numbers, expected " + PROGRESS);
        try {
            training.timesteps().restore(state);
            training.restore(
                    progress[0],
                    new Rng(progress[2], progress[3]),
                    new DataLoader.State(progress[4], progress[5], Math.toIntExact(progress[6])));
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new CheckpointException(checkpoint, "does not fit this run's data: " + e.getMessage(), e);
        }
        return progress[1];
    }

    /** Fills parameters from a file of weights; every parameter must be there with its shape, and nothing else. */
    public static void load(Path file, Map<String, Parameter> parameters) throws IOException {
        load(file, parameters, null);
    }

    private static void load(Path file, Map<String, Parameter> parameters, Map<String, Tensor> targets)
            throws IOException {
        SafetensorsFile weights = SafetensorsFile.read(file);
        Map<String, String> names = WeightNames.of(weights.names());
        for (String name : names.keySet())
            if (!parameters.containsKey(name))
                throw new CheckpointException(
                        file,
                        "the tensor " + Json.escaped(name) + " is not in this network"
                                + Spelling.suggestion(name, parameters.keySet())
                                + ": was it made with other settings?");
        for (Map.Entry<String, Parameter> p : parameters.entrySet())
            fill(
                    weights,
                    file,
                    names.getOrDefault(p.getKey(), p.getKey()),
                    p.getValue(),
                    targets == null ? p.getValue().value() : targets.get(p.getKey()));
    }

    private static void fill(SafetensorsFile from, Path file, String name, Parameter p, Tensor target)
            throws IOException {
        if (!from.names().contains(name)) throw new CheckpointException(file, "the tensor " + name + " is missing");
        int[] expected = p.exchangeShape().toArray();
        int[] found = from.shape(name);
        if (!Arrays.equals(expected, found))
            throw new CheckpointException(
                    file,
                    "the tensor " + name + " has shape " + Arrays.toString(found) + ", this network needs "
                            + Shape.of(expected) + ": was it made with other settings?");
        float[] values = from.floats(name);
        for (float v : values)
            if (!Float.isFinite(v)) throw new CheckpointException(file, "the tensor " + name + " holds " + v);
        p.fromExchange(values, target);
    }

    /**
     * What a run, a checkpoint folder or a file of weights leads to, for sampling: the weights and the settings beside
     * them.
     *
     * @param weights the file
     * @param config the settings and facts of its run
     * @param foreign whether it was made, or written for, elsewhere
     */
    public record Model(Path weights, Map<String, Object> config, boolean foreign) {}

    /**
     * Finds weights.
     *
     * @param path a run's folder, a checkpoint's folder, a safetensors file with a {@code config.json} beside it, or a
     *     {@link ForeignModel}
     * @param averaged whether averaged weights are wanted, where there are any
     */
    public static Model find(Path path, boolean averaged) throws IOException {
        if (!Files.exists(path))
            throw new CheckpointException(path, "there is no such run or file; runs lie in the folder runs");
        Optional<ForeignModel> foreign = ForeignModel.find(path);
        if (foreign.isPresent()) {
            Map<String, Object> config = new LinkedHashMap<>(foreign.get().settings());
            List<Object> image =
                    foreign.get().image().stream().map(v -> (Object) (long) v).toList();
            config.put(RunFolder.ABOUT, Map.of(RunFolder.IMAGE, image));
            return new Model(foreign.get().weights(), config, true);
        }
        Path file = path;
        if (Files.isDirectory(path)) {
            Path checkpoint = Files.exists(path.resolve(MODEL))
                    ? path
                    : new CheckpointDirectory(path.resolve(RunFolder.CHECKPOINTS))
                            .latest()
                            .orElseThrow(() ->
                                    new CheckpointException(path, "there is no finished checkpoint below this folder"));
            Path ema = checkpoint.resolve(EMA);
            file = averaged && Files.exists(ema) ? ema : checkpoint.resolve(MODEL);
        }
        Path ofRun = path.resolve(CONFIG); // newer than its checkpoint's where the run went on otherwise
        Path config = Files.exists(ofRun) ? ofRun : file.resolveSibling(CONFIG);
        if (!Files.exists(config))
            throw new CheckpointException(
                    file, "there is no config.json beside it, which says what network these weights belong to");
        return new Model(file, RunFolder.readConfig(config), false);
    }
}
