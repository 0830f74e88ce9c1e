/* Digests: published vectors for every variant, and all variants against the scalar one on messages of many lengths. */
#include <stdint.h>
#include <string.h>

#include "blockrepl_native.h"
#include "check.h"

struct vector {
    uint32_t algorithm;
    const char *message;
    const char *digest;
};

/* RFC 1321 appendix 5, FIPS 180 examples, RFC 3720 section B.4 and the usual check value of CRC-32C. */
static const struct vector vectors[] = {
    {BRN_DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
    {BRN_DIGEST_MD5, "a", "0cc175b9c0f1b6a831c399e269772661"},
    {BRN_DIGEST_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
    {BRN_DIGEST_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    {BRN_DIGEST_MD5, "abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
    {BRN_DIGEST_MD5, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
     "d174ab98d277d9f5a5611c2c9f419d9f"},
    {BRN_DIGEST_MD5, "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
     "57edf4a22be3c955ac49da2e2107b67a"},
    {BRN_DIGEST_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {BRN_DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {BRN_DIGEST_SHA1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    {BRN_DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {BRN_DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {BRN_DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {BRN_DIGEST_CRC32C, "", "00000000"},
    {BRN_DIGEST_CRC32C, "123456789", "839206e3"},
};

static uint32_t digest_size(uint32_t algorithm)
{
    static const uint32_t sizes[] = {0, 4, 16, 20, 32};
    return sizes[algorithm];
}

static void to_hex(const uint8_t *data, uint32_t length, char *hex)
{
    for (uint32_t i = 0; i < length; i++) {
        snprintf(hex + 2 * i, 3, "%02x", data[i]);
    }
}

static brn_digest_item make_item(const void *data, uint64_t length, void *output)
{
    brn_digest_item item = {(uint64_t)(uintptr_t)data, length, (uint64_t)(uintptr_t)output};
    return item;
}

static void published_vectors(uint32_t variant)
{
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *vector = &vectors[i];
        uint8_t output[17][32];
        brn_digest_item items[17];
        for (uint32_t copy = 0; copy < 17; copy++) {
            items[copy] = make_item(vector->message, strlen(vector->message), output[copy]);
        }
        int32_t result = brn_digest(vector->algorithm, variant, items, 17);
        if (result != 0) {
            continue;
        }
        for (uint32_t copy = 0; copy < 17; copy++) {
            char hex[65];
            to_hex(output[copy], digest_size(vector->algorithm), hex);
            CHECK(strcmp(hex, vector->digest) == 0);
        }
    }
}

static uint64_t random_state = 42;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

#define ARENA 100000u
#define MESSAGES 40u

static void against_scalar(uint32_t algorithm, uint32_t variant)
{
    static uint8_t arena[ARENA];
    for (uint32_t i = 0; i < ARENA; i++) {
        arena[i] = (uint8_t)random_next();
    }
    for (uint32_t round = 0; round < 300; round++) {
        uint8_t expected[MESSAGES][32] = {{0}};
        uint8_t actual[MESSAGES][32] = {{0}};
        brn_digest_item items[MESSAGES];
        uint32_t count = (uint32_t)(random_next() % MESSAGES) + 1;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t length = random_next() % (round % 3 == 0 ? 200 : 9000);
            items[i] = make_item(arena + random_next() % (ARENA - 9000), length, expected[i]);
        }
        CHECK_EQ(0, brn_digest(algorithm, BRN_VARIANT_SCALAR, items, count));
        for (uint32_t i = 0; i < count; i++) {
            items[i].output = (uint64_t)(uintptr_t)actual[i];
        }
        CHECK_EQ(0, brn_digest(algorithm, variant, items, count));
        CHECK(memcmp(expected, actual, sizeof expected) == 0);
    }
}

static void lengths_around_a_block(uint32_t algorithm, uint32_t variant)
{
    uint8_t data[200];
    for (uint32_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7);
    }
    for (uint32_t length = 0; length < sizeof data; length++) {
        uint8_t expected[32] = {0};
        uint8_t actual[8][32] = {{0}};
        brn_digest_item item = make_item(data, length, expected);
        CHECK_EQ(0, brn_digest(algorithm, BRN_VARIANT_SCALAR, &item, 1));
        brn_digest_item items[8];
        for (uint32_t i = 0; i < 8; i++) {
            items[i] = make_item(data, length, actual[i]);
        }
        CHECK_EQ(0, brn_digest(algorithm, variant, items, 8));
        for (uint32_t i = 0; i < 8; i++) {
            CHECK(memcmp(expected, actual[i], 32) == 0);
        }
    }
}

int main(void)
{
    static const char *const names[] = {
        "auto", "scalar", "sse2", "avx2", "neon", "cpu", "avx512", "avx512-8", "avx512-4",
    };
    for (uint32_t variant = BRN_VARIANT_AUTO; variant <= BRN_VARIANT_AVX512_4; variant++) {
        published_vectors(variant);
        for (uint32_t algorithm = BRN_DIGEST_CRC32C; algorithm <= BRN_DIGEST_SHA256; algorithm++) {
            if (brn_digest(algorithm, variant, NULL, 0) != 0) {
                continue;
            }
            against_scalar(algorithm, variant);
            lengths_around_a_block(algorithm, variant);
            printf("algorithm %u, variant %s: agrees\n", algorithm, names[variant]);
        }
    }
    CHECK(brn_digest(0, 0, NULL, 0) < 0);
    CHECK(brn_digest(5, 0, NULL, 0) < 0);
    CHECK(brn_digest(BRN_DIGEST_MD5, 99, NULL, 0) < 0);
    return 0;
}
