package ddpm.evaluate;

import autograd.Variable;
import datasets.Dataset;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.ImageNoise;
import ddpm.unet.NoisyClassifier;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** How often a {@link NoisyClassifier} is right, which depends on how much of a picture is left. */
public final class NoisyAccuracy {
    private static final int CHUNK = 200;

    private NoisyAccuracy() {}

    /**
     * The share of right classes in each quarter of t, from the clearest: the first n images of a set, each at the timestep
     * in the middle of the quarter.
     */
    public static double[] byQuarter(
            NoisyClassifier classifier, GaussianDiffusion diffusion, Dataset data, int n, Backend backend) {
        double[] right = new double[4];
        for (int first = 0; first < n; first += CHUNK) {
            int count = Math.min(CHUNK, n - first);
            for (int quarter = 0; quarter < 4; quarter++)
                try (Scope scope = Scope.open("noisy")) {
                    int t = (2 * quarter + 1) * diffusion.schedule().timesteps() / 8;
                    Tensor x0 = Tensor.of(
                            backend,
                            Shape.of(count, data.height(), data.width(), data.channels()),
                            Eye.pixels(data, first, first + count, false));
                    Tensor time = Tensor.full(backend, DType.F32, Shape.of(count), t);
                    Tensor xt = diffusion.qSample(x0, time, new ImageNoise(quarter, first).like(x0));
                    float[] logits = classifier
                            .logits(Variable.constant(xt), Variable.constant(time))
                            .value()
                            .toFloats();
                    for (int i = 0; i < count; i++)
                        if (best(logits, i, classifier.classes()) == data.label(first + i)) right[quarter] += 1.0 / n;
                }
        }
        return right;
    }

    private static int best(float[] logits, int image, int classes) {
        int best = 0;
        for (int k = 1; k < classes; k++) if (logits[image * classes + k] > logits[image * classes + best]) best = k;
        return best;
    }
}
