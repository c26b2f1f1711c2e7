package bench.interop;

import ddpm.exchange.NetworkDocument;
import ddpm.io.Json;
import ddpm.unet.AnnotatedConfig.BlockKind;
import ddpm.unet.AnnotatedConfig.Generation;
import ddpm.unet.LucidrainsConfig;
import ddpm.unet.UNet2DConfig;
import ddpm.unet.UNetConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Networks of each family: odd sides, attention at several levels, every option at least once. */
record InteropCases(String family, String name, UNetConfig config) {
    Peer peer() {
        if (config instanceof UNet2DConfig unet2d) return new PeerUNet2D(unet2d);
        if (config instanceof LucidrainsConfig lucidrains) return new PeerLucidrains(lucidrains);
        return new PeerAnnotated((ddpm.unet.AnnotatedConfig) config);
    }

    @Override
    public String toString() {
        return family + ": " + name;
    }

    static List<InteropCases> all() {
        List<InteropCases> all = new ArrayList<>();
        diffusers(all);
        annotated(all);
        lucidrains(all);
        return all;
    }

    private static void diffusers(List<InteropCases> all) {
        String family = "diffusers";
        all.add(new InteropCases(
                family,
                "ddpm 12x20, attention at 6x10",
                UNet2DConfig.ddpm(12, 20, 3, List.of(32, 64, 64), 2, List.of(1), 8, 0, false)));
        all.add(new InteropCases(
                family,
                "ddpm-cifar10-32 at a quarter of its width",
                UNet2DConfig.ddpm(32, 32, 3, List.of(32, 64, 64, 64), 2, List.of(1), 32, 0, false)));
        all.add(document(
                family,
                "class defaults, narrow, 24x8",
                "'sample_size': [24, 8], 'block_out_channels': [32, 32, 64, 64]"));
        all.add(document(
                family,
                "scale-shift, resnet resampling, heads of 8, mish, 14x10",
                "'sample_size': [14, 10], 'block_out_channels': [16, 24], 'norm_num_groups': 4, 'layers_per_block': 1,"
                        + " 'down_block_types': ['AttnDownBlock2D', 'AttnDownBlock2D'], 'up_block_types':"
                        + " ['AttnUpBlock2D', 'AttnUpBlock2D'], 'downsample_type': 'resnet', 'upsample_type':"
                        + " 'resnet', 'resnet_time_scale_shift': 'scale_shift', 'act_fn': 'mish'"));
        all.add(document(
                family,
                "resnet blocks, gelu, centred, learned variance, 20x12",
                "'sample_size': [20, 12], 'in_channels': 1, 'out_channels': 2, 'block_out_channels': [16, 16, 32],"
                        + " 'norm_num_groups': 8, 'down_block_types': ['ResnetDownsampleBlock2D', 'DownBlock2D',"
                        + " 'AttnDownBlock2D'], 'up_block_types': ['AttnUpBlock2D', 'UpBlock2D',"
                        + " 'ResnetUpsampleBlock2D'], 'act_fn': 'gelu', 'center_input_sample': true,"
                        + " 'mid_block_scale_factor': 1.4142, 'time_embedding_dim': 48"));
        all.add(document(
                family,
                "fourier features, relu, no attention in the middle, 7x9",
                "'sample_size': [7, 9], 'block_out_channels': [16], 'norm_num_groups': 4, 'down_block_types':"
                        + " ['AttnDownBlock2D'], 'up_block_types': ['UpBlock2D'], 'time_embedding_type': 'fourier',"
                        + " 'add_attention': false, 'act_fn': 'relu'"));
        all.add(document(
                family,
                "learned features, no middle, 10x6",
                "'sample_size': [10, 6], 'block_out_channels': [16, 16], 'norm_num_groups': 4, 'down_block_types':"
                        + " ['DownBlock2D', 'AttnDownBlock2D'], 'up_block_types': ['AttnUpBlock2D', 'UpBlock2D'],"
                        + " 'time_embedding_type': 'learned', 'num_train_timesteps': 100, 'mid_block_type': null"));
    }

    private static InteropCases document(String family, String name, String options) {
        String json = "{'_class_name': 'UNet2DModel', " + options + "}";
        return new InteropCases(
                family, name, NetworkDocument.read((Map<?, ?>) Json.parse(json.replace('\'', '"')), false));
    }

    private static void annotated(List<InteropCases> all) {
        for (Generation g : Generation.values()) {
            boolean blog = g == Generation.BLOG || g == Generation.BLOG_2023;
            String family = "annotated " + g.name().toLowerCase(java.util.Locale.ROOT);
            for (BlockKind block : BlockKind.values()) {
                if (blog && block == BlockKind.CONVNEXT) continue;
                all.add(new InteropCases(
                        family,
                        block.name().toLowerCase(java.util.Locale.ROOT) + ", 20x12x3, three levels",
                        g.network(20, 12, 3, 16, 16, List.of(1, 2, 3), block, 8, 2)));
            }
            all.add(new InteropCases(
                    family,
                    "as published, 28x28x1",
                    g.network(
                            28,
                            28,
                            1,
                            blog ? 28 : 18,
                            28,
                            List.of(1, 2, 4),
                            blog ? BlockKind.RESNET : BlockKind.CONVNEXT,
                            4,
                            2)));
            all.add(new InteropCases(
                    family,
                    "two levels, 14x10x2",
                    g.network(
                            14,
                            10,
                            2,
                            blog ? 12 : 7,
                            12,
                            List.of(1, 2),
                            blog ? BlockKind.RESNET : BlockKind.CONVNEXT,
                            4,
                            3)));
            all.add(new InteropCases(
                    family, "one level, 9x7x1", g.network(9, 7, 1, 8, 8, List.of(1), BlockKind.RESNET, 2, 2)));
        }
    }

    private static void lucidrains(List<InteropCases> all) {
        String family = "lucidrains";
        all.add(new InteropCases(
                family,
                "class defaults, dim 16, 24x40x3",
                LucidrainsConfig.of(24, 40, 3, 16, List.of(1, 2, 4, 8), 0, false)));
        all.add(new InteropCases(
                family, "two levels, 14x10x1", LucidrainsConfig.of(14, 10, 1, 24, List.of(1, 2), 0, false)));
        all.add(document2(
                "full attention everywhere, uneven heads, 12x20",
                "'_image_size': [12, 20], 'dim': 16, 'dim_mults': [1, 1, 2], 'init_dim': 20, 'full_attn': true,"
                        + " 'attn_heads': [1, 2, 3], 'attn_dim_head': [8, 16, 5], 'sinusoidal_pos_emb_theta': 500"));
        all.add(document2(
                "learned features, linear everywhere, 9x7",
                "'_image_size': [9, 7], 'dim': 16, 'dim_mults': [2], 'channels': 2, 'full_attn': [false],"
                        + " 'learned_sinusoidal_cond': true"));
        all.add(document2(
                "random features, learned variance, 10x6",
                "'_image_size': [10, 6], 'dim': 12, 'dim_mults': [1, 3], 'channels': 1, 'learned_variance': true,"
                        + " 'full_attn': [true, false], 'random_fourier_features': true, 'learned_sinusoidal_dim': 8"));
    }

    private static InteropCases document2(String name, String options) {
        return new InteropCases(
                "lucidrains",
                name,
                NetworkDocument.read(
                        (Map<?, ?>) Json.parse(
                                ("{'_class_name': 'Unet', '_library': 'denoising-diffusion-pytorch', " + options + "}")
                                        .replace('\'', '"')),
                        false));
    }
}
