using BlockRepl.Core;
using BlockRepl.Engine.Tests.Nbd;
using BlockRepl.FrontEnd;
using BlockRepl.FrontEnd.Devices;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Devices;

namespace BlockRepl.Engine.Tests.Devices;

/// <summary>A queue of a ublk device between a kernel made of arrays and a volume in memory.</summary>
public sealed class UblkQueueTests : IDisposable
{
    private const int Size = 16 << 20;
    private const int Depth = 8;
    private const int InputOutput = -5;
    private const int Invalid = -22;

    private readonly MemoryVolume _volume = new(Size, 4096);
    private readonly KernelSide _kernel;
    private readonly UblkQueue _queue;

    public UblkQueueTests()
    {
        _kernel = new KernelSide(_volume.Buffers);
        _queue = new UblkQueue(_volume, Depth, CoreLimits.MaxPayloadBytes, CoreLimits.MaxZeroBytes);
        Assert.True(_volume.OnLoop(() => _queue.TryOpen(out _, out _)));
        _volume.OnLoop(() =>
        {
            _queue.Begin(_ => _kernel);
            return true;
        });
    }

    public void Dispose()
    {
        End();
        _volume.Eventually(() => _volume.OpenCount == 0, "the queue gives its open back");
        Assert.True(_queue.Closed.IsCompleted);
        Assert.Equal(0, _volume.OnLoop(() => _volume.Buffers.RentedCount));
        _volume.Dispose();
    }

    [Theory]
    [InlineData(1 << 20)]
    [InlineData(64 << 10)]
    public void What_is_written_is_read_back_whole_or_in_parts(int largestPart)
    {
        Change(facts => facts with { MaxPartBytes = largestPart });
        var data = new byte[1 << 20];
        new Random(largestPart).NextBytes(data);
        data.CopyTo(_kernel.Data[3], 0);

        Assert.Equal(1 << 20, Run(3, new UblkRequest(UblkCode.Write, true, false, 16, 2048)));
        Assert.Equal(1 << 20, Run(5, new UblkRequest(UblkCode.Read, false, false, 16, 2048)));

        Assert.True(data.AsSpan().SequenceEqual(_kernel.Data[5]));
        Assert.True(data.AsSpan().SequenceEqual(_volume.Data.AsSpan(8192, 1 << 20)));
        Assert.All(_volume.Requests, r => Assert.True(r.ByteCount <= largestPart));
        Assert.Equal(2 * (1 << 20) / largestPart, _volume.Requests.Count);
        Assert.All(_volume.Requests, r => Assert.Equal(r.Kind == RequestKind.Write, r.ForceUnitAccess));
    }

    [Fact]
    public void A_flush_a_discard_and_zeroes_are_carried_out_and_forced_zeroes_end_with_a_flush()
    {
        _volume.Data.AsSpan().Fill(7);
        Change(facts => facts with { MaxZeroBytes = 1 << 20 });

        Assert.Equal(0, Run(0, new UblkRequest(UblkCode.Flush, false, false, 0, 0)));
        Assert.Equal(0, Run(1, new UblkRequest(UblkCode.Discard, false, false, 8, 8)));
        Assert.Equal(0, Run(2, new UblkRequest(UblkCode.WriteZeroes, true, true, 4096, 4096)));

        Assert.Equal(
            [
                RequestKind.Flush, RequestKind.Discard, RequestKind.WriteZeroesNoUnmap, RequestKind.WriteZeroesNoUnmap,
                RequestKind.Flush,
            ],
            _volume.Requests.Select(r => r.Kind));
        Assert.Equal([7, 0, 7], [_volume.Data[4095], _volume.Data[4096], _volume.Data[8192]]);
        Assert.Equal([0, 7], [_volume.Data[(4 << 20) - 1], _volume.Data[4 << 20]]);
    }

    [Theory]
    [InlineData(0, Size >> 9, 8)]
    [InlineData(0, (Size >> 9) - 8, 16)]
    [InlineData(1, 0, 2056)]
    [InlineData(1, 0, 0)]
    [InlineData(1, 4, 8)]
    [InlineData(0, 0, 4)]
    [InlineData(1, ulong.MaxValue - 7, 8)]
    [InlineData(3, 0, uint.MaxValue)]
    [InlineData(4, 0, 8)]
    [InlineData(77, 0, 8)]
    public void A_request_that_no_kernel_should_send_is_refused(byte code, ulong sector, uint sectors)
    {
        Assert.Equal(Invalid, Run(1, new UblkRequest((UblkCode)code, false, false, sector, sectors)));
        Assert.Empty(_volume.Requests);
    }

    [Fact]
    public void An_error_is_answered_and_the_tag_goes_on()
    {
        _volume.BadByte = 8192;
        Assert.Equal(InputOutput, Run(1, new UblkRequest(UblkCode.Read, false, false, 16, 8)));
        _kernel.RefusesData = true;
        Assert.Equal(InputOutput, Run(1, new UblkRequest(UblkCode.Write, false, false, 0, 8)));
        Assert.Equal(InputOutput, Run(1, new UblkRequest(UblkCode.Read, false, false, 0, 8)));
        _kernel.RefusesData = false;
        Assert.Equal(4096, Run(1, new UblkRequest(UblkCode.Read, false, false, 0, 8)));
    }

    [Fact]
    public void Requests_wait_for_buffers_in_their_order()
    {
        _volume.Budget = 2 << 20;
        Send(Enumerable.Range(0, Depth), tag =>
            new UblkRequest(UblkCode.Write, false, false, (ulong)tag * 2048, 2048));

        _volume.Eventually(() => _kernel.Answers.Count == Depth, "all are answered");

        Assert.Equal(Enumerable.Range(0, Depth).Select(tag => (tag, 1 << 20)), _kernel.Answers);
    }

    [Fact]
    public void What_runs_is_failed_at_once_and_its_buffers_come_back_with_the_completion()
    {
        _volume.Hold = true;
        Send([0, 1], tag => new UblkRequest((UblkCode)tag, false, false, 0, 8));
        _volume.Eventually(() => _volume.Pending == 2, "both are under way");

        OnLoop(_queue.Fail);
        Send([0, 2], _ => new UblkRequest(UblkCode.Flush, false, false, 0, 0));
        _volume.Eventually(() => _kernel.Answers.Count == 4, "old and new ones are answered");
        End();

        Assert.All(_kernel.Answers, answer => Assert.Equal(InputOutput, answer.Result));
        Assert.True(_queue.TagsEnded.IsCompleted);
        Assert.False(_queue.Closed.IsCompleted, "the volume still has requests");
        OnLoop(() => _volume.Hold = false);
    }

    [Fact]
    public void Nothing_is_allocated_per_request()
    {
        _volume.Record = false;
        _kernel.Record = false;
        var request = new UblkRequest(UblkCode.Write, false, false, 0, 8);
        var again = new UblkRequest(UblkCode.Read, false, false, 0, 8);
        long Round() => _volume.OnLoop(() =>
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                _queue.OnRequest(0, request);
                _queue.OnRequest(1, again);
                _volume.OnEndOfBatch(0);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        });

        _ = Round();
        Assert.Equal(0, Round());
        Assert.Equal(4000, _kernel.AnswerCount);
    }

    private void Change(Func<VolumeFacts, VolumeFacts> change) => OnLoop(() =>
    {
        _volume.Facts = change(_volume.Facts);
        _queue.OnVolumeChanged(_volume.Facts);
    });

    private int Run(int tag, UblkRequest request)
    {
        var before = _kernel.Answers.Count;
        Send([tag], _ => request);
        _volume.Eventually(() => _kernel.Answers.Count > before, "the request is answered");
        var (answeredTag, result) = _kernel.Answers[^1];
        Assert.Equal(tag, answeredTag);
        return result;
    }

    private void Send(IEnumerable<int> tags, Func<int, UblkRequest> request) => OnLoop(() =>
    {
        foreach (var tag in tags)
        {
            _queue.OnRequest(tag, request(tag));
        }
    });

    private void End() => OnLoop(() =>
    {
        for (var tag = 0; tag < Depth && !_queue.TagsEnded.IsCompleted; tag++)
        {
            _queue.OnEnded(tag);
        }
    });

    private void OnLoop(Action action) => _volume.OnLoop(() =>
    {
        action();
        return true;
    });

    /// <summary>What the kernel has for each tag, and what it was answered.</summary>
    private sealed class KernelSide(IoBufferPool pool) : IUblkQueueChannel
    {
        public byte[][] Data { get; } = [.. Enumerable.Range(0, Depth).Select(_ => new byte[1 << 20])];

        public List<(int Tag, int Result)> Answers { get; } = [];

        public int AnswerCount { get; private set; }

        public bool RefusesData { get; set; }

        public bool Record { get; set; } = true;

        public void Commit(int tag, int result)
        {
            AnswerCount++;
            if (Record)
            {
                Answers.Add((tag, result));
            }
        }

        public bool TryReceive(int tag, int offset, BufferHandle buffer, int byteCount)
        {
            Data[tag].AsSpan(offset, byteCount).CopyTo(pool.GetSpan(buffer, byteCount));
            return !RefusesData;
        }

        public bool TrySend(int tag, int offset, BufferHandle buffer, int byteCount)
        {
            pool.GetSpan(buffer, byteCount).CopyTo(Data[tag].AsSpan(offset));
            return !RefusesData;
        }
    }
}
