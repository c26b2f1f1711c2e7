package ddpm.evaluate;

import autograd.Variable;
import datasets.Dataset;
import java.util.Arrays;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** Looks at many images through a {@link Classifier}: their features and the classes it sees. */
public final class Eye {
    private static final int CHUNK = 200;

    private final Classifier classifier;
    private final Backend backend;

    public Eye(Classifier classifier, Backend backend) {
        this.classifier = classifier;
        this.backend = backend;
    }

    /**
     * What was seen.
     *
     * @param features one row of {@value Classifier#FEATURES} for each image
     * @param classes the likeliest class of each
     * @param confidence its probability
     */
    public record Seen(double[][] features, int[] classes, double[] confidence) {}

    /** Looks at images [N,28,28,1] in [−1, 1]. */
    public Seen see(float[] pixels) {
        int values = Classifier.SIDE * Classifier.SIDE;
        int n = pixels.length / values;
        double[][] features = new double[n][];
        int[] classes = new int[n];
        double[] confidence = new double[n];
        for (int first = 0; first < n; first += CHUNK) {
            int count = Math.min(CHUNK, n - first);
            try (Scope scope = Scope.open("see")) {
                Tensor x = Tensor.of(
                        backend,
                        Shape.of(count, Classifier.SIDE, Classifier.SIDE, 1),
                        Arrays.copyOfRange(pixels, first * values, (first + count) * values));
                Variable f = classifier.features(Variable.constant(x));
                Tensor p = Tensor.empty(backend, DType.F32, Shape.of(count, Classifier.CLASSES));
                backend.softmax(1, classifier.logits(f).value(), p);
                double[] rows = f.value().toDoubles();
                double[] probabilities = p.toDoubles();
                for (int i = 0; i < count; i++) {
                    features[first + i] =
                            Arrays.copyOfRange(rows, i * Classifier.FEATURES, (i + 1) * Classifier.FEATURES);
                    int best = 0;
                    for (int k = 1; k < Classifier.CLASSES; k++)
                        if (probabilities[i * Classifier.CLASSES + k] > probabilities[i * Classifier.CLASSES + best])
                            best = k;
                    classes[first + i] = best;
                    confidence[first + i] = probabilities[i * Classifier.CLASSES + best];
                }
            }
        }
        return new Seen(features, classes, confidence);
    }

    /** Images from..to−1 of a data set as [N,H,W,C] in [−1, 1]. */
    public static float[] pixels(Dataset data, int from, int to, boolean flip) {
        float[] pixels = new float[(to - from) * data.values()];
        for (int i = from; i < to; i++) data.read(i, pixels, (i - from) * data.values(), flip);
        return pixels;
    }

    /** The share of a labelled set whose class it sees. */
    public double accuracy(Dataset data) {
        return accuracy(see(pixels(data, 0, data.size(), false)), data);
    }

    /** The share of right classes among what was seen of a whole labelled set. */
    public static double accuracy(Seen seen, Dataset data) {
        int right = 0;
        for (int i = 0; i < seen.classes().length; i++) if (seen.classes()[i] == data.label(i)) right++;
        return (double) right / seen.classes().length;
    }
}
