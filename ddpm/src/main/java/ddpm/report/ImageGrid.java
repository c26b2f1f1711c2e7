package ddpm.report;

import java.util.List;

/** Small pictures put together into one: samples as a square, a film as a strip. */
public final class ImageGrid {
    private static final int GAP = 2;
    private static final int WHITE = 255;
    /** Sides below this are enlarged by whole factors until they reach it. */
    private static final int VISIBLE = 56;

    private ImageGrid() {}

    /** Rows of equal length, as near to a square as can be, with white lines between. All have one size. */
    public static Picture square(List<Picture> pictures) {
        return rows(pictures, (int) Math.ceil(Math.sqrt(pictures.size())));
    }

    /** Rows of {@code columns} pictures, enlarged by a whole factor when small. */
    public static Picture rows(List<Picture> pictures, int columns) {
        Picture first = pictures.get(0);
        int factor = Math.max(
                1, (VISIBLE + Math.max(first.width(), first.height()) - 1) / Math.max(first.width(), first.height()));
        int w = first.width() * factor + GAP;
        int h = first.height() * factor + GAP;
        int rows = (pictures.size() + columns - 1) / columns;
        Picture grid = Picture.blank(columns * w + GAP, rows * h + GAP, first.channels(), WHITE);
        for (int i = 0; i < pictures.size(); i++)
            grid.paste(pictures.get(i).enlarged(factor), GAP + i % columns * w, GAP + i / columns * h);
        return grid;
    }

    /** All images of a batch [N,H,W,C] in [−1, 1]. */
    public static List<Picture> split(float[] batch, int height, int width, int channels) {
        int n = batch.length / (height * width * channels);
        return java.util.stream.IntStream.range(0, n)
                .mapToObj(i -> Picture.of(batch, i, height, width, channels))
                .toList();
    }
}
