/*
 * What the two backends of the ring share: the table of operations, the list of finished ones, and the workers.
 *
 * Threads: everything belongs to the ring's thread, except the fields of struct workers below its lock, and the
 * members of a slot while it is on the workers' queue or being run (state SLOT_WORKER).
 */
#ifndef BRN_RING_INTERNAL_H
#define BRN_RING_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "blockrepl_native.h"

#define NO_SLOT UINT32_MAX

enum slot_state {
    SLOT_FREE = 0,
    SLOT_KERNEL,  /* io_uring has it */
    SLOT_WORKER,  /* on the workers' queue, or being run by one */
    SLOT_WAITING, /* epoll: waits for its descriptor */
    SLOT_READY,   /* finished, on the ready list */
};

struct slot {
    brn_op op;
    uint64_t done; /* bytes moved by earlier parts of a partial transfer */
    struct msghdr message;
    uint32_t next; /* link of whichever list the slot is on */
    int32_t result;
    uint8_t state;
    bool cancelled; /* a cancel was asked for: do not start another part */
    bool running;   /* a worker runs it (under the workers' lock) */
};

struct slot_list {
    uint32_t head;
    uint32_t tail;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t threads[BRN_MAX_WORKERS];
    uint32_t limit;
    uint32_t started;
    uint32_t idle;
    bool stopping;
    struct slot_list queue;
    struct slot_list finished;
    atomic_uint finished_hint; /* nonzero: finished is not empty; spares the lock */
};

struct brn_ring {
    struct slot *slots;
    uint32_t max_ops;
    uint32_t in_flight;
    uint32_t used; /* slots that were taken at least once; the memory of the others was never touched */
    uint32_t free_head;
    struct slot_list ready;
    struct workers workers;
    int event_fd;           /* ends a wait: wake calls and workers' results */
    atomic_uint wake_asked; /* a wake is on its way already */
    int32_t backend;
    struct uring *uring;
    struct epoll_backend *epoll;
};

/* slots.c */
void list_init(struct slot_list *list);
void list_push(struct brn_ring *ring, struct slot_list *list, uint32_t index);
uint32_t list_pop(struct brn_ring *ring, struct slot_list *list);
bool list_remove(struct brn_ring *ring, struct slot_list *list, uint32_t index);
uint32_t slot_take(struct brn_ring *ring, const brn_op *op);
void slot_free(struct brn_ring *ring, uint32_t index);
uint32_t slot_find(struct brn_ring *ring, uint64_t user_data, uint32_t except);
void slot_ready(struct brn_ring *ring, uint32_t index, int32_t result);
uint32_t ready_reap(struct brn_ring *ring, brn_completion *completions, uint32_t max);

/* workers.c */
int workers_init(struct brn_ring *ring, uint32_t limit);
void workers_submit(struct brn_ring *ring, uint32_t index);
bool workers_cancel(struct brn_ring *ring, uint32_t index);
void workers_collect(struct brn_ring *ring);
void workers_stop(struct brn_ring *ring);

/* blocking.c: an operation as plain system calls; result as in brn_completion */
int32_t blocking_run(const brn_op *op);

/* ring.c */
void ring_signal(struct brn_ring *ring);

/* ring_uring.c */
int uring_create(struct brn_ring *ring);
int uring_run(
    struct brn_ring *ring, const brn_op *ops, uint32_t n_ops, brn_completion *out, uint32_t max, int64_t timeout_ns);
int uring_cancel_all(struct brn_ring *ring);
void uring_destroy(struct brn_ring *ring);

/* ring_epoll.c */
int epoll_backend_create(struct brn_ring *ring, uint32_t max_fds);
int epoll_backend_run(
    struct brn_ring *ring, const brn_op *ops, uint32_t n_ops, brn_completion *out, uint32_t max, int64_t timeout_ns);
int epoll_backend_cancel_all(struct brn_ring *ring);
void epoll_backend_destroy(struct brn_ring *ring);

#endif
