/* Disk operations as plain, blocking system calls: what a worker thread runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ring_internal.h"

#define ZERO_CHUNK (256u * 1024u)

static ssize_t write_part(int fd, const uint8_t *data, uint64_t length, uint64_t offset, bool fua, bool *sync_after)
{
    if (!fua || *sync_after) {
        return pwrite(fd, data, length, (off_t)offset);
    }
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
    ssize_t result = pwritev2(fd, &part, 1, (off_t)offset, RWF_DSYNC);
    if (result < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
        *sync_after = true;
        result = pwrite(fd, data, length, (off_t)offset);
    }
    return result;
}

static int32_t blocking_write(const brn_op *op)
{
    const uint8_t *data = (const uint8_t *)(uintptr_t)op->address;
    bool sync_after = false;
    uint64_t done = 0;
    while (done < op->length) {
        ssize_t part = write_part(
            op->fd, data + done, op->length - done, op->offset + done, (op->flags & BRN_FLAG_FUA) != 0, &sync_after);
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            return part < 0 ? -errno : -EIO;
        }
        done += (uint64_t)part;
    }
    if (sync_after && fdatasync(op->fd) != 0) {
        return -errno;
    }
    return 0;
}

static int32_t blocking_read(const brn_op *op)
{
    uint8_t *data = (uint8_t *)(uintptr_t)op->address;
    uint64_t done = 0;
    while (done < op->length) {
        ssize_t part = pread(op->fd, data + done, op->length - done, (off_t)(op->offset + done));
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            return part < 0 ? -errno : -ENODATA;
        }
        done += (uint64_t)part;
    }
    return 0;
}

static bool is_block_device(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISBLK(status.st_mode);
}

static int32_t blocking_discard(const brn_op *op)
{
    if (is_block_device(op->fd)) {
        uint64_t range[2] = {op->offset, op->length};
        return ioctl(op->fd, BLKDISCARD, range) == 0 ? 0 : -errno;
    }
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return fallocate(op->fd, mode, (off_t)op->offset, (off_t)op->length) == 0 ? 0 : -errno;
}

/* Last resort where neither the device nor the file system zeroes: writes of a zeroed buffer. */
static int32_t write_zeroes(const brn_op *op)
{
    void *zeroes = NULL;
    int error = posix_memalign(&zeroes, 4096, ZERO_CHUNK);
    if (error != 0) {
        return -error;
    }
    memset(zeroes, 0, ZERO_CHUNK);
    int32_t result = 0;
    for (uint64_t done = 0; done < op->length && result == 0;) {
        uint64_t part = op->length - done < ZERO_CHUNK ? op->length - done : ZERO_CHUNK;
        brn_op write = *op;
        write.address = (uint64_t)(uintptr_t)zeroes;
        write.offset = op->offset + done;
        write.length = part;
        write.flags = 0;
        result = blocking_write(&write);
        done += part;
    }
    free(zeroes);
    return result;
}

static int32_t blocking_zero(const brn_op *op)
{
    bool may_unmap = (op->flags & BRN_FLAG_NO_UNMAP) == 0;
    off_t offset = (off_t)op->offset;
    off_t length = (off_t)op->length;
    /* On a block device a punched hole is a write-zeroes command that may unmap; it fails where there is none. */
    if (may_unmap && fallocate(op->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) == 0) {
        return 0;
    }
    if (is_block_device(op->fd)) {
        uint64_t range[2] = {op->offset, op->length};
        if (ioctl(op->fd, BLKZEROOUT, range) == 0) {
            return 0;
        }
    } else if (fallocate(op->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length) == 0) {
        return 0;
    }
    if (errno != EOPNOTSUPP && errno != ENOTTY && errno != ENOSYS && errno != EINVAL) {
        return -errno;
    }
    return write_zeroes(op);
}

int32_t blocking_run(const brn_op *op)
{
    switch (op->kind) {
    case BRN_OP_READ:
        return blocking_read(op);
    case BRN_OP_WRITE:
        return blocking_write(op);
    case BRN_OP_DATASYNC:
        return fdatasync(op->fd) == 0 ? 0 : -errno;
    case BRN_OP_DISCARD:
        return blocking_discard(op);
    case BRN_OP_ZERO:
        return blocking_zero(op);
    case BRN_OP_CLOSE:
        return close(op->fd) == 0 ? 0 : -errno;
    default:
        return -EINVAL;
    }
}
