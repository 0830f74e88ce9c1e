using System.Runtime.InteropServices;

namespace BlockRepl.Platform.Native;

/// <summary>The functions of libblockrepl_native; a negative result is a negated errno.</summary>
internal static unsafe partial class NativeMethods
{
    private const string Library = "blockrepl_native";

    public const uint AbiVersion = 7;
    public const int MaxIovecs = 64;
    public const uint OpenReadOnly = 1;
    public const uint OpenExclusive = 2;
    public const uint SocketNoDelay = 1;

    [LibraryImport(Library, EntryPoint = "brn_abi_version"), SuppressGCTransition]
    public static partial uint GetAbiVersion();

    [LibraryImport(Library, EntryPoint = "brn_struct_size"), SuppressGCTransition]
    public static partial uint GetStructSize(uint which);

    [LibraryImport(Library, EntryPoint = "brn_struct_last_offset"), SuppressGCTransition]
    public static partial uint GetStructLastOffset(uint which);

    [LibraryImport(Library, EntryPoint = "brn_ring_create")]
    public static partial int RingCreate(NativeRingOptions* options, nint* ring);

    [LibraryImport(Library, EntryPoint = "brn_ring_backend"), SuppressGCTransition]
    public static partial int RingBackend(nint ring);

    [LibraryImport(Library, EntryPoint = "brn_ring_run")]
    public static partial int RingRun(
        nint ring,
        NativeOp* ops,
        uint opCount,
        NativeCompletion* completions,
        uint max,
        long timeoutNs);

    [LibraryImport(Library, EntryPoint = "brn_ring_wake")]
    public static partial void RingWake(RingHandle ring);

    [LibraryImport(Library, EntryPoint = "brn_ring_in_flight"), SuppressGCTransition]
    public static partial uint RingInFlight(nint ring);

    [LibraryImport(Library, EntryPoint = "brn_ring_cancel_all")]
    public static partial int RingCancelAll(nint ring);

    [LibraryImport(Library, EntryPoint = "brn_ring_adopt_socket")]
    public static partial int RingAdoptSocket(nint ring, int descriptor);

    [LibraryImport(Library, EntryPoint = "brn_ring_destroy")]
    public static partial int RingDestroy(nint ring, uint force);

    [LibraryImport(Library, EntryPoint = "brn_digest")]
    public static partial int Digest(uint algorithm, uint variant, NativeDigestItem* items, uint count);

    [LibraryImport(Library, EntryPoint = "brn_digest_best_variant")]
    public static partial int DigestBestVariant(uint algorithm);

    [LibraryImport(Library, EntryPoint = "brn_device_open", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int DeviceOpen(string path, uint flags);

    [LibraryImport(Library, EntryPoint = "brn_device_info_get")]
    public static partial int DeviceInfoGet(int descriptor, NativeDeviceInfo* info);

    [LibraryImport(Library, EntryPoint = "brn_sector_open", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SectorOpen(string path, uint* sectorSize, ulong* bytes);

    [LibraryImport(Library, EntryPoint = "brn_sector_transfer")]
    public static partial int SectorTransfer(int descriptor, void* buffer, uint bytes, ulong offset, uint write);

    [LibraryImport(Library, EntryPoint = "brn_guard_start", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int GuardStart(
        string program, string watchdog, string rehearsal, uint realTime, NativeGuardTable** table);

    [LibraryImport(Library, EntryPoint = "brn_guard_arm")]
    public static partial int GuardArm(int control, NativeGuardOrders* orders);

    [LibraryImport(Library, EntryPoint = "brn_guard_stop")]
    public static partial int GuardStop(int control);

    [LibraryImport(Library, EntryPoint = "brn_guard_end_node")]
    public static partial int GuardEndNode(int control, int end, int flush, int crashSeconds);

    [LibraryImport(Library, EntryPoint = "brn_guard_receive")]
    public static partial int GuardReceive(int control, int* timeoutSeconds, int* result);

    [LibraryImport(Library, EntryPoint = "brn_node_end", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int NodeEnd(int end, int flush, string rehearsal);

    [LibraryImport(Library, EntryPoint = "brn_watchdog_holder", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int WatchdogHolder(string path);

    [LibraryImport(Library, EntryPoint = "brn_character_device", StringMarshalling = StringMarshalling.Utf8)]
    public static partial long CharacterDevice(string path);

    [LibraryImport(Library, EntryPoint = "brn_thread_realtime")]
    public static partial int ThreadRealTime();

    [LibraryImport(Library, EntryPoint = "brn_boottime_ns"), SuppressGCTransition]
    public static partial long BootTimeNs();

    [LibraryImport(Library, EntryPoint = "brn_stdio_release")]
    public static partial int StdioRelease();

    [LibraryImport(Library, EntryPoint = "brn_fuse_mount", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int FuseMount(string file, string source, uint maxRead);

    [LibraryImport(Library, EntryPoint = "brn_fuse_abort", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int FuseAbort(string file);

    [LibraryImport(Library, EntryPoint = "brn_fuse_unmount", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int FuseUnmount(string file);

    [LibraryImport(Library, EntryPoint = "brn_message_read")]
    public static partial int MessageRead(int descriptor, NativeIovec* parts, uint count);

    [LibraryImport(Library, EntryPoint = "brn_message_write")]
    public static partial int MessageWrite(int descriptor, NativeIovec* parts, uint count);

    [LibraryImport(Library, EntryPoint = "brn_keeper_start", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int KeeperStart(string program, string path);

    [LibraryImport(Library, EntryPoint = "brn_keeper_connect", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int KeeperConnect(string path);

    [LibraryImport(Library, EntryPoint = "brn_keeper_put", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int KeeperPut(int keeper, string name, int descriptor, uint patienceSeconds);

    [LibraryImport(Library, EntryPoint = "brn_keeper_put_ublk", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int KeeperPutUblk(int keeper, string name, int index, ulong identity, uint patienceSeconds);

    [LibraryImport(Library, EntryPoint = "brn_keeper_put_nbd", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int KeeperPutNbd(int keeper, string identifier, int index, uint patienceSeconds);

    [LibraryImport(Library, EntryPoint = "brn_keeper_get", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int KeeperGet(int keeper, string name);

    [LibraryImport(Library, EntryPoint = "brn_keeper_drop", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int KeeperDrop(int keeper, string name);

    [LibraryImport(Library, EntryPoint = "brn_loop_attach", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int LoopAttach(string backing, NativeLoopOptions* options, uint* number);

    [LibraryImport(Library, EntryPoint = "brn_loop_scan")]
    public static partial int LoopScan(uint number);

    [LibraryImport(Library, EntryPoint = "brn_loop_detach", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int LoopDetach(uint number, string backing, uint force);

    [LibraryImport(Library, EntryPoint = "brn_loop_resize", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int LoopResize(uint number, string backing);

    [LibraryImport(Library, EntryPoint = "brn_socket_create")]
    public static partial int SocketCreate(int family, void* local, uint localLength, NativeSocketOptions* options);

    [LibraryImport(Library, EntryPoint = "brn_socket_listen")]
    public static partial int SocketListen(void* local, uint localLength, NativeSocketOptions* options);

    [LibraryImport(Library, EntryPoint = "brn_socket_configure")]
    public static partial int SocketConfigure(int descriptor, NativeSocketOptions* options);

    [LibraryImport(Library, EntryPoint = "brn_socket_name")]
    public static partial int SocketName(int descriptor, uint peer, void* address, uint* length);

    [LibraryImport(Library, EntryPoint = "brn_socket_shutdown")]
    public static partial int SocketShutdown(int descriptor, uint both);

    [LibraryImport(Library, EntryPoint = "brn_socket_reset_on_close")]
    public static partial int SocketResetOnClose(int descriptor);

    [LibraryImport(Library, EntryPoint = "brn_socket_pair")]
    public static partial int SocketPair(int* pair, int sendBuffer);

    [LibraryImport(Library, EntryPoint = "brn_nbd_connect", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int NbdConnect(NativeNbdConfig* config, string identifier);

    [LibraryImport(Library, EntryPoint = "brn_nbd_reconfigure", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int NbdReconfigure(NativeNbdConfig* config, string identifier);

    [LibraryImport(Library, EntryPoint = "brn_nbd_disconnect")]
    public static partial int NbdDisconnect(int index);

    [LibraryImport(Library, EntryPoint = "brn_nbd_connected")]
    public static partial int NbdConnected(int index);

    [LibraryImport(Library, EntryPoint = "brn_ublk_features")]
    public static partial long UblkFeatures();

    [LibraryImport(Library, EntryPoint = "brn_ublk_add")]
    public static partial int UblkAdd(NativeUblkConfig* config);

    [LibraryImport(Library, EntryPoint = "brn_ublk_info_get")]
    public static partial int UblkInfoGet(int index, NativeUblkInfo* info);

    [LibraryImport(Library, EntryPoint = "brn_ublk_start")]
    public static partial int UblkStart(int index);

    [LibraryImport(Library, EntryPoint = "brn_ublk_begin_recovery")]
    public static partial int UblkBeginRecovery(int index);

    [LibraryImport(Library, EntryPoint = "brn_ublk_end_recovery")]
    public static partial int UblkEndRecovery(int index);

    [LibraryImport(Library, EntryPoint = "brn_ublk_resize")]
    public static partial int UblkResize(int index, ulong size);

    [LibraryImport(Library, EntryPoint = "brn_ublk_stop")]
    public static partial int UblkStop(int index);

    [LibraryImport(Library, EntryPoint = "brn_ublk_delete")]
    public static partial int UblkDelete(int index, uint wait);

    [LibraryImport(Library, EntryPoint = "brn_ublk_open")]
    public static partial int UblkOpen(int index);

    [LibraryImport(Library, EntryPoint = "brn_ublk_map")]
    public static partial int UblkMap(int descriptor, uint queue, uint depth, NativeUblkRequest** requests);

    [LibraryImport(Library, EntryPoint = "brn_ublk_unmap")]
    public static partial int UblkUnmap(NativeUblkRequest* requests, uint depth);

    [LibraryImport(Library, EntryPoint = "brn_ublk_copy")]
    public static partial int UblkCopy(
        int descriptor, uint queue, uint tag, uint offset, byte* memory, uint length, uint toKernel);

    [LibraryImport(Library, EntryPoint = "brn_device_unlock")]
    public static partial int DeviceUnlock(int descriptor);

    [LibraryImport(Library, EntryPoint = "brn_close")]
    public static partial int Close(int descriptor);

    [LibraryImport(Library, EntryPoint = "brn_process_lock_memory")]
    public static partial int ProcessLockMemory();

    [LibraryImport(Library, EntryPoint = "brn_process_set_io_flusher")]
    public static partial int ProcessSetIoFlusher();

    [LibraryImport(Library, EntryPoint = "brn_monotonic_ns"), SuppressGCTransition]
    public static partial long MonotonicNs();
}
