/* Ending this machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "blockrepl_native.h"
#include "guard.h"

void guard_note(const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (log < 0) {
        return;
    }
    char line[256];
    int length = snprintf(line, sizeof line, "<24>sbd[%d]: %s", (int)getpid(), text);
    (void)!sendto(log, line, (size_t)length, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address);
    close(log);
}

static sem_t flushed;

static void *flush_all(void *unused)
{
    (void)unused;
    sync();
    sem_post(&flushed);
    return NULL;
}

/* On a thread of its own: on a dead disk it never ends, and nothing may wait for it. */
static void flush_for_a_while(void)
{
    pthread_t thread;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    if (sem_init(&flushed, 0, 0) == 0 && pthread_create(&thread, NULL, flush_all, NULL) == 0) {
        pthread_detach(thread);
        while (sem_timedwait(&flushed, &until) != 0 && errno == EINTR) {
        }
    }
}

static void write_trigger(const char *path, int flags, char letter)
{
    char text[2] = {letter, '\n'};
    int trigger = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0600);
    if (trigger >= 0) {
        (void)!write(trigger, text, sizeof text);
        close(trigger);
    }
}

void guard_end_node(int32_t end, int32_t flush, const char *rehearsal)
{
    static const char letters[] = {'b', 'o', 'c'};
    char letter = end >= 0 && end < (int32_t)sizeof letters ? letters[end] : 'b';
    if (rehearsal != NULL) {
        write_trigger(rehearsal, O_CREAT, letter);
        return;
    }
    guard_note(letter == 'b' ? "this node resets itself" :
               letter == 'o' ? "this node switches itself off" : "this node crashes on purpose");
    if (flush != 0) {
        flush_for_a_while();
    }
    write_trigger("/proc/sysrq-trigger", 0, letter);
    if (end != BRN_NODE_CRASH) {
        reboot(letter == 'o' ? RB_POWER_OFF : RB_AUTOBOOT);
    }
}

int32_t brn_node_end(int32_t end, int32_t flush, const char *rehearsal)
{
    guard_end_node(end, flush, rehearsal != NULL && rehearsal[0] != 0 ? rehearsal : NULL);
    return 0;
}
