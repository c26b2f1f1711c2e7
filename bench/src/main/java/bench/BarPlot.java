package bench;

import java.util.Locale;
import java.util.Map;

/**
 * Two bars for each kind, side by side, as an SVG that needs nothing else.
 *
 * @param title what is shown, with its unit
 * @param first name of the first bar of each pair
 * @param second name of the second
 * @param values {first, second} of each kind, at least 0; a negative one is drawn as 0
 */
record BarPlot(String title, String first, String second, Map<String, double[]> values) {
    private static final int LEFT = 140;
    private static final int WIDTH = 480;
    private static final int ROW = 34;
    private static final String[] COLOUR = {"#2b6cb0", "#c05621"};

    String toSvg() {
        double most = values.values().stream()
                .mapToDouble(v -> Math.max(v[0], v[1]))
                .max()
                .orElse(1);
        int height = 60 + ROW * values.size();
        StringBuilder svg = new StringBuilder(String.format(
                Locale.ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\""
                        + " font-size=\"12\">%n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n",
                LEFT + WIDTH + 80,
                height));
        text(svg, 10, 20, "start", title);
        for (int i = 0; i < 2; i++) {
            bar(svg, LEFT + 160 * i, 32, 12, i);
            text(svg, LEFT + 160 * i + 18, 42, "start", i == 0 ? first : second);
        }
        int y = 56;
        for (Map.Entry<String, double[]> row : values.entrySet()) {
            text(svg, LEFT - 8, y + 17, "end", row.getKey());
            for (int i = 0; i < 2; i++) {
                double value = Math.max(0, row.getValue()[i]);
                double length = WIDTH * value / most;
                bar(svg, LEFT, y + 13 * i, length, i);
                text(svg, LEFT + length + 4, y + 13 * i + 10, "start", String.format(Locale.ROOT, "%.1f", value));
            }
            y += ROW;
        }
        return svg.append("</svg>\n").toString();
    }

    private static void bar(StringBuilder svg, double x, double y, double length, int which) {
        svg.append(String.format(
                Locale.ROOT,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"12\" fill=\"%s\"/>%n",
                x,
                y,
                length,
                COLOUR[which]));
    }

    private static void text(StringBuilder svg, double x, double y, String anchor, String words) {
        svg.append(String.format(
                Locale.ROOT,
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n",
                x,
                y,
                anchor,
                words.replace("&", "&amp;").replace("<", "&lt;")));
    }
}
