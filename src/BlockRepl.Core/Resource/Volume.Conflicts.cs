using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Resource;

/// <summary>
/// Two Primaries write the same blocks at the same time: both nodes must end with the same of the two writes. The node
/// with resolve-conflicts decides, for its own write; the other one keeps its write open until the winner's data has
/// come.
/// </summary>
internal sealed partial class Volume
{
    /// <summary>Highest number of the peer's packet sequence that was seen on either stream.</summary>
    private uint _peerSequence;

    /// <summary>
    /// Every ack on the meta stream and every write on the data stream carries the peer's next number.
    /// </summary>
    public void SawPeerSequence(uint number)
    {
        if ((int)(number - _peerSequence) > 0)
        {
            _peerSequence = number;
        }
    }

    /// <summary>
    /// Whether all that the peer sent before this write has arrived. 1. the peer writes our data and acks it; 2. its
    /// application, seeing that, overwrites the block; 3. the data stream is faster than the meta stream: without the
    /// ack our write would look concurrent, and the later one would be thrown away.
    /// </summary>
    private bool HasSequenceBefore(PeerRequest peer) => (int)(peer.SequenceNumber - 1 - _peerSequence) <= 0;

    /// <summary>
    /// Decides about a write of the peer that may overlap own ones. False: it must wait (the data stream waits with
    /// it), or it has been answered and is gone.
    /// </summary>
    private bool DecideConflict(PeerRequest peer)
    {
        if (peer.Connection != Connection.Generation)
        {
            // Nothing of it was written here, and the peer has marked it.
            Leave(peer);
            return false;
        }

        if (Connection.ResolveConflicts && !HasSequenceBefore(peer) && !_core.Faults.IgnoreSequence)
        {
            return false;
        }

        Connection.StopSequenceClock();
        SawPeerSequence(peer.SequenceNumber);
        bool decided = Connection.ResolveConflicts ? DecideByOwnWrites(peer) : IsDecidedByPeer(peer);
        if (decided && peer.Undecided)
        {
            peer.Undecided = false;
            Connection.OnWriteDecided(peer);
        }

        return decided;
    }

    /// <summary>
    /// With resolve-conflicts: the own write wins as long as the peer has not acked it, for then the peer cannot have
    /// known it. One that was acked came first, and only its local half must end before the peer's data goes over it.
    /// </summary>
    private bool DecideByOwnWrites(PeerRequest peer)
    {
        bool waits = false;
        bool concurrent = false;
        bool covered = false;
        for (Request? own = _active.First; own is not null; own = own.Next)
        {
            if (!own.IsWrite || !own.Started || !own.Overlaps(peer.Sector, peer.EndSector))
            {
                continue;
            }

            waits |= !own.NetPending;
            concurrent |= own.NetPending;
            covered |= own.NetPending && own.Sector <= peer.Sector && own.EndSector >= peer.EndSector;
        }

        if (!concurrent)
        {
            return !waits;
        }

        bool superseded = covered || Connection.AgreedVersion < 100;
        LogLine(CoreLogLevel.Information,
            $"concurrent writes at sector {peer.Sector}: "
            + $"the peer's {(superseded ? "is superseded by ours" : "is to be repeated")}");
        Connection.SendAck(
            this, superseded ? Command.Superseded : Command.RetryWrite, peer.Sector, peer.BlockId, peer.ByteCount);
        peer.Epoch!.Writes--;
        Leave(peer);
        return false;
    }

    /// <summary>
    /// Without resolve-conflicts: the peer's data is written once every own write below it has its verdict.
    /// </summary>
    private bool IsDecidedByPeer(PeerRequest peer)
    {
        for (Request? own = _active.First; own is not null; own = own.Next)
        {
            if (!own.IsWrite || !own.Started || !own.Overlaps(peer.Sector, peer.EndSector))
            {
                continue;
            }

            if (own.Conflict == WriteConflict.None || own.LocalPending || own.SendPending)
            {
                return false;
            }

            peer.EndsConflicts = true;
        }

        return true;
    }

    /// <summary>A write of the peer that is not written here: it leaves its epoch.</summary>
    private void Leave(PeerRequest peer)
    {
        ReceiveEpoch? epoch = peer.Connection == Connection.Generation ? peer.Epoch : null;
        if ((peer.Flags & DataFlags.SendWriteAck) != 0)
        {
            Counters.EndUnacknowledged();
        }

        Connection.OnWriteDecided(peer);
        RemovePeerRequest(peer);
        if (epoch is not null)
        {
            epoch.Active--;
            Connection.CheckReceiveEpochs();
        }
    }

    /// <summary>
    /// The winner's data is on this disk: own writes that it replaced are done, the others are done again. Before
    /// version 100 "superseded" is also said of a write that the winner covers in part only; that one is done again
    /// too.
    /// </summary>
    private void EndConflicts(PeerRequest winner)
    {
        Request? next;
        for (Request? own = _active.First; own is not null; own = next)
        {
            next = own.Next;
            if (own.Conflict == WriteConflict.None || !own.Overlaps(winner.Sector, winner.EndSector))
            {
                continue;
            }

            bool replaced = own.Conflict == WriteConflict.Superseded
                && winner.Sector <= own.Sector && winner.EndSector >= own.EndSector;
            own.Conflict = WriteConflict.None;
            own.NetPending = false;
            Counters.EndPeerPending();
            if (replaced)
            {
                own.NetOk = own.NetDone = true;
                CheckAnswered(own);
            }
            else
            {
                own.BeginAnew();
                own.Retries = true;
                _core.WakeBlocked();
            }
        }
    }

    /// <summary>
    /// The connection is gone before the winner's data came: this disk alone has the own writes, which are marked.
    /// </summary>
    public void LoseConflicts()
    {
        Request? next;
        for (Request? own = _active.First; own is not null; own = next)
        {
            next = own.Next;
            if (own.Conflict != WriteConflict.None)
            {
                own.Conflict = WriteConflict.None;
                OnNetLost(own);
            }
        }
    }
}
