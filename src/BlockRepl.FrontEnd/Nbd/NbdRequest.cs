using System.Buffers.Binary;
using BlockRepl.Core;

namespace BlockRepl.FrontEnd.Nbd;

/// <summary>The fixed part of a request in the transmission phase.</summary>
/// <remarks>
/// <code>
/// offset  size  field
///      0     4  magic 0x25609513
///      4     2  command flags
///      6     2  type
///      8     8  cookie, echoed in the reply
///     16     8  offset in bytes
///     24     4  length in bytes (a write's payload follows)
/// </code>
/// </remarks>
internal readonly record struct NbdRequest(
    NbdCommandFlags Flags, NbdCommand Command, ulong Cookie, ulong Offset, uint Length)
{
    /// <summary>False if the bytes do not start a request: the stream is out of step and of no use any more.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out NbdRequest request)
    {
        request = new NbdRequest(
            (NbdCommandFlags)BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]),
            (NbdCommand)BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[24..]));
        return BinaryPrimitives.ReadUInt32BigEndian(bytes) == NbdProtocol.RequestMagic;
    }

    /// <summary>Every rule on a request in one place; None if it may be carried out.</summary>
    public NbdError Validate(in VolumeFacts facts)
    {
        var allowed = Command switch
        {
            NbdCommand.Read => NbdCommandFlags.Fua,
            NbdCommand.Write or NbdCommand.Trim or NbdCommand.Flush => NbdCommandFlags.Fua,
            NbdCommand.WriteZeroes => NbdCommandFlags.Fua | NbdCommandFlags.NoHole | NbdCommandFlags.FastZero,
            _ => NbdCommandFlags.None,
        };
        if ((Flags & ~allowed) != 0)
        {
            return NbdError.Invalid;
        }

        switch (Command)
        {
            case NbdCommand.Flush:
                return NbdError.None;
            case NbdCommand.Read or NbdCommand.Write when Length > NbdProtocol.MaxRequestBytes:
            case NbdCommand.Read or NbdCommand.Write or NbdCommand.Trim or NbdCommand.WriteZeroes when Length == 0:
                return NbdError.Invalid;
            case NbdCommand.Read or NbdCommand.Write or NbdCommand.Trim or NbdCommand.WriteZeroes:
                return ValidateRange(facts);
            default:
                return NbdError.Invalid;
        }
    }

    private NbdError ValidateRange(in VolumeFacts facts)
    {
        var size = (ulong)facts.SizeBytes;
        if (Offset > size || Length > size - Offset)
        {
            return Command is NbdCommand.Write or NbdCommand.WriteZeroes ? NbdError.NoSpace : NbdError.Invalid;
        }

        var mask = (ulong)facts.LogicalBlockBytes - 1;
        if (((Offset | Length) & mask) != 0)
        {
            return NbdError.Invalid;
        }

        var fast = Command == NbdCommand.WriteZeroes && (Flags & NbdCommandFlags.FastZero) != 0;
        return fast && !facts.CanZeroFast ? NbdError.NotSupported : NbdError.None;
    }

    /// <summary>The core's word for the command. Only for commands that <see cref="Validate"/> lets through.</summary>
    public RequestKind Kind => Command switch
    {
        NbdCommand.Read => RequestKind.Read,
        NbdCommand.Write => RequestKind.Write,
        NbdCommand.Flush => RequestKind.Flush,
        NbdCommand.Trim => RequestKind.Discard,
        _ when (Flags & NbdCommandFlags.NoHole) != 0 => RequestKind.WriteZeroesNoUnmap,
        _ => RequestKind.WriteZeroesMayUnmap,
    };

    /// <summary>The one place where the core's outcome becomes an error on the wire.</summary>
    public static NbdError ToWire(RequestError error) => error switch
    {
        RequestError.None => NbdError.None,
        RequestError.InputOutput => NbdError.InputOutput,
        RequestError.ReadOnly => NbdError.NotPermitted,
        RequestError.Invalid => NbdError.Invalid,
        RequestError.NoDevice => NbdError.Shutdown,
        _ => NbdError.InputOutput,
    };
}
