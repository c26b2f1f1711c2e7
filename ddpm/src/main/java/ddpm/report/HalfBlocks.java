package ddpm.report;

/** Draws a picture in a terminal: each character cell shows two pixels, one above the other, as a half block ▀. */
public final class HalfBlocks {
    private HalfBlocks() {}

    /** The picture as lines of 24-bit colour escapes, reduced by a whole factor to at most {@code columns} wide. */
    public static String of(Picture picture, int columns) {
        int factor = (picture.width() + columns - 1) / columns;
        StringBuilder text = new StringBuilder();
        for (int y = 0; y + 2 * factor <= picture.height(); y += 2 * factor) {
            for (int x = 0; x + factor <= picture.width(); x += factor)
                text.append(escape(38, picture, x, y, factor))
                        .append(escape(48, picture, x, y + factor, factor))
                        .append('\u2580');
            text.append("\u001b[0m\n");
        }
        return text.toString();
    }

    /** Foreground (38) or background (48) in the mean colour of a square. */
    private static String escape(int ground, Picture p, int x, int y, int side) {
        int[] mean = new int[3];
        for (int c = 0; c < 3; c++) {
            for (int dy = 0; dy < side; dy++)
                for (int dx = 0; dx < side; dx++) mean[c] += p.value(x + dx, y + dy, p.channels() == 1 ? 0 : c);
            mean[c] /= side * side;
        }
        return "\u001b[" + ground + ";2;" + mean[0] + ";" + mean[1] + ";" + mean[2] + "m";
    }
}
