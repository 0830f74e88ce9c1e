/*
 * Speed of the ring: 4 KiB random direct writes to a file or device, and a stream of 64 KiB sends over loopback.
 *   ring_bench [path]        (a temporary file of 256 MiB without a path)
 * Not a test. The content of the path is destroyed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blockrepl_native.h"
#include "check.h"

#define BLOCK 4096u
#define DURATION_NS 2000000000
#define SEND_BYTES 65536u

static brn_ring *ring;
static uint64_t random_state = 1;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void writes(int fd, uint64_t blocks, uint8_t *data, uint32_t depth)
{
    brn_op ops[64];
    brn_completion completions[64];
    uint32_t n_ops = 0;
    for (; n_ops < depth; n_ops++) {
        brn_op op = {n_ops, random_next() % blocks * BLOCK, (uint64_t)(uintptr_t)data, BLOCK, fd, BRN_OP_WRITE, 0};
        ops[n_ops] = op;
    }
    int64_t begin = brn_monotonic_ns();
    int64_t end = begin;
    uint64_t done = 0;
    while (end - begin < DURATION_NS || brn_ring_in_flight(ring) > 0) {
        int32_t n = brn_ring_run(ring, ops, n_ops, completions, 64, -1);
        CHECK(n >= 0);
        end = brn_monotonic_ns();
        n_ops = 0;
        for (int32_t i = 0; i < n; i++, done++) {
            CHECK_EQ(0, completions[i].result);
            if (end - begin < DURATION_NS) {
                brn_op op = {0, random_next() % blocks * BLOCK, (uint64_t)(uintptr_t)data, BLOCK, fd, BRN_OP_WRITE, 0};
                ops[n_ops++] = op;
            }
        }
    }
    double seconds = (double)(end - begin) / 1e9;
    printf("  4 KiB random writes, depth %2u: %8.0f/s, %6.1f us each\n", depth, (double)done / seconds,
           seconds * 1e6 * depth / (double)done);
}

static void stream(void)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    brn_socket_options options = {0, 0, BRN_SOCKET_NO_DELAY, 8};
    int listener = brn_socket_listen(&local, sizeof local, &options);
    uint32_t length = sizeof local;
    CHECK_EQ(0, brn_socket_name(listener, 0, &local, &length));
    int client = brn_socket_create(AF_INET, NULL, 0, &options);
    CHECK_EQ(0, connect(client, (struct sockaddr *)&local, length));
    int server = accept(listener, NULL, NULL);
    CHECK_EQ(0, brn_ring_adopt_socket(ring, client));
    CHECK_EQ(0, brn_ring_adopt_socket(ring, server));
    static uint8_t out[SEND_BYTES];
    static uint8_t in[SEND_BYTES];
    brn_iovec part = {(uint64_t)(uintptr_t)out, SEND_BYTES};
    brn_op both[2] = {
        {0, 0, (uint64_t)(uintptr_t)&part, 1, client, BRN_OP_SEND, 0},
        {1, 0, (uint64_t)(uintptr_t)in, SEND_BYTES, server, BRN_OP_RECV, 0},
    };
    brn_op ops[2] = {both[0], both[1]};
    uint32_t n_ops = 2;
    uint64_t received = 0;
    int64_t begin = brn_monotonic_ns();
    int64_t end = begin;
    while (end - begin < DURATION_NS) {
        brn_completion completions[2];
        int32_t n = brn_ring_run(ring, ops, n_ops, completions, 2, -1);
        CHECK(n >= 0);
        n_ops = 0;
        for (int32_t i = 0; i < n; i++) {
            CHECK(completions[i].result > 0);
            received += completions[i].user_data == 1 ? (uint64_t)completions[i].result : 0;
            ops[n_ops++] = both[completions[i].user_data];
        }
        end = brn_monotonic_ns();
    }
    printf("  loopback stream, one thread at both ends: %.0f MB/s\n", (double)received * 1000 / (double)(end - begin));
    brn_ring_destroy(ring, 1);
    close(client);
    close(server);
    close(listener);
}

int main(int argc, char **argv)
{
    char temporary[] = "/tmp/brn-bench-XXXXXX";
    const char *path = argc > 1 ? argv[1] : temporary;
    if (argc <= 1) {
        int file = mkstemp(temporary);
        CHECK(file >= 0);
        CHECK_EQ(0, posix_fallocate(file, 0, 256 << 20));
        close(file);
    }
    int fd = brn_device_open(path, BRN_OPEN_EXCLUSIVE);
    CHECK(fd >= 0);
    brn_device_info info;
    CHECK_EQ(0, brn_device_info_get(fd, &info));
    void *data = NULL;
    CHECK_EQ(0, posix_memalign(&data, 4096, BLOCK));
    memset(data, 0x5a, BLOCK);
    for (uint32_t backend = BRN_BACKEND_IO_URING; backend <= BRN_BACKEND_EPOLL; backend++) {
        brn_ring_options options = {backend, 256, 4, 4096};
        if (brn_ring_create(&options, &ring) != 0) {
            continue;
        }
        printf("%s\n", backend == BRN_BACKEND_IO_URING ? "io_uring" : "epoll");
        writes(fd, info.size / BLOCK, data, 1);
        writes(fd, info.size / BLOCK, data, 32);
        stream();
    }
    if (argc <= 1) {
        unlink(temporary);
    }
    return 0;
}
