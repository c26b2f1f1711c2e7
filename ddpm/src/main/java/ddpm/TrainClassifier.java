package ddpm;

import datasets.Dataset;
import datasets.Datasets;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.evaluate.Classifier;
import ddpm.evaluate.ClassifierFile;
import ddpm.evaluate.ClassifierTraining;
import ddpm.evaluate.Eye;
import ddpm.evaluate.NoisyAccuracy;
import ddpm.report.ProgressLine;
import ddpm.train.Checkpoint;
import ddpm.train.Interrupts;
import ddpm.train.RunFolder;
import ddpm.train.Setting;
import ddpm.train.Settings;
import ddpm.unet.NoisyClassifier;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tensor.DType;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** Trains the classifier whose features {@code ddpm.Evaluate} compares images by, or one that guides {@code ddpm.Sample}. */
@Command(
        name = "ddpm.TrainClassifier",
        sortOptions = false,
        usageHelpAutoWidth = true,
        description = {
            "Trains the classifier of Fashion-MNIST whose features FID, KID and the class histogram rest on;",
            "with --noisy one of a run's noisy images, for ddpm.Sample --classifier."
        })
public final class TrainClassifier extends Program {
    /** On so many at most it is tried out. */
    private static final int TEST_IMAGES = 2000;

    @Option(
            names = "--noisy",
            paramLabel = "RUN",
            description = "learn the classes of this run's data under this run's noise (Dhariwal and Nichol 2021)")
    private Path noisy;

    @Option(
            names = "--data",
            paramLabel = "NAME|PATH",
            description = "with --noisy: where that data is (default: the run's setting)")
    private String dataset;

    @Option(names = "--epochs", paramLabel = "N", defaultValue = "6", description = "passes over the data (default: 6)")
    private double epochs;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "everything follows from it (default: 0)")
    private long seed;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description = "the weights (default: fashion-classifier.safetensors, noisy-classifier.safetensors)")
    private Path out;

    @Option(names = "--download", description = "fetch the data from its publisher when it is not on this machine")
    private boolean download;

    public static void main(String[] args) {
        Program.main(new TrainClassifier(), args);
    }

    @Override
    public Integer call() throws IOException {
        if (!(epochs > 0 && epochs <= 1000))
            throw new Failure(Failure.USAGE, "--epochs needs a number in 0..1000, not " + epochs);
        refuse(noisy == null, "--noisy", "--data");
        if (noisy == null) trainEye();
        else trainGuide();
        return 0;
    }

    private void trainEye() throws IOException {
        Dataset data = Datasets.open("fashion", 0, download, this::say);
        Dataset test = Datasets.fashionTest();
        if (data.sha256().equals(test.sha256()))
            throw new Failure(
                    Failure.DATA,
                    "only the 10,000 test images are here, and a classifier must not have seen those: "
                            + "apt install dataset-fashion-mnist, or --download");
        say("data      " + data.description());
        Path file = out == null ? Path.of("fashion-classifier.safetensors") : out;
        try (Backend backend = openBackend();
                Scope root = Scope.open("classifier");
                ClassifierTraining<Classifier> training = ClassifierTraining.ofImages(data, epochs, seed, backend)) {
            run(training);
            double accuracy = new Eye(training.classifier(), backend).accuracy(test);
            ClassifierFile.save(file, training.classifier(), accuracy, seed, data.sha256());
            System.out.printf(
                    Locale.ROOT,
                    "accuracy  %.4f on the 10,000 test images; saved %s, sha256 %s%n",
                    accuracy,
                    file.toAbsolutePath(),
                    ClassifierFile.sha256(file));
        }
    }

    private void trainGuide() throws IOException {
        Checkpoint.Model run = Checkpoint.find(noisy, true);
        Settings settings = Settings.of(
                RunFolder.settingsOf(run.config()), dataset == null ? Map.of() : Map.of(Setting.DATA.key(), dataset));
        if (settings.enlarges()) throw new Failure(Failure.USAGE, ENLARGES);
        Dataset data = openData(noisy, run, settings, download);
        Dataset test = settings.testData(data);
        say("data      " + data.description());
        Path file = out == null ? Path.of("noisy-classifier.safetensors") : out;
        try (Backend backend = openBackend();
                Scope root = Scope.open("classifier")) {
            GaussianDiffusion diffusion = new GaussianDiffusion(settings.schedule(), backend, DType.F32);
            try (ClassifierTraining<NoisyClassifier> training =
                    ClassifierTraining.ofNoisyImages(data, diffusion, settings.flip(), epochs, seed, backend)) {
                run(training);
                ClassifierFile.saveNoisy(file, training.classifier(), settings, data, seed);
                int n = Math.min(TEST_IMAGES, test.size());
                double[] right = NoisyAccuracy.byQuarter(training.classifier(), diffusion, test, n, backend);
                System.out.printf(
                        Locale.ROOT,
                        "accuracy  %.4f %.4f %.4f %.4f in the quarters of t, on %d %s; saved %s%n",
                        right[0],
                        right[1],
                        right[2],
                        right[3],
                        n,
                        test == data ? "of the images it was trained on" : "test images",
                        file.toAbsolutePath());
            }
        }
    }

    private void run(ClassifierTraining<?> training) {
        Interrupts interrupts = Interrupts.listen(() -> System.err.println("\nstopping"));
        ProgressLine progress = ProgressLine.onStandardOutput();
        double average = Double.NaN;
        while (training.step() < training.steps()) {
            interrupts.check();
            double loss = training.update();
            average = Double.isNaN(average) ? loss : 0.98 * average + 0.02 * loss;
            if (!quiet)
                progress.update(
                        training.step(),
                        training.steps(),
                        training.step(),
                        String.format(Locale.ROOT, "loss %.4f", average));
        }
        progress.clear();
    }
}
