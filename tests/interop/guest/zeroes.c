/*
 * Makes a range of a device read as zero without sending zeroes.
 *
 *   zeroes DEVICE FROM LENGTH unmap|keep
 *
 * unmap: its space may be given up; keep: it stays allocated.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int file, mode;

    if (argc != 5)
        return 2;
    mode = strcmp(argv[4], "unmap") ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;
    file = open(argv[1], O_RDWR);
    if (file < 0 || fallocate(file, mode | FALLOC_FL_KEEP_SIZE, strtoll(argv[2], 0, 0), strtoll(argv[3], 0, 0))) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
