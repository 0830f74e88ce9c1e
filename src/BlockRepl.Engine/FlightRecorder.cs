using System.Globalization;
using System.Text;

namespace BlockRepl.Engine;

/// <summary>What passed between core and host: events (to the core) first, then effects (from it).</summary>
internal enum Flight : byte
{
    Timer,
    DiskDone,
    MetaDone,
    HashDone,
    HandlerDone,
    StreamAccepted,
    StreamOpened,
    StreamClosed,
    Packet,
    Violation,
    Sent,
    Request,
    Command,
    OpenCount,
    ReadDisk,
    WriteDisk,
    ZeroDisk,
    FlushDisk,
    ReadMeta,
    WriteMeta,
    FlushMeta,
    CloseDisk,
    Listen,
    OpenStream,
    CloseStream,
    SetFraming,
    Send,
    SendPayload,
    RentBuffer,
    ReleaseBuffer,
    Hash,
    CompleteRequest,
    DeviceChanged,
    CompleteCommand,
    RunHandler,
}

/// <summary>
/// The last few thousand events and effects of a resource, for the log when an invariant breaks. Written on every one
/// of them, so an entry is a small struct in a ring and nothing is formatted before it is needed.
/// </summary>
internal sealed class FlightRecorder
{
    public const int Capacity = 4096;

    private readonly Entry[] _entries = new Entry[Capacity];
    private long _count;

    private readonly record struct Entry(long NowNs, Flight What, int A, ulong B, ulong C);

    public void Record(long nowNs, Flight what, int a = 0, ulong b = 0, ulong c = 0) =>
        _entries[_count++ & (Capacity - 1)] = new Entry(nowNs, what, a, b, c);

    /// <summary>
    /// The entries, oldest first, a line each: time in microseconds before the last, name, three numbers.
    /// </summary>
    public string Dump()
    {
        var text = new StringBuilder();
        var first = Math.Max(0, _count - Capacity);
        var lastNs = _count == 0 ? 0 : _entries[(_count - 1) & (Capacity - 1)].NowNs;
        for (var i = first; i < _count; i++)
        {
            ref readonly var entry = ref _entries[i & (Capacity - 1)];
            text.Append(CultureInfo.InvariantCulture,
                $"{(entry.NowNs - lastNs) / 1000,10} us {entry.What,-16} {entry.A} {entry.B:x} {entry.C:x}\n");
        }

        return text.ToString();
    }
}
