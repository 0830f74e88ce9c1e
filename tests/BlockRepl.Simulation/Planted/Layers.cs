using System.Buffers.Binary;
using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Simulation.Planted;

internal sealed class SkipMetaFlush(ICoreHost inner) : ForwardingHost(inner)
{
    public override void FlushMeta(int volume, IoToken token) =>
        Host.After(50 * Duration.Microsecond, core => core.OnMetaDone(Host.NowNs, volume, token, IoError.None, []));
}

internal sealed class SkipLogWrite(ICoreHost inner) : ForwardingHost(inner)
{
    public override void WriteMeta(int volume, IoToken token, long byteOffset, ReadOnlySpan<byte> data)
    {
        MetaDataLayout layout = Host.Node.Volume(volume).Layout;
        if (byteOffset >= layout.ActivityLogOffset && byteOffset < layout.ActivityLogOffset + layout.ActivityLogBytes)
        {
            Host.After(50 * Duration.Microsecond, core => core.OnMetaDone(Host.NowNs, volume, token, IoError.None, []));
            return;
        }

        base.WriteMeta(volume, token, byteOffset, data);
    }
}

internal sealed class SkipBitmapWrite(ICoreHost inner) : ForwardingHost(inner)
{
    public override void WriteMeta(int volume, IoToken token, long byteOffset, ReadOnlySpan<byte> data)
    {
        MetaDataLayout layout = Host.Node.Volume(volume).Layout;
        if (byteOffset >= layout.BitmapOffset && byteOffset < layout.BitmapOffset + layout.BitmapBytes)
        {
            Host.After(50 * Duration.Microsecond, core => core.OnMetaDone(Host.NowNs, volume, token, IoError.None, []));
            return;
        }

        base.WriteMeta(volume, token, byteOffset, data);
    }
}

internal sealed class SkipDataFlush(ICoreHost inner) : ForwardingHost(inner)
{
    public override void FlushDisk(int volume, IoToken token) =>
        Host.After(50 * Duration.Microsecond, core => core.OnDiskDone(Host.NowNs, volume, token, IoError.None));
}

internal sealed class SkipRecord(ICoreHost inner) : ForwardingHost(inner)
{
    public override void RecordWrite(int volume, int slot, in WriteRange write)
    {
    }
}

internal sealed class ClaimExactRecord(ICoreHost inner) : ForwardingHost(inner)
{
    public override void RecordFacts(int volume, in RecordFacts facts) =>
        base.RecordFacts(volume, facts with { IsExact = true });
}

/// <summary>The write itself happens a little later, from a copy.</summary>
internal sealed class AnswerWritesEarly(ICoreHost inner) : ForwardingHost(inner)
{
    public override void WriteDisk(
        int volume, IoToken token, ulong sector, int byteCount, BufferHandle buffer, bool forceUnitAccess)
    {
        byte[] copy = Host.Buffers.Bytes(buffer).AsSpan(0, byteCount).ToArray();
        Host.After(10 * Duration.Microsecond, core => core.OnDiskDone(Host.NowNs, volume, token, IoError.None));
        Host.After(3 * Duration.Millisecond, _ => Host.Node.Volume(volume).Data.Preset((long)sector * 512, copy));
    }
}

/// <summary>The application's writes are answered when their local write ends, whatever the peer says.</summary>
internal sealed class AnswerRequestsEarly(ICoreHost inner) : ForwardingHost(inner)
{
    private readonly HashSet<ulong> _answered = [];

    public override void SendPayload(
        StreamId stream, ReadOnlySpan<byte> head, DigestAlgorithm digest, BufferHandle buffer, int byteCount,
        SendToken token)
    {
        if (Host.Node.FrontEnd.FindWrite(buffer) is { } request && _answered.Add(request))
        {
            Host.CompleteRequest(new FrontEndToken(request), RequestError.None);
        }

        base.SendPayload(stream, head, digest, buffer, byteCount, token);
    }

    public override void CompleteRequest(FrontEndToken token, RequestError error)
    {
        if (!_answered.Contains(token.Value))
        {
            base.CompleteRequest(token, error);
        }
    }
}

internal delegate void PacketChange(Span<byte> body);

internal sealed class RewritePacket(ICoreHost inner, Command command, PacketChange change) : ForwardingHost(inner)
{
    public override void Send(StreamId stream, ReadOnlySpan<byte> packet)
    {
        if (Packets.CommandOf(packet) == command)
        {
            byte[] copy = packet.ToArray();
            change(copy.AsSpan(Packets.HeaderBytes(packet)));
            base.Send(stream, copy);
            return;
        }

        base.Send(stream, packet);
    }
}

internal sealed class DropPacket(ICoreHost inner, Command command) : ForwardingHost(inner)
{
    public override void Send(StreamId stream, ReadOnlySpan<byte> packet)
    {
        if (Packets.CommandOf(packet) != command)
        {
            base.Send(stream, packet);
        }
    }
}

/// <summary>Every other resync answer goes out with the payload of the one before it.</summary>
internal sealed class StaleResync(ICoreHost inner) : ForwardingHost(inner)
{
    private byte[]? _before;

    public override void SendPayload(
        StreamId stream, ReadOnlySpan<byte> head, DigestAlgorithm digest, BufferHandle buffer, int byteCount,
        SendToken token)
    {
        if (Packets.CommandOf(head) == Command.RsDataReply)
        {
            Span<byte> payload = Host.Buffers.Bytes(buffer).AsSpan(0, byteCount);
            byte[] now = payload.ToArray();
            if (_before is not null && _before.Length == byteCount)
            {
                _before.CopyTo(payload);
            }

            _before = now;
        }

        base.SendPayload(stream, head, digest, buffer, byteCount, token);
    }
}

internal sealed class LeakBuffer(ICoreHost inner) : ForwardingHost(inner)
{
    private int _count;

    public override void ReleaseBuffer(BufferHandle buffer)
    {
        if (++_count % 50 != 0)
        {
            base.ReleaseBuffer(buffer);
        }
    }
}

/// <summary>The little that the layers must know of packets.</summary>
internal static class Packets
{
    public static int HeaderBytes(ReadOnlySpan<byte> packet) =>
        BinaryPrimitives.ReadUInt32BigEndian(packet) == 0x8620ec20 ? 16 : 8;

    public static Command CommandOf(ReadOnlySpan<byte> packet)
    {
        bool header95 = BinaryPrimitives.ReadUInt16BigEndian(packet) == 0x835a;
        int offset = header95 ? 2 : HeaderBytes(packet) == 16 ? 6 : 4;
        return (Command)BinaryPrimitives.ReadUInt16BigEndian(packet[offset..]);
    }
}
