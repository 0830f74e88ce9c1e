/* Process, memory and clock. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "blockrepl_native.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

int32_t brn_memory_reserve(uint64_t length, void **address)
{
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    *address = memory;
    return 0;
}

int32_t brn_memory_release(void *address, uint64_t length)
{
    return munmap(address, length) == 0 ? 0 : -errno;
}

/* On fault: reserved but unused buffers do not become resident. */
int32_t brn_process_lock_memory(void)
{
    return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0 ? 0 : -errno;
}

int32_t brn_process_set_io_flusher(void)
{
    return prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0 ? 0 : -errno;
}

int64_t brn_monotonic_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The runtime keeps duplicates of these descriptors; they would keep a pipe open as well. */
int32_t brn_stdio_release(void)
{
    struct stat standard[3];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        return -errno;
    }
    for (int fd = 0; fd <= 2; fd++) {
        if (fstat(fd, &standard[fd]) != 0) {
            memset(&standard[fd], 0, sizeof standard[fd]);
        }
    }
    for (int fd = 0; fd < 1024; fd++) {
        struct stat status;
        int same = fd <= 2;
        for (int i = 0; !same && i <= 2 && fd != null && fstat(fd, &status) == 0; i++) {
            same = status.st_dev == standard[i].st_dev && status.st_ino == standard[i].st_ino;
        }
        if (same && dup2(null, fd) < 0) {
            return -errno;
        }
    }
    return null > 2 ? close(null) : 0;
}
