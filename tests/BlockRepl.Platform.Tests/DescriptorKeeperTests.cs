using BlockRepl.Platform.Devices;
using Mono.Unix.Native;
using Xunit;

namespace BlockRepl.Platform.Tests;

/// <summary>The process that keeps descriptors: what it was given is still open when another daemon asks.</summary>
public sealed class DescriptorKeeperTests : IDisposable
{
    private const int NoDevice = 1 << 20;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("keeper");
    private readonly int _reader;
    private int _writer;

    public DescriptorKeeperTests()
    {
        Assert.Equal(0, Syscall.pipe(out _reader, out _writer));

        // Not for the keeper itself, which is started as a child.
        _ = Syscall.fcntl(_writer, FcntlCommand.F_SETFD, 1);
        _ = Syscall.fcntl(_reader, FcntlCommand.F_SETFD, 1);
    }

    private string SocketPath => Path.Combine(_folder.FullName, "keeper.sock");

    public void Dispose()
    {
        _ = Syscall.close(_reader);
        CloseWriter();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void A_descriptor_outlives_the_connection_and_the_process_ends_when_it_was_dropped()
    {
        using (DescriptorKeeper first = DescriptorKeeper.Start(SocketPath))
        {
            first.Put("a", _writer, TimeSpan.FromSeconds(60));
            CloseWriter();
            Assert.False(first.Has("b"));
        }

        using (DescriptorKeeper second = DescriptorKeeper.TryConnect(SocketPath)!)
        {
            Assert.True(second.TryGet("a", out int again));
            Assert.Equal(1, Write(again, 7));
            _ = Syscall.close(again);
            Assert.Equal(7, Read());
            Assert.True(second.Has("a"));
            second.Drop("a");
            Assert.False(second.Has("a"));
            Assert.Equal(-1, Read());
        }

        AssertEnds();
    }

    [Fact]
    public void A_connection_tells_when_another_took_its_place()
    {
        using DescriptorKeeper first = DescriptorKeeper.Start(SocketPath);
        first.Put("a", _writer, TimeSpan.FromSeconds(60));
        Assert.False(first.HasGone);
        using DescriptorKeeper second = DescriptorKeeper.TryConnect(SocketPath)!;
        Assert.True(second.Has("a"));
        Assert.True(first.HasGone);
        Assert.False(second.HasGone);
        second.Drop("a");
    }

    [Fact]
    public void When_no_daemon_comes_what_shall_not_wait_for_ever_is_closed()
    {
        int other = Syscall.open("/dev/null", OpenFlags.O_RDONLY | OpenFlags.O_CLOEXEC);
        using (DescriptorKeeper keeper = DescriptorKeeper.Start(SocketPath))
        {
            keeper.Put("for ever", other, patience: null);
            keeper.Put("a", _writer, TimeSpan.FromSeconds(1));
            CloseWriter();
        }

        _ = Syscall.close(other);
        Assert.Equal(-1, Read()); // waits for the end of the keeper's patience
        using (DescriptorKeeper second = DescriptorKeeper.TryConnect(SocketPath)!)
        {
            Assert.False(second.Has("a"));
            Assert.True(second.Has("for ever"));
            second.Drop("for ever");
        }

        AssertEnds();
    }

    [Fact]
    public void A_device_takes_the_place_of_a_descriptor_of_its_name_and_is_forgotten_when_it_is_not_there()
    {
        int other = Syscall.open("/dev/null", OpenFlags.O_RDONLY | OpenFlags.O_CLOEXEC);
        using (DescriptorKeeper keeper = DescriptorKeeper.Start(SocketPath))
        {
            keeper.Put("a", other, patience: null);
            keeper.PutUblk("a", NoDevice, 1, TimeSpan.FromSeconds(1));
            keeper.PutNbd("blockrepl:/run/a/nbd:r0/0", NoDevice, TimeSpan.FromSeconds(1));
            Assert.False(keeper.Has("a"));
            keeper.Put("b", _writer, TimeSpan.FromSeconds(2));
            CloseWriter();
        }

        _ = Syscall.close(other);
        Assert.Equal(-1, Read()); // the second one's patience is at its end too
        AssertEnds();
    }

    [Fact]
    public void Without_a_keeper_there_is_nothing_to_reach() => Assert.Null(DescriptorKeeper.TryConnect(SocketPath));

    private void AssertEnds()
    {
        long deadline = Environment.TickCount64 + 20_000;
        while (DescriptorKeeper.TryConnect(SocketPath) is { } alive)
        {
            alive.Dispose();
            Assert.True(Environment.TickCount64 < deadline, "the keeper does not end");
            Thread.Yield();
        }
    }

    private static unsafe long Write(int descriptor, byte value) => Syscall.write(descriptor, &value, 1);

    /// <summary>A byte, or -1 when nobody has the other end any more.</summary>
    private unsafe int Read()
    {
        byte value;
        return Syscall.read(_reader, &value, 1) == 1 ? value : -1;
    }

    private void CloseWriter()
    {
        if (_writer >= 0)
        {
            _ = Syscall.close(_writer);
            _writer = -1;
        }
    }
}
