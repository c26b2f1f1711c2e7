package bench.libtorch;

/** libtorch with images one channel after the other. */
public final class ContiguousLibtorch extends LibtorchContestant {
    public ContiguousLibtorch(int threads) {
        super(threads, Layout.CONTIGUOUS);
    }
}
