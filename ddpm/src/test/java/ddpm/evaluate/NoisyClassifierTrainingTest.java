package ddpm.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.Variable;
import ddpm.Halves;
import ddpm.io.CheckpointException;
import ddpm.io.Json;
import ddpm.io.SafetensorsWriter;
import ddpm.io.WholeFile;
import ddpm.train.Interrupts;
import ddpm.train.Sampling;
import ddpm.train.Settings;
import ddpm.train.Training;
import ddpm.unet.NoisyClassifier;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Distribution;
import tensor.memory.Scope;

/** A classifier of noisy images is trained, filed, and guides a network that was told no labels. */
class NoisyClassifierTrainingTest {
    @TempDir
    Path folder;

    private static Settings settings(String... more) {
        Map<String, String> options = new HashMap<>(Map.of(
                "preset",
                "annotated-resnet",
                "dim",
                "8",
                "dim-mults",
                "1,2",
                "batch-size",
                "16",
                "timesteps",
                "10",
                "schedule",
                "cosine",
                "clip-x0",
                "true",
                "lr",
                "0.005"));
        for (int i = 0; i < more.length; i += 2) options.put(more[i], more[i + 1]);
        return Settings.of(Map.of(), options);
    }

    private static NoisyClassifier trained(Training training, Backend backend) {
        try (ClassifierTraining<NoisyClassifier> learning =
                ClassifierTraining.ofNoisyImages(Halves.of(128), training.diffusion(), true, 40, 3, backend)) {
            while (learning.step() < learning.steps()) learning.update();
            return learning.classifier();
        }
    }

    @Test
    void itLearnsIsReproducibleComesBackFromItsFileAndGuides() throws IOException {
        Path file = folder.resolve("c.safetensors");
        Settings settings = settings();
        try (Backend backend = Backends.open("auto", 2).backend();
                Scope root = Scope.open("guide");
                Training training = new Training(settings, Halves.of(128), backend)) {
            NoisyClassifier classifier = trained(training, backend);
            double[] right = NoisyAccuracy.byQuarter(classifier, training.diffusion(), Halves.of(128), 128, backend);
            assertTrue(right[0] > 0.95 && right[1] > 0.9, right[0] + ", " + right[1]);
            ClassifierFile.saveNoisy(file, classifier, settings, Halves.of(128), 3);
            Tensor x = new Rng(1).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(4, 8, 8, 1));
            Variable t = Variable.constant(Tensor.of(backend, Shape.of(4), 0, 3, 6, 9));
            float[] logits = classifier.logits(Variable.constant(x), t).value().toFloats();
            for (NoisyClassifier same : new NoisyClassifier[] {
                trained(training, backend),
                ClassifierFile.loadNoisy(file, settings, training.unet().config(), backend)
            })
                assertArrayEquals(
                        logits, same.logits(Variable.constant(x), t).value().toFloats());
            for (int step = 0; step < 120; step++) training.step(settings.learningRate(1000));
            double dark = brightness(training, classifier, 0, 2);
            double bright = brightness(training, classifier, 1, 2);
            assertTrue(dark < -0.4, "class 0 is 20 … 35 of 255, drawn as " + dark);
            assertTrue(bright > 0.3, "class 1 is 200 … 215 of 255, drawn as " + bright);
            assertTrue(
                    Math.abs(brightness(training, classifier, 1, 0) - brightness(training, classifier, 0, 0)) < 1e-3,
                    "not at all with a guidance of 0");
        }
    }

    @Test
    void filesForOtherNoiseOrImagesAreRefused() throws IOException {
        Path file = folder.resolve("c.safetensors");
        try (Backend backend = Backends.open("auto", 2).backend();
                Scope root = Scope.open("refused");
                Training training = new Training(settings(), Halves.of(128), backend);
                ClassifierTraining<NoisyClassifier> learning =
                        ClassifierTraining.ofNoisyImages(Halves.of(128), training.diffusion(), true, 1, 3, backend)) {
            ClassifierFile.saveNoisy(file, learning.classifier(), settings(), Halves.of(128), 3);
            for (String[] other : new String[][] {{"timesteps", "11"}, {"schedule", "linear"}}) {
                CheckpointException e = assertThrows(
                        CheckpointException.class,
                        () -> ClassifierFile.loadNoisy(
                                file, settings(other), training.unet().config(), backend));
                assertTrue(e.getMessage().contains(other[0] + "=" + other[1]), e.getMessage());
            }
            CheckpointException e = assertThrows(
                    CheckpointException.class,
                    () -> ClassifierFile.loadNoisy(file, settings(), settings().network(8, 12, 1), backend));
            assertTrue(e.getMessage().contains("[8, 12, 1]"), e.getMessage());
        }
    }

    /** Numbers as a damaged file has them: refused before a network is built. */
    @ParameterizedTest
    @ValueSource(longs = {0, -1, 1048577, 4294967298L, Long.MAX_VALUE})
    void classesThatNoDataHasAreRefused(long classes) throws IOException {
        Path file = folder.resolve("c.safetensors");
        Map<String, Object> config = Map.of(
                "image",
                List.of(8L, 8L, 1L),
                "classes",
                classes,
                "noise",
                settings().noise());
        WholeFile.write(file, new SafetensorsWriter().metadata("config", Json.compact(config))::write);
        CheckpointException e = assertThrows(
                CheckpointException.class,
                () -> ClassifierFile.loadNoisy(file, settings(), settings().network(8, 8, 1), null));
        assertTrue(e.getMessage().contains("this is not a classifier of noisy images"), e.getMessage());
    }

    private static double brightness(Training training, NoisyClassifier classifier, int label, double guidance) {
        Settings settings = settings("guidance", Double.toString(guidance));
        float[] pixels = new Sampling(
                        settings,
                        training.diffusion(),
                        training.backend(),
                        training.unet().config(),
                        label)
                .guided(classifier)
                .draw(training.unet(), 8, 1, null, Interrupts.none());
        double sum = 0;
        for (float p : pixels) sum += p;
        return sum / pixels.length;
    }
}
