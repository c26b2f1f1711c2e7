package bench.gpu;

import bench.Workload;
import ddpm.train.Interrupts;
import ddpm.train.Sampling;
import ddpm.train.Setting;
import ddpm.train.Settings;
import ddpm.train.Training;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.cuda.CudaBackend;
import tensor.memory.Scope;

/** How long a training step takes, and sampling: recorded and call by call, by the host's clock. */
final class GpuTimes {
    private static final int IMAGES = 256;
    /** Names in the report, before the preset and the precision. */
    static final String TRAINING = "training step ms";

    static final String SAMPLING = "sampling step ms";

    private final GpuReport report;
    private final boolean small;

    GpuTimes(GpuReport report, boolean small) {
        this.report = report;
        this.small = small;
    }

    void training() {
        report.say("");
        report.say("## Time of a training step");
        report.say("");
        report.say("| preset | batch | precision | call by call, ms | recorded, ms |");
        report.say("| --- | --- | --- | --- | --- |");
        int batch = small ? 4 : GpuTrainings.BATCH;
        for (String preset : small ? List.of("annotated") : List.of("annotated", "ddpm-cifar10"))
            for (Precision precision : Precision.values()) {
                double eager = timed(preset, batch, precision, false, this::updates);
                double recorded = timed(preset, batch, precision, true, this::updates);
                report.say(String.format(
                        Locale.ROOT, "| %s | %d | %s | %.2f | %.2f |", preset, batch, precision, eager, recorded));
                report.put(
                        TRAINING + " " + preset + " " + precision,
                        Map.of("batch", (long) batch, "call by call", eager, "recorded", recorded));
            }
    }

    /** A network of a few weights where the stand-ins compute. */
    private Settings settings(String preset, int batch) {
        Settings settings = Workload.settings(preset, batch);
        return small ? GpuTrainings.tiny(settings).with(Setting.TIMESTEPS, 8L) : settings;
    }

    /** From the results of one step to those of the next, as training goes on; the median after the first few. */
    private double updates(Training training) {
        double[] times = new double[small ? 2 : 30];
        for (int i = small ? -3 : -5; i < times.length; i++) {
            long start = System.nanoTime();
            training.step(training.settings().learningRate(10_000), true);
            if (i >= 0) times[i] = (System.nanoTime() - start) * 1e-6;
        }
        Arrays.sort(times);
        return times[times.length / 2];
    }

    /** One step of sampling; and the way from noise to images through all timesteps, but for fp32, which is no GPU's default. */
    void sampling() {
        String preset = small ? "annotated" : "ddpm-cifar10";
        int images = small ? 2 : IMAGES;
        long all = settings(preset, 1).timesteps();
        report.say("");
        report.say("## Time of sampling, " + preset + ", " + images + " images");
        report.say("");
        report.say("| precision | a step call by call, ms | recorded, ms | all " + all + " steps, s |");
        report.say("| --- | --- | --- | --- |");
        for (Precision precision : Precision.values()) {
            double eager = timed(preset, 1, precision, false, training -> step(training, images));
            double recorded = timed(preset, 1, precision, true, training -> step(training, images));
            Map<String, Object> times = new LinkedHashMap<>();
            times.put("images", (long) images);
            times.put("call by call", eager);
            times.put("recorded", recorded);
            String whole = "";
            if (precision != Precision.FP32) {
                double seconds = timed(preset, 1, precision, true, training -> allSteps(training, images));
                whole = String.format(Locale.ROOT, "%.2f", seconds);
                times.put("seconds of all steps", seconds);
                times.put("steps", all);
            }
            report.say(String.format(Locale.ROOT, "| %s | %.2f | %.2f | %s |", precision, eager, recorded, whole));
            report.put(SAMPLING + " " + preset + " " + precision, times);
        }
    }

    private double timed(
            String preset, int batch, Precision precision, boolean graph, ToDoubleFunction<Training> timing) {
        System.setProperty(CudaBackend.GRAPH, Boolean.toString(graph));
        try (Backend backend = Backends.open("cuda", 0, precision).backend();
                Scope root = Scope.open("time");
                Training training = Workload.training(settings(preset, batch), backend)) {
            return timing.applyAsDouble(training);
        } finally {
            System.clearProperty(CudaBackend.GRAPH);
        }
    }

    /** Milliseconds: the difference between a long and a short run, divided by the steps that the long one has more. */
    private double step(Training training, int images) {
        int few = small ? 2 : 10;
        int many = small ? 4 : 60;
        draw(training, images, few);
        double difference = secondsFor(training, images, many) - secondsFor(training, images, few);
        return 1e3 * difference / (many - few);
    }

    private double allSteps(Training training, int images) {
        draw(training, images, 2);
        return secondsFor(training, images, 0);
    }

    private static double secondsFor(Training training, int images, long steps) {
        long start = System.nanoTime();
        draw(training, images, steps);
        return (System.nanoTime() - start) * 1e-9;
    }

    /** Images of a training's network, by ancestral sampling in so many steps; 0: in all. */
    static float[] draw(Training training, int images, long steps) {
        Settings settings = training.settings().with(Setting.SAMPLER, "ddpm").with(Setting.SAMPLING_STEPS, steps);
        return new Sampling(
                        settings,
                        training.diffusion(),
                        training.backend(),
                        training.unet().config())
                .draw(training.unet(), images, 1, null, Interrupts.none());
    }
}
