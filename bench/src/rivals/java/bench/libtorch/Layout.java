package bench.libtorch;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** How libtorch keeps images in memory; their axes are always N, C, H, W to it. */
enum Layout {
    /** One channel after the other: PyTorch's own. */
    CONTIGUOUS,
    /** All channels of a pixel side by side, as in this project. */
    CHANNELS_LAST;

    /** A tensor of images or filters in this layout. */
    Tensor of(Tensor x) {
        if (x.dim() != 4) return x.contiguous();
        return x.contiguous(this == CONTIGUOUS ? torch.MemoryFormat.Contiguous : torch.MemoryFormat.ChannelsLast);
    }
}
