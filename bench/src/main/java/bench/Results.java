package bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/**
 * <b>Question.</b> What do the pages of {@code bench/results} say today?
 *
 * <p><b>Method.</b> Each page by the program that makes it: {@link StepTimes}, {@link StepParts} in fp32 and in bf16, {@link
 * Scaling}, {@link Kernels}.
 *
 * <p><b>How to run.</b> {@code bench/run.sh Results}, or some of its parts: {@code bench/run.sh Results steps kernels}. On a quiet
 * machine; all of it takes more than an hour. A run that is cut leaves the pages as far as they went, and the next one at
 * the same commit does not measure again what it finds.
 *
 * <p><b>Reading.</b> The last lines say of each part how long it took and whether all of it could be measured.
 */
@Command(name = "bench.Results", usageHelpAutoWidth = true, description = "Makes the pages of bench/results anew.")
public final class Results implements Callable<Integer> {
    private static final Path FOLDER = Path.of("bench", "results");

    @Parameters(
            arity = "0..*",
            description = "steps, parts, parts-bf16, scaling, kernels (default: all of them, in this order)")
    private List<String> names = new ArrayList<>();

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT);
        System.exit(new CommandLine(new Results()).execute(args));
    }

    @Override
    public Integer call() {
        if (!Files.isDirectory(FOLDER)) {
            System.err.println(
                    "error: the pages lie in " + FOLDER + ", which is not here; run it from the project's folder");
            return 2;
        }
        Map<String, Runnable> parts = new LinkedHashMap<>();
        List<String> report = new ArrayList<>();
        part(parts, report, "steps", new StepTimes(), "--out", file("steps.md"));
        for (String precision : new String[] {"fp32", "bf16"})
            part(
                    parts,
                    report,
                    precision.equals("fp32") ? "parts" : "parts-bf16",
                    new StepParts(),
                    "annotated-resnet",
                    "--batch",
                    "128",
                    "--precision",
                    precision,
                    "--out",
                    file(precision.equals("fp32") ? "step-parts" : "step-parts-bf16"));
        part(parts, report, "scaling", new Scaling(), "--out", file("scaling.md"));
        part(parts, report, "kernels", new Kernels(), "--out", file("kernels.md"));
        for (String name : names)
            if (!parts.containsKey(name)) {
                System.err.println("error: no part is called \"" + name + "\"; there are " + parts.keySet());
                return 2;
            }
        parts.forEach((name, part) -> {
            if (names.isEmpty() || names.contains(name)) part.run();
        });
        report.forEach(System.out::println);
        return report.stream().allMatch(line -> line.endsWith("complete")) ? 0 : 1;
    }

    private static String file(String name) {
        return FOLDER.resolve(name).toString();
    }

    private static void part(
            Map<String, Runnable> parts, List<String> report, String name, Object program, String... arguments) {
        parts.put(name, () -> {
            long begin = System.nanoTime();
            int code = new CommandLine(program)
                    .setCaseInsensitiveEnumValuesAllowed(true)
                    .execute(arguments);
            report.add(String.format(
                    "%s: %.0f s, %s", name, 1e-9 * (System.nanoTime() - begin), code == 0 ? "complete" : "with gaps"));
        });
    }
}
