package bench.interop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
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
import nn.Parameter;
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
 * Every family built a second time from libtorch's layers: the same weights give the same output, the same gradient of
 * every parameter and the same pictures, and they travel both ways bit for bit. With {@code -Dinterop.table=FILE} the
 * measured errors are written as a table.
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
            double[] errors = compare(c.config(), unet, peer, t);
            double trace = fourier ? Double.NaN : trace(c.config(), unet, peer);
            ROWS.add(String.format(
                    Locale.ROOT,
                    "| %s | %s | %,d | %.1e | %.1e | %s |",
                    c.family(),
                    c.name(),
                    peer.count(),
                    errors[0],
                    errors[1],
                    fourier ? "no steps" : String.format(Locale.ROOT, "%.1e", trace)));
            assertTrue(errors[0] <= 1e-5, () -> "forward error " + errors[0]);
            assertTrue(errors[1] <= 1e-5, () -> "worst gradient error " + errors[1]);
            if (!fourier) assertEquals(0, trace, 1e-4);
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

    /** Errors of the output and of the worst gradient, relative in the 2-norm. */
    private static double[] compare(UNetConfig config, UNet unet, Peer peer, float[] t) {
        Tensor x = torch.randn(BATCH, config.channels(), config.height(), config.width());
        Tensor y = peer.forward(x, Libtorch.tensor(t, BATCH));
        Tensor u = torch.randn(Peer.sizes(y));
        y.mul(u).sum().backward();
        try (Tape tape = Tape.start()) {
            Variable ours = unet.predict(Variable.constant(images(x)), Variable.constant(vector(t)));
            double forward = error(ours.value().toFloats(), images(y).toFloats(), 0);
            Gradients gradients = tape.backward(Sum.sum(Mul.mul(ours, Variable.constant(images(u)))));
            double largest = 0;
            for (Tensor p : peer.parameters().values())
                if (p.grad().defined()) largest = Math.max(largest, norm(Libtorch.values(p.grad())));
            double worst = 0;
            for (Map.Entry<String, Parameter> p : unet.parameters().entrySet()) {
                tensor.Tensor gradient = gradients.of(p.getValue().variable());
                Tensor theirs = peer.parameters().get(p.getKey()).grad();
                if (!theirs.defined()) {
                    assertNull(gradient, p.getKey());
                    continue;
                }
                double error = error(p.getValue().toExchange(gradient), Libtorch.values(theirs), 1e-2 * largest);
                worst = Math.max(worst, error);
            }
            return new double[] {forward, worst};
        }
    }

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
        Sampler sampler = choice.sampler(schedule, like -> images(noise[next[0]++]));
        float[] ours = sampler.sample(
                        diffusion.estimator(unet, Target.EPSILON, true), images(noise[0]), Sampler.Observer.NONE)
                .toFloats();
        float[] theirs = images(z).toFloats();
        double worst = 0;
        for (int i = 0; i < ours.length; i++) worst = Math.max(worst, Math.abs(ours[i] - theirs[i]));
        return worst;
    }

    /** [N,C,H,W] there → [N,H,W,C] here. */
    private static tensor.Tensor images(Tensor x) {
        float[] values = Libtorch.values(x.permute(0, 2, 3, 1));
        return tensor.Tensor.of(
                backend, Shape.of((int) x.size(0), (int) x.size(2), (int) x.size(3), (int) x.size(1)), values);
    }

    private static tensor.Tensor vector(float[] t) {
        return tensor.Tensor.of(backend, Shape.of(t.length), t);
    }

    private static double error(float[] ours, float[] theirs, double floor) {
        assertEquals(theirs.length, ours.length);
        float[] difference = new float[ours.length];
        for (int i = 0; i < ours.length; i++) difference[i] = ours[i] - theirs[i];
        return norm(difference) / Math.max(norm(theirs), floor);
    }

    private static double norm(float[] x) {
        double sum = 0;
        for (float v : x) sum += (double) v * v;
        return Math.sqrt(sum);
    }
}
