/*
 * fencebox [-l LOG] [-Ps] [-m SECONDS] COMMAND [ARGUMENTS...]: runs a program that fences its own machine where it
 * cannot, with a watchdog that bites. Its system calls are caught at the kernel's border, so it may be any program.
 *
 *   open of /dev/watchdog or watchdog0   WD open, WD close disarmed|armed
 *   a write to it                        WD pet (one line a second), WD magic-close-char
 *   ioctls of watchdogs                  WD settimeout N, WD setoptions N, ...
 *   no write for the watchdog's time     WD BITE: all inside is killed, exit status 137
 *   a letter to /proc/sysrq-trigger      SYSRQ x: b 129, o 130, c 139
 *   /proc/sys/kernel/sysrq               SYSRQ-MODE N
 *   reboot(2)                            REBOOT restart|poweroff: 129, 130
 *   BLKSSZGET on a plain file            512, so that it can stand for a disk
 *
 * -l LOG: where the lines above go, each with the time since the start. -s: b and o are only logged, reboot(2) must
 * follow. -m SECONDS: a watchdog that wraps a longer time-out. -P: no namespace of processes. The box ends when nothing
 * is left inside, with COMMAND's status; "COMMAND ended N" is told before. As root; Linux 5.9 or newer. One box is one
 * node.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "box.h"

struct box box = {
    .watchdog = -1,
    .timeout = 60,
    .last_pet_second = -1,
    .folder = "/tmp/fencebox.XXXXXX",
};

double box_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void box_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(box.log, "%8.3f ", box_now() - box.began);
    vfprintf(box.log, format, arguments);
    fputc('\n', box.log);
    fflush(box.log);
    va_end(arguments);
}

void box_pet(const char *how)
{
    box.is_armed = 1;
    box.bite_at = box_now() + box.timeout;
    int second = (int)(box_now() - box.began);
    if (second != box.last_pet_second) {
        box_say("WD pet%s", how);
        box.last_pet_second = second;
    }
}

/* Adds the children of one process to a list. */
static int list_children(int *list, int count, int room, int parent)
{
    char path[64];
    char text[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, parent);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0) {
        close(file);
    }
    text[got > 0 ? got : 0] = 0;
    for (char *word = strtok(text, " "); word != NULL && count < room; word = strtok(NULL, " ")) {
        list[count++] = atoi(word);
    }
    return count;
}

/* All that descends from process 1 of the box; stopped first, so that nothing escapes by forking. */
static void kill_descendants(void)
{
    for (int round = 0; round < 3; round++) {
        int list[1024] = {box.child};
        int count = 1;
        for (int i = 0; i < count; i++) {
            count = list_children(list, count, sizeof list / sizeof *list, list[i]);
        }
        for (int i = count - 1; i > 0; i--) {
            kill(list[i], round == 0 ? SIGSTOP : SIGKILL);
        }
    }
}

static void clean_up(void)
{
    unlink(box.watchdog_path);
    unlink(box.trigger_path);
    unlink(box.mode_path);
    rmdir(box.folder);
}

void box_finish(int status)
{
    if (box.child > 0) {
        if (box.keeps_pids) {
            kill_descendants();
        }
        kill(box.child, SIGKILL);
        waitpid(box.child, NULL, 0);
    }
    clean_up();
    exit(status);
}

static void on_signal(int number)
{
    box_finish(128 + number);
}

static void open_watchdog_reader(void)
{
    if (box.watchdog >= 0) {
        close(box.watchdog);
    }
    box.watchdog = open(box.watchdog_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

void box_read_watchdog(void)
{
    char bytes[256];
    ssize_t got;
    while ((got = read(box.watchdog, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            box.saw_magic = bytes[i] == 'V';
            if (box.saw_magic) {
                box_say("WD magic-close-char");
            }
            box_pet("");
        }
    }
    if (got == 0 && box.is_open) {
        /* Nobody has it open any more. */
        box.is_open = 0;
        if (box.saw_magic) {
            box.is_armed = 0;
        }
        box_say("WD close %s", box.is_armed ? "armed" : "disarmed");
        box.saw_magic = 0;
        open_watchdog_reader();
    }
}

void box_read_trigger(void)
{
    char bytes[64];
    ssize_t got = read(box.trigger, bytes, sizeof bytes);
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] <= ' ') {
            continue;
        }
        box_say("SYSRQ %c", bytes[i]);
        if (strchr(box.is_soft ? "c" : "boc", bytes[i]) != NULL) {
            box_finish(bytes[i] == 'b' ? BOX_RESET : bytes[i] == 'o' ? BOX_OFF : BOX_CRASH);
        }
    }
}

static void read_mode(void)
{
    static char last[16];
    char text[16];
    ssize_t got = pread(box.mode, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    if (text[0] != 0 && strcmp(text, last) != 0) {
        box_say("SYSRQ-MODE %s", text);
        strcpy(last, text);
    }
}

static void send_descriptor(int socket, int descriptor)
{
    char byte = 0;
    char control[CMSG_SPACE(sizeof descriptor)] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    if (sendmsg(socket, &message, 0) < 0) {
        _exit(BOX_BROKEN);
    }
}

static int receive_descriptor(int socket)
{
    int descriptor = -1;
    char byte;
    char control[CMSG_SPACE(sizeof descriptor)];
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, 0) > 0 && CMSG_FIRSTHDR(&message) != NULL) {
        memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
    }
    return descriptor;
}

/* Process 1 of the box: starts the command, tells its status, and reaps until nobody is left. */
static void run_inside(char **command, int to_outside, int status_pipe)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (box.keeps_pids) {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
    } else if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
               mount("proc", "/proc", "proc", 0, NULL) != 0) {
        _exit(BOX_BROKEN);
    }
    pid_t started = fork();
    if (started == 0) {
        int listener = calls_filter();
        if (listener < 0) {
            perror("fencebox: seccomp");
            _exit(BOX_BROKEN);
        }
        send_descriptor(to_outside, listener);
        close(listener);
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    int status;
    int result = 0;
    pid_t ended;
    while ((ended = wait(&status)) > 0) {
        if (ended == started) {
            result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            char byte = (char)result;
            (void)!write(status_pipe, &byte, 1);
        }
    }
    _exit(result);
}

/* What is inside has ended by itself. A watchdog that is still armed bites all the same. */
static int end_by_itself(int status)
{
    int result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    box.child = -1;
    box_read_watchdog();
    box_read_trigger();
    if (box.is_armed) {
        double left = box.bite_at - box_now();
        if (left > 0) {
            usleep((useconds_t)(left * 1e6));
        }
        box_say("WD BITE after %d s", box.timeout);
        result = BOX_BITE;
    } else {
        box_say("ended %d", result);
    }
    clean_up();
    return result;
}

static void say_command_end(int status_pipe)
{
    char byte;
    if (read(status_pipe, &byte, 1) == 1) {
        box_say("COMMAND ended %d", (unsigned char)byte);
    }
}

static int supervise(int listener, int status_pipe)
{
    for (;;) {
        struct pollfd sources[] = {{listener, POLLIN, 0}, {box.watchdog, POLLIN, 0}, {box.trigger, POLLIN, 0}};
        int ready = poll(sources, 3, 50);
        int status;
        if (ready > 0 && sources[1].revents != 0) {
            box_read_watchdog();
        }
        if (ready > 0 && (sources[2].revents & POLLIN) != 0) {
            box_read_trigger();
        }
        if (ready > 0 && (sources[0].revents & POLLIN) != 0) {
            calls_answer(listener);
        }
        say_command_end(status_pipe);
        read_mode();
        if (box.is_armed && box_now() > box.bite_at) {
            box_say("WD BITE after %d s", box.timeout);
            box_finish(BOX_BITE);
        }
        if (waitpid(box.child, &status, WNOHANG) == box.child) {
            say_command_end(status_pipe); /* it may have ended since, and all with it */
            return end_by_itself(status);
        }
    }
}

static int make_files(void)
{
    if (mkdtemp(box.folder) == NULL) {
        return 0;
    }
    snprintf(box.watchdog_path, sizeof box.watchdog_path, "%s/watchdog", box.folder);
    snprintf(box.trigger_path, sizeof box.trigger_path, "%s/trigger", box.folder);
    snprintf(box.mode_path, sizeof box.mode_path, "%s/mode", box.folder);
    box.mode = open(box.mode_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (mkfifo(box.watchdog_path, 0600) != 0 || mkfifo(box.trigger_path, 0600) != 0 ||
        write(box.mode, "438\n", 4) != 4) {
        return 0;
    }
    open_watchdog_reader();
    box.trigger = open(box.trigger_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return 1;
}

static int read_options(int count, char **arguments)
{
    int option;
    const char *log = NULL;
    while ((option = getopt(count, arguments, "+l:m:sP")) > 0) {
        switch (option) {
        case 'l': log = optarg; break;
        case 'm': box.largest = atoi(optarg); break;
        case 's': box.is_soft = 1; break;
        case 'P': box.keeps_pids = 1; break;
        default: return 0;
        }
    }
    if (optind >= count) {
        return 0;
    }
    box.log = log != NULL ? fopen(log, "ae") : stderr;
    return box.log != NULL;
}

int main(int count, char **arguments)
{
    int pair[2];
    int status[2];
    if (!read_options(count, arguments)) {
        fprintf(stderr, "usage: fencebox [-l LOG] [-Ps] [-m SECONDS] COMMAND [ARGUMENTS...]\n");
        return 2;
    }
    box.began = box_now();
    if (!make_files() || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
        pipe2(status, O_CLOEXEC | O_NONBLOCK) != 0 || (!box.keeps_pids && unshare(CLONE_NEWPID) != 0)) {
        perror("fencebox (root is needed)");
        clean_up();
        return BOX_BROKEN;
    }
    box.child = fork();
    if (box.child == 0) {
        run_inside(arguments + optind, pair[1], status[1]);
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGHUP, on_signal);
    close(pair[1]);
    int listener = receive_descriptor(pair[0]);
    if (listener < 0) {
        box_finish(BOX_BROKEN);
    }
    return supervise(listener, status[0]);
}
