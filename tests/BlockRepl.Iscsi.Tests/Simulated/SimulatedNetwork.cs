using BlockRepl.Iscsi.Net;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;

namespace BlockRepl.Iscsi.Tests.Simulated;

/// <summary>What goes wrong with one connection.</summary>
internal sealed record Faults
{
    public static Faults None { get; } = new();

    /// <summary>The connection is reset when the initiator has sent this many bytes.</summary>
    public int CutSentAt { get; init; } = int.MaxValue;

    /// <summary>The stream ends when the target has sent this many bytes.</summary>
    public int CutReceivedAt { get; init; } = int.MaxValue;

    /// <summary>The target's PDU of this number comes late, and with it all that follow.</summary>
    public int DelayedPdu { get; init; } = -1;

    public long DelayMs { get; init; }

    /// <summary>At most so many bytes are received at once.</summary>
    public int LargestPiece { get; init; } = int.MaxValue;

    /// <summary>The bit of the target's stream that changes.</summary>
    public long FlippedBit { get; init; } = -1;

    public bool Refused { get; init; }
}

/// <summary>Virtual time, chance from a seed, and a simulated target behind each connection.</summary>
internal sealed class SimulatedNetwork(SimulatedLun lun, int seed = 1) : INetwork
{
    private readonly Random _random = new(seed);

    public long NowMs { get; set; } = 1000;

    /// <summary>How the target is when a connection is made, by the connection's number.</summary>
    public Func<int, TargetOptions> Options { get; set; } = _ => new TargetOptions();

    public Func<int, Faults> FaultsOf { get; set; } = _ => Faults.None;

    public List<SimulatedTarget> Targets { get; } = [];

    public List<Portal> Portals { get; } = [];

    public List<SimulatedStream> Streams { get; } = [];

    /// <summary>How long each receipt of bytes takes.</summary>
    public long TickPerReceiveMs { get; set; }

    /// <summary>When each connection was asked for.</summary>
    public List<long> ConnectTimes { get; } = [];

    public void Pause(long milliseconds) => NowMs += milliseconds;

    public void FillRandom(Span<byte> bytes) => _random.NextBytes(bytes);

    public ITargetStream Connect(Portal portal, long deadlineMs)
    {
        int number = ConnectTimes.Count;
        ConnectTimes.Add(NowMs);
        Portals.Add(portal);
        if (FaultsOf(number).Refused)
        {
            throw new IscsiException(IscsiError.Unreachable, "connection refused");
        }

        var target = new SimulatedTarget(lun, Options(number));
        Targets.Add(target);
        Streams.Add(new SimulatedStream(this, target, FaultsOf(number)));
        return Streams[^1];
    }
}

/// <summary>The two byte streams between a disk and a simulated target, with their faults.</summary>
internal sealed class SimulatedStream(SimulatedNetwork network, SimulatedTarget target, Faults faults) : ITargetStream
{
    private readonly Queue<(long TimeMs, byte[] Bytes)> _coming = new();
    private int _position;
    private int _pdus;
    private long _lateMs;

    public int SentBytes { get; private set; }

    public int ReceivedBytes { get; private set; }

    public int ReceivedPdus => _pdus;

    public bool IsDisposed { get; private set; }

    /// <summary>From now on nothing comes, and the connection stays.</summary>
    public bool IsSilent { get; set; }

    public void Send(ReadOnlySpan<byte> bytes, long deadlineMs)
    {
        int allowed = Math.Min(bytes.Length, faults.CutSentAt - SentBytes);
        SentBytes += allowed;
        target.Feed(bytes[..allowed]);
        if (allowed < bytes.Length)
        {
            throw new IscsiException(IscsiError.ConnectionLost, "connection reset");
        }
    }

    public int? Receive(Span<byte> buffer, long deadlineMs)
    {
        Collect();
        if (ReceivedBytes >= faults.CutReceivedAt)
        {
            return 0;
        }

        if (IsSilent || !_coming.TryPeek(out (long TimeMs, byte[] Bytes) next) || next.TimeMs > deadlineMs)
        {
            if (SentBytes >= faults.CutSentAt)
            {
                throw new IscsiException(IscsiError.ConnectionLost, "connection reset");
            }

            network.NowMs = Math.Max(network.NowMs, deadlineMs);
            return null;
        }

        network.NowMs = Math.Max(network.NowMs, next.TimeMs) + network.TickPerReceiveMs;
        int size = Math.Min(Math.Min(buffer.Length, next.Bytes.Length - _position), faults.LargestPiece);
        size = Math.Min(size, faults.CutReceivedAt - ReceivedBytes);
        next.Bytes.AsSpan(_position, size).CopyTo(buffer);
        long bit = faults.FlippedBit - (8L * ReceivedBytes);
        if (bit >= 0 && bit < 8L * size)
        {
            buffer[(int)(bit / 8)] ^= (byte)(1 << (int)(bit % 8));
        }

        ReceivedBytes += size;
        _position += size;
        if (_position == next.Bytes.Length)
        {
            _coming.Dequeue();
            _position = 0;
        }

        return size;
    }

    public void Dispose() => IsDisposed = true;

    private void Collect()
    {
        while (target.Sent.TryDequeue(out byte[]? bytes))
        {
            if (_pdus++ == faults.DelayedPdu)
            {
                _lateMs = network.NowMs + faults.DelayMs;
            }

            _coming.Enqueue((Math.Max(network.NowMs, _lateMs), bytes));
        }
    }
}
