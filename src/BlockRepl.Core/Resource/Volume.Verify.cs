using BlockRepl.Core.Bitmap;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>Online verify: block by block both nodes hash, VerifyS compares, both mark what differs.</summary>
internal sealed partial class Volume
{
    private readonly List<ulong> _verifying = [];
    private ulong _verifyNextBit;
    private ulong _verifyStopBit;
    private ulong _verifyLeft;
    private bool _verifyStarted;
    private ulong _verifyFound;

    /// <summary>Where the next verify begins and ends, set by the command; in blocks.</summary>
    public void PlanVerify(ulong startSector, ulong stopSector)
    {
        ulong bits = OutOfSyncBitmap.BitsFor(SizeSectors);
        _verifyNextBit = Math.Min(startSector / OutOfSyncBitmap.SectorsPerBlock, bits == 0 ? 0 : bits - 1);
        _verifyStopBit = stopSector == ulong.MaxValue || !Connection.HasVerifyStop
            ? bits
            : Math.Clamp(OutOfSyncBitmap.BitsFor(stopSector), _verifyNextBit + 1, bits);
    }

    private void BeginVerify(ConnectionState role)
    {
        ulong bits = OutOfSyncBitmap.BitsFor(SizeSectors);
        _verifying.Clear();
        _verifyFound = 0;
        _budget = 0;
        _controller.Reset();
        _verifyStarted = role == ConnectionState.VerifyS;
        if (role == ConnectionState.VerifyT)
        {
            _verifyNextBit = 0;
            _verifyStopBit = bits;
        }

        _verifyLeft = bits - _verifyNextBit;
        _marks.Start(_core.NowNs, _verifyLeft, isVerify: true);
        NextResyncStepNs = role == ConnectionState.VerifyS ? _core.NowNs : long.MaxValue;
    }

    private void EndVerifyWork()
    {
        _verifying.Clear();
        _verifyLeft = 0;
        _core.WakeBlocked();
    }

    private bool IsBeingVerified(ulong sector, ulong endSector)
    {
        foreach (ulong bit in _verifying)
        {
            ulong start = bit * OutOfSyncBitmap.SectorsPerBlock;
            if (start < endSector && sector < start + OutOfSyncBitmap.SectorsPerBlock)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>VerifyS: one request for each block, in ascending order.</summary>
    private void SendVerifyRequests()
    {
        int mostInFlight = Math.Max(1, _core.Options.Net.MaxBuffersPages / 2);
        while (_budget > 0 && _verifying.Count < mostInFlight && _verifyNextBit < _verifyStopBit
            && State.Connection == ConnectionState.VerifyS && Connection.CanQueueResync)
        {
            ulong sector = _verifyNextBit * OutOfSyncBitmap.SectorsPerBlock;
            int bytes = BlockBytesAt(sector);
            if (HasActiveWrite(sector, sector + ((ulong)bytes >> 9)))
            {
                return;
            }

            _verifying.Add(_verifyNextBit++);
            _budget--;
            _controller.OnRequested(1);
            Counters.BeginPeerPending();
            Connection.Send(this, Command.OvRequest, new BlockRequest(sector, BlockIds.Syncer, bytes));
        }
    }

    private int BlockBytesAt(ulong sector) => (int)Math.Min(OutOfSyncBitmap.BlockBytes, (SizeSectors - sector) * 512);

    /// <summary>P_OV_REQUEST at VerifyT.</summary>
    public void OnVerifyRequest(in BlockRequest wanted)
    {
        ulong bit = wanted.Sector / OutOfSyncBitmap.SectorsPerBlock;
        if (!_verifyStarted && State.Connection == ConnectionState.VerifyT)
        {
            _verifyStarted = true;
            _verifyNextBit = bit;
            _verifyLeft = OutOfSyncBitmap.BitsFor(SizeSectors) - bit;
            _marks.Start(_core.NowNs, _verifyLeft, isVerify: true);
        }

        if (State.Disk != DiskState.UpToDate)
        {
            Connection.SendAck(this, Command.NegRsDReply, wanted.Sector, wanted.BlockId, wanted.ByteCount);
            return;
        }

        PeerRequest peer = NewPeerRequest(PeerRequestKind.VerifyTargetRead, wanted.Sector, wanted.ByteCount);
        _verifying.Add(bit);
        Counters.BeginUnacknowledged();
        TryStartPeer(peer);
    }

    private void FinishVerifyTargetRead(PeerRequest peer, bool ok)
    {
        if (!CanAnswer(peer))
        {
            RemovePeerRequest(peer);
        }
        else if (ok)
        {
            _host.Hash(
                CoreToken.Io(TokenKind.PeerRequest, peer.Index), Connection.VerifyAlgorithm, peer.Buffer,
                peer.ByteCount);
        }
        else
        {
            Span<byte> zero = stackalloc byte[DigestAlgorithms.MaxSize];
            zero.Clear();
            OnVerifyTargetHash(peer, zero[..Connection.VerifyAlgorithm.Size()]);
        }
    }

    private void OnVerifyTargetHash(PeerRequest peer, ReadOnlySpan<byte> digest)
    {
        Counters.EndUnacknowledged();
        if (CanAnswer(peer))
        {
            Connection.SendWithDigest(
                this, Command.OvReply, new BlockRequest(peer.Sector, BlockIds.Syncer, peer.ByteCount), digest);
        }

        RemovePeerRequest(peer);
    }

    /// <summary>P_OV_REPLY at VerifyS: the own block is read and hashed too.</summary>
    public void OnVerifyReply(in BlockRequest block, ReadOnlySpan<byte> digest)
    {
        Counters.EndPeerPending();
        _controller.OnAnswered(block.ByteCount >> 9);
        PeerRequest peer = NewPeerRequest(PeerRequestKind.VerifySourceRead, block.Sector, block.ByteCount);
        digest.CopyTo(peer.Digest);
        peer.DigestBytes = digest.Length;
        if (State.Disk != DiskState.UpToDate)
        {
            EndVerifyBlock(peer, differs: false);
            return;
        }

        TryStartPeer(peer);
    }

    private void FinishVerifySourceRead(PeerRequest peer, bool ok)
    {
        if (!CanAnswer(peer))
        {
            RemovePeerRequest(peer);
        }
        else if (ok)
        {
            _host.Hash(
                CoreToken.Io(TokenKind.PeerRequest, peer.Index), Connection.VerifyAlgorithm, peer.Buffer,
                peer.ByteCount);
        }
        else
        {
            EndVerifyBlock(peer, differs: HasDisk);
        }
    }

    private void OnVerifySourceHash(PeerRequest peer, ReadOnlySpan<byte> digest) =>
        EndVerifyBlock(peer, !digest.SequenceEqual(peer.Digest.AsSpan(0, peer.DigestBytes)));

    private void EndVerifyBlock(PeerRequest peer, bool differs)
    {
        ulong sector = peer.Sector;
        int bytes = peer.ByteCount;
        bool answer = CanAnswer(peer);
        RemovePeerRequest(peer);
        if (!answer)
        {
            return;
        }

        Connection.SendAck(this, Command.OvResult, sector, differs ? BlockIds.OutOfSync : BlockIds.InSync, bytes);
        CountVerified(sector, bytes, differs);
        if (State.Connection == ConnectionState.VerifyS)
        {
            SendVerifyRequests();
        }
    }

    /// <summary>P_OV_RESULT at VerifyT.</summary>
    public void OnVerifyResult(ulong sector, int byteCount, bool differs) => CountVerified(sector, byteCount, differs);

    private void CountVerified(ulong sector, int byteCount, bool differs)
    {
        if (differs)
        {
            _verifyFound += (ulong)(Bitmap?.SetRange(sector, (ulong)byteCount) ?? 0);
            LogLine(CoreLogLevel.Warning, $"verify: out of sync at sector {sector}, {byteCount} bytes");
        }

        _verifying.Remove(sector / OutOfSyncBitmap.SectorsPerBlock);
        _core.WakeBlocked();
        if (_verifyLeft > 0)
        {
            _verifyLeft--;
        }

        bool stopped = State.Connection == ConnectionState.VerifyS && _verifyNextBit >= _verifyStopBit
            && _verifying.Count == 0;
        bool verifying = State.Connection is ConnectionState.VerifyS or ConnectionState.VerifyT;
        if (verifying && (_verifyLeft == 0 || stopped))
        {
            FinishVerify();
        }
    }

    /// <summary>
    /// Both nodes end a verify with a ping; VerifyS also tells its state, where the version has that.
    /// </summary>
    private void FinishVerify()
    {
        if (_finishing)
        {
            return;
        }

        _finishing = true;
        _core.Worker.Add("finish verify", FinishVerifySteps(_resyncNumber));
    }

    private IEnumerable<Func<bool>> FinishVerifySteps(uint verify)
    {
        uint ping = Connection.Ping();
        yield return () => Connection.IsPingAnswered(ping) || verify != _resyncNumber;
        if (verify != _resyncNumber)
        {
            yield break;
        }

        LogLine(
            _verifyFound > 0 ? CoreLogLevel.Warning : CoreLogLevel.Information,
            $"verify done: {_verifyFound} blocks newly found out of sync");
        if (Bitmap is { SetCount: > 0 })
        {
            _host.RunHandler(default, HandlerKind.OutOfSync, Number);
        }

        ChangeTo(State with { Connection = ConnectionState.Connected }, hard: true);
    }
}
