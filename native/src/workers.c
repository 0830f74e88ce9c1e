/* Threads for calls that block: discards and zeroing with io_uring, every disk call with epoll. */
#include <errno.h>
#include <signal.h>

#include "ring_internal.h"

static uint32_t workers_next(struct brn_ring *ring)
{
    struct workers *workers = &ring->workers;
    workers->idle++;
    while (workers->queue.head == NO_SLOT && !workers->stopping) {
        pthread_cond_wait(&workers->work, &workers->lock);
    }
    workers->idle--;
    return list_pop(ring, &workers->queue);
}

static void *workers_main(void *argument)
{
    struct brn_ring *ring = argument;
    struct workers *workers = &ring->workers;
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        uint32_t index = workers_next(ring);
        if (index == NO_SLOT) {
            break;
        }
        struct slot *slot = &ring->slots[index];
        slot->running = true;
        pthread_mutex_unlock(&workers->lock);

        int32_t result = blocking_run(&slot->op);

        pthread_mutex_lock(&workers->lock);
        slot->running = false;
        slot->result = result;
        bool first = workers->finished.head == NO_SLOT;
        list_push(ring, &workers->finished, index);
        atomic_store(&workers->finished_hint, 1);
        if (first) {
            ring_signal(ring);
        }
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

int workers_init(struct brn_ring *ring, uint32_t limit)
{
    struct workers *workers = &ring->workers;
    workers->limit = limit;
    list_init(&workers->queue);
    list_init(&workers->finished);
    int error = pthread_mutex_init(&workers->lock, NULL);
    if (error == 0) {
        error = pthread_cond_init(&workers->work, NULL);
    }
    return -error;
}

/* Under the lock. Signals stay with the process's other threads. */
static int workers_start_one(struct brn_ring *ring)
{
    struct workers *workers = &ring->workers;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&workers->threads[workers->started], NULL, workers_main, ring);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        workers->started++;
    }
    return -error;
}

void workers_submit(struct brn_ring *ring, uint32_t index)
{
    struct workers *workers = &ring->workers;
    ring->slots[index].state = SLOT_WORKER;
    pthread_mutex_lock(&workers->lock);
    int error = 0;
    if (workers->idle == 0 && workers->started < workers->limit) {
        error = workers_start_one(ring);
    }
    if (workers->started == 0) {
        pthread_mutex_unlock(&workers->lock);
        slot_ready(ring, index, error);
        return;
    }
    list_push(ring, &workers->queue, index);
    pthread_cond_signal(&workers->work);
    pthread_mutex_unlock(&workers->lock);
}

/* True: it was still queued and is the caller's again. */
bool workers_cancel(struct brn_ring *ring, uint32_t index)
{
    struct workers *workers = &ring->workers;
    pthread_mutex_lock(&workers->lock);
    bool removed = list_remove(ring, &workers->queue, index);
    pthread_mutex_unlock(&workers->lock);
    return removed;
}

/* Moves what the workers finished to the ready list. */
void workers_collect(struct brn_ring *ring)
{
    struct workers *workers = &ring->workers;
    if (atomic_load(&workers->finished_hint) == 0) {
        return;
    }
    pthread_mutex_lock(&workers->lock);
    struct slot_list finished = workers->finished;
    list_init(&workers->finished);
    atomic_store(&workers->finished_hint, 0);
    pthread_mutex_unlock(&workers->lock);
    for (;;) {
        uint32_t index = list_pop(ring, &finished);
        if (index == NO_SLOT) {
            return;
        }
        slot_ready(ring, index, ring->slots[index].result);
    }
}

void workers_stop(struct brn_ring *ring)
{
    struct workers *workers = &ring->workers;
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    list_init(&workers->queue);
    pthread_cond_broadcast(&workers->work);
    pthread_mutex_unlock(&workers->lock);
    for (uint32_t i = 0; i < workers->started; i++) {
        pthread_join(workers->threads[i], NULL);
    }
    pthread_cond_destroy(&workers->work);
    pthread_mutex_destroy(&workers->lock);
}
