/* Feeds a model the cases of the file "in.bin" and writes what comes out.
 *
 * in.bin    for each case, the bytes of every input in order; the cases end with the file
 * out.bin   for each case, the bytes of every output in order
 * cost.bin  uint64 little-endian: the count of an empty measurement, then for each case
 *           instructions and stack bytes
 * trace.bin only with HARNESS_TRACE: for every operator run uint64 index, uint64 instructions and,
 *           with HARNESS_LAYERS, its output bytes
 *
 * With HARNESS_TRAIN a case is a training step: the network's inputs, the label, int32, and the learning
 * rate, float; its output is the loss, float. A label of -1 - l is no step: the output tells whether the
 * network's answer is l. At the end state.bin has the bytes of all states.
 *
 * It keeps no buffer, save for an example to train on: inputs are read straight into the model and outputs
 * written straight from it, so that a model may use nearly all of a small memory. "under_test.h" is generated
 * for the model, and the macro CLOCK_HEADER names the counter of the board.
 */
#include "under_test.h"

#include "port.h"

#include CLOCK_HEADER

#ifdef HARNESS_GUARDED
/* The arena between two zones whose bytes must survive. */
#define GUARD_BYTES 4096
#define GUARD_VALUE 0xA5
static struct {
    uint8_t before[GUARD_BYTES];
    UNDER_TEST(arena) arena;
    uint8_t after[GUARD_BYTES];
} guarded;
#define ARENA (&guarded.arena)
#define INPUT(index) UNDER_TEST(input_in)(&guarded.arena, index)
#define ROW() UNDER_TEST(row_in)(&guarded.arena)
#define PUSH(row) UNDER_TEST(push_row_in)(&guarded.arena, row)
#define OUTPUT(index) UNDER_TEST(output_in)(&guarded.arena, index)
#define INVOKE() UNDER_TEST(invoke_in)(&guarded.arena)
#define RESET() UNDER_TEST(reset_in)(&guarded.arena)

static void paint_guards(void)
{
    for (int32_t i = 0; i < GUARD_BYTES; ++i) {
        guarded.before[i] = GUARD_VALUE;
        guarded.after[i] = GUARD_VALUE;
    }
}

static void check_guards(void)
{
    for (int32_t i = 0; i < GUARD_BYTES; ++i) {
        if (guarded.before[i] != GUARD_VALUE || guarded.after[i] != GUARD_VALUE) {
            port_exit(PORT_OUTSIDE_ARENA);
        }
    }
}
#else
#ifdef HARNESS_TRAIN
static UNDER_TEST(arena) arena;
#define ARENA (&arena)
#endif
#define INPUT(index) UNDER_TEST(input)(index)
#define ROW() UNDER_TEST(row)()
#define PUSH(row) UNDER_TEST(push_row)(row)
#define OUTPUT(index) UNDER_TEST(output)(index)
#define INVOKE() UNDER_TEST(invoke)()
#define RESET() UNDER_TEST(reset)()

static void paint_guards(void)
{
}

static void check_guards(void)
{
}
#endif

#ifdef HARNESS_TRAIN
#undef INPUT
#undef OUTPUT
#undef INVOKE
#undef RESET
/* Inputs of the network, label and rate, each at a multiple of 4; and the loss. */
static int32_t example[EXAMPLE_WORDS];
static float loss;
#define INPUT(index) ((void *)(example + input_words[index]))
#define OUTPUT(index) (&loss)
#define RESET() UNDER_TEST(reset_in)(ARENA)

static void train(void)
{
    UNDER_TEST(set_learning_rate_in)(ARENA, *(const float *)INPUT(INPUT_COUNT - 1));
#ifdef HAS_LABEL
    const int32_t label = *(const int32_t *)INPUT(INPUT_COUNT - 2);
    loss = label < 0 ? (float)UNDER_TEST(evaluate_in)(ARENA, EXAMPLE, -1 - label)
                     : UNDER_TEST(train_step_in)(ARENA, EXAMPLE, label);
#else
    loss = UNDER_TEST(train_step_in)(ARENA, EXAMPLE, INPUT(INPUT_COUNT - 2));
#endif
}
#define INVOKE() train()
#endif

static void write_all(int32_t file, const void *from, uint32_t bytes)
{
    if (port_write(file, from, bytes) != 0) {
        port_exit(PORT_FILE_ERROR);
    }
}

static int32_t open_file(const char *name, int writing)
{
    const int32_t file = port_open(name, writing);
    if (file < 0) {
        port_exit(PORT_FILE_ERROR);
    }
    return file;
}

#ifdef HARNESS_TRACE
static int32_t trace_file;

void UNDER_TEST(trace)(int operator_index, const int8_t *output)
{
    const uint64_t record[2] = {(uint64_t)operator_index, clock_end()};
    write_all(trace_file, record, sizeof record);
#ifdef HARNESS_LAYERS
    write_all(trace_file, output, layer_bytes[operator_index]);
#else
    (void)output;
#endif
    clock_begin();
}
#endif

#ifdef CLOCK_HAS_STACK
/* The stack lies above .bss and grows down to it. Its free part is painted before a run. */
#define STACK_PAINT 0x5AC3A53Cu
extern uint32_t stack_limit[];

/* Inlined into its only caller, so that it has no frame of its own within what it paints. */
static inline __attribute__((always_inline)) uint32_t *paint_stack(void)
{
    uint32_t *const top = stack_pointer();
    for (volatile uint32_t *word = stack_limit; word < top; ++word) {
        *word = STACK_PAINT;
    }
    return top;
}

static inline __attribute__((always_inline)) uint64_t used_stack(const uint32_t *top)
{
    const volatile uint32_t *word = stack_limit;
    if (*word != STACK_PAINT) {
        port_exit(PORT_STACK_OVERFLOW);
    }
    while (word < top && *word == STACK_PAINT) {
        ++word;
    }
    return (uint64_t)((uint32_t)((uintptr_t)top - (uintptr_t)word));
}
#else
static uint32_t *paint_stack(void)
{
    return 0;
}

static uint64_t used_stack(const uint32_t *top)
{
    (void)top;
    return 0;
}
#endif

/* Count of an empty measurement. */
static uint64_t overhead;

/* Reads a part of a case; 0 at the end of the file, where the case may end. */
static int read_part(int32_t in, void *to, uint32_t bytes, int is_first)
{
    const uint32_t missing = port_read(in, to, bytes);
    if (is_first && missing == bytes) {
        return 0;
    }
    if (missing != 0) {
        port_exit(PORT_FILE_ERROR);
    }
    return 1;
}

#ifdef INPUT_ROWS
/* Runs one case, each row read to where the model keeps it; 0 at the end of the file. The instructions are
 * those of all pushes, the stack is that of the deepest, or of reading a row. */
static __attribute__((noinline)) int run_case(int32_t in, int32_t cost)
{
    uint64_t record[2] = {overhead, 0};
    const uint32_t *const top = paint_stack();
    for (int32_t y = 0; y < INPUT_ROWS; ++y) {
        if (!read_part(in, ROW(), ROW_BYTES, y == 0)) {
            return 0;
        }
        clock_begin();
        const int is_done = PUSH(ROW());
        record[0] += clock_end() - overhead;
        if (is_done != (y == INPUT_ROWS - 1)) {
            port_exit(PORT_WRONG_ROW);
        }
    }
    record[1] = used_stack(top);
    write_all(cost, record, sizeof record);
    return 1;
}
#else
static __attribute__((noinline)) void measure_case(int32_t cost)
{
    uint64_t record[2];
    const uint32_t *const top = paint_stack();
    clock_begin();
    INVOKE();
    record[0] = clock_end();
    record[1] = used_stack(top);
    write_all(cost, record, sizeof record);
}

/* Runs one case; 0 at the end of the file. */
static int run_case(int32_t in, int32_t cost)
{
    for (uint32_t i = 0; i < INPUT_COUNT; ++i) {
        if (!read_part(in, INPUT((int)i), input_bytes[i], i == 0)) {
            return 0;
        }
    }
    measure_case(cost);
    return 1;
}
#endif

int main(void)
{
    clock_start();
    paint_guards();
    const int32_t in = open_file("in.bin", 0);
    const int32_t out = open_file("out.bin", 1);
    const int32_t cost = open_file("cost.bin", 1);
#ifdef HARNESS_TRACE
    trace_file = open_file("trace.bin", 1);
#endif
    clock_begin();
    overhead = clock_end();
    write_all(cost, &overhead, sizeof overhead);
    RESET();
    while (run_case(in, cost)) {
        check_guards();
        for (uint32_t i = 0; i < OUTPUT_COUNT; ++i) {
            write_all(out, OUTPUT((int)i), output_bytes[i]);
        }
#ifndef KEEP_STATE
        RESET();
#endif
    }
#ifdef HARNESS_TRAIN
    write_all(open_file("state.bin", 1), ARENA->bytes + FIRST_STATE, STATE_BYTES);
#endif
    port_exit(PORT_DONE);
    return 0;
}
