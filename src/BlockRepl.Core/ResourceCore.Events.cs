using BlockRepl.Core.Protocol;

namespace BlockRepl.Core;

/// <summary>The events that a host feeds to the core.</summary>
public sealed partial class ResourceCore
{
    /// <summary>When <see cref="OnTimer"/> is wanted, in monotonic nanoseconds; long.MaxValue = never.</summary>
    public long NextDeadlineNs => throw new NotImplementedException();

    /// <summary>The time of <see cref="NextDeadlineNs"/> has come (or later).</summary>
    public void OnTimer(long nowNs) => throw new NotImplementedException();

    /// <summary>A batch of events was delivered: start what was collected (activity-log transaction, barriers).</summary>
    public void EndBatch(long nowNs) => throw new NotImplementedException();

    /// <summary>A read, write, zero or flush of the data area ended.</summary>
    public void OnDiskDone(long nowNs, int volume, IoToken token, IoError error) => throw new NotImplementedException();

    /// <summary>A meta-data operation ended; <paramref name="data"/> holds what a read returned.</summary>
    public void OnMetaDone(long nowNs, int volume, IoToken token, IoError error, ReadOnlySpan<byte> data) =>
        throw new NotImplementedException();

    public void OnHashDone(long nowNs, IoToken token, ReadOnlySpan<byte> digest) => throw new NotImplementedException();

    public void OnHandlerDone(long nowNs, IoToken token, int exitCode) => throw new NotImplementedException();

    /// <summary>A stream was accepted on the listening address.</summary>
    public void OnStreamAccepted(long nowNs, StreamId stream) => throw new NotImplementedException();

    /// <summary>A connect succeeded.</summary>
    public void OnStreamOpened(long nowNs, StreamId stream) => throw new NotImplementedException();

    /// <summary>
    /// A stream ended. Packets received before the end were delivered first, unless the core did not want them
    /// (<see cref="WantsPacket"/>): then it is told of the end at once.
    /// </summary>
    public void OnStreamClosed(long nowNs, StreamId stream, StreamCloseReason reason) => throw new NotImplementedException();

    /// <summary>Whether the core takes the next packet of this stream now; asked before each packet is delivered.</summary>
    public bool WantsPacket(StreamId stream) => throw new NotImplementedException();

    public void OnPacket(long nowNs, StreamId stream, in ReceivedPacket packet) => throw new NotImplementedException();

    /// <summary>The bytes of a stream are no packet that may come there.</summary>
    public void OnViolation(long nowNs, StreamId stream, ProtocolViolation violation) => throw new NotImplementedException();

    /// <summary>A payload was handed to TCP whole, or (<paramref name="aborted"/>) the stream ended before.</summary>
    public void OnSent(long nowNs, SendToken token, bool aborted) => throw new NotImplementedException();

    public void OnRequest(long nowNs, int volume, in FrontEndRequest request) => throw new NotImplementedException();

    public void OnCommand(long nowNs, CommandToken token, AdminCommand command) => throw new NotImplementedException();
}
