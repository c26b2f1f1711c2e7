package ddpm;

import autograd.Variable;
import datasets.Dataset;
import datasets.Datasets;
import ddpm.diffusion.Denoiser;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.SamplerChoice;
import ddpm.evaluate.Classifier;
import ddpm.evaluate.Eye;
import ddpm.evaluate.Likeness;
import ddpm.evaluate.TimestepLosses;
import ddpm.io.Json;
import ddpm.report.ProgressLine;
import ddpm.train.Checkpoint;
import ddpm.train.Interrupts;
import ddpm.train.RunFolder;
import ddpm.train.Sampling;
import ddpm.train.Setting;
import ddpm.train.Settings;
import ddpm.unet.UNet;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** Judges a trained model: {@code -Dexec.mainClass=ddpm.Evaluate -Dexec.args="runs/NAME --metrics bpd"}. */
@Command(
        name = "ddpm.Evaluate",
        sortOptions = false,
        usageHelpAutoWidth = true,
        description = "Judges a trained model by its likelihood and by its pictures. Says first how long that takes.")
public final class Evaluate extends Program {
    /** Which weights are judged. */
    enum Weights {
        ema,
        raw,
        both
    }

    private static final List<String> LOSSES = List.of("loss-by-t", "bpd");
    private static final List<String> PICTURES =
            List.of("fid", "kid", "precision-recall", "class-histogram", "nearest");
    private static final int BATCH = 64;
    private static final int LOSS_IMAGES = 64;
    private static final int PICTURE_IMAGES = 2048;
    private static final int STEPS = 50;
    /** Lines of the printed table; the file has every timestep. */
    private static final int ROWS = 11;

    @Parameters(paramLabel = "RUN|FILE", description = "folder of a run or of a checkpoint, or a .safetensors file")
    private Path model;

    @Option(
            names = "--metrics",
            paramLabel = "LIST",
            split = ",",
            defaultValue = "loss-by-t,bpd",
            description =
                    "loss-by-t, bpd, fid, kid, precision-recall, class-histogram, nearest (default: loss-by-t,bpd)")
    private List<String> metrics;

    @Option(
            names = "-n",
            paramLabel = "N",
            description = "how many images (default: 64 for loss-by-t and bpd, 2048 for the others)")
    private Integer count;

    @Option(
            names = "--weights",
            paramLabel = "ema|raw|both",
            description =
                    "averaged weights, those of the last step, or both (default: both for loss-by-t and bpd, ema for the"
                            + " others, which take long)")
    private Weights weights;

    @Option(
            names = "--sampler",
            paramLabel = "NAME",
            defaultValue = "ddim",
            description = "ddpm, ddim, dpm++ or heun (default: ddim)")
    private String sampler;

    @Option(
            names = "--sampling-steps",
            paramLabel = "N",
            description = "timesteps that it visits; 0: all (default: 50, or all if there are fewer)")
    private Integer steps;

    @Option(
            names = "--classifier",
            paramLabel = "FILE",
            description =
                    "weights of ddpm.TrainClassifier that pictures are looked at with (default: those in this jar)")
    private Path classifier;

    @Option(names = "--flip", description = "compare with the real pictures and their mirror images")
    private boolean flip;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "of all noise (default: 0)")
    private long seed;

    @Option(names = "--json", paramLabel = "FILE", description = "write the results there too")
    private Path json;

    private final Map<String, Map<String, Object>> results = new LinkedHashMap<>();
    private final ProgressLine progress = ProgressLine.onStandardOutput();

    public static void main(String[] args) {
        Program.main(new Evaluate(), args);
    }

    @Override
    public Integer call() throws IOException {
        checkOptions();
        Map<String, Checkpoint.Model> judged = judged();
        Checkpoint.Model first = judged.values().iterator().next();
        Settings settings = settings(first);
        if (settings.enlarges()) throw new Failure(Failure.USAGE, ENLARGES);
        int[] image = RunFolder.imageOf(model, first.config());
        UNetConfig network = settings.network(image[0], image[1], image[2]);
        boolean pictures = metrics.stream().anyMatch(PICTURES::contains);
        if (pictures && (image[0] != Classifier.SIDE || image[1] != Classifier.SIDE || image[2] != 1))
            throw new Failure(
                    Failure.USAGE,
                    "the classifier knows 28x28 grey pictures (Fashion-MNIST); this model draws others, so only "
                            + String.join(", ", LOSSES) + " can be had");
        Interrupts interrupts = Interrupts.listen(() -> System.err.println("\nstopping"));
        try (Backend backend = openBackend();
                Scope root = Scope.open("evaluate")) {
            Map<String, UNet> networks = new LinkedHashMap<>();
            for (Map.Entry<String, Checkpoint.Model> one : judged.entrySet()) {
                networks.put(one.getKey(), load(one.getValue(), settings, backend));
                results.put(
                        one.getKey(),
                        new LinkedHashMap<>(
                                Map.of("weights", one.getValue().weights().toString())));
            }
            GaussianDiffusion diffusion = new GaussianDiffusion(settings.schedule(), backend, DType.F32);
            Sampling sampling = new Sampling(settings, diffusion, backend, network);
            List<String> drawing = pictures ? drawing(judged) : List.of();
            UNet unet = networks.values().iterator().next();
            estimate(unet, settings, sampling, backend, judged.size(), drawing.size());
            if (metrics.stream().anyMatch(LOSSES::contains)) losses(networks, settings, diffusion, backend, interrupts);
            for (String name : drawing) {
                if (drawing.size() > 1) System.out.println("pictures  of the " + name + " weights");
                pictures(networks.get(name), results.get(name), settings, sampling, backend, interrupts);
            }
        }
        if (json != null) Files.write(json, Json.write(results).getBytes(StandardCharsets.UTF_8));
        return 0;
    }

    /** The weights that are looked at, by name, averaged ones first; one set where the run has but one. */
    private Map<String, Checkpoint.Model> judged() throws IOException {
        Map<String, Checkpoint.Model> judged = new LinkedHashMap<>();
        Checkpoint.Model averaged = Checkpoint.find(model, true);
        Checkpoint.Model last = Checkpoint.find(model, false);
        boolean one = averaged.weights().equals(last.weights());
        if (weights != Weights.raw && !one) judged.put(Weights.ema.name(), averaged);
        boolean both =
                weights == Weights.both || weights == null && metrics.stream().anyMatch(LOSSES::contains);
        if (weights == Weights.raw || both || one) judged.put(Weights.raw.name(), last);
        return judged;
    }

    /** Those that pictures are drawn with. */
    private List<String> drawing(Map<String, Checkpoint.Model> judged) {
        List<String> names = List.copyOf(judged.keySet());
        return weights == Weights.both ? names : names.subList(0, 1);
    }

    private void checkOptions() {
        for (String metric : metrics)
            if (!LOSSES.contains(metric) && !PICTURES.contains(metric))
                throw new Failure(
                        Failure.USAGE,
                        "--metrics needs some of " + String.join(", ", LOSSES) + ", " + String.join(", ", PICTURES)
                                + ", not " + metric);
        if (count != null && (count < 1 || count > 100_000))
            throw new Failure(Failure.USAGE, "-n needs 1..100000 images, not " + count);
        if (metrics.contains("fid") && pictureCount() < Likeness.FEWEST)
            throw new Failure(
                    Failure.USAGE,
                    "fid needs at least " + Likeness.FEWEST + " images, not " + pictureCount() + ": raise -n");
    }

    private int pictureCount() {
        return count == null ? PICTURE_IMAGES : count;
    }

    private int lossCount() {
        return count == null ? LOSS_IMAGES : count;
    }

    private Settings settings(Checkpoint.Model found) {
        Map<String, Object> kept = RunFolder.settingsOf(found.config());
        int all = Settings.of(kept, Map.of()).timesteps();
        Map<String, String> options = new LinkedHashMap<>();
        options.put(Setting.SAMPLER.key(), sampler);
        options.put(Setting.SAMPLING_STEPS.key(), Integer.toString(steps == null ? Math.min(all, STEPS) : steps));
        return Settings.of(kept, options);
    }

    /** Times one pass of the network and says what the whole will take. */
    private void estimate(UNet unet, Settings settings, Sampling sampling, Backend backend, int judged, int drawing) {
        long passes = 0;
        if (metrics.stream().anyMatch(LOSSES::contains))
            passes += (long) judged * settings.timesteps() * ((lossCount() + BATCH - 1) / BATCH);
        long each = sampling.steps();
        if (settings.sampler().kind() == SamplerChoice.Kind.HEUN) each = 2 * each - 1;
        if (settings.labels() && settings.guidance() != 1) each *= 2;
        passes += drawing * each * ((pictureCount() + BATCH - 1) / BATCH);
        double seconds = 0;
        for (int i = 0; i < 2; i++) // the first fills caches
        try (Scope scope = Scope.open("estimate")) {
                UNetConfig c = unet.config();
                long begin = System.nanoTime();
                Tensor x = Tensor.full(backend, DType.F32, Shape.of(BATCH, c.height(), c.width(), unet.inputs()), 0);
                Tensor t = Tensor.full(backend, DType.F32, Shape.of(BATCH), 0);
                unet.predict(Variable.constant(x), Variable.constant(t));
                backend.synchronize();
                seconds = (System.nanoTime() - begin) * 1e-9;
            }
        say(String.format(
                Locale.ROOT,
                "estimate  %d passes of the network over up to %d images, about %.1f minutes",
                passes,
                BATCH,
                passes * seconds / 60));
    }

    private void losses(
            Map<String, UNet> networks,
            Settings settings,
            GaussianDiffusion diffusion,
            Backend backend,
            Interrupts interrupts) {
        Dataset data = Datasets.open(settings.data(), settings.imageSize(), false, this::say);
        Dataset test = settings.testData(data);
        int n = Math.min(lossCount(), test.size());
        String images = n + " images of " + test.description();
        Map<String, TimestepLosses> losses = new LinkedHashMap<>();
        for (Map.Entry<String, UNet> one : networks.entrySet()) {
            results.get(one.getKey()).put("likelihood-images", images);
            losses.put(one.getKey(), losses(one.getValue(), settings, diffusion, test, n, backend, interrupts));
        }
        if (metrics.contains("loss-by-t")) lossByTimestep(losses);
        if (metrics.contains("bpd")) losses.forEach((name, l) -> bitsPerDimension(name, l, images));
    }

    private TimestepLosses losses(
            UNet unet,
            Settings settings,
            GaussianDiffusion diffusion,
            Dataset test,
            int n,
            Backend backend,
            Interrupts interrupts) {
        TimestepLosses losses = new TimestepLosses(
                diffusion,
                settings.target(),
                settings.clipStart(),
                settings.sampler().variance());
        for (int first = 0; first < n; first += BATCH) {
            int from = first;
            int size = Math.min(BATCH, n - first);
            try (Scope scope = Scope.open("batch")) {
                Tensor x0 = Tensor.of(
                        backend,
                        Shape.of(size, test.height(), test.width(), test.channels()),
                        Eye.pixels(test, first, first + size, false));
                losses.add(told(unet, settings, test, first, x0), x0, seed, first, done -> {
                    interrupts.check();
                    long at = (long) from / BATCH * settings.timesteps() + done;
                    if (!quiet)
                        progress.update(at, (long) ((n + BATCH - 1) / BATCH) * settings.timesteps(), at, "likelihood");
                });
            }
        }
        progress.clear();
        return losses;
    }

    private void bitsPerDimension(String name, TimestepLosses losses, String images) {
        Map<String, Object> bpd = new LinkedHashMap<>();
        bpd.put("bound", Likeness.round(losses.bitsPerDimension()));
        bpd.put("standard-error", Likeness.round(losses.standardError()));
        bpd.put("prior", Likeness.round(losses.prior()));
        results.get(name).put("bpd", bpd);
        System.out.printf(
                Locale.ROOT,
                "bpd       %s: at most %.4f bits/dim (standard error %.4f; prior alone %.4f), %s%n",
                name,
                losses.bitsPerDimension(),
                losses.standardError(),
                losses.prior(),
                images);
    }

    /** The network with the images' own labels, and nothing in the place of earlier estimates. */
    private static Denoiser told(UNet unet, Settings settings, Dataset data, int first, Tensor x0) {
        Denoiser network = unet;
        int n = x0.shape().get(0);
        if (unet.ports().classes() > 0) {
            float[] labels = new float[n];
            for (int i = 0; i < n; i++) labels[i] = data.label(first + i);
            network = unet.told(Tensor.of(x0.backend(), Shape.of(n), labels));
        }
        return settings.selfConditions() ? network.given(x0.fullLike(0)) : network;
    }

    /** Two columns for each set of weights. */
    private void lossByTimestep(Map<String, TimestepLosses> losses) {
        StringBuilder head = new StringBuilder("loss-by-t      t");
        losses.forEach((name, l) -> {
            double[] noise = l.noise();
            double[] bits = l.bits();
            List<Object> rows = new ArrayList<>();
            for (int t = 0; t < noise.length; t++) rows.add(List.of((long) t, noise[t], bits[t]));
            results.get(name).put("loss-by-t", Map.of("columns", List.of("t", "noise-mse", "bits"), "rows", rows));
            head.append(String.format("   %s noise mse   bits/dim", name));
        });
        System.out.println(head);
        int timesteps = losses.values().iterator().next().noise().length;
        int lines = Math.min(ROWS, timesteps);
        for (int i = 0; i < lines; i++) {
            int t = i * (timesteps - 1) / (lines - 1);
            StringBuilder line = new StringBuilder(String.format("          %6d", t));
            for (TimestepLosses l : losses.values())
                line.append(String.format(Locale.ROOT, "   %13.5f   %8.5f", l.noise()[t], l.bits()[t]));
            System.out.println(line);
        }
    }

    private void pictures(
            UNet unet,
            Map<String, Object> found,
            Settings settings,
            Sampling sampling,
            Backend backend,
            Interrupts interrupts)
            throws IOException {
        int n = pictureCount();
        int values = Classifier.SIDE * Classifier.SIDE;
        float[] drawn = new float[Math.multiplyExact(n, values)];
        int chunk = sampling.chunk();
        long batches = (n + chunk - 1) / chunk;
        int each = sampling.steps();
        for (int first = 0; first < n; first += chunk) {
            long before = (long) first / chunk * each;
            float[] some = sampling.draw(
                    unet,
                    first,
                    Math.min(chunk, n - first),
                    seed,
                    (done, x, start) -> {
                        if (!quiet) progress.update(before + done, batches * each, before + done, "drawing");
                    },
                    interrupts);
            for (int i = 0; i < some.length; i++)
                drawn[first * values + i] = Math.round((Math.max(-1, Math.min(1, some[i])) + 1) * 127.5f) / 127.5f - 1;
        }
        progress.clear();
        found.put("pictures", (long) n);
        found.put("sampler", sampler + ", " + each + " of " + settings.timesteps() + " timesteps");
        new PictureReport(metrics, classifier, flip, seed, found, this::say).write(drawn, n, backend);
    }
}
