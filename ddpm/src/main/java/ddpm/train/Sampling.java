package ddpm.train;

import autograd.Variable;
import ddpm.diffusion.ClassifierFreeGuidance;
import ddpm.diffusion.ClassifierGuidance;
import ddpm.diffusion.Denoiser;
import ddpm.diffusion.Estimator;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.ImageNoise;
import ddpm.diffusion.Noise;
import ddpm.diffusion.Sampler;
import ddpm.diffusion.SelfConditioning;
import ddpm.diffusion.Target;
import ddpm.unet.NoisyClassifier;
import ddpm.unet.UNet;
import ddpm.unet.UNetConfig;
import java.util.Arrays;
import java.util.function.Supplier;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/**
 * Draws images: standard normal noise through the reverse process. The noise belongs to each image ({@link ImageNoise}),
 * and to no stream of the training, which is never disturbed.
 */
public final class Sampling {
    /** Images that go through the network at once on a processor: more would leave its caches. */
    private static final int FEW = 64;
    /** The same on a GPU, which fewer would leave idle. */
    private static final int MANY = 256;

    /** Every class in turn. */
    public static final int EACH = -1;

    /** No class is told. */
    public static final int NONE = -2;

    private final int label;
    private final Settings settings;
    private final GaussianDiffusion diffusion;
    private final Backend backend;
    private final UNetConfig config;
    private final float[] small; // null when the network is shown none
    private final NoisyClassifier classifier; // null when none guides

    /** Draws images of every class in turn, if the network knows any. */
    public Sampling(Settings settings, GaussianDiffusion diffusion, Backend backend, UNetConfig config) {
        this(settings, diffusion, backend, config, EACH);
    }

    /**
     * Draws images.
     *
     * @param label the class they show, {@link #EACH} or {@link #NONE}
     */
    public Sampling(Settings settings, GaussianDiffusion diffusion, Backend backend, UNetConfig config, int label) {
        this(settings, diffusion, backend, config, label, null, null);
    }

    private Sampling(
            Settings settings,
            GaussianDiffusion diffusion,
            Backend backend,
            UNetConfig config,
            int label,
            float[] small,
            NoisyClassifier classifier) {
        this.label = label;
        this.small = small;
        this.classifier = classifier;
        this.settings = settings;
        this.diffusion = diffusion;
        this.backend = backend;
        this.config = config;
    }

    /**
     * The same for a run with {@code low-resolution}.
     *
     * @param small what is enlarged [n,h,w,C], a picture for each of the images 0 … n−1; cut off outside [−1, 1]
     */
    public Sampling enlarging(float[] small) {
        float[] pictures = small.clone();
        for (int i = 0; i < pictures.length; i++) pictures[i] = Math.max(-1, Math.min(1, pictures[i]));
        return new Sampling(settings, diffusion, backend, config, label, pictures, classifier);
    }

    /** The same with a classifier that pulls the images towards their label, as far as {@code guidance} says. */
    public Sampling guided(NoisyClassifier by) {
        return new Sampling(settings, diffusion, backend, config, label, small, by);
    }

    /** Sees the images on their way, as arrays [n,H,W,C] that are made for it when it asks; a GPU need not wait else. */
    @FunctionalInterface
    public interface Film {
        /**
         * The state of a batch after {@code done} steps of {@link Sampling#steps}; after 0 it is pure noise. Can be asked for
         * during the call only.
         *
         * @param batch which of the {@link Sampling#batches}, from 0
         * @param start the image as it was foreseen in this step, x̂₀; gives {@code null} after 0
         */
        void frame(int batch, int done, Supplier<float[]> pixels, Supplier<float[]> start);
    }

    /** Largest batch that goes through the network at once. */
    public int chunk() {
        return backend.name().equals("cuda") ? MANY : FEW;
    }

    /** Number of batches, one after the other, for so many images. */
    public int batches(int count) {
        return (count - 1) / chunk() + 1;
    }

    /** Number of steps from noise to image. */
    public int steps() {
        return settings.sampler().timesteps(diffusion.schedule()).count();
    }

    /** How often the network is asked for each image: by the sampler, and twice as often with classifier-free guidance. */
    public int evaluations() {
        boolean guided = settings.labels() && isTold() && settings.guidance() != 1 && classifier == null;
        return settings.sampler().evaluations(diffusion.schedule()) * (guided ? 2 : 1);
    }

    /** Whether the network is told labels: guided by 0 times what they change, it would be asked with them for nothing. */
    private boolean isTold() {
        boolean ignored = settings.guidance() == 0 && settings.guidanceRescale() == 0 && classifier == null;
        return label != NONE && !ignored;
    }

    /**
     * Images 0 … count−1 [count,H,W,C] of a seed, in about [−1, 1]. Image k is the same however many are drawn with it, but
     * for rounding.
     *
     * @param film sees them on their way; {@code null} for none
     * @param interrupts asked between steps
     */
    public float[] draw(UNet unet, int count, long seed, Film film, Interrupts interrupts) {
        int size = Shape.of(count, config.height(), config.width(), config.channels())
                .size();
        float[] pixels = new float[size];
        int values = size / count;
        check(unet);
        int chunk = chunk();
        for (int first = 0; first < count; first += chunk) {
            int n = Math.min(chunk, count - first);
            int batch = first / chunk;
            int[] done = {0};
            Sampler.Observer observer = (t, x, start) -> {
                interrupts.check();
                done[0]++;
                if (film != null) film.frame(batch, done[0], x::toFloats, start::toFloats);
            };
            try (Scope scope = Scope.open("sampling")) {
                ImageNoise source = new ImageNoise(seed, first);
                Shape shape = Shape.of(n, config.height(), config.width(), config.channels());
                Tensor noise = source.draw(backend, DType.F32, shape);
                if (film != null) film.frame(batch, 0, noise::toFloats, () -> null);
                Sampler sampler = settings.sampler().sampler(diffusion.schedule(), source);
                try (RecordedDenoiser network = new RecordedDenoiser(network(unet, first, noise, source))) {
                    Estimator model = model(network, first, noise);
                    float[] drawn = unet.unchanged(
                            () -> sampler.sample(model, noise, observer).toFloats());
                    System.arraycopy(drawn, 0, pixels, first * values, drawn.length);
                }
            }
        }
        return pixels;
    }

    /** The model of images 0, 1, … [N,H,W,C], with all that it is told, for walks other than from noise to image. */
    public Estimator model(UNet unet, Tensor noise, Noise source) {
        check(unet);
        return model(network(unet, 0, noise, source), 0, noise);
    }

    private void check(UNet unet) {
        checkLabel(unet.ports().classes());
        if (settings.enlarges() && small == null)
            throw new IllegalArgumentException("low-resolution: this network enlarges pictures of height "
                    + settings.lowResolution() + " and was given none");
    }

    /** The network as it is asked for images first, first + 1, …: labels, guidance, small pictures. */
    private Denoiser network(UNet unet, int first, Tensor noise, Noise source) {
        boolean told = unet.ports().classes() > 0 && isTold();
        Denoiser network = told ? labelled(unet, first, noise) : unet;
        return settings.enlarges() ? network.given(shown(first, noise, source)) : network;
    }

    /** The small pictures of images first, first + 1, …, as the network is shown them. */
    private Tensor shown(int first, Tensor noise, Noise source) {
        int n = noise.shape().get(0);
        int factor = config.height() / settings.lowResolution();
        Shape shape = Shape.of(n, settings.lowResolution(), config.width() / factor, config.channels());
        int values = shape.size();
        int from = first * (values / n);
        Tensor z = Tensor.of(backend, shape, Arrays.copyOfRange(small, from, from + values));
        Tensor s = Tensor.full(backend, DType.F32, Shape.of(n), settings.lowNoise());
        return settings.lowResolution(diffusion, config.height(), config.width())
                .given(z, s, source.like(z));
    }

    /** The network as a model of images, told its own estimates where it was trained so, and pulled by a classifier. */
    private Estimator model(Denoiser network, int first, Tensor noise) {
        Target target = settings.target();
        boolean clip = settings.clipStart();
        boolean now = clip && classifier == null; // else when pulled
        Estimator model = settings.selfConditions()
                ? new SelfConditioning(diffusion, network, target, now, noise)
                : diffusion.estimator(network, target, now);
        if (classifier == null) return model;
        Variable wanted = Variable.constant(labels(first, noise, classifier.classes()));
        return new ClassifierGuidance(
                model,
                diffusion.schedule(),
                (x, t) -> classifier.logProbability(x, t, wanted),
                settings.guidance(),
                clip);
    }

    private Denoiser labelled(UNet unet, int first, Tensor noise) {
        Denoiser with = unet.told(labels(first, noise, unet.ports().classes()));
        return settings.guidance() == 1 || classifier != null
                ? with
                : new ClassifierFreeGuidance(
                        with, unet, config.channels(), settings.guidance(), settings.guidanceRescale());
    }

    /** The classes of images first, first + 1, … [N]. */
    private Tensor labels(int first, Tensor noise, int classes) {
        float[] labels = new float[noise.shape().get(0)];
        for (int i = 0; i < labels.length; i++) labels[i] = label >= 0 ? label : (first + i) % classes;
        return Tensor.of(backend, Shape.of(labels.length), labels);
    }

    private void checkLabel(int told) {
        int classes = classifier == null ? told : classifier.classes();
        if (classifier != null && told != 0 && told != classes)
            throw new IllegalArgumentException(
                    "the classifier tells " + classes + " classes apart, but the network knows " + told);
        if (label != EACH && label != NONE && (label < 0 || label >= classes))
            throw new IllegalArgumentException(
                    classes == 0
                            ? "label: this network was trained without --labels and knows no classes"
                            : "label needs 0.." + (classes - 1) + ", not " + label);
    }
}
