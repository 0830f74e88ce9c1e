/* What the daemon sbd and the process that guards it share. */
#ifndef BRN_GUARD_H
#define BRN_GUARD_H

#include <stdint.h>

enum {
    GUARD_CONTROL_FD = 0, /* where the guard finds its socket and its table */
    GUARD_TABLE_FD = 3,
};

enum guard_code {
    GUARD_ARM = 1,  /* answered */
    GUARD_END = 2,  /* ends the node; not answered */
    GUARD_STOP = 3, /* disarms the watchdog and ends the guard; answered */
};

struct guard_message {
    int32_t code;
    int32_t result;        /* of the answer: 0 or a negative errno */
    int32_t timeout_s;     /* of the watchdog; in an answer: what it has really taken */
    int32_t set_timeout;   /* whether it is to be set, else it is left as it is */
    int32_t turn_limit_ms; /* so old may the inquisitor's last turn be */
    int32_t end;           /* enum brn_node_end, when the vote is lost or the daemon vanishes */
    int32_t flush;
    int32_t crash_timeout_s;
};

/* Writes the kernel's buffers out for at most two seconds, then ends the machine. Returns only in a rehearsal. */
void guard_end_node(int32_t end, int32_t flush, const char *rehearsal);

/* One line to the system's log, if it takes it at once. */
void guard_note(const char *text);

#endif
