package ddpm.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ddpm.Halves;
import ddpm.diffusion.ClassifierFreeGuidance;
import ddpm.diffusion.Denoiser;
import ddpm.diffusion.ImageNoise;
import ddpm.io.CheckpointDirectory;
import ddpm.unet.UNet;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
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
import tensor.backend.Precision;
import tensor.memory.Scope;

/** Runs with labels, other targets, learned variances: they resume exactly, and what they learn is what they were told. */
class FamilyTrainingTest {
    @TempDir
    Path folder;

    private static Settings settings(String more) {
        Map<String, String> options = new HashMap<>(Map.of(
                "preset",
                "annotated-resnet",
                "dim",
                "8",
                "dim-mults",
                "1,2",
                "batch-size",
                "6",
                "timesteps",
                "4",
                "ema",
                "0.9",
                "lr",
                "0.003",
                "steps",
                "1000",
                "schedule",
                "cosine"));
        for (String option : more.trim().split(" +")) options.put(option.split("=")[0], option.split("=")[1]);
        return Settings.of(Map.of(), options);
    }

    private static void run(Training training, int steps) {
        for (int i = 0; i < steps; i++) training.step(training.settings().learningRate(1000));
    }

    private static Map<String, float[]> weights(Training training) {
        Map<String, float[]> weights = new TreeMap<>();
        training.unet()
                .parameters()
                .forEach((name, p) -> weights.put(name, p.value().toFloats()));
        return weights;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "labels=true target=v zero-snr=true min-snr=5 offset-noise=0.1 self-condition=true",
                "variance=learned objective=hybrid t-sampling=second-moment loss=l2 labels=true",
                "variance=learned objective=bound target=x0 t-sampling=second-moment self-condition=true",
                "low-resolution=4 labels=true self-condition=true",
                "low-resolution=2 low-noise-max=1"
            })
    void resumedTrainingIsTheUninterruptedOneBitForBit(String options) throws IOException {
        Settings settings = settings(options);
        CheckpointDirectory checkpoints = new CheckpointDirectory(folder);
        Map<String, float[]> straight;
        try (Backend backend = Backends.open("auto", 2).backend();
                Scope root = Scope.open("straight");
                Training training = new Training(settings, Halves.of(12), backend)) {
            run(training, 13); // 78 images at 4 timesteps: every one has been seen ten times; half of an epoch
            if (options.contains("second-moment"))
                assertTrue(training.timesteps().probabilities()[0]
                        != training.timesteps().probabilities()[1]);
            Checkpoint.save(training, 1000, settings.toJson(), checkpoints);
            run(training, 5);
            straight = weights(training);
        }
        try (Backend backend = Backends.open("auto", 2).backend();
                Scope root = Scope.open("resumed");
                Training training = new Training(settings, Halves.of(12), backend)) {
            Checkpoint.restore(checkpoints.latest().orElseThrow(), training);
            run(training, 5);
            Map<String, float[]> resumed = weights(training);
            straight.forEach((name, values) -> assertArrayEquals(values, resumed.get(name), name));
        }
    }

    @Test
    void labelsDecideWhatIsDrawnAndGuidanceGoesFurther() {
        Settings settings = settings("labels=true target=v timesteps=8 zero-snr=true flip=false lr=0.01 ema=0.9");
        try (Backend backend = Backends.open("auto", 2).backend();
                Scope root = Scope.open("labels");
                Training training = new Training(settings, Halves.of(12), backend)) {
            run(training, 100);
            double dark = brightness(training, settings, backend, 0);
            double bright = brightness(training, settings, backend, 1);
            assertTrue(dark < -0.3, "class 0 is 20 … 35 of 255, drawn as " + dark);
            assertTrue(bright > 0.3, "class 1 is 200 … 215 of 255, drawn as " + bright);
            Settings guided = settings.with(Setting.GUIDANCE, 3.0);
            double beyond = brightness(training, guided, backend, 1) - brightness(training, guided, backend, 0);
            assertTrue(beyond > bright - dark, beyond + " against " + (bright - dark));
        }
    }

    private static double brightness(Training training, Settings settings, Backend backend, int label) {
        float[] pixels = new Sampling(
                        settings, training.diffusion(), backend, training.unet().config(), label)
                .draw(training.unet(), 4, 1, null, Interrupts.none());
        double sum = 0;
        for (float p : pixels) sum += p;
        return sum / pixels.length;
    }

    /** What ddpm.Edit asks: a given class for all images, or none, is the network told just that. */
    @Test
    void aModelForOtherWalksIsToldTheClassOrNone() {
        Settings settings = settings("labels=true guidance=2");
        try (Backend backend = Backends.open("auto", 2).backend();
                Scope root = Scope.open("walks");
                Training training = new Training(settings, Halves.of(12), backend)) {
            run(training, 10);
            ImageNoise source = new ImageNoise(1, 0);
            Tensor x = source.draw(backend, DType.F32, Shape.of(3, 8, 8, 1));
            UNet unet = training.unet();
            Denoiser told = unet.told(Tensor.of(backend, Shape.of(3), 1, 1, 1));
            Denoiser guided = new ClassifierFreeGuidance(told, unet, 1, 2, 0);
            for (int label : new int[] {Sampling.NONE, 1}) {
                float[] expected = training.diffusion()
                        .estimator(label == 1 ? guided : unet, settings.target(), settings.clipStart())
                        .at(x, 2)
                        .start()
                        .toFloats();
                float[] found = new Sampling(settings, training.diffusion(), backend, unet.config(), label)
                        .model(unet, x, source)
                        .at(x, 2)
                        .start()
                        .toFloats();
                assertArrayEquals(expected, found, "label " + label);
            }
            assertThrows(
                    IllegalArgumentException.class,
                    () -> new Sampling(settings, training.diffusion(), backend, unet.config(), 2)
                            .model(unet, x, source));
        }
    }

    /** Guided by 0 times what a label changes is not told: the same bits, for half the work. */
    @Test
    void guidanceOfZeroAsksOnceWithoutTheLabel() {
        Settings settings = settings("labels=true guidance=0");
        try (Backend backend = Backends.open("auto", 2).backend();
                Scope root = Scope.open("zero");
                Training training = new Training(settings, Halves.of(12), backend)) {
            run(training, 3);
            UNet unet = training.unet();
            Sampling zero = new Sampling(settings, training.diffusion(), backend, unet.config(), 1);
            Sampling none = new Sampling(settings, training.diffusion(), backend, unet.config(), Sampling.NONE);
            assertArrayEquals(
                    none.draw(unet, 3, 1, null, Interrupts.none()), zero.draw(unet, 3, 1, null, Interrupts.none()));
            assertEquals(none.evaluations(), zero.evaluations());
            Sampling rescaled = new Sampling(
                    settings.with(Setting.GUIDANCE_RESCALE, 0.5), training.diffusion(), backend, unet.config(), 1);
            assertEquals(2 * none.evaluations(), rescaled.evaluations());
        }
    }

    /** 8x8 from 4x4, and the other way round: with more noise on it, less of the small picture is believed. */
    @Test
    void theSmallPictureDecidesWhatIsDrawn() {
        Settings settings = settings(
                "low-resolution=4 low-noise=0 low-noise-max=1 target=v timesteps=8 zero-snr=true flip=false lr=0.01");
        try (Backend backend = Backends.open("auto", 2).backend();
                Scope root = Scope.open("small");
                Training training = new Training(settings, Halves.of(12), backend)) {
            run(training, 120);
            double dark = enlarged(training, settings, backend, -0.8f);
            double bright = enlarged(training, settings, backend, 0.6f);
            assertTrue(dark < -0.4, "a picture of -0.8 was enlarged to one of " + dark);
            assertTrue(bright > 0.3, "a picture of 0.6 was enlarged to one of " + bright);
            Settings blind = settings.with(Setting.LOW_NOISE, 1.0);
            double unseen = enlarged(training, blind, backend, 0.6f) - enlarged(training, blind, backend, -0.8f);
            assertTrue(unseen < 0.5 * (bright - dark), "under pure noise nothing of it is left, but " + unseen);
        }
    }

    private static double enlarged(Training training, Settings settings, Backend backend, float value) {
        float[] small = new float[4 * 16];
        java.util.Arrays.fill(small, value);
        float[] pixels = new Sampling(
                        settings, training.diffusion(), backend, training.unet().config())
                .enlarging(small)
                .draw(training.unet(), 4, 1, null, Interrupts.none());
        double sum = 0;
        for (float p : pixels) sum += p;
        return sum / pixels.length;
    }

    /** Image k is the same whether drawn with 64 others or with fewer, but for rounding. */
    @Test
    void anImageDoesNotDependOnItsBatch() {
        Settings settings = settings("timesteps=3 clip-x0=true");
        try (Backend backend = Backends.open("auto", 2).backend();
                Scope root = Scope.open("batches");
                Training training = new Training(settings, Halves.of(12), backend)) {
            run(training, 3);
            Sampling sampling = new Sampling(
                    settings, training.diffusion(), backend, training.unet().config());
            List<String> seen = new ArrayList<>();
            float[] many = sampling.draw(
                    training.unet(),
                    67,
                    1,
                    (batch, done, pixels, start) -> seen.add(batch + "." + done),
                    Interrupts.none());
            List<String> expected = new ArrayList<>();
            for (int batch = 0; batch < sampling.batches(67); batch++)
                for (int done = 0; done <= 3; done++) expected.add(batch + "." + done);
            assertEquals(expected, seen);
            float[] few = sampling.draw(training.unet(), 3, 1, null, Interrupts.none());
            double bound = backend.precision() == Precision.FP32 ? 1e-4 : 2e-2;
            for (int i = 0; i < few.length; i++) assertEquals(many[i], few[i], bound);
        }
    }

    @Test
    void importanceSamplingFollowsTheLossesAndStaysUnbiased() {
        TimestepDraw draw = new TimestepDraw(TimestepDraw.Kind.SECOND_MOMENT, 3);
        for (int i = 0; i < 9; i++) draw.seen(new float[] {0, 1, 2}, new float[] {1, 2, 5});
        assertArrayEquals(new double[] {1 / 3.0, 1 / 3.0, 1 / 3.0}, draw.probabilities(), 1e-12);
        draw.seen(new float[] {0, 1, 2}, new float[] {1, 2, 5});
        double floor = 0.001 / 3;
        double[] expected = {0.999 / 8 + floor, 0.999 * 2 / 8 + floor, 0.999 * 5 / 8 + floor};
        assertArrayEquals(expected, draw.probabilities(), 1e-6);
        try (Backend backend = Backends.open("reference").backend();
                Scope root = Scope.open("draw")) {
            int n = 30_000;
            TimestepDraw.Drawn drawn = draw.draw(new Rng(1), backend, DType.F32, n);
            int[] count = new int[3];
            double[] weighted = new double[3];
            float[] t = drawn.t().toFloats();
            float[] w = drawn.weights().toFloats();
            for (int i = 0; i < n; i++) {
                count[(int) t[i]]++;
                weighted[(int) t[i]] += w[i] / n;
            }
            for (int k = 0; k < 3; k++) {
                assertEquals(expected[k], count[k] / (double) n, 0.01);
                assertEquals(1 / 3.0, weighted[k], 0.02, "each timestep counts as under uniform draws");
            }
        }
    }
}
