/* The client of drbdadm against a daemon that answers as the test says. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static char folder[] = "/tmp/brn-client-XXXXXX";
static char program[4096];
static char output_path[64];
static char request[32768];

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    CHECK(fd >= 0);
    CHECK_EQ((long long)strlen(text), write(fd, text, strlen(text)));
    close(fd);
}

static int bind_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", folder, name);
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(0, bind(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

static int listen_at(const char *name)
{
    int fd = bind_at(name);
    CHECK_EQ(0, listen(fd, 1));
    return fd;
}

static pid_t start(char *const *arguments)
{
    pid_t child = fork();
    if (child == 0) {
        int fd = open(output_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execv(program, arguments);
        _exit(99);
    }
    return child;
}

static int finish(pid_t child)
{
    int status = 0;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect_output(const char *text)
{
    char got[256] = {0};
    int fd = open(output_path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, got, sizeof got - 1) >= 0);
    close(fd);
    if (strcmp(got, text) != 0) {
        fprintf(stderr, "got '%s', not '%s'\n", got, text);
        exit(1);
    }
}

/* Takes one request, answers with the text, in pieces of one byte if wished. */
static void answer_one(int listener, const char *answer, int single_bytes)
{
    int client = accept(listener, NULL, NULL);
    size_t used = 0;
    do {
        ssize_t got = read(client, request + used, sizeof request - 1 - used);
        CHECK(got > 0);
        used += (size_t)got;
    } while (request[used - 1] != '\n');
    request[used] = 0;
    for (size_t at = 0, all = strlen(answer); at < all;) {
        size_t part = single_bytes ? 1 : all;
        CHECK_EQ((long long)part, write(client, answer + at, part));
        at += part;
    }
    close(client);
    close(listener);
}

/* Returns the client's exit code. */
static int converse(const char *answer, int single_bytes)
{
    int listener = listen_at("control.sock");
    pid_t child = start((char *[]){"/usr/sbin/drbdsetup", "role", "a\"b\\c\n\xc3\xa4", "", NULL});
    answer_one(listener, answer, single_bytes);
    return finish(child);
}

static void a_request_has_the_words_as_json(void)
{
    CHECK_EQ(0, converse("x 0\n", 0));
    CHECK(strstr(request, "{\"command\":\"run\",\"run\":{\"program\":\"drbdsetup\",\"directory\":\"/") == request);
    CHECK(strstr(request, "\"arguments\":[\"role\",\"a\\u0022b\\u005cc\\u000a\xc3\xa4\",\"\"]}}\n") != NULL);
    CHECK(strstr(request, "\"environment\":{\"BLOCKREPL_NODE\":\"n1\"}") != NULL);
}

static void an_answer_is_printed_and_its_code_returned(void)
{
    CHECK_EQ(17, converse("o 5\nhello" "e 1\n\n" "o 0\n" "o 3\nx 9" "x 17\n", 0));
    expect_output("hello\nx 9");
    CHECK_EQ(17, converse("o 5\nhello" "e 1\n\n" "x 17\n", 1));
    expect_output("hello\n");
}

static void an_answer_that_ends_early_is_an_error(void)
{
    CHECK_EQ(20, converse("", 0));
    expect_output("drbdsetup: the daemon ended before it answered; its log says why\n");
    CHECK_EQ(20, converse("o 50\nhello", 0));
    CHECK_EQ(20, converse("o 1\nazzz\n", 0));
    CHECK_EQ(20, converse("o 1\naoooooooooooooooooooooooooooooooooooooooooooo", 0));
}

static void the_managed_program_does_what_the_daemon_does_not(void)
{
    CHECK_EQ(42, converse("l 0\n", 0));
    expect_output("managed drbdsetup role\n");
    CHECK_EQ(42, converse("{\"exitCode\":1}\n", 0));
}

/* The client sleeps nowhere else before it is connected. */
static int sleeps(pid_t child)
{
    char path[64];
    char status[256] = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, status, sizeof status - 1) > 0);
    close(fd);
    return strstr(status, "(blockrepl-clien) S") != NULL;
}

static void the_successor_of_a_killed_daemon_is_waited_for(void)
{
    int listener = bind_at("control.sock");
    pid_t child = start((char *[]){"drbdsetup", "role", NULL});
    while (!sleeps(child)) {
        CHECK_EQ(0, waitpid(child, NULL, WNOHANG));
    }
    CHECK_EQ(0, listen(listener, 1));
    answer_one(listener, "x 8\n", 0);
    CHECK_EQ(8, finish(child));
}

static void without_a_daemon_the_managed_program_runs(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/control.sock", folder);
    unlink(path);
    unlink(output_path);
    CHECK_EQ(42, finish(start((char *[]){"drbdadm", "role", NULL})));
    expect_output("managed drbdadm role\n");

    /* Also if the words are too many for a request. */
    static char huge[20000];
    memset(huge, 'x', sizeof huge - 1);
    int listener = listen_at("control.sock");
    CHECK_EQ(42, finish(start((char *[]){"drbdadm", "role", huge, NULL})));
    close(listener);
}

int main(int argc, char **argv)
{
    (void)argc;
    CHECK(mkdtemp(folder) != NULL);
    char command[8192];
    snprintf(command, sizeof command, "cp \"$(dirname '%s')/blockrepl-client\" %s/", argv[0], folder);
    CHECK_EQ(0, system(command));
    snprintf(program, sizeof program, "%s/blockrepl-client", folder);
    snprintf(output_path, sizeof output_path, "%s/output", folder);
    snprintf(command, sizeof command, "%s/blockrepl", folder);
    write_file(command, "#!/bin/sh\necho managed $1 $2\nexit 42\n", 0700);
    setenv("BLOCKREPL_RUN_DIR", folder, 1);
    setenv("BLOCKREPL_NODE", "n1", 1);
    unsetenv("BLOCKREPL_CONFIG");
    unsetenv("__DRBD_NODE__");

    if (finish(start((char *[]){"drbdadm", NULL})) == 99) {
        printf("not tested: %s cannot be started by this emulator\n", program);
        return 0;
    }
    without_a_daemon_the_managed_program_runs();
    a_request_has_the_words_as_json();
    an_answer_is_printed_and_its_code_returned();
    an_answer_that_ends_early_is_an_error();
    the_managed_program_does_what_the_daemon_does_not();
    the_successor_of_a_killed_daemon_is_waited_for();

    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_EQ(0, system(command));
    puts("client: good");
    return 0;
}
