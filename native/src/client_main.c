/*
 * drbdadm, drbdsetup and drbdmeta, after the name it is called by: hands its command line to the daemon, which answers
 * with what to print and the exit code. Where no daemon answers, or the daemon says that the command is not for it,
 * the managed program beside this file runs the same commands. Small, because resource agents start it every few
 * seconds; it knows no command.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CANNOT_EXECUTE 20
#define DEFAULT_RUN_DIRECTORY "/run/blockrepl"
#define MANAGED_PROGRAM "blockrepl"

/* For the daemon that follows a killed one. An agent's monitor asks three times and has 20 s. */
#define SUCCESSOR_MS 5000
#define POLL_MS 50

/* As ControlLimits.RequestBytes: what does not fit is no command line of these programs. */
#define REQUEST_BYTES (16 * 1024)

/* What of the environment says which node is meant. */
static const char *const variables[] = {"BLOCKREPL_CONFIG", "BLOCKREPL_NODE", "__DRBD_NODE__"};

struct text {
    char bytes[REQUEST_BYTES];
    size_t used;
    int overflown;
};

static void add(struct text *text, const char *bytes)
{
    size_t count = strlen(bytes);
    if (count > sizeof text->bytes - text->used) {
        text->overflown = 1;
        return;
    }
    memcpy(text->bytes + text->used, bytes, count);
    text->used += count;
}

/* As a JSON string; bytes that are no UTF-8 the daemon refuses. */
static void add_string(struct text *text, const char *value)
{
    add(text, "\"");
    for (; *value != 0; value++) {
        unsigned char c = (unsigned char)*value;
        char shown[8] = {(char)c, 0};
        if (c == '"' || c == '\\' || c < ' ') {
            snprintf(shown, sizeof shown, "\\u%04x", c);
        }
        add(text, shown);
    }
    add(text, "\"");
}

static void add_environment(struct text *text)
{
    const char *before = "";
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        if (value != NULL) {
            add(text, before);
            add_string(text, variables[i]);
            add(text, ":");
            add_string(text, value);
            before = ",";
        }
    }
}

/* False: the request would not fit. */
static int make_request(struct text *text, const char *program, char **arguments)
{
    char directory[PATH_MAX];
    struct winsize window = {0};
    add(text, "{\"command\":\"run\",\"run\":{\"program\":");
    add_string(text, program);
    add(text, ",\"directory\":");
    add_string(text, getcwd(directory, sizeof directory) != NULL ? directory : "/");
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0) {
        char columns[32];
        snprintf(columns, sizeof columns, ",\"columns\":%u", window.ws_col);
        add(text, columns);
    }
    add(text, ",\"environment\":{");
    add_environment(text);
    add(text, "},\"arguments\":[");
    for (const char *before = ""; *arguments != NULL; arguments++, before = ",") {
        add(text, before);
        add_string(text, *arguments);
    }
    add(text, "]}}\n");
    return !text->overflown;
}

/*
 * -1: nobody is there. A daemon that was killed leaves its socket behind, and a supervisor starts the next one, which
 * takes over what was in use before it listens: it is waited for, or a resource agent would take the resource for
 * stopped. One that was stopped takes its socket with it.
 */
static int connect_to_daemon(void)
{
    const char *directory = getenv("BLOCKREPL_RUN_DIR");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock",
                          directory != NULL && *directory != 0 ? directory : DEFAULT_RUN_DIRECTORY);
    if (length < 0 || (size_t)length >= sizeof address.sun_path) {
        return -1;
    }
    int was_killed = 0;
    for (int waited = 0;; waited += POLL_MS) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            return fd;
        }
        was_killed |= errno == ECONNREFUSED;
        close(fd);
        if (!was_killed || waited >= SUCCESSOR_MS) {
            return -1;
        }
        poll(NULL, 0, POLL_MS);
    }
}

/* False, with errno: not all of it went out. */
static int write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written < 0 && errno != EINTR) {
            return 0;
        }
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        }
    }
    return 1;
}

static int fail(const char *program, const char *what)
{
    fprintf(stderr, "%s: %s\n", program, what);
    return CANNOT_EXECUTE;
}

/* Passes so many bytes of the answer on. False: the answer ended early. */
static int relay(FILE *answer, int to, unsigned long count)
{
    char buffer[4096];
    while (count > 0) {
        size_t part = count < sizeof buffer ? count : sizeof buffer;
        if (fread(buffer, 1, part, answer) != part) {
            return 0;
        }
        if (!write_all(to, buffer, part) && errno == EPIPE) {
            exit(0); /* whoever read has seen enough */
        }
        count -= part;
    }
    return 1;
}

/* The exit code, or -1: the managed program shall do it. An answer is parts "KIND NUMBER\n", some with bytes behind. */
static int print_answer(const char *program, FILE *answer)
{
    char head[32];
    for (int first = 1; fgets(head, sizeof head, answer) != NULL; first = 0) {
        char *end = NULL;
        unsigned long number = strtoul(head + 1, &end, 10);
        if (end == head + 1 || *end != '\n') {
            /* A daemon of another version refuses in its own way. */
            return first ? -1 : fail(program, "the daemon's answer cannot be understood");
        }
        switch (head[0]) {
        case 'o':
        case 'e':
            if (!relay(answer, head[0] == 'o' ? STDOUT_FILENO : STDERR_FILENO, number)) {
                return fail(program, "the daemon ended in the middle of its answer; its log says why");
            }
            break;
        case 'x':
            return (int)(number & 0xff);
        default:
            return -1;
        }
    }
    return fail(program, "the daemon ended before it answered; its log says why");
}

/* Does not return unless it fails. */
static int run_managed(const char *program, char **arguments, int count)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof MANAGED_PROGRAM - 1);
    char *slash = length > 0 ? memrchr(path, '/', (size_t)length) : NULL;
    char **words = calloc((size_t)count + 3, sizeof *words);
    if (slash == NULL || words == NULL) {
        return fail(program, "cannot find out where it is installed");
    }
    memcpy(slash + 1, MANAGED_PROGRAM, sizeof MANAGED_PROGRAM);
    words[0] = path;
    words[1] = (char *)program;
    memcpy(words + 2, arguments, (size_t)count * sizeof *words);
    execv(path, words);
    fprintf(stderr, "%s: no daemon answers, and %s does not start: %s\n", program, path, strerror(errno));
    return CANNOT_EXECUTE;
}

int main(int argc, char **argv)
{
    static struct text request;
    if (argc < 1) {
        return CANNOT_EXECUTE;
    }
    const char *slash = strrchr(argv[0], '/');
    const char *program = slash != NULL ? slash + 1 : argv[0];
    if (make_request(&request, program, argv + 1)) {
        int daemon = connect_to_daemon();
        if (daemon >= 0) {
            signal(SIGPIPE, SIG_IGN);
            FILE *answer = fdopen(daemon, "r");
            if (answer == NULL || !write_all(daemon, request.bytes, request.used)) {
                return fail(program, "the daemon does not take the command; its log says why");
            }
            int code = print_answer(program, answer);
            if (code >= 0) {
                return code;
            }
            fclose(answer);
            signal(SIGPIPE, SIG_DFL);
        }
    }
    return run_managed(program, argv + 1, argc - 1);
}
