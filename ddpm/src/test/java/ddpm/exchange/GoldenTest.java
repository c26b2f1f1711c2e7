package ddpm.exchange;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ddpm.unet.UNet;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tensor.backend.Backend;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/** Networks of the Python world, loaded here, compute what they computed there. */
class GoldenTest {
    @TempDir
    Path folder;

    static List<Path> files() throws IOException, URISyntaxException {
        Path resources = Path.of(GoldenTest.class
                        .getResource("diffusers-ddpm.safetensors")
                        .toURI())
                .getParent();
        try (Stream<Path> all = Files.list(resources)) {
            return all.filter(f -> f.toString().endsWith(".safetensors"))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void thereAreSeveralOfThemAndNoneIsLarge() throws IOException, URISyntaxException {
        assertTrue(files().size() >= 5, files()::toString);
        for (Path file : files()) assertTrue(Files.size(file) <= 200_000, () -> file + " is too large");
    }

    @ParameterizedTest
    @MethodSource("files")
    void outputGradientsAndSamplesAreThoseOfPyTorch(Path file) throws IOException {
        try (Backend backend = new ReferenceBackend();
                Scope scope = Scope.open("golden")) {
            Golden golden = Golden.open(file, folder);
            UNet unet = golden.build(backend);
            double forward = golden.forwardError(unet, backend);
            double gradient = golden.worstGradientError(unet, backend);
            assertTrue(forward <= 1e-5, () -> "forward error " + forward);
            assertTrue(gradient <= 1e-5, () -> "worst gradient error " + gradient);
            assertEquals(0, golden.hasTrace() ? golden.traceError(unet, backend) : 0, 1e-4);
        }
    }
}
