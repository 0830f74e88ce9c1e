using BlockRepl.Core.MetaData;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Core;

/// <summary>
/// What the core asks of its surroundings: the effects. The daemon's engine and the simulator implement it.
/// A call only takes the request and returns: its outcome comes later, through one of the event methods of
/// <see cref="ResourceCore"/>, never from inside the call. All calls come from the thread that runs the core.
/// </summary>
public interface ICoreHost
{
    /// <summary>
    /// 64 random bits: new generation UUIDs, challenges, jitter. A seeded generator in the simulator.
    /// </summary>
    ulong NextRandom();

    // ---- the backing disk; results come by ResourceCore.OnDiskDone ----

    /// <summary>Reads <paramref name="byteCount"/> bytes at <paramref name="sector"/> (512-byte sectors).</summary>
    void ReadDisk(int volume, IoToken token, ulong sector, int byteCount, BufferHandle buffer);

    /// <summary>Writes; with <paramref name="forceUnitAccess"/> it is done only when durable.</summary>
    void WriteDisk(int volume, IoToken token, ulong sector, int byteCount, BufferHandle buffer, bool forceUnitAccess);

    /// <summary>
    /// Discards or zeroes up to 128 MiB; see <see cref="ZeroMode"/> for what must be read afterwards.
    /// </summary>
    void ZeroDisk(int volume, IoToken token, ulong sector, int byteCount, ZeroMode mode);

    /// <summary>The facts of a volume's devices as they are at this moment; null without open ones.</summary>
    BackingDisk? DiskFacts(int volume);

    /// <summary>Makes every write of the data area that completed before this call durable.</summary>
    void FlushDisk(int volume, IoToken token);

    // ---- the meta-data device (the same device for internal meta data); results by ResourceCore.OnMetaDone ----

    /// <summary>Reads bytes at an absolute offset of the meta-data device; both are multiples of 4096.</summary>
    void ReadMeta(int volume, IoToken token, long byteOffset, int byteCount);

    /// <summary>
    /// Writes bytes at an absolute offset, both multiples of 4096; the host copies the data before it returns.
    /// </summary>
    void WriteMeta(int volume, IoToken token, long byteOffset, ReadOnlySpan<byte> data);

    /// <summary>Makes every meta-data write that completed before this call durable.</summary>
    void FlushMeta(int volume, IoToken token);

    /// <summary>
    /// The volume was detached; no I/O of it is outstanding and none follows until it is attached again.
    /// </summary>
    void CloseDisk(int volume);

    // ---- the record of writes under way, in memory that outlives the process; free if the volume has none ----

    /// <summary>
    /// A disk came up: the volume's record begins, empty. It ends with <see cref="CloseDisk"/>. If the process is
    /// killed before, its successor hands what it finds to <see cref="AdminCommand.Attach"/>; after a power failure
    /// there must be nothing. Each call below has its effect before it returns.
    /// </summary>
    void BeginRecord(int volume);

    void RecordFacts(int volume, in RecordFacts facts);

    /// <summary>Slots are small numbers; a slot holds one write.</summary>
    void RecordWrite(int volume, int slot, in WriteRange write);

    void ForgetWrite(int volume, int slot);

    // ---- streams ----

    /// <summary>While true the host accepts streams on the resource's own address (ResourceCore.OnStreamAccepted);
    /// while false connection attempts are refused.</summary>
    void Listen(bool on);

    /// <summary>Starts a TCP connect to the peer; answered by OnStreamOpened or OnStreamClosed.</summary>
    StreamId OpenStream();

    /// <summary>
    /// Closes a stream. With <paramref name="sendFirst"/> what is queued is still sent, within a second; else it is
    /// dropped. Afterwards no event names the stream again, but OnSent comes for each payload that was queued.
    /// </summary>
    void CloseStream(StreamId stream, bool sendFirst);

    /// <summary>
    /// How the bytes received from now on are cut into packets. New streams start with <see cref="Framing.Initial"/>.
    /// </summary>
    void SetFraming(StreamId stream, in Framing framing);

    /// <summary>Queues one whole packet, header included; the host copies it before it returns.</summary>
    void Send(StreamId stream, ReadOnlySpan<byte> packet);

    /// <summary>
    /// Queues a packet with a payload: <paramref name="head"/> (header and fixed part), then the payload's digest if
    /// <paramref name="digest"/> is not None (the host computes it), then the payload. The buffer must stay
    /// until OnSent tells that the bytes were handed to TCP, or that they never will be.
    /// </summary>
    void SendPayload(
        StreamId stream,
        ReadOnlySpan<byte> head,
        DigestAlgorithm digest,
        BufferHandle buffer,
        int byteCount,
        SendToken token);

    /// <summary>What is queued on a stream and what has been handed to TCP so far.</summary>
    StreamBacklog GetBacklog(StreamId stream);

    // ---- payload buffers ----

    /// <summary>
    /// An aligned buffer of at least <paramref name="byteCount"/> bytes (at most 1 MiB), owned by the core until
    /// <see cref="ReleaseBuffer"/>. The core stays within <see cref="CoreLimits.PeerReadBytes"/>, so this never fails.
    /// </summary>
    BufferHandle RentBuffer(int byteCount);

    /// <summary>Ends the core's ownership of a buffer it rented or was given with a write or a packet.</summary>
    void ReleaseBuffer(BufferHandle buffer);

    /// <summary>Copies the first bytes of one buffer to another (a read answered by the peer).</summary>
    void CopyBuffer(BufferHandle from, BufferHandle to, int byteCount);

    /// <summary>Whether the first <paramref name="byteCount"/> bytes are all zero (thin resync).</summary>
    bool IsZero(BufferHandle buffer, int byteCount);

    /// <summary>Hashes the first bytes of a buffer; answered by OnHashDone.</summary>
    void Hash(IoToken token, DigestAlgorithm algorithm, BufferHandle buffer, int byteCount);

    // ---- front end, administrator, handlers ----

    /// <summary>Answers a request of the front end.</summary>
    void CompleteRequest(FrontEndToken token, RequestError error);

    /// <summary>Size, role or usability of a volume's device changed; the front end reads them from the core.</summary>
    void DeviceChanged(int volume);

    /// <summary>Answers a command.</summary>
    void CompleteCommand(CommandToken token, in CommandResult result);

    /// <summary>
    /// Runs a configured handler; answered by OnHandlerDone with its exit code (0 if none is configured).
    /// </summary>
    void RunHandler(IoToken token, HandlerKind handler, int volume);

    /// <summary>
    /// A line for the log: a state change, a decision with its rule, an error with its reason. Not per request.
    /// </summary>
    void Log(CoreLogLevel level, int volume, string message);
}

/// <summary>What an area must read as after <see cref="ICoreHost.ZeroDisk"/>.</summary>
public enum ZeroMode
{
    /// <summary>A discard: the content afterwards is unimportant, zero is best.</summary>
    Discard,

    /// <summary>Zeroes; the space may be unmapped.</summary>
    ZeroMayUnmap,

    /// <summary>Zeroes; the space must stay allocated.</summary>
    ZeroNoUnmap,
}

/// <summary>Outcome of a disk or meta-data operation.</summary>
public enum IoError
{
    None = 0,

    /// <summary>The device reported an error, or the operation could not be issued.</summary>
    Failed = 1,

    /// <summary>The device has no such operation (discard); nothing was changed.</summary>
    NotSupported = 2,
}

/// <summary>Outcome of a front-end request.</summary>
public enum RequestError
{
    None = 0,

    /// <summary>Neither copy could serve the request.</summary>
    InputOutput = 1,

    /// <summary>This node is not Primary.</summary>
    ReadOnly = 2,

    /// <summary>Outside the device, not aligned to its logical block size, or too large.</summary>
    Invalid = 3,

    /// <summary>The device is being taken down or has no size yet.</summary>
    NoDevice = 4,
}

/// <summary>Bytes waiting in a stream's send queue, and all bytes ever handed to TCP.</summary>
public readonly record struct StreamBacklog(long QueuedBytes, long SentBytes);

/// <summary>Why a stream ended.</summary>
public enum StreamCloseReason
{
    /// <summary>The peer closed it.</summary>
    EndOfStream,

    /// <summary>Reset or another socket error.</summary>
    Error,

    /// <summary>The connect was refused or did not succeed within connect-int.</summary>
    ConnectFailed,
}

/// <summary>Severity of a log line.</summary>
public enum CoreLogLevel
{
    Debug,
    Information,
    Warning,
    Error,
}

/// <summary>DRBD's handlers, see drbd.conf(5).</summary>
public enum HandlerKind
{
    PrimaryOnInconsistentDegraded,
    PrimaryLostAfterSplitBrain,
    PrimaryLost,
    FencePeer,
    UnfencePeer,
    LocalIoError,
    InitialSplitBrain,
    SplitBrain,
    BeforeResyncTarget,
    AfterResyncTarget,
    BeforeResyncSource,
    OutOfSync,
}

/// <summary>Bounds that size the host's pools.</summary>
public static class CoreLimits
{
    /// <summary>Largest payload of one packet and of one front-end read or write.</summary>
    public const int MaxPayloadBytes = 1 << 20;

    /// <summary>Largest discard or write-zeroes request.</summary>
    public const int MaxZeroBytes = 128 << 20;

    /// <summary>
    /// Bytes of buffers the core rents at most at one time, for reads on behalf of the peer, resync and verify.
    /// </summary>
    public const int PeerReadBytes = 16 << 20;
}
