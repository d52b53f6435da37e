/*
 * A plugin of qemu's user mode: counts the instructions of a program and writes `insns: N` to standard error at its end.
 * Debian has no header for plugins; what is used of their interface (version 1) is declared here.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define PUBLIC __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum inline_operation { INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, enum inline_operation operation, void *counter,
                                              uint64_t by);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*at_exit)(plugin_id, void *), void *data);

PUBLIC int qemu_plugin_version = 1;

static uint64_t n_instructions;

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, &n_instructions, qemu_plugin_tb_n_insns(block));
}

static void at_exit(plugin_id id, void *data) {
    (void)id;
    (void)data;
    fprintf(stderr, "insns: %" PRIu64 "\n", n_instructions);
}

PUBLIC int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
