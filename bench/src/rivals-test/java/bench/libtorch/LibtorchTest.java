package bench.libtorch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class LibtorchTest {
    @BeforeAll
    static void open() {
        Libtorch.open(1);
    }

    @Test
    void itIsTheOfficialBuildWithMklAndOneDnn() {
        assertTrue(torch.hasMKL() && torch.hasMKLDNN(), Libtorch.description());
        assertEquals(1, torch.get_num_threads());
    }

    @Test
    void valuesAreRowMajorWhateverTheMemoryFormat() {
        Tensor x = Libtorch.tensor(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 1, 2, 2, 2);
        Tensor last = x.contiguous(torch.MemoryFormat.ChannelsLast);
        assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, Libtorch.values(last));
        assertArrayEquals(
                new float[] {19, 22, 43, 50},
                Libtorch.values(torch.matmul(
                        Libtorch.tensor(new float[] {1, 2, 3, 4}, 2, 2),
                        Libtorch.tensor(new float[] {5, 6, 7, 8}, 2, 2))));
    }
}
