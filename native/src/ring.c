/* The ring's public functions: creation, the choice of the backend, waking. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring_internal.h"

static bool options_valid(const brn_ring_options *options)
{
    return options->backend <= BRN_BACKEND_EPOLL && options->max_ops >= 1 && options->max_ops <= BRN_MAX_OPS &&
           options->workers >= 1 && options->workers <= BRN_MAX_WORKERS && options->max_fds <= (1u << 20);
}

static int create_backend(struct brn_ring *ring, const brn_ring_options *options)
{
    if (options->backend != BRN_BACKEND_EPOLL) {
        int error = uring_create(ring);
        if (error == 0 || options->backend == BRN_BACKEND_IO_URING) {
            return error;
        }
    }
    return epoll_backend_create(ring, options->max_fds);
}

static int create_parts(struct brn_ring *ring, const brn_ring_options *options)
{
    ring->slots = calloc(options->max_ops, sizeof *ring->slots);
    if (ring->slots == NULL) {
        return -ENOMEM;
    }
    ring->free_head = NO_SLOT;
    ring->max_ops = options->max_ops;
    list_init(&ring->ready);
    int error = workers_init(ring, options->workers);
    if (error != 0) {
        return error;
    }
    ring->event_fd = eventfd(0, EFD_CLOEXEC);
    if (ring->event_fd < 0) {
        return -errno;
    }
    return create_backend(ring, options);
}

int32_t brn_ring_create(const brn_ring_options *options, brn_ring **result)
{
    if (options == NULL || result == NULL || !options_valid(options)) {
        return -EINVAL;
    }
    struct brn_ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        return -ENOMEM;
    }
    ring->event_fd = -1;
    int error = create_parts(ring, options);
    if (error != 0) {
        if (ring->event_fd >= 0) {
            close(ring->event_fd);
        }
        free(ring->slots);
        free(ring);
        return error;
    }
    *result = ring;
    return 0;
}

int32_t brn_ring_backend(const brn_ring *ring)
{
    return ring->backend;
}

int32_t brn_ring_run(
    brn_ring *ring, const brn_op *ops, uint32_t n_ops, brn_completion *completions, uint32_t max, int64_t timeout_ns)
{
    if (max == 0) {
        return -EINVAL;
    }
    if (n_ops > ring->max_ops - ring->in_flight) {
        return -ENOBUFS;
    }
    return ring->backend == BRN_BACKEND_IO_URING ? uring_run(ring, ops, n_ops, completions, max, timeout_ns)
                                                 : epoll_backend_run(ring, ops, n_ops, completions, max, timeout_ns);
}

/* The counter of an eventfd overflows only at 2^64-1, so the write does not block. */
void ring_signal(struct brn_ring *ring)
{
    uint64_t one = 1;
    ssize_t written = write(ring->event_fd, &one, sizeof one);
    (void)written;
}

/*
 * A second wake before the first was seen needs no system call. The order that makes this safe: the caller publishes
 * its work, then sets the flag here; the ring's thread clears the flag, then looks for work.
 */
void brn_ring_wake(brn_ring *ring)
{
    if (atomic_exchange(&ring->wake_asked, 1) == 0) {
        ring_signal(ring);
    }
}

uint32_t brn_ring_in_flight(const brn_ring *ring)
{
    return ring->in_flight;
}

int32_t brn_ring_cancel_all(brn_ring *ring)
{
    return ring->backend == BRN_BACKEND_IO_URING ? uring_cancel_all(ring) : epoll_backend_cancel_all(ring);
}

/*
 * io_uring waits for a blocking socket by itself and answers -EAGAIN for a non-blocking one; accept and connect of the
 * epoll backend need the opposite.
 */
int32_t brn_ring_adopt_socket(const brn_ring *ring, int32_t fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) {
        return -errno;
    }
    int wanted = ring->backend == BRN_BACKEND_IO_URING ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    if (wanted != flags && fcntl(fd, F_SETFL, wanted) != 0) {
        return -errno;
    }
    return 0;
}

int32_t brn_ring_destroy(brn_ring *ring, uint32_t force)
{
    if (ring == NULL) {
        return 0;
    }
    if (ring->in_flight > 0 && !force) {
        return -EBUSY;
    }
    workers_stop(ring);
    if (ring->backend == BRN_BACKEND_IO_URING) {
        uring_destroy(ring);
    } else {
        epoll_backend_destroy(ring);
    }
    close(ring->event_fd);
    free(ring->slots);
    free(ring);
    return 0;
}
