/* Mounting a file that this process serves through /dev/fuse, and passing its messages. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blockrepl_native.h"

int32_t brn_fuse_mount(const char *file, const char *source, uint32_t max_read)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    char options[128];
    snprintf(options, sizeof options, "fd=%d,rootmode=100600,user_id=0,group_id=0,max_read=%u", fd, max_read);
    if (mount(source, file, "fuse", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, options) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* The connection is aborted before the kernel finds that the mount is in use. */
int32_t brn_fuse_abort(const char *file)
{
    return umount2(file, MNT_FORCE | UMOUNT_NOFOLLOW) == 0 || errno == EBUSY ? 0 : -errno;
}

int32_t brn_fuse_unmount(const char *file)
{
    return umount2(file, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 ? 0 : -errno;
}

int32_t brn_message_read(int32_t fd, const brn_iovec *parts, uint32_t n_parts)
{
    ssize_t bytes = readv(fd, (const struct iovec *)(const void *)parts, (int)n_parts);
    return bytes < 0 ? -errno : (int32_t)bytes;
}

int32_t brn_message_write(int32_t fd, const brn_iovec *parts, uint32_t n_parts)
{
    ssize_t bytes = writev(fd, (const struct iovec *)(const void *)parts, (int)n_parts);
    return bytes < 0 ? -errno : (int32_t)bytes;
}
