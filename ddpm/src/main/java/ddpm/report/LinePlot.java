package ddpm.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Line plots as SVG text: axes with round ticks, a legend, light and dark. */
public final class LinePlot {
    private static final int WIDTH = 720;
    private static final int HEIGHT = 360;
    private static final int LEFT = 64;
    private static final int RIGHT = 16;
    private static final int TOP = 36;
    private static final int BOTTOM = 44;
    private static final String[] COLOURS = {
        "#2f6fde", "#d9622b", "#2a9d63", "#8b5cd6", "#c2323e", "#7a7f87", "#12a4b4",
    };

    private record Series(String name, double[] x, double[] y, boolean faint) {}

    private final String title;
    private final String xName;
    private final boolean logarithmic;
    private final List<Series> series = new ArrayList<>();

    /** A plot whose y axis is logarithmic or not. */
    public LinePlot(String title, String xName, boolean logarithmic) {
        this.title = title;
        this.xName = xName;
        this.logarithmic = logarithmic;
    }

    /** Adds a line; points that cannot be shown (not finite; not positive on a logarithmic axis) are left out. */
    public LinePlot line(String name, double[] x, double[] y) {
        return add(new Series(name, x, y, false));
    }

    /** Adds a line in the background. */
    public LinePlot faintLine(String name, double[] x, double[] y) {
        return add(new Series(name, x, y, true));
    }

    private LinePlot add(Series s) {
        if (s.x.length != s.y.length) throw new IllegalArgumentException("x and y of " + s.name + " differ in length");
        series.add(s);
        return this;
    }

    private boolean shown(double x, double y) {
        return Double.isFinite(x) && Double.isFinite(y) && (!logarithmic || y > 0);
    }

    /** The SVG document. */
    public String toSvg() {
        double[] range = {Double.MAX_VALUE, -Double.MAX_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE};
        for (Series s : series)
            for (int i = 0; i < s.x.length; i++)
                if (shown(s.x[i], s.y[i])) {
                    range[0] = Math.min(range[0], s.x[i]);
                    range[1] = Math.max(range[1], s.x[i]);
                    range[2] = Math.min(range[2], scaled(s.y[i]));
                    range[3] = Math.max(range[3], scaled(s.y[i]));
                }
        if (range[0] > range[1]) range = new double[] {0, 1, 0, 1};
        if (range[0] == range[1]) range[1] = range[0] + 1;
        if (range[2] == range[3]) range[3] = range[2] + 1;
        StringBuilder svg = new StringBuilder();
        svg.append("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ")
                .append(WIDTH)
                .append(' ');
        svg.append(HEIGHT).append("\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\">");
        svg.append("<style>.ink{fill:#3a3f47}.grid{stroke:#8884;stroke-width:1}");
        svg.append("@media (prefers-color-scheme:dark){.ink{fill:#c9ced6}}</style>");
        double legend = WIDTH - RIGHT;
        for (Series s : series) legend -= width(s);
        boolean crowded = LEFT + 8.0 * title.length() > legend; // the legend then has a line of its own
        int line = crowded ? 30 : 21;
        text(svg, LEFT, crowded ? 14 : 20, "start", title, 14);
        text(svg, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 8, "middle", xName, 12);
        axes(svg, range);
        int colour = 0;
        legend = WIDTH - RIGHT;
        for (Series s : series) {
            String stroke = COLOURS[colour++ % COLOURS.length];
            path(svg, s, range, stroke);
            legend -= width(s);
            svg.append(String.format(
                    Locale.ROOT,
                    "<rect x=\"%.1f\" y=\"%d\" width=\"10\" height=\"10\" rx=\"2\" fill=\"%s\"%s/>",
                    legend,
                    line - 9,
                    stroke,
                    s.faint ? " opacity=\"0.35\"" : ""));
            text(svg, legend + 14, line, "start", s.name, 12);
        }
        return svg.append("</svg>").toString();
    }

    /** Of a series in the legend. */
    private static double width(Series s) {
        return 14 + 7.0 * s.name.length() + 12;
    }

    private double scaled(double y) {
        return logarithmic ? Math.log10(y) : y;
    }

    private static double px(double x, double[] range) {
        return LEFT + (x - range[0]) / (range[1] - range[0]) * (WIDTH - LEFT - RIGHT);
    }

    private static double py(double y, double[] range) {
        return HEIGHT - BOTTOM - (y - range[2]) / (range[3] - range[2]) * (HEIGHT - TOP - BOTTOM);
    }

    private void axes(StringBuilder svg, double[] range) {
        for (double tick : ticks(range[0], range[1]))
            text(svg, px(tick, range), HEIGHT - BOTTOM + 18, "middle", number(tick), 11);
        for (double tick : ticks(range[2], range[3])) {
            double y = py(tick, range);
            svg.append(String.format(
                    Locale.ROOT,
                    "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
                    LEFT,
                    WIDTH - RIGHT,
                    y,
                    y));
            text(svg, LEFT - 8, y + 4, "end", number(logarithmic ? Math.pow(10, tick) : tick), 11);
        }
    }

    /** About five round numbers between two ends: multiples of 1, 2 or 5 times a power of ten. */
    static List<Double> ticks(double low, double high) {
        double rough = (high - low) / 5;
        double power = Math.pow(10, Math.floor(Math.log10(rough)));
        double step =
                rough / power > 5 ? 10 * power : rough / power > 2 ? 5 * power : rough / power > 1 ? 2 * power : power;
        List<Double> ticks = new ArrayList<>();
        for (long k = (long) Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) ticks.add(k * step);
        return ticks;
    }

    private static String number(double v) {
        String text = Math.abs(v) >= 1e5 || v != 0 && Math.abs(v) < 1e-3
                ? String.format(Locale.ROOT, "%.1e", v)
                : String.format(Locale.ROOT, "%.4f", v);
        return text.contains("e") ? text : text.replaceAll("0+$", "").replaceAll("\\.$", "");
    }

    private void path(StringBuilder svg, Series s, double[] range, String stroke) {
        StringBuilder d = new StringBuilder();
        // More points than pixels say nothing more: each column of half a pixel shows one.
        double last = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < s.x.length; i++) {
            if (!shown(s.x[i], s.y[i])) continue;
            double x = px(s.x[i], range);
            if (x - last < 0.5 && i < s.x.length - 1) continue;
            last = x;
            d.append(String.format(
                    Locale.ROOT, "%s%.1f %.1f", d.length() == 0 ? "M" : "L", x, py(scaled(s.y[i]), range)));
        }
        svg.append("<path fill=\"none\" stroke=\"").append(stroke).append("\" stroke-width=\"");
        svg.append(s.faint ? "1\" opacity=\"0.35" : "1.8")
                .append("\" d=\"")
                .append(d)
                .append("\"/>");
    }

    private static void text(StringBuilder svg, double x, double y, String anchor, String words, int size) {
        svg.append(String.format(
                Locale.ROOT,
                "<text class=\"ink\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">%s</text>",
                x,
                y,
                anchor,
                size,
                HtmlReport.escape(words)));
    }
}
