/*
 * Makes a range of a device read as zero without sending zeroes.
 *
 *   zeroes DEVICE FROM LENGTH unmap|keep
 *
 * unmap: its space may be given up, if the device can do that; keep: it stays allocated.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int zero(int file, int mode, char **range)
{
    return fallocate(file, mode | FALLOC_FL_KEEP_SIZE, strtoll(range[0], 0, 0), strtoll(range[1], 0, 0));
}

int main(int argc, char **argv)
{
    int file, failed;

    if (argc != 5)
        return 2;
    file = open(argv[1], O_RDWR);
    failed = file < 0 || zero(file, strcmp(argv[4], "unmap") ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE, argv + 2);
    if (failed && errno == EOPNOTSUPP)
        failed = zero(file, FALLOC_FL_ZERO_RANGE, argv + 2);
    if (failed) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
