package tensor.backend.cuda;

import java.util.Locale;

/** Our own kernels, but for the pointwise ones; their parameters stand in {@code native/src/main/cuda/kernels.h}. */
enum Kernel {
    FILL,
    CAST_TO_FLOAT,
    CAST_FROM_FLOAT,
    CASTS_TO_FLOAT,
    CASTS_FROM_FLOAT,
    ADD_BIAS,
    COPY,
    COPIES,
    TURN_FILTERS,
    GATHER,
    SCATTER_ADD,
    REDUCE_ROWS,
    REDUCE_COLUMNS,
    REDUCE_FINISH,
    REDUCE_FEW,
    COLUMN_SUMS,
    FINAL_SUMS,
    DRAW,
    DROPOUT,
    GROUP_NORM,
    GROUP_NORM_MEETING,
    GROUP_NORM_BACKWARD,
    GROUP_NORM_BACKWARD_MEETING,
    SOFTMAX_ROWS,
    PROBABILITIES,
    SOFTMAX_ROWS_BACKWARD,
    ROW_DOT,
    QUERY_SOFTMAX,
    QUERY_SOFTMAX_BACKWARD,
    KEY_LOG_SUM,
    KEY_SOFTMAX,
    KEY_SOFTMAX_BACKWARD,
    DIAGONAL_BLOCKS,
    BLOCK_DIAGONAL,
    DEPTHWISE,
    DEPTHWISE_DATA,
    DEPTHWISE_WEIGHTS,
    UNFOLD,
    FOLD,
    PACK_FILTERS,
    UNPACK_FILTERS,
    SUM_TAPS,
    SPREAD_TAPS,
    WEAVE,
    UNWEAVE,
    BATCH_LAST,
    ADD_PARTS,
    SET_STEP,
    ADAM,
    AVERAGE,
    SQUARES,
    SQUARES_FINISH;

    /** The name of the function in the compiled module. */
    String function() {
        return name().toLowerCase(Locale.ROOT);
    }
}
