package ddpm;

import datasets.Dataset;
import datasets.Datasets;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.SamplerChoice;
import ddpm.evaluate.Classifier;
import ddpm.evaluate.Likeness;
import ddpm.io.Json;
import ddpm.io.WholeFile;
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
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.DType;
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
    /** So many pictures at least have a spread, and a third neighbour. */
    private static final Map<String, Integer> FEWEST = Map.of("kid", 2, "precision-recall", 4);

    private static final String IDLE = "pictures, and --metrics asks for none of " + String.join(", ", PICTURES);

    private static final int STEPS = 50;
    /** Steps that are timed for the estimate: the first fills caches, a GPU records the second, the last counts. */
    private static final int TIMED = 3;

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
            names = "--data",
            paramLabel = "NAME|PATH",
            description = "where the images are that loss-by-t and bpd are taken on (default: the run's setting)")
    private String dataset;

    @Option(
            names = "-n",
            paramLabel = "N",
            defaultValue = "2048",
            description = "how many pictures are drawn (default: 2048)")
    private int count;

    @Option(
            names = "--test-images",
            paramLabel = "N",
            defaultValue = "64",
            description = "on how many test images loss-by-t and bpd are taken, each at every timestep (default: 64)")
    private int testImages;

    @Option(
            names = "--weights",
            paramLabel = "ema|raw|both",
            description =
                    "averaged weights, those of the last step, or both (default: both for loss-by-t and bpd, ema for the"
                            + " others, which take long)")
    private Weights weights;

    @Option(
            names = "--sampler",
            paramLabel = "LIST",
            split = ",",
            defaultValue = "ddim",
            description = "ddpm, ddim, dpm++, heun: pictures are drawn with each of the list (default: ddim)")
    private List<String> samplers;

    @Option(
            names = "--sampling-steps",
            paramLabel = "LIST",
            split = ",",
            description =
                    "timesteps that a sampler visits, 0: all; with each of the list (default: 50, or all if there are"
                            + " fewer)")
    private List<Integer> steps;

    @Option(
            names = "--guidance",
            paramLabel = "S",
            description = "how far to follow the labels of a run with --labels (default: the run's setting)")
    private String guidance;

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

    /** One way of drawing pictures. */
    private record Way(Settings settings, Sampling sampling) {
        String words() {
            return settings.sampler().kind().word() + ", " + sampling.steps() + " of " + settings.timesteps()
                    + " timesteps";
        }
    }

    private final Map<String, Map<String, Object>> results = new LinkedHashMap<>();

    public static void main(String[] args) {
        Program.main(new Evaluate(), args);
    }

    @Override
    public Integer call() throws IOException {
        checkOptions();
        Map<String, Checkpoint.Model> judged = judged();
        Checkpoint.Model first = judged.values().iterator().next();
        Map<String, Object> kept = RunFolder.settingsOf(first.config());
        Settings settings = Settings.of(kept, dataset == null ? Map.of() : Map.of(Setting.DATA.key(), dataset));
        if (settings.enlarges()) throw new Failure(Failure.USAGE, ENLARGES);
        if (guidance != null && !settings.labels())
            throw new Failure(Failure.USAGE, "--guidance follows a label, but this run was trained without --labels");
        int[] image = RunFolder.imageOf(model, first.config());
        UNetConfig network = settings.network(image[0], image[1], image[2]);
        if (drawsPictures() && (image[0] != Classifier.SIDE || image[1] != Classifier.SIDE || image[2] != 1))
            throw new Failure(
                    Failure.USAGE,
                    "the classifier knows 28x28 grey pictures (Fashion-MNIST); this model draws others, so only "
                            + String.join(", ", LOSSES) + " can be had");
        List<Settings> choices = drawsPictures() ? choices(kept, settings.timesteps()) : List.of();
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
            List<Way> ways = choices.stream()
                    .map(choice -> new Way(choice, new Sampling(choice, diffusion, backend, network)))
                    .toList();
            List<String> drawing = ways.isEmpty() ? List.of() : drawing(judged);
            PictureReport report =
                    ways.isEmpty() ? null : new PictureReport(metrics, classifier, flip, count, seed, backend);
            if (report != null && report.about() != null) say("features  " + report.about());
            Sampling timed = new Sampling(timed(kept, settings), diffusion, backend, network);
            estimate(networks, timed, settings, ways, drawing.size(), interrupts);
            int batch = timed.chunk();
            if (takesLosses()) {
                Dataset test = testImages(first, settings);
                losses(networks, settings, diffusion, test, batch, backend, interrupts);
            }
            for (String name : drawing) {
                if (drawing.size() > 1) System.out.println("pictures  of the " + name + " weights");
                pictures(networks.get(name), results.get(name), ways, report, interrupts);
            }
        }
        return 0;
    }

    /** Of Fashion-MNIST its test images, for which those for training need not be here; else the run's own. */
    private Dataset testImages(Checkpoint.Model found, Settings settings) {
        Dataset data = Datasets.open(settings.data(), settings.imageSize(), false, this::say);
        String digest = RunFolder.digestOf(found.config());
        if (digest != null && Datasets.isFashion(digest) && Datasets.isFashion(data.sha256()))
            RunFolder.requireSize(model, found.config(), data);
        else RunFolder.requireSame(model, found.config(), data);
        return settings.testData(data);
    }

    private boolean takesLosses() {
        return metrics.stream().anyMatch(LOSSES::contains);
    }

    private boolean drawsPictures() {
        return metrics.stream().anyMatch(PICTURES::contains);
    }

    /** Writes what is known so far, whole or not at all. */
    private void save() {
        if (json == null) return;
        try {
            WholeFile.write(json, Json.write(results).getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The weights that are looked at, by name, averaged ones first; one set where the run has but one. */
    private Map<String, Checkpoint.Model> judged() throws IOException {
        Map<String, Checkpoint.Model> judged = new LinkedHashMap<>();
        Checkpoint.Model averaged = Checkpoint.find(model, true);
        Checkpoint.Model last = Checkpoint.find(model, false);
        if (averaged.weights().equals(last.weights())) {
            boolean ema = last.weights().endsWith(Checkpoint.EMA);
            return Map.of(ema ? Weights.ema.name() : Weights.raw.name(), last);
        }
        if (weights != Weights.raw) judged.put(Weights.ema.name(), averaged);
        boolean both = weights == Weights.both || weights == null && takesLosses();
        if (weights == Weights.raw || both) judged.put(Weights.raw.name(), last);
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
        refuse(!drawsPictures(), IDLE, "-n", "--sampler", "--sampling-steps", "--guidance", "--classifier", "--flip");
        refuse(!takesLosses(), "loss-by-t and bpd, and --metrics asks for neither", "--test-images", "--data");
        if (count < 1 || count > 100_000) throw new Failure(Failure.USAGE, "-n needs 1..100000 pictures, not " + count);
        if (testImages < 2 || testImages > 100_000)
            throw new Failure(Failure.USAGE, "--test-images needs 2..100000 images, not " + testImages);
        FEWEST.forEach((metric, fewest) -> {
            if (metrics.contains(metric) && count < fewest)
                throw new Failure(
                        Failure.USAGE, metric + " needs at least " + fewest + " pictures, not " + count + ": raise -n");
        });
        if (metrics.contains("fid") && count < Likeness.FEWEST)
            throw new Failure(
                    Failure.USAGE, "fid needs at least " + Likeness.FEWEST + " images, not " + count + ": raise -n");
    }

    /** The settings of every way in which pictures are drawn: each sampler over each number of timesteps. */
    private List<Settings> choices(Map<String, Object> kept, int all) {
        List<Settings> choices = new ArrayList<>();
        for (String sampler : samplers)
            for (int count : steps == null ? List.of(Math.min(all, STEPS)) : steps) {
                Map<String, String> options = new LinkedHashMap<>();
                options.put(Setting.SAMPLER.key(), sampler);
                options.put(Setting.SAMPLING_STEPS.key(), Integer.toString(count));
                if (guidance != null) options.put(Setting.GUIDANCE.key(), guidance);
                choices.add(Settings.of(kept, options));
            }
        return choices;
    }

    /** A few steps of drawing, in which the network is asked once each. */
    private static Settings timed(Map<String, Object> kept, Settings settings) {
        int few = Math.min(TIMED, settings.timesteps());
        return Settings.of(
                kept,
                Map.of(
                        Setting.SAMPLER.key(),
                        SamplerChoice.Kind.DDIM.word(),
                        Setting.SAMPLING_STEPS.key(),
                        Integer.toString(few),
                        Setting.GUIDANCE.key(),
                        "1"));
    }

    /** Times one pass of the network and says what all of them will take. */
    private void estimate(
            Map<String, UNet> networks,
            Sampling timed,
            Settings settings,
            List<Way> ways,
            int drawing,
            Interrupts interrupts) {
        int batch = timed.chunk();
        int test = takesLosses() ? testImages : 0;
        int largest = Math.min(batch, ways.isEmpty() ? test : count);
        long[] at = new long[timed.steps() + 1];
        UNet unet = networks.values().iterator().next();
        Sampling.Film clock = (k, done, x, start) -> {
            x.get(); // waits for the device
            at[done] = System.nanoTime();
        };
        timed.draw(unet, largest, seed, clock, interrupts);
        double seconds = (at[at.length - 1] - at[at.length - 2]) * 1e-9 / largest; // for each image of a batch
        double losses = seconds * networks.size() * settings.timesteps() * test;
        double pictures = 0;
        for (Way way : ways) pictures += seconds * drawing * way.sampling.evaluations() * count;
        StringBuilder line = new StringBuilder("estimate ");
        if (test > 0)
            line.append(String.format(
                    Locale.ROOT,
                    " losses of %d images at %d timesteps (%s): %s;",
                    test,
                    settings.timesteps(),
                    String.join(", ", networks.keySet()),
                    ProgressLine.clock(Math.round(losses))));
        if (!ways.isEmpty())
            line.append(String.format(
                    Locale.ROOT,
                    " drawing %d pictures%s: %s;",
                    count,
                    ways.size() * drawing > 1 ? " in " + ways.size() * drawing + " ways" : "",
                    ProgressLine.clock(Math.round(pictures))));
        say(line + " about " + ProgressLine.clock(Math.round(losses + pictures)) + " in all");
    }

    private void losses(
            Map<String, UNet> networks,
            Settings settings,
            GaussianDiffusion diffusion,
            Dataset test,
            int batch,
            Backend backend,
            Interrupts interrupts) {
        int n = Math.min(testImages, test.size());
        LossReport report = new LossReport(metrics, settings, diffusion, test, n, batch, seed);
        for (String name : networks.keySet()) {
            ProgressLine progress = ProgressLine.onStandardOutput();
            report.look(name, networks.get(name), backend, results.get(name), done -> {
                interrupts.check();
                if (!quiet) progress.update(done, report.passes(), done, "likelihood");
            });
            progress.clear();
        }
        report.print();
        save();
    }

    private void pictures(
            UNet unet, Map<String, Object> found, List<Way> ways, PictureReport report, Interrupts interrupts) {
        List<Map<String, Object>> rows = new ArrayList<>();
        found.put("pictures", rows);
        for (Way way : ways) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("sampler", way.settings.sampler().kind().word());
            row.put("steps", (long) way.sampling.steps());
            row.put("timesteps", (long) way.settings.timesteps());
            row.put("evaluations", (long) way.sampling.evaluations());
            int classes = unet.ports().classes();
            if (classes > 0) row.put("guidance", way.settings.guidance());
            row.put("pictures", (long) count);
            long begin = System.nanoTime();
            float[] drawn = draw(unet, way, interrupts);
            double seconds = (System.nanoTime() - begin) * 1e-9;
            row.put("seconds", Likeness.round(seconds));
            System.out.printf(Locale.ROOT, "drawn     %d pictures: %s, %.1f s%n", count, way.words(), seconds);
            int[] told = classes > 0 && way.settings.guidance() > 0
                    ? IntStream.range(0, count).map(i -> i % classes).toArray()
                    : null;
            report.write(drawn, told, row);
            rows.add(row);
            save();
        }
        if (rows.size() > 1) PictureTable.of(rows).forEach(System.out::println);
    }

    /** Pictures as they would be in a file of 8 bits, [count,28,28,1] in [−1, 1]. */
    private float[] draw(UNet unet, Way way, Interrupts interrupts) {
        long each = way.sampling.steps();
        long all = way.sampling.batches(count) * each;
        ProgressLine progress = ProgressLine.onStandardOutput();
        Sampling.Film film = (batch, done, x, start) -> {
            long passed = batch * each + done;
            if (!quiet) progress.update(passed, all, passed, "drawing");
        };
        float[] drawn = way.sampling.draw(unet, count, seed, film, interrupts);
        for (int i = 0; i < drawn.length; i++)
            drawn[i] = Math.round((Math.max(-1, Math.min(1, drawn[i])) + 1) * 127.5f) / 127.5f - 1;
        progress.clear();
        return drawn;
    }
}
