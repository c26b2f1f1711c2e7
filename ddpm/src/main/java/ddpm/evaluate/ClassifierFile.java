package ddpm.evaluate;

import ddpm.io.SafetensorsWriter;
import ddpm.train.Checkpoint;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import nn.Init;
import tensor.DType;
import tensor.Rng;
import tensor.backend.Backend;

/** A {@link Classifier}'s weights as a safetensors file, in PyTorch's layout. */
public final class ClassifierFile {
    private static final String BUNDLED = "fashion-classifier.safetensors";
    private static final String BUNDLED_SHA256 = "7f7dceaead567c42b59273f243b45ed4122e50fbefc75e28218be4bbc5e1b240";

    private ClassifierFile() {}

    /** Writes the weights with where they come from. */
    public static void save(Path file, Classifier classifier, double accuracy, long seed, String dataSha256)
            throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter()
                .metadata("format", "pt")
                .metadata("accuracy", String.format(Locale.ROOT, "%.4f", accuracy))
                .metadata("seed", Long.toString(seed))
                .metadata("data-sha256", dataSha256);
        classifier
                .parameters()
                .forEach((name, p) -> writer.add(name, p.exchangeShape().toArray(), () -> p.toExchange(p.value())));
        try (OutputStream out = Files.newOutputStream(file);
                WritableByteChannel channel = Channels.newChannel(out)) {
            writer.write(bytes -> {
                while (bytes.hasRemaining()) channel.write(bytes);
            });
        }
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
     * The classifier that comes with this project: {@code ddpm.TrainClassifier --seed 0 --epochs 6 --threads 1}, 0.9235
     * right on the test images.
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
