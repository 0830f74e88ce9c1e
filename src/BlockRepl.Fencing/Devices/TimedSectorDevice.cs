using BlockRepl.Platform.Storage;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Devices;

/// <summary>
/// A block device or file under deadlines. A thread of its own does the blocking calls; who has asked waits for it
/// only as long as he wants. A thread that hangs in the kernel cannot be ended, so it is left alone, and until it
/// comes back every call fails in time.
/// </summary>
internal sealed class TimedSectorDevice : ISectorDevice
{
    private readonly object _lock = new();
    private readonly byte[] _data = new byte[4096];
    private SectorFile? _file;
    private Job _job;
    private long _sector;
    private bool _busy;
    private bool _disposed;
    private string? _failure;

    private TimedSectorDevice(string name) => Name = name;

    private enum Job
    {
        None,
        Open,
        Read,
        Write,
    }

    public string Name { get; }

    public int SectorSize { get; private set; }

    public long SectorCount { get; private set; }

    public string? LastError { get; private set; }

    /// <exception cref="SbdException">It cannot be opened, or not in time.</exception>
    public static TimedSectorDevice Open(string name, TimeSpan within)
    {
        var device = new TimedSectorDevice(name);
        new Thread(device.Work) { IsBackground = true, Name = $"sbd {name}" }.Start();
        if (device.Ask(Job.Open, 0, within) != SectorError.None)
        {
            device.Dispose();
            throw new CommandLine.SbdException(device.LastError ?? $"{name}: cannot be opened");
        }

        return device;
    }

    public SectorError Read(long sector, Span<byte> into, TimeSpan within)
    {
        var error = Ask(Job.Read, sector, within);
        if (error == SectorError.None)
        {
            _data.AsSpan(0, SectorSize).CopyTo(into);
        }

        return error;
    }

    public SectorError Write(long sector, ReadOnlySpan<byte> from, TimeSpan within)
    {
        lock (_lock)
        {
            // What a call that was given up works on must stay as it is.
            if (!_busy)
            {
                from.CopyTo(_data);
            }
        }

        return Ask(Job.Write, sector, within);
    }

    /// <summary>The descriptor is closed by the thread, once it is free.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            Monitor.PulseAll(_lock);
        }
    }

    private SectorError Ask(Job job, long sector, TimeSpan within)
    {
        var deadline = Environment.TickCount64 + (long)within.TotalMilliseconds;
        lock (_lock)
        {
            if (_busy)
            {
                LastError = $"{Name}: still does not answer an earlier request";
                WaitUntilIdle(deadline);
                return SectorError.TimedOut;
            }

            _busy = true;
            _job = job;
            _sector = sector;
            Monitor.PulseAll(_lock);
            WaitUntilIdle(deadline);
            LastError = _busy ? $"{Name}: no answer within {within.TotalSeconds:0.#} s" : _failure;
            return _busy ? SectorError.TimedOut : _failure is null ? SectorError.None : SectorError.Failed;
        }
    }

    private void WaitUntilIdle(long deadline)
    {
        for (var left = deadline - Environment.TickCount64; _busy && left > 0;)
        {
            Monitor.Wait(_lock, (int)Math.Min(left, int.MaxValue));
            left = deadline - Environment.TickCount64;
        }
    }

    private void Work()
    {
        while (true)
        {
            lock (_lock)
            {
                while (_job == Job.None && !_disposed)
                {
                    Monitor.Wait(_lock);
                }

                if (_job == Job.None)
                {
                    break;
                }
            }

            var failure = Carry();
            lock (_lock)
            {
                _failure = failure;
                _job = Job.None;
                _busy = false;
                Monitor.PulseAll(_lock);
            }
        }

        _file?.Dispose();
    }

    /// <returns>Why it failed, null if it did not.</returns>
    private string? Carry()
    {
        if (_job == Job.Open)
        {
            return OpenFile();
        }

        var errno = _job == Job.Read
            ? _file!.Read(_sector, _data)
            : _file!.Write(_sector, _data.AsSpan(0, SectorSize));
        return errno == 0
            ? null
            : $"{Name}: sector {_sector} cannot be {(_job == Job.Read ? "read" : "written")}: "
                + SectorFile.Describe(errno);
    }

    private string? OpenFile()
    {
        try
        {
            _file = SectorFile.Open(Name);
        }
        catch (BlockDeviceException failure)
        {
            return failure.Message;
        }

        // A file with the image of a device with larger sectors.
        var header = new byte[_file.SectorSize];
        if (_file.IsRegular && _file.Read(0, header) == 0 && DeviceHeader.SectorSizeOf(header) == 4096)
        {
            _file.SectorSize = 4096;
        }

        SectorSize = _file.SectorSize;
        SectorCount = _file.SectorCount;
        return null;
    }
}
