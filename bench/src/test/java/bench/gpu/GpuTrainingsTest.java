package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bench.Workload;
import datasets.Dataset;
import datasets.Datasets;
import java.io.IOException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GpuTrainingsTest {
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theProcessorsLossesComeAlong(boolean small) throws IOException {
        for (GpuTrainings.Run run : GpuTrainings.kept(small))
            assertEquals(run.steps(), GpuTrainings.keptLosses(run.name()).length, run.name());
        assertEquals(0, GpuTrainings.keptLosses("another").length);
    }

    @Test
    void differencesAreSeenInTheFirstLossesAndInTheMeanOfTheLast() {
        double[] kept = new double[200];
        Arrays.fill(kept, 2);
        double[] losses = kept.clone();
        assertEquals(0, GpuTrainings.first(losses, kept));
        assertEquals(0, GpuTrainings.last(losses, kept));
        losses[9] = 2.5;
        losses[10] = 7;
        losses[149] = 7;
        losses[150] = 1;
        losses[199] = 4;
        assertEquals(0.25, GpuTrainings.first(losses, kept), 1e-12);
        assertEquals(0.01, GpuTrainings.last(losses, kept), 1e-12);
        losses[0] = Double.NaN;
        losses[160] = Double.NaN;
        assertTrue(Double.isNaN(GpuTrainings.first(losses, kept)));
        assertTrue(Double.isNaN(GpuTrainings.last(losses, kept)));
    }

    @Test
    void imagesHaveTheSizeThatThePresetWasMadeFor() {
        Dataset fashion = Datasets.fashionTest();
        assertArrayEquals(
                fashion.pixels(5),
                GpuTrainings.images(Workload.settings("annotated", 8)).pixels(5));
        Dataset colour = GpuTrainings.images(Workload.settings("ddpm-cifar10", 4));
        byte[] image = colour.pixels(5);
        for (int row = 0; row < 32; row++)
            for (int column = 0; column < 32; column++)
                for (int c = 0; c < 3; c++) {
                    boolean inside = Math.min(row, column) >= 2 && Math.max(row, column) < 30;
                    int expected = inside ? fashion.pixels(5)[(row - 2) * 28 + column - 2] : 0;
                    assertEquals(expected, image[(row * 32 + column) * 3 + c]);
                }
        assertEquals(fashion.label(5), colour.label(5));
    }
}
