package ddpm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever happens to a file of a run, a program that reads it does its work or says in one sentence why it does not: never
 * that it has a defect, and never with a stack trace.
 */
class DamagedFilesTest {
    private static final int TIMES = 120;

    private static final Pattern VALUE =
            Pattern.compile("(?<=: )(-?[0-9.eE+-]+|\"[^\"]*\"|true|false|null|\\[[^\\]\\[]*\\])");

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

    @TempDir
    Path folder;

    @Test
    void aDamagedRunIsUsedOrRefusedInOneSentence() throws IOException {
        Path good = folder.resolve("runs/good");
        assertEquals(
                "0 ",
                run(
                        new Train(),
                        "--topology ddpm --dim 8 --dim-mults 1,2 --batch-size 2 --timesteps 4 --steps 2 --samples 1"
                                + " --name good --out " + folder.resolve("runs")));
        List<Path> files = files(good);
        List<Path> read = files.stream()
                .filter(file -> file.toString().matches(".*\\.(json|csv|safetensors)"))
                .toList();
        Logger log = Logger.getLogger("ddpm.io.CheckpointDirectory");
        Level level = log.getLevel();
        log.setLevel(Level.OFF); // damaged checkpoints are meant
        int refused = 0;
        try {
            for (int seed = 0; seed < TIMES; seed++) {
                Random random = new Random(seed);
                Path bad = folder.resolve("runs/bad");
                for (Path file : files) { // whatever the last one has left
                    Path copy = bad.resolve(good.relativize(file));
                    Files.createDirectories(copy.getParent());
                    Files.write(copy, Files.readAllBytes(file));
                }
                Path file = bad.resolve(good.relativize(read.get(random.nextInt(read.size()))));
                Files.write(file, damaged(Files.readAllBytes(file), random));
                String outcome = seed % 3 == 0
                        ? run(new Train(), "--steps 3 --resume " + bad)
                        : seed % 3 == 1
                                ? run(new Sample(), bad + " -n 1 --sampling-steps 2 --out " + folder.resolve("s.png"))
                                : run(new Export(), bad + " --format diffusers --out " + folder.resolve("x" + seed));
                String what = "seed " + seed + ", " + bad.relativize(file) + ": " + outcome;
                assertTrue(Set.of("0", "2", "3", "4").contains(outcome.split(" ")[0]), what);
                assertFalse(outcome.strip().contains("\n"), what);
                if (!outcome.equals("0 ")) refused++;
                for (Path left : files(bad)) Files.delete(left);
            }
        } finally {
            log.setLevel(level);
        }
        assertTrue(refused > TIMES / 4, "only " + refused + " were refused");
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.filter(Files::isRegularFile).sorted().toList();
        }
    }

    /** The exit code and what was said of it. */
    private static String run(Program program, String line) {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        String[] args = (line + " --backend cpu --threads 1 -q").split(" ");
        int code = Program.run(program, args, new PrintStream(err, true, StandardCharsets.UTF_8));
        return code + " " + err.toString(StandardCharsets.UTF_8);
    }

    /** Bytes changed, cut off, put in, taken out; or a value of a JSON document exchanged. */
    private static byte[] damaged(byte[] bytes, Random random) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int at = random.nextInt(Math.min(bytes.length, 4000));
        String changed = switch (random.nextInt(6)) {
            case 0 -> text.substring(0, at) + (char) random.nextInt(256) + text.substring(at + 1);
            case 1 -> text.substring(0, random.nextInt(text.length() + 1));
            case 2 -> text.substring(0, at) + MARKS.get(random.nextInt(MARKS.size())) + text.substring(at);
            case 3 -> text.substring(0, at) + text.substring(Math.min(text.length(), at + 1 + random.nextInt(20)));
            default -> exchanged(text, random);
        };
        return changed.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static String exchanged(String text, Random random) {
        List<int[]> places = new ArrayList<>();
        Matcher matcher = VALUE.matcher(text);
        while (matcher.find()) places.add(new int[] {matcher.start(), matcher.end()});
        if (places.isEmpty()) return text;
        int[] place = places.get(random.nextInt(places.size()));
        return text.substring(0, place[0]) + VALUES.get(random.nextInt(VALUES.size())) + text.substring(place[1]);
    }
}
