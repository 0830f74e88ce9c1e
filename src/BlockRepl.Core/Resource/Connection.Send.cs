using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Resource;

/// <summary>Everything that leaves: packets on both streams, bitmaps, and the numbers they carry.</summary>
internal sealed partial class Connection
{
    /// <summary>
    /// While more than this waits in the data stream's queue no further resync request or bitmap packet is added.
    /// </summary>
    private const long MuchQueuedBytes = 512 << 10;

    private readonly byte[] _scratch = new byte[PacketWriter.MaxPacketSize];
    private readonly byte[] _bitmapBody = new byte[PacketWriter.MaxPacketSize];
    private readonly Queue<Volume> _bitmapQueue = new();
    private BitmapSender? _bitmapSender;
    private Volume? _bitmapVolume;

    /// <summary>Which volume's bitmap is being sent, or waits for its turn: no write may be sent meanwhile.</summary>
    public bool SendsBitmap => _bitmapSender is not null || _bitmapQueue.Count > 0;

    public bool IsSendingBitmapOf(Volume volume) => _bitmapVolume == volume || _bitmapQueue.Contains(volume);

    public bool CanQueueResync => _host.GetBacklog(_data).QueuedBytes < MuchQueuedBytes;

    /// <summary>A packet that is its fixed part, on the data stream.</summary>
    public void Send<T>(Volume? volume, Command command, in T body)
        where T : struct, IPacketBody
    {
        int length = PacketWriter.Write(_scratch, _framing, NumberOf(volume), command, body);
        _host.Send(_data, _scratch.AsSpan(0, length));
    }

    public void SendWithDigest<T>(Volume volume, Command command, in T body, ReadOnlySpan<byte> digest)
        where T : struct, IPacketBody
    {
        int length = PacketWriter.WriteWithTail(_scratch, _framing, NumberOf(volume), command, body, digest);
        _host.Send(_data, _scratch.AsSpan(0, length));
    }

    private void SendRaw(Command command, ReadOnlySpan<byte> body)
    {
        int length = PacketWriter.WriteRaw(_scratch, _framing, 0, command, body);
        _host.Send(_data, _scratch.AsSpan(0, length));
    }

    private void SendMeta(Command command)
    {
        int length = PacketWriter.WriteEmpty(_scratch, _framing, 0, command);
        _host.Send(_meta, _scratch.AsSpan(0, length));
    }

    private void SendMeta<T>(Volume? volume, Command command, in T body)
        where T : struct, IPacketBody
    {
        int length = PacketWriter.Write(_scratch, _framing, NumberOf(volume), command, body);
        _host.Send(_meta, _scratch.AsSpan(0, length));
    }

    private ushort NumberOf(Volume? volume) =>
        volume is null || AgreedVersion < 100 ? (ushort)0 : (ushort)volume.Number;

    /// <summary>An ack on the meta stream; each takes a number of the volume's packet sequence.</summary>
    public void SendAck(Volume volume, Command command, ulong sector, ulong blockId, int byteCount)
    {
        if (IsOperational)
        {
            SendMeta(volume, command, new BlockAck(sector, blockId, byteCount, ++volume.PacketSequence));
        }
    }

    /// <summary>
    /// P_DATA_REPLY or P_RS_DATA_REPLY from the buffer of a peer's request, which is kept until it was sent.
    /// </summary>
    public void SendReply(Volume volume, Command command, PeerRequest peer)
    {
        volume.Counters.SentSectors += (ulong)peer.ByteCount >> 9;
        DigestAlgorithm digest = SendDigest;
        DataHeader head = new(peer.Sector, peer.BlockId, 0, DataFlags.None);
        int length = PacketWriter.WriteHead(
            _scratch, _framing, NumberOf(volume), command, head, digest.Size() + peer.ByteCount);
        _host.SendPayload(
            _data, _scratch.AsSpan(0, length), digest, peer.Buffer, peer.ByteCount,
            CoreToken.Send(TokenKind.PeerRequest, peer.Index));
    }

    public void SendOutOfSync(Volume volume, ulong sector, int byteCount)
    {
        FlushBarrier();
        Send(volume, Command.OutOfSync, new BlockDescription(sector, byteCount));
    }

    /// <summary>P_DATA_REQUEST for a read that this node cannot serve itself.</summary>
    public void RequestData(Volume volume, Request request)
    {
        FlushBarrier();
        request.SentAtNs = _core.NowNs;
        Send(volume, Command.DataRequest, new BlockRequest(request.Sector, request.BlockId, request.ByteCount));
    }

    public void QueueBitmap(Volume volume)
    {
        _bitmapQueue.Enqueue(volume);
        PumpBitmap();
    }

    /// <summary>
    /// Sends bitmap packets as long as the stream takes them. A transfer owns the data stream: nothing else may come
    /// between its packets, so the whole of it is queued in one go, and the next one only when the stream has emptied.
    /// </summary>
    public void PumpBitmap()
    {
        while (_bitmapQueue.TryPeek(out Volume? volume) && IsOperational && CanQueueResync && !volume.HasStartedWrites)
        {
            _bitmapQueue.Dequeue();
            _bitmapSender = volume.CreateBitmapSender(_framing);
            _bitmapVolume = volume;
            while (_bitmapSender is not null
                && _bitmapSender.WriteNext(_bitmapBody, out Command command, out int bytes))
            {
                int length = PacketWriter.WriteRaw(
                    _scratch, _framing, NumberOf(volume), command, _bitmapBody.AsSpan(0, bytes));
                _host.Send(_data, _scratch.AsSpan(0, length));
            }

            _bitmapSender = null;
            _bitmapVolume = null;
            volume.OnBitmapSent();
        }
    }

    /// <summary>A transfer that waits for its turn, and for which there is no reason any more.</summary>
    public void DropBitmap(Volume volume)
    {
        for (int i = _bitmapQueue.Count; i > 0; i--)
        {
            Volume next = _bitmapQueue.Dequeue();
            if (next != volume)
            {
                _bitmapQueue.Enqueue(next);
            }
        }
    }

    private void ForgetBitmaps()
    {
        _bitmapQueue.Clear();
        _bitmapSender = null;
        _bitmapVolume = null;
    }
}
