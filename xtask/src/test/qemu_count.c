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
enum callback_flags { CALLBACK_NO_REGISTERS };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, void (*executed)(unsigned int, void *),
                                          enum callback_flags flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*at_exit)(plugin_id, void *), void *data);

PUBLIC int qemu_plugin_version = 1;

static _Atomic uint64_t n_instructions;

/* A call for every block: what qemu adds without one is lost where two threads add at once. */
static void executed(unsigned int processor, void *n_executed) {
    (void)processor;
    n_instructions += (uintptr_t)n_executed;
}

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    void *n_executed = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, CALLBACK_NO_REGISTERS, n_executed);
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
