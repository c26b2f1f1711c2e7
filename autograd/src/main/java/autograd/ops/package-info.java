/**
 * <b>3a The ops.</b> What can be differentiated, and what is its derivative? One file for each: formula first, shapes,
 * what the pullback keeps; then the function and its derivative side by side.
 *
 * <p>Pointwise: {@link autograd.ops.Add}, {@link autograd.ops.Mul}, {@link autograd.ops.Pointwise}, … Products:
 * {@link autograd.ops.MatMul}, {@link autograd.ops.Linear}, {@link autograd.ops.Conv2d},
 * {@link autograd.ops.ConvTranspose2d}. Normalising: {@link autograd.ops.GroupNorm},
 * {@link autograd.ops.Standardize}, {@link autograd.ops.Softmax}. Attention: {@link autograd.ops.Attention},
 * {@link autograd.ops.LinearAttention}. Movement: {@link autograd.ops.Reshape}, {@link autograd.ops.Concat},
 * {@link autograd.ops.SpaceToDepth}, … Sums and losses: {@link autograd.ops.Sum}, {@link autograd.ops.HuberLoss}, …
 *
 * <p>A new op is its file and one line in {@link autograd.check.OpCatalogue}; a test fails without the line. A composite,
 * such as {@link autograd.ops.Variance}, has no pullback of its own.
 *
 * <p>Not here, because: nothing that only layers need; those are in {@link nn}.
 */
package autograd.ops;
