package ddpm.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * At most 256 colours for a set of pictures. Grey needs no choice. For RGB, median cut (Heckbert 1982): the box of
 * colours with the widest side is cut at the median of that side until there are 256 boxes; a box stands for the mean of
 * its colours. Colours are first rounded to 5 bits a channel, so that the histogram stays small.
 */
final class Palette {
    private static final int SIZE = 256;

    private final byte[][] colours; // [3][256]
    private final Map<Integer, Integer> nearest = new HashMap<>();
    private final boolean grey;

    private Palette(byte[][] colours, boolean grey) {
        this.colours = colours;
        this.grey = grey;
    }

    /** A colour cell and how often it occurs. */
    private record Cell(int r, int g, int b, int count) {
        int side(int axis) {
            return axis == 0 ? r : axis == 1 ? g : b;
        }
    }

    static Palette of(List<Picture> pictures) {
        byte[][] colours = new byte[3][SIZE];
        if (pictures.get(0).channels() == 1) {
            for (int i = 0; i < SIZE; i++) colours[0][i] = colours[1][i] = colours[2][i] = (byte) i;
            return new Palette(colours, true);
        }
        List<List<Cell>> boxes = new ArrayList<>(List.of(histogram(pictures)));
        while (boxes.size() < SIZE) {
            List<Cell> widest = null;
            int axis = 0;
            int extent = 0;
            for (List<Cell> box : boxes)
                for (int a = 0; a < 3; a++)
                    if (extent(box, a) > extent) {
                        widest = box;
                        axis = a;
                        extent = extent(box, a);
                    }
            if (widest == null) break;
            boxes.remove(widest);
            boxes.addAll(cut(widest, axis));
        }
        for (int i = 0; i < boxes.size(); i++) {
            long total = boxes.get(i).stream().mapToLong(Cell::count).sum();
            for (int a = 0; a < 3; a++) {
                int axis = a;
                long sum = boxes.get(i).stream()
                        .mapToLong(c -> (long) c.side(axis) * c.count())
                        .sum();
                colours[a][i] = (byte) Math.min(255, Math.round((double) sum / total * 255 / 31));
            }
        }
        return new Palette(colours, false);
    }

    private static List<Cell> histogram(List<Picture> pictures) {
        int[] counts = new int[1 << 15];
        for (Picture p : pictures) for (int i = 0; i < p.pixels().length; i += 3) counts[cell(p.pixels(), i)]++;
        List<Cell> cells = new ArrayList<>();
        for (int k = 0; k < counts.length; k++)
            if (counts[k] > 0) cells.add(new Cell(k >> 10, k >> 5 & 31, k & 31, counts[k]));
        return cells;
    }

    private static int cell(byte[] pixels, int i) {
        return five(pixels[i]) << 10 | five(pixels[i + 1]) << 5 | five(pixels[i + 2]);
    }

    private static int five(byte value) {
        return ((value & 0xff) * 31 + 127) / 255;
    }

    private static int extent(List<Cell> box, int axis) {
        int min = 31;
        int max = 0;
        for (Cell c : box) {
            min = Math.min(min, c.side(axis));
            max = Math.max(max, c.side(axis));
        }
        return max - min;
    }

    /** Two boxes with about half of the pixels each. */
    private static List<List<Cell>> cut(List<Cell> box, int axis) {
        List<Cell> sorted = new ArrayList<>(box);
        sorted.sort(Comparator.comparingInt(c -> c.side(axis)));
        long half = sorted.stream().mapToLong(Cell::count).sum() / 2;
        int at = 0;
        for (long seen = 0; at < sorted.size() - 1 && seen < half; at++)
            seen += sorted.get(at).count();
        at = Math.max(1, at);
        return List.of(sorted.subList(0, at), sorted.subList(at, sorted.size()));
    }

    /** Red, green and blue of every entry. */
    byte[][] colours() {
        return colours;
    }

    /** The entry for each pixel of a picture. */
    byte[] indices(Picture picture) {
        if (grey) return picture.pixels();
        byte[] indices = new byte[picture.width() * picture.height()];
        for (int i = 0; i < indices.length; i++)
            indices[i] = (byte) (int) nearest.computeIfAbsent(cell(picture.pixels(), 3 * i), this::search);
        return indices;
    }

    private int search(int cell) {
        int r = (cell >> 10) * 255 / 31;
        int g = (cell >> 5 & 31) * 255 / 31;
        int b = (cell & 31) * 255 / 31;
        int best = 0;
        int least = Integer.MAX_VALUE;
        for (int k = 0; k < SIZE; k++) {
            int dr = r - (colours[0][k] & 0xff);
            int dg = g - (colours[1][k] & 0xff);
            int db = b - (colours[2][k] & 0xff);
            int distance = dr * dr + dg * dg + db * db;
            if (distance < least) {
                least = distance;
                best = k;
            }
        }
        return best;
    }
}
