/* The driver's command line:

       NAME [options of the driver] [arguments of the script] [--] [workload ...]

   In: argc, argv. Out: struct script_options. The rule: the first word that is no option of the driver begins the script's
   arguments; what follows `--` is the workload, and without one INIT's getopt says where it begins (main.c). */
#include "script/script.h"

struct unit {
    const char *name;
    u64 nanoseconds;
};

static const struct unit units[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"", 1000000000}, {"m", 60000000000}, {"h", 3600000000000},
};

/* No span is longer than a hundred years. */
enum { YEARS = 100 };
static const u64 longest = YEARS * 366ul * 86400 * 1000000000;

static int is_digit(char c) { return c >= '0' && c <= '9'; }

weak u64 bpf2native_rt_script_time(const char *text) {
    const char *at = text;
    u64 whole = 0, part = 0, scale = 1;
    for (; is_digit(*at); at++) {
        if (whole > longest / 10) return 0;
        whole = whole * 10 + (*at - '0');
    }
    if (at == text) return 0;
    if (*at == '.')
        for (at++; is_digit(*at); at++) {
            if (scale >= 1000000000) continue;
            scale *= 10;
            part = part * 10 + (*at - '0');
        }
    for (u32 i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(at, units[i].name)) continue;
        u64 unit = units[i].nanoseconds;
        if (whole > longest / unit) return 0;
        /* Below 2^62: a part has 9 digits, and is of at most an hour. */
        return whole * unit + (unit >= scale ? part * (unit / scale) : part * unit / scale);
    }
    return 0;
}

/* By enum script_type; NULL for what cannot be set. */
static const char *const types[] = {NULL, "integer", "unsigned integer", "bool", "text", NULL};

static void help(const struct script_options *options) {
    fflush(NULL);
    dprintf(1, "usage: %s [options] [arguments of the script] [--] [workload ...]\n\n", options->program);
    dprintf(1, "  -p, --pid PID          until this process ends\n"
               "  -a, --all              of all processes: `workload_pid` is 0, with a workload too\n"
               "      --duration TIME    for so long (5, 0.5s, 100ms, 2m)\n"
               "      --set NAME=VALUE   sets a global variable before the kernel half is loaded\n"
               "  -i, --interface NAME   the interface that XDP programs are attached to\n"
               "  -v, --verbose          what is loaded and attached; the whole log of what is refused\n"
               "  -h, --help\n");
    u32 shown = 0;
    for (u64 i = 0; bpf_script && i < bpf_script->variable_count; i++) {
        const struct script_variable *variable = &bpf_script->variables[i];
        const char *type = variable->type < SCRIPT_OTHER ? types[variable->type] : NULL;
        if (!type) continue;
        if (!shown++) dprintf(1, "\nvariables:\n");
        bpf2native_call(dprintf, 1, "  %-22s %s of %u byte%s\n", variable->name, type, variable->size,
                        variable->size == 1 ? "" : "s");
    }
}

/* The words of the command line, of which `at` is looked at. */
struct words {
    int at, count;
    char **words;
};

/* Whether the word is this option, and its value, of the same word (`-p1`, `--pid=1`) or the next one; NULL if there is none. */
static int is_option(struct words *words, const char *letter, const char *name, const char **value) {
    const char *word = words->words[words->at];
    u64 length = strlen(name);
    *value = NULL;
    if (!strcmp(word, name) || (letter && !strcmp(word, letter))) {
        if (words->at + 1 < words->count) *value = words->words[words->at + 1];
        words->at += 2;
        return 1;
    }
    if (!strncmp(word, name, length) && word[length] == '=') *value = word + length + 1;
    else if (letter && !strncmp(word, letter, 2)) *value = word + 2;
    if (*value) words->at++;
    return *value != NULL;
}

static int is_switch(struct words *words, const char *letter, const char *name) {
    const char *word = words->words[words->at];
    if (strcmp(word, letter) && strcmp(word, name)) return 0;
    words->at++;
    return 1;
}

/* Messages of what is wrong. */
static int wrong(const char *option, const char *what, const char *value) {
    if (value) say("%s: %s: `%s`; --help says more\n", option, what, value);
    else say("%s wants a value; --help says more\n", option);
    return 2;
}

static int read_pid(struct script_options *options, const char *value) {
    char *end;
    u64 pid = value && is_digit(*value) ? strtoul(value, &end, 10) : 0;
    if (!pid || *end || pid > 0x7fffffff) return wrong("--pid", "no process id", value);
    options->pid = pid;
    return 0;
}

static int read_interface(struct script_options *options, const char *value) {
    options->interface = value ? if_nametoindex(value) : 0;
    return options->interface ? 0 : wrong("--interface", "no such network interface", value);
}

static int read_duration(struct script_options *options, const char *value) {
    options->duration = value ? bpf2native_rt_script_time(value) : 0;
    return options->duration ? 0 : wrong("--duration", "no time such as 5, 0.5s, 100ms, 2m", value);
}

static int read_setting(struct script_options *options, const char *value) {
    if (!value || !strchr(value, '=')) return wrong("--set", "not NAME=VALUE", value);
    options->settings[options->setting_count++] = value;
    return 0;
}

/* What is after the driver's options. */
static int read_rest(struct script_options *options, struct words *words) {
    char **rest = words->words + words->at;
    int count = words->count - words->at, own = 0;
    while (own < count && strcmp(rest[own], "--")) own++;
    options->separated = own < count;
    options->argv = calloc(own + 2, sizeof *options->argv);
    if (!options->argv) return bpf2native_rt_script_no_memory();
    options->argv[0] = (char *)options->program;
    memcpy(options->argv + 1, rest, own * sizeof *rest);
    options->argc = own + 1;
    if (own + 1 < count) options->workload = rest + own + 1;
    return 0;
}

weak int bpf2native_rt_script_options(struct script_options *options, int argc, char **argv) {
    struct words words = {1, argc, argv};
    const char *value;
    int status = 0;
    options->program = argc > 0 ? argv[0] : "script";
    options->settings = calloc(argc + 1, sizeof *options->settings);
    if (!options->settings) return bpf2native_rt_script_no_memory();
    while (!status && words.at < words.count) {
        if (is_switch(&words, "-h", "--help")) {
            help(options);
            return -1;
        }
        if (is_switch(&words, "-a", "--all")) options->all = 1;
        else if (is_switch(&words, "-v", "--verbose")) options->verbose = 1;
        else if (is_option(&words, "-p", "--pid", &value)) status = read_pid(options, value);
        else if (is_option(&words, "-i", "--interface", &value)) status = read_interface(options, value);
        else if (is_option(&words, NULL, "--duration", &value)) status = read_duration(options, value);
        else if (is_option(&words, NULL, "--set", &value)) status = read_setting(options, value);
        else break;
    }
    return status ? status : read_rest(options, &words);
}
