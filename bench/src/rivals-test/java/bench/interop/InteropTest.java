package bench.interop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.Gradients;
import autograd.Tape;
import autograd.Variable;
import autograd.ops.Mul;
import autograd.ops.Sum;
import bench.libtorch.Libtorch;
import ddpm.diffusion.AncestralSampler;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.NoiseSchedule;
import ddpm.diffusion.Sampler;
import ddpm.diffusion.SamplerChoice;
import ddpm.diffusion.Target;
import ddpm.io.SafetensorsFile;
import ddpm.io.SafetensorsWriter;
import ddpm.train.Checkpoint;
import ddpm.unet.UNet;
import ddpm.unet.UNet2DConfig;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import nn.Init;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.memory.Scope;

/**
 * Every family built a second time from libtorch's layers: with the same weights, output and gradient of every parameter
 * are as near as libtorch's to those in doubles, the pictures are the same, and the weights travel both ways bit for bit.
 * With {@code -Dinterop.table=FILE} the measured errors are written as a table.
 */
class InteropTest {
    private static final int BATCH = 2;
    private static final int STEPS = 10;
    private static final List<String> ROWS = new ArrayList<>();
    private static Backend backend;

    @TempDir
    Path folder;

    @BeforeAll
    static void open() {
        Libtorch.open(1);
        torch.manual_seed(1234);
        backend = Backends.open(System.getProperty("backend", "cpu"), 1).backend();
    }

    @AfterAll
    static void table() throws IOException {
        ROWS.forEach(System.out::println);
        String file = System.getProperty("interop.table", "");
        if (!file.isEmpty()) Files.write(Path.of(file), ROWS);
        backend.close();
    }

    static List<InteropCases> cases() {
        return InteropCases.all();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void theSameWeightsAreTheSameNetwork(InteropCases c) throws IOException {
        try (Scope scope = Scope.open("interop")) {
            Peer peer = c.peer();
            Path theirs = write(peer.toFile(), "theirs.safetensors");
            UNet unet = UNet.build(
                    c.config(), Init.pytorch(backend, DType.F32, new Rng(1)).with(Init.Rule.ZERO), () -> new Rng(0));
            Checkpoint.load(theirs, unet.parameters());
            travel(unet, peer, theirs);
            boolean fourier = c.config() instanceof UNet2DConfig u && u.time() == UNet2DConfig.Time.FOURIER;
            float[] t = fourier ? new float[] {0.75f, 1.25f} : new float[] {3, 97};
            int height = c.config().height();
            int width = c.config().width();
            Tensor x = torch.randn(BATCH, c.config().channels(), height, width);
            Tensor u = torch.randn(BATCH, c.config().outChannels(), height, width);
            Outcome exact = inDoubles(c.config(), theirs, x, t, u);
            Errors ours = Outcome.of(unet, x, t, u).from(exact);
            Errors libtorch = Outcome.of(peer, x, t, u).from(exact);
            double trace = fourier ? Double.NaN : trace(c.config(), unet, peer);
            ROWS.add(String.format(
                    Locale.ROOT,
                    "| %s | %s | %,d | %.1e, %.1e | %.1e, %.1e | %.1e, %.1e | %s |",
                    c.family(),
                    c.name(),
                    peer.count(),
                    ours.forward,
                    libtorch.forward,
                    ours.gradients,
                    libtorch.gradients,
                    ours.worst,
                    libtorch.worst,
                    fourier ? "no steps" : String.format(Locale.ROOT, "%.1e", trace)));
            asExact("forward", ours.forward, libtorch.forward, 1e-5);
            asExact("all gradients", ours.gradients, libtorch.gradients, 1e-5);
            asExact("worst gradient", ours.worst, libtorch.worst, 5e-5);
            if (!fourier) assertEquals(0, trace, 1e-4);
        }
    }

    /** Both are the network in doubles to within what floats allow, and ours is not the coarser one by much. */
    private static void asExact(String what, double ours, double theirs, double bound) {
        assertTrue(theirs <= bound, () -> what + ": libtorch is off by " + theirs + ", ours by " + ours);
        assertTrue(ours <= bound && ours <= 3 * theirs, () -> what + ": off by " + ours + ", libtorch by " + theirs);
    }

    /** The network of that file in doubles, by the reference. */
    private static Outcome inDoubles(UNetConfig config, Path weights, Tensor x, float[] t, Tensor u)
            throws IOException {
        try (Backend reference = Backends.open("reference", 1).backend();
                Scope scope = Scope.open("in doubles")) {
            Init init = Init.pytorch(reference, DType.F64, new Rng(1)).with(Init.Rule.ZERO);
            UNet unet = UNet.build(config, init, () -> new Rng(0));
            Checkpoint.load(weights, unet.parameters());
            return Outcome.of(unet, x, t, u);
        }
    }

    private Path write(SafetensorsWriter writer, String name) throws IOException {
        Path file = folder.resolve(name);
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            writer.write(bytes -> {
                while (bytes.hasRemaining()) out.write(bytes);
            });
        }
        return file;
    }

    /** Ours → file → libtorch → file → ours. */
    private void travel(UNet unet, Peer peer, Path theirs) throws IOException {
        Map<String, float[]> before = new TreeMap<>();
        unet.parameters().forEach((name, p) -> before.put(name, p.value().toFloats()));
        Path ours = write(Checkpoint.weights(unet, null), "ours.safetensors");
        peer.fromFile(SafetensorsFile.read(ours));
        Path again = write(peer.toFile(), "again.safetensors");
        assertEquals(-1, Files.mismatch(theirs, again));
        Checkpoint.load(again, unet.parameters());
        unet.parameters()
                .forEach((name, p) ->
                        assertArrayEquals(before.get(name), p.value().toFloats(), name));
    }

    /** A network's output y for x at t and, in the order of files, its gradients of Σ u·y. */
    private record Outcome(float[] y, Map<String, float[]> gradients) {
        /** Ours, where its parameters are and in their type. */
        static Outcome of(UNet unet, Tensor x, float[] t, Tensor u) {
            try (Tape tape = Tape.start()) {
                Variable time = Variable.constant(input(unet, Shape.of(t.length), t));
                Variable y = unet.predict(Variable.constant(images(unet, x)), time);
                float[] values = y.value().toFloats();
                Gradients of = tape.backward(Sum.sum(Mul.mul(y, Variable.constant(images(unet, u)))));
                Map<String, float[]> gradients = new TreeMap<>();
                unet.parameters().forEach((name, p) -> {
                    tensor.Tensor gradient = of.of(p.variable());
                    if (gradient != null) gradients.put(name, p.toExchange(gradient));
                });
                return new Outcome(values, gradients);
            }
        }

        static Outcome of(Peer peer, Tensor x, float[] t, Tensor u) {
            Tensor y = peer.forward(x, Libtorch.tensor(t, BATCH));
            y.mul(u).sum().backward();
            Map<String, float[]> gradients = new TreeMap<>();
            peer.parameters().forEach((name, p) -> {
                if (p.grad().defined()) gradients.put(name, Libtorch.values(p.grad()));
            });
            return new Outcome(pixels(y), gradients);
        }

        /** How far this is from {@code exact}. */
        Errors from(Outcome exact) {
            assertEquals(exact.gradients.keySet(), gradients.keySet());
            double largest = 0;
            for (float[] g : exact.gradients.values()) largest = Math.max(largest, norm(g));
            double worst = 0;
            double squares = 0;
            double all = 0;
            for (Map.Entry<String, float[]> g : exact.gradients.entrySet()) {
                double length = norm(g.getValue());
                double distance = distance(gradients.get(g.getKey()), g.getValue());
                worst = Math.max(worst, distance / Math.max(length, 1e-2 * largest));
                squares += distance * distance;
                all += length * length;
            }
            return new Errors(distance(y, exact.y) / norm(exact.y), Math.sqrt(squares / all), worst);
        }
    }

    /** Relative errors in the 2-norm: of the output, of all gradients as one vector, of the worst gradient. */
    private record Errors(double forward, double gradients, double worst) {}

    /** The largest difference of the pictures after ten steps of ancestral sampling with the same noise. */
    private static double trace(UNetConfig config, UNet unet, Peer peer) {
        PeerSampling sampling = new PeerSampling(STEPS, AncestralSampler.Variance.FIXED_LARGE);
        Tensor[] noise = PeerSampling.noise(STEPS, BATCH, config);
        Tensor z = sampling.sample(peer, config, noise);
        NoiseSchedule schedule = PeerSampling.SCHEDULE;
        SamplerChoice choice =
                new SamplerChoice(SamplerChoice.Kind.DDPM, STEPS, 0, AncestralSampler.Variance.FIXED_LARGE);
        int[] next = {1};
        GaussianDiffusion diffusion = new GaussianDiffusion(schedule, backend, DType.F32);
        Sampler sampler = choice.sampler(schedule, like -> images(unet, noise[next[0]++]));
        float[] ours = sampler.sample(
                        diffusion.estimator(unet, Target.EPSILON, true), images(unet, noise[0]), Sampler.Observer.NONE)
                .toFloats();
        float[] theirs = pixels(z);
        double worst = 0;
        for (int i = 0; i < ours.length; i++) worst = Math.max(worst, Math.abs(ours[i] - theirs[i]));
        return worst;
    }

    /** [N,C,H,W] there → [N,H,W,C] here, where the parameters of a network are and in their type. */
    private static tensor.Tensor images(UNet unet, Tensor x) {
        Shape shape = Shape.of((int) x.size(0), (int) x.size(2), (int) x.size(3), (int) x.size(1));
        return input(unet, shape, pixels(x));
    }

    private static tensor.Tensor input(UNet unet, Shape shape, float[] values) {
        tensor.Tensor like = unet.parameters().values().iterator().next().value();
        return tensor.Tensor.of(like.backend(), shape, values).cast(like.dtype());
    }

    private static float[] pixels(Tensor x) {
        return Libtorch.values(x.permute(0, 2, 3, 1));
    }

    private static double distance(float[] x, float[] y) {
        assertEquals(y.length, x.length);
        float[] difference = new float[x.length];
        for (int i = 0; i < x.length; i++) difference[i] = x[i] - y[i];
        return norm(difference);
    }

    private static double norm(float[] x) {
        double sum = 0;
        for (float v : x) sum += (double) v * v;
        return Math.sqrt(sum);
    }
}
