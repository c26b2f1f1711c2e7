package ddpm.report;

import ddpm.io.FileTrouble;
import ddpm.io.WholeFile;
import java.io.BufferedWriter;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** One line for every update. A failure to write is an exception, never a silent gap. */
public final class MetricsCsv implements Closeable {
    private static final String HEADER =
            "step,epoch,loss,loss_avg,lr,grad_norm,img_per_s,elapsed_s,loss_q0,loss_q1,loss_q2,loss_q3";

    /** One line; the quarters of t that had no image are NaN and stay empty. */
    public record Row(
            long step,
            long epoch,
            double loss,
            double average,
            double learningRate,
            double gradientNorm,
            double imagesPerSecond,
            double elapsedSeconds,
            double[] quarterLoss) {}

    private final Path file;
    private BufferedWriter out;

    /** Opens the file to append, with a header when it is new. */
    public MetricsCsv(Path file) throws IOException {
        this.file = file;
        boolean fresh = !Files.exists(file);
        open();
        if (fresh) {
            out.write(HEADER + "\n");
            out.flush();
        }
    }

    private void open() throws IOException {
        out = Files.newBufferedWriter(
                file, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    public void write(Row r) throws IOException {
        StringBuilder line = new StringBuilder(String.format(
                Locale.ROOT,
                "%d,%d,%.6g,%.6g,%.6g,%.6g,%.1f,%.3f",
                r.step,
                r.epoch,
                r.loss,
                r.average,
                r.learningRate,
                r.gradientNorm,
                r.imagesPerSecond,
                r.elapsedSeconds));
        for (double q : r.quarterLoss)
            line.append(',').append(Double.isNaN(q) ? "" : String.format(Locale.ROOT, "%.6g", q));
        try {
            out.write(line.append('\n').toString());
            out.flush();
        } catch (IOException e) {
            throw FileTrouble.with(file, e);
        }
    }

    /**
     * Drops the lines of steps after {@code step}: a resumed run writes them again. One that was cut short, as on a full
     * disk, or is damaged goes with them; a file that lost everything, as when the power failed, begins anew.
     */
    public void truncateAfter(long step) throws IOException {
        out.close();
        List<String> kept = new ArrayList<>(List.of(HEADER));
        // whatever bytes there are: Latin-1 has a character for each
        List<String> lines = Files.readAllLines(file, StandardCharsets.ISO_8859_1);
        for (String line : lines) if (stepOf(line) <= step) kept.add(line);
        WholeFile.write(file, (String.join("\n", kept) + "\n").getBytes(StandardCharsets.UTF_8));
        open();
    }

    /** The step that a line is of; one above all others where it is no line of numbers. */
    private static long stepOf(String line) {
        String[] cells = line.split(",", -1);
        if (cells.length != HEADER.split(",").length) return Long.MAX_VALUE;
        try {
            for (String cell : cells) if (!cell.isEmpty()) Double.parseDouble(cell);
            return Long.parseLong(cells[0]);
        } catch (NumberFormatException e) {
            return Long.MAX_VALUE;
        }
    }

    /** Two columns of a metrics file, {@code step} and the named one. */
    public static double[][] read(Path file, String column) throws IOException {
        List<String> lines = Files.readAllLines(file);
        int index = List.of(lines.get(0).split(",")).indexOf(column);
        double[][] values = new double[2][lines.size() - 1];
        for (int i = 1; i < lines.size(); i++) {
            String[] cells = lines.get(i).split(",", -1);
            values[0][i - 1] = Double.parseDouble(cells[0]);
            values[1][i - 1] = cells[index].isEmpty() ? Double.NaN : Double.parseDouble(cells[index]);
        }
        return values;
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
