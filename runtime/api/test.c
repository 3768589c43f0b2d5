/* What the asserts of include/bpf2native_test.h say, and how a test ends.

   | outcome | with a callback (`bpf2native test`) | without |
   |---|---|---|
   | EXPECTED | it is told, and the test goes on | the test goes on |
   | FAILED | it is told, and ends the process | exit status 1 |
   | SKIPPED | it is told, and ends the process | exit status 77, as automake has it |

   What is said goes to standard error, after all that the test has printed. */
#include "runtime.h"
#include "bpf2native_test.h"

extern int dprintf(int fd, const char *format, ...);
extern int fflush(void *stream);
extern void exit(int status);

/* Characters of a string, and bytes of a row, that are shown at most. */
enum { MOST_CHARACTERS = 200, ROW = 16 };

static void (*report)(u32 outcome, const char *text);

API(void, bpf2native_test_report, (void (*callback)(u32 outcome, const char *text))) { report = callback; }

static void print_number(u64 number) {
    if (number > 9)
        dprintf(2, "%lu (0x%lx)\n", number, number);
    else
        dprintf(2, "%lu\n", number);
}

static void print_string(const u8 *text) {
    if (!text) {
        dprintf(2, "NULL\n");
        return;
    }
    dprintf(2, "\"");
    for (u32 i = 0; text[i]; i++) {
        if (i == MOST_CHARACTERS) {
            dprintf(2, "\"...\n");
            return;
        }
        if (text[i] == '\n')
            dprintf(2, "\\n");
        else if (text[i] < ' ' || text[i] == 127)
            dprintf(2, "\\x%02x", (u32)text[i]);
        else if (text[i] == '"' || text[i] == '\\')
            dprintf(2, "\\%c", (u32)text[i]);
        else
            dprintf(2, "%c", (u32)text[i]);
    }
    dprintf(2, "\"\n");
}

/* The row of bytes that has the first that differ. */
static void print_row(const u8 *bytes, u64 start, u64 length) {
    if (!bytes) {
        dprintf(2, "NULL\n");
        return;
    }
    for (u64 i = start; i < length && i < start + ROW; i++) dprintf(2, i == start ? "%02x" : " %02x", (u32)bytes[i]);
    dprintf(2, "\n");
}

static u64 first_difference(const u8 *left, const u8 *right, u64 length) {
    u64 at = 0;
    if (left && right)
        while (at < length && left[at] == right[at]) at++;
    return at;
}

static void print_value(u32 kind, const void *value, u64 start, u64 length) {
    switch (kind) {
    case BPF2NATIVE_TEST_INT: dprintf(2, "%d\n", *(const s32 *)value); break;
    case BPF2NATIVE_TEST_UNSIGNED: print_number(*(const u32 *)value); break;
    case BPF2NATIVE_TEST_LONG: dprintf(2, "%ld\n", *(const s64 *)value); break;
    case BPF2NATIVE_TEST_UNSIGNED_LONG: print_number(*(const u64 *)value); break;
    case BPF2NATIVE_TEST_STRING: print_string(value); break;
    case BPF2NATIVE_TEST_BYTES: print_row(value, start, length); break;
    default:
        if (*(const u64 *)value)
            dprintf(2, "0x%lx\n", *(const u64 *)value);
        else
            dprintf(2, "NULL\n");
    }
}

API(void, bpf2native_test_failed, (const struct bpf2native_test_site *site, const void *left, const void *right, u64 length)) {
    fflush(NULL);
    dprintf(2, "%s:%u: %s", site->file, site->line, site->text);
    dprintf(2, site->is_assert ? " failed\n" : "\n");
    if (site->left) {
        u64 start = 0;
        if (site->left == BPF2NATIVE_TEST_BYTES) {
            u64 at = first_difference(left, right, length);
            start = at - at % ROW;
            dprintf(2, "  they differ at byte %lu; from byte %lu on:\n", at, start);
        }
        dprintf(2, "  left:  ");
        print_value(site->left, left, start, length);
        dprintf(2, "  right: ");
        print_value(site->right, right, start, length);
    }
    if (report) report(site->outcome, site->text);
    if (site->outcome == BPF2NATIVE_TEST_EXPECTED) return;
    exit(site->outcome == BPF2NATIVE_TEST_SKIPPED ? 77 : 1);
}
