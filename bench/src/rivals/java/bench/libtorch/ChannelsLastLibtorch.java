package bench.libtorch;

/** libtorch with all channels of a pixel side by side. */
public final class ChannelsLastLibtorch extends LibtorchContestant {
    public ChannelsLastLibtorch(int threads) {
        super(threads, Layout.CHANNELS_LAST);
    }
}
