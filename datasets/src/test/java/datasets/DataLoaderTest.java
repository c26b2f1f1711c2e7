package datasets;

import static datasets.Fixtures.refuses;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DataLoaderTest {
    private static final int N = 23;
    private static final int B = 5;

    /** 23 non-square colour images, label = index. */
    private static Dataset set() {
        return Dataset.of(
                "noise",
                4,
                3,
                3,
                Fixtures.random(N * 36, 1),
                IntStream.range(0, N).toArray());
    }

    private static DataLoader loader(long seed) {
        return DataLoader.over(set(), B, seed).randomFlips(true).open();
    }

    /** Everything a batch says, as values that outlive it. */
    private record Snapshot(long epoch, List<Float> pixels, List<Integer> labels) {
        static Snapshot of(Batch batch, int values) {
            List<Float> pixels = new ArrayList<>();
            for (int k = 0; k < batch.count() * values; k++) {
                pixels.add(batch.pixels()[k]);
            }
            return new Snapshot(
                    batch.epoch(),
                    pixels,
                    IntStream.range(0, batch.count())
                            .mapToObj(b -> batch.labels()[b])
                            .toList());
        }
    }

    private static List<Snapshot> take(DataLoader loader, int batches) {
        List<Snapshot> taken = new ArrayList<>();
        for (int k = 0; k < batches; k++) {
            taken.add(Snapshot.of(loader.next(), 36));
        }
        return taken;
    }

    @Test
    void anEpochShowsEveryImageOnceAndTheLastBatchIsShort() {
        try (DataLoader loader = loader(7)) {
            assertEquals(5, loader.batchesPerEpoch());
            for (int epoch = 0; epoch < 3; epoch++) {
                List<Integer> seen = new ArrayList<>();
                for (int b = 0; b < 5; b++) {
                    Snapshot batch = Snapshot.of(loader.next(), 36);
                    assertEquals(epoch, batch.epoch());
                    assertEquals(b < 4 ? B : 3, batch.labels().size());
                    seen.addAll(batch.labels());
                }
                assertEquals(
                        IntStream.range(0, N).boxed().toList(),
                        seen.stream().sorted().toList());
            }
        }
    }

    @Test
    void equalSeedsGiveEqualBatchesAndOtherSeedsAndEpochsOtherOrders() {
        try (DataLoader a = loader(7);
                DataLoader b = loader(7);
                DataLoader c = loader(8)) {
            List<Snapshot> first = take(a, 10);
            assertEquals(first, take(b, 10));
            assertNotEquals(first.get(0).labels(), take(c, 1).get(0).labels());
            assertNotEquals(first.get(0).labels(), first.get(5).labels());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 4, 5, 6, 9, 10, 14})
    void resumingAtAnyBatchIsBitIdentical(int cut) {
        List<Snapshot> straight;
        try (DataLoader loader = loader(7)) {
            straight = take(loader, 20);
        }
        DataLoader.State state;
        try (DataLoader before = loader(7)) {
            assertEquals(straight.subList(0, cut), take(before, cut));
            state = before.state();
        }
        assertEquals(new DataLoader.State(7, cut / 5, cut % 5), state);
        try (DataLoader after = loader(99)) {
            take(after, 2); // already running: what it prepared ahead must not leak through
            after.restore(state);
            assertEquals(state, after.state());
            assertEquals(straight.subList(cut, 20), take(after, 20 - cut));
        }
    }

    @Test
    void theStateCountsWhatWasDeliveredNotWhatWasPrepared() {
        try (DataLoader loader = loader(7)) {
            assertEquals(new DataLoader.State(7, 0, 0), loader.state());
            loader.next();
            assertEquals(new DataLoader.State(7, 0, 1), loader.state());
        }
    }

    @Test
    void flipsMirrorAboutHalfOfTheImagesAndChangeWithTheEpoch() {
        Dataset set = set();
        int flipped = 0;
        int changed = 0;
        boolean[] before = new boolean[N];
        float[] plain = new float[36];
        float[] mirrored = new float[36];
        try (DataLoader loader = loader(7)) {
            for (int k = 0; k < 200; k++) {
                Batch batch = loader.next();
                for (int b = 0; b < batch.count(); b++) {
                    int i = batch.labels()[b];
                    float[] x = Arrays.copyOfRange(batch.pixels(), b * 36, (b + 1) * 36);
                    set.read(i, plain, 0, false);
                    set.read(i, mirrored, 0, true);
                    boolean flip = Arrays.equals(mirrored, x);
                    assertTrue(flip || Arrays.equals(plain, x));
                    flipped += flip ? 1 : 0;
                    changed += flip != before[i] ? 1 : 0;
                    before[i] = flip;
                }
            }
        }
        assertEquals(0.5, flipped / (40.0 * N), 0.06);
        assertEquals(0.5, changed / (40.0 * N), 0.06);
    }

    @Test
    void buffersCirculate() {
        Set<float[]> buffers = Collections.newSetFromMap(new IdentityHashMap<>());
        try (DataLoader loader = loader(7)) {
            for (int k = 0; k < 100; k++) {
                buffers.add(loader.next().pixels());
            }
        }
        assertTrue(buffers.size() <= 4, buffers.size() + " buffers");
    }

    @Test
    void aBatchIsUntouchedUntilTheNextOne() {
        try (DataLoader loader = loader(7)) {
            for (int k = 0; k < 50; k++) {
                Batch batch = loader.next();
                Snapshot now = Snapshot.of(batch, 36);
                Thread.yield();
                assertEquals(now, Snapshot.of(batch, 36));
            }
        }
    }

    /** Fails on one image, as a set that reads files may. */
    private record Failing(Dataset good, RuntimeException failure) implements Dataset {
        @Override
        public String name() {
            return "failing";
        }

        @Override
        public String description() {
            return "failing";
        }

        @Override
        public int size() {
            return good.size();
        }

        @Override
        public int height() {
            return good.height();
        }

        @Override
        public int width() {
            return good.width();
        }

        @Override
        public int channels() {
            return good.channels();
        }

        @Override
        public int label(int i) {
            return good.label(i);
        }

        @Override
        public byte[] pixels(int i) {
            return good.pixels(i);
        }

        @Override
        public void read(int i, float[] target, int offset, boolean flipHorizontally) {
            if (i == 4) {
                throw failure;
            }
            good.read(i, target, offset, flipHorizontally);
        }

        @Override
        public String sha256() {
            return good.sha256();
        }
    }

    @Test
    void aFailureInTheBackgroundIsTheCauseInNext() {
        RuntimeException failure = new IllegalStateException("disk on fire");
        try (DataLoader loader =
                DataLoader.over(new Failing(set(), failure), B, 7).open()) {
            DatasetException thrown = assertThrows(DatasetException.class, () -> {
                for (int k = 0; k < 5; k++) {
                    loader.next();
                }
            });
            assertSame(failure, thrown.getCause());
            assertTrue(thrown.getMessage()
                    .contains("failing: reading batch " + loader.state().nextBatch()));
            assertSame(
                    failure, assertThrows(DatasetException.class, loader::next).getCause(), "again");
        }
    }

    @Test
    void closingEndsTheThreadAndTheLoader() {
        DataLoader loader = loader(7);
        loader.next();
        loader.close();
        loader.close();
        assertThrows(IllegalStateException.class, loader::next);
        assertFalse(Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().equals("data-loader") && thread.isAlive()));
    }

    @Test
    void impossibleBatchesAndStatesAreRefused() {
        refuses(() -> DataLoader.over(set(), 0, 1).open(), "batch size 0");
        refuses(() -> DataLoader.over(set(), Integer.MAX_VALUE, 1).open(), "batch size 2147483647");
        try (DataLoader loader = loader(7)) {
            for (DataLoader.State state : List.of(
                    new DataLoader.State(1, 0, 5), new DataLoader.State(1, 0, -1), new DataLoader.State(1, -1, 0))) {
                assertThrows(IllegalArgumentException.class, () -> loader.restore(state));
            }
        }
    }

    /** Numbers from a second implementation of the formulas of {@link Shuffle}, in another language. */
    @Test
    void theShuffleIsPinned() {
        int[] order = new int[10];
        Shuffle.permute(42, 0, order);
        assertArrayEquals(new int[] {7, 4, 6, 9, 0, 5, 3, 1, 8, 2}, order);
        Shuffle.permute(42, 1, order);
        assertArrayEquals(new int[] {3, 5, 6, 9, 8, 1, 0, 2, 7, 4}, order);
        StringBuilder flips = new StringBuilder();
        for (int position = 0; position < 12; position++) {
            flips.append(Shuffle.flips(42, 3, position) ? '1' : '0');
        }
        assertEquals("011000110111", flips.toString());
    }

    @Test
    void everyPlaceIsEquallyLikely() {
        int[][] count = new int[6][6];
        int[] order = new int[6];
        for (int epoch = 0; epoch < 6000; epoch++) {
            Shuffle.permute(3, epoch, order);
            for (int p = 0; p < 6; p++) {
                count[p][order[p]]++;
            }
        }
        for (int[] row : count) {
            for (int c : row) {
                assertEquals(1000, c, 150); // 5 standard deviations of the binomial: 5·√(6000·1/6·5/6) = 144
            }
        }
    }
}
