package tensor.backend;

import java.util.Locale;

/** How exactly products and convolutions of {@link tensor.DType#F32} tensors are computed. */
public enum Precision {
    /** Every product in 32-bit floats, no tensor cores. */
    FP32,
    /** Factors rounded to TF32 (10 bits of fraction, 8 of exponent) where the device has tensor cores for it; sums in 32-bit floats. */
    TF32;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
