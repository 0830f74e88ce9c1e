using BlockRepl.Core;
using BlockRepl.Engine.Tests.Nbd;
using BlockRepl.FrontEnd.Fuse;

namespace BlockRepl.Engine.Tests.Fuse;

/// <summary>A volume as a FUSE file: what the kernel asks, and what anything else might send.</summary>
public sealed class FuseSessionTests : IDisposable
{
    private const int VolumeBytes = 4 << 20;
    private const uint PunchHole = 3;

    private readonly MemoryVolume _volume = new(VolumeBytes);
    private readonly FuseKernel _kernel;

    public FuseSessionTests() => _kernel = new FuseKernel(_volume);

    public void Dispose()
    {
        _volume.Dispose();
        _kernel.Dispose();
    }

    [Fact]
    public void The_kernel_is_told_what_the_session_can_do()
    {
        var answer = _kernel.Ask(FuseOpcode.Init, FuseKernel.Version(7, 45, uint.MaxValue));

        Assert.Equal(0, answer.Error);
        Assert.Equal(64, answer.Payload.Length);
        Assert.Equal((7u, 31u), (answer.Get32(0), answer.Get32(4)));
        Assert.Equal(1u << 0 | 1u << 5 | 1u << 15 | 1u << 22, answer.Get32(12));
        Assert.Equal((uint)FuseSession.MaxTransferBytes, answer.Get32(20));
        Assert.Equal((uint)FuseSession.MaxRequests, answer.Get32(16) & 0xffff);
        Assert.Equal((uint)(FuseSession.MaxTransferBytes / 4096) + 1, answer.Get32(28) & 0xffff);
        _kernel.Stop();
    }

    [Theory]
    [InlineData(7, 27)]
    [InlineData(6, 40)]
    [InlineData(8, 40)]
    public void Another_version_is_refused(uint major, uint minor)
    {
        Assert.Equal(71, _kernel.Ask(FuseOpcode.Init, FuseKernel.Version(major, minor, 0)).Error);
        _kernel.Stop();
    }

    [Fact]
    public void The_file_has_the_volumes_size_also_after_it_grew()
    {
        var small = _kernel.Ask(FuseOpcode.GetAttributes, new byte[16]);
        Assert.Equal((ulong)VolumeBytes, small.Get64(24));
        Assert.Equal(0ul, small.Get64(0));

        _volume.OnLoop(() =>
        {
            _kernel.Session.OnVolumeChanged(_volume.Facts with { SizeBytes = 2 * VolumeBytes });
            return 0;
        });

        Assert.Equal(2ul * VolumeBytes, _kernel.Ask(FuseOpcode.GetAttributes, new byte[16]).Get64(24));
        _kernel.Stop();
    }

    [Theory]
    [InlineData(512, int.MaxValue)]
    [InlineData(4096, int.MaxValue)]
    [InlineData(64 << 10, int.MaxValue)]
    [InlineData(128 << 10, int.MaxValue)]
    [InlineData(128 << 10, 32 << 10)]
    [InlineData((128 << 10) + 512, 4096)]
    [InlineData(8192, 4096)]
    public void What_is_written_is_read_again_in_parts_that_the_volume_takes(int bytes, int part)
    {
        ChangeFacts(part);
        var data = new byte[bytes];
        new Random(bytes).NextBytes(data);

        var written = _kernel.Write(8192, data);
        Assert.Equal((0, (uint)bytes), (written.Error, written.Get32(0)));
        Assert.True(_volume.Data.AsSpan(8192, bytes).SequenceEqual(data));
        var read = _kernel.Read(8192, bytes);
        Assert.Equal(0, read.Error);
        Assert.True(read.Payload.AsSpan().SequenceEqual(data));

        var parts = bytes <= part ? 1 : (bytes + part - 1) / part;
        Assert.Equal(2 * parts, _volume.Requests.Count);
        Assert.All(_volume.Requests, request => Assert.InRange(request.ByteCount, 512, Math.Min(part, bytes)));
        _kernel.Stop();
    }

    [Fact]
    public void A_sync_is_a_flush_and_nothing_else()
    {
        Assert.Equal(0, _kernel.Ask(FuseOpcode.Fsync, new byte[16]).Error);
        Assert.Equal(RequestKind.Flush, Assert.Single(_volume.Requests).Kind);
        _kernel.Stop();
    }

    [Fact]
    public void Zeroes_go_in_parts_one_after_the_other()
    {
        _volume.OnLoop(() =>
        {
            _kernel.Session.OnVolumeChanged(_volume.Facts with { MaxZeroBytes = 1 << 20 });
            return 0;
        });
        _volume.Data.AsSpan().Fill(1);

        var body = FuseKernel.Allocation(4096, (3 << 20) - 512, PunchHole);
        Assert.Equal(0, _kernel.Ask(FuseOpcode.Allocate, body).Error);

        Assert.Equal([1 << 20, 1 << 20, (1 << 20) - 512], _volume.Requests.Select(request => request.ByteCount));
        Assert.All(_volume.Requests, request => Assert.Equal(RequestKind.WriteZeroesMayUnmap, request.Kind));
        Assert.Equal(4096, _volume.Data.AsSpan().IndexOf((byte)0));
        Assert.Equal(4096 + (3 << 20) - 512 - 1, _volume.Data.AsSpan().LastIndexOf((byte)0));
        _kernel.Stop();
    }

    [Fact]
    public void Where_zeroing_is_slow_the_kernel_writes_them_itself()
    {
        _volume.OnLoop(() =>
        {
            _kernel.Session.OnVolumeChanged(_volume.Facts with { CanZeroFast = false });
            return 0;
        });
        Assert.Equal(95, _kernel.Ask(FuseOpcode.Allocate, FuseKernel.Allocation(0, 4096, PunchHole)).Error);
        _kernel.Stop();
    }

    [Fact]
    public void What_cannot_be_carried_out_is_refused_by_an_errno_and_the_session_lives_on()
    {
        Assert.Equal(22, _kernel.Write(VolumeBytes, new byte[512]).Error);
        Assert.Equal(22, _kernel.Write(100, new byte[512]).Error);
        Assert.Equal(22, _kernel.Write(0, new byte[100]).Error);
        Assert.Equal(22, _kernel.Write(0, []).Error);
        Assert.Equal(22, _kernel.Read(0, 0).Error);
        Assert.Equal(22, _kernel.Read(0, FuseSession.MaxTransferBytes + 512).Error);
        Assert.Equal(22, _kernel.Ask(FuseOpcode.Write, FuseKernel.Ranged(0, 512), new byte[1024]).Error);
        Assert.Equal(22, _kernel.Ask(FuseOpcode.Read, new byte[8]).Error);
        Assert.Equal(95, _kernel.Ask(FuseOpcode.Allocate, FuseKernel.Allocation(0, 4096, 0)).Error);
        Assert.Equal(22, _kernel.Ask(FuseOpcode.Allocate, FuseKernel.Allocation(0, ulong.MaxValue, PunchHole)).Error);
        Assert.Equal(38, _kernel.Ask((FuseOpcode)1, "name\0"u8).Error);
        Assert.Equal(38, _kernel.Ask((FuseOpcode)9999, []).Error);

        var unique = _kernel.Send(FuseOpcode.Read, FuseKernel.Ranged(0, 512), node: 2);
        var answer = _kernel.Receive();
        Assert.Equal((unique, 22), (answer.Unique, answer.Error));

        Assert.Empty(_volume.Requests);
        Assert.Equal(0, _kernel.Read(0, 512).Error);
        _kernel.Stop();
    }

    [Fact]
    public void What_wants_no_answer_gets_none()
    {
        _kernel.Send(FuseOpcode.Forget, new byte[8]);
        _kernel.Send(FuseOpcode.BatchForget, new byte[8], node: 0);
        _kernel.Send(FuseOpcode.Interrupt, new byte[8], node: 0);

        Assert.Equal(0, _kernel.Ask(FuseOpcode.StatFs, []).Error);
        _kernel.Stop();
    }

    [Fact]
    public void An_error_of_the_disk_reaches_the_kernel()
    {
        _volume.BadByte = 8192;
        Assert.Equal(5, _kernel.Read(8192, 4096).Error);
        Assert.Equal(5, _kernel.Write(4096, new byte[128 << 10]).Error);
        Assert.Equal(0, _kernel.Read(0, 8192).Error);
        _kernel.Stop();
    }

    [Fact]
    public void A_message_that_is_no_request_ends_the_session()
    {
        _kernel.SendRaw(new byte[100]);
        _kernel.AssertEnded();
    }

    [Fact]
    public void Any_messages_at_all_do_no_harm()
    {
        const int seed = 21;
        var random = new Random(seed);
        var bytes = new byte[4000];
        for (var i = 0; i < 2000; i++)
        {
            random.NextBytes(bytes);
            var message = bytes.AsSpan(0, random.Next(40, bytes.Length));
            BitConverter.TryWriteBytes(message, message.Length);
            BitConverter.TryWriteBytes(message[4..], random.Next(56));
            BitConverter.TryWriteBytes(message[16..], random.NextInt64(2));
            var answered = BitConverter.ToInt32(message[4..]) is not (2 or 36 or 42);
            _kernel.SendRaw(message);
            if (answered)
            {
                _kernel.Receive();
            }
        }

        _kernel.Stop();
    }

    [Fact]
    public void More_requests_than_the_session_has_room_for_wait_in_the_kernel()
    {
        _volume.Hold = true;
        for (var i = 0; i < FuseSession.MaxRequests; i++)
        {
            _kernel.Send(FuseOpcode.Read, FuseKernel.Ranged((ulong)i * 512, 512));
        }

        _volume.Eventually(() => _volume.Pending == FuseSession.MaxRequests, "all are with the volume");
        var last = _kernel.Send(FuseOpcode.Read, FuseKernel.Ranged(0, 512));
        _volume.OnLoop(() => _volume.Hold = false);

        var answers = Enumerable.Range(0, FuseSession.MaxRequests + 1).Select(_ => _kernel.Receive()).ToList();
        Assert.Equal(last, answers[^1].Unique);
        Assert.Equal(answers.Count, answers.Select(answer => answer.Unique).Distinct().Count());
        _kernel.Stop();
    }

    [Fact]
    public void Without_buffers_a_message_waits_in_the_kernel_until_some_come_back()
    {
        _volume.OnLoop(() => _volume.Budget = 0);
        var unique = _kernel.Send(FuseOpcode.Write, FuseKernel.Ranged(0, 512), new byte[512]);
        _volume.Eventually(() => _volume.HasWaiters, "the session waits for buffers");
        _volume.OnLoop(() => _volume.Budget = 32 << 20);

        Assert.Equal(unique, _kernel.Receive().Unique);
        _kernel.Stop();
    }

    [Fact]
    public void The_end_waits_for_what_is_under_way()
    {
        _volume.Hold = true;
        var unique = _kernel.Send(FuseOpcode.Write, FuseKernel.Ranged(0, 4096), new byte[4096]);
        _volume.Eventually(() => _volume.Pending == 1, "the write is with the volume");
        _volume.Loop.Post(_kernel.Session.Stop);
        Assert.False(_volume.OnLoop(() => _kernel.Session.Ended.IsCompleted));
        _volume.OnLoop(() => _volume.Hold = false);

        Assert.Equal(unique, _kernel.Receive().Unique);
        _kernel.AssertEnded();
    }

    [Fact]
    public void A_volume_that_goes_ends_the_session_at_once()
    {
        _volume.Hold = true;
        _kernel.Send(FuseOpcode.Read, FuseKernel.Ranged(0, 4096));
        _volume.Eventually(() => _volume.Pending == 1, "the read is with the volume");

        _volume.Loop.Post(_kernel.Session.OnVolumeGone);

        _kernel.WaitEnded();
        Assert.False(_kernel.Skip());
    }

    [Fact]
    public void Requests_allocate_nothing()
    {
        _volume.Record = false;
        Run(400);
        var before = LoopAllocations.Of(_volume.Loop);
        Run(2000);
        Assert.Equal(before, LoopAllocations.Of(_volume.Loop));
        _kernel.Stop();
    }

    private void Run(int rounds)
    {
        var small = new byte[4096];
        var large = new byte[128 << 10];
        for (var i = 0; i < rounds; i++)
        {
            _kernel.Send(FuseOpcode.Write, FuseKernel.Ranged(0, 4096), small);
            _kernel.Send(FuseOpcode.Read, FuseKernel.Ranged(0, 4096));
            _kernel.Send(FuseOpcode.Write, FuseKernel.Ranged(0, (ulong)large.Length), large);
            _kernel.Send(FuseOpcode.Read, FuseKernel.Ranged(0, (ulong)large.Length));
            _kernel.Send(FuseOpcode.Fsync, small.AsSpan(0, 16));
            for (var reply = 0; reply < 5; reply++)
            {
                Assert.True(_kernel.Skip());
            }
        }
    }

    private void ChangeFacts(int partBytes) => _volume.OnLoop(() =>
    {
        _kernel.Session.OnVolumeChanged(_volume.Facts with { MaxPartBytes = Math.Min(partBytes, 1 << 20) });
        return 0;
    });
}
