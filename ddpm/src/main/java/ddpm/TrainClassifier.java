package ddpm;

import datasets.Dataset;
import datasets.Datasets;
import ddpm.evaluate.ClassifierFile;
import ddpm.evaluate.ClassifierTraining;
import ddpm.evaluate.Eye;
import ddpm.report.ProgressLine;
import ddpm.train.Interrupts;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** Trains the classifier whose features {@code ddpm.Evaluate} compares images by. */
@Command(
        name = "ddpm.TrainClassifier",
        sortOptions = false,
        usageHelpAutoWidth = true,
        description = "Trains the classifier of Fashion-MNIST whose features FID, KID and the class histogram rest on.")
public final class TrainClassifier extends Program {
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
            defaultValue = "fashion-classifier.safetensors",
            description = "the weights (default: fashion-classifier.safetensors)")
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
        Dataset data = Datasets.open("fashion", 0, download, this::say);
        Dataset test = Datasets.fashionTest();
        if (data.sha256().equals(test.sha256()))
            throw new Failure(
                    Failure.DATA,
                    "only the 10,000 test images are here, and a classifier must not have seen those: "
                            + "apt install dataset-fashion-mnist, or --download");
        say("data      " + data.description());
        Interrupts interrupts = Interrupts.listen(() -> System.err.println("\nstopping"));
        try (Backend backend = openBackend();
                Scope root = Scope.open("classifier");
                ClassifierTraining training = new ClassifierTraining(data, epochs, seed, backend)) {
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
            double accuracy = new Eye(training.classifier(), backend).accuracy(test);
            ClassifierFile.save(out, training.classifier(), accuracy, seed, data.sha256());
            System.out.printf(
                    Locale.ROOT,
                    "accuracy  %.4f on the 10,000 test images; saved %s, sha256 %s%n",
                    accuracy,
                    out.toAbsolutePath(),
                    ClassifierFile.sha256(out));
        }
        return 0;
    }
}
