package ddpm.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.Gradients;
import autograd.Tape;
import autograd.Variable;
import autograd.ops.Mul;
import autograd.ops.Sum;
import ddpm.unet.AnnotatedConfig.BlockKind;
import ddpm.unet.AnnotatedConfig.Generation;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import nn.Init;
import nn.Parameter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class UNetTest {
    private final Backend backend = new ReferenceBackend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
        assertEquals(0, backend.memory().live());
    }

    private UNet build(UNetConfig config, DType dtype) {
        Rng dropout = new Rng(2);
        return UNet.build(config, Init.pytorch(backend, dtype, new Rng(1)), () -> dropout);
    }

    private Tensor normal(long seed, DType dtype, int... shape) {
        return new Rng(seed).draw(Distribution.NORMAL, backend, dtype, Shape.of(shape));
    }

    /** Sizes of the published networks, counted on their own definitions. */
    @Test
    void parameterCountsAreThePublishedOnes() {
        assertEquals(2_996_315, build(UNetConfig.notebook(28, 28, 1), DType.F32).parameterCount());
        assertEquals(2_998_137, build(UNetConfig.notebook(28, 28, 3), DType.F32).parameterCount());
        assertEquals(2_020_257, build(UNetConfig.blog(28, 28, 1), DType.F32).parameterCount());
        UNet cifar = build(UNetConfig.ddpmCifar10(32, 32, 3), DType.F32);
        assertEquals(35_746_307, cifar.parameterCount());
        assertEquals(328, cifar.parameters().size());
    }

    /** Names, order and shapes are the state_dict of the notebook's class. */
    @Test
    void notebookParametersAreTheNotebooksStateDict() throws IOException {
        List<String> ours = build(UNetConfig.notebook(28, 28, 1), DType.F32).parameters().entrySet().stream()
                .map(p -> p.getKey() + " "
                        + Arrays.stream(p.getValue().exchangeShape().toArray())
                                .mapToObj(Integer::toString)
                                .collect(Collectors.joining(",")))
                .toList();
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(
                UNetTest.class.getResourceAsStream("notebook-state-dict.txt"), StandardCharsets.UTF_8))) {
            assertEquals(
                    reader.lines().sorted().toList(), ours.stream().sorted().toList());
        }
    }

    static Stream<UNetConfig> smallOnes() {
        AnnotatedConfig notebook = UNetConfig.notebook(8, 12, 1);
        AnnotatedConfig blog = UNetConfig.blog(12, 8, 3);
        return Stream.of(
                small(notebook, List.of(1, 2, 4), BlockKind.CONVNEXT, 4, false),
                small(notebook, List.of(1, 3), BlockKind.RESNET, 2, true),
                small(Generation.BLOG_2022, notebook, BlockKind.CONVNEXT),
                small(Generation.BLOG_2022, notebook, BlockKind.RESNET),
                small(Generation.BLOG_2023, blog, BlockKind.RESNET),
                small(blog, List.of(1, 2, 2), BlockKind.RESNET, 4, false),
                small(blog, List.of(1, 2), BlockKind.CONVNEXT, 4, false),
                ddpm(false),
                LucidrainsConfig.of(6, 8, 2, 8, List.of(1, 2), 0, false));
    }

    private static UNet2DConfig ddpm(boolean zeroInit) {
        return UNet2DConfig.ddpm(8, 16, 2, List.of(8, 16), 1, List.of(1), 4, zeroInit ? 0.1 : 0, zeroInit);
    }

    private static AnnotatedConfig small(Generation generation, AnnotatedConfig c, BlockKind block) {
        return generation.network(c.height(), c.width(), c.channels(), 8, 8, List.of(1, 2), block, 4, 2);
    }

    private static AnnotatedConfig small(
            AnnotatedConfig c, List<Integer> mults, BlockKind block, int groups, boolean scaleShift) {
        return new AnnotatedConfig(
                c.topology(),
                c.height(),
                c.width(),
                c.channels(),
                c.topology() == AnnotatedConfig.Topology.NOTEBOOK ? 4 : 8,
                8,
                mults,
                block,
                groups,
                2,
                c.norm(),
                scaleShift || c.scaleShift(),
                c.filters(),
                false,
                0);
    }

    @ParameterizedTest
    @MethodSource("smallOnes")
    void predictsNoiseInTheShapeOfTheImagesAndLooksAtTheTimestep(UNetConfig config) {
        UNet unet = build(config, DType.F32);
        Tensor x = normal(3, DType.F32, 2, config.height(), config.width(), config.channels());
        float[] early = predict(unet, x, 3, 3);
        assertEquals(x.shape().size(), early.length);
        float[] late = predict(unet, x, 3, 150);
        int half = early.length / 2;
        assertArrayEquals(Arrays.copyOf(early, half), Arrays.copyOf(late, half), "image 0 does not see t of image 1");
        assertTrue(distance(early, late) > 1e-4, "t must matter");
    }

    private float[] predict(UNet unet, Tensor x, float... t) {
        Tensor time = Tensor.of(backend, Shape.of(t.length), t);
        return unet.predict(Variable.constant(x), Variable.constant(time))
                .value()
                .toFloats();
    }

    private static double distance(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return Math.sqrt(sum / a.length);
    }

    /** The whole network at once: dL along a random direction in all weights, by tape and by central differences. */
    @ParameterizedTest
    @MethodSource("smallOnes")
    void gradientOfTheWholeNetworkIsTheDifferenceQuotient(UNetConfig config) {
        UNet unet = build(config, DType.F64);
        Tensor x = normal(3, DType.F64, 2, config.height(), config.width(), config.channels());
        Tensor u = normal(4, DType.F64, 2, config.height(), config.width(), config.channels());
        Map<String, Parameter> parameters = unet.parameters();
        double byTape = 0;
        double[][] directions = new double[parameters.size()][];
        try (Tape tape = Tape.start()) {
            Variable loss = loss(unet, x, u);
            Gradients gradients = tape.backward(loss);
            int i = 0;
            for (Map.Entry<String, Parameter> p : parameters.entrySet()) {
                Tensor gradient = gradients.of(p.getValue().variable());
                assertTrue(gradient != null, () -> p.getKey() + " has no gradient");
                Tensor v =
                        normal(100 + i, DType.F64, p.getValue().value().shape().toArray());
                directions[i++] = v.toDoubles();
                byTape += v.mul(gradient).sum().item();
            }
        }
        double h = 2e-6;
        double up = shifted(unet, directions, h, x, u);
        double down = shifted(unet, directions, -h, x, u);
        double byDifferences = (up - down) / (2 * h);
        assertEquals(byDifferences, byTape, 1e-6 * (1 + Math.abs(byDifferences)));
    }

    private static Variable loss(UNet unet, Tensor x, Tensor u) {
        Tensor t = Tensor.of(x.backend(), x.dtype(), Shape.of(2), 5, 140);
        Variable y = unet.predict(Variable.constant(x), Variable.constant(t));
        return Sum.sum(Mul.mul(y, Variable.constant(u)));
    }

    private double shifted(UNet unet, double[][] directions, double h, Tensor x, Tensor u) {
        move(unet, directions, h);
        try (Scope inner = Scope.open("shifted")) {
            return loss(unet, x, u).item();
        } finally {
            move(unet, directions, -h);
        }
    }

    private void move(UNet unet, double[][] directions, double h) {
        int i = 0;
        try (Scope inner = Scope.open("move")) {
            for (Parameter p : unet.parameters().values()) {
                Tensor v = Tensor.of(backend, DType.F64, p.value().shape(), directions[i++]);
                p.value().add_(v.mul(h));
            }
        }
    }

    /** Labels, a given image and variances, in every topology. */
    @ParameterizedTest
    @MethodSource("smallOnes")
    void portsAddInputsOutputsAndLabels(UNetConfig config) {
        Rng dropout = new Rng(9);
        UNet unet =
                UNet.build(config, new Ports(3, 2, true), Init.pytorch(backend, DType.F32, new Rng(1)), () -> dropout);
        Tensor embedding = unet.parameters().get("class_embedding.weight").value();
        assertArrayEquals(new int[] {4, 32}, embedding.shape().toArray());
        Tensor x = normal(3, DType.F32, 2, config.height(), config.width(), config.channels() + 2);
        Variable t = Variable.constant(Tensor.of(backend, Shape.of(2), 5, 5));
        float[] none = unet.predict(Variable.constant(x), t).value().toFloats();
        assertEquals(2 * 2 * config.height() * config.width() * config.channels(), none.length);
        assertArrayEquals(none, labelled(unet, x, t, 0, 2), "before training labels say nothing");
        embedding.set_(normal(6, DType.F32, 4, 32));
        float[] told = labelled(unet, x, t, 0, 3);
        float[] other = labelled(unet, x, t, 1, 3);
        int half = told.length / 2;
        assertArrayEquals(
                Arrays.copyOfRange(told, half, 2 * half),
                Arrays.copyOfRange(other, half, 2 * half),
                "image 1 does not see the label of image 0");
        assertTrue(distance(told, other) > 1e-4, "the label must matter");
        float[] unlabelled = unet.predict(Variable.constant(x), t).value().toFloats();
        assertArrayEquals(
                Arrays.copyOfRange(unlabelled, half, 2 * half),
                Arrays.copyOfRange(told, half, 2 * half),
                "label 3 of 3 means none");
    }

    private float[] labelled(UNet unet, Tensor x, Variable t, float... labels) {
        return unet.told(Tensor.of(backend, Shape.of(labels.length), labels))
                .predict(Variable.constant(x), t)
                .value()
                .toFloats();
    }

    @Test
    void zeroInitialisedNetworkPredictsTheBiasOfItsLastConvolution() {
        float[] y = predict(build(ddpm(true), DType.F32), normal(3, DType.F32, 1, 8, 16, 2), 7);
        assertArrayEquals(new float[y.length], y);
    }

    @ParameterizedTest
    @CsvSource({"27, 28, height 27", "28, 30, width 30", "2, 28, height 2"})
    void sizesThatCannotBeHalvedAreRefusedWithTheNearestThatCan(int height, int width, String named) {
        IllegalArgumentException e =
                assertThrows(IllegalArgumentException.class, () -> UNetConfig.notebook(height, width, 1));
        assertTrue(e.getMessage().contains(named), e.getMessage());
        assertTrue(e.getMessage().contains("divisible by 4: use "), e.getMessage());
    }

    @Test
    void wrongImagesAreRefusedBeforeTheFirstLayer() {
        UNet unet = build(small(UNetConfig.blog(8, 8, 1), List.of(1, 2), BlockKind.RESNET, 4, true), DType.F32);
        assertThrows(IllegalArgumentException.class, () -> predict(unet, normal(1, DType.F32, 1, 8, 12, 1), 0));
        assertThrows(IllegalArgumentException.class, () -> predict(unet, normal(1, DType.F32, 2, 8, 8, 1), 0));
    }
}
