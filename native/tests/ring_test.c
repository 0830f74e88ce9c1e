/* The ring, with both backends: every operation on temporary files and loopback sockets. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockrepl_native.h"
#include "check.h"

#define PATIENCE_NS 20000000000

static brn_ring *ring;

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static void open_ring(uint32_t backend, uint32_t max_ops)
{
    brn_ring_options options = {backend, max_ops, 4, 4096};
    CHECK_EQ(0, brn_ring_create(&options, &ring));
    CHECK_EQ(backend, brn_ring_backend(ring));
}

static void close_ring(void)
{
    CHECK_EQ(0, brn_ring_in_flight(ring));
    CHECK_EQ(0, brn_ring_destroy(ring, 0));
}

/* Results of operations that were started earlier and ended while others were waited for. */
static brn_completion stash[16];
static uint32_t stash_count;

/* Starts the operations and collects as many results; results[user_data]. Others are stashed for reap(). */
static void run_all(const brn_op *ops, uint32_t count, int32_t *results)
{
    int64_t end = brn_monotonic_ns() + PATIENCE_NS;
    uint32_t submit = count;
    for (uint32_t got = 0; got < count;) {
        brn_completion completions[16];
        int32_t n = brn_ring_run(ring, ops, submit, completions, 16, 1000000000);
        submit = 0;
        CHECK(n >= 0);
        for (int32_t i = 0; i < n; i++) {
            if (completions[i].user_data < count) {
                results[completions[i].user_data] = completions[i].result;
                got++;
            } else {
                CHECK(stash_count < 16);
                stash[stash_count++] = completions[i];
            }
        }
        CHECK(brn_monotonic_ns() < end);
    }
}

static int32_t run_one(brn_op op)
{
    int32_t result = INT32_MIN;
    op.user_data = 0;
    run_all(&op, 1, &result);
    return result;
}

/* Waits for one completion and gives its result. */
static int32_t reap(uint64_t user_data)
{
    if (stash_count > 0) {
        stash_count--;
        CHECK_EQ(user_data, stash[stash_count].user_data);
        return stash[stash_count].result;
    }
    int64_t end = brn_monotonic_ns() + PATIENCE_NS;
    for (;;) {
        brn_completion completion;
        int32_t n = brn_ring_run(ring, NULL, 0, &completion, 1, 1000000000);
        CHECK(n >= 0);
        if (n == 1) {
            CHECK_EQ(user_data, completion.user_data);
            return completion.result;
        }
        CHECK(brn_monotonic_ns() < end);
    }
}

static void start(brn_op op)
{
    brn_completion completion;
    CHECK_EQ(0, brn_ring_run(ring, &op, 1, &completion, 1, 0));
}

static int temporary_file(uint64_t size)
{
    char path[] = "/tmp/brn-test-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    CHECK(fd >= 0);
    close(fd);
    fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd < 0) {
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    CHECK(fd >= 0);
    unlink(path);
    CHECK_EQ(0, ftruncate(fd, (off_t)size));
    return fd;
}

static uint8_t *aligned(size_t size, int fill)
{
    void *memory = NULL;
    CHECK_EQ(0, posix_memalign(&memory, 4096, size));
    memset(memory, fill, size);
    return memory;
}

static brn_op disk_op(uint16_t kind, int fd, void *data, uint64_t length, uint64_t offset)
{
    brn_op op = {0, offset, address_of(data), length, fd, kind, 0};
    return op;
}

static void files(void)
{
    int fd = temporary_file(1 << 20);
    uint8_t *out = aligned(65536, 0xa5);
    uint8_t *in = aligned(65536, 0);
    brn_op op = disk_op(BRN_OP_WRITE, fd, out, 65536, 4096);
    CHECK_EQ(0, run_one(op));
    op.flags = BRN_FLAG_FUA;
    CHECK_EQ(0, run_one(op));
    CHECK_EQ(0, run_one(disk_op(BRN_OP_DATASYNC, fd, NULL, 0, 0)));
    CHECK_EQ(0, run_one(disk_op(BRN_OP_READ, fd, in, 65536, 4096)));
    CHECK(memcmp(in, out, 65536) == 0);
    CHECK_EQ(-ENODATA, run_one(disk_op(BRN_OP_READ, fd, in, 8192, (1 << 20) - 4096)));
    CHECK_EQ(0, run_one(disk_op(BRN_OP_ZERO, fd, NULL, 4096, 8192)));
    op = disk_op(BRN_OP_ZERO, fd, NULL, 4096, 16384);
    op.flags = BRN_FLAG_NO_UNMAP;
    CHECK_EQ(0, run_one(op));
    CHECK_EQ(0, run_one(disk_op(BRN_OP_DISCARD, fd, NULL, 4096, 32768)));
    CHECK_EQ(0, run_one(disk_op(BRN_OP_READ, fd, in, 65536, 0)));
    for (uint32_t i = 4096; i < 65536; i++) {
        int zeroed = (i >= 8192 && i < 12288) || (i >= 16384 && i < 20480) || (i >= 32768 && i < 36864);
        CHECK_EQ(zeroed ? 0 : 0xa5, in[i]);
    }
    CHECK_EQ(-EBADF, run_one(disk_op(BRN_OP_READ, -1, in, 4096, 0)));
    CHECK_EQ(-EINVAL, run_one(disk_op(99, fd, in, 4096, 0)));
    CHECK_EQ(0, run_one(disk_op(BRN_OP_NOP, -1, NULL, 0, 0)));
    CHECK_EQ(0, run_one(disk_op(BRN_OP_CLOSE, fd, NULL, 0, 0)));
    CHECK(fcntl(fd, F_GETFD) < 0);
    free(out);
    free(in);
}

static void many_at_once(void)
{
    enum { COUNT = 600 };
    int fd = temporary_file(COUNT * 4096);
    uint8_t *data = aligned(COUNT * 4096, 0);
    brn_op ops[COUNT];
    int32_t results[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        memset(data + i * 4096, (int)(i & 0xff), 4096);
        ops[i] = disk_op(BRN_OP_WRITE, fd, data + i * 4096, 4096, i * 4096);
        ops[i].user_data = i;
        results[i] = INT32_MIN;
    }
    run_all(ops, COUNT, results);
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK_EQ(0, results[i]);
        ops[i].kind = BRN_OP_READ;
    }
    memset(data, 0xee, COUNT * 4096);
    run_all(ops, COUNT, results);
    for (uint32_t i = 0; i < COUNT * 4096; i++) {
        CHECK_EQ((i / 4096) & 0xff, data[i]);
    }
    close(fd);
    free(data);
}

static void too_many(void)
{
    brn_op ops[9] = {{0}};
    brn_completion completions[9];
    uint32_t backend = (uint32_t)brn_ring_backend(ring);
    close_ring();
    open_ring(backend, 8);
    CHECK_EQ(-ENOBUFS, brn_ring_run(ring, ops, 9, completions, 9, 0));
    CHECK_EQ(0, brn_ring_in_flight(ring));
    CHECK_EQ(8, brn_ring_run(ring, ops, 8, completions, 9, 0));
}

struct pair {
    int listener;
    int client;
    int server;
};

static struct pair connected_pair(void)
{
    struct pair pair;
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    brn_socket_options options = {0, 0, BRN_SOCKET_NO_DELAY, 8};
    pair.listener = brn_socket_listen(&local, sizeof local, &options);
    CHECK(pair.listener >= 0);
    uint32_t length = sizeof local;
    CHECK_EQ(0, brn_socket_name(pair.listener, 0, &local, &length));
    pair.client = brn_socket_create(AF_INET, NULL, 0, &options);
    CHECK(pair.client >= 0);
    CHECK_EQ(0, brn_ring_adopt_socket(ring, pair.listener));
    CHECK_EQ(0, brn_ring_adopt_socket(ring, pair.client));
    brn_op ops[2] = {
        {.user_data = 0, .fd = pair.listener, .kind = BRN_OP_ACCEPT},
        {.user_data = 1, .fd = pair.client, .kind = BRN_OP_CONNECT, .address = address_of(&local), .length = length},
    };
    int32_t results[2];
    run_all(ops, 2, results);
    CHECK(results[0] >= 0);
    CHECK_EQ(0, results[1]);
    pair.server = results[0];
    CHECK_EQ(0, brn_ring_adopt_socket(ring, pair.server));
    return pair;
}

static void close_pair(struct pair pair)
{
    CHECK_EQ(0, run_one(disk_op(BRN_OP_CLOSE, pair.client, NULL, 0, 0)));
    CHECK_EQ(0, run_one(disk_op(BRN_OP_CLOSE, pair.server, NULL, 0, 0)));
    CHECK_EQ(0, run_one(disk_op(BRN_OP_CLOSE, pair.listener, NULL, 0, 0)));
}

static void sockets(void)
{
    struct pair pair = connected_pair();
    char first[] = "head";
    char second[] = "payload";
    brn_iovec parts[2] = {{address_of(first), 4}, {address_of(second), 7}};
    brn_op send = {1, 0, address_of(parts), 2, pair.client, BRN_OP_SEND, 0};
    char received[12] = "";
    brn_op receive = {2, 0, address_of(received), 11, pair.server, BRN_OP_RECV, BRN_FLAG_ALL};
    start(receive);
    CHECK_EQ(11, run_one(send));
    CHECK_EQ(11, reap(2));
    CHECK(memcmp(received, "headpayload", 11) == 0);

    /* Parts that come one by one are put together; a short stream ends short. */
    receive.length = 12;
    start(receive);
    for (uint32_t i = 0; i < 2; i++) {
        brn_iovec part = {address_of(first), 4};
        brn_op one = {0, 0, address_of(&part), 1, pair.client, BRN_OP_SEND, 0};
        CHECK_EQ(4, run_one(one));
    }
    CHECK_EQ(0, brn_socket_shutdown(pair.client, 0));
    CHECK_EQ(8, reap(2));
    CHECK_EQ(0, run_one(receive));

    /* A shutdown brings a waiting receive back. */
    brn_op waiting = {3, 0, address_of(received), 4, pair.client, BRN_OP_RECV, 0};
    start(waiting);
    CHECK_EQ(0, brn_socket_shutdown(pair.client, 1));
    CHECK_EQ(0, reap(3));
    send.fd = pair.client;
    CHECK_EQ(-EPIPE, run_one(send));
    close_pair(pair);
}

static void cancels(void)
{
    struct pair pair = connected_pair();
    char data[4];
    brn_op waiting = {7, 0, address_of(data), 4, pair.server, BRN_OP_RECV, 0};
    start(waiting);
    brn_op cancel = {8, 7, 0, 0, -1, BRN_OP_CANCEL, 0};
    brn_completion completions[2];
    int32_t results[2] = {INT32_MIN, INT32_MIN};
    for (uint32_t got = 0, submit = 1; got < 2; submit = 0) {
        int32_t n = brn_ring_run(ring, &cancel, submit, completions, 2, PATIENCE_NS);
        CHECK(n >= 0);
        for (int32_t i = 0; i < n; i++) {
            results[completions[i].user_data - 7] = completions[i].result;
        }
        got += (uint32_t)n;
    }
    CHECK_EQ(-ECANCELED, results[0]);
    CHECK_EQ(0, results[1]);
    CHECK_EQ(-ENOENT, run_one(cancel));

    /* The stream is not harmed. */
    start(waiting);
    CHECK_EQ(4, write(pair.client, "abcd", 4));
    CHECK_EQ(4, reap(7));

    brn_op accept = {1, 0, 0, 0, pair.listener, BRN_OP_ACCEPT, 0};
    start(accept);
    start(waiting);
    CHECK_EQ(0, brn_ring_cancel_all(ring));
    for (uint32_t got = 0; got < 2;) {
        int32_t n = brn_ring_run(ring, NULL, 0, completions, 2, PATIENCE_NS);
        CHECK(n >= 0);
        for (int32_t i = 0; i < n; i++) {
            CHECK_EQ(-ECANCELED, completions[i].result);
        }
        got += (uint32_t)n;
    }
    close_pair(pair);
}

static void polls(void)
{
    int pipe_fds[2];
    CHECK_EQ(0, pipe2(pipe_fds, O_CLOEXEC));
    brn_op op = {4, 0, 0, POLLIN, pipe_fds[0], BRN_OP_POLL, 0};
    start(op);
    CHECK_EQ(1, write(pipe_fds[1], "x", 1));
    CHECK_EQ(POLLIN, reap(4) & POLLIN);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void *waker(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; i < 1000; i++) {
        brn_ring_wake(ring);
    }
    return NULL;
}

static void waking_and_waiting(void)
{
    brn_completion completion;
    /* Let what earlier parts woke pass by. */
    CHECK_EQ(0, brn_ring_run(ring, NULL, 0, &completion, 1, 1000000));
    int64_t begin = brn_monotonic_ns();
    CHECK_EQ(0, brn_ring_run(ring, NULL, 0, &completion, 1, 30000000));
    CHECK(brn_monotonic_ns() - begin >= 29000000);

    /* A wake before the wait counts. */
    brn_ring_wake(ring);
    CHECK_EQ(0, brn_ring_run(ring, NULL, 0, &completion, 1, -1));

    /* The last wake of another thread is never lost. */
    pthread_t thread;
    CHECK_EQ(0, pthread_create(&thread, NULL, waker, NULL));
    CHECK_EQ(0, brn_ring_run(ring, NULL, 0, &completion, 1, -1));
    CHECK_EQ(0, pthread_join(thread, NULL));
    brn_ring_wake(ring);
    CHECK_EQ(0, brn_ring_run(ring, NULL, 0, &completion, 1, -1));
}

static void destroy_while_busy(void)
{
    struct pair pair = connected_pair();
    char data[4];
    brn_op waiting = {7, 0, address_of(data), 4, pair.server, BRN_OP_RECV, 0};
    start(waiting);
    CHECK_EQ(-EBUSY, brn_ring_destroy(ring, 0));
    CHECK_EQ(1, brn_ring_in_flight(ring));
    CHECK_EQ(0, brn_ring_cancel_all(ring));
    CHECK_EQ(-ECANCELED, reap(7));
    close_pair(pair);
}

static void options_are_checked(void)
{
    brn_ring *none = NULL;
    brn_ring_options options = {BRN_BACKEND_EPOLL, 0, 1, 16};
    CHECK_EQ(-EINVAL, brn_ring_create(&options, &none));
    options.max_ops = BRN_MAX_OPS + 1;
    CHECK_EQ(-EINVAL, brn_ring_create(&options, &none));
    options.max_ops = 8;
    options.workers = 0;
    CHECK_EQ(-EINVAL, brn_ring_create(&options, &none));
    options.workers = 1;
    options.backend = 3;
    CHECK_EQ(-EINVAL, brn_ring_create(&options, &none));
}

static int backend_works(uint32_t backend)
{
    brn_ring_options options = {backend, 8, 1, 16};
    brn_ring *probe = NULL;
    int32_t error = brn_ring_create(&options, &probe);
    if (error != 0) {
        CHECK(backend == BRN_BACKEND_IO_URING);
        CHECK(error == -ENOSYS || error == -EPERM || error == -EINVAL);
        printf("no io_uring here (%d), only epoll is tested\n", error);
        return 0;
    }
    CHECK_EQ(0, brn_ring_destroy(probe, 0));
    return 1;
}

int main(void)
{
    options_are_checked();
    for (uint32_t backend = BRN_BACKEND_IO_URING; backend <= BRN_BACKEND_EPOLL; backend++) {
        if (!backend_works(backend)) {
            continue;
        }
        open_ring(backend, 1024);
        files();
        many_at_once();
        sockets();
        cancels();
        polls();
        waking_and_waiting();
        destroy_while_busy();
        too_many();
        close_ring();
        printf("backend %u: works\n", backend);
    }
    return 0;
}
