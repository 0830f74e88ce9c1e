/* The library's side of the start-up check, and the compiler's side of it: layouts are asserted here. */
#include <stddef.h>
#include <sys/uio.h>

#include "blockrepl_native.h"

_Static_assert(sizeof(void *) == 8, "64-bit systems only");
_Static_assert(sizeof(brn_op) == 40 && offsetof(brn_op, fd) == 32 && offsetof(brn_op, flags) == 38, "brn_op");
_Static_assert(sizeof(brn_completion) == 16 && offsetof(brn_completion, reserved) == 12, "brn_completion");
_Static_assert(sizeof(brn_iovec) == 16 && offsetof(brn_iovec, length) == 8, "brn_iovec");
_Static_assert(
    sizeof(brn_iovec) == sizeof(struct iovec) && offsetof(brn_iovec, length) == offsetof(struct iovec, iov_len),
    "brn_iovec is struct iovec");
_Static_assert(sizeof(brn_ring_options) == 16 && offsetof(brn_ring_options, max_fds) == 12, "brn_ring_options");
_Static_assert(sizeof(brn_digest_item) == 24 && offsetof(brn_digest_item, output) == 16, "brn_digest_item");
_Static_assert(sizeof(brn_device_info) == 24 && offsetof(brn_device_info, reserved) == 20, "brn_device_info");
_Static_assert(sizeof(brn_socket_options) == 16 && offsetof(brn_socket_options, backlog) == 12, "brn_socket_options");
_Static_assert(sizeof(brn_nbd_config) == 40 && offsetof(brn_nbd_config, end_on_close) == 36, "brn_nbd_config");
_Static_assert(sizeof(brn_ublk_config) == 48 && offsetof(brn_ublk_config, depth) == 46, "brn_ublk_config");
_Static_assert(sizeof(brn_ublk_info) == 32 && offsetof(brn_ublk_info, reserved) == 30, "brn_ublk_info");
_Static_assert(sizeof(brn_ublk_request) == 24 && offsetof(brn_ublk_request, reserved) == 16, "brn_ublk_request");
_Static_assert(
    sizeof(brn_guard_orders) == 24 && offsetof(brn_guard_orders, crash_timeout_s) == 20, "brn_guard_orders");
_Static_assert(sizeof(brn_loop_options) == 8 && offsetof(brn_loop_options, flags) == 4, "brn_loop_options");

static const struct {
    uint32_t size;
    uint32_t last_offset;
} layouts[] = {
    [BRN_STRUCT_OP] = {sizeof(brn_op), offsetof(brn_op, flags)},
    [BRN_STRUCT_COMPLETION] = {sizeof(brn_completion), offsetof(brn_completion, reserved)},
    [BRN_STRUCT_IOVEC] = {sizeof(brn_iovec), offsetof(brn_iovec, length)},
    [BRN_STRUCT_RING_OPTIONS] = {sizeof(brn_ring_options), offsetof(brn_ring_options, max_fds)},
    [BRN_STRUCT_DIGEST_ITEM] = {sizeof(brn_digest_item), offsetof(brn_digest_item, output)},
    [BRN_STRUCT_DEVICE_INFO] = {sizeof(brn_device_info), offsetof(brn_device_info, reserved)},
    [BRN_STRUCT_SOCKET_OPTIONS] = {sizeof(brn_socket_options), offsetof(brn_socket_options, backlog)},
    [BRN_STRUCT_NBD_CONFIG] = {sizeof(brn_nbd_config), offsetof(brn_nbd_config, end_on_close)},
    [BRN_STRUCT_UBLK_CONFIG] = {sizeof(brn_ublk_config), offsetof(brn_ublk_config, depth)},
    [BRN_STRUCT_UBLK_INFO] = {sizeof(brn_ublk_info), offsetof(brn_ublk_info, reserved)},
    [BRN_STRUCT_UBLK_REQUEST] = {sizeof(brn_ublk_request), offsetof(brn_ublk_request, reserved)},
    [BRN_STRUCT_LOOP_OPTIONS] = {sizeof(brn_loop_options), offsetof(brn_loop_options, flags)},
    [BRN_STRUCT_GUARD_ORDERS] = {sizeof(brn_guard_orders), offsetof(brn_guard_orders, crash_timeout_s)},
};

uint32_t brn_abi_version(void)
{
    return BRN_ABI_VERSION;
}

uint32_t brn_struct_size(uint32_t which)
{
    return which < sizeof layouts / sizeof layouts[0] ? layouts[which].size : 0;
}

uint32_t brn_struct_last_offset(uint32_t which)
{
    return which < sizeof layouts / sizeof layouts[0] ? layouts[which].last_offset : 0;
}
