/* Opening files as devices, and the small calls. Loop devices are tried by the C# tests. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockrepl_native.h"
#include "check.h"

static void files(void)
{
    char path[] = "/tmp/brn-device-XXXXXX";
    int plain = mkostemp(path, O_CLOEXEC);
    CHECK(plain >= 0);
    CHECK_EQ(0, ftruncate(plain, 1048576 + 100));
    int fd = brn_device_open(path, BRN_OPEN_EXCLUSIVE);
    CHECK(fd >= 0);
    brn_device_info info;
    CHECK_EQ(0, brn_device_info_get(fd, &info));
    CHECK_EQ(1048576, info.size);
    CHECK(info.logical_block == 512 || info.logical_block == 4096);
    CHECK((info.flags & BRN_DEVICE_BLOCK) == 0);
    struct stat status;
    CHECK_EQ(0, fstat(plain, &status));
    CHECK_EQ(1048576 + 100, status.st_size);

    CHECK_EQ(-EBUSY, brn_device_open(path, BRN_OPEN_EXCLUSIVE));
    int reader = brn_device_open(path, BRN_OPEN_READ_ONLY);
    CHECK(reader >= 0);
    CHECK_EQ(0, brn_device_info_get(reader, &info));
    CHECK((info.flags & BRN_DEVICE_READ_ONLY) != 0);
    CHECK_EQ(0, brn_close(reader));

    /* A child that was just forked has the descriptor until it begins its program. */
    int child = dup(fd);
    CHECK_EQ(0, brn_device_unlock(fd));
    CHECK_EQ(0, brn_close(fd));
    fd = brn_device_open(path, BRN_OPEN_EXCLUSIVE);
    CHECK(fd >= 0);
    CHECK_EQ(0, brn_close(fd));
    close(child);
    close(plain);
    unlink(path);
    CHECK_EQ(-ENOENT, brn_device_open(path, 0));
    CHECK_EQ(-ENOTBLK, brn_device_open("/tmp", 0));
    CHECK_EQ(-ENOTBLK, brn_device_open("/dev/null", 0));
}

static void memory_and_clock(void)
{
    void *memory = NULL;
    CHECK_EQ(0, brn_memory_reserve(64 << 20, &memory));
    ((uint8_t *)memory)[12345678] = 7;
    CHECK_EQ(0, brn_memory_release(memory, 64 << 20));
    int64_t before = brn_monotonic_ns();
    CHECK(before > 0);
    CHECK(brn_monotonic_ns() >= before);
}

static void layouts(void)
{
    CHECK_EQ(BRN_ABI_VERSION, brn_abi_version());
    CHECK_EQ(sizeof(brn_op), brn_struct_size(BRN_STRUCT_OP));
    CHECK_EQ(sizeof(brn_socket_options), brn_struct_size(BRN_STRUCT_SOCKET_OPTIONS));
    CHECK_EQ(0, brn_struct_size(1000));
    CHECK_EQ(0, brn_struct_last_offset(1000));
}

/* A file: whole sectors only, an end that is not reached is an error. */
static void sectors_move_whole(void)
{
    char path[] = "/tmp/brn-sector-XXXXXX";
    int made = mkstemp(path);
    CHECK(made >= 0);
    CHECK_EQ(0, ftruncate(made, 1024 + 100));
    uint32_t sector_size = 1;
    uint64_t bytes = 0;
    int fd = brn_sector_open(path, &sector_size, &bytes);
    CHECK(fd >= 0);
    CHECK_EQ(0, sector_size);
    CHECK_EQ(1124, bytes);
    void *buffer = NULL;
    CHECK_EQ(0, posix_memalign(&buffer, 4096, 4096));
    memset(buffer, 0x5a, 512);
    CHECK_EQ(0, brn_sector_transfer(fd, buffer, 512, 512, 1));
    memset(buffer, 0, 512);
    CHECK_EQ(0, brn_sector_transfer(fd, buffer, 512, 512, 0));
    CHECK_EQ(0x5a, ((unsigned char *)buffer)[511]);
    CHECK_EQ(-EIO, brn_sector_transfer(fd, buffer, 512, 1024, 0));
    CHECK_EQ(-ENOTBLK, brn_sector_open("/dev/null", &sector_size, &bytes));
    CHECK_EQ(-ENOENT, brn_sector_open("/tmp/brn-no-such-device", &sector_size, &bytes));
    free(buffer);
    close(fd);
    close(made);
    unlink(path);
}

int main(void)
{
    files();
    memory_and_clock();
    layouts();
    sectors_move_whole();
    return 0;
}
