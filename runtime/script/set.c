/* Variables by name: --set NAME=VALUE, and `workload_pid`. In: texts. Out: the variables' memory, before the kernel half is
   loaded. The rule: what does not fit is refused, by name. */
#include "script/script.h"

static const struct script_variable *find(const char *name, u64 length) {
    for (u64 i = 0; i < bpf_script->variable_count; i++) {
        const struct script_variable *variable = &bpf_script->variables[i];
        if (!strncmp(variable->name, name, length) && !variable->name[length]) return variable;
    }
    return NULL;
}

static void store(const struct script_variable *variable, u64 number) {
    switch (variable->size) {
    case 1: *(u8 *)variable->address = number; break;
    case 2: *(u16 *)variable->address = number; break;
    case 4: *(u32 *)variable->address = number; break;
    default: *(u64 *)variable->address = number;
    }
}

/* A number as C writes it, decimal, hexadecimal or octal, with a minus if there is one; whether it is one, below 2^64. */
static int read_number(const char *text, u64 *number, int *negative) {
    *negative = *text == '-';
    if (*negative) text++;
    if (*text < '0' || *text > '9') return 0;
    char *end;
    errno = 0;
    *number = strtoul(text, &end, 0);
    return !*end && !errno;
}

/* NULL, or what is wrong. */
static const char *set_number(const struct script_variable *variable, const char *text) {
    u64 number;
    int negative;
    u32 bits = variable->size * 8;
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64) return "cannot be set: it is an integer of an unusual size";
    if (!read_number(text, &number, &negative)) return "wants a number";
    if (variable->type == SCRIPT_UNSIGNED) {
        if ((negative && number) || (bits < 64 && number >> bits)) return "wants a number of its size, and not below 0";
    } else {
        u64 least = 1ul << (bits - 1);
        if (number > least || (!negative && number == least)) return "wants a number of its size";
    }
    store(variable, negative ? -number : number);
    return NULL;
}

static const char *set_bool(const struct script_variable *variable, const char *text) {
    int yes = !strcmp(text, "1") || !strcmp(text, "true");
    if (!yes && strcmp(text, "0") && strcmp(text, "false")) return "wants true, false, 1 or 0";
    store(variable, yes);
    return NULL;
}

static const char *set_text(const struct script_variable *variable, const char *text) {
    u64 length = strlen(text);
    if (length >= variable->size) return "wants a shorter text";
    memset(variable->address, 0, variable->size);
    memcpy(variable->address, text, length);
    return NULL;
}

static const char *set(const struct script_variable *variable, const char *text) {
    switch (variable->type) {
    case SCRIPT_SIGNED:
    case SCRIPT_UNSIGNED: return set_number(variable, text);
    case SCRIPT_BOOL: return set_bool(variable, text);
    case SCRIPT_TEXT: return set_text(variable, text);
    default: return "cannot be set: it is neither a number nor a text";
    }
}

static int set_one(const char *setting) {
    const char *value = strchr(setting, '=');
    u64 length = value - setting;
    const struct script_variable *variable = find(setting, length);
    const char *wrong = variable ? set(variable, value + 1) : "is no global variable that can be set; --help names those that can";
    if (!wrong) return 0;
    say("--set: `%.*s` ", (int)length, setting);
    if (variable) bpf2native_call(dprintf, 2, "%s (%u bytes): `%s`\n", wrong, variable->size, value + 1);
    else dprintf(2, "%s\n", wrong);
    return 2;
}

weak int bpf2native_rt_script_set(const struct script_options *options, u32 workload_pid) {
    const char *name = "workload_pid";
    const struct script_variable *variable = find(name, strlen(name));
    if (variable && variable->size == 4) store(variable, workload_pid);
    for (u32 i = 0; i < options->setting_count; i++) {
        int status = set_one(options->settings[i]);
        if (status) return status;
    }
    return 0;
}
