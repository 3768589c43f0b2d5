/* A plugin of QEMU's user-mode emulators: counts the instructions that a program executes, and its accesses of memory.
 *
 * qemu-aarch64 -plugin ./count.so,out=FILE PROGRAM writes two numbers to FILE when the program ends.
 *
 * Debian has no package with the header of QEMU's plugin interface, so what is used of version 1 is declared here (QEMU's
 * docs/devel/tcg-plugins). Counts are added up by the translated code itself, for whole blocks: an instruction that faults, or
 * that a signal interrupts, would be counted with its block. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum { ADD_U64 = 0, NO_REGISTERS = 0, READS_AND_WRITES = 3 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *, uint64_t);
void qemu_plugin_register_vcpu_mem_inline(struct qemu_plugin_insn *, int accesses, int operation, void *, uint64_t);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static const char *out;
static uint64_t instructions, accesses;

static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
	size_t count = qemu_plugin_tb_n_insns(block);
	qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &instructions, count);
	for (size_t at = 0; at < count; at++)
		qemu_plugin_register_vcpu_mem_inline(qemu_plugin_tb_get_insn(block, at), READS_AND_WRITES, ADD_U64, &accesses, 1);
}

static void ended(plugin_id id, void *unused)
{
	FILE *file = fopen(out, "w");
	if (!file || fprintf(file, "%" PRIu64 " %" PRIu64 "\n", instructions, accesses) < 0 || fclose(file))
		perror(out);
}

__attribute__((visibility("default")))
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = argv[i] + 4;
	if (!out) {
		fputs("count: out=FILE is missing\n", stderr);
		return 1;
	}
	out = strdup(out);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
