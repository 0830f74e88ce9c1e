using System.Net.Sockets;
using BlockRepl.FrontEnd.Nbd;
using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging.Abstractions;

namespace BlockRepl.Engine.Tests.Nbd;

/// <summary>A connection goes from session to session while its client works, as from one daemon to the next.</summary>
public sealed class NbdHandOverTests : IDisposable
{
    private const ushort Read = 0;
    private const ushort Write = 1;
    private const int Area = 5 << 20;
    private const int BlockBytes = 16 << 10;
    private const int Requests = 4 * Area / BlockBytes;
    private const int Sessions = 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly MemoryVolume _volume = new(2 * Area);
    private readonly NbdTestClient _client;

    /// <summary>Requests that the client may send: each session allows some more.</summary>
    private readonly SemaphoreSlim _allowed = new(0);

    private int _descriptor;
    private byte[] _received = [];

    public NbdHandOverTests()
    {
        (_descriptor, var other) = KernelNbd.MakeConnection();
        _client = new NbdTestClient(new Socket(new SafeSocketHandle(other, ownsHandle: true)));
        new Random(1).NextBytes(_volume.Data.AsSpan(Area));
    }

    private static CancellationToken End => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _allowed.Dispose();
        _client.Dispose();
        Assert.Equal(0, _volume.OnLoop(() => _volume.Buffers.RentedCount));
        Assert.Equal(0, _volume.OnLoop(() => _volume.OpenCount));
        _volume.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Every_request_is_answered_once_by_one_of_many_sessions(int seed)
    {
        var written = new byte[Area];
        new Random(seed).NextBytes(written);
        var sender = Task.Run(() => SendAll(written, new Random(seed)), End);
        var receiver = Task.Run(ReceiveAll, End);
        var sessions = 0;
        while (!receiver.IsCompleted)
        {
            await ServeForAWhile(receiver);
            sessions++;
        }

        await sender;
        await receiver;
        KernelNbd.CloseEnd(_descriptor);
        Assert.Empty(_received);
        Assert.True(_volume.Data.AsSpan(0, Area).SequenceEqual(written));
        Assert.InRange(sessions, Sessions, int.MaxValue);
    }

    [Fact]
    public async Task What_is_under_way_is_answered_first_and_what_came_behind_it_is_left()
    {
        var session = Begin();
        _volume.OnLoop(() => _volume.Hold = true);
        _client.Send(NbdBytes.Request(Read, 1, Area, BlockBytes));
        _volume.Eventually(() => _volume.Pending == 1, "the read is under way");
        var left = HandOver(session);
        var flush = NbdBytes.Request(3, 2, 0, 0);
        _client.Send(flush);
        Assert.False(left.IsCompleted);
        _volume.OnLoop(() => _volume.Hold = false);
        (_descriptor, _received) = await left.WaitAsync(Patience, End);
        Assert.Equal((1UL, 0u), _client.ReceiveReply());
        Assert.True(_volume.Data.AsSpan(Area, BlockBytes).SequenceEqual(_client.Receive(BlockBytes)));

        // The flush is in the socket, or was received.
        Assert.Contains(_received.Length, new[] { 0, flush.Length });
        session = Begin();
        Assert.Equal((2UL, 0u), _client.ReceiveReply());
        (_descriptor, _) = await HandOver(session).WaitAsync(Patience, End);
        KernelNbd.CloseEnd(_descriptor);
    }

    private async Task ServeForAWhile(Task clientsEnd)
    {
        var session = Begin();
        var before = _volume.OnLoop(() => _volume.Requests.Count);
        _allowed.Release(Requests / Sessions);
        _volume.Eventually(
            () => _volume.Requests.Count > before || clientsEnd.IsCompleted, "the client goes on");
        (_descriptor, _received) = await HandOver(session).WaitAsync(Patience, End);
    }

    private NbdSession Begin()
    {
        var session = new NbdSession(_volume, NullLogger.Instance, _ => { });
        Assert.True(_volume.OnLoop(() => session.TryOpen(out _, out _)));
        _volume.OnLoop(() =>
        {
            session.Begin(_descriptor, _received);
            return true;
        });
        return session;
    }

    private Task<(int Descriptor, byte[] Received)> HandOver(NbdSession session)
    {
        var left = new TaskCompletionSource<(int, byte[])>(TaskCreationOptions.RunContinuationsAsynchronously);
        _volume.OnLoop(() =>
        {
            session.HandOver((descriptor, received) => left.SetResult((descriptor, received)));
            return true;
        });
        return left.Task;
    }

    /// <summary>Writes all of the first half, each block once, and reads here and there in the second.</summary>
    private void SendAll(byte[] written, Random random)
    {
        for (var i = 0; i < Requests; i++)
        {
            _allowed.Wait();
            var at = i / 4 * BlockBytes;
            if (i % 4 == 0)
            {
                _client.Send(NbdBytes.Request(Write, (ulong)i, (ulong)at, BlockBytes));
                _client.SendInPieces(written.AsSpan(at, BlockBytes), random, BlockBytes);
            }
            else
            {
                _client.SendInPieces(
                    NbdBytes.Request(Read, (ulong)i, (ulong)(Area + at), BlockBytes), random, 28);
            }
        }
    }

    private void ReceiveAll()
    {
        var open = Enumerable.Range(0, Requests).ToHashSet();
        while (open.Count > 0)
        {
            var (cookie, error) = _client.ReceiveReply();
            Assert.Equal(0u, error);
            Assert.True(open.Remove((int)cookie));
            if (cookie % 4 != 0)
            {
                var at = Area + ((int)cookie / 4 * BlockBytes);
                Assert.True(_volume.Data.AsSpan(at, BlockBytes).SequenceEqual(_client.Receive(BlockBytes)));
            }
        }
    }
}
