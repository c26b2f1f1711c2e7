package ddpm;

import datasets.Dataset;
import ddpm.diffusion.Denoiser;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.evaluate.Eye;
import ddpm.evaluate.Likeness;
import ddpm.evaluate.TimestepLosses;
import ddpm.train.Settings;
import ddpm.unet.UNet;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongConsumer;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/**
 * What {@link Evaluate} says about what networks lose on test images: at every timestep, and as a bound in bits/dim. Several
 * sets of weights, one after the other, stand side by side in the table.
 */
final class LossReport {
    /** Lines of the printed table; the file has every timestep. */
    private static final int ROWS = 11;

    private final List<String> metrics;
    private final Settings settings;
    private final GaussianDiffusion diffusion;
    private final Dataset test;
    private final int n;
    private final int batch;
    private final long seed;
    private final Map<String, TimestepLosses> found = new LinkedHashMap<>();

    /**
     * Nothing looked at yet.
     *
     * @param metrics those asked for
     * @param test the first n of these images are shown
     * @param batch so many at once
     * @param seed of the noise
     */
    LossReport(
            List<String> metrics,
            Settings settings,
            GaussianDiffusion diffusion,
            Dataset test,
            int n,
            int batch,
            long seed) {
        this.metrics = metrics;
        this.settings = settings;
        this.diffusion = diffusion;
        this.test = test;
        this.n = n;
        this.batch = batch;
        this.seed = seed;
    }

    /** How often a network is asked for a batch. */
    long passes() {
        return (long) ((n + batch - 1) / batch) * settings.timesteps();
    }

    /**
     * Looks at one network, and puts every number into the results.
     *
     * @param name of its weights
     * @param progress told the passes done
     */
    void look(String name, UNet unet, Backend backend, Map<String, Object> results, LongConsumer progress) {
        TimestepLosses losses = new TimestepLosses(
                diffusion,
                settings.target(),
                settings.clipStart(),
                settings.sampler().variance());
        for (int first = 0; first < n; first += batch) {
            long before = (long) first / batch * settings.timesteps();
            int size = Math.min(batch, n - first);
            try (Scope scope = Scope.open("batch")) {
                Shape shape = Shape.of(size, test.height(), test.width(), test.channels());
                Tensor x0 = Tensor.of(backend, shape, Eye.pixels(test, first, first + size, false));
                losses.add(told(unet, first, x0), x0, seed, first, done -> progress.accept(before + done));
            }
        }
        found.put(name, losses);
        results.put("likelihood-images", images());
        if (metrics.contains("loss-by-t")) results.put("loss-by-t", byTimestep(losses));
        if (metrics.contains("bpd")) results.put("bpd", bitsPerDimension(losses));
    }

    /** The network with the images' own labels, and nothing in the place of earlier estimates. */
    private Denoiser told(UNet unet, int first, Tensor x0) {
        Denoiser network = unet;
        int size = x0.shape().get(0);
        if (unet.ports().classes() > 0) {
            float[] labels = new float[size];
            for (int i = 0; i < size; i++) labels[i] = test.label(first + i);
            network = unet.told(Tensor.of(x0.backend(), Shape.of(size), labels));
        }
        return settings.selfConditions() ? network.given(x0.fullLike(0)) : network;
    }

    private String images() {
        return n + " images of " + test.description();
    }

    private static Map<String, Object> byTimestep(TimestepLosses losses) {
        double[] noise = losses.noise();
        double[] bits = losses.bits();
        List<Object> rows = new ArrayList<>();
        for (int t = 0; t < noise.length; t++) rows.add(List.of((long) t, noise[t], bits[t]));
        return Map.of("columns", List.of("t", "noise-mse", "bits"), "rows", rows);
    }

    private static Map<String, Object> bitsPerDimension(TimestepLosses losses) {
        Map<String, Object> bpd = new LinkedHashMap<>();
        bpd.put("bound", Likeness.round(losses.bitsPerDimension()));
        bpd.put("standard-error", Likeness.round(losses.standardError()));
        bpd.put("prior", Likeness.round(losses.prior()));
        return bpd;
    }

    /** Prints what was found. */
    void print() {
        if (metrics.contains("loss-by-t")) printByTimestep();
        if (metrics.contains("bpd"))
            found.forEach((name, losses) -> System.out.printf(
                    Locale.ROOT,
                    "bpd       %s: at most %.4f bits/dim (standard error %.4f; prior alone %.4f), %s%n",
                    name,
                    losses.bitsPerDimension(),
                    losses.standardError(),
                    losses.prior(),
                    images()));
    }

    /** Two columns for each set of weights. */
    private void printByTimestep() {
        StringBuilder head = new StringBuilder("loss-by-t      t");
        for (String name : found.keySet()) head.append(String.format(Locale.ROOT, "   %s noise mse   bits/dim", name));
        System.out.println(head);
        int timesteps = settings.timesteps();
        int lines = Math.min(ROWS, timesteps);
        for (int i = 0; i < lines; i++) {
            int t = i * (timesteps - 1) / Math.max(1, lines - 1);
            StringBuilder line = new StringBuilder(String.format(Locale.ROOT, "          %6d", t));
            for (TimestepLosses losses : found.values())
                line.append(String.format(Locale.ROOT, "   %13.5f   %8.5f", losses.noise()[t], losses.bits()[t]));
            System.out.println(line);
        }
    }
}
