/*
 * blockrepl-keeper: keeps descriptors of a daemon by name, so that they outlive it. Standard input is a listening
 * socket. While a daemon is connected it puts and gets; when it has gone each descriptor waits for its successor as
 * long as was said when it was put, then it is closed. With nothing left to keep and nobody connected the process ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keeper.h"

#define FIRST_CONNECTION_MS 60000

struct kept {
    char name[KEEPER_NAME_BYTES];
    int fd;
    long long patience_ms; /* LLONG_MAX: for ever */
};

static struct kept kept[KEEPER_MAX];
static int kept_count;

static struct kept *find(const char *name)
{
    for (int i = 0; i < kept_count; i++) {
        if (strcmp(kept[i].name, name) == 0) {
            return &kept[i];
        }
    }
    return NULL;
}

static int put(const char *name, int fd, unsigned patience_s)
{
    if (fd < 0) {
        return -EINVAL;
    }
    struct kept *entry = find(name);
    if (entry != NULL) {
        close(entry->fd);
    } else if (kept_count == KEEPER_MAX) {
        close(fd);
        return -ENOSPC;
    } else {
        entry = &kept[kept_count++];
        memcpy(entry->name, name, KEEPER_NAME_BYTES);
    }
    entry->fd = fd;
    entry->patience_ms = patience_s == 0 ? LLONG_MAX : (long long)patience_s * 1000;
    return 0;
}

static void forget(struct kept *entry)
{
    close(entry->fd);
    *entry = kept[--kept_count];
}

static int drop(const char *name)
{
    struct kept *entry = find(name);
    if (entry == NULL) {
        return -ENOENT;
    }
    forget(entry);
    return 0;
}

/* Closes what has waited long enough. How long until the next will have, or -1: never. */
static int expire(long long waited_ms)
{
    long long next = LLONG_MAX;
    for (int i = kept_count; i-- > 0;) {
        if (kept[i].patience_ms <= waited_ms) {
            forget(&kept[i]);
        } else if (kept[i].patience_ms < next) {
            next = kept[i].patience_ms;
        }
    }
    return next == LLONG_MAX ? -1 : next - waited_ms < INT_MAX ? (int)(next - waited_ms) : INT_MAX;
}

/* Answers one message; not 0: the daemon has gone, or is none. */
static int serve(int client)
{
    struct keeper_message message;
    int fd;
    int error = keeper_receive(client, &message, &fd);
    if (error != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return error;
    }
    int answer = -1;
    if (message.code == KEEPER_PUT) {
        message.result = put(message.name, fd, message.patience_s);
    } else {
        struct kept *entry = find(message.name);
        if (message.code == KEEPER_GET) {
            answer = entry == NULL ? -1 : entry->fd;
            message.result = entry == NULL ? -ENOENT : 0;
        } else {
            message.result = message.code == KEEPER_DROP ? drop(message.name) : -EINVAL;
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    return keeper_send(client, &message, answer);
}

static long long now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* One daemon at a time: a new one replaces the old, whose connection is dead or about to be. */
static void run(int listener)
{
    int client = -1;
    int first_ms = FIRST_CONNECTION_MS; /* none has come yet */
    long long gone_since = 0;
    for (;;) {
        int left = client >= 0 ? -1 : first_ms > 0 ? first_ms : expire(now_ms() - gone_since);
        if (client < 0 && first_ms == 0 && kept_count == 0) {
            return;
        }
        struct pollfd wanted[2] = {{.fd = listener, .events = POLLIN}, {.fd = client, .events = POLLIN}};
        int ready = poll(wanted, 2, left);
        if ((ready < 0 && errno != EINTR) || (ready == 0 && first_ms > 0 && client < 0)) {
            return;
        }
        if (ready > 0 && (wanted[0].revents & POLLIN) != 0) {
            int next = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (next >= 0 && client >= 0) {
                close(client);
            }
            client = next >= 0 ? next : client;
            first_ms = 0;
        } else if (ready > 0 && client >= 0 && wanted[1].revents != 0 && serve(client) != 0) {
            close(client);
            client = -1;
            gone_since = now_ms();
        }
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    mlockall(MCL_CURRENT | MCL_FUTURE); /* it must be able to answer when memory is short; without the right it tries */
    run(STDIN_FILENO);
    return 0;
}
