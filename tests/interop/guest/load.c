/*
 * Writes unique data to random places of a device, without the page cache, and never touches what it did not choose.
 *
 *   load DEVICE FROM LENGTH SEED COUNT LARGEST PROCESSES FLUSH_EVERY
 *
 * FROM and LENGTH (bytes) bound the range; every process has a share of its own, so that each block has one last
 * writer. COUNT writes by each process; 0: until /tmp/load.stop is there. LARGEST in bytes. FLUSH_EVERY: fsync after
 * so many, 0 never.
 * Each sector begins with the seed, the number of the write and its own number. Prints "wrote N" or what failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECTOR = 512, BLOCK = 4096 };

static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void fill(uint64_t *words, uint64_t bytes, uint64_t offset, uint64_t seed, uint64_t number)
{
    for (uint64_t at = 0; at < bytes; at += SECTOR, words += SECTOR / 8) {
        words[0] = seed;
        words[1] = number;
        words[2] = (offset + at) / SECTOR;
        for (int i = 3; i < SECTOR / 8; i++)
            words[i] = next_random();
    }
}

/* Two of three are whole blocks at a block's start, as file systems write; the others are sectors anywhere. */
static void choose(uint64_t from, uint64_t length, uint64_t largest, uint64_t *offset, uint64_t *bytes)
{
    uint64_t unit = largest >= BLOCK && next_random() % 3 ? BLOCK : SECTOR;

    *bytes = (1 + next_random() % (largest / unit)) * unit;
    if (*bytes > length)
        *bytes = length / unit * unit;
    *offset = from + next_random() % ((length - *bytes) / unit + 1) * unit;
}

/* The counters of the processes, for whoever looks at /tmp/load.done meanwhile. */
static void report(uint64_t process, uint64_t number)
{
    static int file = -1;
    char text[24];

    if (file < 0)
        file = open("/tmp/load.done", O_WRONLY | O_CREAT, 0644);
    snprintf(text, sizeof text, "%15llu\n", (unsigned long long)number);
    if (pwrite(file, text, 16, (off_t)(process * 16)) != 16)
        perror("report");
}

static int run(
    const char *device, uint64_t from, uint64_t length, uint64_t seed, uint64_t count, uint64_t largest, uint64_t flush)
{
    void *buffer;
    uint64_t number, offset, bytes;
    int file = open(device, O_RDWR | O_DIRECT);

    state = seed * 0x9e3779b97f4a7c15ull + 1;
    if (file < 0 || posix_memalign(&buffer, BLOCK, largest)) {
        perror(device);
        return 1;
    }
    for (number = 1; count ? number <= count : access("/tmp/load.stop", F_OK) != 0; number++) {
        choose(from, length, largest, &offset, &bytes);
        fill(buffer, bytes, offset, seed, number);
        if (pwrite(file, buffer, bytes, (off_t)offset) != (ssize_t)bytes) {
            printf("write %llu failed: %s\n", (unsigned long long)number, strerror(errno));
            return 1;
        }
        report(seed % 1000, number);
        if (flush && number % flush == 0 && fsync(file)) {
            printf("flush after %llu failed: %s\n", (unsigned long long)number, strerror(errno));
            return 1;
        }
    }
    printf("wrote %llu\n", (unsigned long long)(number - 1));
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t from, length, share;
    int processes, status, failed = 0;

    if (argc != 9)
        return 2;
    from = strtoull(argv[2], 0, 0);
    length = strtoull(argv[3], 0, 0);
    processes = atoi(argv[7]);
    share = length / (uint64_t)processes / BLOCK * BLOCK;
    for (int i = 0; i < processes; i++) {
        if (fork() == 0) {
            status = run(argv[1], from + share * (uint64_t)i, share, strtoull(argv[4], 0, 0) * 1000 + (uint64_t)i,
                         strtoull(argv[5], 0, 0), strtoull(argv[6], 0, 0), strtoull(argv[8], 0, 0));
            fflush(stdout);
            _exit(status);
        }
    }
    while (wait(&status) > 0)
        failed |= status != 0;
    return failed;
}
