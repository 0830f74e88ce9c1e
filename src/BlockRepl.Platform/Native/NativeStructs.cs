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
