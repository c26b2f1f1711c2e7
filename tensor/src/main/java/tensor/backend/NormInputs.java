package tensor.backend;

import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import tensor.Tensor;

/**
 * The tensors that {@link Backend#groupNorm} computes with; and, each in the place of its own, their gradients.
 *
 * @param x [N, …, C]
 * @param offset [N, C], added to x; {@code null}: 0
 * @param gamma [C], the affine map's factor; {@code null} together with beta: 1 and 0
 * @param beta [C]
 * @param scale [N, C], what the time makes of a factor; {@code null} together with shift: 0 and 0
 * @param shift [N, C]
 */
public record NormInputs(Tensor x, Tensor offset, Tensor gamma, Tensor beta, Tensor scale, Tensor shift) {
    /** Only x: no affine map, no conditioning. */
    public static NormInputs of(Tensor x) {
        return new NormInputs(x, null, null, null, null, null);
    }

    /** Those that are there, in order. */
    public List<Tensor> tensors() {
        return Stream.of(x, offset, gamma, beta, scale, shift)
                .filter(Objects::nonNull)
                .toList();
    }
}
