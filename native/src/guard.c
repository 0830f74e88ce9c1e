/* The daemon's side of its guard: starting it, telling it, hearing it; and who has a watchdog open. */
#define _GNU_SOURCE
#include "guard.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "blockrepl_native.h"

static int spawn(const char *program, const char *watchdog, const char *rehearsal, uint32_t realtime, int control,
                 int memory)
{
    char *arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)watchdog, (char *)(uintptr_t)rehearsal,
                         realtime != 0 ? "1" : "0", NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, control, GUARD_CONTROL_FD);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, memory, GUARD_TABLE_FD);
    pid_t child;
    int error = posix_spawn(&child, program, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return error != 0 ? -error : child;
}

int32_t brn_guard_start(const char *program, const char *watchdog, const char *rehearsal, uint32_t realtime,
                        brn_guard_table **shared)
{
    int pair[2];
    int memory = memfd_create("sbd", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, sizeof **shared) != 0) {
        return -errno;
    }
    void *mapped = mmap(NULL, sizeof **shared, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (mapped == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        int error = -errno;
        close(memory);
        return error;
    }
    /* Out of the way of the numbers that the guard has its own under. */
    int kept_control = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
    int kept_memory = fcntl(memory, F_DUPFD_CLOEXEC, 10);
    int started = spawn(program, watchdog[0] != 0 ? watchdog : "-", rehearsal[0] != 0 ? rehearsal : "-", realtime,
                        kept_control, kept_memory);
    close(kept_control);
    close(kept_memory);
    close(pair[1]);
    close(memory);
    if (started < 0) {
        close(pair[0]);
        munmap(mapped, sizeof **shared);
        return started;
    }
    *shared = mapped;
    return pair[0];
}

static int send_order(int32_t control, const struct guard_message *message)
{
    return send(control, message, sizeof *message, MSG_NOSIGNAL) == (ssize_t)sizeof *message ? 0 : -errno;
}

int32_t brn_guard_arm(int32_t control, const brn_guard_orders *orders)
{
    struct guard_message message = {
        .code = GUARD_ARM,
        .timeout_s = orders->timeout_s,
        .set_timeout = orders->set_timeout,
        .turn_limit_ms = orders->turn_limit_ms,
        .end = orders->end,
        .flush = orders->flush,
        .crash_timeout_s = orders->crash_timeout_s,
    };
    return send_order(control, &message);
}

int32_t brn_guard_stop(int32_t control)
{
    struct guard_message message = {.code = GUARD_STOP};
    return send_order(control, &message);
}

int32_t brn_guard_end_node(int32_t control, int32_t end, int32_t flush, int32_t crash_timeout_s)
{
    struct guard_message message = {
        .code = GUARD_END, .end = end, .flush = flush, .crash_timeout_s = crash_timeout_s};
    return send_order(control, &message);
}

int32_t brn_guard_receive(int32_t control, int32_t *timeout_s, int32_t *result)
{
    struct guard_message message;
    ssize_t got;
    do {
        got = recv(control, &message, sizeof message, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof message) {
        return got < 0 ? -errno : -EPIPE;
    }
    *timeout_s = message.timeout_s;
    *result = message.result;
    return message.code == GUARD_STOP ? 1 : 0;
}

int64_t brn_boottime_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int32_t brn_thread_realtime(void)
{
    struct sched_param highest = {.sched_priority = sched_get_priority_max(SCHED_RR)};
    int error = sched_setscheduler(0, SCHED_RR, &highest) == 0 ? 0 : -errno;
    syscall(SYS_ioprio_set, 1, 0, (1 << 13) | 1); /* of this thread: real-time class, level 1 */
    return error;
}

/* /dev/watchdog and /dev/watchdog0 are one device under two numbers. */
static int is_same_watchdog(dev_t one, dev_t other)
{
    dev_t legacy = makedev(10, 130);
    unsigned int major_number = 0;
    unsigned int minor_number = 0;
    if (one == other) {
        return 1;
    }
    FILE *file = fopen("/sys/class/watchdog/watchdog0/dev", "re");
    if (file == NULL) {
        return 0;
    }
    int read = fscanf(file, "%u:%u", &major_number, &minor_number);
    fclose(file);
    dev_t first = makedev(major_number, minor_number);
    return read == 2 && ((one == legacy && other == first) || (one == first && other == legacy));
}

static int has_open(const char *pid, dev_t device)
{
    char folder[64];
    snprintf(folder, sizeof folder, "/proc/%.20s/fd", pid);
    DIR *files = opendir(folder);
    if (files == NULL) {
        return 0;
    }
    int found = 0;
    struct dirent *entry;
    while (!found && (entry = readdir(files)) != NULL) {
        char path[400];
        char target[64] = "";
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        /* Only devices are looked at: a file on a dead server would hold us up. */
        found = readlink(path, target, sizeof target - 1) > 0 && strncmp(target, "/dev/", 5) == 0 &&
                stat(path, &status) == 0 && S_ISCHR(status.st_mode) && is_same_watchdog(status.st_rdev, device);
    }
    closedir(files);
    return found;
}

int32_t brn_watchdog_holder(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISCHR(status.st_mode)) {
        return 0;
    }
    DIR *processes = opendir("/proc");
    if (processes == NULL) {
        return 0;
    }
    int32_t holder = 0;
    struct dirent *entry;
    while (holder == 0 && (entry = readdir(processes)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0]) && has_open(entry->d_name, status.st_rdev)) {
            holder = atoi(entry->d_name);
        }
    }
    closedir(processes);
    return holder;
}

int64_t brn_character_device(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return -errno;
    }
    return S_ISCHR(status.st_mode) ? (int64_t)major(status.st_rdev) << 32 | minor(status.st_rdev) : -ENODEV;
}
