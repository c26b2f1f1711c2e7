// The kernels of src/main/cuda compiled for the CPU: which there are, and which of them meet at barriers.
#include "module.cu"

__asm__(
    ".text\n"
    ".globl emu_switch\n"
    ".hidden emu_switch\n"
    ".type emu_switch, @function\n"
    "emu_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size emu_switch, .-emu_switch\n");

#define PLAIN(name) emu::add<kernel_##name>(#name, false);
#define BARRIERS(name) emu::add<kernel_##name>(#name, true);

static void fillRegistry() {
    PLAIN(fill) PLAIN(cast_to_float) PLAIN(cast_from_float) PLAIN(casts_to_float) PLAIN(casts_from_float)
#define UNARY(name, expression) PLAIN(unary_##name)
#define BINARY(name, expression) PLAIN(binary_##name)
#include "../../main/cpp/pointwise.def"
    PLAIN(add_bias) PLAIN(copy) PLAIN(copies) BARRIERS(turn_filters) PLAIN(gather) PLAIN(scatter_add)
    BARRIERS(reduce_rows) BARRIERS(reduce_columns) BARRIERS(reduce_finish)
    PLAIN(reduce_few) BARRIERS(column_sums) BARRIERS(final_sums)
    PLAIN(draw) PLAIN(dropout)
    BARRIERS(group_norm) BARRIERS(group_norm_meeting) BARRIERS(group_norm_backward) BARRIERS(group_norm_backward_meeting)
    BARRIERS(softmax_rows) PLAIN(probabilities) BARRIERS(softmax_rows_backward) BARRIERS(row_dot)
    BARRIERS(query_softmax) BARRIERS(query_softmax_backward)
    BARRIERS(key_log_sum) PLAIN(key_softmax) PLAIN(key_softmax_backward)
    PLAIN(diagonal_blocks) PLAIN(block_diagonal)
    BARRIERS(depthwise) BARRIERS(depthwise_data) BARRIERS(depthwise_weights)
    PLAIN(unfold) PLAIN(fold) PLAIN(pack_filters) PLAIN(unpack_filters)
    PLAIN(sum_taps) PLAIN(spread_taps) PLAIN(weave) PLAIN(unweave)
    BARRIERS(batch_last) BARRIERS(add_parts)
    PLAIN(set_step) PLAIN(adam) PLAIN(average) BARRIERS(squares) BARRIERS(squares_finish)
}

extern "C" __attribute__((visibility("default"))) const EmuKernel *emu_find(const char *name) {
    if (emu::registry().empty()) fillRegistry();
    auto found = emu::registry().find(name);
    return found == emu::registry().end() ? nullptr : &found->second;
}
