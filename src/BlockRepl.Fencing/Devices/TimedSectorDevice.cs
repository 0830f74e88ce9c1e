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
    private readonly byte[] _data = new byte[4096 * SlotLayout.SlotsAtOnce];
    private SectorFile? _file;
    private Job _job;
    private long _sector;
    private int _stride;
    private int _wanted;
    private int _done;
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

    public SectorError Read(long sector, Span<byte> into, TimeSpan within) =>
        ReadEach(sector, 1, into[..SectorSize], within, out _);

    /// <summary>All of them by the device's thread before it answers: each hand-over costs more than a read.</summary>
    public SectorError ReadEach(long first, int stride, Span<byte> into, TimeSpan within, out int count)
    {
        var error = Ask(Job.Read, first, within, into.Length / SectorSize, stride);
        // What is still under way works on the data.
        count = error == SectorError.TimedOut ? 0 : _done;
        _data.AsSpan(0, count * SectorSize).CopyTo(into);
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

    private SectorError Ask(Job job, long sector, TimeSpan within, int wanted = 1, int stride = 1)
    {
        lock (_lock)
        {
            if (_busy)
            {
                LastError = $"{Name}: still does not answer an earlier request";
                WaitUntilIdle(within);
                return SectorError.TimedOut;
            }

            _busy = true;
            (_job, _sector, _wanted, _stride, _done) = (job, sector, wanted, stride, 0);
            Monitor.PulseAll(_lock);
            WaitUntilIdle(within);
            LastError = _busy ? $"{Name}: no answer within {within.TotalSeconds:0.#} s" : _failure;
            return _busy ? SectorError.TimedOut : _failure is null ? SectorError.None : SectorError.Failed;
        }
    }

    /// <summary>Waits as long as each sector comes within the time given.</summary>
    private void WaitUntilIdle(TimeSpan within)
    {
        var (seen, deadline) = (Volatile.Read(ref _done), Deadline(within));
        while (_busy)
        {
            var left = deadline - Environment.TickCount64;
            if (left > 0)
            {
                Monitor.Wait(_lock, (int)Math.Min(left, int.MaxValue));
            }
            else if (Volatile.Read(ref _done) is var now && now != seen)
            {
                (seen, deadline) = (now, Deadline(within));
            }
            else
            {
                return;
            }
        }
    }

    private static long Deadline(TimeSpan within) => Environment.TickCount64 + (long)within.TotalMilliseconds;

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

        var errno = 0;
        while (_done < _wanted && errno == 0)
        {
            var at = _sector + ((long)_done * _stride);
            var data = _data.AsSpan(_done * SectorSize, SectorSize);
            errno = _job == Job.Read ? _file!.Read(at, data) : _file!.Write(at, data);
            if (errno == 0)
            {
                Volatile.Write(ref _done, _done + 1);
            }
        }

        return errno == 0
            ? null
            : $"{Name}: sector {_sector + ((long)_done * _stride)} cannot be "
                + $"{(_job == Job.Read ? "read" : "written")}: {SectorFile.Describe(errno)}";
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
