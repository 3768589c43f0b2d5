/* What the driver says, on standard error. In: its own messages, and libbpf's. Out: lines that begin with the script's name. The
   rule: libbpf's warnings are shown when something is refused, and of a verifier's log only the last lines, which say why;
   with -v everything is, as it comes. */
#include "script/script.h"

/* Lines of a verifier's log that are shown, and bytes of libbpf's messages that are kept: the last ones. */
enum { LOG_LINES = 12, KEPT = 1 << 20 };
/* Bytes of a message: the longest log that a kernel makes, and less where there is no memory for that. */
enum { MESSAGE = 16 << 20, SHORT_MESSAGE = 16 << 10 };

static char *kept;
static u64 kept_size;
static u32 is_verbose;

weak void bpf2native_rt_script_say(void) {
    fflush(NULL);
    dprintf(2, "%s: ", bpf_script && bpf_script->name ? bpf_script->name : "script");
}

weak int bpf2native_rt_script_no_memory(void) {
    say("no memory\n");
    return 1;
}

static void keep(const char *text, u64 size) {
    if (size > KEPT) {
        text += size - KEPT;
        size = KEPT;
    }
    u64 dropped = kept_size + size > KEPT ? kept_size + size - KEPT : 0;
    if (dropped) memmove(kept, kept + dropped, kept_size - dropped);
    kept_size -= dropped;
    char *grown = realloc(kept, kept_size + size + 1);
    if (!grown) return;
    kept = grown;
    memcpy(kept + kept_size, text, size);
    kept_size += size;
    kept[kept_size] = 0;
}

/* libbpf's callback. */
static int on_message(u32 level, const char *format, void *arguments) {
    if (level > (is_verbose ? LIBBPF_INFO : LIBBPF_WARN)) return 0;
    /* A va_list is used up by one call, so that its length cannot be asked for first. */
    u64 size = MESSAGE;
    char *text = malloc(size);
    if (!text) text = malloc(size = SHORT_MESSAGE);
    if (!text) return 0;
    int length = vsnprintf(text, size, format, arguments);
    if (length > 0) {
        u64 written = (u64)length < size ? (u64)length : size - 1;
        if (is_verbose) {
            fflush(NULL);
            dprintf(2, "%s", text);
        } else {
            keep(text, written);
        }
    }
    free(text);
    return 0;
}

weak void bpf2native_rt_script_listen(u32 verbose) {
    is_verbose = verbose;
    libbpf_set_print(on_message);
}

weak void bpf2native_rt_script_forget(void) {
    free(kept);
    kept = NULL;
    kept_size = 0;
}

/* The end of a line: its newline, or the end of the text. */
static char *line_end(char *line) {
    char *end = strchr(line, '\n');
    return end ? end : line + strlen(line);
}

static u32 lines_of(char *text) {
    u32 lines = 0;
    for (; *text; lines++) {
        text = line_end(text);
        if (*text) text++;
    }
    return lines;
}

/* Prints the last lines of a log, up to the line that ends it; where that is. */
static char *tell_log(char *log) {
    char *end = strstr(log, "-- END ");
    if (!end) end = log + strlen(log);
    while (end > log && end[-1] != '\n') end--;
    char after = *end;
    *end = 0;
    u32 lines = lines_of(log), skipped = lines > LOG_LINES ? lines - LOG_LINES : 0;
    if (skipped) dprintf(2, "    ... (%u lines more with -v)\n", skipped);
    for (u32 i = 0; i < lines; i++) {
        char *stop = line_end(log);
        if (i >= skipped) bpf2native_call(dprintf, 2, "    %.*s\n", (int)(stop - log), log);
        log = *stop ? stop + 1 : stop;
    }
    *end = after;
    return after ? line_end(end) : end;
}

weak void bpf2native_rt_script_tell(void) {
    fflush(NULL);
    char *line = kept;
    while (line && *line) {
        char *end = line_end(line);
        char *begin = strstr(line, "-- BEGIN ");
        if (begin && begin < end) {
            end = tell_log(*end ? end + 1 : end);
        } else {
            dprintf(2, "  %.*s\n", (int)(end - line), line);
        }
        line = *end ? end + 1 : end;
    }
    bpf2native_rt_script_forget();
}
