/*
 * blockrepl_native: the part of BlockRepl that is C.
 *
 * A ring for disk and socket operations, digests of many messages at once, facts about block devices, and a few
 * process calls. Every function returns zero (or a count) for success and a negative errno for failure. Structures
 * that cross the boundary have fixed-width fields and no hidden padding; brn_struct_size() tells their sizes.
 */
#ifndef BLOCKREPL_NATIVE_H
#define BLOCKREPL_NATIVE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRN_API __attribute__((visibility("default")))

/* Raised whenever a structure, a constant or the meaning of a function changes. */
#define BRN_ABI_VERSION 7u

enum brn_struct {
    BRN_STRUCT_OP = 0,
    BRN_STRUCT_COMPLETION = 1,
    BRN_STRUCT_IOVEC = 2,
    BRN_STRUCT_RING_OPTIONS = 3,
    BRN_STRUCT_DIGEST_ITEM = 4,
    BRN_STRUCT_DEVICE_INFO = 5,
    BRN_STRUCT_SOCKET_OPTIONS = 6,
    BRN_STRUCT_NBD_CONFIG = 7,
    BRN_STRUCT_UBLK_CONFIG = 8,
    BRN_STRUCT_UBLK_INFO = 9,
    BRN_STRUCT_UBLK_REQUEST = 10,
    BRN_STRUCT_LOOP_OPTIONS = 11,
    BRN_STRUCT_GUARD_ORDERS = 12,
};

BRN_API uint32_t brn_abi_version(void);

/* Bytes of a shared structure; 0 for an unknown one. */
BRN_API uint32_t brn_struct_size(uint32_t which);

/* Offset of a structure's last field, a second witness of its layout; 0 for an unknown one. */
BRN_API uint32_t brn_struct_last_offset(uint32_t which);

/* ---- ring ---------------------------------------------------------------------------------------------------- */

enum brn_backend {
    BRN_BACKEND_AUTO = 0, /* io_uring where the kernel has it and allows it, else epoll */
    BRN_BACKEND_IO_URING = 1,
    BRN_BACKEND_EPOLL = 2, /* epoll for sockets, worker threads for the disk */
};

enum brn_op_kind {
    BRN_OP_NOP = 0,      /* completes with 0 */
    BRN_OP_READ = 1,     /* length bytes at offset to address, all of them: result 0 */
    BRN_OP_WRITE = 2,    /* length bytes from address to offset, all of them: result 0 */
    BRN_OP_DATASYNC = 3, /* fdatasync */
    BRN_OP_RECV = 4,     /* up to length bytes to address: result = bytes, 0 at end of stream */
    BRN_OP_SEND = 5,     /* address = array of length (to BRN_MAX_IOVECS) brn_iovec: result = bytes, may be short */
    BRN_OP_ACCEPT = 6,   /* result = new descriptor, close-on-exec */
    BRN_OP_CONNECT = 7,  /* address = sockaddr of length bytes */
    BRN_OP_CLOSE = 8,
    BRN_OP_POLL = 9,     /* length = poll events: result = events that came; once */
    BRN_OP_CANCEL = 10,  /* offset = user_data of the target: 0 tried, -ENOENT not there, -EALREADY too late */
    BRN_OP_DISCARD = 11, /* length bytes at offset; content unimportant afterwards */
    BRN_OP_ZERO = 12,    /* length bytes at offset read as zeroes afterwards */
    BRN_OP_UBLK = 13,    /* see below, io_uring only: 0 when the tag has a request, -ENODEV at the device's end */
};

enum brn_op_flags {
    BRN_FLAG_FUA = 1,      /* WRITE: completes when durable */
    BRN_FLAG_ALL = 2,      /* RECV: completes only with all bytes, or short at end of stream */
    BRN_FLAG_NO_UNMAP = 4, /* ZERO: the space stays allocated */
};

#define BRN_MAX_IOVECS 64u
#define BRN_MAX_OPS 32768u
#define BRN_MAX_WORKERS 64u

/* One operation. Memory behind address (and behind the iovecs) must stay until its completion was reaped. */
typedef struct brn_op {
    uint64_t user_data;
    uint64_t offset;
    uint64_t address;
    uint64_t length;
    int32_t fd;
    uint16_t kind;
    uint16_t flags;
} brn_op;

/* result: what the kind says, or a negative errno. */
typedef struct brn_completion {
    uint64_t user_data;
    int32_t result;
    uint32_t reserved;
} brn_completion;

/* Laid out as struct iovec of a 64-bit system. */
typedef struct brn_iovec {
    uint64_t address;
    uint64_t length;
} brn_iovec;

typedef struct brn_ring_options {
    uint32_t backend;
    uint32_t max_ops; /* operations in flight, 1 to BRN_MAX_OPS */
    uint32_t workers; /* threads for blocking calls, 1 to BRN_MAX_WORKERS; started when first needed */
    uint32_t max_fds; /* epoll: descriptors below this number may be used with socket operations */
} brn_ring_options;

typedef struct brn_ring brn_ring;

/* Makes a ring. -ENOSYS or -EPERM: io_uring was asked for and the kernel lacks or forbids it. */
BRN_API int32_t brn_ring_create(const brn_ring_options *options, brn_ring **ring);

/* BRN_BACKEND_IO_URING or BRN_BACKEND_EPOLL. */
BRN_API int32_t brn_ring_backend(const brn_ring *ring);

/*
 * One turn: starts all n_ops operations, then waits until something has completed, the timeout (nanoseconds; 0 = do not
 * wait, negative = for ever) is over, or brn_ring_wake was called. Returns the number of completions stored (at most
 * max), which may be 0 before the timeout. -ENOBUFS: more than max_ops would be in flight; nothing was started.
 * Operations that cannot be started are completed with an error. Always called by the same thread.
 */
BRN_API int32_t brn_ring_run(
    brn_ring *ring,
    const brn_op *ops,
    uint32_t n_ops,
    brn_completion *completions,
    uint32_t max,
    int64_t timeout_ns);

/* Ends a wait, now or the next one. From any thread. */
BRN_API void brn_ring_wake(brn_ring *ring);

/* Operations started and not yet reaped. */
BRN_API uint32_t brn_ring_in_flight(const brn_ring *ring);

/* Asks for the end of everything in flight; completions still have to be reaped. From the ring's thread. */
BRN_API int32_t brn_ring_cancel_all(brn_ring *ring);

/* Makes a socket ready for this ring's backend (blocking or not). */
BRN_API int32_t brn_ring_adopt_socket(const brn_ring *ring, int32_t fd);

/* -EBUSY while operations are in flight, except with force, which is for a process about to end. */
BRN_API int32_t brn_ring_destroy(brn_ring *ring, uint32_t force);

/* ---- digests ------------------------------------------------------------------------------------------------- */

/* The numbers are those of the C# enumeration DigestAlgorithm. */
enum brn_digest_algorithm {
    BRN_DIGEST_CRC32C = 1, /* 4 bytes, least significant first */
    BRN_DIGEST_MD5 = 2,    /* 16 bytes */
    BRN_DIGEST_SHA1 = 3,   /* 20 bytes */
    BRN_DIGEST_SHA256 = 4, /* 32 bytes */
};

/* Implementations. Not every processor has every one; scalar is always there. */
enum brn_digest_variant {
    BRN_VARIANT_AUTO = 0,
    BRN_VARIANT_SCALAR = 1,
    BRN_VARIANT_SSE2 = 2, /* MD5, 4 messages at a time */
    BRN_VARIANT_AVX2 = 3, /* MD5, 8 messages at a time */
    BRN_VARIANT_NEON = 4, /* MD5, 4 messages at a time */
    BRN_VARIANT_CPU = 5,  /* the processor's own instructions for SHA-1, SHA-256 or CRC-32C */
    BRN_VARIANT_AVX512 = 6, /* MD5, 16 messages at a time */
    BRN_VARIANT_AVX512_8 = 7, /* MD5, 8 messages at a time, with AVX-512's instructions */
    BRN_VARIANT_AVX512_4 = 8, /* MD5, 4 messages at a time, with AVX-512's instructions */
};

typedef struct brn_digest_item {
    uint64_t data;   /* address */
    uint64_t length; /* bytes */
    uint64_t output; /* address of the digest */
} brn_digest_item;

/* Digests of independent messages of any lengths. -EINVAL: no such algorithm; -ENOTSUP: no such variant here. */
BRN_API int32_t brn_digest(uint32_t algorithm, uint32_t variant, const brn_digest_item *items, uint32_t n_items);

/* The variant that AUTO stands for with many messages. */
BRN_API int32_t brn_digest_best_variant(uint32_t algorithm);

/* ---- devices ------------------------------------------------------------------------------------------------- */

enum brn_open_flags {
    BRN_OPEN_READ_ONLY = 1,
    BRN_OPEN_EXCLUSIVE = 2, /* a block device is claimed, a file locked; -EBUSY if somebody has it */
};

enum brn_device_flags {
    BRN_DEVICE_BLOCK = 1,           /* a block device, else a regular file */
    BRN_DEVICE_DISCARD = 2,         /* discards are carried out */
    BRN_DEVICE_DISCARD_ZEROES = 4,  /* discarded areas are sure to read as zeroes */
    BRN_DEVICE_READ_ONLY = 8,
    BRN_DEVICE_DIRECT = 16,         /* opened with O_DIRECT */
};

typedef struct brn_device_info {
    uint64_t size; /* bytes, a multiple of 512 */
    uint32_t logical_block;
    uint32_t physical_block;
    uint32_t flags;
    uint32_t reserved;
} brn_device_info;

/* Opens with O_DIRECT where possible. Returns the descriptor. -ENOTBLK: neither a block device nor a regular file. */
BRN_API int32_t brn_device_open(const char *path, uint32_t flags);

/*
 * Gives up a file's lock; to be called before the descriptor is closed. Closing is not enough: a child process that has
 * not begun its program yet has the descriptor too, and until then the file would be in use.
 */
BRN_API int32_t brn_device_unlock(int32_t fd);

BRN_API int32_t brn_device_info_get(int32_t fd, brn_device_info *info);

/* ---- sectors of a disk that nodes share ---------------------------------------------------------------------- */

/*
 * Opens a block device or a regular file with O_SYNC and, where possible, O_DIRECT, without a claim: other nodes'
 * programs use it too. The sector size of a file is 0. Returns the descriptor. -ENOTBLK: neither a block device nor a
 * regular file.
 */
BRN_API int32_t brn_sector_open(const char *path, uint32_t *sector_size, uint64_t *bytes);

/* Moves exactly one sector, to or from a buffer aligned to it. Blocks for as long as the device takes. */
BRN_API int32_t brn_sector_transfer(int32_t fd, void *buffer, uint32_t bytes, uint64_t offset, uint32_t write_it);

/* ---- the process that feeds the watchdog, and the end of the node --------------------------------------------- */

enum brn_node_end {
    BRN_NODE_RESET = 0,
    BRN_NODE_OFF = 1,
    BRN_NODE_CRASH = 2,
    BRN_NODE_TRACE = 3, /* nothing: for who looks at a daemon at work */
};

/* Shared with the guard. Times are those of brn_boottime_ns; each is loaded and stored whole, on both sides. */
typedef struct brn_guard_table {
    int64_t vote_until_ns; /* the watchdog may be fed until then */
    int64_t turn_ns;       /* the inquisitor's last turn */
    int64_t last_fed_ns;   /* written by the guard */
} brn_guard_table;

typedef struct brn_guard_orders {
    int32_t timeout_s;
    int32_t set_timeout; /* 0: the watchdog's time-out is left as it is */
    int32_t turn_limit_ms;
    int32_t end; /* what is done when the vote is lost, or this process vanishes */
    int32_t flush;
    int32_t crash_timeout_s; /* of the watchdog, while memory is dumped; 0: it is disarmed */
} brn_guard_orders;

/*
 * Starts the guard; it feeds nothing yet. An empty watchdog: there is none. A rehearsal, if not empty, is a file that
 * takes what would have ended this node. Returns the control descriptor.
 */
BRN_API int32_t brn_guard_start(const char *program, const char *watchdog, const char *rehearsal, uint32_t realtime,
                                brn_guard_table **shared);

/* Opens the watchdog, sets it and feeds it from now on; answered, see brn_guard_receive. */
BRN_API int32_t brn_guard_arm(int32_t control, const brn_guard_orders *orders);

/* Disarms the watchdog and ends the guard; answered. */
BRN_API int32_t brn_guard_stop(int32_t control);

/* Ends the node at once. */
BRN_API int32_t brn_guard_end_node(int32_t control, int32_t end, int32_t flush, int32_t crash_timeout_s);

/*
 * Waits for an answer: 0 to arm, 1 to stop. result: 0, -ERANGE if the watchdog has taken timeout_s instead of what it
 * was given (it is disarmed then), another negative errno if it could not be opened or set. -EPIPE: the guard is gone.
 */
BRN_API int32_t brn_guard_receive(int32_t control, int32_t *timeout_s, int32_t *result);

/* Ends the node from this process: when the guard is gone. */
BRN_API int32_t brn_node_end(int32_t end, int32_t flush, const char *rehearsal);

/* The process that has a watchdog device open, 0 if none is found. */
BRN_API int32_t brn_watchdog_holder(const char *path);

/* Major number in the upper, minor in the lower 32 bits; negative errno, -ENODEV if it is no character device. */
BRN_API int64_t brn_character_device(const char *path);

/* Highest real-time priority for the calling thread, for the processor and for disks. */
BRN_API int32_t brn_thread_realtime(void);

/* Standard input, output and error become /dev/null. */
BRN_API int32_t brn_stdio_release(void);

/* A clock that never goes back and does not stop while the machine sleeps. */
BRN_API int64_t brn_boottime_ns(void);

/* ---- files served by this process, and loop devices over them ------------------------------------------------ */

/*
 * Mounts a FUSE file over a regular file, for root alone, and returns the descriptor of its messages: a read gives one
 * message, -EAGAIN when none is there (it can be polled), -ENODEV when the mount is gone.
 */
BRN_API int32_t brn_fuse_mount(const char *file, const char *source, uint32_t max_read);

/* What waits for an answer fails, now and later. The mount may stay. */
BRN_API int32_t brn_fuse_abort(const char *file);

/* Takes the mount away; who has the file open keeps it. -EINVAL: it is no mount. */
BRN_API int32_t brn_fuse_unmount(const char *file);

/* One message from, or to, a descriptor, without waiting: bytes. */
BRN_API int32_t brn_message_read(int32_t fd, const brn_iovec *parts, uint32_t n_parts);
BRN_API int32_t brn_message_write(int32_t fd, const brn_iovec *parts, uint32_t n_parts);

/*
 * A process that keeps descriptors by name when this one dies, each for so many seconds (0: for ever), and ends when it
 * keeps nothing. Start: makes the socket anew and runs the program. Connect: the descriptor for the other calls, which
 * wait for its answer. Get: a descriptor of the same open file; it is kept on. Put ublk: when the seconds are over that
 * device is ended, if it has the identity and nobody serves it. Put nbd: the same, if it has the identifier.
 */
BRN_API int32_t brn_keeper_start(const char *program, const char *path);
BRN_API int32_t brn_keeper_connect(const char *path);
BRN_API int32_t brn_keeper_put(int32_t keeper, const char *name, int32_t fd, uint32_t patience_s);
BRN_API int32_t brn_keeper_put_ublk(
    int32_t keeper, const char *name, int32_t index, uint64_t identity, uint32_t patience_s);
BRN_API int32_t brn_keeper_put_nbd(int32_t keeper, const char *identifier, int32_t index, uint32_t patience_s);
BRN_API int32_t brn_keeper_get(int32_t keeper, const char *name);
BRN_API int32_t brn_keeper_drop(int32_t keeper, const char *name);

enum brn_loop_flags {
    BRN_LOOP_ROTATIONAL = 1,
    BRN_LOOP_NO_DISCARD = 2, /* nobody shall discard or have zeroes written by the device */
};

typedef struct brn_loop_options {
    uint32_t block_size; /* logical block: 512 to 4096 */
    uint32_t flags;
} brn_loop_options;

/*
 * A free loop device over the file, with direct I/O; number: the N of /dev/loopN. These calls may wait for the process
 * itself to answer for the file; they can be killed at any time all the same.
 */
BRN_API int32_t brn_loop_attach(const char *backing, const brn_loop_options *options, uint32_t *number);

/* Lets the kernel look for partitions, now and whenever their table changes. Does not wait for it. */
BRN_API int32_t brn_loop_scan(uint32_t number);

/*
 * Takes the loop device from the file. 0: it is gone, or is not over this file any more. -EBUSY: somebody has it open;
 * nothing has changed, or with force it goes when he closes it.
 */
BRN_API int32_t brn_loop_detach(uint32_t number, const char *backing, uint32_t force);

/* Takes over the file's new size. */
BRN_API int32_t brn_loop_resize(uint32_t number, const char *backing);

/* ---- sockets ------------------------------------------------------------------------------------------------- */

enum brn_socket_flags {
    BRN_SOCKET_NO_DELAY = 1,   /* TCP_NODELAY; ignored for Unix sockets */
    BRN_SOCKET_REUSE_PORT = 2, /* not used by default */
};

typedef struct brn_socket_options {
    int32_t send_buffer;    /* SO_SNDBUF, 0 = the kernel's choice */
    int32_t receive_buffer; /* SO_RCVBUF, 0 = the kernel's choice */
    uint32_t flags;
    uint32_t backlog; /* for listen */
} brn_socket_options;

/* A socket for a connect, bound to local (or not, with local_length 0). Returns the descriptor. */
BRN_API int32_t brn_socket_create(
    int32_t family, const void *local, uint32_t local_length, const brn_socket_options *options);

/* A bound, listening socket. Returns the descriptor. */
BRN_API int32_t brn_socket_listen(const void *local, uint32_t local_length, const brn_socket_options *options);

/* Applies buffer sizes and TCP_NODELAY to an existing socket. */
BRN_API int32_t brn_socket_configure(int32_t fd, const brn_socket_options *options);

/* Two connected Unix stream sockets. What the second sends waits in up to send_buffer bytes, if root asks. */
BRN_API int32_t brn_socket_pair(int32_t pair[2], int32_t send_buffer);

/* Own (peer = 0) or peer's address; length in: room, out: bytes. */
BRN_API int32_t brn_socket_name(int32_t fd, uint32_t peer, void *address, uint32_t *length);

/* Ends sending (both = 0) or both directions; then operations in flight come back. */
BRN_API int32_t brn_socket_shutdown(int32_t fd, uint32_t both);

/* A close will reset the connection and drop what is unsent. */
BRN_API int32_t brn_socket_reset_on_close(int32_t fd);

BRN_API int32_t brn_close(int32_t fd);

/* ---- the kernel's NBD client --------------------------------------------------------------------------------- */

/*
 * A device has one connection and no time limit for a request: with several, or with a limit, the kernel takes a slow
 * request for a dead connection and sends it again while it still runs here. What was in flight on a connection that
 * died is sent again on the new one when the queue's io_timeout (sysfs) passes.
 */
typedef struct brn_nbd_config {
    uint64_t size;         /* bytes; a reconfigure leaves it as it is with 0 */
    uint64_t server_flags; /* transmission flags of the NBD protocol; only for a connect */
    uint64_t dead_timeout; /* seconds that requests wait for a new connection before they fail */
    uint32_t block_size;   /* 512 to 4096 */
    int32_t index;         /* N of /dev/nbdN; a connect takes a free one with -1 */
    int32_t fd;            /* the kernel's end of the connection; a reconfigure keeps what it has with -1 */
    uint32_t end_on_close; /* the device ends when its last user closes it */
} brn_nbd_config;

/*
 * Makes a device; returns its index. The identifier is what a reconfigure must show again. -EOPNOTSUPP: the kernel has
 * no NBD client, -EBUSY: the device is in use, -EPERM: not root.
 */
BRN_API int32_t brn_nbd_connect(const brn_nbd_config *config, const char *identifier);

/* New size, new connection instead of a dead one (-ENOSPC: it lives), new dead_timeout; -EINVAL: not this device. */
BRN_API int32_t brn_nbd_reconfigure(const brn_nbd_config *config, const char *identifier);

/* Ends a device; its requests fail. May wait. */
BRN_API int32_t brn_nbd_disconnect(int32_t index);

/* 1: the device is configured, 0: it is not; -ENODEV: there is no such device. */
BRN_API int32_t brn_nbd_connected(int32_t index);

/* ---- ublk devices -------------------------------------------------------------------------------------------- */

/*
 * A device /dev/ublkbN of the kernel whose requests come to this process: a queue is an array of requests that the
 * kernel writes, one for each tag. BRN_OP_UBLK on the descriptor of brn_ublk_open, always by the same thread, with
 * address = queue | tag << 16 and offset = BRN_UBLK_FETCH, waits for a tag's first request; with offset =
 * BRN_UBLK_COMMIT and length = its result (bytes, or a negative errno as 32 bits) it answers one and waits for the
 * next. It cannot be cancelled: it ends with brn_ublk_stop or with the ring.
 */
#define BRN_UBLK_FETCH 0x20u
#define BRN_UBLK_COMMIT 0x21u
#define BRN_UBLK_MAX_QUEUES 32u
#define BRN_UBLK_MAX_DEPTH 1024u

enum brn_ublk_features {
    BRN_UBLK_RECOVERY = 1 << 3,
    BRN_UBLK_REISSUE = 1 << 4,
    BRN_UBLK_IOCTL_CODES = 1 << 6,
    BRN_UBLK_USER_COPY = 1 << 7,
    BRN_UBLK_UPDATE_SIZE = 1 << 10,
};

enum brn_ublk_attributes {
    BRN_UBLK_READ_ONLY = 1,
    BRN_UBLK_ROTATIONAL = 2,
    BRN_UBLK_VOLATILE_CACHE = 4, /* flushes come */
    BRN_UBLK_FUA = 8,
    BRN_UBLK_DISCARD = 256, /* ours: discards and zeroes come */
};

enum brn_ublk_state {
    BRN_UBLK_DEAD = 0,
    BRN_UBLK_LIVE = 1,
    BRN_UBLK_QUIESCED = 2, /* its server has gone, requests wait for another */
};

typedef struct brn_ublk_config {
    uint64_t size;     /* bytes */
    uint64_t identity; /* the server's own mark of the device */
    uint32_t logical_block;
    uint32_t physical_block;
    uint32_t max_io_bytes;
    uint32_t max_zero_bytes;
    uint32_t discard_granularity;
    uint32_t attributes;
    int32_t index; /* N of /dev/ublkbN, or -1: a free one */
    uint16_t queues;
    uint16_t depth;
} brn_ublk_config;

typedef struct brn_ublk_info {
    uint64_t features;
    uint64_t identity;
    uint32_t max_io_bytes;
    int32_t pid; /* of the server */
    uint16_t queues;
    uint16_t depth;
    uint16_t state;
    uint16_t reserved;
} brn_ublk_info;

/* What the kernel writes. To be read once and then checked. */
typedef struct brn_ublk_request {
    uint32_t code_and_flags; /* read 0, write 1, flush 2, discard 3, zeroes 5 (8 bits); FUA bit 13, no unmap bit 15 */
    uint32_t sectors;
    uint64_t start_sector;
    uint64_t reserved;
} brn_ublk_request;

/* What the kernel's ublk can do; -EOPNOTSUPP: it has none, or one older than 6.5. */
BRN_API int64_t brn_ublk_features(void);

/* Makes a device and sets its parameters; returns its index. Nobody sees it before it is started. */
BRN_API int32_t brn_ublk_add(const brn_ublk_config *config);

BRN_API int32_t brn_ublk_info_get(int32_t index, brn_ublk_info *info);

/* Waits until every tag of every queue was fetched, then for the kernel's look at the partition table: never on the
 * thread that serves the device. */
BRN_API int32_t brn_ublk_start(int32_t index);

/* For a quiesced device: begin, open and fetch everything, then end, which waits as start does. */
BRN_API int32_t brn_ublk_begin_recovery(int32_t index);
BRN_API int32_t brn_ublk_end_recovery(int32_t index);

/* -EOPNOTSUPP or -EINVAL: this kernel cannot. */
BRN_API int32_t brn_ublk_resize(int32_t index, uint64_t size);

/* Requests under way fail. Waits for them. */
BRN_API int32_t brn_ublk_stop(int32_t index);

/*
 * The device and its number are gone when all have closed it, its server and its users. wait 0: returns at once; not
 * 0 before 6.9, and nothing done.
 */
BRN_API int32_t brn_ublk_delete(int32_t index, uint32_t wait);

/* The descriptor for requests and data. -EBUSY: another process has it. */
BRN_API int32_t brn_ublk_open(int32_t index);

BRN_API int32_t brn_ublk_map(int32_t fd, uint32_t queue, uint32_t depth, const brn_ublk_request **requests);
BRN_API int32_t brn_ublk_unmap(const brn_ublk_request *requests, uint32_t depth);

/* Copies a part of a request's data; does not wait. */
BRN_API int32_t brn_ublk_copy(
    int32_t fd, uint32_t queue, uint32_t tag, uint32_t offset, void *memory, uint32_t length, uint32_t to_kernel);

/* ---- process and memory -------------------------------------------------------------------------------------- */

/* Address space for buffers: anonymous, resident when touched. The length is a multiple of the page size. */
BRN_API int32_t brn_memory_reserve(uint64_t length, void **address);

BRN_API int32_t brn_memory_release(void *address, uint64_t length);

/* Locks all present and future memory, pages when they are touched. */
BRN_API int32_t brn_process_lock_memory(void);

/* Memory reclaim will not wait for this process's own writes. */
BRN_API int32_t brn_process_set_io_flusher(void);

/* CLOCK_MONOTONIC in nanoseconds. */
BRN_API int64_t brn_monotonic_ns(void);

#ifdef __cplusplus
}
#endif

#endif
