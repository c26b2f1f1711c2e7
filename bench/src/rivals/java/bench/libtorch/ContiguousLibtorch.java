package bench.libtorch;

import tensor.backend.Precision;

/** libtorch with images one channel after the other. */
public final class ContiguousLibtorch extends LibtorchContestant {
    public ContiguousLibtorch(int threads, Precision precision) {
        super(threads, precision, Layout.CONTIGUOUS);
    }
}
