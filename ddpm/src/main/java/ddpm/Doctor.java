package ddpm;

import datasets.Dataset;
import datasets.DatasetException;
import datasets.Datasets;
import ddpm.train.Settings;
import ddpm.train.Training;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.BinaryOp;
import tensor.backend.Distribution;
import tensor.backend.cuda.CudaBackend;
import tensor.memory.Scope;

/** Says what is here, what is missing, how fast it is, and what to do next. */
@Command(
        name = "ddpm.Doctor",
        sortOptions = false,
        usageHelpAutoWidth = true,
        description = "Looks at this machine: Java, native library, threads, memory, data, GPU libraries, speed.")
public final class Doctor extends Program {
    public static void main(String[] args) {
        Program.main(new Doctor(), args);
    }

    @Override
    public Integer call() throws IOException {
        List<String> advice = new ArrayList<>();
        line(
                "java",
                Runtime.version() + ", " + System.getProperty("java.vendor") + ", " + System.getProperty("java.home"));
        line(
                "system",
                System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                        + System.getProperty("os.arch") + ", " + processor());
        line(
                "memory",
                String.format(
                        Locale.ROOT,
                        "Java heap up to %d MiB (.mvn/jvm.config), machine %s",
                        Runtime.getRuntime().maxMemory() >> 20,
                        memory()));
        for (String name : Backends.names()) backend(name, advice);
        Dataset fashion = data(advice);
        for (String library : CudaBackend.libraries()) line("gpu", library);
        speed(fashion, advice);
        System.out.println();
        if (advice.isEmpty()) advice.add("all is well: mvn compile exec:java -Dexec.mainClass=ddpm.Train");
        for (String sentence : advice) System.out.println("next      " + sentence);
        return 0;
    }

    private static void line(String topic, String text) {
        System.out.printf(Locale.ROOT, "%-9s %s%n", topic, text);
    }

    private static String processor() throws IOException {
        int count = Runtime.getRuntime().availableProcessors();
        Path info = Path.of("/proc/cpuinfo");
        if (!Files.isReadable(info)) return count + " processors";
        String model = "unknown processor";
        List<String> sets = new ArrayList<>();
        for (String text : Files.readAllLines(info)) {
            if (text.startsWith("model name"))
                model = text.substring(text.indexOf(':') + 1).strip();
            if (text.startsWith("flags") && sets.isEmpty())
                for (String flag : List.of("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile"))
                    if ((text + " ").contains(" " + flag + " ")) sets.add(flag);
        }
        return count + " x " + model + " (" + String.join(" ", sets) + ")";
    }

    private static String memory() throws IOException {
        Path info = Path.of("/proc/meminfo");
        if (!Files.isReadable(info)) return "unknown";
        String total = "?";
        String free = "?";
        for (String text : Files.readAllLines(info)) {
            String number = text.replaceAll("\\D", "");
            if (text.startsWith("MemTotal")) total = Long.toString(Long.parseLong(number) >> 10);
            if (text.startsWith("MemAvailable")) free = Long.toString(Long.parseLong(number) >> 10);
        }
        return total + " MiB, " + free + " MiB available";
    }

    private void backend(String name, List<String> advice) {
        try (Backend opened = Backends.open(name, threads).backend()) {
            line("backend", name + ": " + opened.description());
        } catch (IllegalStateException e) {
            line("backend", name + ": " + e.getMessage());
            if (!name.equals("cuda"))
                advice.add("without the backend " + name + " training is slow: " + e.getMessage());
        }
    }

    /** Says which data is here; Fashion-MNIST, or {@code null} where its files are damaged. */
    private static Dataset data(List<String> advice) {
        Dataset fashion = open("fashion");
        if (fashion == null)
            advice.add(
                    "remove the damaged file of Fashion-MNIST: --download fetches it again, else the test images serve");
        else if (fashion.size() < 60_000)
            advice.add("for all 60,000 training images: apt install dataset-fashion-mnist, or --download");
        for (String name : List.of("mnist", "cifar10")) open(name);
        return fashion;
    }

    private static Dataset open(String name) {
        try {
            Dataset found = Datasets.open(name);
            line("data", found.description());
            return found;
        } catch (DatasetException e) {
            line("data", name + ": " + e.getMessage());
            return null;
        }
    }

    /** About five seconds of products, adds and training steps; these only with data. */
    private void speed(Dataset fashion, List<String> advice) {
        try (Backend on = chooseBackend().backend();
                Scope root = Scope.open("speed")) {
            Rng rng = new Rng(1);
            Tensor a = rng.draw(Distribution.NORMAL, on, DType.F32, Shape.of(512, 512));
            Tensor y = a.emptyLike();
            double product = perSecond(0.7, () -> on.matmul(false, false, a, a, null, y));
            line("speed", String.format(Locale.ROOT, "matmul 512: %.1f GFLOP/s", 2e-9 * 512 * 512 * 512 * product));
            Tensor x = Tensor.full(on, DType.F32, Shape.of(1 << 22), 1);
            double add = perSecond(0.7, () -> on.binary(BinaryOp.ADD, x, x, x));
            line("speed", String.format(Locale.ROOT, "add 16 MiB: %.1f GB/s", add * 2e-9 * 4 * (1 << 22)));
            if (fashion == null) return;
            Settings quick = Settings.of(Map.of(), Map.of());
            try (Training training = new Training(quick, fashion, on)) {
                double steps = perSecond(2.5, () -> training.step(quick.learningRate(Long.MAX_VALUE), true));
                line(
                        "speed",
                        String.format(
                                Locale.ROOT,
                                "training, preset quick: %.0f ms a step, %.0f images/s",
                                1000 / steps,
                                quick.batchSize() * steps));
                if (1000 / steps > 2000)
                    advice.add(
                            "training is slow here: another process may hold the cores, or the backend is reference");
            }
        }
    }

    private static double perSecond(double seconds, Runnable body) {
        body.run();
        long begin = System.nanoTime();
        int runs = 0;
        while (System.nanoTime() - begin < seconds * 1e9) {
            body.run();
            runs++;
        }
        return runs / ((System.nanoTime() - begin) * 1e-9);
    }
}
