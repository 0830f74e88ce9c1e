/* Opening block devices and disk-image files, and what can be found out about them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blockrepl_native.h"

static int open_direct(const char *path, int flags)
{
    int fd = open(path, flags | O_DIRECT);
    if (fd < 0 && errno == EINVAL) {
        fd = open(path, flags); /* a file system without O_DIRECT */
    }
    return fd < 0 ? -errno : fd;
}

int32_t brn_device_open(const char *path, uint32_t flags)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return -errno;
    }
    if (!S_ISBLK(status.st_mode) && !S_ISREG(status.st_mode)) {
        return -ENOTBLK;
    }
    int open_flags = O_CLOEXEC | ((flags & BRN_OPEN_READ_ONLY) != 0 ? O_RDONLY : O_RDWR);
    int exclusive = (flags & BRN_OPEN_EXCLUSIVE) != 0;
    if (exclusive && S_ISBLK(status.st_mode)) {
        open_flags |= O_EXCL; /* claims the device against mounts and other claimants */
    }
    int fd = open_direct(path, open_flags);
    if (fd < 0 || !exclusive || S_ISBLK(status.st_mode)) {
        return fd;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno == EWOULDBLOCK ? -EBUSY : -errno;
        close(fd);
        return error;
    }
    return fd;
}

int32_t brn_device_unlock(int32_t fd)
{
    return flock(fd, LOCK_UN) == 0 ? 0 : -errno;
}

/* A number from a device's queue folder in sysfs; a partition's queue is its disk's. */
static uint64_t queue_value(dev_t device, const char *name)
{
    static const char *const forms[] = {"/sys/dev/block/%u:%u/queue/%s", "/sys/dev/block/%u:%u/../queue/%s"};
    uint64_t value = 0;
    for (size_t i = 0; i < 2; i++) {
        char path[160];
        snprintf(path, sizeof path, forms[i], major(device), minor(device), name);
        FILE *file = fopen(path, "re");
        if (file == NULL) {
            continue;
        }
        unsigned long long read = 0;
        if (fscanf(file, "%llu", &read) == 1) {
            value = read;
        }
        fclose(file);
        break;
    }
    return value;
}

static int block_info(int fd, const struct stat *status, brn_device_info *info)
{
    uint64_t size = 0;
    int logical = 512;
    unsigned int physical = 512;
    unsigned int zeroes = 0;
    if (ioctl(fd, BLKGETSIZE64, &size) != 0 || ioctl(fd, BLKSSZGET, &logical) != 0) {
        return -errno;
    }
    if (ioctl(fd, BLKPBSZGET, &physical) != 0) {
        physical = (unsigned int)logical;
    }
    info->flags |= BRN_DEVICE_BLOCK;
    if (queue_value(status->st_rdev, "discard_max_bytes") > 0) {
        info->flags |= BRN_DEVICE_DISCARD;
        if (ioctl(fd, BLKDISCARDZEROES, &zeroes) == 0 && zeroes != 0) {
            info->flags |= BRN_DEVICE_DISCARD_ZEROES;
        }
    }
    int read_only = 0;
    if (ioctl(fd, BLKROGET, &read_only) == 0 && read_only != 0) {
        info->flags |= BRN_DEVICE_READ_ONLY;
    }
    info->size = size;
    info->logical_block = (uint32_t)logical;
    info->physical_block = physical;
    return 0;
}

/* 512 unless a direct read of 512 bytes is refused for its alignment. */
static uint32_t file_block(int fd, uint64_t size)
{
    if (size < 512) {
        return 512;
    }
    void *page = NULL;
    if (posix_memalign(&page, 4096, 4096) != 0) {
        return 4096;
    }
    ssize_t bytes = pread(fd, page, 512, 0);
    int error = bytes < 0 ? errno : 0;
    free(page);
    return error == EINVAL ? 4096 : 512;
}

static int file_info(int fd, const struct stat *status, brn_device_info *info)
{
    info->size = (uint64_t)status->st_size & ~(uint64_t)511;
    info->logical_block = file_block(fd, info->size);
    info->physical_block = status->st_blksize > 0 ? (uint32_t)status->st_blksize : 4096;
    /* Beyond the end there is nothing to lose: this only asks whether the file system punches holes. */
    off_t beyond = (off_t)((info->size + 8191) & ~(uint64_t)4095);
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, beyond, 4096) == 0) {
        info->flags |= BRN_DEVICE_DISCARD | BRN_DEVICE_DISCARD_ZEROES;
    }
    return 0;
}

int32_t brn_device_info_get(int32_t fd, brn_device_info *info)
{
    memset(info, 0, sizeof *info);
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return -errno;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_DIRECT) != 0) {
        info->flags |= BRN_DEVICE_DIRECT;
    }
    if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY) {
        info->flags |= BRN_DEVICE_READ_ONLY;
    }
    if (S_ISBLK(status.st_mode)) {
        return block_info(fd, &status, info);
    }
    return S_ISREG(status.st_mode) ? file_info(fd, &status, info) : -ENOTBLK;
}
