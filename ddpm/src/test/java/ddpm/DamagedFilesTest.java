package ddpm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever happens to a file of a run or of a classifier, a program that reads it does its work or says in one sentence why
 * it does not: never that it has a defect, and never with a stack trace.
 */
class DamagedFilesTest {
    private static final int TIMES = 160;

    /** A value of a member, or in a list; the match is empty, so that those in a list are found beside the list. */
    private static final Pattern VALUE =
            Pattern.compile("(?<=[:\\[,] ?)(?=(-?[0-9.eE+-]+|\"[^\"]*\"|true|false|null|\\[[^\\]\\[]*\\]))");

    private static final List<String> VALUES = List.of(
            "-1",
            "0",
            "3.5",
            "1e-300",
            "9223372036854775807",
            "99999999999999999999",
            "null",
            "true",
            "\"x\"",
            "\"\"",
            "[]",
            "{}",
            "[1,2]",
            "[null]");

    private static final List<String> MARKS =
            List.of("9", "-", "\"", "{", "}", "[", "]", ",", "e9", "null", "\u0000", "99999999999");

    private static final Pattern NUMBER = Pattern.compile("(?<=[:\\[,] ?)-?[0-9][0-9.eE+-]*");

    @TempDir
    static Path folder;

    /** What is done with a damaged copy, {@code BAD}, of one of the folders. */
    private record Use(String good, Supplier<Program> program, String line) {}

    private static final List<Use> USES = List.of(
            new Use("labelled", Train::new, "--steps 3 --resume BAD"),
            new Use("labelled", Sample::new, "BAD -n 1 --sampling-steps 2 --label 1 --out $/s.png"),
            new Use("plain", Export::new, "BAD --format diffusers --out $/exported"),
            new Use(
                    "guide",
                    Sample::new,
                    "$/plain -n 1 --sampling-steps 2 --label 1 --out $/s.png --classifier BAD/guide.safetensors"));

    @BeforeAll
    static void train() throws IOException {
        ProgramTest.digits(folder);
        String train = "--topology ddpm --dim 8 --dim-mults 1,2 --batch-size 2 --timesteps 4 --steps 2 --samples 1"
                + " --data $/digits --out $ --name ";
        assertEquals("0 ", run(new Train(), train + "labelled --labels"));
        assertEquals("0 ", run(new Train(), train + "plain"));
        assertEquals("0 ", run(new TrainClassifier(), "--noisy $/plain --epochs 1 --out $/guide/guide.safetensors"));
    }

    @Test
    void aDamagedFileIsUsedOrRefusedInOneSentence() throws IOException {
        Logger log = Logger.getLogger("ddpm.io");
        Level level = log.getLevel();
        log.setLevel(Level.OFF); // damaged checkpoints are meant
        int refused = 0;
        try {
            for (int seed = 0; seed < TIMES; seed++) {
                Random random = new Random(seed);
                Use use = USES.get(seed % USES.size());
                Path bad = copyOf(folder.resolve(use.good));
                List<Path> read = files(bad).stream()
                        .filter(file -> file.toString().matches(".*\\.(json|csv|safetensors)"))
                        .toList();
                Path file = read.get(random.nextInt(read.size()));
                Files.write(file, damaged(file, random));
                String outcome = use(use, bad, "seed " + seed + ", " + bad.relativize(file));
                if (!outcome.equals("0 ")) refused++;
            }
        } finally {
            log.setLevel(level);
        }
        assertTrue(refused > TIMES / 4, "only " + refused + " were refused");
    }

    /** The largest number there is, in the place of each. */
    @Test
    void numbersFarTooLargeAreRefusedInOneSentence() throws IOException {
        for (Map.Entry<Use, String> one : Map.of(
                        USES.get(0), "config.json", USES.get(1), "checkpoints/step-00000002/config.json")
                .entrySet()) {
            String text = Files.readString(folder.resolve(one.getKey().good).resolve(one.getValue()));
            List<MatchResult> numbers = NUMBER.matcher(text).results().toList();
            assertTrue(numbers.size() > 30, numbers.size() + " numbers");
            for (MatchResult number : numbers) {
                Path bad = copyOf(folder.resolve(one.getKey().good));
                String before = text.substring(0, number.start());
                Files.writeString(bad.resolve(one.getValue()), before + Long.MAX_VALUE + text.substring(number.end()));
                use(one.getKey(), bad, before.substring(before.lastIndexOf('\n')));
            }
        }
    }

    /** The exit code and the sentence. */
    private static String use(Use use, Path bad, String damage) {
        String outcome = run(use.program.get(), use.line.replace("BAD", bad.toString()));
        String what = damage + ", " + use + ": " + outcome;
        assertTrue(Set.of("0", "2", "3", "4").contains(outcome.split(" ")[0]), what);
        assertFalse(outcome.strip().contains("\n"), what);
        return outcome;
    }

    /** A copy of a folder, without whatever the last one, and what was done with it, has left. */
    private static Path copyOf(Path good) throws IOException {
        Path bad = folder.resolve("bad");
        for (Path left : List.of(bad, folder.resolve("exported"))) remove(left);
        for (Path file : files(good)) {
            Path copy = bad.resolve(good.relativize(file));
            Files.createDirectories(copy.getParent());
            Files.copy(file, copy);
        }
        return bad;
    }

    private static void remove(Path folder) throws IOException {
        if (!Files.exists(folder)) return;
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
        }
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.filter(Files::isRegularFile).sorted().toList();
        }
    }

    /** The exit code and what was said of it. */
    private static String run(Program program, String line) {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        String[] args = (line.replace("$", folder.toString()) + " --backend cpu --threads 1 -q").split(" ");
        int code = Program.run(program, args, new PrintStream(err, true, StandardCharsets.UTF_8));
        return code + " " + err.toString(StandardCharsets.UTF_8);
    }

    /** Bytes changed, cut off, put in, taken out; or a value of a JSON document exchanged. */
    private static byte[] damaged(Path file, Random random) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int at = random.nextInt(Math.min(bytes.length, 4000));
        String changed = switch (random.nextInt(6)) {
            case 0 -> text.substring(0, at) + (char) random.nextInt(256) + text.substring(at + 1);
            case 1 -> text.substring(0, random.nextInt(text.length() + 1));
            case 2 -> text.substring(0, at) + MARKS.get(random.nextInt(MARKS.size())) + text.substring(at);
            case 3 -> text.substring(0, at) + text.substring(Math.min(text.length(), at + 1 + random.nextInt(20)));
            default ->
                file.toString().endsWith(".safetensors")
                        ? exchangedInHeader(bytes, text, random)
                        : exchanged(text, random);
        };
        return changed.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** The length of the header is put right again, or the file would be refused for that alone. */
    private static String exchangedInHeader(byte[] bytes, String text, Random random) {
        int length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        String header = exchanged(text.substring(8, 8 + length), random);
        byte[] renewed = ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(header.length())
                .array();
        return new String(renewed, StandardCharsets.ISO_8859_1) + header + text.substring(8 + length);
    }

    private static String exchanged(String text, Random random) {
        List<int[]> places = new ArrayList<>();
        Matcher matcher = VALUE.matcher(text);
        while (matcher.find()) places.add(new int[] {matcher.start(1), matcher.end(1)});
        if (places.isEmpty()) return text;
        int[] place = places.get(random.nextInt(places.size()));
        return text.substring(0, place[0]) + VALUES.get(random.nextInt(VALUES.size())) + text.substring(place[1]);
    }
}
