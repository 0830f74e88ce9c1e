/* The guard in rehearsal: a FIFO for a watchdog, a file for the letters that would end this machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blockrepl_native.h"
#include "check.h"

static char folder[] = "/tmp/brn-guard-XXXXXX";
static char program[4096];
static char fifo[64];
static char rehearsal[64];
static int watchdog = -1;
static brn_guard_table *table;

/* A fresh guard with its watchdog. */
static int start(void)
{
    unlink(fifo);
    unlink(rehearsal);
    CHECK_EQ(0, mkfifo(fifo, 0600));
    watchdog = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK(watchdog >= 0);
    return brn_guard_start(program, fifo, rehearsal, 0, &table);
}

static int arm(int control, int32_t set_timeout, int32_t end, int32_t *timeout_s)
{
    brn_guard_orders orders = {
        .timeout_s = 1, .set_timeout = set_timeout, .turn_limit_ms = 600000, .end = end, .flush = 1};
    int32_t result = 0;
    table->vote_until_ns = brn_boottime_ns() + 600LL * 1000000000;
    table->turn_ns = brn_boottime_ns();
    CHECK_EQ(0, brn_guard_arm(control, &orders));
    CHECK_EQ(0, brn_guard_receive(control, timeout_s, &result));
    return result;
}

/* Waits for the byte; those before it are feedings. Returns how many of those there were, -1 at the end. */
static int wait_for(char byte)
{
    for (int fed = 0;;) {
        struct pollfd readable = {.fd = watchdog, .events = POLLIN};
        CHECK_EQ(1, poll(&readable, 1, 10000));
        char got = 0;
        if (read(watchdog, &got, 1) != 1) {
            return -1;
        }
        if (got == byte) {
            return fed;
        }
        CHECK_EQ(0, got);
        fed++;
    }
}

/* The guard has ended; what did it write to end the machine? */
static void check_end(int control, const char *expected)
{
    int32_t timeout_s = 0;
    int32_t result = 0;
    char text[8] = "";
    CHECK(waitpid(-1, NULL, 0) > 0);
    CHECK(control < 0 || brn_guard_receive(control, &timeout_s, &result) == -EPIPE);
    CHECK_EQ(-1, wait_for('V'));
    int file = open(rehearsal, O_RDONLY | O_CLOEXEC);
    CHECK_EQ(expected[0] != 0, file >= 0);
    CHECK(file < 0 || read(file, text, sizeof text - 1) >= 0);
    CHECK_EQ(0, strcmp(expected, text));
    close(file);
    close(watchdog);
}

static void feeds_while_the_vote_stands_and_then_ends_the_node(int control)
{
    int32_t timeout_s = 0;
    CHECK_EQ(0, arm(control, 0, BRN_NODE_RESET, &timeout_s));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(0, wait_for(0));
    }
    int64_t lost = brn_boottime_ns();
    __atomic_store_n(&table->vote_until_ns, 0, __ATOMIC_SEQ_CST);
    check_end(control, "b\n");
    /* Half a second after the watchdog was due, which is a second after the last feeding. */
    CHECK(brn_boottime_ns() - lost > 1250000000);
    close(control);
}

static void an_inquisitor_that_stands_still_counts_as_a_lost_vote(int control)
{
    int32_t timeout_s = 0;
    CHECK_EQ(0, arm(control, 0, BRN_NODE_OFF, &timeout_s));
    __atomic_store_n(&table->turn_ns, brn_boottime_ns() - 601LL * 1000000000, __ATOMIC_SEQ_CST);
    check_end(control, "o\n");
    close(control);
}

static void a_clean_stop_disarms(int control)
{
    int32_t timeout_s = 0;
    int32_t result = 0;
    CHECK_EQ(0, arm(control, 0, BRN_NODE_RESET, &timeout_s));
    CHECK_EQ(0, brn_guard_stop(control));
    CHECK_EQ(1, brn_guard_receive(control, &timeout_s, &result));
    CHECK(wait_for('V') >= 0);
    check_end(control, "");
    close(control);
}

static void a_watchdog_that_cannot_be_set_is_disarmed(int control)
{
    int32_t timeout_s = 0;
    CHECK_EQ(-ENOTTY, arm(control, 1, BRN_NODE_RESET, &timeout_s));
    CHECK_EQ(0, wait_for('V'));
    close(control);
    check_end(-1, "");
}

static void a_daemon_that_vanishes_ends_the_node_at_once(int control)
{
    int32_t timeout_s = 0;
    CHECK_EQ(0, arm(control, 0, BRN_NODE_CRASH, &timeout_s));
    close(control);
    CHECK(wait_for('V') >= 0); /* a dump without a time-out of its own is not to be cut short */
    check_end(-1, "c\n");
}

static void orders_to_end_leave_the_watchdog_armed(int control)
{
    int32_t timeout_s = 0;
    CHECK_EQ(0, arm(control, 0, BRN_NODE_RESET, &timeout_s));
    CHECK_EQ(0, brn_guard_end_node(control, BRN_NODE_OFF, 0, 0));
    check_end(control, "o\n");
    close(control);
}

int main(void)
{
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 32);
    CHECK(length > 0);
    strcpy(strrchr(program, '/'), "/blockrepl-guard");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(fifo, sizeof fifo, "%s/watchdog", folder);
    snprintf(rehearsal, sizeof rehearsal, "%s/letters", folder);
    void (*const tests[])(int) = {
        feeds_while_the_vote_stands_and_then_ends_the_node,
        an_inquisitor_that_stands_still_counts_as_a_lost_vote,
        a_clean_stop_disarms,
        a_watchdog_that_cannot_be_set_is_disarmed,
        a_daemon_that_vanishes_ends_the_node_at_once,
        orders_to_end_leave_the_watchdog_armed,
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        int control = start();
        CHECK(control >= 0);
        int32_t unused = 0;
        if (i == 0 && (brn_guard_stop(control) != 0 || brn_guard_receive(control, &unused, &unused) < 0)) {
            printf("not tested: %s cannot be started by this emulator\n", program);
            break;
        }
        if (i == 0) {
            CHECK(waitpid(-1, NULL, 0) > 0);
            close(control);
            close(watchdog);
            control = start();
        }
        tests[i](control);
    }
    unlink(fifo);
    unlink(rehearsal);
    rmdir(folder);
    return 0;
}
