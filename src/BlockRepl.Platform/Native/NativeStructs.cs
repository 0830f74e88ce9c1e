using System.Runtime.InteropServices;

namespace BlockRepl.Platform.Native;

/// <summary>Kinds of operations, as enum brn_op_kind.</summary>
internal enum NativeOpKind : ushort
{
    Nop = 0,
    Read = 1,
    Write = 2,
    DataSync = 3,
    Receive = 4,
    Send = 5,
    Accept = 6,
    Connect = 7,
    Close = 8,
    Poll = 9,
    Cancel = 10,
    Discard = 11,
    Zero = 12,
    Ublk = 13,
}

/// <summary>As enum brn_op_flags.</summary>
[Flags]
internal enum NativeOpFlags : ushort
{
    None = 0,
    ForceUnitAccess = 1,
    ReceiveAll = 2,
    NoUnmap = 4,
}

/// <summary>One operation, as brn_op.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeOp
{
    public ulong UserData;
    public ulong Offset;
    public ulong Address;
    public ulong Length;
    public int Descriptor;
    public NativeOpKind Kind;
    public NativeOpFlags Flags;
}

/// <summary>One result, as brn_completion.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeCompletion
{
    public ulong UserData;
    public int Result;
    public uint Reserved;
}

/// <summary>As brn_iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeIovec
{
    public ulong Address;
    public ulong Length;
}

/// <summary>As brn_ring_options.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeRingOptions
{
    public uint Backend;
    public uint MaxOperations;
    public uint Workers;
    public uint MaxDescriptors;
}

/// <summary>As brn_digest_item.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeDigestItem
{
    public ulong Data;
    public ulong Length;
    public ulong Output;
}

/// <summary>As enum brn_device_flags.</summary>
[Flags]
internal enum NativeDeviceFlags : uint
{
    None = 0,
    Block = 1,
    Discard = 2,
    DiscardZeroes = 4,
    ReadOnly = 8,
    Direct = 16,
}

/// <summary>As brn_device_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeDeviceInfo
{
    public ulong Size;
    public uint LogicalBlock;
    public uint PhysicalBlock;
    public NativeDeviceFlags Flags;
    public uint Reserved;
}

/// <summary>As brn_socket_options.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeSocketOptions
{
    public int SendBuffer;
    public int ReceiveBuffer;
    public uint Flags;
    public uint Backlog;
}

/// <summary>As brn_nbd_config.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeNbdConfig
{
    public ulong Size;
    public ulong ServerFlags;
    public ulong DeadTimeout;
    public uint BlockSize;
    public int Index;
    public int Descriptor;
    public uint EndOnClose;
}

/// <summary>As brn_ublk_config.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeUblkConfig
{
    public ulong Size;
    public ulong Identity;
    public uint LogicalBlock;
    public uint PhysicalBlock;
    public uint MaxIoBytes;
    public uint MaxZeroBytes;
    public uint DiscardGranularity;
    public NativeUblkAttributes Attributes;
    public int Index;
    public ushort Queues;
    public ushort Depth;
}

/// <summary>As enum brn_ublk_attributes.</summary>
[Flags]
internal enum NativeUblkAttributes : uint
{
    None = 0,
    Rotational = 2,
    VolatileCache = 4,
    ForceUnitAccess = 8,
    Discard = 256,
}

/// <summary>As brn_ublk_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeUblkInfo
{
    public ulong Features;
    public ulong Identity;
    public uint MaxIoBytes;
    public int ProcessId;
    public ushort Queues;
    public ushort Depth;
    public ushort State;
    public ushort Reserved;
}

/// <summary>As brn_ublk_request.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeUblkRequest
{
    public uint CodeAndFlags;
    public uint Sectors;
    public ulong StartSector;
    public ulong Reserved;
}

/// <summary>As enum brn_loop_flags.</summary>
[Flags]
internal enum NativeLoopFlags : uint
{
    None = 0,
    Rotational = 1,
    NoDiscard = 2,
}

/// <summary>As brn_loop_options.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeLoopOptions
{
    public uint BlockBytes;
    public NativeLoopFlags Flags;
}

/// <summary>brn_guard_table.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeGuardTable
{
    public long VoteUntilNs;
    public long TurnNs;
    public long LastFedNs;
}

/// <summary>brn_guard_orders.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeGuardOrders
{
    public int TimeoutSeconds;
    public int SetTimeout;
    public int TurnLimitMs;
    public int End;
    public int Flush;
    public int CrashSeconds;
}
