using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Disk;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Checks;

/// <summary>The two directions of one replication connection and what is open between them.</summary>
internal sealed class ConnectionView(SimCluster cluster)
{
    private readonly Side[] _sides = [new Side(), new Side()];

    public int AgreedVersion { get; set; } = 80;

    public void OnPacket(SimNode node, in WirePacket packet)
    {
        Side own = _sides[node.Index];
        Side peer = _sides[1 - node.Index];
        if (!WirePacket.BelongsOnMeta(packet.Command))
        {
            CheckBitmap(node, own, packet);
        }

        if (packet.IsWrite)
        {
            OnWrite(node, own, packet);
        }
        else if (packet.IsBlockAck)
        {
            OnAck(node, own, peer, packet);
        }
        else
        {
            OnOther(node, own, peer, packet);
        }
    }

    private void OnOther(SimNode node, Side own, Side peer, in WirePacket packet)
    {
        switch (packet.Command)
        {
            case Command.Barrier:
                Require(own.OpenWrites.Count > 0 || own.HasLostWrites, node, packet, "closes an epoch without writes");
                own.HasLostWrites = false;
                own.Epochs.Enqueue(new Epoch(
                    packet.Number32(0),
                    own.OpenWrites,
                    [.. node.Peer.Volumes.Select(v => v.Data.Sequence)]));
                own.OpenWrites = [];
                break;
            case Command.BarrierAck:
                OnBarrierAck(node, peer, packet);
                break;
            case Command.Sizes:
                own.SizesSent.Add(packet.Volume);
                break;
            case Command.Uuids:
                own.UuidsSent.Add(packet.Volume);
                break;
            case Command.State:
                OnState(node, own, peer, packet);
                break;
            case Command.SyncUuid:
                own.SyncUuidSent.Add(packet.Volume);
                own.BitmapsSent.Remove(packet.Volume);
                break;
            case Command.OutOfSync:
                CheckOutOfSync(node, own, packet);
                break;
            case Command.Ping:
                own.PingsSent++;
                break;
            case Command.PingAck:
                own.PingAcksSent++;
                Require(own.PingAcksSent <= peer.PingsSent, node, packet, "answers no ping");
                break;
            default:
                OnQuestionOrAnswer(node, own, peer, packet);
                break;
        }
    }

    /// <summary>Resync, reads and verify: an answer needs its question.</summary>
    private static void OnQuestionOrAnswer(SimNode node, Side own, Side peer, in WirePacket packet)
    {
        switch (packet.Command)
        {
            case Command.RsDataRequest or Command.RsThinRequest or Command.CsumRsRequest:
                Require(
                    peer.SyncUuidSent.Contains(packet.Volume), node, packet, "comes before the source's P_SYNC_UUID");
                own.ResyncRequests.Add((packet.Volume, packet.Sector, packet.ByteCount));
                break;
            case Command.RsDataReply or Command.RsDeallocated:
                Require(
                    peer.ResyncRequests.Remove((packet.Volume, packet.Sector, packet.ByteCount)),
                    node, packet, "answers no resync request");
                own.ResyncReplies.Add((packet.Volume, packet.Sector, packet.ByteCount));
                break;
            case Command.DataRequest:
                own.ReadRequests.Add((packet.Volume, packet.Sector, packet.BlockId));
                break;
            case Command.DataReply:
                Require(
                    peer.ReadRequests.Remove((packet.Volume, packet.Sector, packet.BlockId)),
                    node, packet, "answers no read request");
                break;
            case Command.OvRequest:
                own.VerifyRequests.Add((packet.Volume, packet.Sector));
                break;
            case Command.OvReply:
                Require(
                    peer.VerifyRequests.Remove((packet.Volume, packet.Sector)), node, packet,
                    "answers no verify request");
                own.VerifyReplies.Add((packet.Volume, packet.Sector));
                break;
            default:
                break;
        }
    }

    /// <summary>
    /// It means something while bitmaps are exchanged, and to a peer that knows that this node is ahead.
    /// </summary>
    private static void CheckOutOfSync(SimNode node, Side own, in WirePacket packet) => Require(
        own.BitmapsSent.Contains(packet.Volume)
            || own.StatesSent.GetValueOrDefault(packet.Volume).Connection == ConnectionState.Ahead
            || node.Status[packet.Volume].Connection == ConnectionState.WFBitMapS,
        node, packet, "comes before the peer was told that this node is ahead, or which blocks differ");

    /// <summary>What a state means depends on sizes and generations, so those come first.</summary>
    private static void OnState(SimNode node, Side own, Side peer, in WirePacket packet)
    {
        VolumeState state = VolumeState.FromWord(packet.Number32(0));
        Require(own.SizesSent.Contains(packet.Volume), node, packet, "comes before P_SIZES");
        Require(
            state.Disk < DiskState.Negotiating || own.UuidsSent.Contains(packet.Volume),
            node, packet, "comes before P_UUIDS");
        own.StatesSent[packet.Volume] = state;
        if (state is { Connection: ConnectionState.Connected, Disk: DiskState.UpToDate })
        {
            // As a target it has come to the end of its resync; the next begins with another P_SYNC_UUID.
            peer.SyncUuidSent.Remove(packet.Volume);
        }
    }

    private static void OnWrite(SimNode node, Side own, in WirePacket packet)
    {
        TakeSequence(node, own, packet, packet.DataSequence);
        Require(packet.Command != Command.Data || packet.PayloadBytes > 0, node, packet, "is an empty write");
        SimDisk disk = node.Peer.Volumes[packet.Volume].Data;
        SentWrite write = new(
            packet.Volume, packet.Sector, packet.ByteCount, packet.BlockId, packet.DataFlags, disk.Sequence)
        {
            IsDiscard = packet.Command == Command.Trim || (packet.DataFlags & DataFlags.Discard) != 0,
        };
        Require(
            own.Unacknowledged.TryAdd((packet.Volume, packet.Sector, packet.BlockId), write),
            node, packet, "has the block id of a write that is still open");
        own.OpenWrites.Add(write);
    }

    private static void OnAck(SimNode node, Side own, Side peer, in WirePacket packet)
    {
        TakeSequence(node, own, packet, packet.AckSequence);
        bool resync = packet.BlockId == ulong.MaxValue;
        switch (packet.Command)
        {
            case Command.RsWriteAck or Command.NegAck when resync:
                Require(
                    peer.ResyncReplies.Remove((packet.Volume, packet.Sector, packet.ByteCount)),
                    node, packet, "acknowledges no resync data");
                break;
            case Command.RecvAck:
                Require(
                    peer.Unacknowledged.ContainsKey((packet.Volume, packet.Sector, packet.BlockId)),
                    node, packet, "acknowledges no open write");
                break;
            case Command.WriteAck or Command.RsWriteAck or Command.NegAck or Command.Superseded or Command.RetryWrite:
                OnWriteAck(node, peer, packet);
                break;
            case Command.NegDReply:
                Require(
                    peer.ReadRequests.Remove((packet.Volume, packet.Sector, packet.BlockId)),
                    node, packet, "answers no read request");
                break;
            case Command.OvResult:
                Require(
                    peer.VerifyReplies.Remove((packet.Volume, packet.Sector)), node, packet, "answers no verify reply");
                break;
            default:
                break;
        }
    }

    private static void OnWriteAck(SimNode node, Side peer, in WirePacket packet)
    {
        (int, ulong, ulong) key = (packet.Volume, packet.Sector, packet.BlockId);
        if (!peer.Unacknowledged.Remove(key, out SentWrite? write))
        {
            throw Failure(node, packet, "acknowledges no open write");
        }

        write.IsAnswered = true;
        if (packet.Command is Command.WriteAck or Command.RsWriteAck)
        {
            Require(packet.ByteCount == write.ByteCount, node, packet, "has another size than the write");
            SimDisk disk = node.Volumes[packet.Volume].Data;
            for (int page = write.FirstPage; page <= write.LastPage; page++)
            {
                Require(
                    disk.PageSequence(page) > write.DiskSequence || !write.MustBeOnDisk(disk),
                    node, packet, "comes before the write is on the disk");
            }
        }
        else
        {
            write.Failed = true;
        }

        if (packet.Command is Command.Superseded or Command.RetryWrite)
        {
            LeaveEpoch(peer, write);
        }
    }

    /// <summary>
    /// A write that lost against the receiver's own counts in no epoch, though its sender may not know it yet.
    /// </summary>
    private static void LeaveEpoch(Side sender, SentWrite write)
    {
        sender.HasLostWrites |= sender.OpenWrites.Remove(write);
        foreach (Epoch epoch in sender.Epochs)
        {
            epoch.Writes.Remove(write);
        }
    }

    private void OnBarrierAck(SimNode node, Side peer, in WirePacket packet)
    {
        while (peer.Epochs.TryPeek(out Epoch? empty) && empty.Writes.Count == 0)
        {
            peer.Epochs.Dequeue();
        }

        if (!peer.Epochs.TryDequeue(out Epoch? epoch))
        {
            throw Failure(node, packet, "acknowledges no epoch");
        }

        Require(epoch.Number == packet.Number32(0), node, packet, "does not name the oldest epoch");
        Require(
            epoch.Writes.Count == packet.Number32(4),
            node,
            packet,
            $"has a wrong count; the epoch has {epoch.Writes.Count}");
        foreach (SentWrite write in epoch.Writes)
        {
            bool wantsAck = AgreedVersion >= 100
                ? (write.Flags & DataFlags.SendWriteAck) != 0
                : cluster.Options.Net.Protocol == ReplicationProtocol.C;
            Require(write.IsAnswered || !wantsAck, node, packet, "comes before the acks of its writes");
            peer.Unacknowledged.Remove((write.Volume, write.Sector, write.BlockId));
            bool usable = node.Status[write.Volume].Disk >= Core.State.DiskState.Inconsistent;
            if (!write.Failed && usable && cluster.Options.Disk.DiskFlushes)
            {
                CheckDurable(node, write, epoch.DiskSequences[write.Volume], packet);
            }
        }
    }

    /// <summary>
    /// Resync data may have hit a page again since the epoch was closed: then the page tells nothing.
    /// </summary>
    private static void CheckDurable(SimNode node, SentWrite write, long closedAt, in WirePacket packet)
    {
        SimDisk disk = node.Volumes[write.Volume].Data;
        for (int page = write.FirstPage; page <= write.LastPage; page++)
        {
            Require(
                disk.PageSequence(page) > write.DiskSequence || !write.MustBeOnDisk(disk),
                node, packet, $"comes before the write of sector {write.Sector} is on the disk");
            Require(
                disk.IsDurable(page, write.SectorsOf(page)) || disk.PageSequence(page) > closedAt,
                node, packet, $"comes before the write of sector {write.Sector} is durable");
        }
    }

    private static void TakeSequence(SimNode node, Side own, in WirePacket packet, uint sequence)
    {
        uint expected = own.Sequence.GetValueOrDefault(packet.Volume) + 1;
        Require(sequence == expected, node, packet, $"should have sequence number {expected}");
        own.Sequence[packet.Volume] = sequence;
    }

    /// <summary>
    /// A bitmap is one run of bitmap packets; a compressed packet ends it when it reaches the last bit.
    /// </summary>
    private void CheckBitmap(SimNode node, Side own, in WirePacket packet)
    {
        bool bitmap = packet.Command is Command.Bitmap or Command.CompressedBitmap;
        if (own.BitmapVolume is { } volume)
        {
            Require(bitmap && packet.Volume == volume, node, packet, "interrupts a bitmap");
        }

        if (!bitmap)
        {
            return;
        }

        own.BitmapVolume ??= packet.Volume;
        own.BitmapBits ??= (cluster.Content.Model(0, packet.Volume).Sectors + 7) / 8;
        if (packet.Command == Command.Bitmap)
        {
            own.BitmapPosition = (own.BitmapPosition / 64 * 64) + ((ulong)packet.BodyBytes * 8);
        }
        else
        {
            own.BitmapPosition += RunLengths.Total(packet.Body);
        }

        bool ends = packet.Command == Command.Bitmap ? packet.BodyBytes == 0 : own.BitmapPosition >= own.BitmapBits;
        if (ends)
        {
            Require(own.BitmapPosition >= own.BitmapBits, node, packet, $"ends the bitmap at bit {own.BitmapPosition}");
            own.BitmapVolume = null;
            own.BitmapPosition = 0;
            own.BitmapsSent.Add(packet.Volume);
        }
    }

    private static void Require(bool condition, SimNode node, in WirePacket packet, string problem)
    {
        if (!condition)
        {
            throw Failure(node, packet, problem);
        }
    }

    private static SimulationException Failure(SimNode node, in WirePacket packet, string problem) =>
        new($"protocol: node {node.Name} sends {packet}, which {problem}");

    /// <summary>
    /// A closed epoch; the numbers say how many writes the receiver's disks had completed when it was closed.
    /// </summary>
    private sealed record Epoch(uint Number, List<SentWrite> Writes, long[] DiskSequences);

    /// <summary>What one node sent and what of it is open.</summary>
    private sealed class Side
    {
        public Dictionary<int, uint> Sequence { get; } = [];

        public Dictionary<(int Volume, ulong Sector, ulong BlockId), SentWrite> Unacknowledged { get; } = [];

        public List<SentWrite> OpenWrites { get; set; } = [];

        /// <summary>Of the open epoch writes have lost.</summary>
        public bool HasLostWrites { get; set; }

        public Queue<Epoch> Epochs { get; } = new();

        public HashSet<int> SizesSent { get; } = [];

        public HashSet<int> UuidsSent { get; } = [];

        public Dictionary<int, VolumeState> StatesSent { get; } = [];

        /// <summary>Volumes whose whole bitmap was sent, until P_SYNC_UUID.</summary>
        public HashSet<int> BitmapsSent { get; } = [];

        public HashSet<int> SyncUuidSent { get; } = [];

        public HashSet<(int Volume, ulong Sector, int ByteCount)> ResyncRequests { get; } = [];

        public HashSet<(int Volume, ulong Sector, int ByteCount)> ResyncReplies { get; } = [];

        public HashSet<(int Volume, ulong Sector, ulong BlockId)> ReadRequests { get; } = [];

        public HashSet<(int Volume, ulong Sector)> VerifyRequests { get; } = [];

        public HashSet<(int Volume, ulong Sector)> VerifyReplies { get; } = [];

        public long PingsSent { get; set; }

        public long PingAcksSent { get; set; }

        public int? BitmapVolume { get; set; }

        public ulong? BitmapBits { get; set; }

        public ulong BitmapPosition { get; set; }
    }
}

/// <summary>A write that a Primary sent.</summary>
internal sealed class SentWrite(
    int volume, ulong sector, int byteCount, ulong blockId, DataFlags flags, long diskSequence)
{
    public int Volume { get; } = volume;

    public ulong Sector { get; } = sector;

    public int ByteCount { get; } = byteCount;

    public ulong BlockId { get; } = blockId;

    public DataFlags Flags { get; } = flags;

    /// <summary>The receiver's disk had completed so many writes when this one was sent.</summary>
    public long DiskSequence { get; } = diskSequence;

    public bool IsDiscard { get; init; }

    public bool IsAnswered { get; set; }

    public bool Failed { get; set; }

    public int FirstPage => (int)(Sector / 8);

    public int LastPage => (int)((Sector + (ulong)ByteCount / 512 - 1) / 8);

    /// <summary>A discard need not change anything.</summary>
    public bool MustBeOnDisk(SimDisk disk) =>
        !IsDiscard || (disk.Settings.CanDiscard && disk.Settings.DiscardZeroes);

    /// <summary>The sectors of a page that belong to the write, as a mask.</summary>
    public byte SectorsOf(int page)
    {
        long start = Math.Max((long)Sector * 512, page * 4096L) - (page * 4096L);
        long end = Math.Min(((long)Sector * 512) + ByteCount, (page + 1) * 4096L) - (page * 4096L);
        return SimDisk.SectorMask((int)start, (int)(end - start));
    }
}
