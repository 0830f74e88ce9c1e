/* One sector at a time, past every cache: what a disk that two nodes share needs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockrepl_native.h"

int32_t brn_sector_open(const char *path, uint32_t *sector_size, uint64_t *bytes)
{
    int fd = open(path, O_RDWR | O_SYNC | O_DIRECT | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == EINVAL) {
        fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC | O_NONBLOCK); /* a file system without O_DIRECT */
    }
    if (fd < 0) {
        return -errno;
    }
    struct stat status;
    int error = fstat(fd, &status) != 0 ? -errno : 0;
    int regular = error == 0 && S_ISREG(status.st_mode);
    int size = 0;
    if (error == 0 && !regular && !S_ISBLK(status.st_mode)) {
        error = -ENOTBLK;
    }
    if (error == 0 && ioctl(fd, BLKSSZGET, &size) != 0 && !regular) {
        error = -errno;
    }
    if (error == 0) {
        off_t end = lseek(fd, 0, SEEK_END);
        *sector_size = (uint32_t)size;
        *bytes = (uint64_t)end;
        error = end < 0 ? -errno : 0;
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    return fd;
}

int32_t brn_sector_transfer(int32_t fd, void *buffer, uint32_t bytes, uint64_t offset, uint32_t write_it)
{
    ssize_t moved;
    do {
        moved = write_it != 0 ? pwrite(fd, buffer, bytes, (off_t)offset) : pread(fd, buffer, bytes, (off_t)offset);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0) {
        return -errno;
    }
    return (uint32_t)moved == bytes ? 0 : -EIO; /* a device that has shrunk ends within the sector */
}
