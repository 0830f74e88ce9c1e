using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>Packets of both streams, to the volume they concern.</summary>
internal sealed partial class Connection
{
    /// <summary>What must end before the next packet of the data stream is looked at.</summary>
    private Script? _receiver;

    /// <summary>Whether the next packet of a stream may be cut and delivered now.</summary>
    public bool WantsPacket(StreamId stream)
    {
        if (_phase == Phase.Connecting)
        {
            return _loop.WantsPacket(stream);
        }

        if (stream == _data && !stream.IsNone)
        {
            return _receiver is null && _undecided is null && _core.PeerRequestCount < MaxQueuedPeerRequests;
        }

        return stream == _meta && !stream.IsNone && _phase == Phase.Operational;
    }

    /// <summary>
    /// Requests of the peer that wait or run; beyond, its data stream is not read on (TCP tells the peer).
    /// </summary>
    private int MaxQueuedPeerRequests => Math.Max(64, Net.MaxBuffersPages);

    public void OnStreamAccepted(StreamId stream)
    {
        if (_phase == Phase.Connecting)
        {
            _loop.OnAccepted(_core.NowNs, stream);
        }
        else
        {
            _host.CloseStream(stream, sendFirst: false);
        }
    }

    public void OnStreamOpened(StreamId stream)
    {
        if (_phase == Phase.Connecting)
        {
            _loop.OnOpened(_core.NowNs, stream);
            CheckConnected();
        }
        else
        {
            _host.CloseStream(stream, sendFirst: false);
        }
    }

    public void OnStreamClosed(StreamId stream, StreamCloseReason reason)
    {
        if (_phase == Phase.Connecting)
        {
            _loop.OnClosed(_core.NowNs, stream);
        }
        else if (stream == _data)
        {
            Break(ConnectionState.BrokenPipe, $"the data stream ended ({reason})");
        }
        else if (stream == _meta)
        {
            Break(ConnectionState.NetworkFailure, $"the meta stream ended ({reason})");
        }
    }

    public void OnViolation(StreamId stream, ProtocolViolation violation)
    {
        if (_phase == Phase.Connecting)
        {
            _loop.OnClosed(_core.NowNs, stream);
            _host.CloseStream(stream, sendFirst: false);
        }
        else if (stream == _meta && violation == ProtocolViolation.UnknownCommand)
        {
            Break(ConnectionState.ProtocolError, "an unknown command on the meta stream");
        }
        else if (stream == _data || stream == _meta)
        {
            Break(ConnectionState.ProtocolError, $"protocol violation: {violation}");
        }
    }

    public void OnPacket(StreamId stream, in ReceivedPacket packet)
    {
        if (_phase == Phase.Connecting)
        {
            _loop.OnFirstPacket(_core.NowNs, stream, packet.Header.Command);
            CheckConnected();
        }
        else if (stream == _data && _phase < Phase.Operational)
        {
            OnHandshakePacket(packet);
        }
        else if (stream == _data)
        {
            _lastDataNs = _core.NowNs;
            OnDataPacket(packet);
        }
        else if (stream == _meta && _phase == Phase.Operational)
        {
            _lastMetaNs = _core.NowNs;
            OnMetaPacket(packet);
        }
        else if (!packet.Payload.IsNone)
        {
            _host.ReleaseBuffer(packet.Payload);
        }
    }

    private void OnDataPacket(in ReceivedPacket packet)
    {
        Volume? volume = _core.FindVolume(packet.Header.Volume);
        if (!packet.DigestMatches)
        {
            _host.ReleaseBuffer(packet.Payload);
            Break(
                ConnectionState.ProtocolError,
                $"{packet.Header.Command}: the digest does not fit the data; nothing was written");
            return;
        }

        switch (packet.Header.Command)
        {
            case Command.Protocol:
            case Command.ProtocolUpdate:
                OnProtocol(packet, packet.Header.Command == Command.ProtocolUpdate);
                return;
            case Command.SyncParam:
            case Command.SyncParam89:
                OnSyncParam(volume, packet);
                return;
            case Command.Barrier:
                OnBarrier(BarrierPacket.Decode(packet.Body, _framing));
                return;
            case Command.ConnStateChangeRequest:
                OnConnectionStateRequest(StateChangeRequestPacket.Decode(packet.Body, _framing));
                return;
            case Command.UnplugRemote:
            case Command.DelayProbe:
                return;
            default:
                break;
        }

        if (volume is not null)
        {
            OnVolumePacket(volume, packet);
        }
        else if (packet.Header.Command is not (Command.Sizes or Command.Uuids or Command.State))
        {
            ReleaseIfAny(packet.Payload);
            Break(
                ConnectionState.ProtocolError,
                $"{packet.Header.Command} for volume {packet.Header.Volume}, which is not configured here");
        }
    }

    private void ReleaseIfAny(BufferHandle payload)
    {
        if (!payload.IsNone)
        {
            _host.ReleaseBuffer(payload);
        }
    }

    private void OnVolumePacket(Volume volume, in ReceivedPacket packet)
    {
        Command command = packet.Header.Command;
        if (volume.IsReceivingBitmap && command is not (Command.Bitmap or Command.CompressedBitmap))
        {
            ReleaseIfAny(packet.Payload);
            Break(ConnectionState.ProtocolError, $"{command} inside a bitmap transfer");
            return;
        }

        switch (command)
        {
            case Command.Sizes:
                Run("P_SIZES", volume.OnSizes(SizesPacket.Decode(packet.Body, _framing)));
                break;
            case Command.Uuids:
                Run("P_UUIDS", volume.OnUuids(UuidsPacket.Decode(packet.Body, _framing)));
                break;
            case Command.State:
                Run("P_STATE", volume.OnState(StatePacket.Decode(packet.Body, _framing).Word));
                break;
            case Command.SyncUuid:
                Run("P_SYNC_UUID", volume.OnSyncUuid(SyncUuidPacket.Decode(packet.Body, _framing).Uuid));
                break;
            case Command.StateChangeRequest:
                OnVolumeStateRequest(volume, StateChangeRequestPacket.Decode(packet.Body, _framing));
                break;
            case Command.Bitmap:
            case Command.CompressedBitmap:
                ProtocolViolation violation = volume.OnBitmap(command, packet.Body, _framing);
                if (violation != ProtocolViolation.None)
                {
                    Break(ConnectionState.ProtocolError, $"bitmap transfer: {violation}");
                }

                break;
            default:
                OnBlockPacket(volume, packet);
                break;
        }
    }

    /// <summary>Starts a receiver's script; most end at once.</summary>
    private void Run(string name, IEnumerable<Func<bool>> steps)
    {
        Script script = new(name, steps);
        script.Advance();
        if (!script.Ended)
        {
            _receiver = script;
        }
    }

    public bool AdvanceReceiver()
    {
        if (_receiver is null)
        {
            return false;
        }

        Script script = _receiver;
        bool progress = script.Advance();
        if (script.Ended && _receiver == script)
        {
            _receiver = null;
        }

        return progress;
    }

    /// <summary>Packets that name blocks: the range is checked before anything else.</summary>
    private void OnBlockPacket(Volume volume, in ReceivedPacket packet)
    {
        Command command = packet.Header.Command;
        switch (command)
        {
            case Command.Data:
            case Command.RsDataReply:
            case Command.DataReply:
                OnBulk(volume, packet, DataHeader.Decode(packet.Body, _framing));
                break;
            case Command.Trim:
            case Command.Zeroes:
                ZeroHeader zero = ZeroHeader.Decode(packet.Body, _framing);
                if (Fits(volume, command, zero.Data.Sector, zero.ByteCount, CoreLimits.MaxZeroBytes))
                {
                    volume.OnPeerZero(zero, command == Command.Trim);
                }

                break;
            case Command.OutOfSync:
            case Command.RsDeallocated:
                OnDescription(volume, command, BlockDescription.Decode(packet.Body, _framing));
                break;
            case Command.DataRequest:
            case Command.RsDataRequest:
            case Command.RsThinRequest:
            case Command.CsumRsRequest:
            case Command.OvRequest:
            case Command.OvReply:
                OnBlockRequest(volume, packet, BlockRequest.Decode(packet.Body, _framing));
                break;
            default:
                ReleaseIfAny(packet.Payload);
                Break(ConnectionState.ProtocolError, $"{command} does not belong here");
                break;
        }
    }

    private void OnBulk(Volume volume, in ReceivedPacket packet, in DataHeader data)
    {
        Command command = packet.Header.Command;
        if (packet.PayloadBytes == 0)
        {
            // An empty flush of very old peers: it counts as a write of the epoch, and that is all.
            ReleaseIfAny(packet.Payload);
            JoinReceiveEpoch().Active--;
            return;
        }

        if (command == Command.DataReply)
        {
            OnDataReply(volume, data, packet.Payload, packet.PayloadBytes);
            return;
        }

        if (!Fits(volume, command, data.Sector, packet.PayloadBytes, CoreLimits.MaxPayloadBytes))
        {
            ReleaseIfAny(packet.Payload);
        }
        else if (command == Command.Data)
        {
            volume.OnPeerWrite(data, packet.Payload, packet.PayloadBytes);
        }
        else
        {
            volume.OnResyncData(data, packet.Payload, packet.PayloadBytes);
        }
    }

    private void OnDescription(Volume volume, Command command, in BlockDescription area)
    {
        if (!Fits(volume, command, area.Sector, area.ByteCount, CoreLimits.MaxZeroBytes))
        {
            return;
        }

        if (command == Command.OutOfSync)
        {
            volume.Bitmap?.SetRange(area.Sector, (ulong)area.ByteCount);
        }
        else
        {
            volume.OnResyncDeallocated(area);
        }
    }

    private void OnBlockRequest(Volume volume, in ReceivedPacket packet, in BlockRequest wanted)
    {
        Command command = packet.Header.Command;
        if (!Fits(volume, command, wanted.Sector, wanted.ByteCount, CoreLimits.MaxPayloadBytes))
        {
            return;
        }

        switch (command)
        {
            case Command.DataRequest:
                volume.OnPeerRead(wanted);
                break;
            case Command.OvRequest:
                volume.OnVerifyRequest(wanted);
                break;
            case Command.OvReply:
                volume.OnVerifyReply(wanted, packet.Body[BlockRequest.Size..]);
                break;
            default:
                volume.OnResyncRequest(command, wanted, packet.Body[BlockRequest.Size..]);
                break;
        }
    }

    /// <summary>The peer is trusted as little as anybody: outside of the device there is nothing.</summary>
    private bool Fits(Volume volume, Command command, ulong sector, int byteCount, int most)
    {
        ulong sectors = (ulong)byteCount >> 9;
        bool fits = byteCount > 0 && byteCount <= most && byteCount % 512 == 0
            && sector < volume.SizeSectors && sectors <= volume.SizeSectors - sector;
        if (!fits)
        {
            Break(
                ConnectionState.ProtocolError,
                $"{command} of {byteCount} bytes at sector {sector} is outside of the device");
        }

        return fits;
    }

    private void OnMetaPacket(in ReceivedPacket packet)
    {
        Command command = packet.Header.Command;
        switch (command)
        {
            case Command.Ping:
                SendMeta(Command.PingAck);
                return;
            case Command.PingAck:
                OnPingAck();
                return;
            case Command.BarrierAck:
                OnBarrierAck(BarrierAckPacket.Decode(packet.Body, _framing));
                return;
            case Command.StateChangeReply:
            case Command.ConnStateChangeReply:
                _stateReply = StateChangeReplyPacket.Decode(packet.Body, _framing).Code;
                return;
            case Command.DelayProbe:
                return;
            default:
                break;
        }

        Volume? volume = _core.FindVolume(packet.Header.Volume);
        if (volume is null)
        {
            Break(
                ConnectionState.ProtocolError,
                $"{command} for volume {packet.Header.Volume}, which is not configured here");
            return;
        }

        OnAck(volume, command, BlockAck.Decode(packet.Body, _framing));
    }

    private void OnAck(Volume volume, Command command, in BlockAck ack)
    {
        volume.SawPeerSequence(ack.SequenceNumber);
        if (_undecided is not null)
        {
            _core.WakeBlocked();
        }

        bool syncer = ack.BlockId == BlockIds.Syncer;
        switch (command)
        {
            case Command.RsWriteAck when syncer:
                volume.OnResyncWritten(ack.Sector, ack.ByteCount);
                break;
            case Command.NegAck when syncer:
                volume.OnResyncNotWritten(ack.Sector, ack.ByteCount);
                break;
            case Command.RecvAck:
            case Command.WriteAck:
            case Command.RsWriteAck:
            case Command.NegAck:
                OnWriteAck(volume, command, ack);
                break;
            case Command.Superseded:
                OnConflict(volume, WriteConflict.Superseded, ack);
                break;
            case Command.RetryWrite:
                OnConflict(volume, WriteConflict.Retry, ack);
                break;
            case Command.NegDReply:
                OnReadRefused(volume, ack);
                break;
            case Command.NegRsDReply when volume.State.Connection is ConnectionState.VerifyS or ConnectionState.VerifyT:
                volume.OnVerifyResult(ack.Sector, ack.ByteCount, differs: false);
                break;
            case Command.NegRsDReply:
                volume.OnResyncFailed(ack.Sector, ack.ByteCount);
                break;
            case Command.RsCancel:
                volume.OnResyncCancelled(ack.Sector, ack.ByteCount);
                break;
            case Command.RsIsInSync:
                volume.OnIsInSync(ack.Sector, ack.ByteCount);
                break;
            case Command.OvResult:
                volume.OnVerifyResult(ack.Sector, ack.ByteCount, ack.BlockId == BlockIds.OutOfSync);
                break;
            default:
                Break(ConnectionState.ProtocolError, $"{command} does not belong on the meta stream");
                break;
        }
    }
}
