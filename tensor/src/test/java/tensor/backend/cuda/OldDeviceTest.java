package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.backend.Backend;
import tensor.backend.Precision;

/** A GPU that has no instructions for bfloat16: the stand-in, told to be one, in a process of its own. */
class OldDeviceTest {
    @Test
    void bfloat16IsRefusedInWordsAndFloatsAreNot() throws IOException, InterruptedException {
        try (Backend there = CudaBackend.open(Precision.FP32)) {
            Assumptions.assumeTrue(there.description().contains("stand-in"), "only a stand-in can be told its age");
        } catch (IllegalStateException e) {
            Assumptions.abort(e.getMessage());
        }
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                OldDeviceTest.class.getName());
        builder.environment().put("FAKE_CUDA_CAPABILITY", "75");
        Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), said);
        String name = said.lines().findFirst().orElse("");
        assertEquals(
                name + "\nfloats true, bfloat16 false\nthe GPU " + name
                        + " has compute capability 7.5, the kernels for bf16 need 8.0 or newer; take tf32 or fp32\n",
                said);
    }

    public static void main(String[] args) {
        try (Backend backend = CudaBackend.open(Precision.TF32)) {
            System.out.println(backend.description().split(", driver")[0]);
            System.out.println("floats " + backend.supports(DType.F32) + ", bfloat16 " + backend.supports(DType.BF16));
        }
        try (Backend backend = CudaBackend.open(Precision.BF16)) {
            System.out.println("opened " + backend.description());
        } catch (IllegalStateException e) {
            System.out.println(e.getMessage());
        }
    }
}
