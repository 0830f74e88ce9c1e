/*
 * NBD by netlink. Without an argument: the messages, byte for byte, and answers that are cut or lie. With "kernel", in
 * a guest whose kernel has nbd: a device served by a thread of this program, and what happens when that thread dies.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "nbd.h"

#define DISK_BYTES (16u << 20)
#define IDENTIFIER "r0/0@test"

/* ---- messages ------------------------------------------------------------------------------------------------ */

static void family_message(void)
{
    static const uint8_t expected[] = {
        28, 0, 0, 0, 0x10, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0, /* length, nlctrl, request and acknowledge, sequence 7 */
        3, 1, 0, 0,                                         /* get family, version 1 */
        8, 0, 2, 0, 'n', 'b', 'd', 0,                       /* name */
    };
    uint8_t message[NBD_MESSAGE_ROOM];
    CHECK_EQ(sizeof expected, nbd_build_family(message, sizeof message, 7));
    CHECK(memcmp(expected, message, sizeof expected) == 0);
    CHECK_EQ(0, nbd_build_family(message, sizeof expected - 1, 7));
}

static void connect_message(void)
{
    static const uint8_t expected[] = {
        132, 0, 0, 0, 0x21, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, /* connect */
        8, 0, 1, 0, 3, 0, 0, 0,                                          /* index */
        12, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0,                             /* 4 GiB */
        12, 0, 3, 0, 0, 0x10, 0, 0, 0, 0, 0, 0,                          /* blocks of 4096 */
        12, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0,                             /* no time limit */
        12, 0, 5, 0, 0x6d, 0, 0, 0, 0, 0, 0, 0,                          /* flags */
        12, 0, 6, 0, 2, 0, 0, 0, 0, 0, 0, 0,                             /* client flags: end on close */
        12, 0, 8, 0, 30, 0, 0, 0, 0, 0, 0, 0,                            /* seconds without a connection */
        16, 0, 7, 0x80, 12, 0, 1, 0x80, 8, 0, 1, 0, 5, 0, 0, 0,          /* sockets: one, descriptor 5 */
        14, 0, 10, 0, 'r', '0', '/', '0', '@', 't', 'e', 's', 't', 0, 0, 0, /* identifier */
    };
    brn_nbd_config config = {
        .size = 1ull << 32, .server_flags = 0x6d, .dead_timeout = 30, .block_size = 4096, .index = 3, .fd = 5,
        .end_on_close = 1};
    uint8_t message[NBD_MESSAGE_ROOM];
    CHECK_EQ(sizeof expected, nbd_build(message, sizeof message, 0x21, 9, 1, &config, IDENTIFIER));
    CHECK(memcmp(expected, message, sizeof expected) == 0);
    for (size_t room = 0; room < sizeof expected; room++) {
        CHECK_EQ(0, nbd_build(message, room, 0x21, 9, 1, &config, IDENTIFIER));
    }
    char name[NBD_MESSAGE_ROOM + 1];
    memset(name, 'x', sizeof name);
    name[NBD_MESSAGE_ROOM] = 0;
    CHECK_EQ(0, nbd_build(message, sizeof message, 0x21, 9, 1, &config, name));
}

static void disconnect_message(void)
{
    static const uint8_t expected[] = {
        28, 0, 0, 0, 0x21, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 8, 0, 1, 0, 3, 0, 0, 0};
    brn_nbd_config config = {.index = 3, .fd = -1};
    uint8_t message[NBD_MESSAGE_ROOM];
    CHECK_EQ(sizeof expected, nbd_build(message, sizeof message, 0x21, 9, 2, &config, NULL));
    CHECK(memcmp(expected, message, sizeof expected) == 0);
}

static int parse(const uint8_t *bytes, size_t length, struct nbd_answer *answer)
{
    *answer = (struct nbd_answer){.family = -1, .index = -1, .connected = -1};
    return nbd_parse(bytes, length, 0x21, 9, answer);
}

static void answers(void)
{
    static const uint8_t family[] = {
        36, 0, 0, 0, 0x10, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 8, 0, 2, 0, 'n', 'b', 'd', 0, 6, 0, 1, 0, 0x21,
        0, 0, 0};
    static const uint8_t connected[] = {
        28, 0, 0, 0, 0x21, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 1, 0, 12, 0, 0, 0,
        36, 0, 0, 0, 2,    0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t status[] = {
        48, 0, 0, 0, 0x21, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 28, 0, 9, 0x80, 20, 0, 1, 0x80, 8, 0, 1, 0, 3,
        0, 0, 0, 5, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t busy[] = {20, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0xff, 0xff, 0xff};
    struct nbd_answer answer;
    CHECK_EQ(0, parse(family, sizeof family, &answer));
    CHECK_EQ(0x21, answer.family);
    CHECK_EQ(0, answer.ended);
    CHECK_EQ(0, parse(connected, sizeof connected, &answer));
    CHECK_EQ(12, answer.index);
    CHECK_EQ(1, answer.ended);
    CHECK_EQ(0, answer.error);
    CHECK_EQ(0, parse(status, 44, &answer) == 0); /* its length says 48 */
    CHECK_EQ(-EBADMSG, parse(status, sizeof status, &answer)); /* four bytes are no attribute of a list */
    CHECK_EQ(0, parse(busy, sizeof busy, &answer));
    CHECK_EQ(-EBUSY, answer.error);
    CHECK_EQ(1, answer.ended);
    CHECK_EQ(0, nbd_parse(busy, sizeof busy, 0x21, 8, &answer)); /* the answer to another question */
}

static void status_answer(void)
{
    static const uint8_t status[] = {
        44, 0, 0, 0, 0x21, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 24, 0, 9, 0x80, 20, 0, 1, 0x80, 8, 0, 1, 0, 3,
        0, 0, 0, 5, 0, 2, 0, 1, 0, 0, 0};
    struct nbd_answer answer;
    CHECK_EQ(0, parse(status, sizeof status, &answer));
    CHECK_EQ(3, answer.index);
    CHECK_EQ(1, answer.connected);
    /* Whatever is cut off or changed: no more than an error. */
    for (size_t length = 1; length < sizeof status; length++) {
        CHECK_EQ(-EBADMSG, parse(status, length, &answer));
    }
    for (size_t i = 0; i < sizeof status * 256; i++) {
        uint8_t changed[sizeof status];
        memcpy(changed, status, sizeof status);
        changed[i / 256] = (uint8_t)i;
        int result = parse(changed, sizeof changed, &answer);
        CHECK(result == 0 || result == -EBADMSG);
    }
}

static void arguments(void)
{
    brn_nbd_config config = {.size = 1 << 20, .index = -1, .fd = -1};
    CHECK_EQ(-EINVAL, brn_nbd_connect(&config, IDENTIFIER));
    CHECK_EQ(-EINVAL, brn_nbd_reconfigure(&config, IDENTIFIER));
    CHECK_EQ(-EINVAL, brn_nbd_disconnect(-1));
    CHECK_EQ(-EINVAL, brn_nbd_connected(-1));
}

/* ---- with a kernel ------------------------------------------------------------------------------------------- */

static uint8_t *disk;

struct request {
    uint32_t magic;
    uint16_t flags;
    uint16_t type;
    uint64_t handle;
    uint64_t from;
    uint32_t length;
} __attribute__((packed));

struct reply {
    uint32_t magic;
    uint32_t error;
    uint64_t handle;
} __attribute__((packed));

struct server {
    pthread_t thread;
    int fd;
    int kernel_fd;
    bool deaf; /* takes the next request and dies without an answer */
    unsigned requests, flushes, fuas, trims;
};

static bool move(int fd, void *bytes, size_t count, bool send_them)
{
    for (size_t done = 0; done < count;) {
        ssize_t moved = send_them ? send(fd, (uint8_t *)bytes + done, count - done, MSG_NOSIGNAL)
                                  : recv(fd, (uint8_t *)bytes + done, count - done, 0);
        if (moved <= 0) {
            return false;
        }
        done += (size_t)moved;
    }
    return true;
}

static bool serve(struct server *server)
{
    struct request request;
    if (!move(server->fd, &request, sizeof request, false)) {
        return false;
    }
    server->requests++;
    uint16_t type = be16toh(request.type);
    uint64_t from = be64toh(request.from);
    uint32_t length = be32toh(request.length);
    CHECK_EQ(0x25609513, be32toh(request.magic));
    CHECK(type == 2 || from + length <= 2 * DISK_BYTES);
    if (type == 2 || (type == 1 && !move(server->fd, disk + from, length, false)) || server->deaf) {
        return false;
    }
    server->fuas += (be16toh(request.flags) & 1) != 0;
    server->flushes += type == 3;
    server->trims += type == 4;
    if (type == 4) {
        memset(disk + from, 0, length);
    }
    struct reply reply = {.magic = htobe32(0x67446698), .handle = request.handle};
    return move(server->fd, &reply, sizeof reply, true) && (type != 0 || move(server->fd, disk + from, length, true));
}

static void *server_main(void *argument)
{
    struct server *server = argument;
    while (serve(server)) {
    }
    close(server->fd);
    return NULL;
}

static void server_start(struct server *server, bool deaf)
{
    int pair[2];
    CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    *server = (struct server){.fd = pair[0], .kernel_fd = pair[1], .deaf = deaf};
    CHECK_EQ(0, pthread_create(&server->thread, NULL, server_main, server));
}

static int open_device(int index, int flags)
{
    char path[32];
    snprintf(path, sizeof path, "/dev/nbd%d", index);
    for (int i = 0; i < 1000; i++) {
        int fd = open(path, flags | O_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    CHECK(false);
    return -1;
}

static void set_io_timeout(int index)
{
    char path[64];
    snprintf(path, sizeof path, "/sys/block/nbd%d/queue/io_timeout", index);
    FILE *file = fopen(path, "we");
    CHECK(file != NULL);
    fprintf(file, "500\n");
    CHECK_EQ(0, fclose(file));
}

static uint64_t size_of(int fd)
{
    uint64_t size = 0;
    CHECK_EQ(0, ioctl(fd, BLKGETSIZE64, &size));
    return size;
}

static void transfers(int fd, struct server *server, uint8_t *page)
{
    memset(page, 0x5a, 65536);
    CHECK_EQ(65536, pwrite(fd, page, 65536, 1 << 20));
    CHECK_EQ(0x5a, disk[(1 << 20) + 65535]);
    CHECK_EQ(0, fdatasync(fd));
    CHECK(server->flushes > 0);
    memset(page, 0, 65536);
    CHECK_EQ(65536, pread(fd, page, 65536, 1 << 20));
    CHECK_EQ(0x5a, page[65535]);
    uint64_t range[2] = {1 << 20, 65536};
    CHECK_EQ(0, ioctl(fd, BLKDISCARD, range));
    CHECK(server->trims > 0);
    CHECK_EQ(0, disk[(1 << 20) + 65535]);
}

static void *read_thread(void *argument)
{
    static _Alignas(4096) uint8_t page[4096];
    long got = pread(*(int *)argument, page, sizeof page, 0);
    return (void *)(intptr_t)(got == sizeof page ? page[0] : -errno);
}

/* The server dies with a request in hand; a new one takes the device over, the reader never learns of it. */
static void readoption(int index, int fd, struct server *server)
{
    pthread_t reader;
    server->deaf = true;
    disk[0] = 0x77;
    CHECK_EQ(0, pthread_create(&reader, NULL, read_thread, &fd));
    CHECK_EQ(0, pthread_join(server->thread, NULL));
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    server_start(server, false);
    brn_nbd_config config = {.dead_timeout = 30, .index = index, .fd = server->kernel_fd};
    CHECK_EQ(-EINVAL, brn_nbd_reconfigure(&config, "another"));
    int error;
    int tries = 0;
    do {
        error = brn_nbd_reconfigure(&config, IDENTIFIER);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    } while (error == -ENOSPC && ++tries < 5000);
    CHECK_EQ(0, error);
    close(server->kernel_fd);
    void *result;
    CHECK_EQ(0, pthread_join(reader, &result));
    CHECK_EQ(0x77, (intptr_t)result);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("nbd: the read in flight came back %ld ms after the server had died\n",
           (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000);
}

static void kernel(void)
{
    disk = calloc(1, 2 * DISK_BYTES);
    uint8_t *page = aligned_alloc(4096, 65536);
    CHECK(disk != NULL && page != NULL);
    struct server server;
    server_start(&server, false);
    brn_nbd_config config = {
        .size = DISK_BYTES, .server_flags = 0x2d, .dead_timeout = 30, .block_size = 4096, .index = -1,
        .fd = server.kernel_fd};
    int index = brn_nbd_connect(&config, IDENTIFIER);
    CHECK(index >= 0);
    close(server.kernel_fd);
    set_io_timeout(index);
    CHECK_EQ(1, brn_nbd_connected(index));
    int fd = open_device(index, O_RDWR | O_DIRECT);
    int block = 0;
    CHECK_EQ(0, ioctl(fd, BLKSSZGET, &block));
    CHECK_EQ(4096, block);
    CHECK_EQ(DISK_BYTES, size_of(fd));
    transfers(fd, &server, page);
    readoption(index, fd, &server);
    config = (brn_nbd_config){.size = 2 * DISK_BYTES, .dead_timeout = 30, .index = index, .fd = -1};
    CHECK_EQ(0, brn_nbd_reconfigure(&config, IDENTIFIER));
    CHECK_EQ(2 * DISK_BYTES, size_of(fd));
    CHECK_EQ(4096, pread(fd, page, 4096, 2 * DISK_BYTES - 4096));
    config = (brn_nbd_config){.dead_timeout = 30, .index = index, .fd = -1, .end_on_close = 1};
    int other = open_device(index, O_RDONLY);
    CHECK_EQ(0, brn_nbd_reconfigure(&config, IDENTIFIER));
    close(other);
    CHECK_EQ(1, brn_nbd_connected(index)); /* there still is a user */
    close(fd);
    CHECK_EQ(0, brn_nbd_connected(index));
    CHECK_EQ(0, pthread_join(server.thread, NULL));
    CHECK_EQ(-EINVAL, brn_nbd_reconfigure(&config, IDENTIFIER));
    free(disk);
    free(page);
}

int main(int count, char **words)
{
    family_message();
    connect_message();
    disconnect_message();
    answers();
    status_answer();
    arguments();
    if (count > 1 && strcmp(words[1], "kernel") == 0) {
        kernel();
        printf("nbd: passed with the kernel\n");
    } else {
        int32_t result = brn_nbd_connected(0);
        printf("no device was made: it needs root, a kernel with nbd (this one says %d) and the word kernel\n", result);
    }
    return 0;
}
