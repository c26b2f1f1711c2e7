package ddpm.evaluate;

import datasets.Dataset;
import ddpm.io.CheckpointException;
import ddpm.io.Json;
import ddpm.io.SafetensorsFile;
import ddpm.io.SafetensorsWriter;
import ddpm.io.WholeFile;
import ddpm.train.Checkpoint;
import ddpm.train.Labels;
import ddpm.train.Settings;
import ddpm.unet.NoisyClassifier;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import nn.Init;
import nn.Layer;
import tensor.DType;
import tensor.Rng;
import tensor.backend.Backend;

/** The weights of a {@link Classifier} or a {@link NoisyClassifier} as a safetensors file, in PyTorch's layout. */
public final class ClassifierFile {
    private static final String BUNDLED = "fashion-classifier.safetensors";
    private static final String BUNDLED_SHA256 = "7f7dceaead567c42b59273f243b45ed4122e50fbefc75e28218be4bbc5e1b240";

    private static final String CONFIG = "config";
    private static final String IMAGE = "image";
    private static final String CLASSES = "classes";
    private static final String NOISE = "noise";

    private ClassifierFile() {}

    /** Writes the weights with where they come from. */
    public static void save(Path file, Classifier classifier, double accuracy, long seed, String dataSha256)
            throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter()
                .metadata("format", "pt")
                .metadata("accuracy", String.format(Locale.ROOT, "%.4f", accuracy))
                .metadata("seed", Long.toString(seed))
                .metadata("data-sha256", dataSha256);
        write(file, writer, classifier);
    }

    private static void write(Path file, SafetensorsWriter writer, Layer classifier) throws IOException {
        classifier
                .parameters()
                .forEach((name, p) -> writer.add(name, p.exchangeShape().toArray(), () -> p.toExchange(p.value())));
        WholeFile.write(file, writer::write);
    }

    /** Reads a classifier; its parameters join the innermost scope. */
    public static Classifier load(Path file, Backend backend) throws IOException {
        Rng unused = new Rng(0);
        Classifier classifier =
                new Classifier(Init.pytorch(backend, DType.F32, unused).with(Init.Rule.ZERO), () -> unused);
        Checkpoint.load(file, classifier.parameters());
        return classifier;
    }

    /**
     * Writes a classifier of noisy images with what it was made for: {@code config} in the metadata.
     *
     * @param settings of the run whose noise it knows
     * @param data the images that it was trained on
     */
    public static void saveNoisy(Path file, NoisyClassifier classifier, Settings settings, Dataset data, long seed)
            throws IOException {
        Map<String, Object> config = new LinkedHashMap<>();
        config.put(IMAGE, image(data.height(), data.width(), data.channels()));
        config.put(CLASSES, (long) classifier.classes());
        config.put(NOISE, settings.noise());
        SafetensorsWriter writer = new SafetensorsWriter()
                .metadata("format", "pt")
                .metadata(CONFIG, Json.compact(config))
                .metadata("seed", Long.toString(seed))
                .metadata("data-sha256", data.sha256());
        write(file, writer, classifier);
    }

    /**
     * Reads a classifier of noisy images; its parameters join the innermost scope.
     *
     * @param settings of the run that it is to guide
     * @param network of that run
     * @throws CheckpointException when it was made for other images or another noise
     */
    public static NoisyClassifier loadNoisy(Path file, Settings settings, UNetConfig network, Backend backend)
            throws IOException {
        if (!Files.exists(file)) throw new CheckpointException(file, "there is no such file");
        Map<?, ?> config = configOf(file);
        List<Object> wanted = image(network.height(), network.width(), network.channels());
        if (!wanted.equals(config.get(IMAGE)))
            throw new CheckpointException(
                    file, "this classifier knows images of " + config.get(IMAGE) + ", the run draws " + wanted);
        if (!settings.noise().equals(config.get(NOISE)))
            throw new CheckpointException(
                    file, "this classifier knows the noise " + config.get(NOISE) + ", the run has " + settings.noise());
        Rng unused = new Rng(0);
        NoisyClassifier classifier = new NoisyClassifier(
                network.height(),
                network.width(),
                network.channels(),
                ((Long) config.get(CLASSES)).intValue(),
                Init.pytorch(backend, DType.F32, unused).with(Init.Rule.ZERO));
        Checkpoint.load(file, classifier.parameters());
        return classifier;
    }

    private static Map<?, ?> configOf(Path file) throws IOException {
        String text = SafetensorsFile.read(file).metadata().get(CONFIG);
        if (text != null
                && Json.parse(text) instanceof Map<?, ?> config
                && config.get(CLASSES) instanceof Long classes
                && classes > 0
                && classes <= Labels.MOST) return config;
        throw new CheckpointException(
                file, "this is not a classifier of noisy images; ddpm.TrainClassifier --noisy RUN makes one");
    }

    private static List<Object> image(int height, int width, int channels) {
        return List.of((long) height, (long) width, (long) channels);
    }

    /**
     * The classifier that comes with this project: {@code ddpm.TrainClassifier --seed 0 --epochs 6 --threads 1}, 0.9235
     * right on the test images. The same bits come again with AVX2 ({@code ONEDNN_MAX_CPU_ISA=AVX2} on a processor that
     * could do more), others with AVX-512.
     */
    public static Classifier bundled(Backend backend) throws IOException {
        Path copy = Files.createTempFile("fashion-classifier", ".safetensors");
        try (InputStream in = ClassifierFile.class.getResourceAsStream(BUNDLED)) {
            if (in == null) throw new IOException("the classifier is missing from this build: " + BUNDLED);
            Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
            if (!sha256(copy).equals(BUNDLED_SHA256))
                throw new IOException("the classifier of this build is damaged: its SHA-256 is " + sha256(copy));
            return load(copy, backend);
        } finally {
            Files.deleteIfExists(copy);
        }
    }

    /** SHA-256 of a file, in hex. */
    public static String sha256(Path file) throws IOException {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java has no SHA-256", e);
        }
    }
}
