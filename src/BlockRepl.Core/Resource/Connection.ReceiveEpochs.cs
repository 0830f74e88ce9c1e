using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>
/// The peer's epochs as this node receives them. A barrier is acked when all writes in front of it are done, acked and,
/// as configured, flushed; writes behind it are received meanwhile but not started.
/// </summary>
internal sealed partial class Connection
{
    private readonly Queue<ReceiveEpoch> _receiveEpochs = new();
    private readonly Stack<ReceiveEpoch> _spareEpochs = new();
    private ReceiveEpoch _openEpoch = new();
    private PeerRequest? _undecided;
    private long _sequenceDeadlineNs = long.MaxValue;

    public int EpochCount => _receiveEpochs.Count + 1;

    /// <summary>f flush, d drain, n none.</summary>
    public char WriteOrdering
    {
        get
        {
            bool flush = false;
            bool drain = false;
            foreach (Volume volume in _core.Volumes)
            {
                flush |= volume.Options.Disk.DiskFlushes;
                drain |= volume.Options.Disk.DiskDrain;
            }

            return flush ? 'f' : drain ? 'd' : 'n';
        }
    }

    public ReceiveEpoch JoinReceiveEpoch()
    {
        _openEpoch.Writes++;
        _openEpoch.Active++;
        return _openEpoch;
    }

    /// <summary>A write may start when no epoch before its own is unfinished.</summary>
    public bool MayStart(ReceiveEpoch epoch) =>
        WriteOrdering == 'n' || _receiveEpochs.Count == 0 || _receiveEpochs.Peek() == epoch;

    /// <summary>The data stream is not read on until it is known what becomes of this write.</summary>
    public void OnWriteUndecided(PeerRequest peer)
    {
        _undecided = peer;
        _sequenceDeadlineNs = _core.NowNs + PingTimeoutNs;
    }

    public void OnWriteDecided(PeerRequest peer)
    {
        if (_undecided == peer)
        {
            _undecided = null;
            StopSequenceClock();
        }
    }

    /// <summary>Everything sent before the write has come: what it waits for now is this node's own business.</summary>
    public void StopSequenceClock() => _sequenceDeadlineNs = long.MaxValue;

    private void OnBarrier(in BarrierPacket barrier)
    {
        _openEpoch.BarrierReceived = true;
        _openEpoch.Barrier = barrier.Number;
        _receiveEpochs.Enqueue(_openEpoch);
        if (!_spareEpochs.TryPop(out ReceiveEpoch? next))
        {
            next = new ReceiveEpoch();
        }

        next.Reset();
        _openEpoch = next;
        CheckReceiveEpochs();
    }

    /// <summary>Flushes and acks the oldest epochs as far as they are done.</summary>
    public void CheckReceiveEpochs()
    {
        while (_receiveEpochs.TryPeek(out ReceiveEpoch? epoch) && epoch.Active == 0)
        {
            if (epoch.FlushesPending < 0)
            {
                epoch.FlushesPending = 0;
                foreach (Volume volume in _core.Volumes)
                {
                    if (volume.LostUnflushedData)
                    {
                        volume.ForgetUnflushedData();
                        Break(ConnectionState.ProtocolError, "the disk failed before the peer's writes were flushed");
                        return;
                    }

                    epoch.FlushesPending += volume.FlushForBarrier(Generation) ? 1 : 0;
                }
            }

            if (epoch.FlushesPending > 0)
            {
                return;
            }

            _receiveEpochs.Dequeue();
            if (IsOperational && epoch.Writes > 0)
            {
                SendMeta(null, Command.BarrierAck, new BarrierAckPacket(epoch.Barrier, (uint)epoch.Writes));
            }

            _spareEpochs.Push(epoch);
            _core.WakeBlocked();
        }
    }

    /// <summary>
    /// A flush for a barrier ended. If it failed the writes may not be durable, and a barrier ack would make the peer
    /// forget them: the connection ends instead, so that it marks them.
    /// </summary>
    public void OnBarrierFlushed(int generation, bool failed)
    {
        if ((uint)generation != Generation || !_receiveEpochs.TryPeek(out ReceiveEpoch? epoch))
        {
            return;
        }

        if (failed)
        {
            Break(ConnectionState.ProtocolError, "flushing the disk for the peer's barrier failed");
            return;
        }

        epoch.FlushesPending--;
        CheckReceiveEpochs();
    }

    private void ResetReceiveEpochs()
    {
        // Writes of the old connection that still run keep their epoch object: it must not be used again.
        _receiveEpochs.Clear();
        _openEpoch = new ReceiveEpoch();
        _undecided = null;
        StopSequenceClock();
    }

    /// <summary>
    /// Acks that the peer is to send follow from the packet's flags, or before version 100 from the protocol.
    /// </summary>
    public DataFlags EffectiveFlags(DataFlags flags)
    {
        if (AgreedVersion >= 100)
        {
            return flags;
        }

        DataFlags known = flags & ~(DataFlags.SendReceiveAck | DataFlags.SendWriteAck);
        return Net.Protocol switch
        {
            ReplicationProtocol.B => known | DataFlags.SendReceiveAck,
            ReplicationProtocol.C => known | DataFlags.SendWriteAck,
            _ => known,
        };
    }
}
