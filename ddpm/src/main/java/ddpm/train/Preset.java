package ddpm.train;

import static ddpm.train.Setting.*;

import ddpm.diffusion.NoiseSchedule;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** Starting points for {@link Settings}, each with its source. */
public enum Preset {
    /**
     * The default: the best pictures of those that candidates made on two CPU cores in eight minutes (the table is in the
     * README). {@link #FASHION} without labels, at half its width and less, with T = 300 and small batches.
     */
    QUICK {
        @Override
        void fill(Map<Setting, Object> s) {
            eightMinutes(s);
            s.put(DIM, 16L);
            s.put(DIM_MULTS, List.of(1L, 2L, 2L));
        }
    },
    /**
     * The notebook "The Annotated Diffusion Model", exactly: ConvNeXt blocks, T = 200, unscaled linear schedule,
     * smooth L1, Adam at 1e−3, batch 128, 5 epochs, flips, no EMA, no clipping. Mended: (1) the step counter that
     * restarts every epoch, so that its sampling never runs; (2) the sampling call that would fail if it ran; (3) the
     * skip that is kept and never used, with the test for a last level that cannot come (no number changes); (4) the
     * conversion to 8 bits that wraps round instead of clamping.
     */
    ANNOTATED {
        @Override
        void fill(Map<Setting, Object> s) {
            s.put(EPOCHS, 5L);
            s.put(BATCH_SIZE, 128L);
            s.put(LR, 1e-3);
            s.put(TOPOLOGY, "notebook");
            s.put(BLOCK, "convnext");
            s.put(TIMESTEPS, 200L);
            s.put(SCHEDULE, "linear");
        }
    },
    /**
     * The later text of its blog: ResNet blocks with weight-standardised filters and scale-shift, T = 300, 6 epochs,
     * otherwise as {@link #ANNOTATED}. Its standardisation, wrong in print for a year (multiplied by the deviation),
     * is the right one.
     */
    ANNOTATED_RESNET {
        @Override
        void fill(Map<Setting, Object> s) {
            s.put(EPOCHS, 6L);
            s.put(BATCH_SIZE, 128L);
            s.put(LR, 1e-3);
            s.put(TOPOLOGY, "blog");
            s.put(SCALE_SHIFT, true);
            s.put(STANDARDIZED, true);
            s.put(TIMESTEPS, 300L);
            s.put(SCHEDULE, "linear");
        }
    },
    /**
     * Good Fashion-MNIST from two CPU cores in an hour (bench/results/quality.md): the network of {@link #DDPM_CIFAR10} at a
     * quarter of its width, with three levels of one block each and attention at 14x14; told the class of each image (with that
     * it learns more from as many, and can be asked for a boot); cosine schedule, v (the schedule ends with next to no signal,
     * where the noise says nothing of the picture), no flips (most garments face one way, and a model of their mirror images is
     * measured against data that has none), the rate decays to 0, EMA.
     */
    FASHION {
        @Override
        void fill(Map<Setting, Object> s) {
            s.put(FLIP, false);
            s.put(TARGET, "v");
            s.put(LABELS, true);
            s.put(STEPS, 6000L);
            s.put(BATCH_SIZE, 128L);
            s.put(LR, 1e-3);
            s.put(WARMUP, 200L);
            s.put(DECAY, "cosine");
            s.put(CLIP, 1.0);
            s.put(EMA, 0.999);
            s.put(TOPOLOGY, "ddpm");
            s.put(DIM, 32L);
            s.put(DIM_MULTS, List.of(1L, 2L, 4L));
            s.put(GROUPS, 8L);
            s.put(ZERO_INIT, true);
            s.put(ATTENTION_LEVELS, List.of(1L));
            s.put(TIMESTEPS, 1000L);
            s.put(SCHEDULE, "cosine");
            s.put(LOSS, "l2");
            s.put(CLIP_X0, true);
        }
    },
    /**
     * Ho et al. 2020, CIFAR-10, appendix B: 35.7 M parameters, T = 1000, L2, Adam at 2e−4 after 5,000 steps of
     * warm-up, gradient norm at most 1, dropout 0.1, EMA 0.9999, 800,000 steps at batch 128, variance β_t, x̂₀ clipped.
     */
    DDPM_CIFAR10 {
        @Override
        void fill(Map<Setting, Object> s) {
            s.put(DATA, "cifar10");
            s.put(STEPS, 800_000L);
            s.put(BATCH_SIZE, 128L);
            s.put(LR, 2e-4);
            s.put(WARMUP, 5000L);
            s.put(CLIP, 1.0);
            s.put(EMA, 0.9999);
            s.put(TOPOLOGY, "ddpm");
            s.put(DIM, 128L);
            s.put(DIM_MULTS, List.of(1L, 2L, 2L, 2L));
            s.put(GROUPS, 32L);
            s.put(ZERO_INIT, true);
            s.put(DROPOUT, 0.1);
            s.put(BLOCKS_PER_LEVEL, 2L);
            s.put(ATTENTION_LEVELS, List.of(1L));
            s.put(TIMESTEPS, 1000L);
            s.put(SCHEDULE, "linear");
            s.put(LOSS, "l2");
            s.put(VARIANCE, "fixed-large");
            s.put(CLIP_X0, true);
        }
    },
    /**
     * The first stage of a cascade over the Noto emoji (Ho et al. 2021, Cascaded Diffusion Models), 16x16: the network of
     * {@link #FASHION}, for eight minutes. The pictures are looked for in the folder {@code emoji}, see the README.
     */
    EMOJI_16 {
        @Override
        void fill(Map<Setting, Object> s) {
            emoji(s, 16, 0);
        }
    },
    /** The second stage: 16x16 to 32x32. */
    EMOJI_32 {
        @Override
        void fill(Map<Setting, Object> s) {
            emoji(s, 32, 16);
            s.put(DIM, 24L);
        }
    },
    /** The third stage: 32x32 to 64x64. Its attention is at 16x16, like the second's. */
    EMOJI_64 {
        @Override
        void fill(Map<Setting, Object> s) {
            emoji(s, 64, 32);
            s.put(DIM, 16L);
            s.put(ATTENTION_LEVELS, List.of(2L));
        }
    };

    abstract void fill(Map<Setting, Object> s);

    private static void emoji(Map<Setting, Object> s, long side, long lowResolution) {
        eightMinutes(s); // without mirror images too: letters and digits are among the emoji
        s.put(DATA, "emoji");
        s.put(IMAGE_SIZE, side);
        s.put(LOW_RESOLUTION, lowResolution);
    }

    /** {@link #FASHION} in short, for pictures of any kind: without labels, with fewer timesteps and small batches. */
    private static void eightMinutes(Map<Setting, Object> s) {
        FASHION.fill(s);
        s.put(LABELS, false);
        s.put(TIMESTEPS, 300L);
        s.put(BATCH_SIZE, 32L);
        s.put(STEPS, 0L);
        s.put(MAX_MINUTES, 8.0);
    }

    /** The value of every setting. */
    Map<Setting, Object> settings() {
        Map<Setting, Object> s = new EnumMap<>(Setting.class);
        s.put(PRESET, Kind.Choice.word(this));
        s.put(DATA, "fashion");
        s.put(IMAGE_SIZE, 0L);
        s.put(FLIP, true);
        s.put(STEPS, 0L);
        s.put(EPOCHS, 0L);
        s.put(MAX_MINUTES, 0.0);
        s.put(ACCUMULATE, 1L);
        s.put(WARMUP, 0L);
        s.put(DECAY, "constant");
        s.put(CLIP, 0.0);
        s.put(EMA, 0.0);
        s.put(NETWORK, Map.of());
        s.put(DIM, 28L);
        s.put(DIM_MULTS, List.of(1L, 2L, 4L));
        s.put(BLOCK, "resnet");
        s.put(GROUPS, 4L);
        s.put(SCALE_SHIFT, false);
        s.put(STANDARDIZED, false);
        s.put(ZERO_INIT, false);
        s.put(DROPOUT, 0.0);
        s.put(BLOCKS_PER_LEVEL, 1L);
        s.put(ATTENTION_LEVELS, List.of());
        s.put(TARGET, "epsilon");
        s.put(BETA_START, NoiseSchedule.BETA_START);
        s.put(BETA_END, NoiseSchedule.BETA_END);
        s.put(SPACING, "linspace");
        s.put(OBJECTIVE, "simple");
        s.put(LOSS, "huber");
        s.put(MIN_SNR, 0.0);
        s.put(OFFSET_NOISE, 0.0);
        s.put(ZERO_SNR, false);
        s.put(T_SAMPLING, "uniform");
        s.put(SELF_CONDITION, false);
        s.put(LOW_RESOLUTION, 0L);
        s.put(LOW_NOISE_MAX, 0.4);
        s.put(LOW_NOISE, 0.1);
        s.put(LABELS, false);
        s.put(LABEL_DROPOUT, 0.1);
        s.put(GUIDANCE, 1.0);
        s.put(GUIDANCE_RESCALE, 0.0);
        s.put(SAMPLER, "ddpm");
        s.put(SAMPLING_STEPS, 0L);
        s.put(ETA, 0.0);
        s.put(VARIANCE, "fixed-small");
        s.put(CLIP_X0, false);
        s.put(SEED, 42L);
        s.put(SAMPLES, 16L);
        s.put(SAMPLE_EVERY, 0L);
        s.put(SAVE_EVERY, 0L);
        s.put(KEEP, 2L);
        fill(s);
        return s;
    }
}
