/* CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), eight tables of 256 entries, one byte column each. */
#include <pthread.h>

#include "digest_internal.h"

#define POLYNOMIAL 0x82f63b78u

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void tables_make(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (uint32_t bit = 0; bit < 8; bit++) {
            value = (value >> 1) ^ ((value & 1) != 0 ? POLYNOMIAL : 0);
        }
        tables[0][i] = value;
    }
    for (uint32_t table = 1; table < 8; table++) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t before = tables[table - 1][i];
            tables[table][i] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
}

static uint32_t crc32c_table(uint32_t crc, const uint8_t *data, uint64_t length)
{
    pthread_once(&tables_once, tables_make);
    for (; length >= 8; length -= 8, data += 8) {
        uint64_t word;
        memcpy(&word, data, sizeof word);
        word ^= crc;
        crc = 0;
        for (uint32_t i = 0; i < 8; i++) {
            crc ^= tables[7 - i][(word >> (8 * i)) & 0xff];
        }
    }
    for (; length > 0; length--, data++) {
        crc = (crc >> 8) ^ tables[0][(crc ^ *data) & 0xff];
    }
    return crc;
}

void crc32c_digest(const brn_digest_item *items, uint32_t n_items, bool cpu)
{
    for (uint32_t i = 0; i < n_items; i++) {
        const uint8_t *data = (const uint8_t *)(uintptr_t)items[i].data;
        uint32_t crc = cpu ? crc32c_cpu(~0u, data, items[i].length) : crc32c_table(~0u, data, items[i].length);
        crc = ~crc;
        memcpy((void *)(uintptr_t)items[i].output, &crc, sizeof crc);
    }
}
