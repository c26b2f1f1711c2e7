package ddpm.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ddpm.io.FileTrouble;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
    @TempDir
    Path folder;

    @Test
    void valuesAreRoundedAndClampedNeverWrapped() {
        float[] batch = {-1, 1, 0, -1.7f, 3, 0.004f};
        Picture p = Picture.of(batch, 0, 1, 6, 1);
        assertArrayEquals(new byte[] {0, (byte) 255, (byte) 128, 0, (byte) 255, (byte) 128}, p.pixels());
        assertThrows(IllegalArgumentException.class, () -> Picture.of(new float[] {Float.NaN}, 0, 1, 1, 1));
    }

    @Test
    void pngHoldsTheSamePixels() throws IOException {
        Picture rgb = new Picture(2, 1, 3, new byte[] {10, 20, 30, (byte) 200, 100, 0});
        BufferedImage read = ImageIO.read(new ByteArrayInputStream(rgb.toPng()));
        assertEquals(0xff0a141e, read.getRGB(0, 0));
        assertEquals(0xffc86400, read.getRGB(1, 0));
        Picture grey = new Picture(2, 1, 1, new byte[] {7, (byte) 250});
        BufferedImage g = ImageIO.read(new ByteArrayInputStream(grey.toPng()));
        assertEquals(7, g.getRaster().getSample(0, 0, 0));
        assertEquals(250, g.getRaster().getSample(1, 0, 0));
    }

    @Test
    void gridEnlargesAndSeparates() {
        Picture one = new Picture(28, 28, 1, new byte[784]);
        Picture grid = ImageGrid.square(List.of(one, one, one, one, one));
        assertEquals(3 * (56 + 2) + 2, grid.width());
        assertEquals(2 * (56 + 2) + 2, grid.height());
        assertEquals(255, grid.value(0, 0, 0));
        assertEquals(0, grid.value(2, 2, 0));
        assertEquals(255, grid.value(grid.width() - 4, grid.height() - 4, 0), "the sixth place is empty");
    }

    @Test
    void greyFilmIsReadBackExactlyAndLoops() throws IOException {
        byte[][] frames = {{0, 1, 2, 3}, {(byte) 128, (byte) 200, (byte) 254, (byte) 255}};
        Path file = folder.resolve("film.gif");
        AnimatedGif.write(file, List.of(new Picture(2, 2, 1, frames[0]), new Picture(2, 2, 1, frames[1])), 60, 2000);
        ImageReader reader = ImageIO.getImageReadersByFormatName("gif").next();
        try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
            reader.setInput(in);
            assertEquals(2, reader.getNumImages(true));
            for (int k = 0; k < 2; k++)
                for (int i = 0; i < 4; i++)
                    assertEquals(
                            frames[k][i] & 0xff,
                            reader.read(k).getRGB(i % 2, i / 2) & 0xff,
                            "frame " + k + " pixel " + i);
        }
        String bytes = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
        assertTrue(bytes.contains("NETSCAPE2.0"));
    }

    @Test
    void fewColoursSurviveThePalette() throws IOException {
        byte[] pixels = new byte[3 * 64];
        for (int i = 0; i < 64; i++) {
            pixels[3 * i] = (byte) (i % 4 * 255 / 3);
            pixels[3 * i + 1] = (byte) (i / 4 % 4 * 255 / 3);
            pixels[3 * i + 2] = (byte) (i / 16 * 255 / 3);
        }
        Path file = folder.resolve("rgb.gif");
        AnimatedGif.write(file, List.of(new Picture(8, 8, 3, pixels)), 60, 60);
        BufferedImage read = ImageIO.read(file.toFile());
        for (int i = 0; i < 64; i++)
            for (int c = 0; c < 3; c++)
                assertEquals(pixels[3 * i + c] & 0xff, read.getRGB(i % 8, i / 8) >> 16 - 8 * c & 0xff, 5);
    }

    @Test
    void eventRecordsAreFramedAndMasked() {
        // CRC-32C of "123456789" is 0xe3069283 (RFC 3720, B.4).
        byte[] digits = "123456789".getBytes(StandardCharsets.US_ASCII);
        CRC32C crc = new CRC32C();
        crc.update(digits);
        assertEquals(0xe3069283L, crc.getValue());
        int expected = (0xe3069283 >>> 15 | 0xe3069283 << 17) + 0xa282ead8;
        assertEquals(expected, TensorBoardWriter.maskedCrc(digits, 0, 9));
        ByteBuffer record = ByteBuffer.wrap(TensorBoardWriter.record(digits)).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(9, record.getLong(0));
        assertEquals(9 + 16, record.capacity());
        assertEquals(expected, record.getInt(12 + 9));
    }

    /** The bytes of one scalar event, worked out by hand from the protocol buffer definitions. */
    @Test
    void scalarEventsHaveTheRightBytes() throws IOException {
        try (TensorBoardWriter writer = new TensorBoardWriter(folder, 1)) {
            writer.scalar("l", 300, 2.0, 1.0);
        }
        Path file;
        try (var files = Files.list(folder)) {
            file = files.findFirst().orElseThrow();
        }
        byte[] all = Files.readAllBytes(file);
        int first =
                16 + (int) ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
        byte[] expected = {
            9,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0x40, // 1: wall_time = 2.0
            0x10,
            (byte) 0xac,
            0x02, // 2: step = 300
            0x2a,
            10, // 5: summary, 10 bytes
            0x0a,
            8, // 1: value, 8 bytes
            0x0a,
            1,
            'l', // 1: tag
            0x15,
            0,
            0,
            (byte) 0x80,
            0x3f // 2: simple_value = 1.0
        };
        byte[] payload = java.util.Arrays.copyOfRange(all, first + 12, all.length - 4);
        assertArrayEquals(expected, payload);
    }

    @Test
    void metricsAreCutBackToACheckpoint() throws IOException {
        Path file = folder.resolve("metrics.csv");
        double[] quarters = {0.5, Double.NaN, 0.25, 0.125};
        try (MetricsCsv csv = new MetricsCsv(file)) {
            for (int i = 1; i <= 5; i++) csv.write(new MetricsCsv.Row(i, 0, 1.0 / i, 0.5, 1e-3, 2, 100, i, quarters));
            csv.truncateAfter(3);
            csv.write(new MetricsCsv.Row(4, 0, 9, 9, 1e-3, 2, 100, 4, quarters));
        }
        double[][] loss = MetricsCsv.read(file, "loss");
        assertArrayEquals(new double[] {1, 2, 3, 4}, loss[0]);
        assertArrayEquals(new double[] {1, 0.5, 0.333333, 9}, loss[1], 1e-9);
        assertTrue(Double.isNaN(MetricsCsv.read(file, "loss_q1")[1][0]));
    }

    /** Checkpoints are forced to the disk, lines of metrics are not: after a power failure there may be none. */
    @Test
    void metricsThatAreLostBeginAnew() throws IOException {
        Path file = Files.createFile(folder.resolve("metrics.csv"));
        try (MetricsCsv csv = new MetricsCsv(file)) {
            csv.truncateAfter(3);
            csv.write(new MetricsCsv.Row(4, 0, 9, 9, 1e-3, 2, 100, 4, new double[4]));
        }
        assertArrayEquals(new double[][] {{4}, {9}}, MetricsCsv.read(file, "loss"));
    }

    @Test
    void damagedLinesOfMetricsAreDropped() throws IOException {
        Path file = folder.resolve("metrics.csv");
        double[] quarters = {0.5, 0.5, 0.25, 0.125};
        try (MetricsCsv csv = new MetricsCsv(file)) {
            for (int i = 1; i <= 4; i++) csv.write(new MetricsCsv.Row(i, 0, i, 0.5, 1e-3, 2, 100, i, quarters));
        }
        byte[] bytes = Files.readAllBytes(file);
        String text = new String(bytes, StandardCharsets.UTF_8);
        bytes[text.indexOf("loss")] = (byte) 0xff;
        bytes[text.indexOf("\n2,") + 1] = 'x';
        Files.write(file, bytes);
        try (MetricsCsv csv = new MetricsCsv(file)) {
            csv.truncateAfter(3);
        }
        assertArrayEquals(new double[][] {{1, 3}, {1, 3}}, MetricsCsv.read(file, "loss"));
    }

    @Test
    void aFullDiskIsNoticed() {
        if (!Files.exists(Path.of("/dev/full"))) return;
        IOException e = assertThrows(IOException.class, () -> {
            try (MetricsCsv csv = new MetricsCsv(Path.of("/dev/full"))) {
                csv.write(new MetricsCsv.Row(1, 0, 1, 1, 1, 1, 1, 1, new double[4]));
            }
        });
        assertTrue(FileTrouble.sentence(e).startsWith("/dev/full: "), FileTrouble.sentence(e));
    }

    @Test
    void plainProgressPrintsEveryTwentiethPartAndNoControlCharacters() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        long[] now = {0};
        ProgressLine line = new ProgressLine(new PrintStream(bytes, true), false, () -> now[0]);
        for (int step = 1; step <= 1000; step++) {
            now[0] += 1_000_000;
            line.update(step, 1000, step, "loss 0.1");
        }
        String text = bytes.toString(StandardCharsets.UTF_8);
        assertEquals(21, text.lines().count());
        assertFalse(text.contains("\r") || text.contains("\u001b"));
        assertTrue(text.contains(" 50%  step 500/1000  loss 0.1  ETA 0:00"), text);
    }

    @Test
    void terminalProgressRedrawsAtMostTenTimesASecond() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        long[] now = {0};
        ProgressLine line = new ProgressLine(new PrintStream(bytes, true), true, () -> now[0]);
        for (int step = 1; step <= 1000; step++) {
            now[0] += 1_000_000; // 1 ms a step, 1 s in all
            line.update(step, 1000, step, "loss");
        }
        long redraws = bytes.toString(StandardCharsets.UTF_8)
                .chars()
                .filter(c -> c == '\r')
                .count();
        assertTrue(redraws >= 9 && redraws <= 12, "redraws: " + redraws);
    }

    @Test
    void plotsAreWellFormedAndTicksAreRound() throws Exception {
        double[] x = {0, 1, 2, 3};
        String svg = new LinePlot("a < b & c", "x", true)
                .line("one", x, new double[] {1, 10, Double.NaN, 0})
                .faintLine("two", x, new double[] {2, 3, 4, 5})
                .toSvg();
        DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
        assertFalse(svg.contains("NaN") || svg.contains("Infinity"));
        assertEquals(List.of(0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0), LinePlot.ticks(0, 1));
    }

    /** As many lines as there are noise schedules: each has a colour, and what they are called is not written over the title. */
    @Test
    void sevenLinesAreToldApartAndTheTitleStaysReadable() {
        LinePlot plot = new LinePlot("alphaBar: the share of signal variance that is left", "t", false);
        List<String> names =
                List.of("linear", "linear-scaled", "cosine", "quadratic", "sigmoid", "cosine-iddpm", "sigmoid-alpha");
        for (String name : names) plot.line(name, new double[] {0, 1}, new double[] {0, 1});
        String svg = plot.toSvg();
        assertEquals(
                names.size(),
                Pattern.compile("<path fill=\"none\" stroke=\"(.*?)\"")
                        .matcher(svg)
                        .results()
                        .map(found -> found.group(1))
                        .distinct()
                        .count());
        Matcher title = Pattern.compile(" y=\"([0-9.]+)\"[^>]*>alphaBar").matcher(svg);
        assertTrue(title.find(), svg);
        for (String name : names) {
            Matcher legend =
                    Pattern.compile(" y=\"([0-9.]+)\"[^>]*>" + name + "<").matcher(svg);
            assertTrue(legend.find(), svg);
            assertTrue(Double.parseDouble(legend.group(1)) >= Double.parseDouble(title.group(1)) + 12, name);
        }
    }

    @Test
    void theReportFetchesNothing() throws IOException {
        Path image = folder.resolve("i.png");
        Picture.blank(3, 3, 1, 9).writePng(image);
        Path page = folder.resolve("report.html");
        new HtmlReport("run", "data")
                .facts(Map.of("steps", "5"))
                .image(image, "an <image>")
                .image(folder.resolve("missing.png"), "not there")
                .table("settings", Map.of("lr", 0.001))
                .write(page, "run");
        String html = Files.readString(page);
        assertFalse(html.replace("http://www.w3.org/2000/svg", "").contains("http"));
        assertTrue(html.contains("data:image/png;base64,") && html.contains("an &lt;image&gt;"));
        assertFalse(html.contains("not there"));
    }
}
