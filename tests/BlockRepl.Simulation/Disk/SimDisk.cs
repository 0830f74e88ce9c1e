using BlockRepl.Core;

namespace BlockRepl.Simulation.Disk;

/// <summary>
/// A disk with a volatile cache: what reads see, and beside it what a power failure would leave. Operations complete in
/// any order; a power failure keeps any subset of the unflushed sectors and tears writes that were under way.
/// </summary>
public sealed class SimDisk
{
    public const int SectorBytes = 512;
    public const int PageBytes = 4096;
    private const int SectorsPerPage = PageBytes / SectorBytes;

    private readonly EventQueue _queue;
    private readonly Rng _rng;
    private readonly byte[]?[] _current;
    private readonly long[] _pageSequence;
    private readonly Dictionary<int, DirtyPage> _dirty = [];
    private readonly List<DiskOperation> _running = [];
    private readonly byte[] _scratch = new byte[1 << 20];
    private long _sequence;

    public SimDisk(EventQueue queue, Rng rng, DiskSettings settings)
    {
        _queue = queue;
        _rng = rng;
        Settings = settings;
        int pages = (int)((settings.Bytes + PageBytes - 1) / PageBytes);
        _current = new byte[]?[pages];
        _pageSequence = new long[pages];
    }

    public DiskSettings Settings { get; }

    public int PageCount => _current.Length;

    public List<DiskFault> Faults { get; } = [];

    /// <summary>Faults that are over, for the count of their hits.</summary>
    public List<DiskFault> RetiredFaults { get; } = [];

    public void RetireFault(DiskFault fault)
    {
        if (Faults.Remove(fault))
        {
            RetiredFaults.Add(fault);
        }
    }

    /// <summary>Counts completed writes; a page's number is that of its last one.</summary>
    public long Sequence => _sequence;

    public int RunningCount => _running.Count;

    /// <summary>Called after durable content of a range changed: (offset, count).</summary>
    public Action<long, long>? BecameDurable { get; set; }

    public long PageSequence(int page) => _pageSequence[page];

    public void Read(long offset, int count, byte[] into, Action<IoError> done) =>
        Start(new DiskOperation(DiskOperationKind.Read, offset, count, done) { Buffer = into });

    /// <summary>The buffer is read when the write completes, as a real device may: it must not change before.</summary>
    public void Write(long offset, int count, byte[] from, bool forceUnitAccess, Action<IoError> done) =>
        Start(new DiskOperation(DiskOperationKind.Write, offset, count, done)
        {
            Buffer = from,
            ForceUnitAccess = forceUnitAccess,
        });

    public void Zero(long offset, int count, ZeroMode mode, Action<IoError> done) =>
        Start(new DiskOperation(DiskOperationKind.Zero, offset, count, done) { Mode = mode });

    public void Flush(Action<IoError> done) =>
        Start(new DiskOperation(DiskOperationKind.Flush, 0, 0, done) { Sequence = _sequence });

    /// <summary>
    /// The process that used the disk was killed: what it had under way is done, or not, or in parts.
    /// </summary>
    public void KillProcess()
    {
        foreach (DiskOperation operation in _running)
        {
            operation.Cancelled = true;
            if (operation.IsWrite && !_rng.Percent(30))
            {
                Tear(operation, keepPercent: _rng.Pick(100, 100, 50));
            }
        }

        _running.Clear();
    }

    /// <summary>The power failed.</summary>
    public void PowerLoss()
    {
        foreach (DiskOperation operation in _running)
        {
            operation.Cancelled = true;
            if (operation.IsWrite)
            {
                Tear(operation, keepPercent: _rng.Pick(0, 50, 100));
            }
        }

        _running.Clear();
        int keep = _rng.Pick(0, 0, 50, 90, 100);
        foreach ((int page, DirtyPage dirty) in _dirty)
        {
            DropSectors(page, dirty, keep);
        }

        _dirty.Clear();
        BecameDurable?.Invoke(0, Settings.Bytes);
    }

    /// <summary>The content that a read sees now.</summary>
    public void ReadCurrent(long offset, Span<byte> into) =>
        Copy(offset, into, static (disk, page) => disk._current[page]);

    /// <summary>The content that is certain to survive a power failure.</summary>
    public void ReadDurable(long offset, Span<byte> into) =>
        Copy(
            offset,
            into,
            static (disk, page) => disk._dirty.TryGetValue(page, out DirtyPage? d) ? d.Durable : disk._current[page]);

    /// <summary>Content and durable at once, for a test's own preparations.</summary>
    public void Preset(long offset, ReadOnlySpan<byte> data) => Store(offset, data, durable: true);

    /// <summary>Whether the sectors of a page (a mask) would survive a power failure as they are.</summary>
    public bool IsDurable(int page, byte sectors) =>
        !_dirty.TryGetValue(page, out DirtyPage? dirty) || (dirty.Mask & sectors) == 0;

    /// <summary>The page's present content; null if it is all zero.</summary>
    public byte[]? Page(int page) => _current[page];

    private void Start(DiskOperation operation)
    {
        if (operation.Offset < 0 || operation.Offset + operation.Count > Settings.Bytes
            || operation.Offset % SectorBytes != 0)
        {
            throw new SimulationException($"I/O outside the device or unaligned: {operation}");
        }

        if (operation.IsWrite)
        {
            foreach (DiskOperation other in _running)
            {
                if (other.IsWrite && other.Overlaps(operation))
                {
                    throw new SimulationException($"overlapping writes under way at once: {other} and {operation}");
                }
            }
        }

        long latency = _rng.Between(Settings.MinLatencyNs, Settings.MaxLatencyNs) + operation.Count / 512L * 1000;
        foreach (DiskFault fault in Faults)
        {
            if (fault.TryHit(DiskFaultKind.Stall, operation.Offset, operation.Count, _queue.NowNs, _rng))
            {
                latency += fault.StallNs;
            }
        }

        _running.Add(operation);
        _queue.After(latency, () => Finish(operation));
    }

    private void Finish(DiskOperation operation)
    {
        if (operation.Cancelled)
        {
            return;
        }

        _running.Remove(operation);
        IoError error = IsHit(operation) ? IoError.Failed : Execute(operation);
        if (error == IoError.Failed && operation.IsWrite)
        {
            Tear(operation, keepPercent: _rng.Pick(0, 0, 50));
        }

        operation.Done(error);
    }

    private bool IsHit(DiskOperation operation)
    {
        DiskFaultKind kind = operation.Kind switch
        {
            DiskOperationKind.Read => DiskFaultKind.ReadError,
            DiskOperationKind.Flush => DiskFaultKind.FlushError,
            _ => DiskFaultKind.WriteError,
        };
        foreach (DiskFault fault in Faults)
        {
            if (fault.TryHit(kind, operation.Offset, operation.Count, _queue.NowNs, _rng))
            {
                return true;
            }
        }

        return false;
    }

    private IoError Execute(DiskOperation operation)
    {
        switch (operation.Kind)
        {
            case DiskOperationKind.Read:
                ReadCurrent(operation.Offset, operation.Buffer.AsSpan(0, operation.Count));
                return IoError.None;
            case DiskOperationKind.Write:
                Store(
                    operation.Offset,
                    operation.Buffer.AsSpan(0, operation.Count),
                    operation.ForceUnitAccess || !Settings.VolatileCache);
                return IoError.None;
            case DiskOperationKind.Zero:
                return ExecuteZero(operation);
            default:
                MakeDurable(operation.Sequence);
                return IoError.None;
        }
    }

    private IoError ExecuteZero(DiskOperation operation)
    {
        if (operation.Mode == ZeroMode.Discard)
        {
            if (!Settings.CanDiscard)
            {
                return IoError.NotSupported;
            }

            if (!Settings.DiscardZeroes && _rng.Percent(50))
            {
                return IoError.None;
            }
        }

        Array.Clear(_scratch);
        for (int done = 0; done < operation.Count; done += _scratch.Length)
        {
            int part = Math.Min(_scratch.Length, operation.Count - done);
            Store(operation.Offset + done, _scratch.AsSpan(0, part), !Settings.VolatileCache);
        }

        return IoError.None;
    }

    private void MakeDurable(long upTo)
    {
        foreach ((int page, DirtyPage dirty) in _dirty)
        {
            if (dirty.FirstSequence <= upTo)
            {
                _dirty.Remove(page);
                BecameDurable?.Invoke((long)page * PageBytes, PageBytes);
            }
        }
    }

    /// <summary>Applies any part of a write that is not over.</summary>
    private void Tear(DiskOperation operation, int keepPercent)
    {
        Span<byte> zero = stackalloc byte[SectorBytes];
        zero.Clear();
        for (int done = 0; done < operation.Count; done += SectorBytes)
        {
            if (!_rng.Percent(keepPercent))
            {
                continue;
            }

            ReadOnlySpan<byte> sector =
                operation.Kind == DiskOperationKind.Write ? operation.Buffer.AsSpan(done, SectorBytes) : zero;
            Store(operation.Offset + done, sector, !Settings.VolatileCache);
        }
    }

    private void DropSectors(int page, DirtyPage dirty, int keepPercent)
    {
        for (int sector = 0; sector < SectorsPerPage; sector++)
        {
            if ((dirty.Mask & (1 << sector)) == 0 || _rng.Percent(keepPercent))
            {
                continue;
            }

            byte[] now = _current[page] ??= new byte[PageBytes];
            Span<byte> target = now.AsSpan(sector * SectorBytes, SectorBytes);
            if (dirty.Durable is null)
            {
                target.Clear();
            }
            else
            {
                dirty.Durable.AsSpan(sector * SectorBytes, SectorBytes).CopyTo(target);
            }
        }
    }

    private void Store(long offset, ReadOnlySpan<byte> data, bool durable)
    {
        _sequence++;
        while (data.Length > 0)
        {
            int page = (int)(offset / PageBytes);
            int start = (int)(offset % PageBytes);
            int part = Math.Min(PageBytes - start, data.Length);
            StoreInPage(page, start, data[..part], durable);
            _pageSequence[page] = _sequence;
            offset += part;
            data = data[part..];
        }
    }

    private void StoreInPage(int page, int start, ReadOnlySpan<byte> data, bool durable)
    {
        byte mask = SectorMask(start, data.Length);
        _dirty.TryGetValue(page, out DirtyPage? dirty);
        if (durable)
        {
            if (dirty is not null)
            {
                dirty.Durable = Patched(dirty.Durable, start, data, inPlace: true);
                dirty.Mask &= (byte)~mask;
                if (dirty.Mask == 0)
                {
                    _dirty.Remove(page);
                }
            }

            _current[page] = Patched(_current[page], start, data, inPlace: true);
            BecameDurable?.Invoke((long)page * PageBytes + start, data.Length);
            return;
        }

        if (dirty is null)
        {
            // The old array becomes the durable version; the current one is new.
            _dirty.Add(page, new DirtyPage { Durable = _current[page], Mask = mask, FirstSequence = _sequence });
            _current[page] = Patched(_current[page], start, data, inPlace: false);
            return;
        }

        dirty.Mask |= mask;
        _current[page] = Patched(_current[page], start, data, inPlace: true);
    }

    private static byte[]? Patched(byte[]? page, int start, ReadOnlySpan<byte> data, bool inPlace)
    {
        if (page is null && !data.ContainsAnyExcept((byte)0))
        {
            return null;
        }

        byte[] result = page is not null && inPlace ? page : new byte[PageBytes];
        if (page is not null && !inPlace && data.Length < PageBytes)
        {
            page.CopyTo(result, 0);
        }

        data.CopyTo(result.AsSpan(start));
        return result;
    }

    /// <summary>Bit n is the page's n-th sector.</summary>
    public static byte SectorMask(int start, int count)
    {
        int first = start / SectorBytes;
        int end = (start + count + SectorBytes - 1) / SectorBytes;
        return (byte)((1 << end) - (1 << first));
    }

    private void Copy(long offset, Span<byte> into, Func<SimDisk, int, byte[]?> source)
    {
        while (into.Length > 0)
        {
            int page = (int)(offset / PageBytes);
            int start = (int)(offset % PageBytes);
            int part = Math.Min(PageBytes - start, into.Length);
            byte[]? content = source(this, page);
            if (content is null)
            {
                into[..part].Clear();
            }
            else
            {
                content.AsSpan(start, part).CopyTo(into);
            }

            offset += part;
            into = into[part..];
        }
    }

    private sealed class DirtyPage
    {
        public byte[]? Durable { get; set; }

        public byte Mask { get; set; }

        public long FirstSequence { get; init; }
    }
}
