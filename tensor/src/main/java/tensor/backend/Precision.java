package tensor.backend;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import tensor.DType;

/** How exactly a network is computed. Parameters, sums, statistics, losses and updates are 32-bit floats in all of them. */
public enum Precision {
    /** Values in 32-bit floats and so is every product, no tensor cores. */
    FP32,
    /** Values in 32-bit floats; factors rounded to TF32 (10 bits of fraction, 8 of exponent) where the device has tensor cores for it; sums in 32-bit floats. */
    TF32,
    /** Values of the network and their gradients in {@link DType#BF16}; products of 32-bit floats as in {@link #TF32}. */
    BF16;

    /** The type of the values inside the network. */
    public DType compute() {
        return this == BF16 ? DType.BF16 : DType.F32;
    }

    /** That of a name, as {@link #toString} gives it. */
    public static Optional<Precision> named(String name) {
        return Arrays.stream(values()).filter(p -> p.toString().equals(name)).findFirst();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
