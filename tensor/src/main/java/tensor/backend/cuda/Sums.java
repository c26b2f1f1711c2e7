package tensor.backend.cuda;

/** The C structure {@code Sums}: last stages of sums for one kernel. */
final class Sums extends Pieces {
    /** Most sums. */
    private static final int MOST = 80;
    /** Bytes of one entry: three addresses and six numbers. */
    private static final int ENTRY = 3 * 8 + 6 * 4;
    /** Outputs of a thread block. */
    private static final int PIECE = 32;

    Sums() {
        super(MOST, ENTRY, PIECE);
    }

    /** From partial, slices of outputs that are {@code row} floats apart, to the first {@code split} outputs at y and the others at rest. */
    void add(long partial, long y, long rest, int outputs, int slices, int row, int split, boolean half) {
        int at = end();
        entries().putLong(at, partial).putLong(at + 8, y).putLong(at + 16, rest);
        entries().putInt(at + 24, outputs).putInt(at + 28, slices).putInt(at + 32, row);
        entries().putInt(at + 36, split).putInt(at + 40, half ? 1 : 0).putInt(at + 44, pieces());
        count(outputs);
    }
}
