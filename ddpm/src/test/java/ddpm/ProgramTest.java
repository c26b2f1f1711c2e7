package ddpm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ddpm.io.CheckpointDirectory;
import ddpm.io.Json;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** The programs as a person meets them: what they leave behind, and what they say when something is wrong. */
class ProgramTest {
    private static final String TINY = "--dim 8 --dim-mults 1,2 --batch-size 4 --timesteps 6 --steps 4 --samples 4 -q";

    @TempDir
    Path folder;

    @BeforeEach
    void files() throws IOException {
        Files.writeString(folder.resolve("broken.json"), "{\"lr\": }");
        Files.writeString(folder.resolve("unknown.json"), "{\"learning-rate\": 1}");
        Files.writeString(folder.resolve("array.json"), "[1]");
        Files.writeString(folder.resolve("unet.json"), """
                {"_class_name": "UNet2DModel", "sample_size": 28, "in_channels": 1, "out_channels": 1,
                 "block_out_channels": [8, 8], "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
                 "up_block_types": ["AttnUpBlock2D", "UpBlock2D"], "layers_per_block": 1, "norm_num_groups": 4}""");
        Files.writeString(folder.resolve("notes.txt"), "no data");
        Files.createDirectories(folder.resolve("empty"));
        Files.createDirectories(folder.resolve("pictures"));
        Files.write(folder.resolve("pictures/a.png"), new byte[] {1, 2, 3});
        digits(folder);
        Files.createDirectories(folder.resolve("unlabelled"));
        javax.imageio.ImageIO.write(
                new java.awt.image.BufferedImage(8, 8, java.awt.image.BufferedImage.TYPE_BYTE_GRAY),
                "png",
                folder.resolve("unlabelled/a.png").toFile());
        Files.createDirectories(folder.resolve("idx"));
        Files.write(folder.resolve("idx/train-images-idx3-ubyte"), new byte[] {0, 0, 8, 3, 0, 0, 0, 9});
        Files.write(folder.resolve("w.safetensors"), new byte[] {9, 0, 0});
        Files.writeString(folder.resolve("config.json"), "{\"preset\": \"quick\"}");
    }

    /** Twelve labelled images of 8x8, of three classes, as IDX files. */
    static void digits(Path folder) throws IOException {
        Files.createDirectories(folder.resolve("digits"));
        byte[] images = new byte[16 + 12 * 64];
        byte[] header = {0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 8, 0, 0, 0, 8};
        System.arraycopy(header, 0, images, 0, 16);
        for (int i = 16; i < images.length; i++) images[i] = (byte) (i * 37);
        byte[] labels = {0, 0, 8, 1, 0, 0, 0, 12, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2};
        Files.write(folder.resolve("digits/train-images-idx3-ubyte"), images);
        Files.write(folder.resolve("digits/train-labels-idx1-ubyte"), labels);
    }

    record Outcome(int code, String error) {}

    private Outcome run(Program program, String line) {
        return run(folder, program, line);
    }

    /** Runs a program with a line of arguments in which $ is the folder. */
    static Outcome run(Path folder, Program program, String line) {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        String[] args = Stream.of(line.trim().split(" +"))
                .filter(a -> !a.isEmpty())
                .map(a -> a.replace("$", folder.toString()))
                .toArray(String[]::new);
        int code = Program.run(program, args, new PrintStream(err, true, StandardCharsets.UTF_8));
        return new Outcome(code, err.toString(StandardCharsets.UTF_8));
    }

    private static final Map<String, Supplier<Program>> PROGRAMS = Map.of(
            "Train",
            Train::new,
            "Evaluate",
            Evaluate::new,
            "Edit",
            Edit::new,
            "TrainClassifier",
            TrainClassifier::new,
            "Sample",
            Sample::new,
            "Visualize",
            Visualize::new,
            "Doctor",
            Doctor::new,
            "Export",
            Export::new);

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Export | $ | 2 | --format",
                "Export | $ --format onnx | 2 | --format needs one of [diffusers, annotated",
                "Export | $/nowhere --format diffusers | 4 | there is no such run or file",
                "Train | --network $/unknown.json | 2 | the network class null is not known",
                "Train | --network $/unet.json --dim 8 | 2 | dim is part of the network, which is given whole",
                "Train | --batchsize 4 | 2 | --batch-size",
                "Train | --batch-size 0 | 2 | batch-size needs a whole number in 1..1048576, not 0",
                "Train | --batch-size many | 2 | not many",
                "Train | --batch-size | 2 | --batch-size",
                "Train | --lr -1 | 2 | lr needs a number in 0.0..10.0",
                "Train | --preset annotated --epochs 9000000000000000000 | 2 | epochs needs a whole number in 0..1073741824",
                "Train | --schedule cosin | 2 | did you mean cosine?",
                "Train | --loss l3 | 2 | loss needs one of l1, l2, huber, not l3",
                "Train | --preset fast | 2 | preset needs one of",
                "Train | --block transformer | 2 | block needs one of convnext, resnet",
                "Train | --dim 7 | 2 | must be even",
                "Train | --dim 30 | 2 | groups",
                "Train | --dim-mults 1,2,0 | 2 | dim-mults needs whole numbers",
                "Train | --dim-mults 1,2,4,8 | 2 | must be divisible by 8: use 24 or 32",
                "Train | --timesteps 1 | 2 | timesteps needs",
                "Train | --ema 1.5 | 2 | ema needs",
                "Train | --steps 0 --epochs 0 --max-minutes 0 | 2 | one of steps, epochs and max-minutes must be above 0",
                "Train | --backend gpu | 2 | known are auto",
                "Train | --threads -1 | 2 | threads",
                "Train | --precision fp8 | 2 | precision is fp32, tf32 or bf16, not fp8",
                "Train | --backend cpu --precision tf32 | 7 | it does not compute in tf32, only in fp32, bf16",
                "Train | --image-size 99999 | 2 | image-size needs",
                "Train | --name ../up --out $ | 2 | name needs letters",
                "Train | --resume $/empty | 4 | it has no config.json",
                "Train | --resume $/nowhere | 4 | no config.json",
                "Train | --resume --out $/empty | 4 | there is no run to resume",
                "Train | --resume $ --init $ | 2 | leave out",
                "Train | --config $/nothing.json | 4 | there is no such configuration file",
                "Train | --config $/broken.json | 4 | not JSON",
                "Train | --config $/empty | 4 | /empty: this is a folder, and a file is needed",
                "Visualize | schedule --out $/empty | 4 | /empty: this is a folder, and a file is needed",
                "Visualize | schedule --out / | 4 | /: this is a folder, and a file is needed",
                "Visualize | schedule --out $/notes.txt/s.html | 4 | /notes.txt: something of this name is in the way",
                "Visualize | schedule --out $/notes.txt/new/s.html | 4 | a part of this path is a file",
                "Train | --config $/array.json | 4 | a configuration is a JSON object",
                "Train | --config $/unknown.json | 2 | unknown setting learning-rate",
                "Train | --data $/nowhere | 3 | nowhere",
                "Train | --data $/empty | 3 | empty",
                "Train | --data $/notes.txt | 3 | notes.txt",
                "Train | --data $/pictures | 3 | a.png",
                "Train | --data $/idx | 3 | train-images-idx3-ubyte",
                "Train | --init $/nothing.safetensors | 4 | no such run or file",
                "Train | --init $/w.safetensors | 4 | too short to be a safetensors file",
                "Train | surplus | 2 | surplus",
                "Sample | '' | 2 | RUN|FILE",
                "Sample | $/nowhere | 4 | there is no such run or file",
                "Sample | $/empty | 4 | no finished checkpoint",
                "Sample | $/w.safetensors | 4 | about.image",
                "Sample | $ -n 0 | 2 | -n needs 1..10000 images",
                "Sample | $ --weights best | 2 | --weights",
                "Train | --sampler euler | 2 | sampler needs one of ddpm, ddim, dpm++, heun, not euler",
                "Train | --timesteps 10 --sampling-steps 11 | 2 | sampling-steps needs at most the 10 timesteps",
                "Train | --eta 2 | 2 | eta needs a number in 0.0..1.0",
                "Train | --zero-snr --target epsilon --steps 1 | 2 | set target to v or x0",
                "Train | --variance learned | 2 | variance learned needs the objective hybrid or bound",
                "Train | --objective hybrid | 2 | set variance to learned",
                "Train | --labels --data $/unlabelled | 3 | has no label",
                "Train | --low-resolution 5 --data $/digits | 2 | low-resolution needs the height of a picture that goes into 8x8",
                "Train | --low-noise 0.7 --low-resolution 4 | 2 | low-noise needs at most the low-noise-max",
                "Train | --low-noise 0.2 --steps 1 | 2 | low-noise belongs to a run with a low-resolution",
                "Train | --guidance-rescale 1 --steps 1 | 2 | guidance-rescale belongs to a run with labels",
                "Train | --objective bound --loss l1 --steps 1 | 2 | loss measures the error",
                "Evaluate | $ --sampler ddpm | 2 | --sampler belongs to pictures, and --metrics asks for none of fid",
                "Evaluate | $ --metrics fid --test-images 5 | 2 | --test-images belongs to loss-by-t and bpd",
                "Edit | inpaint $ --noise 0.3 | 2 | --noise belongs to interpolate",
                "Edit | interpolate $ --rounds 3 | 2 | --rounds belongs to inpaint",
                "TrainClassifier | --data $/digits | 2 | --data belongs to --noisy",
                "Train | --objective bound --min-snr 5 --steps 1 --timesteps 2 --out $/runs | 2 | min-snr",
                "Train | --scale-shift --steps 1 --timesteps 2 --out $/runs | 2 | scale-shift",
                "Train | --topology lucidrains --standardized --dry-run | 2 | standardized",
                "Train | --preset annotated --attention-levels 1 --steps 1 --out $/runs | 2 | attention-levels belongs to",
                "Train | --preset annotated --scale-shift --steps 1 --out $/runs | 2 | scale-shift belongs to resnet blocks",
                "Train | --preset annotated --dropout 0.1 --dry-run | 2 | dropout belongs to resnet blocks, not to convnext",
                "Train | --topology lucidrains --groups 4 --dry-run | 2 | groups belongs to the topologies",
                "Train | --schedule cosine --beta-end 0.1 --steps 1 | 2 | beta-end belongs to the schedules linear,",
                "Train | --label-dropout 0.2 --steps 1 | 2 | label-dropout belongs to a run with labels",
                "Train | --low-noise-max 0.5 --steps 1 | 2 | low-noise-max belongs to a run with a low-resolution",
                "Sample | $ --out $/grid.jpg | 2 | --out needs a name that ends in .png, not grid.jpg",
                "Sample | $ --gif $/film.png | 2 | --gif needs a name that ends in .gif, not film.png",
                "Visualize | denoise $ --out $/film.mp4 | 2 | --out needs a name that ends in .gif, not film.mp4",
                "Evaluate | $ --test-images 1 | 2 | --test-images needs 2..100000 images",
                "Train | --target noise | 2 | target needs one of epsilon, x0, v, not noise",
                "Visualize | backward | 2 | backward",
                "Visualize | forward --schedule steep | 2 | sigmoid, cosine-iddpm, sigmoid-alpha, not steep",
                "Visualize | forward --at 7 --timesteps 5 | 2 | --at needs timesteps in 0..4",
                "Visualize | forward --image $/notes.txt | 3 | notes.txt",
                "Visualize | denoise | 2 | denoise needs the run",
                "Evaluate | $ --metrics fidd | 2 | --metrics needs some of",
                "Evaluate | $ --metrics fid -n 999 | 2 | fid needs at least 1000 images, not 999",
                "Evaluate | $ --metrics precision-recall -n 3 | 2 | precision-recall needs at least 4 pictures, not 3",
                "Evaluate | $ --metrics kid -n 1 | 2 | kid needs at least 2 pictures, not 1",
                "Evaluate | $ --test-images 0 | 2 | --test-images needs 2..100000 images, not 0",
                "Evaluate | $ --weights best | 2 | --weights",
                "Evaluate | $/nowhere | 4 | there is no such run or file",
                "TrainClassifier | --noisy $/nowhere | 4 | there is no such run or file",
                "TrainClassifier | --epochs 0 | 2 | --epochs needs",
                "Sample | $ --label -1 | 2 | --label needs a class, 0 or above, not -1",
                "Edit | inpaint $ --label -2 | 2 | --label needs a class, 0 or above, not -2",
                "Edit | morph $ | 2 | morph",
                "Edit | interpolate $ --images 1 | 2 | interpolate needs two --images, not 1",
                "Edit | inpaint $ --rounds 0 | 2 | --rounds needs 1..1000",
                "Edit | inpaint $/nowhere | 4 | there is no such run or file",
                "Doctor | --wrong | 2 | --wrong",
                "Doctor | --backend cpu --precision tf32 | 7 | it does not compute in tf32, only in fp32, bf16",
            })
    void wrongInputGetsOneSentenceAndAnExitCode(String program, String line, int code, String words) {
        Outcome outcome = run(PROGRAMS.get(program).get(), line);
        assertEquals(code, outcome.code, outcome.error);
        assertTrue(outcome.error.contains(words), outcome.error);
        assertTrue(outcome.error.startsWith("error: "), outcome.error);
        assertFalse(outcome.error.contains("\tat "), "no stack trace without -v: " + outcome.error);
        assertTrue(outcome.error.lines().count() <= 4, outcome.error);
    }

    /** Train a UNet2DModel → export → sample the folder → fine-tune it → export again, as a model of diffusers. */
    @Test
    void modelsGoOutAndComeBackIn() throws IOException {
        String start =
                "--network $/unet.json --batch-size 4 --steps 2 --samples 4 --timesteps 6 -q --out $/runs --name ";
        assertEquals(new Outcome(0, ""), run(new Train(), start + "one --schedule linear"));
        assertEquals(new Outcome(0, ""), run(new Export(), "$/runs/one --format diffusers --out $/out -q"));
        assertTrue(Files.exists(folder.resolve("out/scheduler/scheduler_config.json")));
        assertEquals(new Outcome(0, ""), run(new Edit(), "inpaint $/out --images 3 --rounds 1 --out $/e.png -q"));
        Outcome small = run(new Edit(), "inpaint $/out --data $/digits -q");
        assertEquals(4, small.code, small.error);
        assertTrue(small.error.contains("the model is one of images 28x28x1: give such --data"), small.error);
        for (String model : List.of("out", "runs/one"))
            assertEquals(
                    new Outcome(0, ""),
                    run(new Sample(), "$/" + model + " -n 2 --sampling-steps 3 --out $/" + model + ".png -q"));
        assertEquals(
                -1,
                Files.mismatch(folder.resolve("out.png"), folder.resolve("runs/one.png")),
                "both go through the same timesteps");
        assertEquals(
                new Outcome(0, ""),
                run(new Train(), "--init $/out --batch-size 4 --steps 2 --samples 4 -q --out $/runs --name tuned"));
        assertEquals(new Outcome(0, ""), run(new Export(), "$/runs/tuned --format diffusers --weights raw -q"));
        assertTrue(Files.exists(folder.resolve("runs/tuned/export/diffusers/model_index.json")));
        Outcome wrong = run(new Export(), "$/runs/tuned --format annotated --out $/wrong -q");
        assertEquals(2, wrong.code);
        assertTrue(wrong.error.contains("can go to --format diffusers"), wrong.error);
    }

    /** By default, since a run deletes its old checkpoints with all that lies in them. */
    @Test
    void whatIsMadeOfACheckpointLiesInItsRun() throws IOException {
        String line = "--network $/unet.json --batch-size 4 --steps 2 --samples 4 --timesteps 6 -q --name one";
        assertEquals(new Outcome(0, ""), run(new Train(), line + " --out $/runs"));
        Path made = folder.resolve("runs/one/export/diffusers");
        for (String given : List.of("step-00000002", "step-00000002/ema.safetensors")) {
            assertEquals(
                    new Outcome(0, ""),
                    run(new Export(), "$/runs/one/checkpoints/" + given + " --format diffusers -q"));
            assertTrue(Files.exists(made.resolve("model_index.json")), given);
            Files.move(made, folder.resolve("moved-" + given.length()));
        }
        assertTrue(Files.notExists(folder.resolve("runs/one/checkpoints/step-00000002/export")));
    }

    @Test
    void theUsualDataStandsInForThatOfThePresetOnly() throws IOException {
        String digits = folder.resolve("digits").toString();
        String start = TINY + " --out $/runs --name ";
        assertEquals(new Outcome(0, ""), run(new Train(digits), start + "usual"));
        assertTrue(Files.readString(folder.resolve("runs/usual/config.json")).contains(digits));
        Outcome missing = run(new Train(digits), start + "other --data $/nothing");
        assertTrue(missing.error.contains("nothing"), missing.error);
    }

    /** Any picture of any shape becomes a strip of squares: itself, then one for each timestep. */
    @Test
    void onePictureIsNoised() throws IOException {
        BufferedImage cat = new BufferedImage(30, 20, BufferedImage.TYPE_INT_RGB);
        cat.setRGB(15, 10, 0xFF8000);
        ImageIO.write(cat, "png", folder.resolve("cat.png").toFile());
        String line = "forward --image $/cat.png --size 64 --at 0,50,199 --out $/strip.png -q";
        assertEquals(new Outcome(0, ""), run(new Visualize(), line));
        BufferedImage strip = ImageIO.read(folder.resolve("strip.png").toFile());
        assertEquals(4 * (64 + 2) + 2, strip.getWidth(), "four squares with white lines of 2 pixels around each");
        assertEquals(64 + 2 * 2, strip.getHeight());
    }

    @Test
    void theSchedulesAreDrawn() throws IOException {
        assertEquals(new Outcome(0, ""), run(new Visualize(), "schedule --out $/schedule.html -q"));
        assertEquals(new Outcome(0, ""), run(new Visualize(), "schedule --out $/new/schedule.svg -q"));
        for (String file : List.of("schedule.html", "new/schedule.svg")) {
            String text = Files.readString(folder.resolve(file));
            for (String name : List.of("linear", "linear-scaled", "cosine", "quadratic", "sigmoid"))
                assertTrue(text.contains(">" + name + "<"), name);
        }
    }

    /** Files are readable for whoever the user's umask says, not for the user alone. */
    @Test
    void picturesHaveOrdinaryPermissions() throws IOException {
        assertEquals(new Outcome(0, ""), run(new Visualize(), "schedule --out $/schedule.html -q"));
        Path ordinary = Files.createFile(folder.resolve("ordinary"));
        assertEquals(
                Files.getPosixFilePermissions(ordinary),
                Files.getPosixFilePermissions(folder.resolve("schedule.html")));
    }

    /** Data that cannot be read is what a doctor is asked about: it says what to do next, and all else that it knows. */
    @Test
    void theDoctorSaysWhatToDoAboutDamagedData() throws IOException {
        assumeTrue(
                System.getenv("XDG_CACHE_HOME") == null
                        && Files.notExists(Path.of("/usr/share/datasets/fashion-mnist")),
                "the data is not sought below user.home");
        Path data = Files.createDirectories(folder.resolve(".cache/ddpm-java/datasets/fashion"));
        for (String name : List.of("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"))
            Files.write(data.resolve(name), new byte[] {1, 2, 3});
        String home = System.setProperty("user.home", folder.toString());
        String text;
        try {
            text = said(new Doctor(), "");
        } finally {
            System.setProperty("user.home", home);
        }
        assertTrue(text.contains("data      fashion: " + data), text);
        assertTrue(text.contains("speed     add"), text);
        assertTrue(text.contains("next      remove the damaged file"), text);
    }

    /** What a program that succeeds says on standard output. */
    private String said(Program program, String line) {
        PrintStream out = System.out;
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
        try {
            assertEquals(new Outcome(0, ""), run(program, line));
        } finally {
            System.setOut(out);
        }
        return said.toString(StandardCharsets.UTF_8);
    }

    /** Numbers are written alike everywhere, also where people write them with other digits. */
    @Test
    void theTableOfLossesIsTheSameInEveryLanguage() {
        assertEquals(new Outcome(0, ""), run(new Train(), TINY + " --data $/digits --out $/runs --name one"));
        String line = "$/runs/one --test-images 2 --metrics loss-by-t -q --weights ema";
        String here = said(new Evaluate(), line);
        Locale before = Locale.getDefault();
        Locale.setDefault(Locale.forLanguageTag("ar-EG"));
        try {
            assertEquals(here, said(new Evaluate(), line));
        } finally {
            Locale.setDefault(before);
        }
    }

    @Test
    void helpNamesEverySetting() {
        for (Supplier<Program> one : PROGRAMS.values()) {
            Program program = one.get();
            CommandLine line = new CommandLine(program);
            program.addOptions();
            PrintStream stderr = System.err;
            ByteArrayOutputStream warnings = new ByteArrayOutputStream();
            System.setErr(new PrintStream(warnings, true, StandardCharsets.UTF_8));
            String help;
            try {
                help = line.getUsageMessage(CommandLine.Help.Ansi.OFF);
            } finally {
                System.setErr(stderr);
            }
            assertEquals("", warnings.toString(StandardCharsets.UTF_8));
            for (CommandLine.Model.OptionSpec option : line.getCommandSpec().options())
                assertTrue(help.contains(option.longestName()), option.longestName());
            if (program instanceof Train)
                assertTrue(help.replaceAll("\\s+", " ").contains("at 10, 30 and 60 %"), help);
        }
    }

    /** 4x4, from that 8x8, from that 16x16; out of order nothing fits. */
    @Test
    void aCascadeDrawsSmallPicturesAndEnlargesThem() throws IOException {
        String start = TINY + " --data $/digits --out $/runs --name ";
        assertEquals(new Outcome(0, ""), run(new Train(), start + "four --image-size 4"));
        assertEquals(new Outcome(0, ""), run(new Train(), start + "eight --low-resolution 4 --labels"));
        assertEquals(new Outcome(0, ""), run(new Train(), start + "eight-plain"));
        assertEquals(new Outcome(0, ""), run(new Train(), start + "sixteen --image-size 16 --low-resolution 8"));
        assertEquals(new Outcome(0, ""), run(new Train(), "--resume $/runs/sixteen --steps 6 --low-noise 0.3 -q"));
        assertEquals(
                new Outcome(0, ""),
                run(
                        new Sample(),
                        "$/runs/four --then $/runs/eight --then $/runs/sixteen -n 4 --out $/s.png --gif $/s.gif"
                                + " --strip $/strip.png -q"));
        assertEquals(
                2 * (4 * 16 + 2) + 2,
                ImageIO.read(folder.resolve("s.png").toFile()).getWidth(),
                "two columns of 16 pixels, shown four times as large");
        assertArrayEquals(enlarged(""), enlarged("--low-noise 0.3"));
        assertFalse(Arrays.equals(enlarged(""), enlarged("--low-noise 0")));
        for (String line : List.of(
                "$/runs/eight -n 2 | it enlarges pictures that another run has drawn",
                "$/runs/four --then $/runs/four | four draws from noise alone",
                "$/runs/four --then $/runs/sixteen | sixteen enlarges pictures of 8x8x1, but",
                "$/runs/four --low-noise 0.1 | --low-noise belongs to --then",
                "$/runs/four --then $/runs/eight --eta 1 | --eta belongs to --sampler ddim")) {
            Outcome wrong = run(new Sample(), line.split(" \\| ")[0] + " -q");
            assertEquals(2, wrong.code, wrong.error);
            assertTrue(wrong.error.contains(line.split(" \\| ")[1]), wrong.error);
        }
        for (Outcome wrong : List.of(
                run(new Evaluate(), "$/runs/sixteen -q"),
                run(new TrainClassifier(), "--noisy $/runs/sixteen -q"),
                run(new Edit(), "inpaint $/runs/sixteen -q"),
                run(new Export(), "$/runs/sixteen --format annotated -q"))) {
            assertEquals(2, wrong.code, wrong.error);
            assertTrue(wrong.error.contains("enlarges pictures") || wrong.error.contains("is told"), wrong.error);
        }
    }

    /** What the last stage makes of pictures of the first. */
    private byte[] enlarged(String options) throws IOException {
        String line = "$/runs/eight-plain --then $/runs/sixteen -n 4 -q --out $/enlarged.png " + options;
        assertEquals(new Outcome(0, ""), run(new Sample(), line));
        return Files.readAllBytes(folder.resolve("enlarged.png"));
    }

    /** A run without labels draws the class that a classifier of its noisy images pulls towards. */
    @Test
    void aClassifierOfNoisyImagesGuides() throws IOException {
        String start = TINY + " --data $/digits --out $/runs --name ";
        assertEquals(new Outcome(0, ""), run(new Train(), start + "plain"));
        assertEquals(new Outcome(0, ""), run(new Train(), start.replace("--timesteps 6", "--timesteps 7") + "longer"));
        assertEquals(new Outcome(0, ""), run(new Train(), start + "small --image-size 4"));
        assertEquals(
                new Outcome(0, ""),
                run(new TrainClassifier(), "--noisy $/runs/plain --epochs 3 --out $/guide.safetensors -q"));
        String guided = " -n 2 --out $/s.png -q --classifier $/guide.safetensors --guidance 3 --label 2";
        assertEquals(new Outcome(0, ""), run(new Sample(), "$/runs/plain" + guided));
        for (String line : List.of(
                "$/runs/small" + guided + " | knows images of [8, 8, 1], the run draws [4, 4, 1]",
                "$/runs/longer" + guided + " | this classifier knows the noise {timesteps=6",
                "$/runs/plain --label 3 --classifier $/guide.safetensors | label needs 0..2, not 3",
                "$/runs/plain --guidance 2 | there is no --classifier",
                "$/runs/plain --guidance-rescale 1 --classifier $/guide.safetensors | guided by itself",
                "$/runs/plain --classifier $/none.safetensors | there is no such file",
                "$/runs/plain --classifier $/runs/plain/checkpoints/step-00000004/model.safetensors"
                        + " | this is not a classifier of noisy images")) {
            Outcome wrong = run(new Sample(), line.split(" \\| ")[0] + (line.contains(" -q") ? "" : " -q"));
            assertTrue(wrong.code == 2 || wrong.code == 4, wrong.error);
            assertTrue(wrong.error.contains(line.split(" \\| ")[1]), wrong.error);
        }
        Outcome unlabelled = run(new Train(), TINY + " --data $/unlabelled --image-size 8 --out $/runs --name bare");
        assertEquals(new Outcome(0, ""), unlabelled);
        Outcome refused = run(new TrainClassifier(), "--noisy $/runs/bare -q");
        assertTrue(refused.code == 3 && refused.error.contains("has no label"), refused.error);
    }

    @Test
    void moreImagesThanAnArrayHoldsAreRefused() throws IOException {
        assertEquals(new Outcome(0, ""), run(new Train(), TINY + " --data $/digits --out $/runs --name one"));
        Path config = folder.resolve("runs/one/config.json");
        String large = "\"image\": [16384, 16384, 1]";
        Files.writeString(config, Files.readString(config).replaceAll("\"image\": \\[[^\\]]*\\]", large));
        Outcome many = run(new Sample(), "$/runs/one -q");
        assertEquals(2, many.code, many.error);
        assertTrue(many.error.contains("more than 2^31 elements: [16, 16384, 16384, 1]"), many.error);
    }

    /** Minutes of work are not lost for want of a folder. */
    @Test
    void foldersOfResultsAreMade() throws IOException {
        assertEquals(new Outcome(0, ""), run(new Train(), TINY + " --data $/digits --out $/runs --name one"));
        String guide = "--noisy $/runs/one --epochs 1 -q --out $/new/deep/guide.safetensors";
        assertEquals(new Outcome(0, ""), run(new TrainClassifier(), guide));
        assertTrue(Files.size(folder.resolve("new/deep/guide.safetensors")) > 100);
        String judge = "$/runs/one --test-images 2 --metrics bpd -q --json $/other/deep/judged.json";
        assertEquals(new Outcome(0, ""), run(new Evaluate(), judge));
        assertTrue(Files.size(folder.resolve("other/deep/judged.json")) > 10);
    }

    /** A folder in the place of the results, a file in that of the runs: nothing is left beside them, and one sentence said. */
    @Test
    void resultsThatCannotBeWrittenLeaveNothing() throws IOException {
        assertEquals(new Outcome(0, ""), run(new Train(), TINY + " --data $/digits --out $/runs --name one"));
        List<String> before = names();
        Outcome judged = run(new Evaluate(), "$/runs/one --test-images 2 --metrics bpd -q --json $/empty");
        assertEquals(new Outcome(4, "error: " + folder + "/empty: this is a folder, and a file is needed\n"), judged);
        Outcome weights = run(new Sample(), "$/runs/one -n 1 -q --out $/s.png --classifier $/empty --label 1");
        assertEquals(new Outcome(4, "error: " + folder + "/empty: this is a folder, and a file is needed\n"), weights);
        String longest = "x".repeat(255); // a name that the folder beside it, longer by a little, cannot have
        Outcome export = run(new Export(), "$/runs/one --format diffusers -q --out $/" + longest);
        assertEquals(4, export.code);
        assertTrue(export.error.startsWith("error: " + folder + "/" + longest + ": "), export.error);
        Outcome runs = run(new Train(), TINY + " --data $/digits --out $/notes.txt");
        assertEquals(4, runs.code);
        assertTrue(runs.error.contains("/notes.txt: something of this name is in the way"), runs.error);
        assertEquals(before, names());
    }

    private List<String> names() throws IOException {
        try (Stream<Path> children = Files.list(folder)) {
            return children.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    /** Half-written pictures of a process that was killed, and what a file manager leaves, are no samples. */
    @Test
    void aRunWithStrangeFilesGoesOn() throws IOException {
        assertEquals(new Outcome(0, ""), run(new Train(), TINY + " --data $/digits --out $/runs --name one"));
        Path run = folder.resolve("runs/one");
        Files.writeString(run.resolve("samples/.step-00000004.png.77.tmp"), "half");
        Files.writeString(run.resolve("samples/Thumbs.db"), "small pictures");
        assertEquals(new Outcome(0, ""), run(new Train(), "--resume $/runs/one --steps 5 -q"));
        String page = Files.readString(run.resolve("report.html"));
        assertTrue(page.contains(">step 4<") && page.contains(">step 5<"), "the samples");
        assertFalse(page.contains(">step 477<"), "the half of one");
    }

    /** A full disk stopped the run in the middle of a line. */
    @Test
    void aRunWithHalfALineOfMetricsGoesOn() throws IOException {
        assertEquals(new Outcome(0, ""), run(new Train(), TINY + " --data $/digits --out $/runs --name one"));
        Path metrics = folder.resolve("runs/one/metrics.csv");
        Files.writeString(metrics, "5", StandardOpenOption.APPEND);
        assertEquals(new Outcome(0, ""), run(new Train(), "--resume $/runs/one --steps 5 -q"));
        List<String> steps = new ArrayList<>();
        for (String row : Files.readAllLines(metrics)) steps.add(row.split(",")[0]);
        assertEquals(List.of("step", "1", "2", "3", "4", "5"), steps);
    }

    /** The film is drawn as the command line says, not as ddpm.Sample would by itself. */
    @Test
    void denoiseTakesTheCommonOptions() {
        assertEquals(new Outcome(0, ""), run(new Train(), TINY + " --data $/digits --out $/runs --name one"));
        Outcome refused = run(new Visualize(), "denoise $/runs/one --out $/f.gif --backend cpu --precision tf32 -q");
        assertEquals(7, refused.code, refused.error);
        assertEquals(new Outcome(0, ""), run(new Visualize(), "denoise $/runs/one --out $/f.gif -q"));
        assertTrue(Files.exists(folder.resolve("f.gif")) && Files.exists(folder.resolve("f.png")));
    }

    /** The film has as many pictures as go through the network at once, from its first frame to its last. */
    @Test
    void theFilmOfManySamplesHasFramesOfOneSize() throws IOException {
        String many = TINY.replace("--samples 4", "--samples 65");
        assertEquals(new Outcome(0, ""), run(new Train(), many + " --data $/digits --out $/runs --name many"));
        ImageReader reader = ImageIO.getImageReadersByFormatName("gif").next();
        try (ImageInputStream in = ImageIO.createImageInputStream(
                folder.resolve("runs/many/denoise.gif").toFile())) {
            reader.setInput(in);
            int frames = reader.getNumImages(true);
            assertEquals(7, frames); // noise, and six timesteps
            for (int k = 1; k < frames; k++) {
                assertEquals(reader.getWidth(0), reader.getWidth(k), "frame " + k);
                assertEquals(reader.getHeight(0), reader.getHeight(k), "frame " + k);
            }
        }
    }

    /** What ddpm.Evaluate wrote, by weights. */
    private Map<String, Map<String, Object>> judged(String file) throws IOException {
        Map<String, Map<String, Object>> judged = new LinkedHashMap<>();
        byte[] json = Files.readAllBytes(Path.of(file.replace("$", folder.toString())));
        ((Map<?, ?>) Json.parse(json)).forEach((name, found) -> {
            Map<String, Object> results = new LinkedHashMap<>();
            ((Map<?, ?>) found).forEach((key, value) -> results.put((String) key, value));
            judged.put((String) name, results);
        });
        return judged;
    }

    /** Two samplers over two numbers of timesteps: four rows, each with what it cost. */
    @Test
    void picturesAreJudgedInSeveralWays() throws IOException {
        String start = TINY + " --out $/runs --name ";
        assertEquals(new Outcome(0, ""), run(new Train(), start + "plain"));
        String line = " --metrics class-histogram -n 12 -q --json $/ways.json --sampler ddim,heun --sampling-steps 6,2";
        assertEquals(new Outcome(0, ""), run(new Evaluate(), "$/runs/plain" + line));
        Map<String, Map<String, Object>> judged = judged("$/ways.json");
        assertEquals(Set.of("ema"), judged.keySet());
        List<Object> costs = new ArrayList<>();
        for (Object row : (List<?>) judged.get("ema").get("pictures")) {
            Map<?, ?> found = (Map<?, ?>) row;
            costs.add(List.of(found.get("sampler"), found.get("steps"), found.get("evaluations")));
            Map<?, ?> histogram = (Map<?, ?>) found.get("class-histogram");
            long sum = 0;
            for (Object count : (List<?>) histogram.get("counts")) sum += (Long) count;
            assertEquals(12, sum);
            assertTrue((Double) found.get("seconds") > 0);
        }
        assertEquals(
                List.of(
                        List.of("ddim", 6L, 6L),
                        List.of("ddim", 2L, 2L),
                        List.of("heun", 6L, 11L),
                        List.of("heun", 2L, 3L)),
                costs);
        Outcome wrong = run(new Evaluate(), "$/runs/plain" + line + " --guidance 2");
        assertTrue(wrong.code == 2 && wrong.error.contains("--guidance follows a label"), wrong.error);
        Outcome many = run(new Evaluate(), "$/runs/plain" + line.replace("6,2", "7"));
        assertTrue(many.code == 2 && many.error.contains("sampling-steps needs at most the 6"), many.error);
    }

    @Test
    void aRunLeavesEverythingItPromisesAndGoesOn() throws IOException {
        String runs = " --out $/runs";
        assertEquals(new Outcome(0, ""), run(new Train(), TINY + " --name first" + runs));
        Path run = folder.resolve("runs/first");
        for (String file :
                List.of("config.json", "metrics.csv", "final.png", "forward.png", "denoise.gif", "report.html"))
            assertTrue(Files.size(run.resolve(file)) > 100, file);
        try (Stream<Path> files = Files.list(run)) {
            assertTrue(files.anyMatch(f -> f.getFileName().toString().startsWith("events.out.tfevents.")));
        }
        Outcome again = run(new Train(), TINY + " --name first" + runs);
        assertEquals(4, again.code);
        assertTrue(again.error.contains("there is a run of this name already"), again.error);
        Outcome changed = run(new Train(), "--resume $/runs/first --dim 12 -q");
        assertEquals(2, changed.code);
        assertTrue(changed.error.contains("--dim cannot change"), changed.error);
        assertEquals(new Outcome(0, ""), run(new Train(), "--resume $/runs/first --steps 7 -q"));
        List<String> steps = new ArrayList<>();
        for (String row : Files.readAllLines(run.resolve("metrics.csv"))) steps.add(row.split(",")[0]);
        assertEquals(List.of("step", "1", "2", "3", "4", "5", "6", "7"), steps);
        assertEquals(new Outcome(0, ""), run(new Sample(), "$/runs/first -n 3 --out $/s.png --gif $/s.gif -q"));
        assertTrue(Files.size(folder.resolve("s.png")) > 100 && Files.size(folder.resolve("s.gif")) > 100);
        for (String sampler : List.of("ddim --eta 0.5", "heun"))
            assertEquals(
                    new Outcome(0, ""),
                    run(
                            new Sample(),
                            "$/runs/first -n 2 --out $/s.png --gif $/s.gif -q --sampling-steps 3 --sampler "
                                    + sampler));
        Outcome eta = run(new Sample(), "$/runs/first --sampler heun --eta 1 -q");
        Outcome unlabelled = run(new Sample(), "$/runs/first --label 3 -q");
        assertTrue(unlabelled.code == 2 && unlabelled.error.contains("trained without --labels"), unlabelled.error);
        assertEquals(
                new Outcome(0, ""),
                run(new Train(), TINY + " --labels --target v --zero-snr --data $/digits --name classes" + runs));
        Outcome export = run(new Export(), "$/runs/classes --format annotated -q");
        assertTrue(export.code == 2 && export.error.contains("is told labels"), export.error);
        assertEquals(
                new Outcome(0, ""),
                run(
                        new Sample(),
                        "$/runs/classes -n 2 --out $/s.png --strip $/strip.png -q --label 2 --guidance 3 --guidance-rescale 0.7"));
        Outcome wrong = run(new Sample(), "$/runs/classes --label 3 -q");
        assertTrue(wrong.code == 2 && wrong.error.contains("label needs 0..2, not 3"), wrong.error);
        assertEquals(new Outcome(0, ""), run(new Evaluate(), "$/runs/classes --test-images 2 -q --json $/e.json"));
        assertEquals(
                new Outcome(0, ""),
                run(new Edit(), "interpolate $/runs/classes --images 3,5 --label 1 --out $/i.png -q"));
        for (String refused : List.of("interpolate $/runs/classes --label 3 -q", "inpaint $/runs/first --label 0 -q")) {
            Outcome label = run(new Edit(), refused);
            assertTrue(label.code == 2 && label.error.contains("label"), label.error);
        }
        assertEquals(
                new Outcome(0, ""),
                run(new Edit(), "inpaint $/runs/classes --images 1 --keep top --rounds 2 --label 2 --out $/p.png -q"));
        for (String file : List.of("strip.png", "i.png", "p.png"))
            assertTrue(Files.size(folder.resolve(file)) > 100, file);
        String json = Files.readString(folder.resolve("e.json"));
        assertTrue(json.contains("\"bpd\"") && json.contains("\"loss-by-t\""), json);
        assertEquals(Set.of("ema", "raw"), judged("$/e.json").keySet());
        for (String one : List.of("ema", "raw")) {
            assertEquals(
                    new Outcome(0, ""),
                    run(
                            new Evaluate(),
                            "$/runs/classes --test-images 2 -q --metrics bpd --json $/one.json --weights " + one));
            assertEquals(Set.of(one), judged("$/one.json").keySet());
            assertEquals(
                    judged("$/e.json").get(one).get("bpd"),
                    judged("$/one.json").get(one).get("bpd"));
        }
        Path checkpoint = new CheckpointDirectory(folder.resolve("runs/classes/checkpoints"))
                .latest()
                .orElseThrow();
        for (String[] file : new String[][] {{"ema.safetensors", "ema"}, {"model.safetensors", "raw"}}) {
            String weights = checkpoint.resolve(file[0]).toString();
            assertEquals(
                    new Outcome(0, ""),
                    run(new Evaluate(), weights + " --test-images 2 -q --metrics bpd --json $/file.json"));
            assertEquals(Set.of(file[1]), judged("$/file.json").keySet());
        }
        assertNotEquals(
                judged("$/e.json").get("ema").get("bpd"),
                judged("$/e.json").get("raw").get("bpd"));
        assertTrue(eta.code == 2 && eta.error.contains("--eta belongs to --sampler ddim"), eta.error);
        assertEquals(
                new Outcome(0, ""),
                run(new Train(), TINY + " --config $/runs/first/config.json --init $/runs/first --name second" + runs));
    }
}
