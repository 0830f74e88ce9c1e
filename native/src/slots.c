/* The table of operations of a ring, and the lists that run through it. */
#include "ring_internal.h"

void list_init(struct slot_list *list)
{
    list->head = NO_SLOT;
    list->tail = NO_SLOT;
}

void list_push(struct brn_ring *ring, struct slot_list *list, uint32_t index)
{
    ring->slots[index].next = NO_SLOT;
    if (list->tail == NO_SLOT) {
        list->head = index;
    } else {
        ring->slots[list->tail].next = index;
    }
    list->tail = index;
}

uint32_t list_pop(struct brn_ring *ring, struct slot_list *list)
{
    uint32_t index = list->head;
    if (index != NO_SLOT) {
        list->head = ring->slots[index].next;
        if (list->head == NO_SLOT) {
            list->tail = NO_SLOT;
        }
    }
    return index;
}

bool list_remove(struct brn_ring *ring, struct slot_list *list, uint32_t index)
{
    uint32_t before = NO_SLOT;
    for (uint32_t i = list->head; i != NO_SLOT; before = i, i = ring->slots[i].next) {
        if (i != index) {
            continue;
        }
        uint32_t after = ring->slots[i].next;
        if (before == NO_SLOT) {
            list->head = after;
        } else {
            ring->slots[before].next = after;
        }
        if (list->tail == index) {
            list->tail = before;
        }
        return true;
    }
    return false;
}

/* The caller has checked that one is free. */
uint32_t slot_take(struct brn_ring *ring, const brn_op *op)
{
    uint32_t index = ring->free_head;
    if (index == NO_SLOT) {
        index = ring->used++;
    } else {
        ring->free_head = ring->slots[index].next;
    }
    struct slot *slot = &ring->slots[index];
    ring->in_flight++;
    slot->op = *op;
    slot->done = 0;
    slot->next = NO_SLOT;
    slot->result = 0;
    slot->cancelled = false;
    slot->running = false;
    return index;
}

void slot_free(struct brn_ring *ring, uint32_t index)
{
    ring->slots[index].state = SLOT_FREE;
    ring->slots[index].next = ring->free_head;
    ring->free_head = index;
    ring->in_flight--;
}

/* Linear: cancels are rare and the table is small. */
uint32_t slot_find(struct brn_ring *ring, uint64_t user_data, uint32_t except)
{
    for (uint32_t i = 0; i < ring->used; i++) {
        const struct slot *slot = &ring->slots[i];
        if (slot->state != SLOT_FREE && i != except && slot->op.user_data == user_data) {
            return i;
        }
    }
    return NO_SLOT;
}

void slot_ready(struct brn_ring *ring, uint32_t index, int32_t result)
{
    ring->slots[index].result = result;
    ring->slots[index].state = SLOT_READY;
    list_push(ring, &ring->ready, index);
}

uint32_t ready_reap(struct brn_ring *ring, brn_completion *completions, uint32_t max)
{
    uint32_t count = 0;
    while (count < max) {
        uint32_t index = list_pop(ring, &ring->ready);
        if (index == NO_SLOT) {
            break;
        }
        completions[count].user_data = ring->slots[index].op.user_data;
        completions[count].result = ring->slots[index].result;
        completions[count].reserved = 0;
        count++;
        slot_free(ring, index);
    }
    return count;
}
