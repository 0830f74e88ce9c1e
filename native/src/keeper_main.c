/*
 * blockrepl-keeper: keeps descriptors of a daemon by name, so that they outlive it. Standard input is a listening
 * socket. While a daemon is connected it puts and gets; when it has gone each descriptor waits for its successor as
 * long as was said when it was put, then it is closed. With nothing left to keep and nobody connected the process ends.
 *
 * A ublk device is kept by the kernel, for as long as it takes; an NBD device too, with what was in flight when the
 * daemon died. An entry without a descriptor gives them an end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "blockrepl_native.h"
#include "keeper.h"

#define FIRST_CONNECTION_MS 60000

struct kept {
    char name[KEEPER_NAME_BYTES];
    int fd; /* -1: a device */
    int code;
    int device_index;
    uint64_t ublk_identity;
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

static void close_if_open(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

static int put(const struct keeper_message *message, int fd)
{
    if ((message->code == KEEPER_PUT) != (fd >= 0)) {
        close_if_open(fd);
        return -EINVAL;
    }
    struct kept *entry = find(message->name);
    if (entry != NULL) {
        close_if_open(entry->fd);
    } else if (kept_count == KEEPER_MAX) {
        close_if_open(fd);
        return -ENOSPC;
    } else {
        entry = &kept[kept_count++];
        memcpy(entry->name, message->name, KEEPER_NAME_BYTES);
    }
    entry->fd = fd;
    entry->code = message->code;
    entry->device_index = message->device_index;
    entry->ublk_identity = (uint64_t)message->ublk_identity[1] << 32 | message->ublk_identity[0];
    entry->patience_ms = message->patience_s == 0 ? LLONG_MAX : (long long)message->patience_s * 1000;
    return 0;
}

static void forget(struct kept *entry)
{
    close_if_open(entry->fd);
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

static void end_nbd(const struct kept *entry)
{
    char path[64], identifier[KEEPER_NAME_BYTES] = "";
    snprintf(path, sizeof path, "/sys/block/nbd%d/backend", entry->device_index);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    int known = fgets(identifier, sizeof identifier, file) != NULL;
    fclose(file);
    identifier[strcspn(identifier, "\n")] = '\0';
    if (known && strcmp(identifier, entry->name) == 0) {
        brn_nbd_disconnect(entry->device_index);
    }
}

static void end_ublk(const struct kept *entry)
{
    brn_ublk_info info;
    int index = entry->device_index;
    if (brn_ublk_info_get(index, &info) == 0 && info.identity == entry->ublk_identity &&
        info.state == BRN_UBLK_QUIESCED) {
        brn_ublk_stop(index);
        if (brn_ublk_delete(index, 0) != 0) {
            brn_ublk_delete(index, 1);
        }
    }
}

/*
 * If the device is still the one that was put and nobody serves it, what waits in it fails now. That takes as long as a
 * file system on it takes to give up, so a child does it, without our sockets: the next daemon must not wait for it.
 */
static void end_device(const struct kept *entry)
{
    pid_t child = fork();
    if (child > 0) {
        return;
    }
    if (child == 0) {
        syscall(__NR_close_range, 0u, ~0u, 0u);
    }
    (entry->code == KEEPER_PUT_UBLK ? end_ublk : end_nbd)(entry);
    if (child == 0) {
        _exit(0);
    }
}

/* Ends what has waited long enough. How long until the next will have, or -1: never. */
static int expire(long long waited_ms)
{
    long long next = LLONG_MAX;
    for (int i = kept_count; i-- > 0;) {
        if (kept[i].patience_ms <= waited_ms) {
            if (kept[i].fd < 0) {
                end_device(&kept[i]);
            }
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
        close_if_open(fd);
        return error;
    }
    int answer = -1;
    if (message.code == KEEPER_PUT || message.code == KEEPER_PUT_UBLK || message.code == KEEPER_PUT_NBD) {
        message.result = put(&message, fd);
    } else {
        struct kept *entry = find(message.name);
        if (message.code == KEEPER_GET) {
            answer = entry == NULL ? -1 : entry->fd;
            message.result = entry == NULL ? -ENOENT : 0;
        } else {
            message.result = message.code == KEEPER_DROP ? drop(message.name) : -EINVAL;
        }
        close_if_open(fd);
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
    signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
    mlockall(MCL_CURRENT | MCL_FUTURE); /* it must be able to answer when memory is short; without the right it tries */
    run(STDIN_FILENO);
    return 0;
}
