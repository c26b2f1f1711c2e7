package ddpm.train;

/** Arrangements of a U-Net that settings can spell out. */
public enum Topology {
    /** The notebook's; see {@link ddpm.unet.AnnotatedConfig.Topology#NOTEBOOK}. */
    NOTEBOOK,
    /** The blog's later one; see {@link ddpm.unet.AnnotatedConfig.Topology#BLOG}. */
    BLOG,
    /** That of Ho et al. 2020; see {@link ddpm.unet.UNet2DConfig#ddpm}. */
    DDPM,
    /** That of lucidrains' library; see {@link ddpm.unet.LucidrainsConfig#of}. */
    LUCIDRAINS
}
