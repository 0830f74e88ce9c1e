/*
 * ublk. Without an argument: what can be tried without a kernel that has it. With "kernel", in a guest: a device in
 * memory, served by a process of its own on the ring; that process is killed in the middle of requests, and the next
 * one takes the device over. When none comes the keeper, which lies beside this program, ends the device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "blockrepl_native.h"
#include "check.h"

#define DISK_BYTES (16u << 20)
#define QUEUES 2u
#define DEPTH 16u
#define MAX_IO (1u << 20)

/* Shared with the serving process. */
struct shared {
    unsigned requests, flushes, fuas, discards, zeroes;
    bool deaf; /* the server ends itself at the next request */
    uint8_t disk[DISK_BYTES];
};

static struct shared *shared;

static brn_ublk_config config(void)
{
    return (brn_ublk_config){
        .size = DISK_BYTES, .identity = 0x1122334455667788, .logical_block = 4096, .physical_block = 4096,
        .max_io_bytes = MAX_IO, .max_zero_bytes = 4u << 20, .discard_granularity = 4096,
        .attributes = BRN_UBLK_VOLATILE_CACHE | BRN_UBLK_FUA | BRN_UBLK_DISCARD, .index = -1, .queues = QUEUES,
        .depth = DEPTH};
}

static void arguments(void)
{
    brn_ublk_config wrong = config();
    wrong.size = 100;
    CHECK_EQ(-EINVAL, brn_ublk_add(&wrong));
    wrong = config();
    wrong.depth = BRN_UBLK_MAX_DEPTH + 1;
    CHECK_EQ(-EINVAL, brn_ublk_add(&wrong));
    wrong = config();
    wrong.queues = 0;
    CHECK_EQ(-EINVAL, brn_ublk_add(&wrong));
    CHECK_EQ(-EINVAL, brn_ublk_start(-1));
    CHECK_EQ(-EINVAL, brn_ublk_stop(-1));
    CHECK_EQ(-EINVAL, brn_ublk_delete(-1, 1));
    brn_ublk_info info;
    CHECK_EQ(-EINVAL, brn_ublk_info_get(-1, &info));
    const brn_ublk_request *requests;
    CHECK_EQ(-EINVAL, brn_ublk_map(0, BRN_UBLK_MAX_QUEUES, 1, &requests));
    CHECK_EQ(-EINVAL, brn_ublk_map(0, 0, BRN_UBLK_MAX_DEPTH + 1, &requests));
}

/* ---- the server ---------------------------------------------------------------------------------------------- */

static int32_t carry_out(int fd, uint32_t queue, uint32_t tag, const brn_ublk_request *request, uint8_t *bounce)
{
    uint32_t code = request->code_and_flags & 0xff;
    uint64_t from = request->start_sector << 9;
    uint32_t length = request->sectors << 9;
    shared->requests++;
    if (shared->deaf) {
        shared->deaf = false;
        raise(SIGKILL);
    }
    CHECK(code == 2 || (from <= DISK_BYTES && length <= DISK_BYTES - from));
    switch (code) {
    case 0:
        CHECK_EQ(0, brn_ublk_copy(fd, queue, tag, 0, shared->disk + from, length, 1));
        return (int32_t)length;
    case 1:
        /* In two parts, as a server with small buffers would. */
        CHECK_EQ(0, brn_ublk_copy(fd, queue, tag, 0, bounce, length / 2, 0));
        CHECK_EQ(0, brn_ublk_copy(fd, queue, tag, length / 2, bounce + length / 2, length - length / 2, 0));
        memcpy(shared->disk + from, bounce, length);
        shared->fuas += (request->code_and_flags & (1u << 13)) != 0;
        return (int32_t)length;
    case 2:
        shared->flushes++;
        return 0;
    case 3:
    case 5:
        memset(shared->disk + from, 0, length);
        shared->discards += code == 3;
        shared->zeroes += code == 5;
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

struct start {
    pthread_t thread;
    int index;
    bool recovery;
};

static void *start_main(void *argument)
{
    struct start *start = argument;
    CHECK_EQ(0, start->recovery ? brn_ublk_end_recovery(start->index) : brn_ublk_start(start->index));
    return NULL;
}

/* Serves until the device ends. */
static void serve(int index, bool recovery)
{
    brn_ring_options options = {.backend = BRN_BACKEND_IO_URING, .max_ops = 256, .workers = 1};
    brn_ring *ring;
    CHECK_EQ(0, brn_ring_create(&options, &ring));
    int fd = brn_ublk_open(index);
    CHECK(fd >= 0);
    const brn_ublk_request *requests[QUEUES];
    brn_op ops[QUEUES * DEPTH];
    uint32_t n_ops = 0;
    for (uint32_t queue = 0; queue < QUEUES; queue++) {
        CHECK_EQ(0, brn_ublk_map(fd, queue, DEPTH, &requests[queue]));
        for (uint32_t tag = 0; tag < DEPTH; tag++) {
            uint64_t name = queue | tag << 16;
            ops[n_ops++] = (brn_op){
                .user_data = name, .offset = BRN_UBLK_FETCH, .address = name, .fd = fd, .kind = BRN_OP_UBLK};
        }
    }
    struct start start = {.index = index, .recovery = recovery};
    CHECK_EQ(0, pthread_create(&start.thread, NULL, start_main, &start));
    uint8_t *bounce = aligned_alloc(4096, MAX_IO);
    CHECK(bounce != NULL);
    uint32_t live = n_ops;
    while (live > 0) {
        brn_completion done[QUEUES * DEPTH];
        int count = brn_ring_run(ring, ops, n_ops, done, QUEUES * DEPTH, -1);
        CHECK(count >= 0);
        n_ops = 0;
        for (int i = 0; i < count; i++) {
            if (done[i].result != 0) {
                CHECK_EQ(-ENODEV, done[i].result);
                live--;
                continue;
            }
            uint32_t queue = done[i].user_data & 0xffff;
            uint32_t tag = (uint32_t)(done[i].user_data >> 16);
            brn_ublk_request request = requests[queue][tag];
            int32_t result = carry_out(fd, queue, tag, &request, bounce);
            ops[n_ops++] = (brn_op){
                .user_data = done[i].user_data, .offset = BRN_UBLK_COMMIT, .address = done[i].user_data,
                .length = (uint32_t)result, .fd = fd, .kind = BRN_OP_UBLK};
        }
    }
    CHECK_EQ(0, pthread_join(start.thread, NULL));
    for (uint32_t queue = 0; queue < QUEUES; queue++) {
        CHECK_EQ(0, brn_ublk_unmap(requests[queue], DEPTH));
    }
    free(bounce);
    CHECK_EQ(0, brn_close(fd));
    CHECK_EQ(0, brn_ring_destroy(ring, 0));
}

static pid_t server_start(int index, bool recovery)
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        serve(index, recovery);
        _exit(0);
    }
    return child;
}

/* ---- the client ---------------------------------------------------------------------------------------------- */

static void pause_ms(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
}

static int open_device(int index)
{
    char path[32];
    snprintf(path, sizeof path, "/dev/ublkb%d", index);
    for (int i = 0; i < 3000; i++) {
        int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
        pause_ms(10);
    }
    CHECK(false);
    return -1;
}

static void transfers(int fd, uint8_t *page)
{
    for (size_t i = 0; i < MAX_IO; i++) {
        page[i] = (uint8_t)(i * 7 + i / 4096);
    }
    CHECK_EQ(MAX_IO, pwrite(fd, page, MAX_IO, 1 << 20));
    CHECK(memcmp(shared->disk + (1 << 20), page, MAX_IO) == 0);
    CHECK_EQ(0, fdatasync(fd));
    CHECK(shared->flushes > 0);
    memset(page, 0, MAX_IO);
    CHECK_EQ(MAX_IO, pread(fd, page, MAX_IO, 1 << 20));
    CHECK(memcmp(shared->disk + (1 << 20), page, MAX_IO) == 0);
    uint64_t range[2] = {1 << 20, 65536};
    CHECK_EQ(0, ioctl(fd, BLKDISCARD, range));
    CHECK_EQ(1, shared->discards);
    CHECK_EQ(0, shared->disk[(1 << 20) + 65535]);
    range[0] += 65536;
    CHECK_EQ(0, ioctl(fd, BLKZEROOUT, range));
    CHECK_EQ(1, shared->zeroes);
    CHECK_EQ(0, shared->disk[(1 << 20) + 131071]);
}

static void facts(int fd, int index)
{
    uint64_t size = 0;
    int block = 0;
    unsigned short rotational = 1;
    CHECK_EQ(0, ioctl(fd, BLKGETSIZE64, &size));
    CHECK_EQ(DISK_BYTES, size);
    CHECK_EQ(0, ioctl(fd, BLKSSZGET, &block));
    CHECK_EQ(4096, block);
    CHECK_EQ(0, ioctl(fd, BLKROTATIONAL, &rotational));
    CHECK_EQ(0, rotational);
    brn_ublk_info info;
    CHECK_EQ(0, brn_ublk_info_get(index, &info));
    CHECK_EQ(0x1122334455667788, info.identity);
    CHECK_EQ(BRN_UBLK_LIVE, info.state);
    CHECK_EQ(QUEUES, info.queues);
    CHECK_EQ(DEPTH, info.depth);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *read_thread(void *argument)
{
    static _Alignas(4096) uint8_t page[4096];
    long got = pread(*(int *)argument, page, sizeof page, 0);
    return (void *)(intptr_t)(got == sizeof page ? page[0] : -errno);
}

/* A read is under way when the server dies. */
static pthread_t die(int *fd, pid_t server)
{
    shared->disk[0] = 0x77;
    shared->deaf = true;
    pthread_t reader;
    CHECK_EQ(0, pthread_create(&reader, NULL, read_thread, fd));
    int status;
    CHECK_EQ(server, waitpid(server, &status, 0));
    CHECK(WIFSIGNALED(status));
    return reader;
}

static pid_t readoption(int index, int fd, pid_t server)
{
    pthread_t reader = die(&fd, server);
    double begin = now();
    int error;
    int tries = 0;
    while ((error = brn_ublk_begin_recovery(index)) == -EBUSY && ++tries < 3000) {
        pause_ms(1);
    }
    CHECK_EQ(0, error);
    server = server_start(index, true);
    void *result;
    CHECK_EQ(0, pthread_join(reader, &result));
    CHECK_EQ(0x77, (intptr_t)result);
    printf("ublk: the read in flight came back %.0f ms after the server had died\n", (now() - begin) * 1000);
    return server;
}

#define KEEPER_SOCKET "/tmp/ublk_test.keeper"

static int keeper(void)
{
    char program[256];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 32);
    CHECK(length > 0);
    program[length] = '\0';
    strcpy(strrchr(program, '/'), "/blockrepl-keeper");
    CHECK_EQ(0, brn_keeper_start(program, KEEPER_SOCKET));
    int connection = brn_keeper_connect(KEEPER_SOCKET);
    CHECK(connection >= 0);
    return connection;
}

/* A connection is a daemon for which it waits anew, so there are pauses that are longer than its patience. */
static void wait_for_end_of_keeper(void)
{
    int connection;
    while ((connection = brn_keeper_connect(KEEPER_SOCKET)) >= 0) {
        close(connection);
        sleep(2);
    }
}

/* The keeper leaves a device alone that is served, or is another's; it ends the one that it was told of. */
static void abandonment(int index, int fd, pid_t server)
{
    int connection = keeper();
    CHECK_EQ(0, brn_keeper_put_ublk(connection, "served", index, config().identity, 1));
    close(connection);
    wait_for_end_of_keeper();
    uint8_t *page = aligned_alloc(4096, 4096);
    CHECK_EQ(4096, pread(fd, page, 4096, 0));
    free(page);

    connection = keeper();
    CHECK_EQ(0, brn_keeper_put_ublk(connection, "another", index, config().identity + 1, 1));
    CHECK_EQ(0, brn_keeper_put_ublk(connection, "this", index, config().identity, 3));
    pthread_t reader = die(&fd, server);
    double begin = now();
    close(connection);
    void *result;
    CHECK_EQ(0, pthread_join(reader, &result));
    CHECK_EQ(-EIO, (intptr_t)result);
    double waited = now() - begin;
    CHECK(waited > 2.9);
    wait_for_end_of_keeper();
    printf("ublk: without another server it failed after %.1f s\n", waited);
}

static void wait_for_removal(int index)
{
    brn_ublk_info info;
    while (brn_ublk_info_get(index, &info) != -ENODEV) {
        pause_ms(10);
    }
}

static void kernel(void)
{
    int64_t features = brn_ublk_features();
    printf("ublk: features %#llx\n", (unsigned long long)features);
    CHECK(features > 0 && (features & BRN_UBLK_USER_COPY) != 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    uint8_t *page = aligned_alloc(4096, MAX_IO);
    CHECK(page != NULL);
    brn_ublk_config device = config();
    int index = brn_ublk_add(&device);
    CHECK(index >= 0);
    pid_t server = server_start(index, false);
    int fd = open_device(index);
    facts(fd, index);
    transfers(fd, page);
    server = readoption(index, fd, server);
    memset(page, 0x5b, 8192);
    CHECK_EQ(8192, pwrite(fd, page, 8192, 8192));
    CHECK_EQ(0x5b, shared->disk[8192]);
    close(fd);
    CHECK_EQ(0, brn_ublk_stop(index));
    int status;
    CHECK_EQ(server, waitpid(server, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(0, brn_ublk_delete(index, 1));
    brn_ublk_info info;
    CHECK_EQ(-ENODEV, brn_ublk_info_get(index, &info));
    free(page);

    index = brn_ublk_add(&device);
    CHECK(index >= 0);
    server = server_start(index, false);
    fd = open_device(index);
    abandonment(index, fd, server);
    close(fd);
    wait_for_removal(index);
}

int main(int count, char **words)
{
    arguments();
    if (count > 1 && strcmp(words[1], "kernel") == 0) {
        kernel();
        printf("ublk: passed with the kernel\n");
    } else {
        printf("no device was made: it needs root, a kernel with ublk (this one says %lld) and the word kernel\n",
               (long long)brn_ublk_features());
    }
    return 0;
}
