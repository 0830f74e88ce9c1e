/*
 * The ring over io_uring: the kernel's queues mapped into memory, one io_uring_enter per turn. Talks to the kernel by
 * system calls of its own, there is no library in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ring_internal.h"
#include "ublk.h"

#define SQ_ENTRIES 256u
#define EVENT_USER_DATA UINT64_MAX
#define IGNORED_USER_DATA (UINT64_MAX - 1)

/* Kernel threads for operations that block in the kernel; without a bound there may be hundreds. */
#define KERNEL_WORKERS 16u

#define NEEDED_FEATURES (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL)

struct uring {
    int fd;
    bool enabled;
    bool event_armed;
    uint64_t event_value;
    void *rings;
    size_t rings_length;
    struct io_uring_sqe *sqes;
    size_t sqes_length;
    uint32_t setup_flags;

    uint32_t sq_mask;
    uint32_t sq_entries;
    uint32_t sq_tail; /* our tail; the kernel sees it at the next enter */
    _Atomic uint32_t *sq_khead;
    _Atomic uint32_t *sq_ktail;
    _Atomic uint32_t *sq_kflags;

    uint32_t cq_mask;
    _Atomic uint32_t *cq_khead;
    _Atomic uint32_t *cq_ktail;
    struct io_uring_cqe *cqes;
};

static int sys_setup(uint32_t entries, struct io_uring_params *params)
{
    long result = syscall(__NR_io_uring_setup, entries, params);
    return result < 0 ? -errno : (int)result;
}

static int sys_enter(int fd, uint32_t submit, uint32_t wait, uint32_t flags, const void *argument, size_t size)
{
    long result = syscall(__NR_io_uring_enter, fd, submit, wait, flags, argument, size);
    return result < 0 ? -errno : (int)result;
}

static int sys_register(int fd, uint32_t code, void *argument, uint32_t count)
{
    long result = syscall(__NR_io_uring_register, fd, code, argument, count);
    return result < 0 ? -errno : (int)result;
}

/* ---- set-up ------------------------------------------------------------------------------------------------- */

static uint32_t power_of_two_from(uint32_t value)
{
    uint32_t power = 1;
    while (power < value) {
        power <<= 1;
    }
    return power;
}

/* Newer kernels first: each flag saves interrupts or locks, none is needed. */
static int setup_best(struct uring *uring, uint32_t max_ops, struct io_uring_params *params)
{
    static const uint32_t attempts[] = {
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED,
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_R_DISABLED,
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED,
        IORING_SETUP_R_DISABLED,
    };
    int fd = -EINVAL;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0] && fd == -EINVAL; i++) {
        memset(params, 0, sizeof *params);
        params->flags = attempts[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
        /* Every operation in flight gives one entry; the rest is for cancels and the event descriptor. */
        params->cq_entries = power_of_two_from(max_ops + SQ_ENTRIES);
        fd = sys_setup(SQ_ENTRIES, params);
        uring->setup_flags = attempts[i];
    }
    return fd;
}

static int map_rings(struct uring *uring, const struct io_uring_params *params)
{
    size_t sq_length = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
    size_t cq_length = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    uring->rings_length = sq_length > cq_length ? sq_length : cq_length;
    uring->rings = mmap(
        NULL, uring->rings_length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, uring->fd, IORING_OFF_SQ_RING);
    if (uring->rings == MAP_FAILED) {
        return -errno;
    }
    uring->sqes_length = params->sq_entries * sizeof(struct io_uring_sqe);
    uring->sqes =
        mmap(NULL, uring->sqes_length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, uring->fd, IORING_OFF_SQES);
    if (uring->sqes == MAP_FAILED) {
        int error = -errno;
        munmap(uring->rings, uring->rings_length);
        return error;
    }
    uint8_t *base = uring->rings;
    uring->sq_khead = (_Atomic uint32_t *)(void *)(base + params->sq_off.head);
    uring->sq_ktail = (_Atomic uint32_t *)(void *)(base + params->sq_off.tail);
    uring->sq_kflags = (_Atomic uint32_t *)(void *)(base + params->sq_off.flags);
    uring->sq_entries = params->sq_entries;
    uring->sq_mask = params->sq_entries - 1;
    uring->cq_khead = (_Atomic uint32_t *)(void *)(base + params->cq_off.head);
    uring->cq_ktail = (_Atomic uint32_t *)(void *)(base + params->cq_off.tail);
    uring->cq_mask = params->cq_entries - 1;
    uring->cqes = (struct io_uring_cqe *)(void *)(base + params->cq_off.cqes);
    uint32_t *array = (uint32_t *)(void *)(base + params->sq_off.array);
    for (uint32_t i = 0; i < params->sq_entries; i++) {
        array[i] = i;
    }
    return 0;
}

int uring_create(struct brn_ring *ring)
{
    struct uring *uring = calloc(1, sizeof *uring);
    if (uring == NULL) {
        return -ENOMEM;
    }
    struct io_uring_params params;
    uring->fd = setup_best(uring, ring->max_ops, &params);
    int error = uring->fd < 0 ? uring->fd : 0;
    if (error == 0 && (params.features & NEEDED_FEATURES) != NEEDED_FEATURES) {
        error = -ENOSYS;
    }
    if (error == 0) {
        error = map_rings(uring, &params);
    }
    if (error != 0) {
        if (uring->fd >= 0) {
            close(uring->fd);
        }
        free(uring);
        return error;
    }
    ring->uring = uring;
    ring->backend = BRN_BACKEND_IO_URING;
    return 0;
}

void uring_destroy(struct brn_ring *ring)
{
    struct uring *uring = ring->uring;
    munmap(uring->sqes, uring->sqes_length);
    munmap(uring->rings, uring->rings_length);
    close(uring->fd);
    free(uring);
}

/* The thread that enables the ring becomes the only one that may use it: so this is done at the first turn. */
static int uring_enable(struct uring *uring)
{
    int error = sys_register(uring->fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (error < 0) {
        return error;
    }
    uint32_t limits[2] = {KERNEL_WORKERS, KERNEL_WORKERS};
    sys_register(uring->fd, IORING_REGISTER_IOWQ_MAX_WORKERS, limits, 2); /* refused by old kernels, not needed */
    uring->enabled = true;
    return 0;
}

/* ---- submission --------------------------------------------------------------------------------------------- */

static uint32_t sq_pending(const struct uring *uring)
{
    return uring->sq_tail - atomic_load_explicit(uring->sq_khead, memory_order_acquire);
}

/* Gives the kernel what is queued without waiting. */
static int uring_flush(struct uring *uring)
{
    atomic_store_explicit(uring->sq_ktail, uring->sq_tail, memory_order_release);
    uint32_t pending = sq_pending(uring);
    return pending == 0 ? 0 : sys_enter(uring->fd, pending, 0, 0, NULL, 0);
}

/* NULL: the kernel takes nothing more at present. */
static struct io_uring_sqe *next_sqe(struct uring *uring)
{
    if (sq_pending(uring) == uring->sq_entries) {
        uring_flush(uring);
        if (sq_pending(uring) == uring->sq_entries) {
            return NULL;
        }
    }
    struct io_uring_sqe *sqe = &uring->sqes[uring->sq_tail & uring->sq_mask];
    memset(sqe, 0, sizeof *sqe);
    uring->sq_tail++;
    return sqe;
}

static void fill_rw(struct io_uring_sqe *sqe, const struct slot *slot)
{
    bool write = slot->op.kind == BRN_OP_WRITE;
    sqe->opcode = write ? IORING_OP_WRITE : IORING_OP_READ;
    sqe->addr = slot->op.address + slot->done;
    sqe->len = (uint32_t)(slot->op.length - slot->done);
    sqe->off = slot->op.offset + slot->done;
    if (write && (slot->op.flags & BRN_FLAG_FUA) != 0) {
        sqe->rw_flags = RWF_DSYNC;
    }
}

static void fill_recv(struct io_uring_sqe *sqe, const struct slot *slot)
{
    sqe->opcode = IORING_OP_RECV;
    sqe->addr = slot->op.address + slot->done;
    sqe->len = (uint32_t)(slot->op.length - slot->done);
    sqe->msg_flags = (slot->op.flags & BRN_FLAG_ALL) != 0 ? MSG_WAITALL : 0;
}

static void fill_send(struct io_uring_sqe *sqe, struct slot *slot)
{
    memset(&slot->message, 0, sizeof slot->message);
    slot->message.msg_iov = (struct iovec *)(uintptr_t)slot->op.address;
    slot->message.msg_iovlen = slot->op.length;
    sqe->opcode = IORING_OP_SENDMSG;
    sqe->addr = (uint64_t)(uintptr_t)&slot->message;
    sqe->len = 1;
    sqe->msg_flags = MSG_NOSIGNAL;
}

static void fill_ublk(struct io_uring_sqe *sqe, const struct slot *slot)
{
    struct ublk_io_command command = {
        .queue = (uint16_t)slot->op.address,
        .tag = (uint16_t)(slot->op.address >> 16),
        .result = (int32_t)slot->op.length,
    };
    sqe->opcode = IORING_OP_URING_CMD;
    sqe->cmd_op = (uint32_t)_IOC(_IOC_READ | _IOC_WRITE, 'u', (uint32_t)slot->op.offset, sizeof command);
    memcpy((uint8_t *)sqe + offsetof(struct io_uring_sqe, cmd), &command, sizeof command);
}

static int fill_sqe(struct io_uring_sqe *sqe, struct slot *slot)
{
    sqe->fd = slot->op.fd;
    switch (slot->op.kind) {
    case BRN_OP_READ:
    case BRN_OP_WRITE:
        fill_rw(sqe, slot);
        return 0;
    case BRN_OP_DATASYNC:
        sqe->opcode = IORING_OP_FSYNC;
        sqe->fsync_flags = IORING_FSYNC_DATASYNC;
        return 0;
    case BRN_OP_RECV:
        fill_recv(sqe, slot);
        return 0;
    case BRN_OP_SEND:
        fill_send(sqe, slot);
        return 0;
    case BRN_OP_ACCEPT:
        sqe->opcode = IORING_OP_ACCEPT;
        sqe->accept_flags = SOCK_CLOEXEC;
        return 0;
    case BRN_OP_CONNECT:
        sqe->opcode = IORING_OP_CONNECT;
        sqe->addr = slot->op.address;
        sqe->off = slot->op.length;
        return 0;
    case BRN_OP_CLOSE:
        sqe->opcode = IORING_OP_CLOSE;
        return 0;
    case BRN_OP_POLL:
        sqe->opcode = IORING_OP_POLL_ADD;
        sqe->poll32_events = (uint32_t)slot->op.length;
        return 0;
    case BRN_OP_UBLK:
        fill_ublk(sqe, slot);
        return 0;
    default:
        return -EINVAL;
    }
}

static void uring_start(struct brn_ring *ring, uint32_t index)
{
    struct slot *slot = &ring->slots[index];
    struct io_uring_sqe *sqe = next_sqe(ring->uring);
    if (sqe == NULL) {
        slot_ready(ring, index, -EAGAIN);
        return;
    }
    int error = fill_sqe(sqe, slot);
    if (error != 0) {
        ring->uring->sq_tail--;
        slot_ready(ring, index, error);
        return;
    }
    sqe->user_data = index;
    slot->state = SLOT_KERNEL;
}

static int uring_cancel_slot(struct brn_ring *ring, uint32_t target)
{
    struct slot *slot = &ring->slots[target];
    if (slot->state == SLOT_WORKER) {
        if (!workers_cancel(ring, target)) {
            return -EALREADY;
        }
        slot_ready(ring, target, -ECANCELED);
        return 0;
    }
    if (slot->state != SLOT_KERNEL) {
        return -EALREADY;
    }
    struct io_uring_sqe *sqe = next_sqe(ring->uring);
    if (sqe == NULL) {
        return -EAGAIN;
    }
    slot->cancelled = true;
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->fd = -1;
    sqe->addr = target;
    sqe->user_data = IGNORED_USER_DATA;
    return 0;
}

static bool length_fits(const brn_op *op)
{
    switch (op->kind) {
    case BRN_OP_READ:
    case BRN_OP_WRITE:
    case BRN_OP_RECV:
        return op->length <= INT32_MAX;
    case BRN_OP_SEND:
        return op->length >= 1 && op->length <= BRN_MAX_IOVECS;
    default:
        return true;
    }
}

static void uring_begin(struct brn_ring *ring, const brn_op *op)
{
    uint32_t index = slot_take(ring, op);
    if (!length_fits(op)) {
        slot_ready(ring, index, -EINVAL);
        return;
    }
    switch (op->kind) {
    case BRN_OP_NOP:
        slot_ready(ring, index, 0);
        break;
    case BRN_OP_CANCEL: {
        uint32_t target = slot_find(ring, op->offset, index);
        slot_ready(ring, index, target == NO_SLOT ? -ENOENT : uring_cancel_slot(ring, target));
        break;
    }
    case BRN_OP_DISCARD:
    case BRN_OP_ZERO:
        workers_submit(ring, index);
        break;
    default:
        uring_start(ring, index);
        break;
    }
}

static void event_arm(struct brn_ring *ring)
{
    struct uring *uring = ring->uring;
    if (uring->event_armed) {
        return;
    }
    struct io_uring_sqe *sqe = next_sqe(uring);
    if (sqe == NULL) {
        return;
    }
    sqe->opcode = IORING_OP_READ;
    sqe->fd = ring->event_fd;
    sqe->addr = (uint64_t)(uintptr_t)&uring->event_value;
    sqe->len = sizeof uring->event_value;
    sqe->user_data = EVENT_USER_DATA;
    uring->event_armed = true;
}

/* ---- completion --------------------------------------------------------------------------------------------- */

/* Whether the operation goes on with another part, instead of completing with *result. */
static bool continues(const struct slot *slot, int32_t *result)
{
    bool disk = slot->op.kind == BRN_OP_READ || slot->op.kind == BRN_OP_WRITE;
    bool receive_all = slot->op.kind == BRN_OP_RECV && (slot->op.flags & BRN_FLAG_ALL) != 0;
    if (*result == -EINTR && !slot->cancelled) {
        return true;
    }
    if (!disk && !receive_all) {
        return false;
    }
    if (*result < 0) {
        return disk && *result == -EAGAIN && !slot->cancelled;
    }
    uint64_t done = slot->done + (uint64_t)*result;
    bool ended = *result == 0 && done < slot->op.length;
    if (done == slot->op.length || ended) {
        if (receive_all) {
            *result = (int32_t)done;
        } else {
            *result = !ended ? 0 : slot->op.kind == BRN_OP_READ ? -ENODATA : -EIO;
        }
        return false;
    }
    if (slot->cancelled) {
        *result = -ECANCELED;
        return false;
    }
    return true;
}

/* True: *result is final. Otherwise the slot was sent on, to the kernel or a worker. */
static bool uring_finish(struct brn_ring *ring, uint32_t index, int32_t *result)
{
    struct slot *slot = &ring->slots[index];
    if (*result == -EOPNOTSUPP && slot->op.kind == BRN_OP_WRITE && (slot->op.flags & BRN_FLAG_FUA) != 0) {
        workers_submit(ring, index);
        return false;
    }
    int32_t part = *result;
    if (!continues(slot, result)) {
        return true;
    }
    slot->done += part > 0 ? (uint64_t)part : 0;
    uring_start(ring, index);
    return false;
}

static bool reap_one(struct brn_ring *ring, uint64_t user_data, int32_t result, brn_completion *out)
{
    if (user_data == EVENT_USER_DATA) {
        ring->uring->event_armed = false;
        atomic_store(&ring->wake_asked, 0);
        return false;
    }
    if (user_data == IGNORED_USER_DATA) {
        return false;
    }
    uint32_t index = (uint32_t)user_data;
    if (!uring_finish(ring, index, &result)) {
        return false;
    }
    out->user_data = ring->slots[index].op.user_data;
    out->result = result;
    out->reserved = 0;
    slot_free(ring, index);
    return true;
}

static uint32_t uring_reap(struct brn_ring *ring, brn_completion *out, uint32_t max)
{
    struct uring *uring = ring->uring;
    workers_collect(ring);
    uint32_t count = ready_reap(ring, out, max);
    uint32_t head = atomic_load_explicit(uring->cq_khead, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(uring->cq_ktail, memory_order_acquire);
    while (head != tail && count < max) {
        struct io_uring_cqe *cqe = &uring->cqes[head & uring->cq_mask];
        uint64_t user_data = cqe->user_data;
        int32_t result = cqe->res;
        /* Freed before it is handled: handling may flush the submission queue, which wants room here. */
        head++;
        atomic_store_explicit(uring->cq_khead, head, memory_order_release);
        if (reap_one(ring, user_data, result, &out[count])) {
            count++;
        }
    }
    return count;
}

static bool cq_has_entries(const struct uring *uring)
{
    return atomic_load_explicit(uring->cq_khead, memory_order_relaxed) !=
           atomic_load_explicit(uring->cq_ktail, memory_order_acquire);
}

/* Submits and, unless something is finished already, waits. */
static int submit_and_wait(struct brn_ring *ring, int64_t timeout_ns)
{
    struct uring *uring = ring->uring;
    atomic_store_explicit(uring->sq_ktail, uring->sq_tail, memory_order_release);
    uint32_t pending = sq_pending(uring);
    bool wait = timeout_ns != 0 && ring->ready.head == NO_SLOT && !cq_has_entries(uring);
    uint32_t kernel_flags = atomic_load_explicit(uring->sq_kflags, memory_order_acquire);
    bool kernel_wants = (kernel_flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
    if (pending == 0 && !wait && !kernel_wants && timeout_ns != 0) {
        return 0;
    }
    struct __kernel_timespec time = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    struct io_uring_getevents_arg argument = {.ts = timeout_ns > 0 ? (uint64_t)(uintptr_t)&time : 0};
    return sys_enter(
        uring->fd, pending, wait ? 1 : 0, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof argument);
}

int uring_run(
    struct brn_ring *ring, const brn_op *ops, uint32_t n_ops, brn_completion *out, uint32_t max, int64_t timeout_ns)
{
    if (!ring->uring->enabled) {
        int error = uring_enable(ring->uring);
        if (error < 0) {
            return error;
        }
    }
    for (uint32_t i = 0; i < n_ops; i++) {
        uring_begin(ring, &ops[i]);
    }
    event_arm(ring);
    workers_collect(ring);
    int result = submit_and_wait(ring, timeout_ns);
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY && result != -EAGAIN) {
        return result;
    }
    return (int)uring_reap(ring, out, max);
}

int uring_cancel_all(struct brn_ring *ring)
{
    for (uint32_t i = 0; i < ring->used; i++) {
        if (ring->slots[i].state == SLOT_KERNEL || ring->slots[i].state == SLOT_WORKER) {
            int error = uring_cancel_slot(ring, i);
            if (error != 0 && error != -EALREADY) {
                return error;
            }
        }
    }
    return 0;
}
