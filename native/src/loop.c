/* Loop devices over a file that this process serves: see apart.h for why each call has a thread of its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apart.h"
#include "blockrepl_native.h"

#define ATTEMPTS 32
#define PATH_BYTES 64

struct loop_job {
    const char *backing;
    const brn_loop_options *options;
    uint32_t number;
    bool force;
};

static int open_loop(uint32_t number, int flags)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/dev/loop%u", number);
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Until Linux 6.17 a loop device takes the size that the kernel knows, which is 0 until somebody has it ask us. */
static int refresh_size(const char *backing)
{
    struct stat status;
    return stat(backing, &status) == 0 ? 0 : -errno;
}

/* ---- attaching ----------------------------------------------------------------------------------------------- */

static void set_queue(uint32_t number, const char *name, const char *value)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/sys/block/loop%u/queue/%s", number, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        /* Advice for whoever uses the device; a kernel that does not take it is no reason to go without. */
        ssize_t written = write(fd, value, strlen(value));
        (void)written;
        close(fd);
    }
}

static int configure(uint32_t number, int file, const struct loop_job *job)
{
    int fd = open_loop(number, O_RDWR);
    if (fd < 0) {
        return fd;
    }
    struct loop_config config;
    memset(&config, 0, sizeof config);
    config.fd = (uint32_t)file;
    config.block_size = job->options->block_size;
    config.info.lo_flags = LO_FLAGS_DIRECT_IO;
    snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", job->backing);
    int error = ioctl(fd, LOOP_CONFIGURE, &config) == 0 ? 0 : -errno;
    close(fd);
    if (error == 0) {
        set_queue(number, "rotational", (job->options->flags & BRN_LOOP_ROTATIONAL) != 0 ? "1" : "0");
        if ((job->options->flags & BRN_LOOP_NO_DISCARD) != 0) {
            set_queue(number, "discard_max_bytes", "0");
        }
    }
    return error;
}

static int attach_file(int file, struct loop_job *job)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) {
        return -errno;
    }
    int error = -EBUSY;
    for (int i = 0; i < ATTEMPTS && error == -EBUSY; i++) { /* another program may take the free one first */
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        error = number < 0 ? -errno : configure((uint32_t)number, file, job);
        job->number = (uint32_t)number;
    }
    close(control);
    return error;
}

static int attach_job(void *argument)
{
    struct loop_job *job = argument;
    int file = open(job->backing, O_RDWR | O_CLOEXEC);
    if (file < 0) {
        return -errno;
    }
    int error = refresh_size(job->backing);
    if (error == 0) {
        error = attach_file(file, job);
    }
    close(file);
    return error;
}

int32_t brn_loop_attach(const char *backing, const brn_loop_options *options, uint32_t *number)
{
    struct loop_job job = {backing, options, 0, false};
    int error = run_apart(attach_job, &job);
    *number = job.number;
    return error;
}

/* ---- partitions ---------------------------------------------------------------------------------------------- */

static int scan_job(void *argument)
{
    uint32_t number = (uint32_t)(uintptr_t)argument;
    int fd = open_loop(number, O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    struct loop_info64 info;
    if (ioctl(fd, LOOP_GET_STATUS64, &info) == 0 && (info.lo_flags & LO_FLAGS_PARTSCAN) == 0) {
        info.lo_flags |= LO_FLAGS_PARTSCAN;
        ioctl(fd, LOOP_SET_STATUS64, &info);
    }
    close(fd);
    return 0;
}

int32_t brn_loop_scan(uint32_t number)
{
    return start_apart(scan_job, (void *)(uintptr_t)number);
}

/* ---- detaching ----------------------------------------------------------------------------------------------- */

/* Whether the loop device still is the one over that file. */
static bool is_over(uint32_t number, const char *backing)
{
    char path[PATH_BYTES];
    char content[4096];
    snprintf(path, sizeof path, "/sys/block/loop%u/loop/backing_file", number);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t bytes = read(fd, content, sizeof content - 1);
    close(fd);
    size_t length = strlen(backing);
    return bytes > 0 && (size_t)bytes > length && memcmp(content, backing, length) == 0 && content[length] == '\n';
}

/* The device goes at its last close. If that was not ours and it must not go under its users, it stays as it was. */
static int keep_if_open(uint32_t number, const struct loop_job *job)
{
    if (!is_over(number, job->backing)) {
        return 0;
    }
    if (job->force) {
        return -EBUSY;
    }
    int fd = open_loop(number, O_RDONLY);
    if (fd < 0) {
        return fd == -ENXIO || fd == -ENODEV ? 0 : fd;
    }
    struct loop_info64 info;
    int error = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 ? -EBUSY : 0;
    if (error != 0) {
        info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR;
        error = ioctl(fd, LOOP_SET_STATUS64, &info) == 0 || errno != ENXIO ? -EBUSY : 0;
    }
    close(fd);
    return error;
}

static int detach_job(void *argument)
{
    const struct loop_job *job = argument;
    if (!is_over(job->number, job->backing)) {
        return 0;
    }
    int fd = open_loop(job->number, O_RDONLY);
    if (fd < 0) {
        return fd == -ENXIO || fd == -ENODEV ? 0 : fd;
    }
    int error = ioctl(fd, LOOP_CLR_FD) == 0 || errno == ENXIO ? 0 : -errno;
    close(fd);
    return error != 0 ? error : keep_if_open(job->number, job);
}

int32_t brn_loop_detach(uint32_t number, const char *backing, uint32_t force)
{
    struct loop_job job = {backing, NULL, number, force != 0};
    return run_apart(detach_job, &job);
}

/* ---- size ---------------------------------------------------------------------------------------------------- */

static int resize_job(void *argument)
{
    const struct loop_job *job = argument;
    int error = refresh_size(job->backing);
    if (error != 0) {
        return error;
    }
    int fd = open_loop(job->number, O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    error = ioctl(fd, LOOP_SET_CAPACITY, 0) == 0 ? 0 : -errno;
    close(fd);
    return error;
}

int32_t brn_loop_resize(uint32_t number, const char *backing)
{
    struct loop_job job = {backing, NULL, number, false};
    return run_apart(resize_job, &job);
}
