package ddpm.exchange;

import ddpm.unet.AnnotatedConfig;
import ddpm.unet.LucidrainsConfig;
import ddpm.unet.UNet2DConfig;
import ddpm.unet.UNetConfig;
import java.util.Map;
import java.util.Optional;

/**
 * A network as a JSON object: {@code _class_name} and, where that is not enough, {@code _library} say which class of the
 * Python world it describes; the other keys are that class's arguments. Diffusers writes its {@code config.json} like
 * this.
 */
public final class NetworkDocument {
    private NetworkDocument() {}

    /** Whether this is such an object, whatever the class. */
    static boolean is(Map<?, ?> json) {
        return json.containsKey("_class_name");
    }

    /**
     * The network that an object describes.
     *
     * @param zeroInit whether its residual branches start at zero when it is not filled with weights
     * @throws IllegalArgumentException for a class, an option or a value that is not known here, naming it
     */
    public static UNetConfig read(Map<?, ?> json, boolean zeroInit) {
        Object name = json.get("_class_name");
        if (UNet2DDocument.CLASS.equals(name)) return UNet2DDocument.read(json, zeroInit);
        if ("Unet".equals(name) && AnnotatedDocument.LIBRARY.equals(json.get("_library")))
            return AnnotatedDocument.read(json, zeroInit);
        if ("Unet".equals(name) && LucidrainsDocument.LIBRARY.equals(json.get("_library")))
            return LucidrainsDocument.read(json, zeroInit);
        throw new IllegalArgumentException("the network class " + name
                + " is not known here; known are UNet2DModel, and Unet with the _library "
                + AnnotatedDocument.LIBRARY + " or " + LucidrainsDocument.LIBRARY);
    }

    /** The object that describes a network; empty for a combination that no published class has. */
    public static Optional<Map<String, Object>> describe(UNetConfig config) {
        return config instanceof AnnotatedConfig annotated
                        && annotated.generation().isEmpty()
                ? Optional.empty()
                : Optional.of(write(config));
    }

    /** The object that describes a network. */
    public static Map<String, Object> write(UNetConfig config) {
        if (config instanceof UNet2DConfig unet2d) return UNet2DDocument.write(unet2d);
        if (config instanceof LucidrainsConfig lucidrains) return LucidrainsDocument.write(lucidrains);
        return AnnotatedDocument.write((AnnotatedConfig) config);
    }
}
