/*
 * blockrepl-keeper SECONDS: keeps descriptors of a daemon by name, so that they outlive it. Standard input is a
 * listening socket. While a daemon is connected it puts and gets; when it has gone its successor may come for so many
 * seconds, then everything is closed. With nothing left to keep and nobody connected the process ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keeper.h"

struct kept {
    char name[KEEPER_NAME_BYTES];
    int fd;
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

static int put(const char *name, int fd)
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
    return 0;
}

static int drop(const char *name)
{
    struct kept *entry = find(name);
    if (entry == NULL) {
        return -ENOENT;
    }
    close(entry->fd);
    *entry = kept[--kept_count];
    return 0;
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
        message.result = put(message.name, fd);
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
static void run(int listener, long long patience_ms)
{
    int client = -1;
    long long deadline = now_ms() + patience_ms;
    for (;;) {
        struct pollfd wanted[2] = {{.fd = listener, .events = POLLIN}, {.fd = client, .events = POLLIN}};
        long long left = client >= 0 ? 60000 : deadline - now_ms();
        if (left <= 0) {
            return;
        }
        if (poll(wanted, 2, (int)(left < 60000 ? left : 60000)) < 0 && errno != EINTR) {
            return;
        }
        if ((wanted[0].revents & POLLIN) != 0) {
            int next = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (next >= 0 && client >= 0) {
                close(client);
            }
            client = next >= 0 ? next : client;
        } else if (client >= 0 && wanted[1].revents != 0 && serve(client) != 0) {
            close(client);
            client = -1;
            deadline = now_ms() + (kept_count > 0 ? patience_ms : 0);
        }
    }
}

int main(int count, char **arguments)
{
    long long seconds = count == 2 ? atoll(arguments[1]) : 0;
    if (seconds <= 0) {
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    mlockall(MCL_CURRENT | MCL_FUTURE); /* it must be able to answer when memory is short; without the right it tries */
    run(STDIN_FILENO, seconds * 1000);
    return 0;
}
