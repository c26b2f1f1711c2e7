package bench.libtorch;

import tensor.backend.Precision;

/** libtorch with all channels of a pixel side by side. */
public final class ChannelsLastLibtorch extends LibtorchContestant {
    public ChannelsLastLibtorch(int threads, Precision precision) {
        super(threads, precision, Layout.CHANNELS_LAST);
    }
}
