using BlockRepl.Core.Bitmap;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.Resync;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>SyncTarget: asks for out-of-sync blocks at the controller's pace and writes what comes.</summary>
internal sealed partial class Volume
{
    private const ulong BlocksPerResyncExtent = 4096;

    /// <summary>Ranges asked for and not yet answered; a Primary must not write there.</summary>
    private readonly List<(ulong Sector, int ByteCount)> _outstanding = [];
    private ResyncThrottle _throttle;
    private ulong _nextBit;
    private int _budget;
    private int _outstandingBlocks;
    private bool _holdRequests;

    public long NextResyncStepNs { get; private set; } = long.MaxValue;

    private void BeginRequesting()
    {
        _nextBit = 0;
        _budget = 0;
        _outstandingBlocks = 0;
        _outstanding.Clear();
        NextResyncStepNs = IsTarget ? _core.NowNs : long.MaxValue;
    }

    private void ForgetOutstandingRequests()
    {
        if (!IsSource)
        {
            Counters.EndPeerPending(_outstanding.Count);
        }

        _outstanding.Clear();
        _outstandingBlocks = 0;
        _budget = 0;
        _holdRequests = false;
        if (State.Connection is not (ConnectionState.VerifyS or ConnectionState.SyncTarget))
        {
            NextResyncStepNs = long.MaxValue;
        }

        _core.WakeBlocked();
    }

    /// <summary>The 100 ms step of a target or of VerifyS.</summary>
    public void OnResyncStep(long nowNs)
    {
        NextResyncStepNs = nowNs + ResyncController.StepNs;
        if (State.Connection == ConnectionState.VerifyS)
        {
            _marks.Advance(nowNs, _verifyLeft);
            _budget = _controller.NextStep(ResyncSettings, int.MaxValue);
            SendVerifyRequests();
            return;
        }

        if (!IsTarget || Bitmap is null)
        {
            NextResyncStepNs = long.MaxValue;
            return;
        }

        _marks.Advance(nowNs, Bitmap.SetCount);
        int units = _controller.NextStep(ResyncSettings, int.MaxValue);
        bool waits = _throttle.MustWait(
            Counters.ApplicationSectors, Log?.PendingChanges > 0, _marks.SpeedKiBPerSecond(nowNs, Bitmap.SetCount),
            ResyncSettings.MinRateKiBPerSecond);
        _budget = waits ? 0 : units;
        SendResyncRequests();
        CheckTargetFinished();
    }

    /// <summary>Asks for blocks until the step's budget or half of the buffers is used up.</summary>
    private void SendResyncRequests()
    {
        int mostInFlight = Math.Max(1, _core.Options.Net.MaxBuffersPages / 2);
        while (_budget > 0 && _outstandingBlocks < mostInFlight && State.Connection == ConnectionState.SyncTarget
            && !_holdRequests && HasDisk && Bitmap is not null && Connection.CanQueueResync)
        {
            ulong bit = Bitmap.FindNextSet(_nextBit);
            if (bit == ulong.MaxValue)
            {
                // Blocks set again behind the cursor (failed or cancelled requests) get their turn when nothing is out.
                bool again = _outstandingBlocks == 0 && Bitmap.SetCount > _resyncFailedBits && _nextBit > 0;
                _nextBit = again ? 0 : _nextBit;
                if (!again)
                {
                    return;
                }

                continue;
            }

            int blocks = RunLength(bit);
            ulong sector = bit * OutOfSyncBitmap.SectorsPerBlock;
            int bytes = (int)Math.Min((ulong)blocks * OutOfSyncBitmap.BlockBytes, (SizeSectors - sector) * 512);
            if (HasActiveWrite(sector, sector + ((ulong)bytes >> 9)))
            {
                return;
            }

            _nextBit = bit + (ulong)blocks;
            _budget -= blocks;
            _outstandingBlocks += blocks;
            _controller.OnRequested(blocks);
            _outstanding.Add((sector, bytes));
            Counters.BeginPeerPending();
            RequestBlocks(sector, bytes);
        }
    }

    /// <summary>
    /// How many blocks one request takes from here: consecutive set bits, within the size limit and the 16 MiB extent,
    /// and beyond 2^k bytes only if the start is aligned to 2^(k+1).
    /// </summary>
    private int RunLength(ulong bit)
    {
        int most = Connection.MaxResyncBlocks;
        int granularity = ThinGranularityBlocks;
        int count = 1;
        while (count < most && Bitmap!.IsSet(bit + (ulong)count) && (bit + (ulong)count) % BlocksPerResyncExtent != 0)
        {
            bool powerOfTwo = (count & (count - 1)) == 0;
            if (powerOfTwo && bit % (ulong)(count * 2) != 0)
            {
                break;
            }

            count++;
            if (granularity > 0 && count == granularity)
            {
                break;
            }
        }

        return count;
    }

    private int ThinGranularityBlocks =>
        !_usesChecksums && (Connection.Features & FeatureFlags.ThinResync) != 0
            ? Options.Disk.ResyncDiscardGranularityBytes / OutOfSyncBitmap.BlockBytes
            : 0;

    private void RequestBlocks(ulong sector, int bytes)
    {
        if (_usesChecksums)
        {
            PeerRequest own = NewPeerRequest(PeerRequestKind.TargetChecksum, sector, bytes);
            TryStartPeer(own);
            return;
        }

        bool thin = ThinGranularityBlocks > 0 && bytes == Options.Disk.ResyncDiscardGranularityBytes;
        Connection.Send(
            this, thin ? Command.RsThinRequest : Command.RsDataRequest,
            new BlockRequest(sector, BlockIds.Syncer, bytes));
    }

    private void FinishTargetChecksumRead(PeerRequest peer, bool ok)
    {
        if (!CanAnswer(peer) || !ok)
        {
            if (CanAnswer(peer))
            {
                OnResyncFailed(peer.Sector, peer.ByteCount);
            }

            RemovePeerRequest(peer);
            return;
        }

        _host.Hash(
            CoreToken.Io(TokenKind.PeerRequest, peer.Index), Connection.ChecksumAlgorithm, peer.Buffer, peer.ByteCount);
    }

    /// <summary>A digest is there: what it was wanted for.</summary>
    public void OnHashDone(PeerRequest peer, ReadOnlySpan<byte> digest)
    {
        switch (peer.Kind)
        {
            case PeerRequestKind.TargetChecksum:
                if (CanAnswer(peer) && IsTarget)
                {
                    Connection.SendWithDigest(
                        this, Command.CsumRsRequest, new BlockRequest(peer.Sector, BlockIds.Syncer, peer.ByteCount),
                        digest);
                }

                RemovePeerRequest(peer);
                break;
            case PeerRequestKind.SourceRead:
                OnSourceHash(peer, digest);
                break;
            case PeerRequestKind.VerifyTargetRead:
                OnVerifyTargetHash(peer, digest);
                break;
            default:
                OnVerifySourceHash(peer, digest);
                break;
        }
    }

    /// <summary>P_RS_DATA_REPLY: the payload is ours.</summary>
    public void OnResyncData(in DataHeader data, BufferHandle payload, int byteCount)
    {
        Counters.ReceivedSectors += (ulong)byteCount >> 9;
        if (IsLateAnswer(data.Sector, byteCount))
        {
            _host.ReleaseBuffer(payload);
            return;
        }

        PeerRequest peer = NewPeerRequest(PeerRequestKind.TargetWrite, data.Sector, byteCount);
        peer.Buffer = payload;
        AcceptResyncWrite(peer);
    }

    /// <summary>P_RS_DEALLOCATED: the source's blocks read as zeroes.</summary>
    public void OnResyncDeallocated(in BlockDescription area)
    {
        if (IsLateAnswer(area.Sector, area.ByteCount))
        {
            return;
        }

        PeerRequest peer = NewPeerRequest(PeerRequestKind.TargetWrite, area.Sector, area.ByteCount);
        peer.ZeroMode = ZeroMode.ZeroMayUnmap;
        AcceptResyncWrite(peer);
    }

    /// <summary>
    /// An answer to what was asked for before this disk went and came back: what the application wrote meanwhile is
    /// newer. A disk that is gone refuses it, as any other.
    /// </summary>
    private bool IsLateAnswer(ulong sector, int byteCount)
    {
        if (!HasDisk || _outstanding.Contains((sector, byteCount)))
        {
            return false;
        }

        LogLine(
            CoreLogLevel.Information,
            $"resync data of {byteCount} bytes at sector {sector} come too late: not written");
        return true;
    }

    private void AcceptResyncWrite(PeerRequest peer)
    {
        Counters.EndPeerPending();
        Counters.BeginUnacknowledged();
        _controller.OnAnswered(peer.ByteCount >> 9);
        peer.BlockId = BlockIds.Syncer;
        peer.Resync = _resyncNumber;
        TryStartPeer(peer);
    }

    private void FinishTargetWrite(PeerRequest peer, bool ok)
    {
        Counters.EndUnacknowledged();
        bool answer = IsWantedStill(peer);
        ulong sector = peer.Sector;
        int bytes = peer.ByteCount;
        RemovePeerRequest(peer);
        if (answer && ok)
        {
            // A flush that was under way may have missed this write.
            _resyncDataUnflushed = true;
            Bitmap?.ClearRange(sector, (ulong)bytes);
            Connection.SendAck(this, Command.RsWriteAck, sector, BlockIds.Syncer, bytes);
        }
        else if (answer)
        {
            Connection.SendAck(this, Command.NegAck, sector, BlockIds.Syncer, bytes);
            _resyncFailedBits += Blocks(bytes);
        }

        if (answer)
        {
            EndOutstanding(sector, bytes);
        }
    }

    /// <summary>
    /// P_RS_IS_IN_SYNC: the checksums were equal. It counts only while the block is asked for: 1. the source sends it;
    /// 2. pulls ahead; 3. the block is written there and P_OUT_OF_SYNC overtakes on the other stream: the mark must
    /// stay.
    /// </summary>
    public void OnIsInSync(ulong sector, int byteCount)
    {
        if (!_outstanding.Contains((sector, byteCount)))
        {
            return;
        }

        Counters.EndPeerPending();
        Bitmap?.ClearRange(sector, (ulong)byteCount);
        _controller.OnAnswered(byteCount >> 9);
        EndOutstanding(sector, byteCount);
    }

    /// <summary>P_NEG_RS_DREPLY, or an own read that failed: the blocks stay out of sync.</summary>
    public void OnResyncFailed(ulong sector, int byteCount)
    {
        if (!_outstanding.Contains((sector, byteCount)))
        {
            return;
        }

        Counters.EndPeerPending();
        _controller.OnAnswered(byteCount >> 9);
        _resyncFailedBits += Blocks(byteCount);
        EndOutstanding(sector, byteCount);
    }

    /// <summary>
    /// P_RS_CANCEL: the source went ahead; the blocks are asked for again after the next P_SYNC_UUID.
    /// </summary>
    public void OnResyncCancelled(ulong sector, int byteCount)
    {
        if (!_outstanding.Contains((sector, byteCount)))
        {
            return;
        }

        Counters.EndPeerPending();
        EndOutstanding(sector, byteCount);
    }

    private void EndOutstanding(ulong sector, int byteCount)
    {
        for (int i = 0; i < _outstanding.Count; i++)
        {
            if (_outstanding[i].Sector == sector && _outstanding[i].ByteCount == byteCount)
            {
                _outstanding.RemoveAt(i);
                _outstandingBlocks -= (int)Blocks(byteCount);
                break;
            }
        }

        _core.WakeBlocked();
        if (State.Connection == ConnectionState.SyncTarget)
        {
            SendResyncRequests();
        }

        CheckTargetFinished();
    }

    private static ulong Blocks(int byteCount) =>
        ((ulong)byteCount + OutOfSyncBitmap.BlockBytes - 1) / OutOfSyncBitmap.BlockBytes;

    private bool IsRequestedFromSource(ulong sector, ulong endSector)
    {
        if (!IsTarget)
        {
            return false;
        }

        foreach ((ulong start, int bytes) in _outstanding)
        {
            if (start < endSector && sector < start + ((ulong)bytes >> 9))
            {
                return true;
            }
        }

        return false;
    }
}
