using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;

namespace BlockRepl.Core;

/// <summary>What an administrator asks of a resource.</summary>
public abstract record AdminCommand
{
    /// <summary>
    /// Uses a disk; the host has opened it and answers for its facts. <paramref name="Survivors"/> is what it found of
    /// a record that a process before this one kept, see <see cref="ICoreHost.BeginRecord"/>.
    /// </summary>
    public sealed record Attach(int Volume, BackingDisk Disk, SurvivingWrites? Survivors = null) : AdminCommand;

    public sealed record Detach(int Volume, bool Force) : AdminCommand;

    public sealed record Connect(bool DiscardMyData, bool Tentative) : AdminCommand;

    public sealed record Disconnect(bool Force) : AdminCommand;

    /// <summary>Primary or Secondary, for all volumes.</summary>
    public sealed record SetRole(bool Primary, bool Force) : AdminCommand;

    public sealed record Invalidate(int Volume, bool Remote) : AdminCommand;

    public sealed record Outdate(int Volume) : AdminCommand;

    /// <summary>Online verify; sectors are 512 bytes; no stop sector = ulong.MaxValue.</summary>
    public sealed record Verify(int Volume, ulong StartSector, ulong StopSector) : AdminCommand;

    public sealed record PauseSync(int Volume, bool Pause) : AdminCommand;

    public sealed record SuspendIo(bool Suspend) : AdminCommand;

    public sealed record NewCurrentUuid(int Volume, bool ClearBitmap) : AdminCommand;

    /// <summary>New size in sectors, 0 = as large as the backing devices are now.</summary>
    public sealed record Resize(int Volume, ulong SizeSectors, bool AssumePeerHasSpace, bool AssumeClean)
        : AdminCommand;

    /// <summary>
    /// Other options for the same volumes. Refused: while the network is configured, what is agreed on when nodes
    /// connect (<see cref="NetOptions.ConnectsLike"/>); while a disk is attached, what is settled when it
    /// is (<see cref="DiskOptions.AttachesLike"/>).
    /// </summary>
    public sealed record SetOptions(ResourceOptions Options) : AdminCommand;

    /// <summary>Demote, disconnect, detach everything.</summary>
    public sealed record Down : AdminCommand;

    /// <summary>
    /// The process is about to end and another to take its place: new requests wait, those under way are finished and
    /// confirmed by the peer, what is in memory only goes to the disk. Role and connection stay. Nothing undoes it.
    /// </summary>
    public sealed record Quiesce : AdminCommand;
}

/// <summary>
/// Answer to a command. <see cref="Code"/> is 1 or more (success), a negative state-change code (SS_*), or a
/// configuration error of 102 and more (ERR_*), as in DRBD; <see cref="Message"/> says in words why and what to do.
/// </summary>
public readonly record struct CommandResult(int Code, string Message)
{
    public bool Succeeded => Code is >= 1 and <= 101;

    public static readonly CommandResult Success = new(1, "");
}

/// <summary>
/// DRBD's numbers of refusals (ERR_*) that are given in more than one place.
/// Source: enum drbd_ret_code of DRBD 8.4's interface.
/// </summary>
public static class ErrorNumber
{
    public const int DiskConfigured = 124;
    public const int NetConfigured = 125;
    public const int UnknownMinor = 127;
    public const int UnknownResource = 158;
    public const int ResourceInUse = 159;
    public const int InvalidRequest = 162;
}

/// <summary>A request of the front end.</summary>
public enum RequestKind
{
    Read,
    Write,
    Flush,

    /// <summary>Discard: the content afterwards is unimportant.</summary>
    Discard,

    /// <summary>Write zeroes, unmapping allowed.</summary>
    WriteZeroesMayUnmap,

    /// <summary>Write zeroes, the space stays allocated.</summary>
    WriteZeroesNoUnmap,
}

/// <summary>
/// One request of the front end. For a write the buffer becomes the core's, which releases it; for a read it stays the
/// front end's and is filled when the request is completed.
/// </summary>
/// <param name="Sector">First 512-byte sector.</param>
/// <param name="ByteCount">Bytes; at most 1 MiB for reads and writes, 128 MiB for the others; 0 for a flush.</param>
/// <param name="ForceUnitAccess">The write is answered only when it is durable.</param>
public readonly record struct FrontEndRequest(
    RequestKind Kind,
    ulong Sector,
    int ByteCount,
    BufferHandle Buffer,
    bool ForceUnitAccess,
    FrontEndToken Token);
