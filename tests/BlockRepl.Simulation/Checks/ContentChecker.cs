namespace BlockRepl.Simulation.Checks;

/// <summary>
/// Register semantics of every sector, per node. The promise that is checked:
/// <list type="bullet">
/// <item>A read returns the last acknowledged write or one that ran at the same time.</item>
/// <item>After a power failure of the serving node its disk holds, of each sector, a write that no later one superseded
/// durably: what an acknowledged flush covers, or was acknowledged with FUA, is there.</item>
/// <item>The peer of a connected UpToDate pair has, with protocols B and C, every acknowledged write; with A it has
/// some state since the pair was last seen at rest.</item>
/// <item>A node that came to UpToDate as SyncTarget has what its source had.</item>
/// </list>
/// </summary>
public sealed class ContentChecker
{
    private readonly SimCluster _cluster;
    private readonly Dictionary<ulong, AppWrite> _writes = [];
    private readonly List<(AppWrite Write, ulong Sector, ulong Count)> _recentZeroes = [];
    private readonly VolumeModel[][] _models;
    private readonly AppWrite _initial = new(0, WriteContent.Zero, 0, 0) { Done = 0, Acknowledged = true };
    private long _moment;
    private ulong _nextId = 1;

    public ContentChecker(SimCluster cluster, int volumes, ulong sectors)
    {
        _cluster = cluster;
        _models = new VolumeModel[2][];
        for (int node = 0; node < 2; node++)
        {
            _models[node] = new VolumeModel[volumes];
            for (int volume = 0; volume < volumes; volume++)
            {
                _models[node][volume] = new VolumeModel(_initial, sectors);
            }
        }
    }

    /// <summary>Both nodes served writes apart from each other: each has a history of its own.</summary>
    public bool IsForked { get; set; }

    public long SectorsChecked { get; private set; }

    public VolumeModel Model(int node, int volume) => _models[node][volume];

    public bool IsCurrent(int node) => _models[node].All(m => m.IsCurrent);

    /// <summary>A node's data are not what the pair goes on with.</summary>
    public void GiveUp(int node)
    {
        foreach (VolumeModel model in _models[node])
        {
            model.IsCurrent = false;
        }
    }

    public long NextMoment() => ++_moment;

    /// <summary>A write is submitted on a node: it may reach every copy that is current.</summary>
    public AppWrite Begin(int node, int volume, WriteContent content, ulong sector, ulong count)
    {
        AppWrite write = NewWrite(content, volume);
        foreach (VolumeModel model in Affected(node, volume))
        {
            model.Begin(write, sector, count);
        }

        if (content == WriteContent.Anything)
        {
            // Also where no promise is kept at the moment: discarded sectors need not be equal later.
            foreach (VolumeModel[] models in _models)
            {
                models[volume].Allow(write, sector, count);
            }
        }

        if (content != WriteContent.Pattern)
        {
            _recentZeroes.Add((write, sector, count));
        }

        return write;
    }

    /// <summary>A write that a test put on a disk beforehand.</summary>
    public AppWrite Preset(int node, int volume, ulong sector, ulong count)
    {
        AppWrite write = NewWrite(WriteContent.Pattern, volume);
        _models[node][volume].Begin(write, sector, count);
        write.Acknowledged = true;
        write.Done = ++_moment;
        _models[node][volume].SupersedeVisible(write, sector, count);
        _models[node][volume].SupersedeDurable(write, sector, count);
        return write;
    }

    /// <summary>A write was answered on a node.</summary>
    public void End(AppWrite write, int node, ulong sector, ulong count, bool ok, bool forceUnitAccess)
    {
        write.Done = ++_moment;
        write.Acknowledged = ok;
        if (!ok)
        {
            return;
        }

        bool peerHasIt = _cluster.Options.Net.Protocol != Core.Protocol.ReplicationProtocol.A;
        for (int i = 0; i < 2; i++)
        {
            VolumeModel model = _models[i][write.Volume];
            bool has = i == node || (!IsForked && peerHasIt);
            if (!model.IsCurrent || !has || (write.FailedOn & (1 << i)) != 0)
            {
                continue;
            }

            write.CertainOn |= 1 << i;
            model.SupersedeVisible(write, sector, count);

            // With protocol B the peer may have it in memory only.
            bool onDisk = i == node || _cluster.Options.Net.Protocol == Core.Protocol.ReplicationProtocol.C;
            if ((onDisk && !_cluster.Options.VolatileCache) || (forceUnitAccess && i == node))
            {
                model.SupersedeDurable(write, sector, count);
            }
        }
    }

    public void Flushed(int node, int volume, long submitted)
    {
        if (_models[node][volume].IsCurrent)
        {
            _models[node][volume].Flushed(submitted, 1 << node);
        }
    }

    /// <summary>The sets of a read's sectors as it is submitted.</summary>
    public CandidateSet[] BeginRead(int node, int volume, ulong sector, ulong count)
    {
        CandidateSet[] sets = new CandidateSet[count];
        VolumeModel? model = Serving(node, volume);
        if (model is null)
        {
            return [];
        }

        for (ulong i = 0; i < count; i++)
        {
            sets[i] = model.Visible(sector + i);
        }

        return sets;
    }

    public void EndRead(
        int node, int volume, ulong sector, ReadOnlySpan<byte> data, CandidateSet[] before, long submitted)
    {
        VolumeModel? model = Serving(node, volume);
        if (model is null || before.Length == 0)
        {
            return;
        }

        for (int i = 0; i < before.Length; i++)
        {
            ulong s = sector + (ulong)i;
            ulong? content = Pattern.Identify(data.Slice(i * 512, 512), volume, s);
            CandidateSet now = model.Visible(s);
            SectorsChecked++;
            if (!now.Allows(content) && !before[i].Allows(content) && !BegunSince(content, s, volume, submitted))
            {
                throw new SimulationException(
                    $"a read on node {_cluster.Nodes[node].Name} returned of volume {volume} sector {s} "
                    + $"{Show(content)}; allowed: {now}, when it was submitted: {before[i]}");
            }

            Settle(model, s, content, now, submitted);
        }
    }

    public void PowerLoss(int node)
    {
        foreach (VolumeModel model in _models[node])
        {
            model.PowerLoss(++_moment);
        }
    }

    /// <summary>
    /// A node's process was killed. What its disk had answered is there; but with protocols A and B a write may have
    /// been acknowledged while a Secondary had it in memory only.
    /// </summary>
    public void Kill(int node, bool wasPrimary)
    {
        if (!wasPrimary && _cluster.Options.Net.Protocol != Core.Protocol.ReplicationProtocol.C)
        {
            PowerLoss(node);
        }
    }

    /// <summary>With protocols A and B a write may have been acknowledged that the disk then refused.</summary>
    public void DiskFailed(int node, int volume)
    {
        if (_cluster.Options.Net.Protocol != Core.Protocol.ReplicationProtocol.C)
        {
            _models[node][volume].PowerLoss(++_moment);
        }
    }

    /// <summary>A resync from the other node ended: this node has its data.</summary>
    public void Copied(int from, int to, int volume)
    {
        VolumeModel model = _models[to][volume];
        model.CopyFrom(_models[from][volume]);
        model.IsCurrent = true;
        AllowWhatIsUnderMirroredWrites(_cluster.Nodes[to].Volumes[volume].Data, model, volume);
    }

    /// <summary>
    /// A resync ends with a flush, but a write of the application that was mirrored beside it may have come after:
    /// nobody flushed that, and a power failure may take it and leave what is under it.
    /// </summary>
    private void AllowWhatIsUnderMirroredWrites(Disk.SimDisk disk, VolumeModel model, int volume)
    {
        foreach (int page in model.TouchedPages.ToList())
        {
            for (int i = 0; i < 8 && !disk.IsDurable(page, 0xff); i++)
            {
                ulong sector = ((ulong)page * 8) + (ulong)i;
                bool mirrored = model.Visible(sector).Writes.Any(w => w.Submitted > model.Apart);
                if (mirrored && !disk.IsDurable(page, (byte)(1 << i)))
                {
                    AllowDurable(model, volume, sector, disk);
                }
            }
        }
    }

    private void AllowDurable(VolumeModel model, int volume, ulong sector, Disk.SimDisk disk)
    {
        byte[] durable = new byte[512];
        disk.ReadDurable((long)sector * 512, durable);
        if (WriteOf(Pattern.Identify(durable, volume, sector)) is { } older)
        {
            model.AllowDurable(sector, older);
        }
    }

    private AppWrite? WriteOf(ulong? content) => content switch
    {
        null => null,
        0 => _initial,
        { } id => _writes.GetValueOrDefault(id),
    };

    /// <summary>Takes what a disk holds for the truth: the start of a history that no promise covers.</summary>
    public void Adopt(int node, int volume)
    {
        Disk.SimDisk disk = _cluster.Nodes[node].Volumes[volume].Data;
        VolumeModel model = _models[node][volume];
        byte[] sector = new byte[512];
        HashSet<int> touched = [.. model.TouchedPages];
        for (int page = 0; (ulong)page * 8 < model.Sectors; page++)
        {
            if (disk.Page(page) is null && !touched.Contains(page))
            {
                continue;
            }

            for (ulong s = (ulong)page * 8; s < Math.Min((ulong)page * 8 + 8, model.Sectors); s++)
            {
                if (!model.Visible(s).AllowsAnything)
                {
                    disk.ReadCurrent((long)s * 512, sector);
                    Know(model, volume, s, Pattern.Identify(sector, volume, s), disk);
                }
            }
        }

        model.IsCurrent = true;
    }

    /// <summary>
    /// At rest: checks a disk's whole content against the model and takes it for certain from now on.
    /// </summary>
    public void SettleDisk(int node, int volume)
    {
        Disk.SimDisk disk = _cluster.Nodes[node].Volumes[volume].Data;
        VolumeModel model = _models[node][volume];
        byte[] page = new byte[4096];
        foreach (int number in model.TouchedPages.ToList())
        {
            disk.ReadCurrent(number * 4096L, page);
            for (int i = 0; i < 8 && (ulong)(number * 8 + i) < model.Sectors; i++)
            {
                ulong s = (ulong)(number * 8 + i);
                ulong? content = Pattern.Identify(page.AsSpan(i * 512, 512), volume, s);
                SectorsChecked++;
                if (!model.Visible(s).Allows(content))
                {
                    throw new SimulationException(
                        $"at rest the disk of node {_cluster.Nodes[node].Name} holds in volume {volume} sector {s} "
                        + $"{Show(content)}; allowed: {model.Visible(s)}");
                }

                if (!model.Visible(s).AllowsAnything)
                {
                    Know(model, volume, s, content, disk);
                }
            }
        }
    }

    private void Know(VolumeModel model, int volume, ulong sector, ulong? content, Disk.SimDisk disk)
    {
        AppWrite? write = WriteOf(content);
        if (write is null)
        {
            return;
        }

        model.SetVisible(sector, write);
        if (disk.IsDurable((int)(sector / 8), (byte)(1 << (int)(sector % 8))))
        {
            model.SetDurable(sector, write);
            return;
        }

        // The model may not have followed what was written: a power failure leaves this, or what is durable now.
        model.AllowDurable(sector, write);
        AllowDurable(model, volume, sector, disk);
    }

    /// <summary>Once a read has told which of several writes is there, it stays so.</summary>
    private static void Settle(VolumeModel model, ulong sector, ulong? content, CandidateSet now, long submitted)
    {
        bool settled = now.Writes.All(w => w.Done < submitted);
        if (settled && !now.IsCertain && !now.AllowsAnything && content is { } id)
        {
            AppWrite? write = now.Writes.LastOrDefault(w => w.Content == WriteContent.Pattern ? w.Id == id : id == 0);
            if (write is not null)
            {
                model.SetVisible(sector, write);
            }
        }
    }

    private bool BegunSince(ulong? content, ulong sector, int volume, long moment)
    {
        if (content is > 0 and { } id)
        {
            return _writes.TryGetValue(id, out AppWrite? write) && write.Submitted >= moment && write.Volume == volume;
        }

        return _recentZeroes.Exists(z =>
            z.Write.Submitted >= moment && z.Write.Volume == volume
            && sector >= z.Sector && sector < z.Sector + z.Count);
    }

    private string Show(ulong? content) => content switch
    {
        null => "bytes that nobody wrote there",
        0 => "zeroes",
        { } id => _writes.TryGetValue(id, out AppWrite? write) ? write.ToString() : $"unknown #{id}",
    };

    private VolumeModel? Serving(int node, int volume)
    {
        if (_models[node][volume].IsCurrent)
        {
            return _models[node][volume];
        }

        return !IsForked && _models[1 - node][volume].IsCurrent ? _models[1 - node][volume] : null;
    }

    private IEnumerable<VolumeModel> Affected(int node, int volume)
    {
        for (int i = 0; i < 2; i++)
        {
            if (_models[i][volume].IsCurrent && (i == node || !IsForked))
            {
                yield return _models[i][volume];
            }
        }
    }

    private AppWrite NewWrite(WriteContent content, int volume)
    {
        AppWrite write = new(_nextId++, content, volume, ++_moment);
        _writes.Add(write.Id, write);
        return write;
    }
}
