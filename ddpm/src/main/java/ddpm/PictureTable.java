package ddpm;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Results of {@link Evaluate} for pictures drawn in several ways, a row for each, as a table in Markdown. */
final class PictureTable {
    private static final String GAP = "–";

    private PictureTable() {}

    /** The lines; columns that no row has are left out. */
    static List<String> of(List<Map<String, Object>> rows) {
        List<List<String>> columns = new ArrayList<>();
        for (String name : List.of("sampler", "steps", "evaluations", "guidance"))
            columns.add(column(name, rows, row -> plain(row.get(name))));
        columns.add(column("FID", rows, row -> of(row, "fid", "fid", "%.2f")));
        columns.add(column("floor", rows, row -> of(row, "fid", "floor", "%.2f")));
        columns.add(column("ratio", rows, row -> of(row, "fid", "ratio", "%.2f")));
        columns.add(column("KID", rows, row -> at(row, "kid", 0, "%.5f")));
        columns.add(column("precision", rows, row -> at(row, "precision-recall", 0, "%.3f")));
        columns.add(column("recall", rows, row -> at(row, "precision-recall", 1, "%.3f")));
        columns.add(column("entropy", rows, row -> of(row, "class-histogram", "entropy-bits", "%.3f")));
        columns.add(column("as told", rows, row -> of(row, "class-histogram", "as-told", "%.3f")));
        columns.add(column("seconds", rows, row -> String.format(Locale.ROOT, "%.1f", row.get("seconds"))));
        columns.removeIf(column -> column.subList(1, column.size()).stream().allMatch(GAP::equals));
        List<String> lines = new ArrayList<>();
        for (int i = 0; i <= rows.size(); i++) {
            StringBuilder line = new StringBuilder("|");
            for (List<String> column : columns)
                line.append(' ').append(column.get(i)).append(" |");
            lines.add(line.toString());
        }
        lines.add(1, "|" + " --- |".repeat(columns.size()));
        return lines;
    }

    private interface Cell {
        String of(Map<String, Object> row);
    }

    private static List<String> column(String head, List<Map<String, Object>> rows, Cell cell) {
        List<String> column = new ArrayList<>(List.of(head));
        for (Map<String, Object> row : rows) column.add(cell.of(row));
        return column;
    }

    private static String plain(Object value) {
        return value == null ? GAP : value.toString();
    }

    private static String of(Map<String, Object> row, String metric, String name, String format) {
        return row.get(metric) instanceof Map<?, ?> found && found.get(name) instanceof Double value
                ? String.format(Locale.ROOT, format, value)
                : GAP;
    }

    private static String at(Map<String, Object> row, String metric, int place, String format) {
        return row.get(metric) instanceof List<?> found
                ? String.format(Locale.ROOT, format, (Double) found.get(place))
                : GAP;
    }
}
