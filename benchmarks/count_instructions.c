/* A plugin of QEMU that counts how often each instruction of a program is executed.
 *
 *     qemu-system-arm ... -plugin libcount.so,output=counts.bin
 *
 * Writes at exit, for each half-word of the 4 MB of code, how often an instruction there was executed, as
 * little-endian uint64. Code at addresses that are equal modulo 4 MB is counted together.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CODE_BYTES (4u << 20)

/* The part of QEMU's plugin interface, version 1, that is used here; Debian has no header of it. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *instruction, enum qemu_plugin_op op,
                                                void *counter, uint64_t addend);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*callback)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(uint64_t id, void (*callback)(uint64_t, void *), void *data);
extern int qemu_plugin_version;

int qemu_plugin_version = 1;
int qemu_plugin_install(uint64_t id, const void *info, int count, char **arguments);

static uint64_t counts[CODE_BYTES / 2];
static char path[4096] = "counts.bin";

static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        uint64_t *counter = &counts[qemu_plugin_insn_vaddr(instruction) % CODE_BYTES / 2];
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, QEMU_PLUGIN_INLINE_ADD_U64, counter, 1);
    }
}

static void ended(uint64_t id, void *data)
{
    (void)id;
    (void)data;
    FILE *file = fopen(path, "wb");
    if (file) {
        fwrite(counts, sizeof counts[0], CODE_BYTES / 2, file);
        fclose(file);
    }
}

int qemu_plugin_install(uint64_t id, const void *info, int count, char **arguments)
{
    (void)info;
    for (int i = 0; i < count; ++i) {
        if (strncmp(arguments[i], "output=", 7) == 0) {
            snprintf(path, sizeof path, "%s", arguments[i] + 7);
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
