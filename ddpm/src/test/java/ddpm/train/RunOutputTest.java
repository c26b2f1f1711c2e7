package ddpm.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import datasets.Dataset;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.memory.Scope;

class RunOutputTest {
    @TempDir
    Path folder;

    /** What is enlarged in the grids is of the class that the network is told: 0, 1, 2, 0, and once more round the data. */
    @Test
    void smallPicturesAreOfTheClassThatIsTold() throws IOException {
        int[] labels = {2, 2, 1, 0, 0, 1};
        Dataset images = Dataset.of("six", 8, 8, 1, new byte[6 * 64], labels);
        List<Integer> read = new ArrayList<>();
        Thread here = Thread.currentThread(); // the loader reads on its own
        Dataset data = (Dataset) Proxy.newProxyInstance(
                Dataset.class.getClassLoader(), new Class<?>[] {Dataset.class}, (self, method, arguments) -> {
                    if (method.getName().equals("read") && Thread.currentThread() == here) read.add((int) arguments[0]);
                    return method.getName().equals("values") ? images.values() : method.invoke(images, arguments);
                });
        Settings settings = TrainingTest.settings("samples", "5", "labels", "true", "low-resolution", "4");
        try (Backend backend = Backends.open("auto").backend();
                Scope root = Scope.open("test");
                Training training = new Training(settings, data, backend);
                RunFolder run = RunFolder.create(folder, "run", "six")) {
            new RunOutput(run, training, data, Map.of(), Interrupts.none(), true).close();
        }
        assertEquals(List.of(3, 5, 0, 3, 5), read.subList(0, 5));
    }
}
