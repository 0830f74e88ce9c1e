namespace BlockRepl.Simulation.Checks;

/// <summary>
/// What may be in each sector of one volume as one node has it. <c>Visible</c>: what a read there may return now;
/// <c>Durable</c>: what may be left after a power failure.
/// </summary>
public sealed class VolumeModel
{
    private readonly CandidateSet _base;
    private readonly CandidateSet?[]?[] _visible;
    private readonly CandidateSet?[]?[] _durable;
    private long _lastPowerLoss;

    /// <param name="initial">What every sector holds that was never written.</param>
    /// <param name="sectors">Size of the volume.</param>
    public VolumeModel(AppWrite initial, ulong sectors)
    {
        _base = new CandidateSet(initial);
        Sectors = sectors;
        int pages = (int)((sectors + 7) / 8);
        _visible = new CandidateSet?[]?[pages];
        _durable = new CandidateSet?[]?[pages];
    }

    public ulong Sectors { get; }

    /// <summary>The node has the present data: it may be promoted, and what it serves is checked.</summary>
    public bool IsCurrent { get; set; }

    /// <summary>The last moment at which the node was seen without its peer.</summary>
    public long Apart { get; set; }

    public CandidateSet Visible(ulong sector) => Get(_visible, sector);

    public CandidateSet Durable(ulong sector) => Get(_durable, sector);

    /// <summary>Pages (of 8 sectors) that were ever written.</summary>
    public IEnumerable<int> TouchedPages
    {
        get
        {
            for (int page = 0; page < _visible.Length; page++)
            {
                if (_visible[page] is not null || _durable[page] is not null)
                {
                    yield return page;
                }
            }
        }
    }

    public void Begin(AppWrite write, ulong sector, ulong count)
    {
        Update(_visible, sector, count, set => set.Add(write));
        Update(_durable, sector, count, set => set.Add(write));
    }

    /// <summary>A write that may or may not get here: nothing is known to be replaced by it.</summary>
    public void Allow(AppWrite write, ulong sector, ulong count)
    {
        Update(_visible, sector, count, set => set.Contains(write) ? set : set.Add(write));
        Update(_durable, sector, count, set => set.Contains(write) ? set : set.Add(write));
    }

    /// <summary>Reads return this write or later ones.</summary>
    public void SupersedeVisible(AppWrite write, ulong sector, ulong count) =>
        Update(_visible, sector, count, set => set.Contains(write) ? set.SupersededBy(write) : set);

    /// <summary>A power failure leaves this write or later ones.</summary>
    public void SupersedeDurable(AppWrite write, ulong sector, ulong count) =>
        Update(_durable, sector, count, set => set.Contains(write) ? set.SupersededBy(write) : set);

    /// <summary>
    /// A flush that was submitted at <paramref name="flushSubmitted"/> was acknowledged; it covers what the node (a
    /// bit) surely had.
    /// </summary>
    public void Flushed(long flushSubmitted, int node)
    {
        for (int page = 0; page < _durable.Length; page++)
        {
            if (_durable[page] is { } sets)
            {
                FlushPage(sets, flushSubmitted, node);
            }
        }
    }

    /// <summary>The node lost its power: reads see what was durable.</summary>
    /// <param name="moment">Now: a later flush does not bring back what this failure took.</param>
    public void PowerLoss(long moment)
    {
        _lastPowerLoss = moment;
        for (int page = 0; page < _visible.Length; page++)
        {
            _visible[page] = _durable[page]?.ToArray();
        }
    }

    /// <summary>The node got the other's data by a resync.</summary>
    public void CopyFrom(VolumeModel other)
    {
        _lastPowerLoss = Math.Max(_lastPowerLoss, other._lastPowerLoss);
        for (int page = 0; page < _visible.Length; page++)
        {
            _visible[page] = other._visible[page]?.ToArray();
            _durable[page] = other._visible[page]?.ToArray();
        }
    }

    public void SetVisible(ulong sector, AppWrite write) => Set(_visible, sector, write);

    public void AllowDurable(ulong sector, AppWrite write) =>
        Update(_durable, sector, 1, set => set.Contains(write) ? set : set.Add(write));

    public void SetDurable(ulong sector, AppWrite write) => Set(_durable, sector, write);

    private void FlushPage(CandidateSet?[] sets, long flushSubmitted, int node)
    {
        for (int i = 0; i < sets.Length; i++)
        {
            if (sets[i] is not { IsCertain: false } set)
            {
                continue;
            }

            foreach (AppWrite write in set.Writes)
            {
                bool had = write.Acknowledged && (write.CertainOn & node) != 0 && write.Submitted > _lastPowerLoss;
                if (had && write.Done < flushSubmitted)
                {
                    sets[i] = sets[i]!.SupersededBy(write);
                }
            }
        }
    }

    private CandidateSet Get(CandidateSet?[]?[] pages, ulong sector) => pages[sector / 8]?[sector % 8] ?? _base;

    private void Set(CandidateSet?[]?[] pages, ulong sector, AppWrite write)
    {
        CandidateSet now = Get(pages, sector);
        if (!now.IsCertain || now.Writes[0] != write)
        {
            (pages[sector / 8] ??= new CandidateSet?[8])[sector % 8] = new CandidateSet(write);
        }
    }

    private void Update(CandidateSet?[]?[] pages, ulong sector, ulong count, Func<CandidateSet, CandidateSet> change)
    {
        CandidateSet? lastBefore = null;
        CandidateSet? lastAfter = null;
        for (ulong s = sector; s < sector + count; s++)
        {
            CandidateSet before = Get(pages, s);
            if (before != lastBefore)
            {
                lastBefore = before;
                lastAfter = change(before);
            }

            if (lastAfter != before)
            {
                (pages[s / 8] ??= new CandidateSet?[8])[s % 8] = lastAfter;
            }
        }
    }
}
