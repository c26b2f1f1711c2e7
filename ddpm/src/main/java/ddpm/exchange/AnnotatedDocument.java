package ddpm.exchange;

import ddpm.unet.AnnotatedConfig;
import ddpm.unet.AnnotatedConfig.BlockKind;
import ddpm.unet.AnnotatedConfig.Generation;
import ddpm.unet.AnnotatedConfig.Topology;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The arguments of the class {@code Unet} of "The Annotated Diffusion Model", and, with an underscore in front, what the
 * class does not say: which published generation of it, and for what images.
 *
 * <pre>{"_class_name": "Unet", "_library": "annotated", "_generation": "notebook", "_image_size": [28, 28],
 *  "dim": 28, "init_dim": 18, "dim_mults": [1, 2, 4], "channels": 1, "use_convnext": true, …}</pre>
 */
final class AnnotatedDocument {
    static final String LIBRARY = "annotated";

    private AnnotatedDocument() {}

    static AnnotatedConfig read(Map<?, ?> json, boolean zeroInit) {
        Options o = new Options("annotated Unet", json);
        o.ignore("_class_name", "_library", "_diffusion");
        Generation generation = o.choice("_generation", Generation.class, null);
        boolean blog = generation == Generation.BLOG || generation == Generation.BLOG_2023;
        int[] sides = o.sides("_image_size");
        int dim = o.whole("dim", 0, 4);
        int stem = o.has("init_dim") ? o.whole("init_dim", 0, 1) : blog ? dim : dim / 3 * 2;
        int channels = o.whole("channels", 3, 1);
        if (o.has("out_dim")) o.only("out_dim", (long) channels);
        boolean convnext = !blog && o.flag("use_convnext", true);
        if (!blog) o.only("with_time_emb", true);
        if (blog) o.only("self_condition", false);
        AnnotatedConfig config = generation.network(
                sides[0],
                sides[1],
                channels,
                stem,
                dim,
                o.wholes("dim_mults", List.of(1, 2, 4, 8)),
                convnext ? BlockKind.CONVNEXT : BlockKind.RESNET,
                o.whole("resnet_block_groups", blog ? 4 : 8, 1),
                blog ? 2 : o.whole("convnext_mult", 2, 1));
        o.done();
        return zeroInit ? config.zeroInitialised() : config;
    }

    static Map<String, Object> write(AnnotatedConfig c) {
        Generation generation = c.generation()
                .orElseThrow(() -> new IllegalArgumentException(
                        "this combination of topology, block, scale-shift and standardized was never published, so no"
                                + " annotated class can hold it"));
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("_class_name", "Unet");
        json.put("_library", LIBRARY);
        json.put("_generation", generation.name().toLowerCase(java.util.Locale.ROOT));
        json.put("_image_size", List.of((long) c.height(), (long) c.width()));
        json.put("dim", (long) c.dim());
        json.put("init_dim", (long) c.stem());
        json.put("dim_mults", UNet2DDocument.numbers(c.dimMults()));
        json.put("channels", (long) c.channels());
        json.put("resnet_block_groups", (long) c.groups());
        if (c.topology() == Topology.NOTEBOOK) {
            json.put("use_convnext", c.block() == BlockKind.CONVNEXT);
            json.put("convnext_mult", (long) c.widen());
        }
        return json;
    }
}
