/* The commands of ublk's data plane, which the ring sends. */
#ifndef BRN_UBLK_H
#define BRN_UBLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ublk_io_command {
    uint16_t queue;
    uint16_t tag;
    int32_t result;
    uint64_t address; /* zero: data is copied by reads and writes of the device */
};

_Static_assert(sizeof(struct ublk_io_command) == 16, "it fits an entry of 64 bytes");

#endif
