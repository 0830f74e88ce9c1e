/*
 * MD5 (RFC 1321): one message at a time, and the scheduler that keeps the lanes of a multi-buffer variant busy with
 * messages of different lengths.
 */
#include "digest_internal.h"

const uint32_t md5_initial[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

/* floor(2^32 * |sin(i + 1)|), from the RFC. */
const uint32_t md5_constants[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static inline uint32_t rotate(uint32_t value, uint32_t bits)
{
    return (value << bits) | (value >> (32 - bits));
}

/* The two halves of G do not overlap, so they can be added: a shorter chain than an or. */
#define F(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define G(b, c, d) (((b) & (d)) + ((c) & ~(d)))
#define H(b, c, d) ((b) ^ (c) ^ (d))
#define I(b, c, d) ((c) ^ ((b) | ~(d)))
#define STEP(f, a, b, c, d, word, index, bits) a = (b) + rotate((a) + f(b, c, d) + (word) + md5_constants[index], bits)
#define FOUR(f, i, w0, w1, w2, w3, s0, s1, s2, s3) \
    STEP(f, a, b, c, d, w[w0], i, s0);             \
    STEP(f, d, a, b, c, w[w1], (i) + 1, s1);       \
    STEP(f, c, d, a, b, w[w2], (i) + 2, s2);       \
    STEP(f, b, c, d, a, w[w3], (i) + 3, s3)

void md5_blocks_scalar(uint32_t state[4], const uint8_t *data, uint64_t blocks)
{
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    for (; blocks > 0; blocks--, data += 64) {
        uint32_t w[16];
        memcpy(w, data, sizeof w);
        uint32_t a0 = a, b0 = b, c0 = c, d0 = d;
        FOUR(F, 0, 0, 1, 2, 3, 7, 12, 17, 22);
        FOUR(F, 4, 4, 5, 6, 7, 7, 12, 17, 22);
        FOUR(F, 8, 8, 9, 10, 11, 7, 12, 17, 22);
        FOUR(F, 12, 12, 13, 14, 15, 7, 12, 17, 22);
        FOUR(G, 16, 1, 6, 11, 0, 5, 9, 14, 20);
        FOUR(G, 20, 5, 10, 15, 4, 5, 9, 14, 20);
        FOUR(G, 24, 9, 14, 3, 8, 5, 9, 14, 20);
        FOUR(G, 28, 13, 2, 7, 12, 5, 9, 14, 20);
        FOUR(H, 32, 5, 8, 11, 14, 4, 11, 16, 23);
        FOUR(H, 36, 1, 4, 7, 10, 4, 11, 16, 23);
        FOUR(H, 40, 13, 0, 3, 6, 4, 11, 16, 23);
        FOUR(H, 44, 9, 12, 15, 2, 4, 11, 16, 23);
        FOUR(I, 48, 0, 7, 14, 5, 6, 10, 15, 21);
        FOUR(I, 52, 12, 3, 10, 1, 6, 10, 15, 21);
        FOUR(I, 56, 8, 15, 6, 13, 6, 10, 15, 21);
        FOUR(I, 60, 4, 11, 2, 9, 6, 10, 15, 21);
        a += a0;
        b += b0;
        c += c0;
        d += d0;
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
}

/* Both steps of a pair wait for nothing of each other, so a processor that does several things at once does both. */
#define PAIR(f, a, b, c, d, index, word, bits)                  \
    STEP(f, a##0, b##0, c##0, d##0, w0[word], index, bits);     \
    STEP(f, a##1, b##1, c##1, d##1, w1[word], index, bits)
#define FOUR_PAIRS(f, i, k0, k1, k2, k3, s0, s1, s2, s3) \
    PAIR(f, a, b, c, d, i, k0, s0);                      \
    PAIR(f, d, a, b, c, (i) + 1, k1, s1);                \
    PAIR(f, c, d, a, b, (i) + 2, k2, s2);                \
    PAIR(f, b, c, d, a, (i) + 3, k3, s3)

/* Two messages side by side: little slower than one, because one alone is a single chain of dependent steps. */
static void md5_blocks_pair(uint32_t state[2][4], const uint8_t *data0, const uint8_t *data1, uint64_t blocks)
{
    uint32_t a0 = state[0][0], b0 = state[0][1], c0 = state[0][2], d0 = state[0][3];
    uint32_t a1 = state[1][0], b1 = state[1][1], c1 = state[1][2], d1 = state[1][3];
    for (; blocks > 0; blocks--, data0 += 64, data1 += 64) {
        uint32_t w0[16];
        uint32_t w1[16];
        memcpy(w0, data0, sizeof w0);
        memcpy(w1, data1, sizeof w1);
        FOUR_PAIRS(F, 0, 0, 1, 2, 3, 7, 12, 17, 22);
        FOUR_PAIRS(F, 4, 4, 5, 6, 7, 7, 12, 17, 22);
        FOUR_PAIRS(F, 8, 8, 9, 10, 11, 7, 12, 17, 22);
        FOUR_PAIRS(F, 12, 12, 13, 14, 15, 7, 12, 17, 22);
        FOUR_PAIRS(G, 16, 1, 6, 11, 0, 5, 9, 14, 20);
        FOUR_PAIRS(G, 20, 5, 10, 15, 4, 5, 9, 14, 20);
        FOUR_PAIRS(G, 24, 9, 14, 3, 8, 5, 9, 14, 20);
        FOUR_PAIRS(G, 28, 13, 2, 7, 12, 5, 9, 14, 20);
        FOUR_PAIRS(H, 32, 5, 8, 11, 14, 4, 11, 16, 23);
        FOUR_PAIRS(H, 36, 1, 4, 7, 10, 4, 11, 16, 23);
        FOUR_PAIRS(H, 40, 13, 0, 3, 6, 4, 11, 16, 23);
        FOUR_PAIRS(H, 44, 9, 12, 15, 2, 4, 11, 16, 23);
        FOUR_PAIRS(I, 48, 0, 7, 14, 5, 6, 10, 15, 21);
        FOUR_PAIRS(I, 52, 12, 3, 10, 1, 6, 10, 15, 21);
        FOUR_PAIRS(I, 56, 8, 15, 6, 13, 6, 10, 15, 21);
        FOUR_PAIRS(I, 60, 4, 11, 2, 9, 6, 10, 15, 21);
        a0 = state[0][0] += a0, b0 = state[0][1] += b0, c0 = state[0][2] += c0, d0 = state[0][3] += d0;
        a1 = state[1][0] += a1, b1 = state[1][1] += b1, c1 = state[1][2] += c1, d1 = state[1][3] += d1;
    }
}

void md5_single(const brn_digest_item *item)
{
    const uint8_t *data = (const uint8_t *)(uintptr_t)item->data;
    uint32_t state[4];
    memcpy(state, md5_initial, sizeof state);
    md5_blocks_scalar(state, data, item->length / 64);
    struct tail tail;
    tail_make(&tail, data, item->length, false);
    md5_blocks_scalar(state, tail.bytes, tail.blocks);
    memcpy((void *)(uintptr_t)item->output, state, sizeof state);
}

/* ---- many messages ------------------------------------------------------------------------------------------- */

struct lane {
    const brn_digest_item *item; /* NULL: idle */
    struct tail tail;
    uint64_t blocks; /* left in the present part */
    bool in_tail;
};

struct lanes {
    struct lane lane[MAX_LANES];
    uint32_t state[4][MAX_LANES];
    const uint8_t *data[MAX_LANES];
    uint32_t count;
    uint32_t busy;
};

static void lane_enter_tail(struct lanes *lanes, uint32_t i)
{
    struct lane *lane = &lanes->lane[i];
    lane->in_tail = true;
    lane->blocks = lane->tail.blocks;
    lanes->data[i] = lane->tail.bytes;
}

static void lane_load(struct lanes *lanes, uint32_t i, const brn_digest_item *item)
{
    struct lane *lane = &lanes->lane[i];
    const uint8_t *data = (const uint8_t *)(uintptr_t)item->data;
    lane->item = item;
    lane->in_tail = false;
    lane->blocks = item->length / 64;
    tail_make(&lane->tail, data, item->length, false);
    lanes->data[i] = data;
    for (uint32_t word = 0; word < 4; word++) {
        lanes->state[word][i] = md5_initial[word];
    }
    if (lane->blocks == 0) {
        lane_enter_tail(lanes, i);
    }
    lanes->busy++;
}

static void lane_store(struct lanes *lanes, uint32_t i)
{
    uint32_t digest[4];
    for (uint32_t word = 0; word < 4; word++) {
        digest[word] = lanes->state[word][i];
    }
    memcpy((void *)(uintptr_t)lanes->lane[i].item->output, digest, sizeof digest);
    lanes->lane[i].item = NULL;
    lanes->busy--;
}

/* Finishes what few lanes are left without paying for the empty ones. */
static void lane_finish_scalar(struct lanes *lanes, uint32_t i)
{
    struct lane *lane = &lanes->lane[i];
    uint32_t state[4];
    for (uint32_t word = 0; word < 4; word++) {
        state[word] = lanes->state[word][i];
    }
    md5_blocks_scalar(state, lanes->data[i], lane->blocks);
    if (!lane->in_tail) {
        md5_blocks_scalar(state, lane->tail.bytes, lane->tail.blocks);
    }
    memcpy((void *)(uintptr_t)lane->item->output, state, sizeof state);
    lane->item = NULL;
    lanes->busy--;
}

/* Blocks that every busy lane has; idle lanes read along with a busy one and their result is dropped. */
static uint64_t lanes_common(struct lanes *lanes)
{
    uint64_t common = UINT64_MAX;
    uint32_t some = 0;
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (lanes->lane[i].item != NULL && lanes->lane[i].blocks < common) {
            common = lanes->lane[i].blocks;
            some = i;
        }
    }
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (lanes->lane[i].item == NULL) {
            lanes->data[i] = lanes->data[some];
        }
    }
    return common;
}

static void lanes_advance(struct lanes *lanes, uint64_t blocks)
{
    for (uint32_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->lane[i];
        if (lane->item == NULL) {
            continue;
        }
        lane->blocks -= blocks;
        if (lane->blocks > 0) {
            continue;
        }
        if (lane->in_tail) {
            lane_store(lanes, i);
        } else {
            lane_enter_tail(lanes, i);
        }
    }
}

/* Goes on with the two lanes that are left until one of them ends. */
static void lanes_run_pair(struct lanes *lanes)
{
    uint32_t place[2] = {0, 0};
    uint32_t found = 0;
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (lanes->lane[i].item != NULL) {
            place[found++] = i;
        }
    }
    uint32_t state[2][4];
    for (uint32_t word = 0; word < 4; word++) {
        state[0][word] = lanes->state[word][place[0]];
        state[1][word] = lanes->state[word][place[1]];
    }
    uint64_t blocks = lanes_common(lanes);
    md5_blocks_pair(state, lanes->data[place[0]], lanes->data[place[1]], blocks);
    for (uint32_t word = 0; word < 4; word++) {
        lanes->state[word][place[0]] = state[0][word];
        lanes->state[word][place[1]] = state[1][word];
    }
    lanes->data[place[0]] += 64 * blocks;
    lanes->data[place[1]] += 64 * blocks;
    lanes_advance(lanes, blocks);
}

void md5_multi(md5_lanes_fn *run, uint32_t n_lanes, const brn_digest_item *items, uint32_t n_items)
{
    struct lanes lanes;
    lanes.count = n_lanes;
    lanes.busy = 0;
    memset(lanes.state, 0, sizeof lanes.state);
    for (uint32_t i = 0; i < MAX_LANES; i++) {
        lanes.lane[i].item = NULL;
    }
    uint32_t next = 0;
    for (;;) {
        for (uint32_t i = 0; i < n_lanes && next < n_items; i++) {
            if (lanes.lane[i].item == NULL) {
                lane_load(&lanes, i, &items[next++]);
            }
        }
        /* A vector step costs about as much as two to three scalar ones. */
        if (lanes.busy <= 2) {
            break;
        }
        uint64_t blocks = lanes_common(&lanes);
        run(lanes.state, lanes.data, blocks);
        lanes_advance(&lanes, blocks);
    }
    while (lanes.busy == 2) {
        lanes_run_pair(&lanes);
    }
    for (uint32_t i = 0; i < n_lanes; i++) {
        if (lanes.lane[i].item != NULL) {
            lane_finish_scalar(&lanes, i);
        }
    }
}
