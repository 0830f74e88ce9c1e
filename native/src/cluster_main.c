/*
 * blockrepl-cluster corosync|pacemaker LOOP_MS: looks at the cluster for sbd, once in each loop, and tells on standard
 * output what it sees; it decides nothing. It ends when standard input does. LOOP_MS 0: only says whether it could.
 *
 * The cluster's libraries are loaded here and nowhere else: if one of them hangs or crashes it is this process, and
 * sbd hears nothing for a while and starts it again. They are found while it runs, so sbd can be installed without a
 * cluster.
 *
 * Each look is some lines of text, the last one is "end":
 *   look TIME corosync MEMBERS TWO_NODE QDEVICE_MS   TIME: when it began; MEMBERS: nodes that run sbd; QDEVICE_MS: how
 *                                                    long a quorum device may be waited for, 0 if there is none
 *   look TIME remoted                                no corosync here but pacemaker-remoted, which belongs to others
 *   look TIME pacemakerd STATE AGE                   STATE: its number; AGE: seconds since it found all in order
 *     ... and what crm_mon --output-as=xml would print, if it could be had
 *   look TIME none WHY
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cluster.h"

/* A look that has not ended by then never will: the process ends, and the next one looks again. */
enum { LONGEST_LOOK_S = 10 };

/* After so many the program begins anew, because Pacemaker's library loses a little memory at each look. */
enum { LOOKS = 5000 };

int64_t cluster_now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int cluster_load(const char *library, const char *const *names, void **functions)
{
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (loaded == NULL) {
        printf("%s\n", dlerror());
        return 0;
    }
    for (int i = 0; names[i] != NULL; i++) {
        functions[i] = dlsym(loaded, names[i]);
        if (functions[i] == NULL) {
            printf("%s has no %s\n", library, names[i]);
            return 0;
        }
    }
    return 1;
}

static int usage(void)
{
    fprintf(stderr, "usage: blockrepl-cluster corosync|pacemaker LOOP_MS; started by sbd\n");
    return 2;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        return usage();
    }
    int is_corosync = strcmp(arguments[1], "corosync") == 0;
    int loop_ms = atoi(arguments[2]);
    if ((!is_corosync && strcmp(arguments[1], "pacemaker") != 0) || loop_ms < 0) {
        return usage();
    }
    /* What is sent to the daemon's process group is the daemon's business. */
    const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal(ignored[i], SIG_IGN);
    }
    if (!(is_corosync ? corosync_load() : pacemaker_load())) {
        return 1;
    }
    if (loop_ms == 0) {
        return 0;
    }
    /* The libraries warn of what is none of our business. */
    (void)!freopen("/dev/null", "w", stderr);
    for (int looks = 0; is_corosync || looks < LOOKS; looks++) {
        struct pollfd daemon = {.fd = STDIN_FILENO, .events = POLLIN};
        alarm(LONGEST_LOOK_S);
        (is_corosync ? corosync_look : pacemaker_look)();
        alarm(0);
        puts("end");
        if (fflush(stdout) != 0 || poll(&daemon, 1, loop_ms) > 0) {
            return 0;
        }
    }
    execv("/proc/self/exe", arguments);
    return 1;
}
