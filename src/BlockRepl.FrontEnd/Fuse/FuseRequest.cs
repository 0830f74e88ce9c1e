using System.Runtime.InteropServices;
using BlockRepl.Core;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>A request's head and, as far as it has them, its range.</summary>
/// <remarks>
/// <code>
/// offset  size  field
///      0     4  length of the message
///      4     4  operation
///      8     8  unique, echoed in the reply
///     16     8  node
///     24    16  user, group, process, extensions: of no interest
///     READ, WRITE: 40 file handle (8), 48 offset (8), 56 size (4); WRITE: payload from 80
///     FALLOCATE: 40 file handle (8), 48 offset (8), 56 length (8), 64 mode (4)
///     INIT: see FuseInit
/// </code>
/// </remarks>
internal readonly record struct FuseRequest(
    FuseOpcode Opcode, ulong Unique, ulong Offset, ulong Length, uint Flags, FuseError Error)
{
    /// <summary>False if this is no request at all: nobody can answer it.</summary>
    /// <param name="head">The message's first 80 bytes.</param>
    /// <param name="byteCount">Bytes of the whole message.</param>
    public static bool TryParse(ReadOnlySpan<byte> head, int byteCount, out FuseRequest request)
    {
        request = default;
        if (byteCount < FuseProtocol.RequestHeadBytes || Get32(head, 0) != (uint)byteCount)
        {
            return false;
        }

        var opcode = (FuseOpcode)Get32(head, 4);
        request = new FuseRequest(opcode, Get64(head, 8), 0, 0, 0, FuseError.None);
        var ranged = opcode is FuseOpcode.Read or FuseOpcode.Write or FuseOpcode.Allocate;
        if (byteCount < FixedBytes(opcode) || (ranged && Get64(head, 16) != FuseProtocol.RootNode))
        {
            request = request with { Error = FuseError.Invalid };
        }
        else if (opcode is FuseOpcode.Read or FuseOpcode.Write)
        {
            request = request with { Offset = Get64(head, 48), Length = Get32(head, 56) };
        }
        else if (opcode == FuseOpcode.Allocate)
        {
            request = request with { Offset = Get64(head, 48), Length = Get64(head, 56), Flags = Get32(head, 64) };
        }

        if (opcode == FuseOpcode.Write && request.Error == FuseError.None
            && request.Length != (ulong)(byteCount - FuseProtocol.WriteHeadBytes))
        {
            request = request with { Error = FuseError.Invalid };
        }

        return true;
    }

    /// <summary>Whether the kernel waits for an answer.</summary>
    public bool WantsReply => Opcode is not (FuseOpcode.Forget or FuseOpcode.BatchForget or FuseOpcode.Interrupt);

    /// <summary>Every rule on a range in one place; None if it may be carried out.</summary>
    public FuseError ValidateRange(in VolumeFacts facts, ulong longest)
    {
        var block = (ulong)facts.LogicalBlockBytes;
        var size = (ulong)facts.SizeBytes;
        var valid = Length > 0 && Length <= longest && Offset % block == 0 && Length % block == 0
            && Offset <= size && Length <= size - Offset;
        return valid ? FuseError.None : FuseError.Invalid;
    }

    /// <summary>What FALLOCATE means for a volume, if it is what a loop device asks for.</summary>
    public bool TryGetZeroKind(out RequestKind kind)
    {
        var mode = (FuseAllocateMode)Flags;

        // A hole reads as zeroes: a discard, after which the content is unimportant, would promise less.
        kind = (mode & FuseAllocateMode.PunchHole) != 0
            ? RequestKind.WriteZeroesMayUnmap
            : RequestKind.WriteZeroesNoUnmap;
        return mode is (FuseAllocateMode.PunchHole | FuseAllocateMode.KeepSize)
            or (FuseAllocateMode.ZeroRange | FuseAllocateMode.KeepSize) or FuseAllocateMode.ZeroRange;
    }

    public static FuseError ToWire(RequestError error) => error switch
    {
        RequestError.None => FuseError.None,
        RequestError.ReadOnly => FuseError.ReadOnly,
        RequestError.Invalid => FuseError.Invalid,
        _ => FuseError.InputOutput,
    };

    private static int FixedBytes(FuseOpcode opcode) => opcode switch
    {
        FuseOpcode.Read or FuseOpcode.Write => FuseProtocol.WriteHeadBytes,
        FuseOpcode.Allocate => 72,
        FuseOpcode.Init => FuseInit.FixedBytes,
        _ => FuseProtocol.RequestHeadBytes,
    };

    private static uint Get32(ReadOnlySpan<byte> bytes, int offset) => MemoryMarshal.Read<uint>(bytes[offset..]);

    private static ulong Get64(ReadOnlySpan<byte> bytes, int offset) => MemoryMarshal.Read<ulong>(bytes[offset..]);
}
