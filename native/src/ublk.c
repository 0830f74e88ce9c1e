/*
 * Control of ublk devices: io_uring commands of 128 bytes to /dev/ublk-control. Each call makes a ring of one entry for
 * itself, because calls are rare and the data's ring has entries of 64 bytes. The data goes through the ring
 * (BRN_OP_UBLK) and brn_ublk_copy.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "blockrepl_native.h"
#include "ublk.h"

/* The kernel's interface as of 6.12, which is newer than some headers. */
struct control_command {
    uint32_t index;
    uint16_t queue;
    uint16_t length; /* of what is at address */
    uint64_t address;
    uint64_t value;
    uint16_t path_length;
    uint16_t pad;
    uint32_t reserved;
};

struct device_facts {
    uint16_t queues;
    uint16_t depth;
    uint16_t state;
    uint16_t pad0;
    uint32_t max_io_bytes;
    uint32_t index;
    int32_t pid;
    uint32_t pad1;
    uint64_t features;
    uint64_t identity; /* the server's own 64 bits */
    uint32_t owner_uid;
    uint32_t owner_gid;
    uint64_t reserved[2];
};

struct parameters {
    uint32_t length;
    uint32_t types;
    struct {
        uint32_t attributes;
        uint8_t logical_shift;
        uint8_t physical_shift;
        uint8_t optimal_shift;
        uint8_t minimal_shift;
        uint32_t max_sectors;
        uint32_t chunk_sectors;
        uint64_t sectors;
        uint64_t boundary_mask;
    } basic;
    struct {
        uint32_t alignment;
        uint32_t granularity;
        uint32_t max_sectors;
        uint32_t max_zero_sectors;
        uint16_t max_segments;
        uint16_t reserved;
    } discard;
    uint32_t pad;
};

_Static_assert(sizeof(struct control_command) == 32, "control_command");
_Static_assert(sizeof(struct device_facts) == 64, "device_facts");
_Static_assert(offsetof(struct parameters, basic) == 8 && offsetof(struct parameters, discard) == 40, "parameters");
_Static_assert(sizeof(struct parameters) == 64, "parameters");

#define CODE(direction, number) ((uint32_t)_IOC(direction, 'u', number, sizeof(struct control_command)))
#define ADD_DEVICE CODE(_IOC_READ | _IOC_WRITE, 0x04)
#define DELETE_DEVICE CODE(_IOC_READ | _IOC_WRITE, 0x05)
#define START_DEVICE CODE(_IOC_READ | _IOC_WRITE, 0x06)
#define STOP_DEVICE CODE(_IOC_READ | _IOC_WRITE, 0x07)
#define SET_PARAMETERS CODE(_IOC_READ | _IOC_WRITE, 0x08)
#define START_RECOVERY CODE(_IOC_READ | _IOC_WRITE, 0x10)
#define END_RECOVERY CODE(_IOC_READ | _IOC_WRITE, 0x11)
#define GET_FACTS CODE(_IOC_READ, 0x02)
#define GET_FEATURES CODE(_IOC_READ, 0x13)
#define DELETE_DEVICE_LATER CODE(_IOC_READ, 0x14)
#define UPDATE_SIZE CODE(_IOC_READ | _IOC_WRITE, 0x15)

#define NO_QUEUE UINT16_MAX
#define PARAMETERS_BASIC 1u
#define PARAMETERS_DISCARD 2u
#define MAX_DEPTH 4096u
#define TAG_SHIFT 25
#define QUEUE_SHIFT 41
#define DATA_OFFSET 0x80000000ull

struct ring_map {
    void *rings;
    size_t rings_length;
    void *entries;
    size_t entries_length;
};

/* ---- one command --------------------------------------------------------------------------------------------- */

static int map_ring(int fd, const struct io_uring_params *params, struct ring_map *map)
{
    size_t submission = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
    size_t completion = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    map->rings_length = submission > completion ? submission : completion;
    map->rings = mmap(NULL, map->rings_length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
    if (map->rings == MAP_FAILED) {
        return -errno;
    }
    map->entries_length = params->sq_entries * 2 * sizeof(struct io_uring_sqe);
    map->entries = mmap(NULL, map->entries_length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
    if (map->entries == MAP_FAILED) {
        int error = -errno;
        munmap(map->rings, map->rings_length);
        return error;
    }
    return 0;
}

/* The first and only entry of a new ring, and the wait for its result. */
static int run_entry(int ring, const struct io_uring_params *params, const struct ring_map *map)
{
    uint8_t *base = map->rings;
    *(uint32_t *)(void *)(base + params->sq_off.array) = 0;
    __atomic_store_n((uint32_t *)(void *)(base + params->sq_off.tail), 1, __ATOMIC_RELEASE);
    uint32_t to_submit = 1;
    long entered;
    do {
        entered = syscall(__NR_io_uring_enter, ring, to_submit, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        if (entered < 0 && errno != EINTR) {
            return -errno;
        }
        if (__atomic_load_n((uint32_t *)(void *)(base + params->sq_off.head), __ATOMIC_ACQUIRE) == 1) {
            to_submit = 0;
        }
    } while (__atomic_load_n((uint32_t *)(void *)(base + params->cq_off.tail), __ATOMIC_ACQUIRE) == 0);
    return ((struct io_uring_cqe *)(void *)(base + params->cq_off.cqes))->res;
}

static int run_on(int control, int ring, const struct io_uring_params *params, uint32_t code,
                  const struct control_command *command)
{
    struct ring_map map = {0};
    int error = map_ring(ring, params, &map);
    if (error != 0) {
        return error;
    }
    struct io_uring_sqe *entry = map.entries;
    entry->opcode = IORING_OP_URING_CMD;
    entry->fd = control;
    entry->cmd_op = code;
    memcpy((uint8_t *)map.entries + offsetof(struct io_uring_sqe, cmd), command, sizeof *command);
    int result = run_entry(ring, params, &map);
    munmap(map.entries, map.entries_length);
    munmap(map.rings, map.rings_length);
    return result;
}

static int run_command(uint32_t code, const struct control_command *command)
{
    int control = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
    if (control < 0) {
        return errno == ENOENT || errno == ENXIO ? -EOPNOTSUPP : -errno;
    }
    struct io_uring_params params = {.flags = IORING_SETUP_SQE128};
    int ring = (int)syscall(__NR_io_uring_setup, 1, &params);
    int result = ring < 0 ? -errno : run_on(control, ring, &params, code, command);
    if (ring >= 0) {
        close(ring);
    }
    close(control);
    return result;
}

static int simple_command(uint32_t code, int32_t index, uint64_t value)
{
    struct control_command command = {.index = (uint32_t)index, .queue = NO_QUEUE, .value = value};
    return index < 0 ? -EINVAL : run_command(code, &command);
}

/* ---- devices ------------------------------------------------------------------------------------------------- */

int64_t brn_ublk_features(void)
{
    uint64_t features = 0;
    struct control_command command = {
        .index = UINT32_MAX, .queue = NO_QUEUE, .length = sizeof features, .address = (uint64_t)(uintptr_t)&features};
    int error = run_command(GET_FEATURES, &command);
    return error < 0 ? error : (int64_t)(features & INT64_MAX);
}

static uint8_t shift_of(uint32_t bytes)
{
    return (uint8_t)__builtin_ctz(bytes);
}

static bool valid_config(const brn_ublk_config *config)
{
    return config->size > 0 && config->size % config->logical_block == 0 && config->queues >= 1 &&
           config->queues <= BRN_UBLK_MAX_QUEUES && config->depth >= 1 && config->depth <= BRN_UBLK_MAX_DEPTH;
}

static int set_parameters(int32_t index, const brn_ublk_config *config)
{
    struct parameters parameters = {
        .length = sizeof parameters - sizeof parameters.pad,
        .types = PARAMETERS_BASIC,
        .basic = {
            .attributes = config->attributes & 0xff,
            .logical_shift = shift_of(config->logical_block),
            .physical_shift = shift_of(config->physical_block),
            .optimal_shift = shift_of(config->physical_block),
            .minimal_shift = shift_of(config->physical_block),
            .max_sectors = config->max_io_bytes >> 9,
            .sectors = config->size >> 9,
        },
    };
    if ((config->attributes & BRN_UBLK_DISCARD) != 0) {
        parameters.types |= PARAMETERS_DISCARD;
        parameters.discard.granularity = config->discard_granularity;
        parameters.discard.max_sectors = config->max_zero_bytes >> 9;
        parameters.discard.max_zero_sectors = config->max_zero_bytes >> 9;
        parameters.discard.max_segments = 1;
    }
    struct control_command command = {
        .index = (uint32_t)index, .queue = NO_QUEUE, .length = (uint16_t)parameters.length,
        .address = (uint64_t)(uintptr_t)&parameters};
    return run_command(SET_PARAMETERS, &command);
}

int32_t brn_ublk_add(const brn_ublk_config *config)
{
    if (!valid_config(config)) {
        return -EINVAL;
    }
    struct device_facts facts = {
        .queues = config->queues, .depth = config->depth, .max_io_bytes = config->max_io_bytes,
        .index = (uint32_t)config->index, .pid = getpid(), .identity = config->identity,
        .features = BRN_UBLK_USER_COPY | BRN_UBLK_RECOVERY | BRN_UBLK_REISSUE | BRN_UBLK_IOCTL_CODES};
    struct control_command command = {
        .index = facts.index, .queue = NO_QUEUE, .length = sizeof facts, .address = (uint64_t)(uintptr_t)&facts};
    int error = run_command(ADD_DEVICE, &command);
    if (error < 0) {
        return error;
    }
    /* The kernel may have made less of it than was asked for. */
    int32_t index = (int32_t)facts.index;
    bool same = facts.queues == config->queues && facts.depth == config->depth &&
                (facts.features & BRN_UBLK_USER_COPY) != 0;
    error = same ? set_parameters(index, config) : -EOPNOTSUPP;
    if (error < 0) {
        brn_ublk_delete(index, 1);
        return error;
    }
    return index;
}

int32_t brn_ublk_info_get(int32_t index, brn_ublk_info *info)
{
    struct device_facts facts = {0};
    struct control_command command = {
        .index = (uint32_t)index, .queue = NO_QUEUE, .length = sizeof facts, .address = (uint64_t)(uintptr_t)&facts};
    int error = index < 0 ? -EINVAL : run_command(GET_FACTS, &command);
    if (error < 0) {
        return error;
    }
    *info = (brn_ublk_info){
        .features = facts.features, .identity = facts.identity, .max_io_bytes = facts.max_io_bytes, .pid = facts.pid,
        .queues = facts.queues, .depth = facts.depth, .state = facts.state};
    return 0;
}

int32_t brn_ublk_start(int32_t index)
{
    return simple_command(START_DEVICE, index, (uint64_t)getpid());
}

int32_t brn_ublk_begin_recovery(int32_t index)
{
    return simple_command(START_RECOVERY, index, 0);
}

int32_t brn_ublk_end_recovery(int32_t index)
{
    return simple_command(END_RECOVERY, index, (uint64_t)getpid());
}

int32_t brn_ublk_resize(int32_t index, uint64_t size)
{
    return simple_command(UPDATE_SIZE, index, size >> 9);
}

int32_t brn_ublk_stop(int32_t index)
{
    return simple_command(STOP_DEVICE, index, 0);
}

int32_t brn_ublk_delete(int32_t index, uint32_t wait)
{
    return simple_command(wait ? DELETE_DEVICE : DELETE_DEVICE_LATER, index, 0);
}

/* ---- data ---------------------------------------------------------------------------------------------------- */

int32_t brn_ublk_open(int32_t index)
{
    char path[32];
    snprintf(path, sizeof path, "/dev/ublkc%d", index);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static size_t page_rounded(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (length + page - 1) / page * page;
}

int32_t brn_ublk_map(int32_t fd, uint32_t queue, uint32_t depth, const brn_ublk_request **requests)
{
    if (queue >= BRN_UBLK_MAX_QUEUES || depth == 0 || depth > BRN_UBLK_MAX_DEPTH) {
        return -EINVAL;
    }
    size_t stride = page_rounded(MAX_DEPTH * sizeof(brn_ublk_request));
    void *mapped = mmap(NULL, page_rounded(depth * sizeof(brn_ublk_request)), PROT_READ, MAP_SHARED | MAP_POPULATE, fd,
                        (off_t)(queue * stride));
    if (mapped == MAP_FAILED) {
        return -errno;
    }
    *requests = mapped;
    return 0;
}

int32_t brn_ublk_unmap(const brn_ublk_request *requests, uint32_t depth)
{
    void *mapped = (void *)(uintptr_t)requests;
    return munmap(mapped, page_rounded(depth * sizeof(brn_ublk_request))) == 0 ? 0 : -errno;
}

int32_t brn_ublk_copy(
    int32_t fd, uint32_t queue, uint32_t tag, uint32_t offset, void *memory, uint32_t length, uint32_t to_kernel)
{
    off_t position = (off_t)(DATA_OFFSET + (((uint64_t)queue << QUEUE_SHIFT) | ((uint64_t)tag << TAG_SHIFT) | offset));
    uint8_t *bytes = memory;
    for (uint32_t done = 0; done < length;) {
        ssize_t moved = to_kernel ? pwrite(fd, bytes + done, length - done, position + done)
                                  : pread(fd, bytes + done, length - done, position + done);
        if (moved < 0 && errno == EINTR) {
            continue;
        }
        if (moved <= 0) {
            return moved < 0 ? -errno : -EIO;
        }
        done += (uint32_t)moved;
    }
    return 0;
}
