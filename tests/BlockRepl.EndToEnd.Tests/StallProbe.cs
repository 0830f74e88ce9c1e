using System.Diagnostics;
using BlockRepl.Nodes;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>
/// A program that writes a block of a file, waits until it is on the disk, and at once writes the next: how long the
/// longest write takes is how long I/O stalled. Each block has its number, and the last ones must be there at the end.
/// </summary>
internal sealed class StallProbe
{
    private const int BlockBytes = 4096;
    private const int Blocks = 64;

    private readonly string _path;
    private readonly Task _writer;
    private long _written;
    private long _longestTicks;
    private volatile bool _stop;

    public StallProbe(string folder)
    {
        _path = Path.Combine(folder, "probe");
        _writer = Task.Factory.StartNew(Write, TaskCreationOptions.LongRunning);
    }

    /// <summary>The longest write since the last call, in seconds; those that are under way are waited for.</summary>
    public double TakeLongest()
    {
        long enough = Volatile.Read(ref _written) + 2;
        Poll.Until(
            () => _writer.IsCompleted || Volatile.Read(ref _written) >= enough, "the probe's writes to go on", 60);
        if (_writer.IsCompleted)
        {
            _writer.GetAwaiter().GetResult();
        }

        return Interlocked.Exchange(ref _longestTicks, 0) / (double)Stopwatch.Frequency;
    }

    /// <summary>Ends it and reads what it wrote.</summary>
    /// <exception cref="InvalidDataException">A block is not the last one that was written there.</exception>
    public async Task FinishAsync()
    {
        _stop = true;
        await _writer;
        byte[] all = await File.ReadAllBytesAsync(_path);
        for (long number = Math.Max(0, _written - Blocks); number < _written; number++)
        {
            long found = BitConverter.ToInt64(all, Place(number));
            if (found != number)
            {
                throw new InvalidDataException($"write {number} was answered, and its place has {found}");
            }
        }
    }

    private static int Place(long number) => (int)(number % Blocks) * BlockBytes;

    private void Write()
    {
        byte[] block = new byte[BlockBytes];
        using FileStream file = new(
            _path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0, FileOptions.WriteThrough);
        while (!_stop)
        {
            BitConverter.TryWriteBytes(block, _written);
            long began = Stopwatch.GetTimestamp();
            RandomAccess.Write(file.SafeFileHandle, block, Place(_written));
            long took = Stopwatch.GetTimestamp() - began;
            if (took > Volatile.Read(ref _longestTicks))
            {
                Volatile.Write(ref _longestTicks, took);
            }

            Volatile.Write(ref _written, _written + 1);
        }
    }
}
