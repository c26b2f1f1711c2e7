package nativelib;

/** The processor as the native library sees it: instruction set, threads, where the threads run. */
public final class Cpu {
    private Cpu() {}

    /** The instruction set the kernels were chosen for: {@code avx512} or {@code avx2}; {@code none} when the processor has neither. */
    public static native String isa();

    /** Whether there are kernels for bfloat16 here: they ask for AVX-512. They are fast where {@link #multipliesHalves()}. */
    public static boolean hasHalves() {
        return isa().equals("avx512");
    }

    /** Whether the processor multiplies bfloat16 by itself (AVX512_BF16), twice as fast as floats. */
    public static native boolean multipliesHalves();

    /**
     * How many threads compute from now on, at least 1; the new threads are placed on cores of their own, and the calling one
     * keeps off these.
     *
     * @param busy numbers of cores that are taken last
     */
    static native void threads(int count, int[] busy);

    /** On how many cores this process may run. */
    static native int allowed();

    /** Lets the calling thread run on every core again; processes that it starts inherit where it may run. */
    public static native void leave();

    /** How many threads compute. */
    public static native int threads();

    /** Name and version of oneDNN, as it tells them. */
    static native String oneDnn();
}
