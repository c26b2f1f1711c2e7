package ddpm.exchange;

import ddpm.unet.Activation;
import ddpm.unet.UNet2DConfig;
import ddpm.unet.UNet2DConfig.LevelKind;
import ddpm.unet.UNet2DConfig.Time;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The {@code config.json} of diffusers' {@code UNet2DModel}, with its defaults. What pixel models without labels use is
 * here; label embeddings and the FIR-resampled "skip" blocks are refused by name.
 */
final class UNet2DDocument {
    static final String CLASS = "UNet2DModel";

    private enum TimeNorm {
        DEFAULT,
        SCALE_SHIFT
    }

    private enum Resampling {
        CONV,
        RESNET
    }

    private UNet2DDocument() {}

    static UNet2DConfig read(Map<?, ?> json, boolean zeroInit) {
        Options o = new Options(CLASS, json);
        o.only("_class_name", CLASS);
        o.ignore("_diffusers_version", "_name_or_path");
        int[] sides = o.sides("sample_size");
        List<Integer> widths = o.wholes("block_out_channels", List.of(224, 448, 672, 896));
        if (widths.isEmpty()) throw new IllegalArgumentException(CLASS + ": block_out_channels needs a level");
        Time time = o.choice("time_embedding_type", Time.class, Time.POSITIONAL);
        int trainTimesteps = o.has("num_train_timesteps") ? o.whole("num_train_timesteps", 0, 1) : 0;
        int groups = o.whole("norm_num_groups", 32, 1);
        boolean scaleShift =
                o.choice("resnet_time_scale_shift", TimeNorm.class, TimeNorm.DEFAULT) == TimeNorm.SCALE_SHIFT;
        if (o.has("mid_block_type")) o.only("mid_block_type", "UNetMidBlock2D");
        o.only("class_embed_type", null);
        o.only("num_class_embeds", null);
        o.only("attention_legacy_order", false);
        UNet2DConfig config = new UNet2DConfig(
                sides[0],
                sides[1],
                o.whole("in_channels", 3, 1),
                o.whole("out_channels", 3, 1),
                o.flag("center_input_sample", false),
                time,
                o.has("time_embedding_dim") ? o.whole("time_embedding_dim", 0, 1) : 4 * widths.get(0),
                o.whole("freq_shift", 0, 0),
                o.flag("flip_sin_to_cos", true),
                trainTimesteps,
                levels(o, "down_block_types", "DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
                !json.containsKey("mid_block_type") || json.get("mid_block_type") != null,
                levels(o, "up_block_types", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
                widths,
                o.whole("layers_per_block", 2, 1),
                o.number("mid_block_scale_factor", 1),
                o.whole("downsample_padding", 1, 0),
                o.choice("downsample_type", Resampling.class, Resampling.CONV) == Resampling.RESNET,
                o.choice("upsample_type", Resampling.class, Resampling.CONV) == Resampling.RESNET,
                o.number("dropout", 0),
                activation(o),
                json.containsKey("attention_head_dim") && json.get("attention_head_dim") == null
                        ? nothing(o, "attention_head_dim")
                        : o.whole("attention_head_dim", 8, 1),
                groups,
                o.has("attn_norm_num_groups") ? o.whole("attn_norm_num_groups", 0, 1) : scaleShift ? 0 : groups,
                o.number("norm_eps", 1e-5),
                scaleShift,
                o.flag("add_attention", true),
                zeroInit);
        o.done();
        return config;
    }

    private static int nothing(Options o, String key) {
        o.ignore(key);
        return 0;
    }

    private static Activation activation(Options o) {
        String word = o.text("act_fn", "silu").toLowerCase(Locale.ROOT);
        return switch (word) {
            case "silu", "swish" -> Activation.SILU;
            case "mish" -> Activation.MISH;
            case "gelu" -> Activation.GELU;
            case "relu" -> Activation.RELU;
            default ->
                throw new IllegalArgumentException(
                        CLASS + ": act_fn can be silu, swish, mish, gelu or relu, not " + word);
        };
    }

    /** The kinds of levels; by default one level at an end is plain and three others have attention. */
    private static List<LevelKind> levels(Options o, String key, String base, String first, String second) {
        boolean down = base.equals("DownBlock2D");
        List<String> otherwise = down ? List.of(first, second, second, second) : List.of(first, first, first, second);
        List<LevelKind> kinds = new ArrayList<>();
        for (String word : o.texts(key, otherwise)) {
            String name = word.startsWith("UNetRes") ? word.substring("UNetRes".length()) : word;
            if (name.equals(base)) kinds.add(LevelKind.PLAIN);
            else if (name.equals("Attn" + base)) kinds.add(LevelKind.ATTENTION);
            else if (name.equals(resnet(down))) kinds.add(LevelKind.RESNET);
            else
                throw new IllegalArgumentException(CLASS + ": " + key + " can hold " + base + ", Attn" + base + " and "
                        + resnet(down) + ", not " + word);
        }
        return kinds;
    }

    private static String resnet(boolean down) {
        return down ? "ResnetDownsampleBlock2D" : "ResnetUpsampleBlock2D";
    }

    static Map<String, Object> write(UNet2DConfig c) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("_class_name", CLASS);
        json.put("_diffusers_version", "0.30.0");
        json.put("act_fn", c.activation().name().toLowerCase(Locale.ROOT));
        json.put("add_attention", c.middleAttention());
        json.put("attention_head_dim", c.headWidth() == 0 ? null : (long) c.headWidth());
        boolean usual = c.middleGroups() == (c.scaleShift() ? 0 : c.groups());
        json.put("attn_norm_num_groups", usual ? null : (long) c.middleGroups());
        json.put("block_out_channels", numbers(c.widths()));
        json.put("center_input_sample", c.centerInput());
        json.put("class_embed_type", null);
        json.put("down_block_types", words(c.down(), true));
        json.put("downsample_padding", (long) c.downsamplePadding());
        json.put("downsample_type", c.resnetDown() ? "resnet" : "conv");
        json.put("dropout", c.dropout());
        json.put("flip_sin_to_cos", c.cosinesFirst());
        json.put("freq_shift", (long) c.freqShift());
        json.put("in_channels", (long) c.channels());
        json.put("layers_per_block", (long) c.layersPerBlock());
        json.put("mid_block_scale_factor", c.middleScale());
        json.put("mid_block_type", c.middle() ? "UNetMidBlock2D" : null);
        json.put("norm_eps", c.eps());
        json.put("norm_num_groups", (long) c.groups());
        json.put("num_class_embeds", null);
        json.put("num_train_timesteps", c.trainTimesteps() == 0 ? null : (long) c.trainTimesteps());
        json.put("out_channels", (long) c.outChannels());
        json.put("resnet_time_scale_shift", c.scaleShift() ? "scale_shift" : "default");
        json.put(
                "sample_size",
                c.height() == c.width() ? (Object) (long) c.height() : List.of((long) c.height(), (long) c.width()));
        json.put("time_embedding_dim", c.timeWidth() == 4 * c.widths().get(0) ? null : (long) c.timeWidth());
        json.put("time_embedding_type", c.time().name().toLowerCase(Locale.ROOT));
        json.put("up_block_types", words(c.up(), false));
        json.put("upsample_type", c.resnetUp() ? "resnet" : "conv");
        return json;
    }

    static List<Object> numbers(List<Integer> values) {
        return values.stream().map(v -> (Object) (long) v).toList();
    }

    private static List<Object> words(List<LevelKind> kinds, boolean down) {
        String base = down ? "DownBlock2D" : "UpBlock2D";
        List<Object> words = new ArrayList<>();
        for (LevelKind kind : kinds)
            words.add(
                    switch (kind) {
                        case PLAIN -> base;
                        case ATTENTION -> "Attn" + base;
                        case RESNET -> resnet(down);
                    });
        return words;
    }
}
