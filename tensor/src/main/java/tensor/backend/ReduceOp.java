package tensor.backend;

/** What {@link Backend#reduce} does along the axes that vanish. The order of summation is fixed: same bits for any thread count. */
public enum ReduceOp {
    SUM,
    MAX
}
