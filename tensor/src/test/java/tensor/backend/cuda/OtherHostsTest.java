package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Conv2dParams;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.Precision;
import tensor.backend.Recording;
import tensor.memory.Scope;

/** Hosts and devices on which something is different or goes wrong: the stand-in, told so, in a process of its own. */
class OtherHostsTest {
    private static final String CAPABILITY = "FAKE_CUDA_CAPABILITY";

    @BeforeAll
    static void onlyAStandInCanBeToldWhatItIs() {
        try (Backend there = CudaTest.open(Precision.FP32)) {
            Assumptions.assumeTrue(there.description().contains("stand-in"), "only a stand-in can be told what it is");
        }
    }

    /** What {@link #main} says where these variables are set. */
    private static List<String> said(Map<String, String> environment, String backend, Precision precision)
            throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                OtherHostsTest.class.getName(),
                backend,
                precision.name());
        builder.environment().putAll(environment);
        Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), said);
        return said.lines().toList();
    }

    @Test
    void aDeviceWithoutBfloat16ComputesFloats() throws IOException, InterruptedException {
        List<String> floats = said(Map.of(CAPABILITY, "75"), "cuda", Precision.TF32);
        assertEquals("a product 32.0, bfloat16 false", floats.get(1));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "FAKE_CUDA_NO_DEVICE=1 | FP32 | the NVIDIA driver finds no usable GPU (cuInit: CUDA_ERROR_NO_DEVICE); look at"
                        + " nvidia-smi",
                "FAKE_CUDA_DRIVER=11080 | FP32 | the NVIDIA driver knows CUDA 11.8 and the libraries that were found are of CUDA"
                        + " 12; install a newer driver or CUDA 11",
                CAPABILITY
                        + "=75 | BF16 | the GPU CPU stand-in has compute capability 7.5, the kernels for bf16 need 8.0 or"
                        + " newer; take tf32 or fp32",
                CAPABILITY
                        + "=70 | FP32 | the GPU CPU stand-in has compute capability 7.0, the kernels need 7.5 or newer",
                "FAKE_CUDA_MEMORY=33554432 | FP32 | there is no room on the GPU to begin with: the device CPU stand-in has 24 of"
                        + " 32 MiB free; nvidia-smi tells who else uses it",
            })
    void whyItCannotBeOpenedIsSaid(String variable, Precision precision, String why)
            throws IOException, InterruptedException {
        String[] setting = variable.split("=");
        Map<String, String> environment = Map.of(setting[0], setting[1]);
        assertEquals(List.of("backend cuda cannot be opened: " + why), said(environment, "cuda", precision));
        if (precision == Precision.FP32) {
            String taken = said(environment, "auto", precision).get(0);
            assertTrue(taken.endsWith("; not cuda: " + why), taken);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "fill:1 | cuLaunchKernel: the CUDA driver says CUDA_ERROR_ILLEGAL_ADDRESS",
                "cuStreamSynchronize:1 | cuStreamSynchronize: the CUDA driver says CUDA_ERROR_UNKNOWN",
            })
    void whatGoesWrongOnTheDeviceIsSaid(String fault, String what) throws IOException, InterruptedException {
        List<String> said = said(Map.of("FAKE_CUDA_FAIL", fault), "cuda", Precision.FP32);
        assertEquals(what, said.get(1));
    }

    @Test
    void whatDoesNotFitIsSaid() throws IOException, InterruptedException {
        List<String> said = said(Map.of("FAKE_CUDA_MEMORY", "134217728", "WANTED_MIB", "512"), "cuda", Precision.FP32);
        assertTrue(said.get(1).startsWith("asked for 512 MiB while "), said.get(1));
    }

    /** It needs memory of its own for a graph. */
    @Test
    void aDriverThatHasNoRoomForAGraph() throws IOException, InterruptedException {
        assertEquals(
                "cuGraphInstantiate: the CUDA driver says CUDA_ERROR_OUT_OF_MEMORY",
                said(Map.of("FAKE_CUDA_FAIL", "no room for a graph:1"), "cuda", Precision.FP32)
                        .get(2));
    }

    /** It tries once more with half the workspace; without any room it says what it has asked for. */
    @Test
    void aSearchForAConvolutionOnADeviceWithNoRoomForAGraph(@TempDir Path cache)
            throws IOException, InterruptedException {
        Map<String, String> environment = new HashMap<>(Map.of("XDG_CACHE_HOME", cache.toString(), "CONVOLUTION", "1"));
        environment.put("FAKE_CUDA_FAIL", "no room for a graph:1");
        assertEquals(
                "a convolution 36.0", said(environment, "cuda", Precision.FP32).get(2));
        environment.put("FAKE_CUDA_FAIL", "no room for a graph:1+");
        environment.put("XDG_CACHE_HOME", cache.resolve("other").toString());
        assertEquals(
                "the search for a convolution's algorithm asked for 16 MiB, and cuGraphInstantiate: the CUDA driver says"
                        + " CUDA_ERROR_OUT_OF_MEMORY: use a smaller batch or model",
                said(environment, "cuda", Precision.FP32).get(2));
    }

    /** A search for a launch of our own does without, and notes nothing. */
    @Test
    void aSearchOnADeviceWithNoRoomForAGraph(@TempDir Path cache) throws IOException, InterruptedException {
        Map<String, String> environment =
                Map.of("FAKE_CUDA_FAIL", "no room for a graph:1+", "XDG_CACHE_HOME", cache.toString(), "NORM", "1");
        assertEquals("a norm 0.0", said(environment, "cuda", Precision.FP32).get(2));
        try (Stream<Path> files = Files.walk(cache)) {
            assertEquals(
                    0,
                    files.filter(file -> file.getFileName().toString().startsWith("norms"))
                            .count());
        }
    }

    @Test
    void aHostWithCuda13Only() throws IOException, InterruptedException {
        Path folder = Path.of(System.getenv("LD_LIBRARY_PATH")).resolveSibling("cuda13");
        Map<String, String> environment = Map.of("LD_LIBRARY_PATH", folder.toString());
        LibrarySearch search = LibrarySearch.of(new HashMap<>(environment), null, "/nowhere", Path.of("/"));
        Assumptions.assumeTrue(search.find("libcublas.so.12") == null, "CUDA 12 is on this machine");
        environment = Map.of("LD_LIBRARY_PATH", folder.toString(), "FAKE_CUDA_DRIVER", "13000");
        List<String> said = said(environment, "cuda", Precision.FP32);
        assertTrue(said.get(0).contains("driver 13.0, cuBLAS 13.6.3"), said.get(0));
        assertEquals("a product 32.0, bfloat16 true", said.get(1));
    }

    /** cuDNN opens it by its name, which no folder of the loader's has. */
    @Test
    void theCompilerOfKernelsIsInTheProcessBeforeCudnnAsksForIt(@TempDir Path folder)
            throws IOException, InterruptedException {
        Path any = Path.of(System.getenv("LD_LIBRARY_PATH")).resolve("libcublas.so.12");
        Path compiler = Files.copy(any, folder.resolve("libnvrtc.so.12"));
        List<String> said = said(Map.of(LibrarySearch.VARIABLE, folder.toString()), "cuda", Precision.FP32);
        assertEquals(compiler.toRealPath().toString(), said.get(3));
    }

    /** Opens, says what it is; multiplies; normalises and records; says where NVRTC lies in the process. Or what went wrong. */
    public static void main(String[] args) throws IOException {
        String wanted = System.getenv("WANTED_MIB");
        try {
            Backends.Choice choice = Backends.open(args[0], 0, Precision.valueOf(args[1]));
            Backend backend = choice.backend();
            System.out.println(choice.explanation());
            try (Scope scope = Scope.open("root")) {
                if (wanted != null) Tensor.empty(backend, DType.F32, Shape.of(Integer.parseInt(wanted) << 18));
                Tensor a = Tensor.full(backend, DType.F32, Shape.of(8, 8), 2);
                Tensor y = a.emptyLike();
                backend.matmul(false, false, a, a, null, y);
                System.out.println("a product " + y.toFloats()[63] + ", bfloat16 " + backend.supports(DType.BF16));
                if (System.getenv("CONVOLUTION") != null) System.out.println("a convolution " + convolution(backend));
                if (System.getenv("NORM") != null) System.out.println("a norm " + norm(backend));
                backend.record(r -> {
                            try (Scope body = Scope.open("body")) {
                                y.set_(a.add(a));
                            }
                        })
                        .ifPresent(doubling -> {
                            doubling.replay(Recording.Numbers.NONE);
                            System.out.println("recorded " + y.toFloats()[63]);
                            doubling.close();
                        });
            }
            backend.close();
        } catch (IllegalStateException | OutOfMemoryError e) {
            System.out.println(e.getMessage());
        }
        for (String line : Files.readAllLines(Path.of("/proc/self/maps")))
            if (line.contains("libnvrtc.so")) {
                System.out.println(line.substring(line.indexOf('/')));
                break;
            }
    }

    /** The middle of 3x3 pixels of 4 channels, all 1, under filters of ones. */
    private static float convolution(Backend backend) {
        Tensor x = Tensor.full(backend, DType.F32, Shape.of(1, 3, 3, 4), 1);
        Tensor w = Tensor.full(backend, DType.F32, Shape.of(36, 3, 3, 4), 1);
        Tensor y = x.empty(Shape.of(1, 3, 3, 36));
        backend.conv2d(Conv2dParams.of(1, 1), x, w, null, null, y);
        return y.toFloats()[4 * 36];
    }

    /** The first value of a norm that is so large that its launch is searched for. */
    private static float norm(Backend backend) {
        Tensor x = Tensor.full(backend, DType.F32, Shape.of(1, 1 << 14, 64), 1);
        Tensor y = x.emptyLike();
        Tensor mean = x.empty(Shape.of(1, 8));
        backend.groupNorm(new NormParams(8, 1e-5, false), null, NormInputs.of(x), y, mean, mean.emptyLike());
        return y.toFloats()[0];
    }
}
