/**
 * <b>6 The U-Net.</b> What network tells the noise in a picture?
 *
 * <p>One that sees the picture at several sizes at once: down through smaller and wider features, back up, with the
 * features of the way down joined in at each size, and told the timestep in every block. {@link ddpm.unet.UNetConfig}
 * describes one; {@link ddpm.unet.UNet#build} builds it. Three published arrangements, parameter for parameter: the
 * notebook's ({@code NotebookUNet}), its later text's ({@code BlogUNet}), both in every published generation
 * ({@link ddpm.unet.AnnotatedConfig}), and Ho et al.'s with its descendants ({@code UNet2D}, {@link ddpm.unet.UNet2DConfig}). A fourth,
 * lucidrains' ({@code LucidrainsUNet}, {@link ddpm.unet.LucidrainsConfig}), is what many train today. The way down alone, with
 * a class at its end, is {@link ddpm.unet.NoisyClassifier}.
 *
 * <p>In reading order: {@code TimeEmbedding}, {@code ResnetBlock}, {@code ConvNextBlock}, {@code AttentionBlock}, then
 * the three arrangements, each with its drawing.
 *
 * <p>Invariants: names and shapes of the parameters are those of the published classes, so weights can be exchanged; a
 * size that cannot be halved often enough is refused when the configuration is made.
 *
 * <p>Not here, because: nothing here knows of training or noise schedules. Next: chapter 7, {@link ddpm.train}.
 */
package ddpm.unet;
