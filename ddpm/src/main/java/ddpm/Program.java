package ddpm;

import datasets.Dataset;
import datasets.DatasetException;
import datasets.Datasets;
import ddpm.io.CheckpointException;
import ddpm.io.FileTrouble;
import ddpm.io.JsonException;
import ddpm.train.Checkpoint;
import ddpm.train.Interrupts;
import ddpm.train.NonFiniteException;
import ddpm.train.RunFolder;
import ddpm.train.Settings;
import ddpm.unet.UNet;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import nn.Init;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;
import tensor.DType;
import tensor.Rng;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.cuda.CudaBackend;

/**
 * What the command-line programs have in common: every failure is one sentence on standard error and an exit code
 * ({@link Failure}); the stack trace is for {@code -v}.
 */
abstract class Program implements Callable<Integer> {
    /** What is said of a run where it cannot be used because it needs small pictures. */
    static final String ENLARGES = "this run has a --low-resolution: it enlarges pictures that another run has drawn"
            + " (ddpm.Sample OTHER --then THIS) and does nothing else";

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = "auto",
            description = "who computes: auto, cuda, cpu, reference (default: ${DEFAULT-VALUE})")
    String backend;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "threads that compute; 0: the cores that are free (default: ${DEFAULT-VALUE})")
    int threads;

    @Option(
            names = "--precision",
            paramLabel = "NAME",
            converter = PrecisionName.class,
            description = "how exactly: fp32, tf32, bf16 (default: tf32 on backend cuda, else fp32)")
    Precision precision;

    @Option(
            names = "--no-graph",
            description =
                    "give the GPU every call by itself, not whole steps as it has recorded them; the same numbers, slower")
    boolean noGraph;

    /** The names of the precisions, as they are written. */
    static final class PrecisionName implements ITypeConverter<Precision> {
        @Override
        public Precision convert(String name) {
            return Precision.named(name)
                    .orElseThrow(() -> new TypeConversionException("precision is fp32, tf32 or bf16, not " + name));
        }
    }

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "print this help")
    boolean help;

    @Option(
            names = {"-q", "--quiet"},
            description = "print results and errors only")
    boolean quiet;

    @Option(
            names = {"-v", "--verbose"},
            description = "print the stack trace of a failure")
    boolean verbose;

    @Spec
    CommandSpec spec;

    /** Runs a program and, unless it succeeded, ends the process with its exit code. */
    static void main(Program program, String[] args) {
        int code = run(program, args, System.err);
        if (code != 0) System.exit(code);
    }

    /** Runs a program; its exit code. */
    static int run(Program program, String[] args, PrintStream err) {
        CommandLine line = new CommandLine(program);
        program.addOptions();
        line.setParameterExceptionHandler((e, a) -> {
            err.println("error: " + e.getMessage().split("\\R", 2)[0]);
            CommandLine.UnmatchedArgumentException.printSuggestions(e, new PrintWriter(err, true));
            err.println("Try --help.");
            return Failure.USAGE;
        });
        line.setExecutionExceptionHandler((e, l, result) -> report(program, e, err));
        try {
            return line.execute(args);
        } catch (OutOfMemoryError e) {
            return report(program, e, err);
        }
    }

    /** Options that are known only when the program starts. */
    void addOptions() {}

    /** Refuses options that are given where they would change nothing. */
    final void refuse(boolean idle, String owner, String... options) {
        for (String option : options)
            if (idle && spec.commandLine().getParseResult().hasMatchedOption(option))
                throw new Failure(Failure.USAGE, option + " belongs to " + owner);
    }

    private static int report(Program program, Throwable e, PrintStream err) {
        Failure failure = explain(program, e);
        err.println("error: " + failure.getMessage());
        if (program.verbose) e.printStackTrace(err);
        return failure.exitCode();
    }

    /** The sentence and exit code for an exception. */
    private static Failure explain(Program program, Throwable e) {
        if (e instanceof Failure failure) return failure;
        if (e instanceof Interrupts.Stop) return new Failure(Interrupts.EXIT_CODE, "stopped", e);
        if (e instanceof DatasetException) return new Failure(Failure.DATA, e.getMessage(), e);
        if (e instanceof CheckpointException || e instanceof JsonException)
            return new Failure(Failure.IO, e.getMessage(), e);
        if (e instanceof NonFiniteException) return new Failure(Failure.NUMERIC, e.getMessage(), e);
        if (e instanceof OutOfMemoryError)
            return new Failure(
                    Failure.MEMORY, "not enough memory (" + e.getMessage() + ")" + program.relief(e.getMessage()), e);
        if (e instanceof UncheckedIOException wrapped) return explain(program, wrapped.getCause());
        if (e instanceof IOException trouble) return new Failure(Failure.IO, FileTrouble.sentence(trouble), e);
        if (e instanceof IllegalArgumentException) return new Failure(Failure.USAGE, e.getMessage(), e);
        return new Failure(1, "this is a defect of the program, please report it with the trace of -v: " + e, e);
    }

    /** What may help where memory ran out: ": try …". */
    private String relief(String message) {
        List<String> advice = new ArrayList<>();
        Map<String, ?> options = spec.optionsMap();
        boolean goesOn = spec.commandLine().getParseResult().hasMatchedOption("--resume"); // with the batch that it has
        if (options.containsKey("--batch-size"))
            advice.add((goesOn ? "a new run by --init with " : "") + "half the --batch-size");
        if (options.containsKey("--samples")) advice.add("fewer --samples");
        if (options.containsKey("-n")) advice.add("a smaller -n");
        if (String.valueOf(message).matches("(Java heap|GC overhead).*"))
            advice.add("a larger -Xmx in .mvn/jvm.config");
        return advice.isEmpty() ? "" : ": try " + String.join(", or ", advice);
    }

    /** Opens the backend that was asked for and says which it is. */
    final Backend openBackend() {
        Backends.Choice choice = chooseBackend();
        say(choice.explanation());
        return choice.backend();
    }

    /** Opens it without a word. */
    final Backends.Choice chooseBackend() {
        if (noGraph) System.setProperty(CudaBackend.GRAPH, "false");
        try {
            return Backends.open(backend, threads, precision);
        } catch (IllegalStateException e) {
            throw new Failure(Failure.BACKEND, e.getMessage(), e);
        }
    }

    /** Refuses what cannot be a class; {@code null} is none asked for. */
    static void checkLabel(Integer label) {
        if (label != null && label < 0)
            throw new Failure(Failure.USAGE, "--label needs a class, 0 or above, not " + label);
    }

    /** Refuses a file whose name promises something else than will be written; {@code null} is none asked for. */
    static void checkEnding(String option, Path file, String ending) {
        String name = file == null ? "" : String.valueOf(file.getFileName());
        int dot = name.lastIndexOf('.');
        if (dot >= 0 && !name.substring(dot).equalsIgnoreCase(ending))
            throw new Failure(Failure.USAGE, option + " needs a name that ends in " + ending + ", not " + name);
    }

    /** A trained network with its weights, built as its run's settings say; says which weights. */
    final UNet load(Checkpoint.Model found, Settings settings, Backend backend) throws IOException {
        Rng unused = new Rng(0);
        int[] image = RunFolder.imageOf(found.weights(), found.config());
        UNet unet = UNet.build(
                settings.network(image[0], image[1], image[2]),
                settings.ports(image[2], RunFolder.classesOf(found.weights(), found.config())),
                Init.pytorch(backend, DType.F32, unused).with(Init.Rule.ZERO),
                () -> unused);
        Checkpoint.load(found.weights(), unet.parameters());
        say("weights   " + found.weights());
        return unet;
    }

    /**
     * The images of a model: those that it was trained on, where it says on which, and of the size that it draws.
     *
     * @param path as the model was given
     */
    final Dataset openData(Path path, Checkpoint.Model found, Settings settings, boolean download) {
        Dataset data = Datasets.open(settings.data(), settings.imageSize(), download, this::say);
        RunFolder.requireSame(path, found.config(), data);
        return data;
    }

    /** Prints a line unless quiet. */
    final void say(String line) {
        if (!quiet) System.out.println(line);
    }
}
