/*
 * The ring over epoll: socket operations are tried at once and wait for their descriptor if they would block; disk
 * operations go to the workers. For kernels and containers without io_uring.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ring_internal.h"

#define EVENTS_PER_WAIT 64
#define WOULD_BLOCK INT32_MIN

/* One per descriptor number: the operations that wait for it, in the order they were started. */
struct watched {
    struct slot_list waiting;
    bool known; /* was added to the epoll set once; the kernel forgets it when the descriptor is closed */
};

struct epoll_backend {
    int fd;
    uint32_t max_fds;
    bool no_pwait2;
    struct watched *watched;
};

int epoll_backend_create(struct brn_ring *ring, uint32_t max_fds)
{
    struct epoll_backend *epoll = calloc(1, sizeof *epoll);
    if (epoll == NULL) {
        return -ENOMEM;
    }
    epoll->max_fds = max_fds == 0 ? 1024 : max_fds;
    epoll->watched = calloc(epoll->max_fds, sizeof *epoll->watched);
    epoll->fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = -1};
    if (epoll->watched == NULL || epoll->fd < 0 || epoll_ctl(epoll->fd, EPOLL_CTL_ADD, ring->event_fd, &event) != 0) {
        int error = epoll->watched == NULL ? -ENOMEM : -errno;
        if (epoll->fd >= 0) {
            close(epoll->fd);
        }
        free(epoll->watched);
        free(epoll);
        return error;
    }
    for (uint32_t i = 0; i < epoll->max_fds; i++) {
        list_init(&epoll->watched[i].waiting);
    }
    ring->epoll = epoll;
    ring->backend = BRN_BACKEND_EPOLL;
    return 0;
}

void epoll_backend_destroy(struct brn_ring *ring)
{
    close(ring->epoll->fd);
    free(ring->epoll->watched);
    free(ring->epoll);
}

/* ---- trying an operation ------------------------------------------------------------------------------------- */

static int32_t try_receive(struct slot *slot)
{
    bool all = (slot->op.flags & BRN_FLAG_ALL) != 0;
    for (;;) {
        uint8_t *data = (uint8_t *)(uintptr_t)slot->op.address + slot->done;
        ssize_t part = recv(slot->op.fd, data, slot->op.length - slot->done, MSG_DONTWAIT);
        if (part < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN ? WOULD_BLOCK : -errno;
        }
        slot->done += (uint64_t)part;
        if (!all || part == 0 || slot->done == slot->op.length) {
            return (int32_t)slot->done;
        }
    }
}

static int32_t try_send(const struct slot *slot)
{
    struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)slot->op.address,
        .msg_iovlen = slot->op.length,
    };
    for (;;) {
        ssize_t part = sendmsg(slot->op.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (part >= 0) {
            return (int32_t)part;
        }
        if (errno != EINTR) {
            return errno == EAGAIN ? WOULD_BLOCK : -errno;
        }
    }
}

static int32_t try_accept(const struct slot *slot)
{
    for (;;) {
        int fd = accept4(slot->op.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
        if (errno != EINTR && errno != ECONNABORTED) {
            return errno == EAGAIN ? WOULD_BLOCK : -errno;
        }
    }
}

/* The first time it starts to connect, the second time (done = 1) it fetches the outcome. */
static int32_t try_connect(struct slot *slot)
{
    if (slot->done == 0) {
        slot->done = 1;
        int result = connect(slot->op.fd, (const struct sockaddr *)(uintptr_t)slot->op.address,
                             (socklen_t)slot->op.length);
        if (result == 0) {
            return 0;
        }
        return errno == EINPROGRESS || errno == EINTR ? WOULD_BLOCK : -errno;
    }
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(slot->op.fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        return -errno;
    }
    return -error;
}

static int32_t try_poll(const struct slot *slot)
{
    struct pollfd poll_fd = {.fd = slot->op.fd, .events = (short)slot->op.length};
    int result = poll(&poll_fd, 1, 0);
    if (result < 0) {
        return errno == EINTR ? WOULD_BLOCK : -errno;
    }
    return result == 0 ? WOULD_BLOCK : poll_fd.revents;
}

static int32_t try_op(struct slot *slot)
{
    switch (slot->op.kind) {
    case BRN_OP_RECV:
        return try_receive(slot);
    case BRN_OP_SEND:
        return try_send(slot);
    case BRN_OP_ACCEPT:
        return try_accept(slot);
    case BRN_OP_CONNECT:
        return try_connect(slot);
    default:
        return try_poll(slot);
    }
}

/* ---- waiting for descriptors --------------------------------------------------------------------------------- */

static uint32_t events_of(const brn_op *op)
{
    switch (op->kind) {
    case BRN_OP_RECV:
    case BRN_OP_ACCEPT:
        return EPOLLIN;
    case BRN_OP_SEND:
    case BRN_OP_CONNECT:
        return EPOLLOUT;
    default:
        return (uint32_t)op->length; /* the poll and epoll constants agree */
    }
}

/* Watches a descriptor for what its operations want, once: an event without a taker must not come again and again. */
static int watch(struct brn_ring *ring, int fd)
{
    struct epoll_backend *epoll = ring->epoll;
    struct watched *watched = &epoll->watched[fd];
    struct epoll_event event = {.events = EPOLLONESHOT, .data.fd = fd};
    for (uint32_t i = watched->waiting.head; i != NO_SLOT; i = ring->slots[i].next) {
        event.events |= events_of(&ring->slots[i].op);
    }
    int code = watched->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int result = epoll_ctl(epoll->fd, code, fd, &event);
    if (result != 0 && errno == ENOENT) {
        result = epoll_ctl(epoll->fd, EPOLL_CTL_ADD, fd, &event);
    } else if (result != 0 && errno == EEXIST) {
        result = epoll_ctl(epoll->fd, EPOLL_CTL_MOD, fd, &event);
    }
    watched->known = result == 0;
    return result == 0 ? 0 : -errno;
}

/* An earlier operation in the same direction waits: bytes must go to it first. */
static bool must_queue(const struct brn_ring *ring, const struct watched *watched, const brn_op *op)
{
    for (uint32_t i = watched->waiting.head; i != NO_SLOT; i = ring->slots[i].next) {
        if (op->kind != BRN_OP_POLL && ring->slots[i].op.kind == op->kind) {
            return true;
        }
    }
    return false;
}

static void start_socket_op(struct brn_ring *ring, uint32_t index)
{
    struct slot *slot = &ring->slots[index];
    int fd = slot->op.fd;
    if (fd < 0 || (uint32_t)fd >= ring->epoll->max_fds) {
        slot_ready(ring, index, fd < 0 ? -EBADF : -EMFILE);
        return;
    }
    struct watched *watched = &ring->epoll->watched[fd];
    if (slot->op.kind == BRN_OP_ACCEPT || slot->op.kind == BRN_OP_CONNECT) {
        int error = brn_ring_adopt_socket(ring, fd);
        if (error != 0) {
            slot_ready(ring, index, error);
            return;
        }
    }
    int32_t result = must_queue(ring, watched, &slot->op) ? WOULD_BLOCK : try_op(slot);
    if (result != WOULD_BLOCK) {
        slot_ready(ring, index, result);
        return;
    }
    slot->state = SLOT_WAITING;
    list_push(ring, &watched->waiting, index);
    int error = watch(ring, fd);
    if (error != 0) {
        list_remove(ring, &watched->waiting, index);
        slot_ready(ring, index, error);
    }
}

static void descriptor_event(struct brn_ring *ring, int fd, uint32_t events)
{
    struct watched *watched = &ring->epoll->watched[fd];
    struct slot_list waiting = watched->waiting;
    list_init(&watched->waiting);
    bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    for (uint32_t i = list_pop(ring, &waiting); i != NO_SLOT; i = list_pop(ring, &waiting)) {
        struct slot *slot = &ring->slots[i];
        bool concerned = failed || (events & events_of(&slot->op)) != 0;
        int32_t result =
            concerned && !must_queue(ring, watched, &slot->op) ? try_op(slot) : WOULD_BLOCK;
        if (result == WOULD_BLOCK) {
            list_push(ring, &watched->waiting, i);
        } else {
            slot_ready(ring, i, result);
        }
    }
    if (watched->waiting.head == NO_SLOT) {
        return;
    }
    int error = watch(ring, fd);
    if (error != 0) {
        for (uint32_t i = list_pop(ring, &watched->waiting); i != NO_SLOT;
             i = list_pop(ring, &watched->waiting)) {
            slot_ready(ring, i, error);
        }
    }
}

static void start_close(struct brn_ring *ring, uint32_t index)
{
    int fd = ring->slots[index].op.fd;
    bool socket = fd >= 0 && (uint32_t)fd < ring->epoll->max_fds && ring->epoll->watched[fd].known;
    if (!socket) {
        workers_submit(ring, index); /* closing a disk may have to wait for it */
        return;
    }
    struct watched *watched = &ring->epoll->watched[fd];
    for (uint32_t i = list_pop(ring, &watched->waiting); i != NO_SLOT; i = list_pop(ring, &watched->waiting)) {
        slot_ready(ring, i, -ECANCELED);
    }
    watched->known = false;
    slot_ready(ring, index, close(fd) == 0 ? 0 : -errno);
}

/* ---- starting ------------------------------------------------------------------------------------------------ */

static int cancel_slot(struct brn_ring *ring, uint32_t target)
{
    struct slot *slot = &ring->slots[target];
    if (slot->state == SLOT_WAITING) {
        list_remove(ring, &ring->epoll->watched[slot->op.fd].waiting, target);
        slot_ready(ring, target, -ECANCELED);
        return 0;
    }
    if (slot->state == SLOT_WORKER && workers_cancel(ring, target)) {
        slot_ready(ring, target, -ECANCELED);
        return 0;
    }
    return -EALREADY;
}

static void epoll_begin(struct brn_ring *ring, const brn_op *op)
{
    uint32_t index = slot_take(ring, op);
    switch (op->kind) {
    case BRN_OP_NOP:
        slot_ready(ring, index, 0);
        break;
    case BRN_OP_READ:
    case BRN_OP_WRITE:
        if (op->length > INT32_MAX) {
            slot_ready(ring, index, -EINVAL);
            break;
        }
        workers_submit(ring, index);
        break;
    case BRN_OP_DATASYNC:
    case BRN_OP_DISCARD:
    case BRN_OP_ZERO:
        workers_submit(ring, index);
        break;
    case BRN_OP_CLOSE:
        start_close(ring, index);
        break;
    case BRN_OP_CANCEL: {
        uint32_t target = slot_find(ring, op->offset, index);
        slot_ready(ring, index, target == NO_SLOT ? -ENOENT : cancel_slot(ring, target));
        break;
    }
    case BRN_OP_RECV:
    case BRN_OP_SEND: {
        uint64_t limit = op->kind == BRN_OP_RECV ? INT32_MAX : BRN_MAX_IOVECS;
        if (op->length > limit) {
            slot_ready(ring, index, -EINVAL);
            break;
        }
        start_socket_op(ring, index);
        break;
    }
    case BRN_OP_ACCEPT:
    case BRN_OP_CONNECT:
    case BRN_OP_POLL:
        start_socket_op(ring, index);
        break;
    default:
        slot_ready(ring, index, -EINVAL);
        break;
    }
}

/* ---- the turn ------------------------------------------------------------------------------------------------ */

/* Old kernels and emulators lack epoll_pwait2; a wait rounded up to milliseconds does there. */
static int wait_events(struct epoll_backend *epoll, struct epoll_event *events, int64_t timeout_ns)
{
#ifdef __NR_epoll_pwait2
    if (!epoll->no_pwait2) {
        struct timespec time = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
        long result = syscall(
            __NR_epoll_pwait2, epoll->fd, events, EVENTS_PER_WAIT, timeout_ns < 0 ? NULL : &time, NULL, (size_t)8);
        if (result >= 0 || errno != ENOSYS) {
            return (int)result;
        }
        epoll->no_pwait2 = true;
    }
#endif
    int64_t milliseconds = timeout_ns < 0 ? -1 : (timeout_ns + 999999) / 1000000;
    return epoll_wait(epoll->fd, events, EVENTS_PER_WAIT, milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds);
}

static void event_fd_read(struct brn_ring *ring)
{
    uint64_t value;
    ssize_t bytes = read(ring->event_fd, &value, sizeof value);
    (void)bytes;
    atomic_store(&ring->wake_asked, 0);
}

int epoll_backend_run(
    struct brn_ring *ring, const brn_op *ops, uint32_t n_ops, brn_completion *out, uint32_t max, int64_t timeout_ns)
{
    for (uint32_t i = 0; i < n_ops; i++) {
        epoll_begin(ring, &ops[i]);
    }
    workers_collect(ring);
    struct epoll_event events[EVENTS_PER_WAIT];
    int count = wait_events(ring->epoll, events, ring->ready.head != NO_SLOT ? 0 : timeout_ns);
    if (count < 0 && errno != EINTR) {
        return -errno;
    }
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd < 0) {
            event_fd_read(ring);
        } else {
            descriptor_event(ring, events[i].data.fd, events[i].events);
        }
    }
    workers_collect(ring);
    return (int)ready_reap(ring, out, max);
}

int epoll_backend_cancel_all(struct brn_ring *ring)
{
    for (uint32_t i = 0; i < ring->used; i++) {
        if (ring->slots[i].state == SLOT_WAITING || ring->slots[i].state == SLOT_WORKER) {
            cancel_slot(ring, i);
        }
    }
    return 0;
}
