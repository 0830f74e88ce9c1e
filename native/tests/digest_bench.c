/* Speed of each digest variant on 16 messages of 4 KiB, and of MD5 on fewer, in MB per second of processor time. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "blockrepl_native.h"

#define MESSAGES 16u
#define LENGTH 4096u

static uint8_t data[MESSAGES][LENGTH];
static uint8_t output[MESSAGES][32];

/* Processor time, so that other programs do not count. */
static int64_t processor_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static double measure(uint32_t algorithm, uint32_t variant, uint32_t n_messages)
{
    brn_digest_item items[MESSAGES];
    for (uint32_t i = 0; i < n_messages; i++) {
        items[i].data = (uint64_t)(uintptr_t)data[i];
        items[i].length = LENGTH;
        items[i].output = (uint64_t)(uintptr_t)output[i];
    }
    uint64_t rounds = 0;
    int64_t begin = processor_ns();
    int64_t end = begin;
    while (end - begin < 300000000) {
        for (uint32_t i = 0; i < 50; i++) {
            brn_digest(algorithm, variant, items, n_messages);
        }
        rounds += 50;
        end = processor_ns();
    }
    return (double)(rounds * n_messages * LENGTH) * 1000.0 / (double)(end - begin);
}

int main(void)
{
    static const char *const algorithms[] = {"", "crc32c", "md5", "sha1", "sha256"};
    static const char *const variants[] = {
        "auto", "scalar", "sse2", "avx2", "neon", "cpu", "avx512", "avx512-8", "avx512-4",
    };
    for (uint32_t algorithm = BRN_DIGEST_CRC32C; algorithm <= BRN_DIGEST_SHA256; algorithm++) {
        for (uint32_t variant = BRN_VARIANT_SCALAR; variant <= BRN_VARIANT_AVX512_4; variant++) {
            if (brn_digest(algorithm, variant, NULL, 0) == 0) {
                printf("%-7s %-8s %8.0f MB/s\n", algorithms[algorithm], variants[variant],
                    measure(algorithm, variant, MESSAGES));
            }
        }
    }
    for (uint32_t n_messages = 1; n_messages <= MESSAGES; n_messages++) {
        printf("md5 of %2u messages %8.0f MB/s\n", n_messages, measure(BRN_DIGEST_MD5, BRN_VARIANT_AUTO, n_messages));
    }
    return 0;
}
