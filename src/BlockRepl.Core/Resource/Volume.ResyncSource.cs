using BlockRepl.Core.Protocol;
using BlockRepl.Core.Resync;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>SyncSource: answers the target's requests in an order that never puts old data behind new ones.</summary>
internal sealed partial class Volume
{
    /// <summary>Blocks sent to the target that it has not acknowledged.</summary>
    private readonly List<(ulong Sector, int ByteCount)> _unacknowledgedReplies = [];

    private SourceThrottle _sourceThrottle;

    /// <summary>c-min-rate: until then no resync request is served; long.MaxValue = no rest.</summary>
    public long SourceRestUntilNs { get; private set; } = long.MaxValue;

    public void EndSourceRest()
    {
        SourceRestUntilNs = long.MaxValue;
        _core.WakeBlocked();
    }

    /// <summary>Not for a target that is Primary: its application may be waiting for just these blocks.</summary>
    private bool RestsBefore(PeerRequest peer)
    {
        if (State.PeerRole == Role.Primary || peer.IsServed)
        {
            return false;
        }

        peer.IsServed = _sourceThrottle.TryServe(
            _core.NowNs, peer.ByteCount, Counters.ApplicationSectors, Log?.PendingChanges > 0,
            ResyncSettings.MinRateKiBPerSecond, out long retryNs);
        if (!peer.IsServed)
        {
            SourceRestUntilNs = retryNs;
        }

        return !peer.IsServed;
    }

    /// <summary>P_RS_DATA_REQUEST, P_RS_THIN_REQ, P_CSUM_RS_REQUEST (with the target's digest).</summary>
    public void OnResyncRequest(Command command, in BlockRequest wanted, ReadOnlySpan<byte> digest)
    {
        if (State.Connection == ConnectionState.Ahead)
        {
            Connection.SendAck(this, Command.RsCancel, wanted.Sector, BlockIds.Syncer, wanted.ByteCount);
            return;
        }

        if (State.Disk != DiskState.UpToDate)
        {
            Connection.SendAck(this, Command.NegRsDReply, wanted.Sector, wanted.BlockId, wanted.ByteCount);
            return;
        }

        PeerRequest peer = NewPeerRequest(PeerRequestKind.SourceRead, wanted.Sector, wanted.ByteCount);
        peer.Command = command;
        peer.BlockId = BlockIds.Syncer;
        digest.CopyTo(peer.Digest);
        peer.DigestBytes = digest.Length;
        peer.Resync = _resyncNumber;
        Counters.BeginUnacknowledged();
        TryStartPeer(peer);
    }

    /// <summary>
    /// 1. a block was asked for; 2. the target's disk went and came back, with it another resync; 3. an answer to what
    /// was asked for before would overtake the writes that the target got from its own application meanwhile. Nor is a
    /// write on the target that outlives its resync an answer in the next.
    /// </summary>
    private bool IsWantedStill(PeerRequest peer) => CanAnswer(peer) && peer.Resync == _resyncNumber;

    private void FinishSourceRead(PeerRequest peer, bool ok)
    {
        if (!IsWantedStill(peer))
        {
            Counters.EndUnacknowledged();
            RemovePeerRequest(peer);
            return;
        }

        if (State.Connection == ConnectionState.Ahead)
        {
            CancelResyncRequest(peer);
            return;
        }

        if (!ok)
        {
            Counters.EndUnacknowledged();
            Connection.SendAck(this, Command.NegRsDReply, peer.Sector, BlockIds.Syncer, peer.ByteCount);
            _resyncFailedBits += Blocks(peer.ByteCount);
            RemovePeerRequest(peer);
            return;
        }

        if (peer.Command == Command.CsumRsRequest && peer.DigestBytes == Connection.ChecksumAlgorithm.Size())
        {
            _host.Hash(
                CoreToken.Io(TokenKind.PeerRequest, peer.Index), Connection.ChecksumAlgorithm, peer.Buffer,
                peer.ByteCount);
            return;
        }

        if (peer.Command == Command.RsThinRequest && _host.IsZero(peer.Buffer, peer.ByteCount))
        {
            Counters.EndUnacknowledged();
            Connection.Send(this, Command.RsDeallocated, new BlockDescription(peer.Sector, peer.ByteCount));
            _unacknowledgedReplies.Add((peer.Sector, peer.ByteCount));
            RemovePeerRequest(peer);
            return;
        }

        ReplyWithBlocks(peer);
    }

    private void OnSourceHash(PeerRequest peer, ReadOnlySpan<byte> digest)
    {
        if (!IsWantedStill(peer))
        {
            Counters.EndUnacknowledged();
            RemovePeerRequest(peer);
            return;
        }

        if (State.Connection == ConnectionState.Ahead)
        {
            CancelResyncRequest(peer);
            return;
        }

        if (digest.SequenceEqual(peer.Digest.AsSpan(0, peer.DigestBytes)))
        {
            Counters.EndUnacknowledged();
            Connection.SendAck(this, Command.RsIsInSync, peer.Sector, BlockIds.Syncer, peer.ByteCount);
            ClearInSync(peer.Sector, peer.ByteCount);
            RemovePeerRequest(peer);
            return;
        }

        ReplyWithBlocks(peer);
    }

    private void ReplyWithBlocks(PeerRequest peer)
    {
        Counters.EndUnacknowledged();
        Counters.BeginPeerPending();
        Connection.SendReply(this, Command.RsDataReply, peer);
        _unacknowledgedReplies.Add((peer.Sector, peer.ByteCount));

        // Queued: whatever is queued later stands behind it in the stream, so writes to these blocks may go on.
        peer.Kind = PeerRequestKind.Read;
        _core.WakeBlocked();
    }

    /// <summary>
    /// 1. the block was read; 2. this node pulled ahead; 3. a write to the block, not replicated any more, changed it
    /// and found its bit still set; 4. the answer to what was read would clear that bit. So the target has to ask
    /// again.
    /// </summary>
    private void CancelResyncRequest(PeerRequest peer)
    {
        Counters.EndUnacknowledged();
        Connection.SendAck(this, Command.RsCancel, peer.Sector, BlockIds.Syncer, peer.ByteCount);
        RemovePeerRequest(peer);
    }

    /// <summary>
    /// While Ahead a write waits until the same blocks, sent as a resync answer or as an earlier write, are confirmed:
    /// what it marks must not be cleared by that confirmation.
    /// </summary>
    private bool IsAnsweredButUnacknowledged(ulong sector, ulong endSector)
    {
        if (State.Connection != ConnectionState.Ahead)
        {
            return false;
        }

        foreach ((ulong start, int bytes) in _unacknowledgedReplies)
        {
            if (start < endSector && sector < start + ((ulong)bytes >> 9))
            {
                return true;
            }
        }

        return Connection.HasUnconfirmedWrite(this, sector, endSector);
    }

    /// <summary>
    /// False if the acknowledged answer is not of this resync: it says nothing about what was written since.
    /// </summary>
    private bool EndReply(ulong sector, int byteCount)
    {
        Counters.EndPeerPending();
        if (State.Connection == ConnectionState.Ahead)
        {
            _core.WakeBlocked();
        }

        return _unacknowledgedReplies.Remove((sector, byteCount));
    }

    /// <summary>P_RS_WRITE_ACK with ID_SYNCER.</summary>
    public void OnResyncWritten(ulong sector, int byteCount)
    {
        if (EndReply(sector, byteCount))
        {
            ClearInSync(sector, byteCount);
        }
    }

    /// <summary>P_NEG_ACK with ID_SYNCER: the target could not write.</summary>
    public void OnResyncNotWritten(ulong sector, int byteCount)
    {
        if (EndReply(sector, byteCount))
        {
            _resyncFailedBits += Blocks(byteCount);
        }
    }
}
