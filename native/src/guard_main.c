/*
 * blockrepl-guard WATCHDOG REHEARSAL REALTIME: the process that feeds the watchdog for sbd, and ends the node when sbd
 * loses its vote or vanishes. It shares nothing with sbd but a table of two times and a socket, so nothing that stops
 * or slows sbd, a garbage collection for instance, can keep it from deciding. If it is stopped itself, the watchdog
 * bites; if it is killed, the watchdog bites and sbd ends the node.
 *
 * WATCHDOG "-": none. REHEARSAL "-": in earnest; else a file that takes the letters that would have been written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "blockrepl_native.h"
#include "guard.h"

enum { TICK_MS = 200 };

/* A watchdog that works shall be first; see FeedingRule in BlockRepl.Sbd, which is the same rule for the simulator. */
static const int64_t grace_ns = 500000000;

static const char *watchdog_path;
static const char *rehearsal;
static brn_guard_table *table;
static struct guard_message orders; /* of the last GUARD_ARM */
static int watchdog = -1;
static int armed;
static int64_t last_fed_ns;

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time); /* also counts the time that the machine sleeps */
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void feed(int64_t now)
{
    if (watchdog >= 0 && write(watchdog, "", 1) != 1) {
        return;
    }
    last_fed_ns = now;
    __atomic_store_n(&table->last_fed_ns, now, __ATOMIC_SEQ_CST);
}

static void disarm(void)
{
    if (watchdog < 0) {
        return;
    }
    int disable = WDIOS_DISABLECARD;
    ioctl(watchdog, WDIOC_SETOPTIONS, &disable);
    while (write(watchdog, "V", 1) < 0 && (errno == EINTR || errno == EAGAIN)) {
    }
    close(watchdog);
    watchdog = -1;
}

/* The watchdog stays armed as a net below the steps that follow, but while the memory is dumped. */
static void let_go_of_watchdog(int32_t end, int32_t crash_timeout_s)
{
    if (watchdog < 0) {
        return;
    }
    if (end == BRN_NODE_CRASH && crash_timeout_s == 0) {
        disarm();
        return;
    }
    if (end == BRN_NODE_CRASH) {
        ioctl(watchdog, WDIOC_SETTIMEOUT, &crash_timeout_s);
    }
    close(watchdog);
    watchdog = -1;
}

static void end_node(int32_t end, int32_t flush, int32_t crash_timeout_s)
{
    if (end == BRN_NODE_TRACE) {
        return;
    }
    let_go_of_watchdog(end, crash_timeout_s);
    guard_end_node(end, flush, rehearsal);
    _exit(1);
}

/* Opens and sets the watchdog. One that has taken another time than it was given is let go of. */
static int open_watchdog(struct guard_message *message)
{
    watchdog = open(watchdog_path, O_WRONLY | O_CLOEXEC);
    if (watchdog < 0) {
        return -errno;
    }
    int error = 0;
    int wanted = message->timeout_s;
    int taken = wanted;
    if (message->set_timeout != 0 && ioctl(watchdog, WDIOC_SETTIMEOUT, &taken) != 0) {
        error = -errno;
    }
    if (ioctl(watchdog, WDIOC_GETTIMEOUT, &taken) != 0) {
        taken = wanted; /* a driver that does not tell */
    }
    message->timeout_s = taken;
    if (error == 0 && taken != wanted && message->set_timeout != 0) {
        error = -ERANGE;
    }
    if (error != 0) {
        disarm();
    }
    return error;
}

static void arm(struct guard_message *message)
{
    message->result = strcmp(watchdog_path, "-") == 0 ? 0 : open_watchdog(message);
    if (message->result == 0) {
        orders = *message;
        armed = 1;
        feed(now_ns());
    }
}

static void take_message(void)
{
    struct guard_message message;
    ssize_t got = recv(GUARD_CONTROL_FD, &message, sizeof message, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got != (ssize_t)sizeof message) {
        /* The daemon has vanished without a word: nobody reads this node's mailbox any more. */
        if (armed) {
            guard_note("the daemon has vanished");
            end_node(orders.end, orders.flush, orders.crash_timeout_s);
        }
        _exit(1);
    }
    if (message.code == GUARD_END) {
        end_node(message.end, message.flush, message.crash_timeout_s);
        return;
    }
    int stops = message.code == GUARD_STOP;
    if (stops) {
        disarm();
        message.result = 0;
    } else {
        arm(&message);
    }
    (void)!send(GUARD_CONTROL_FD, &message, sizeof message, MSG_NOSIGNAL);
    if (stops) {
        _exit(0);
    }
}

static void decide(void)
{
    int64_t now = now_ns();
    int64_t overdue = now - last_fed_ns - (int64_t)orders.timeout_s * 1000000000;
    if (overdue > 0 && orders.end != BRN_NODE_TRACE) {
        if (overdue > grace_ns) {
            guard_note("the vote was lost for longer than the watchdog's time-out");
            end_node(orders.end, orders.flush, orders.crash_timeout_s);
        }
        return;
    }
    int64_t vote_until = __atomic_load_n(&table->vote_until_ns, __ATOMIC_SEQ_CST);
    int64_t turn = __atomic_load_n(&table->turn_ns, __ATOMIC_SEQ_CST);
    if (now < vote_until && now - turn < (int64_t)orders.turn_limit_ms * 1000000) {
        feed(now);
    }
}

static void prepare(int realtime)
{
    /* What is sent to the daemon's process group is the daemon's business. */
    const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal(ignored[i], SIG_IGN);
    }
    if (realtime != 0) {
        struct sched_param highest = {.sched_priority = sched_get_priority_max(SCHED_RR)};
        sched_setscheduler(0, SCHED_RR, &highest);
        mlockall(MCL_CURRENT | MCL_FUTURE);
    }
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        (void)!write(score, "-1000", 5);
        close(score);
    }
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: blockrepl-guard WATCHDOG REHEARSAL REALTIME; started by sbd\n");
        return 2;
    }
    watchdog_path = arguments[1];
    rehearsal = strcmp(arguments[2], "-") == 0 ? NULL : arguments[2];
    table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, GUARD_TABLE_FD, 0);
    if (table == MAP_FAILED) {
        return 2;
    }
    prepare(atoi(arguments[3]));
    for (;;) {
        struct pollfd control = {.fd = GUARD_CONTROL_FD, .events = POLLIN};
        if (poll(&control, 1, TICK_MS) > 0) {
            take_message();
        }
        if (armed) {
            decide();
        }
    }
}
