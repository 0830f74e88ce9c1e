using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Core;

/// <summary>
/// The replication logic of one resource: events in through the On… methods, effects out through <see cref="ICoreHost"/>.
/// One thread at a time. <c>nowNs</c> is a monotonic time in nanoseconds and never goes back. After a batch of events the
/// host calls <see cref="EndBatch"/>, then looks at <see cref="NextDeadlineNs"/>.
/// </summary>
public sealed partial class ResourceCore
{
    private readonly ICoreHost _host;

    public ResourceCore(ICoreHost host, ResourceOptions options)
    {
        _host = host;
        Options = options;
    }

    public ResourceOptions Options { get; private set; }
}

/// <summary>One packet as the host cut it from a stream. Spans are valid during the call only.</summary>
/// <param name="header">The decoded header.</param>
/// <param name="body">Everything after the header but the bulk payload and its digest.</param>
/// <param name="payload">The bulk payload (P_DATA, P_DATA_REPLY, P_RS_DATA_REPLY), now the core's; or None.</param>
/// <param name="payloadBytes">Bytes of payload.</param>
/// <param name="digestMatches">False if the payload's digest did not fit; true without a digest.</param>
public readonly ref struct ReceivedPacket(
    PacketHeader header, ReadOnlySpan<byte> body, BufferHandle payload, int payloadBytes, bool digestMatches)
{
    public PacketHeader Header { get; } = header;

    public ReadOnlySpan<byte> Body { get; } = body;

    public BufferHandle Payload { get; } = payload;

    public int PayloadBytes { get; } = payloadBytes;

    public bool DigestMatches { get; } = digestMatches;
}
