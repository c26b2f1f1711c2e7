// Every CUDA kernel with its parameters, in the order in which they are passed. The formulas of the calls stand at
// tensor.backend.Backend.
//
// There are two modules with the same names in them: kernels_f32.ptx, where T is float, and kernels_bf16.ptx, where T is
// bfloat16 (16 bits, rounded to nearest even), for devices of compute capability 8.0 or newer. Arithmetic is float in both; parameters written `float *` are floats in both.
// Every matrix is row-major, every image channels last. A tensor has fewer than 2^31 elements. Pointers into device
// memory; one that "may be 0" stands for a tensor that is not there. Pointers are aligned to their element at least;
// kernels take 16 bytes at a time where pointer and strides allow it.
//
// Launches. "flat n": any grid is right (threads stride over the work), block 256; good is
//   grid = clamp(ceil(n / 1024), 1, 16 · multiprocessors). No dynamic shared memory unless a line says so.
// "warp per row": block 256, any grid is right; good is clamp(ceil(rows / 8), 1, 16 · multiprocessors).
#pragma once

// A box of up to 6 axes, INNERMOST FIRST, with two element strides for each axis; 19 ints in a row, 76 bytes.
// Axes of extent 1 should be left out and neighbours that form one run merged; rank is at least 1, what lies beyond it is
// not read.
struct Axes {
    int rank;
    int size[6];
    int first[6];
    int second[6];
};

// What changes from step to step, so that a captured graph can be replayed; 64 bytes in device memory.
struct Step {
    unsigned long long draws;  //  0  first number of the random stream that belongs to this step
    float rate;                //  8  learning rate
    float correction1;         // 12  1 / (1 − beta1^t)
    float correction2;         // 16  1 / (1 − beta2^t)
    float scale;               // 20  factor on every gradient (from squaresFinish, or set)
    float decay;               // 24  of the exponential average
    int finite;                // 28  0: adam and average leave everything as it is
    double squares;            // 32  sum of the squares of all gradients (from squaresFinish)
    long long skipped;         // 40  how many updates were found not to be finite, counted by squaresFinish
    long long reserved[2];
};

// One parameter of an update; 56 bytes in device memory. Addresses are multiples of 16.
struct Update {
    float *w;         //  0
    const void *dw;   //  8  gradient
    float *m, *v;     // 16, 24  moments
    float *average;   // 32  exponential average, may be 0
    long long n;      // 40  elements
    long long half;   // 48  dw is bfloat16, in either module; else 0 and it is float
};

// Which part of which parameter a block works on: elements first … min(first + PIECE, n) of table[entry]; 8 bytes.
struct Piece {
    int entry, first;
};
const int PIECE = 8192;  // elements; a table's pieces: for each entry, first = 0, PIECE, 2 · PIECE, …

// A convolution; 13 ints, 52 bytes. x [n, h, w, c], filters [k, r, s, c] or, where c divides k, [k, r, s, 1], y [n, p, q, k].
struct Convolution {
    int n, h, w, c, k, p, q, r, s, stride, top, left, flipped;  // flipped: the filters are read from their last tap on
};

const int SHORT_PIECE = 4096;  // elements for a block of those below

// Up to 160 tensors to be cast at once; 3848 bytes. Block b works on elements SHORT_PIECE · (b − first) … of the last tensor whose
// first is ≤ b.
const int MOST_CASTS = 160;
struct CastOfOne {
    const void *from;
    void *to;
    int n, first;
};
struct Casts {
    CastOfOne each[MOST_CASTS];
    int count;
};

// Up to 38 regions to be copied at once; 3960 bytes. Block b works on elements SHORT_PIECE · (b − first) … of the last region
// whose first is ≤ b.
const int MOST_COPIES = 38;
struct CopyOfOne {
    const void *from;
    void *to;
    int n, first;
    Axes axes;
    int unused;
};
struct Copies {
    CopyOfOne each[MOST_COPIES];
    int count;
};

// Up to 100 filters w [k, r, s, c] to be turned round: y[c, taps − 1 − t, k] = w[k, t, c], taps = r · s; 3208 bytes. Block b does
// 32 by 32 channels and filters of a tap, of the last entry whose first is ≤ b, which has taps · ceil(k / 32) · ceil(c / 32).
const int MOST_TURNS = 100;
struct TurnOfOne {
    const void *w;
    void *y;
    int k, taps, c, first;
};
struct Turns {
    TurnOfOne each[MOST_TURNS];
    int count;
};

// The last stage of up to 80 sums over the slices of partial [slices, outputs]: the first `split` outputs are written to y, in
// bfloat16 if `half` is 1, the others to rest, which is 0 where there are none; 3848 bytes. From one slice to the next it is `row`
// floats. Block b makes 32 outputs, from 32 · (b − first) on, of the last sum whose first is ≤ b.
const int MOST_SUMS = 80;
struct SumOfOne {
    const float *partial;
    void *y;
    float *rest;
    int outputs, slices, row, split, half, first;
};
struct Sums {
    SumOfOne each[MOST_SUMS];
    int count;
};

// A mask of dropout: element i is `kept` where the word of draw (step ? step->draws : 0) + offset + i of the stream `seed` is at
// most `most`, else 0; the sum of draws and offset is a multiple of 4. With the largest `most`, and 1 for `kept`, it is 1
// everywhere, and nothing is drawn. 32 bytes.
struct Mask {
    unsigned long long seed, offset;
    const Step *step;
    unsigned most;
    float kept;
};

// KERNEL(name) declares the kernel of this name in the module being compiled.

// ---- pointwise.cu ----------------------------------------------------------------------------------------------------
KERNEL(fill)(T *y, int n, float value);                                     // flat n
KERNEL(cast_to_float)(const T *x, float *y, int n);                         // flat n
KERNEL(cast_from_float)(const float *x, T *y, int n);                       // flat n
// The same for many tensors, between T and float.  grid pieces, block 256
KERNEL(casts_to_float)(Casts casts);
KERNEL(casts_from_float)(Casts casts);
// unary_NEG … unary_HUBER: one kernel for each row UNARY of ../cpp/pointwise.def; y may be x.
//   KERNEL(unary_<NAME>)(const T *x, T *y, int n)                             flat n
// binary_ADD … binary_HUBER_GRAD: one for each row BINARY; y is packed with extents size[], the n elements of y are
//   y[i] = f(a[Σ i_k first[k]], b[Σ i_k second[k]]); y may be a or b where that one is packed too.
//   KERNEL(binary_<NAME>)(const T *a, const T *b, T *y, int n, Axes axes)     flat n

// y[i] = y[i] + bias[i mod width] + z[i]; bias [width] or z [n] may be 0.
KERNEL(add_bias)(T *y, const T *bias, const T *z, int n, int width);        // flat n

// ---- movement.cu -----------------------------------------------------------------------------------------------------
// to[Σ i_k second[k]] = from[Σ i_k first[k]]; n = the product of size[]; offsets are added to the pointers by the caller.
KERNEL(copy)(const T *from, T *to, int n, Axes axes);                       // flat n
// The same for many regions.  grid pieces, block 256
KERNEL(copies)(Copies copies);
// Filters turned round, for the gradients of their convolutions.  grid pieces, block (32, 8)
KERNEL(turn_filters)(Turns turns);
// y[i, c] = table[index[i], c], i < n, c < width. *bad (set to 2^31 − 1 before) becomes the least i whose index is not a whole
// number in 0 … rows−1; its row of y is not written.
KERNEL(gather)(const T *table, const float *index, T *y, int n, int width, int rows, int *bad);           // flat n·width
// dtable[v, c] = Σ over i with index[i] = v of dy[i, c], added in the order of i; every row of dtable is written.
KERNEL(scatter_add)(const float *index, const T *dy, T *dtable, int n, int width, int rows, int *bad);    // flat rows·width

// ---- reduce.cu -------------------------------------------------------------------------------------------------------
// y[o] = Σ_r (maximum = 0) or max_r (maximum = 1) of x[kept(o) + reduced(r)]. kept: size and first of the axes that stay
// (o counts them, the innermost fastest), reduced: of the axes that vanish; both of rank ≥ 1 (size 1, stride 0 if there is none).
// outputs and count are the products of their sizes. The count values are cut into `slices` equal stretches; with
// slices = 1 y is written, else partial [slices, outputs] and reduce_finish must follow. y holds T, or float if
// yFloat = 1. The order of summation depends on the shape and on slices alone.
// rows: for a contiguous innermost vanishing axis. grid (outputs, slices), block 32 … 256, a multiple of 32.
KERNEL(reduce_rows)(const T *x, void *y, float *partial, int outputs, int count, int slices, int maximum, int yFloat,
                    Axes kept, Axes reduced);
// columns: for a contiguous innermost axis that stays, like the bias gradient. grid (ceil(outputs / 32), slices),
// block (32, 8).
KERNEL(reduce_columns)(const T *x, void *y, float *partial, int outputs, int count, int slices, int maximum, int yFloat,
                       Axes kept, Axes reduced);
// Good: rows slices = clamp(count / 16384, 1, max(1, 1024 / outputs)); columns: clamp(count / 512, 1, max(1, 32768 / outputs)).
// The second stage.  Up to FEW_SLICES slices grid ceil(outputs / 256), beyond that ceil(outputs / 8); block 256
const int FEW_SLICES = 16;
KERNEL(reduce_finish)(const float *partial, void *y, int outputs, int slices, int maximum, int yFloat);
// The second stage of many sums at once, in either module.  grid pieces, block (32, 8)
KERNEL(final_sums)(Sums sums);
// The same in one stage where count is small (32 or fewer) and the innermost axis stays; maximum as above.  flat outputs
KERNEL(reduce_few)(const T *x, void *y, int outputs, int count, int maximum, int yFloat, Axes kept, Axes reduced);
// Sums of the columns of matrices: y[b, c] = Σ_r x[b · image + r · row + c], c < columns, r < count, like the gradients of
// biases; y and partial as above, with outputs = images · columns. vector: how many columns one thread reads at once, 16
// bytes, 4 or 1; it divides columns, row and image, and x is aligned to it.
// grid (ceil(columns / vector / 256), slices, images), block 256, dynamic shared memory 2048 · vector bytes; good: 8 rows
// for each thread.
KERNEL(column_sums)(const T *x, void *y, float *partial, int columns, int count, int row, int image, int vector, int slices,
                    int yFloat);

// ---- random.cu -------------------------------------------------------------------------------------------------------
// y[i] = draw (step ? step->draws : 0) + offset + i of the stream `seed`, as tensor.backend.Philox; kind: the ordinal of
// Distribution.Kind. The sum of draws and offset is a multiple of 4.
KERNEL(draw)(int kind, double parameter, unsigned long long seed, const Step *step, unsigned long long offset, T *y,
               int n);                                                      // flat n

// y[i] = x[i] · element i of the mask; y may be x.
KERNEL(dropout)(Mask mask, const T *x, T *y, int n);                        // flat n

// ---- norm.cu, norm_backward.cu -----------------------------------------------------------------------------------------
// Backend.groupNorm over x [n, length, channels], channels = depth · groups; mask: of y, and of dy. gamma, beta [channels] may be 0,
// offset, scale, shift [n, channels] may be 0. A block does `bundle` neighbouring groups of one image; let B = bundle · depth and
//   grid (ceil(groups / bundle), 1, n)    block 32 … 1024, one-dimensional, a multiple of 32
//   dynamic shared memory: 4 · (max((2 · V + 1) · block, 2 · B) + 12 · B + 64) bytes, V values being 16 bytes; it must not
//   exceed 48 KiB unless the function's limit was raised. Any bundle in 1 … groups and any such block is right; x is read only once
//   if V divides channels and B, all tensors begin at multiples of 16 bytes, forward 4 divides depth, and
//   (block div (B / V)) · 8 ≥ length, backward · 4; else twice.
// Or else grid (…, slices, n), each block with its part of the pixels, first with the phase SUMS, which writes
// sums alone, forward [n, slices, 2, groups], backward [n, slices, 2, channels], then with APPLY, which reads it. WHOLE, with
// one slice, does it all and needs no sums. group_norm_meeting does it all with several slices, in one launch: it needs sums, and
// meetings, 1 + n · ceil(groups / bundle) zeros, which are zeros again afterwards, for one such kernel at a time; a device must hold
// as many blocks as there are slices; x is read once where it would be with the length of a slice. Instead of x there may be two
// tensors, x [n, length, split] and x2 [n, length, channels − split], split and channels multiples of V; else x2 is 0.
enum NormPhase { WHOLE, SUMS, APPLY };
KERNEL(group_norm)(const T *x, const T *x2, int split, const float *offset, const float *gamma, const float *beta,
                   const float *scale, const float *shift, T *y, float *mean, float *rstd, float *sums, int phase, int length,
                   int depth, int groups, int bundle, float eps, int silu, Mask mask);
KERNEL(group_norm_meeting)(const T *x, const T *x2, int split, const float *offset, const float *gamma, const float *beta,
                           const float *scale, const float *shift, T *y, float *mean, float *rstd, float *sums,
                           unsigned *meetings, int length, int depth, int groups, int bundle, float eps, int silu, Mask mask);
// Backend.groupNormBackward. partial [n, 2, channels] floats is written (the summands of dgamma, dbeta of each image, for
// final_sums) if it is not 0, dscale, dshift [n, channels] if they are not 0. Grid, block, shared memory and phases as group_norm.
// before and more, which are added to dx, may be 0, and more is where before is. Instead of dx there may be two tensors, as of x.
// left [n, slices, channels] floats is written: the sums of dx over the pixels of each slice, or, if doffset [n, channels] is not 0,
// of what before and more are added to; with one slice that is doffset, and is written there, too.
KERNEL(group_norm_backward)(const T *x, const T *x2, int split, const float *offset, const float *gamma, const float *beta,
                            const float *scale, const float *shift, const float *mean, const float *rstd, const T *dy,
                            const T *before, const T *more, T *dx, T *dx2, float *doffset, float *left, float *partial,
                            float *dscale, float *dshift, float *sums, int phase, int length, int depth, int groups, int bundle,
                            int silu, Mask mask);
KERNEL(group_norm_backward_meeting)(const T *x, const T *x2, int split, const float *offset, const float *gamma,
                                    const float *beta, const float *scale, const float *shift, const float *mean,
                                    const float *rstd, const T *dy, const T *before, const T *more, T *dx, T *dx2, float *doffset,
                                    float *left, float *partial, float *dscale, float *dshift, float *sums, unsigned *meetings,
                                    int length, int depth, int groups, int bundle, int silu, Mask mask);

// ---- attention.cu ----------------------------------------------------------------------------------------------------
// p[i, j] = exp(scale · s[i, j] − logSum[i]), logSum[i] = log Σ_j exp(scale · s[i, j]); s, p [rows, columns]; p may be s in
// the float module.  Block 256, any grid is right; good: up to 1024 columns as warp per row, beyond that rows.
KERNEL(softmax_rows)(const float *s, T *p, float *logSum, int rows, int columns, float scale);
// p[i, j] = exp(scale · s[i, j] − logSum[i]).
KERNEL(probabilities)(const float *s, const float *logSum, T *p, int rows, int columns, float scale);     // flat rows·columns
// ds[i, j] = scale · p[i, j] (dp[i, j] − Σ_j p[i, j] dp[i, j]); ds may be dp in the float module. Launch as softmax_rows.
KERNEL(softmax_rows_backward)(const T *p, const float *dp, T *ds, int rows, int columns, float scale);
// y[i] = Σ_c a[i, c] b[i, c]
KERNEL(row_dot)(const T *a, const T *b, float *y, int rows, int columns);   // warp per row

// ---- linear_attention.cu ---------------------------------------------------------------------------------------------
// qkv [n, length, 3·heads·d], the packed arrays [n, length, heads·d], logSum [n, heads·d].
// q̂ = scale · softmax over the d features of each head's query, packed.
KERNEL(query_softmax)(const T *qkv, T *qHat, int n, int length, int heads, int d, float scale);           // warp per row, n·length·heads rows
// dq = q̂ (dq̂ − Σ_e q̂ dq̂ / scale), into the query part of dqkv; dqHat packed.
KERNEL(query_softmax_backward)(const T *qHat, const T *dqHat, T *dqkv, int n, int length, int heads, int d,
                               float scale);                                // warp per row, n·length·heads rows
// logSum[n, e] = log Σ_l exp(k[n, l, e]).  grid (ceil(heads·d / 32), n), block 256
KERNEL(key_log_sum)(const T *qkv, float *logSum, int n, int length, int width);                           // width = heads·d
// k̂ = exp(k − logSum), packed.
KERNEL(key_softmax)(const T *qkv, const float *logSum, T *kHat, int n, int length, int width);            // flat n·length·width
// dk = k̂ (dk̂ − dot[n, e]), dot [n, width] = row_dot of dcontext and context; into the key part of dqkv.
KERNEL(key_softmax_backward)(const T *kHat, const T *dkHat, const float *dot, T *dqkv, int n, int length,
                             int width);                                    // flat n·length·width

// Between matrices of `count` heads together, full [n, w, w] with w = count · d, and those of each head by itself, blocks
// [n, heads, d, d], of which they are the ones from `first` on: what mixes two heads is 0 in full.
// blocks ← the diagonal of full, full ← 0 beside it.
KERNEL(diagonal_blocks)(T *full, T *blocks, int n, int heads, int first, int count, int d);               // flat n·w·w
// full ← the blocks on its diagonal, 0 beside them.
KERNEL(block_diagonal)(const T *blocks, T *full, int n, int heads, int first, int count, int d);          // flat n·w·w

// ---- depthwise.cu ----------------------------------------------------------------------------------------------------
// Block (32, 8) for all; the y of a grid may be any number: threads stride over the lines of the image.
// With stride 1, c = k and 3x3 or 7x7 filters, the usual case, a thread makes 2 rows of 7 pixels, else one of 4. There dx is a
// convolution too: of dy with the flipped filters, h, w and p, q exchanged, top and left those of the other side, r − 1 − top
// and s − 1 − left.
// y ← x ∗ f.  grid (ceil(k / 32), clamp(ceil(n·p·ceil(q / 4) / 8), 1, 1024)), usual: n·ceil(p / 2)·ceil(q / 7);
// dynamic shared memory 132 · r · s bytes
KERNEL(depthwise)(const T *x, const T *f, T *y, Convolution d);
// dx.  grid (ceil(c / 32), clamp(ceil(n·h·ceil(w / 4) / 8), 1, 1024)), dynamic shared memory 132 · r · s · k / c bytes
KERNEL(depthwise_data)(const T *f, const T *dy, T *dx, Convolution d);
// partial [slices, k·r·s] floats; reduce_finish(partial, df, k·r·s, slices, 0, yFloat) makes df of it, also for slices = 1.
// grid (ceil(k / 32), r, slices), good: slices = clamp(n·p / 64, 1, 64); usual: ceil(r / 2), clamp(n·p / 32, 1, 128)
KERNEL(depthwise_weights)(const T *x, const T *dy, float *partial, Convolution d, int slices);

// ---- narrow.cu -------------------------------------------------------------------------------------------------------
// Between convolutions and products of matrices. columns [n·p·q, length], one patch of x in each row, length ≥ r·s·c + 1 and a
// multiple of 8; columns and length · sizeof(T) are multiples of 16 bytes:
//   columns[(n, p, q), (r, s, c)] = x[n, p·stride + r − top, q·stride + s − left, c], or 0 outside the image,
// then a column of ones, then zeros; flipped: in the place of tap (r, s) the one at (R − 1 − r, S − 1 − s).
// flat n·p·q·length / VECTOR
KERNEL(unfold)(const T *x, T *columns, Convolution d, int length);
// The way back, for a stride of 1 and taps [r, s, k, n·h·w]; bias [k] and z, like y, may be 0:
//   y[n, p, q, k] = bias[k] + z[n, p, q, k] + Σ_{r,s} taps[(r, s, k), (n, p + r − top, q + s − left)].  flat n·p·q·k
KERNEL(fold)(const float *taps, const T *bias, const T *z, T *y, Convolution d);
// The filters of `wide` channels on one side and c on the other as a matrix f [wide, length] that suits columns:
//   f[i, (t, j)] = w[i, t, j], or w[j, t, i] if turned, t < taps, j < c; then bias[i], or 0 if bias is 0, then zeros.
// flat wide·length
KERNEL(pack_filters)(const T *w, const T *bias, T *f, int wide, int taps, int c, int length, int turned);
// The same for their gradients, from f into dw and dbias, which may be 0.  flat wide·length
KERNEL(unpack_filters)(const float *f, T *dw, T *dbias, int wide, int taps, int c, int length, int turned);

// ---- enlarged.cu -----------------------------------------------------------------------------------------------------
// The parts of a 3x3 convolution, padding 1, of an image in which every pixel of x [n, h, w, c] stands 2x2 times: filters
// w [k, 3, 3, c] summed to [4·k, 2, 2, c], whose convolution with x, padding 1, is the strands [n, h + 1, w + 1, 4·k] of
// y [n, 2h, 2w, k].
KERNEL(sum_taps)(const T *w, T *summed, int k, int c);                  // flat k·c
// The transpose: the gradient of w from that of the summed filters.
KERNEL(spread_taps)(const T *dsummed, T *dw, int k, int c);              // flat k·c
// y, with bias [k] and z, like y, added, which may be 0.
KERNEL(weave)(const T *strands, const T *bias, const T *z, T *y, int n, int h, int w, int k);             // flat 4·n·h·w·k
// The transpose: the strands of dy; 0 where they have no pixel of it.
KERNEL(unweave)(const T *dy, T *strands, int n, int h, int w, int k);       // flat 4·n·(h + 1)·(w + 1)·k

// ---- batch_last.cu ----------------------------------------------------------------------------------------------------
// x [n, h, w, c] with the batch innermost and a border of zeros, y [h + 2·top, c, w + 2·left, n]; c is a multiple of VECTOR and x
// aligned to 16 bytes.  grid ((h + 2·top) · (w + 2·left) · ceil(c / 32), ceil(n / 128)), block 256
KERNEL(batch_last)(const T *x, T *y, int n, int h, int w, int c, int top, int left);
// dw[k, r, s, c] = Σ_p parts[s, p, r, c, k], in the order of p.  grid (ceil(k / 32), ceil(c / 32), r·s), block (32, 8)
KERNEL(add_parts)(const float *parts, T *dw, int k, int r, int s, int c, int p);

// ---- update.cu -------------------------------------------------------------------------------------------------------
// Writes what the host knows of a step: every field but squares and skipped. finite becomes 1 if known is negative or equals
// skipped; else there was an update that was not finite and that the host has not heard of, and this one is left out, too.
// grid 1, block 1
KERNEL(set_step)(Step *step, unsigned long long draws, float rate, float correction1, float correction2, float scale,
                 float decay, long long known);
// Backend.adam over a table; coupled, decoupled: the weight decay in its two forms. Nothing happens if step->finite is 0.
// If an entry has `average` and step->decay ≥ 0 the average is updated in the same sweep.
// grid pieces, block 256
KERNEL(adam)(const Update *table, const Piece *pieces, const Step *step, float beta1, float beta2, float eps,
             float coupled, float decoupled);
// average = decay · average + (1 − decay) · w with step->decay, for every entry.  grid pieces, block 256
KERNEL(average)(const Update *table, const Piece *pieces, const Step *step);
// partial[piece] = Σ dw² in double.  grid pieces, block 256
KERNEL(squares)(const Update *table, const Piece *pieces, double *partial);
// step->squares = Σ partial in a fixed order; step->scale = min(1, limit / √squares), or 1 if limit ≤ 0; step->finite =
// it was 1, and squares is finite and so is *loss (may be 0); skipped += 1 if it was 1 and is not.  grid 1, block 256
KERNEL(squares_finish)(const double *partial, int pieces, Step *step, double limit, const float *loss);
