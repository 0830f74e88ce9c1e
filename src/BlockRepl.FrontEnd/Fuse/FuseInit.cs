using System.Runtime.InteropServices;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>The first message of a mount: what the kernel speaks and can do.</summary>
/// <remarks>
/// <code>
/// offset  size  field
///     40     4  major
///     44     4  minor
///     48     4  readahead
///     52     4  capabilities
///     56     4  further capabilities, from 7.36 on
/// </code>
/// </remarks>
internal readonly record struct FuseInit(uint Major, uint Minor, FuseCapabilities Capabilities, bool CanResend)
{
    /// <summary>Without the further capabilities, which old kernels do not send.</summary>
    public const int FixedBytes = 56;

    private const uint ResendBit = 1 << 7;

    /// <param name="head">The message's first 80 bytes.</param>
    /// <param name="byteCount">Bytes of the message, at least <see cref="FixedBytes"/>.</param>
    public static FuseInit Parse(ReadOnlySpan<byte> head, int byteCount)
    {
        var capabilities = (FuseCapabilities)MemoryMarshal.Read<uint>(head[52..]);
        var more = byteCount >= FixedBytes + sizeof(uint) && (capabilities & FuseCapabilities.Extended) != 0
            ? MemoryMarshal.Read<uint>(head[56..])
            : 0;
        return new FuseInit(
            MemoryMarshal.Read<uint>(head[40..]), MemoryMarshal.Read<uint>(head[44..]), capabilities,
            (more & ResendBit) != 0);
    }

    public bool IsUsable => Major == FuseProtocol.Major && Minor >= FuseProtocol.LowestMinor;
}
