package ddpm.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import datasets.DataLoader;
import datasets.Dataset;
import datasets.DatasetException;
import ddpm.io.CheckpointDirectory;
import ddpm.io.CheckpointException;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import optim.LearningRate;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.cuda.CudaBackend;
import tensor.memory.MemoryUse;
import tensor.memory.Scope;

/** On the fastest backend that opens here, with a network small enough for seconds. */
class TrainingTest {
    @TempDir
    Path folder;

    /** Not the cores that happen to be free: on another number of threads oneDNN gives other last bits. */
    private static final int THREADS = 2;

    private static final Dataset DATA = data(11);

    /** Bright squares on dark ground, 8x8; those of class 1 are in the right half. */
    private static Dataset data(int count) {
        byte[] pixels = new byte[count * 64];
        int[] labels = new int[count];
        Random random = new Random(4);
        for (int n = 0; n < count; n++) {
            int row = random.nextInt(5);
            int column = random.nextInt(5);
            labels[n] = column / 3;
            for (int i = 0; i < 9; i++) pixels[n * 64 + (row + i / 3) * 8 + column + i % 3] = (byte) 220;
        }
        return Dataset.of("squares", 8, 8, 1, pixels, labels);
    }

    static Settings settings(String... more) {
        Map<String, String> options = new LinkedHashMap<>(Map.of(
                "preset",
                "annotated-resnet",
                "dim",
                "8",
                "dim-mults",
                "1,2",
                "batch-size",
                "4",
                "timesteps",
                "20",
                "ema",
                "0.9",
                "dropout",
                "0.1",
                "lr",
                "0.002",
                "steps",
                "1000"));
        for (int i = 0; i < more.length; i += 2) options.put(more[i], more[i + 1]);
        return Settings.of(Map.of(), options);
    }

    private static void run(Training training, int steps) {
        for (int i = 0; i < steps; i++) training.step(training.settings().learningRate(1000));
    }

    /** Every number of the state, by name. */
    private static Map<String, float[]> state(Training training) {
        Map<String, float[]> state = new TreeMap<>();
        training.unet()
                .parameters()
                .forEach((name, p) -> state.put(name, p.value().toFloats()));
        training.ema().average().forEach((name, w) -> state.put("ema/" + name, w.toFloats()));
        training.adam().state().forEach((name, w) -> state.put(name, w.toFloats()));
        state.put("rng", new float[] {training.rng().offset(), training.step()});
        return state;
    }

    private static void assertSame(Map<String, float[]> expected, Map<String, float[]> found) {
        assertEquals(expected.keySet(), found.keySet());
        expected.forEach((name, values) -> assertArrayEquals(values, found.get(name), name));
    }

    private static class Quiet implements Trainer.Output {
        @Override
        public void planned(long steps, double secondsPerStep) {}

        @Override
        public void step(StepReport report) {}

        @Override
        public void samples(long step) {}

        @Override
        public void checkpoint(long step) {}
    }

    /** Nothing has been measured when they are done. */
    @Test
    void fewStepsAreTheWholeRunHoweverManyWouldFit() {
        Settings settings = settings("max-minutes", "60", "steps", "3");
        List<Long> plans = new ArrayList<>();
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("test");
                Training training = new Training(settings, DATA, backend)) {
            Trainer.Output output = new Quiet() {
                @Override
                public void planned(long steps, double secondsPerStep) {
                    plans.add(steps);
                }
            };
            assertEquals(3, new Trainer(training, output, Interrupts.none()).run(0, 0.2));
            assertEquals(3, training.step());
        }
        assertEquals(List.of(3L), plans);
    }

    /** A grid a step, each of 0.2 s: no more than 15 of them fit into 3 s, however quick the steps are. */
    @Test
    void thePlanCountsTheGridsThatAreAskedFor() {
        Settings settings = settings("max-minutes", "0.05", "sample-every", "1");
        long[] plan = new long[2];
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("test");
                Training training = new Training(settings, DATA, backend)) {
            Interrupts interrupts = Interrupts.none();
            Trainer.Output output = new Quiet() {
                @Override
                public void planned(long steps, double secondsPerStep) {
                    plan[0] = training.step();
                    plan[1] = steps;
                    throw new IllegalStateException("planned");
                }
            };
            Trainer trainer = new Trainer(training, output, interrupts);
            assertThrows(IllegalStateException.class, () -> trainer.run(0, 0.2));
        }
        assertTrue(plan[1] - plan[0] <= 15, Arrays.toString(plan));
    }

    /** A step with all that belongs to it takes longer than the whole time: two are enough to see that no third fits. */
    @Test
    void slowStepsArePlannedBeforeTheirTimeIsOver() {
        Settings settings = settings("max-minutes", "0.001");
        List<Long> plans = new ArrayList<>();
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("test");
                Training training = new Training(settings, DATA, backend)) {
            Trainer.Output output = new Quiet() {
                @Override
                public void planned(long steps, double secondsPerStep) {
                    plans.add(steps);
                    assertTrue(secondsPerStep > 0, "what the plan rests on");
                }

                @Override
                public void step(StepReport report) {
                    try {
                        Thread.sleep(100);
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                }
            };
            assertEquals(2, new Trainer(training, output, Interrupts.none()).run(0, 0));
            assertEquals(2, training.step());
        }
        assertEquals(List.of(2L), plans);
    }

    /** Asked to stop in the middle: the step under way is finished and saved, and nothing after it is done. */
    @ParameterizedTest
    @ValueSource(ints = {1, 5, 6})
    void aStopIsObeyedAfterTheStepUnderWayAndSaved(int at) {
        List<Long> saved = new ArrayList<>();
        Interrupts interrupts = Interrupts.none();
        long done;
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("test");
                Training training = new Training(settings("steps", "50", "batch-size", "11"), DATA, backend)) {
            Trainer.Output output = new Quiet() {
                @Override
                public void step(StepReport report) {
                    if (report.step() == at) interrupts.request();
                }

                @Override
                public void checkpoint(long step) {
                    assertFalse(training.isUnderWay());
                    saved.add(step);
                }
            };
            assertEquals(50, new Trainer(training, output, interrupts).run(0, 0));
            done = training.step();
        }
        assertTrue(done == at || done == at + 1, "a device may have begun one more: " + done);
        assertEquals(List.of(done), saved);
    }

    /** The next batch takes the place of the one before it: 11 images in batches of 4 are three batches, two a step. */
    @Test
    void anEpochIsThatOfTheFirstBatchOfAStep() {
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("test");
                Training training = new Training(settings("accumulate", "2"), DATA, backend)) {
            List<Long> epochs = new ArrayList<>();
            for (int i = 0; i < 6; i++)
                epochs.add(training.step(training.settings().learningRate(1000)).epoch());
            assertEquals(List.of(0L, 0L, 1L, 2L, 2L, 3L), epochs);
        }
    }

    /** 9 steps are 3 epochs of 11 images in batches of 4; most cuts lie in the middle of one. */
    @Tag("long")
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 8})
    void resumedTrainingIsTheUninterruptedOneBitForBit(int cut) throws IOException {
        for (String accumulate : List.of("1", "2")) {
            Settings settings = settings("accumulate", accumulate);
            Map<String, float[]> straight;
            CheckpointDirectory checkpoints = new CheckpointDirectory(folder.resolve(accumulate));
            try (Backend backend = Backends.open("auto", THREADS).backend();
                    Scope root = Scope.open("straight");
                    Training training = new Training(settings, DATA, backend)) {
                run(training, cut);
                Checkpoint.save(training, 1000, settings.toJson(), checkpoints);
                run(training, 9 - cut);
                straight = state(training);
            }
            try (Backend backend = Backends.open("auto", THREADS).backend();
                    Scope root = Scope.open("resumed");
                    Training training = new Training(settings, DATA, backend)) {
                assertEquals(1000, Checkpoint.restore(checkpoints.latest().orElseThrow(), training));
                assertEquals(cut, training.step());
                run(training, 9 - cut);
                assertSame(straight, state(training));
            }
        }
    }

    @Tag("long")
    @Test
    void memoryAfterStep1000IsThatAfterStep10AndClosingReturnsEveryByte() {
        Backend backend = Backends.open("auto", THREADS).backend();
        try (Scope root = Scope.open("steady");
                Training training = new Training(settings("dropout", "0"), data(16), backend)) {
            run(training, 10);
            MemoryUse after10 = backend.memory();
            run(training, 990);
            assertEquals(after10, backend.memory());
        }
        assertEquals(0, backend.memory().live());
        backend.close();
    }

    @Tag("long")
    @Test
    void oneBatchCanBeLearnt() {
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("overfit");
                Training training = new Training(
                        settings("batch-size", "8", "dropout", "0", "flip", "false", "lr", "0.005"),
                        data(8),
                        backend)) {
            double first = training.step(training.settings().learningRate(1000)).loss();
            List<Double> last = new ArrayList<>();
            for (int i = 0; i < 250; i++) {
                double loss =
                        training.step(training.settings().learningRate(1000)).loss();
                if (i >= 200) last.add(loss);
            }
            double mean = last.stream().mapToDouble(v -> v).average().orElseThrow();
            assertTrue(mean < 0.35 * first, "loss went from " + first + " to " + mean);
        }
    }

    @Test
    void aWeightThatIsNotFiniteStopsTheStepBeforeTheUpdate() {
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("poison");
                Training training = new Training(settings(), DATA, backend)) {
            run(training, 2);
            backend.fill(training.unet().parameters().get("final_conv.bias").value(), Double.NaN);
            Map<String, float[]> before = state(training);
            NonFiniteException e = assertThrows(NonFiniteException.class, () -> run(training, 1));
            assertTrue(e.getMessage().contains("weight final_conv.bias"), e.getMessage());
            assertEquals(2, training.step());
            Map<String, float[]> after = state(training);
            before.remove("rng");
            after.remove("rng");
            assertSame(before, after);
        }
    }

    @Test
    void weightsOfAnotherNetworkAreRefusedByName() throws IOException {
        CheckpointDirectory checkpoints = new CheckpointDirectory(folder);
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("other");
                Training training = new Training(settings(), DATA, backend);
                Training wider = new Training(settings("dim", "12"), DATA, backend)) {
            Checkpoint.save(training, 10, training.settings().toJson(), checkpoints);
            Path checkpoint = checkpoints.latest().orElseThrow();
            CheckpointException e =
                    assertThrows(CheckpointException.class, () -> Checkpoint.restore(checkpoint, wider));
            assertTrue(e.getMessage().contains("has shape"), e.getMessage());
            try (Stream<Path> files = Files.list(checkpoint)) {
                assertEquals(4, files.count());
            }
        }
    }

    @Test
    void samplingDoesNotDisturbTraining() {
        Map<String, float[]> plain;
        Map<String, float[]> sampled;
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("plain");
                Training training = new Training(settings(), DATA, backend)) {
            run(training, 6);
            plain = state(training);
        }
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("sampled");
                Training training = new Training(settings(), DATA, backend)) {
            run(training, 3);
            Sampling sampling = new Sampling(
                    training.settings(),
                    training.diffusion(),
                    backend,
                    training.unet().config());
            training.ema().within(() -> sampling.draw(training.unet(), 3, 1, null, Interrupts.none()));
            run(training, 3);
            sampled = state(training);
        }
        assertSame(plain, sampled);
    }

    /**
     * Steps and samples with every call by itself, as the device has recorded them, and each begun before the one before it is
     * read; 11 images make batches of 4, 4, 3, or all of one size.
     */
    @ParameterizedTest
    @CsvSource({"low-resolution, 0, 4", "low-resolution, 4, 4", "labels, true, 4", "labels, true, 11"})
    void recordedTrainingIsTheSameBitForBit(String setting, String value, String batch) {
        List<Map<String, float[]>> states = new ArrayList<>();
        List<String> reports = new ArrayList<>();
        List<float[]> samples = new ArrayList<>();
        for (String way : List.of("call by call", "recorded", "ahead")) {
            System.setProperty(CudaBackend.GRAPH, Boolean.toString(!way.equals("call by call")));
            Settings settings = settings("clip", "0.5", "guidance", "2", "batch-size", batch, setting, value);
            try (Backend backend = Backends.open("auto", THREADS).backend();
                    Scope root = Scope.open("recorded");
                    Training training = new Training(settings, DATA, backend)) {
                assumeTrue(backend.name().equals("cuda"), "only a GPU records steps");
                StringBuilder report = new StringBuilder();
                long live = 0;
                int ahead = 0;
                for (int i = 0; i < 9; i++) { // from the fourth on, full batches are replayed
                    boolean more = way.equals("ahead") && i < 8;
                    report.append(line(training.step(settings.learningRate(1000), more)));
                    if (training.isUnderWay()) ahead++;
                    if (i == 4) live = backend.memory().live();
                }
                assertEquals(!way.equals("ahead") ? 0 : batch.equals("4") ? 2 : 6, ahead);
                assertEquals(live, backend.memory().live());
                reports.add(report.toString());
                states.add(state(training));
                Sampling sampling = new Sampling(
                                training.settings(),
                                training.diffusion(),
                                backend,
                                training.unet().config())
                        .enlarging(new float[2 * 16]);
                samples.add(sampling.draw(training.unet(), 2, 1, null, Interrupts.none()));
                assertEquals(9, training.step());
            } finally {
                System.clearProperty(CudaBackend.GRAPH);
            }
        }
        for (int i = 1; i < 3; i++) {
            assertSame(states.get(0), states.get(i));
            assertEquals(reports.get(0), reports.get(i));
            assertArrayEquals(samples.get(0), samples.get(i));
        }
    }

    /** Where a device goes ahead, two steps meet the weight that is not finite before the host hears of it. */
    @Test
    void aStepThatWasBegunBeforeABadOneWasReadChangesNothing() {
        Settings settings = settings("batch-size", "11");
        LearningRate rate = settings.learningRate(1000);
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("poison");
                Training training = new Training(settings, DATA, backend)) {
            run(training, 4);
            Tensor bias = training.unet().parameters().get("final_conv.bias").value();
            float[] good = bias.toFloats();
            backend.fill(bias, Double.NaN);
            Map<String, float[]> before = state(training);
            assertThrows(NonFiniteException.class, () -> training.step(rate, true));
            assertEquals(4, training.step());
            Map<String, float[]> after = state(training);
            before.remove("rng");
            after.remove("rng");
            assertSame(before, after);
            backend.upload(good, bias);
            training.step(rate, true);
            if (training.isUnderWay()) assertThrows(IllegalStateException.class, training::rng);
            training.step(rate, false);
            assertEquals(6, training.step());
            assertFalse(Arrays.equals(good, bias.toFloats()), "updates go on");
        }
    }

    /** All of a report, a line; a record would print the address of its array. */
    private static String line(StepReport r) {
        return Stream.of(r.step(), r.epoch(), r.images(), r.loss(), r.learningRate(), r.gradientNorm())
                        .map(Object::toString)
                        .collect(Collectors.joining(" "))
                + Arrays.toString(r.quarterLoss()) + "\n";
    }

    /**
     * A checkpoint knows nothing of the batch that was fetched ahead. Batches of 4, 4, 3 images: where a device records, the
     * fourth step is the first that it replays, so a full batch is ahead after it, and a smaller one after the fifth.
     */
    @ParameterizedTest
    @ValueSource(ints = {4, 5})
    void aBatchFetchedAheadIsStillToComeInTheCheckpoint(int cut) throws IOException {
        Backend backend = Backends.open("auto", THREADS).backend();
        CheckpointDirectory checkpoints = new CheckpointDirectory(folder);
        Map<String, float[]> straight;
        try (Scope root = Scope.open("straight");
                Training training = new Training(settings("labels", "true"), DATA, backend)) {
            List<Long> epochs = new ArrayList<>();
            for (int i = 0; i < 9; i++) {
                assertEquals(position(i), training.position());
                if (i == cut)
                    Checkpoint.save(training, 1000, training.settings().toJson(), checkpoints);
                epochs.add(training.step(training.settings().learningRate(1000)).epoch());
            }
            assertEquals(List.of(0L, 0L, 0L, 1L, 1L, 1L, 2L, 2L, 2L), epochs);
            straight = state(training);
        }
        Path checkpoint = checkpoints.latest().orElseThrow();
        try (Scope root = Scope.open("resumed");
                Training training = new Training(settings("labels", "true"), DATA, backend)) {
            for (int before : new int[] {0, 5, 1}) { // afresh, then back from where a batch is ahead
                run(training, before);
                Checkpoint.restore(checkpoint, training);
                assertEquals(position(cut), training.position());
                run(training, 9 - cut);
                assertSame(straight, state(training));
            }
        }
        assertEquals(0, backend.memory().live());
        backend.close();
    }

    /** After this many steps on {@link #DATA}, whose epoch has three. */
    private static DataLoader.State position(int steps) {
        return new DataLoader.State(settings().seed(), steps / 3, steps % 3);
    }

    /** The sixth batch cannot be read: five steps are done and reported, whenever the sixth was fetched. */
    @Test
    void aBatchThatCannotBeReadStopsTheStepThatNeedsIt() {
        AtomicInteger reads = new AtomicInteger();
        Dataset torn = (Dataset) Proxy.newProxyInstance(
                Dataset.class.getClassLoader(), new Class<?>[] {Dataset.class}, (self, method, arguments) -> {
                    if (method.getName().equals("read") && reads.incrementAndGet() > 2 * 11 - 3)
                        throw new IllegalStateException("torn");
                    if (method.getName().equals("values")) return DATA.values();
                    return method.invoke(DATA, arguments);
                });
        try (Backend backend = Backends.open("auto", THREADS).backend();
                Scope root = Scope.open("torn");
                Training training = new Training(settings(), torn, backend)) {
            run(training, 5);
            Map<String, float[]> before = state(training);
            for (int attempt = 0; attempt < 2; attempt++) assertThrows(DatasetException.class, () -> run(training, 1));
            assertEquals(position(5), training.position());
            assertSame(before, state(training));
        }
    }

    /** Ten steps on every backend that opens: the losses are those of the reference. */
    @Test
    void everyBackendTrainsAlike() {
        List<double[]> losses = new ArrayList<>();
        for (String name : Backends.names()) {
            try (Backend backend = open(name);
                    Scope root = Scope.open("alike");
                    Training training = new Training(settings(), DATA, backend)) {
                double[] loss = new double[10];
                for (int i = 0; i < 10; i++)
                    loss[i] = training.step(training.settings().learningRate(1000))
                            .loss();
                losses.add(loss);
            } catch (IllegalStateException unavailable) {
                assertTrue(unavailable.getMessage().contains("cannot be opened"), unavailable.getMessage());
            }
        }
        for (double[] loss : losses) assertArrayEquals(losses.get(losses.size() - 1), loss, 2e-4);
    }

    /** Ten steps with the values of the network in 8 bits: the losses are those of 32-bit floats but for rounding. */
    @Test
    void bf16TrainsLikeFp32() {
        double[] exact = null;
        for (String name : List.of("reference", "cpu", "cuda"))
            for (Precision precision : List.of(Precision.FP32, Precision.BF16))
                try (Backend backend = Backends.open(name, 0, precision).backend();
                        Scope root = Scope.open("bf16");
                        Training training = new Training(settings("dropout", "0"), DATA, backend)) {
                    double[] loss = new double[10];
                    for (int i = 0; i < 10; i++)
                        loss[i] = training.step(training.settings().learningRate(1000))
                                .loss();
                    if (exact == null) exact = loss;
                    else assertArrayEquals(exact, loss, 0.02, name + " " + precision);
                    assertEquals(
                            DType.F32,
                            training.unet()
                                    .parameters()
                                    .get("final_conv.bias")
                                    .value()
                                    .dtype());
                } catch (IllegalStateException unavailable) {
                    assertTrue(
                            unavailable.getMessage().matches(".*c(pu|uda) cannot be opened.*"),
                            unavailable.getMessage());
                }
        assertNotNull(exact);
    }

    private static Backend open(String name) {
        return Backends.open(name, 0, Precision.FP32).backend();
    }
}
