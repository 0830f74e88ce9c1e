using System.Globalization;
using BlockRepl.Core;
using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.Generations;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Disk;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Checks;

/// <summary>
/// The property that everything rests on: at every moment, each 4 KiB block that differs between the two disks is
/// marked out of sync by a node, or lies in an extent of a Primary's activity log, from which a crash would mark it.
/// Also: no write reaches a Primary's disk before the log on disk names its extent.
/// </summary>
public sealed class CoverageChecker
{
    private readonly SimCluster _cluster;
    private readonly HashSet<uint>?[,] _hot;

    public CoverageChecker(SimCluster cluster)
    {
        _cluster = cluster;
        _hot = new HashSet<uint>?[2, cluster.Options.Volumes];
        foreach (SimNode node in cluster.Nodes)
        {
            foreach (SimVolume volume in node.Volumes)
            {
                Watch(node, volume);
            }
        }
    }

    public long BlocksCompared { get; private set; }

    public long LogChecks { get; private set; }

    /// <summary>
    /// A write is submitted to the disk of a node. Only the application's own are subject to the log.
    /// </summary>
    public void OnDataWrite(SimNode node, int volume, ulong sector, int byteCount, BufferHandle buffer)
    {
        DiskOptions options = _cluster.Options.Disk;
        if (!options.ActivityLogUpdates || node.FrontEnd.FindWrite(buffer) is null)
        {
            return;
        }

        LogChecks++;
        HashSet<uint> hot = Hot(node, volume);
        ulong last = sector + (ulong)byteCount / 512 - 1;
        for (ulong s = sector; s <= last; s++)
        {
            if (!hot.Contains((uint)(s / ActivityLogBlock.SectorsPerExtent))
                && !IsMarkedOnDisk(node.Volumes[volume], s))
            {
                throw new SimulationException(
                    $"node {node.Name} writes volume {volume} sector {s} before its activity log on disk names extent "
                    + $"{s / ActivityLogBlock.SectorsPerExtent}; it names {string.Join(' ', hot.Order())}");
            }

            s |= 7;
        }
    }

    /// <summary>Compares the disks of a volume now.</summary>
    public void Check(int volume, string when)
    {
        Marks a = Marks.Of(this, _cluster.Nodes[0], volume);
        Marks b = Marks.Of(this, _cluster.Nodes[1], volume);
        if (a.Everything || b.Everything)
        {
            return;
        }

        ulong sectors = _cluster.Content.Model(0, volume).Sectors;
        SimDisk left = _cluster.Nodes[0].Volumes[volume].Data;
        SimDisk right = _cluster.Nodes[1].Volumes[volume].Data;
        for (int block = 0; (ulong)block * 8 < sectors; block++)
        {
            BlocksCompared++;
            if (AreEqual(left.Page(block), right.Page(block)) || a.Contains(block) || b.Contains(block))
            {
                continue;
            }

            if (!DiffersBeyondDiscards(volume, block, left, right))
            {
                continue;
            }

            throw new SimulationException(
                $"{when}: block {block} (sector {block * 8}, extent {block / 1024}) of volume {volume} differs between "
                + $"the nodes, but no bitmap and no activity log marks it; a: {a}, b: {b}; {ShowBlock(volume, block)}");
        }
    }

    /// <summary>Connected and at rest: the disks must be equal, byte by byte.</summary>
    public void CheckEqual(int volume)
    {
        ulong sectors = _cluster.Content.Model(0, volume).Sectors;
        SimDisk left = _cluster.Nodes[0].Volumes[volume].Data;
        SimDisk right = _cluster.Nodes[1].Volumes[volume].Data;
        for (int block = 0; (ulong)block * 8 < sectors; block++)
        {
            BlocksCompared++;
            if (!AreEqual(left.Page(block), right.Page(block)) && DiffersBeyondDiscards(volume, block, left, right))
            {
                throw new SimulationException(
                    $"the nodes are Connected and UpToDate at rest, but block {block} of volume {volume} differs; "
                    + ShowBlock(volume, block));
            }
        }
    }

    private bool DiffersBeyondDiscards(int volume, int block, SimDisk left, SimDisk right)
    {
        Span<byte> l = stackalloc byte[512];
        Span<byte> r = stackalloc byte[512];
        for (int i = 0; i < 8; i++)
        {
            ulong sector = (ulong)(block * 8 + i);
            if (sector >= _cluster.Content.Model(0, volume).Sectors)
            {
                break;
            }

            left.ReadCurrent((long)sector * 512, l);
            right.ReadCurrent((long)sector * 512, r);
            if (!l.SequenceEqual(r)
                && !_cluster.Content.Model(0, volume).Visible(sector).AllowsAnything
                && !_cluster.Content.Model(1, volume).Visible(sector).AllowsAnything)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The first sector of a block that differs: what each disk holds and each model allows.</summary>
    private string ShowBlock(int volume, int block)
    {
        byte[] l = new byte[512];
        byte[] r = new byte[512];
        for (ulong sector = (ulong)block * 8; sector < ((ulong)block * 8) + 8; sector++)
        {
            _cluster.A.Volumes[volume].Data.ReadCurrent((long)sector * 512, l);
            _cluster.B.Volumes[volume].Data.ReadCurrent((long)sector * 512, r);
            if (!l.AsSpan().SequenceEqual(r))
            {
                return $"sector {sector}: a has write "
                    + $"{Pattern.Identify(l, volume, sector)?.ToString(CultureInfo.InvariantCulture) ?? "?"}, allowed "
                    + $"{_cluster.Content.Model(0, volume).Visible(sector)}; b has "
                    + $"{Pattern.Identify(r, volume, sector)?.ToString(CultureInfo.InvariantCulture) ?? "?"}, "
                    + $"allowed {_cluster.Content.Model(1, volume).Visible(sector)}";
            }
        }

        return "";
    }

    private static bool AreEqual(byte[]? left, byte[]? right)
    {
        if (left is null || right is null)
        {
            byte[]? other = left ?? right;
            return other is null || !other.AsSpan().ContainsAnyExcept((byte)0);
        }

        return left.AsSpan().SequenceEqual(right);
    }

    private void Watch(SimNode node, SimVolume volume)
    {
        MetaDataLayout layout = volume.Layout;
        volume.Meta.BecameDurable = (offset, count) =>
        {
            long start = volume.Layout.ActivityLogOffset;
            bool moved = layout != volume.Layout;
            layout = volume.Layout;
            if (moved || (offset < start + layout.ActivityLogBytes && offset + count > start))
            {
                _hot[node.Index, volume.Number] = null;
            }
        };
    }

    /// <summary>The extents that the log names as it would be found after a power failure now.</summary>
    private HashSet<uint> Hot(SimNode node, int number)
    {
        if (_hot[node.Index, number] is { } known)
        {
            return known;
        }

        SimVolume volume = node.Volumes[number];
        byte[] ring = new byte[volume.Layout.ActivityLogBytes];
        volume.Meta.ReadDurable(volume.Layout.ActivityLogOffset, ring);
        ReplayResult result =
            ActivityLogReplay.Replay(ring, volume.Layout.Ring.Stripes, volume.Layout.Ring.StripeSize4k);
        HashSet<uint> hot = [.. result.Extents];
        _hot[node.Index, number] = hot;
        return hot;
    }

    /// <summary>
    /// What a restart of the process alone would mark: the writes that the record names, or else whole extents.
    /// </summary>
    private static HashSet<uint> MarkAtRestart(SimVolume volume, SuperBlock superBlock, byte[] bits)
    {
        byte[] ring = new byte[volume.Layout.ActivityLogBytes];
        volume.Meta.ReadCurrent(volume.Layout.ActivityLogOffset, ring);
        ReplayResult log = ActivityLogReplay.Replay(ring, volume.Layout.Ring.Stripes, volume.Layout.Ring.StripeSize4k);
        if (volume.Record?.Read() is not { } record || !record.Fits(superBlock.DeviceUuid, log))
        {
            return [.. log.Extents];
        }

        foreach (WriteRange write in record.Writes)
        {
            ulong end = write.Sector + ((ulong)write.ByteCount / 512);
            for (ulong block = write.Sector / 8; block * 8 < end; block++)
            {
                bits[block / 8] |= (byte)(1 << (int)(block % 8));
            }
        }

        return [];
    }

    private static SuperBlock? ReadSuperBlock(SimVolume volume, bool durable)
    {
        byte[] block = new byte[SuperBlock.Bytes];
        if (durable)
        {
            volume.Meta.ReadDurable(volume.Layout.SuperBlockOffset, block);
        }
        else
        {
            volume.Meta.ReadCurrent(volume.Layout.SuperBlockOffset, block);
        }

        SuperBlock.TryDecode(block, volume.Facts, out SuperBlock? superBlock, out _);
        return superBlock;
    }

    private static bool IsMarkedOnDisk(SimVolume volume, ulong sector)
    {
        if (ReadSuperBlock(volume, durable: true) is { } superBlock
            && superBlock.Flags.HasFlag(SuperBlockFlags.FullSync))
        {
            return true;
        }

        Span<byte> bits = stackalloc byte[1];
        volume.Meta.ReadDurable(volume.Layout.BitmapOffset + (long)(sector / 64), bits);
        return (bits[0] & (1 << (int)(sector / 8 % 8))) != 0;
    }

    /// <summary>The blocks that one node would name as out of sync.</summary>
    private sealed class Marks
    {
        private readonly byte[] _bits;
        private readonly HashSet<uint> _hot;
        private readonly string _source;

        private Marks(byte[] bits, HashSet<uint> hot, bool everything, string source)
        {
            _bits = bits;
            _hot = hot;
            Everything = everything;
            _source = source;
        }

        /// <summary>A full sync is due in any case, or there never was data.</summary>
        public bool Everything { get; }

        public bool Contains(int block) =>
            (block / 8 < _bits.Length && (_bits[block / 8] & (1 << (block % 8))) != 0)
                || _hot.Contains((uint)block / 1024);

        public override string ToString() => $"{_source}, extents {string.Join(' ', _hot.Order())}";

        public static Marks Of(CoverageChecker checker, SimNode node, int number)
        {
            SimVolume volume = node.Volumes[number];
            SuperBlock? superBlock = ReadSuperBlock(volume, durable: node.IsUp);
            if (superBlock is null || UuidSet.Masked(superBlock.Uuids.Current) is 0 or UuidSet.JustCreated)
            {
                return new Marks([], [], true, "no data yet");
            }

            OutOfSyncBitmap? live = node.Host is { } host ? CoreAccess.Bitmap(host.Core, number) : null;
            if (live is not null)
            {
                byte[] words = System.Runtime.InteropServices.MemoryMarshal.AsBytes(live.Words).ToArray();
                bool primary = node.Status[number].Role == Role.Primary
                    || node.Status[number].PeerDisk < DiskState.Inconsistent;
                return new Marks(words, primary ? checker.Hot(node, number) : [], false, "memory");
            }

            bool everything = superBlock.Flags.HasFlag(SuperBlockFlags.FullSync);
            byte[] bits = new byte[(volume.Layout.MaxCapacitySectors + 63) / 64];
            volume.Meta.ReadCurrent(volume.Layout.BitmapOffset, bits);
            bool log = superBlock.NeedsReplay && superBlock.Flags.HasFlag(SuperBlockFlags.PrimaryIndicator);
            return new Marks(bits, log ? MarkAtRestart(volume, superBlock, bits) : [], everything, "disk");
        }
    }
}
