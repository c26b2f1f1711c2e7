package bench.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bench.libtorch.Libtorch;
import ddpm.diffusion.AncestralSampler.Variance;
import ddpm.exchange.ForeignModel;
import ddpm.exchange.NetworkDocument;
import ddpm.io.Json;
import ddpm.io.SafetensorsFile;
import ddpm.io.SafetensorsWriter;
import ddpm.unet.AnnotatedConfig;
import ddpm.unet.AnnotatedConfig.BlockKind;
import ddpm.unet.AnnotatedConfig.Generation;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The golden files of the annotated networks, against which the module ddpm is tested where libtorch is not at hand. This
 * test computes what is in them anew; with {@code -Dinterop.goldens=FOLDER} it writes them.
 */
class GoldenFilesTest {
    private static final int STEPS = 10;
    private static final int BATCH = 2;
    private static final Path COMMITTED = Path.of("../ddpm/src/test/resources/ddpm/exchange");

    @BeforeAll
    static void open() {
        Libtorch.open(1);
    }

    /** One network and the name of its file. */
    record Case(String name, AnnotatedConfig config) {
        @Override
        public String toString() {
            return name;
        }
    }

    static List<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (Generation g : Generation.values())
            for (BlockKind block : BlockKind.values()) {
                boolean blog = g == Generation.BLOG || g == Generation.BLOG_2023;
                if (blog && block == BlockKind.CONVNEXT) continue;
                String name = ("annotated-" + g + "-" + block)
                        .toLowerCase(Locale.ROOT)
                        .replace('_', '-');
                // Misprinted filters are weak, and rounding shows in the gradients of the narrowest networks.
                cases.add(
                        g == Generation.BLOG_2023
                                ? new Case(name, g.network(9, 7, 1, 8, 8, List.of(1), block, 2, 2))
                                : new Case(name, g.network(10, 6, 1, blog ? 4 : 3, 4, List.of(1, 2), block, 2, 2)));
            }
        return cases;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void libtorchComputesWhatIsInTheFile(Case c) throws IOException {
        String folder = System.getProperty("interop.goldens", "");
        torch.manual_seed(5);
        Peer peer = new PeerAnnotated(c.config);
        Path file = (folder.isEmpty() ? COMMITTED : Path.of(folder)).resolve(c.name + ".safetensors");
        if (!folder.isEmpty()) write(c, peer, file);
        SafetensorsFile golden = SafetensorsFile.read(file);
        for (Map.Entry<String, Tensor> p : peer.parameters().entrySet())
            p.getValue().set_data(Libtorch.tensor(golden.floats("weight/" + p.getKey()), Peer.sizes(p.getValue())));
        Tensor y = peer.forward(read(golden, "x"), read(golden, "t"));
        assertEquals(0, largest(y.sub(read(golden, "y"))), 1e-5);
        Tensor[] noise = new Tensor[STEPS + 1];
        Tensor all = read(golden, "noise");
        for (int i = 0; i < noise.length; i++)
            noise[i] = torch.select(all, 0, i).contiguous();
        Tensor trace = new PeerSampling(STEPS, Variance.FIXED_SMALL).sample(peer, c.config, noise);
        assertEquals(0, largest(trace.sub(read(golden, "trace"))), 1e-4);
        assertTrue(Files.size(file) <= 200_000, file + " is too large");
    }

    private static void write(Case c, Peer peer, Path file) throws IOException {
        Tensor x = torch.randn(BATCH, c.config.channels(), c.config.height(), c.config.width());
        Tensor t = Libtorch.tensor(new float[] {3, 97}, BATCH);
        Tensor y = peer.forward(x, t);
        Tensor u = torch.randn(Peer.sizes(y));
        y.mul(u).sum().backward();
        Tensor[] noise = PeerSampling.noise(STEPS, BATCH, c.config);
        SafetensorsWriter writer = new SafetensorsWriter();
        add(writer, "x", x);
        add(writer, "t", t);
        add(writer, "y", y);
        add(writer, "u", u);
        add(writer, "noise", torch.stack(new org.bytedeco.pytorch.TensorVector(noise), 0));
        add(writer, "trace", new PeerSampling(STEPS, Variance.FIXED_SMALL).sample(peer, c.config, noise));
        peer.parameters().forEach((name, p) -> {
            add(writer, "weight/" + name, p);
            add(writer, "grad/" + name, picked(p.grad()));
        });
        Map<String, Object> config = NetworkDocument.write(c.config);
        config.put("_diffusion", Map.of("timesteps", 100L, "beta_schedule", "linear", "clip_x0", true));
        writer.metadata(ForeignModel.CONFIG, Json.compact(config));
        Files.deleteIfExists(file);
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            writer.write(bytes -> {
                while (bytes.hasRemaining()) out.write(bytes);
            });
        }
    }

    /** Every ⌊n/64⌋-th value, 64 at most. */
    private static Tensor picked(Tensor gradient) {
        float[] all = Libtorch.values(gradient);
        int step = Math.max(1, all.length / 64);
        float[] some = new float[Math.min(64, (all.length + step - 1) / step)];
        for (int i = 0; i < some.length; i++) some[i] = all[i * step];
        return Libtorch.tensor(some, some.length);
    }

    private static void add(SafetensorsWriter writer, String name, Tensor x) {
        int[] shape = new int[(int) x.dim()];
        for (int i = 0; i < shape.length; i++) shape[i] = (int) x.size(i);
        float[] values = Libtorch.values(x);
        writer.add(name, shape, () -> values);
    }

    private static Tensor read(SafetensorsFile file, String name) throws IOException {
        int[] shape = file.shape(name);
        long[] sizes = new long[shape.length];
        for (int i = 0; i < sizes.length; i++) sizes[i] = shape[i];
        return Libtorch.tensor(file.floats(name), sizes);
    }

    private static double largest(Tensor x) {
        double worst = 0;
        for (float v : Libtorch.values(x)) worst = Math.max(worst, Math.abs(v));
        return worst;
    }
}
