/**
 * <b>7c Models from and for PyTorch.</b> How does a model travel between this project and the Python world, with nobody
 * touching a tensor?
 *
 * <p>Weights travel as safetensors, under the names and in the shapes of PyTorch's {@code state_dict}; a JSON document
 * beside them says which class they belong to and with which arguments. Both are data: no pickle is read, and no name in
 * a file is ever used as a path.
 *
 * <p>In reading order: {@link ddpm.exchange.NetworkDocument}, a network as JSON, with {@code UNet2DDocument}
 * (diffusers), {@code AnnotatedDocument} (the notebook and the blog, every published generation) and
 * {@code LucidrainsDocument}; {@code SchedulerDocument} and
 * {@code DiffusionDocument}, the noise schedule and sampling as JSON; {@link ddpm.exchange.ForeignModel}, which finds
 * all of that at a path and makes settings of a run of it; {@link ddpm.exchange.WeightNames}, prefixes and older names;
 * {@link ddpm.exchange.ForeignFolder}, the way out.
 *
 * <p>Invariants: an option or a value that is not known here is refused by name, never ignored ({@code Options}); the
 * same model written twice is the same bytes; what was written is found again bit for bit; tables of a noise schedule in
 * a file are compared with ours, never loaded.
 *
 * <p>One thing differs from diffusers on purpose. After clipping x̂₀, DDIM here goes on along the noise that belongs to
 * the clipped x̂₀ (there only on request). Without clipping DDIM agrees.
 *
 * <p>Proof: {@code GoldenTest} holds outputs, gradients and sampling traces against files computed elsewhere, most of
 * them by the published classes; {@code bench.interop} builds every family again from libtorch's layers and compares all
 * gradients.
 */
package ddpm.exchange;
