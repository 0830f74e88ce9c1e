using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// Writes through our NBD server and remembers what was answered: after a crash every sector must hold its last
/// answered write or a later one that was on its way.
/// </summary>
internal sealed class NbdLoad : Load
{
    private const int Sector = 512;
    private const int Block = 4096;
    private const ulong Mark = 0x424c4f434b524550;

    private readonly Stream[] _streams;
    private readonly int _seed;
    private volatile bool _stop;

    public NbdLoad(string socket, string export, LoadShape shape, int seed)
    {
        _seed = seed;
        _streams = new Stream[shape.Streams];
        for (int i = 0; i < _streams.Length; i++)
        {
            var client = new NbdClient(socket, export);
            long range = shape.Length > 0 ? shape.Length : (long)client.ByteCount - shape.From;
            long share = range / shape.Streams / Block * Block;
            _streams[i] = new Stream(this, client, shape, seed, i, shape.From + (share * i), share);
        }

        foreach (Stream stream in _streams)
        {
            stream.Thread.Start();
        }
    }

    public override bool HasFailed => _streams.Any(s => s.Failure is not null);

    public override long Done => _streams.Sum(s => Interlocked.Read(ref s.Done));

    public override void WaitForEnd(int seconds = 120)
    {
        Join(seconds);
        if (_streams.FirstOrDefault(s => s.Failure is not null)?.Failure is { } failure)
        {
            throw new InvalidOperationException("the load failed: " + failure);
        }
    }

    public override void Stop(int seconds = 120)
    {
        _stop = true;
        Join(seconds);
        foreach (Stream stream in _streams)
        {
            stream.Client.Dispose();
        }
    }

    /// <summary>
    /// The sectors of an image that hold neither their last answered write nor a later one; empty if nothing was lost.
    /// </summary>
    public List<string> Lost(string image)
    {
        var lost = new List<string>();
        using FileStream file = File.Open(image, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        foreach (Stream stream in _streams)
        {
            byte[] share = new byte[stream.Length];
            file.Position = stream.From;
            file.ReadExactly(share);
            for (int sector = 0; sector < stream.Answered.Length; sector++)
            {
                ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(share.AsSpan(sector * Sector, Sector));
                uint found = words[0] == (Mark ^ stream.Seed) ? (uint)words[1] : 0;
                if (found < stream.Answered[sector]
                    || (found > 0 && words[2] != (ulong)((stream.From / Sector) + sector)))
                {
                    lost.Add(
                        $"sector {(stream.From / Sector) + sector}: "
                        + $"write {stream.Answered[sector]} was answered, {found} is there");
                }
            }
        }

        return lost;
    }

    public override void Dispose()
    {
        _stop = true;
        foreach (Stream stream in _streams)
        {
            stream.Client.Dispose();
        }

        Join(20);
    }

    private void Join(int seconds)
    {
        foreach (Stream stream in _streams)
        {
            if (!stream.Thread.Join(TimeSpan.FromSeconds(seconds)))
            {
                throw new TimeoutException(
                    $"the load of seed {_seed} did not end within {seconds} s; {Done} writes are done");
            }
        }
    }

    /// <summary>A thread, a connection, a range.</summary>
    private sealed class Stream
    {
        private readonly NbdLoad _load;
        private readonly LoadShape _shape;
        private readonly Random _random;
        private readonly byte[] _buffer;

        public Stream(NbdLoad load, NbdClient client, LoadShape shape, int seed, int index, long from, long length)
        {
            _load = load;
            _shape = shape;
            _random = new Random((seed * 1000) + index);
            _buffer = new byte[shape.LargestBytes];
            Seed = (ulong)((seed * 1000L) + index);
            Client = client;
            From = from;
            Length = length;
            Answered = new uint[length / Sector];
            Thread = new Thread(Run) { IsBackground = true };
        }

        public NbdClient Client { get; }
        public Thread Thread { get; }
        public ulong Seed { get; }
        public long From { get; }
        public long Length { get; }

        /// <summary>For each sector the number of the last write that was answered.</summary>
        public uint[] Answered { get; }

        public string? Failure { get; private set; }

        public long Done;

        private void Run()
        {
            try
            {
                for (uint number = 1; !_load._stop && (_shape.Count == 0 || number <= _shape.Count); number++)
                {
                    WriteOne(number);
                    if (_shape.FlushEvery > 0 && number % _shape.FlushEvery == 0)
                    {
                        Client.Flush();
                    }
                }
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or ObjectDisposedException)
            {
                Failure = e.Message;
            }
        }

        /// <summary>
        /// Two of three are whole blocks at a block's start, as file systems write; the others are sectors anywhere.
        /// </summary>
        private void WriteOne(uint number)
        {
            int unit = _shape.LargestBytes >= Block && _random.Next(3) != 0 ? Block : Sector;
            int bytes = _random.Next(1, (_shape.LargestBytes / unit) + 1) * unit;
            bytes = (int)Math.Min(bytes, Length / unit * unit);
            long offset = _random.NextInt64(((Length - bytes) / unit) + 1) * unit;
            Fill(_buffer.AsSpan(0, bytes), From + offset, number);
            Client.Write(From + offset, _buffer.AsSpan(0, bytes), forceUnitAccess: _random.Next(50) == 0);
            Answered.AsSpan((int)(offset / Sector), bytes / Sector).Fill(number);
            Interlocked.Increment(ref Done);
        }

        private void Fill(Span<byte> data, long offset, uint number)
        {
            _random.NextBytes(data);
            for (int at = 0; at < data.Length; at += Sector)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(data[at..], Mark ^ Seed);
                BinaryPrimitives.WriteUInt64LittleEndian(data[(at + 8)..], number);
                BinaryPrimitives.WriteUInt64LittleEndian(data[(at + 16)..], (ulong)((offset + at) / Sector));
            }
        }
    }
}
