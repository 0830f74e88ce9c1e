using System.Globalization;
using BlockRepl.Core;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Storage;
using Mono.Unix.Native;
using Xunit;

namespace BlockRepl.Platform.Tests;

public sealed class BlockDeviceTests : IDisposable
{
    private const int SizeBytes = 8 << 20;
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"blockrepl-test-{Guid.NewGuid():N}");

    public BlockDeviceTests()
    {
        using var file = File.Create(_path);
        file.SetLength(SizeBytes);
    }

    public static TheoryData<RingBackend> Backends => new(RingBackend.IoUring, RingBackend.Epoll);

    public void Dispose() => File.Delete(_path);

    [Theory]
    [MemberData(nameof(Backends))]
    public void Written_bytes_are_read_back(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var device = new DeviceFixture(test, _path);
        var buffer = device.Rent(64 << 10, fill: 0x5a);
        device.Do(d => d.Write(1, 512, 64 << 10, buffer, forceUnitAccess: true));
        device.Do(d => d.Flush(2));
        var read = device.Rent(64 << 10, fill: 0);
        device.Do(d => d.Read(3, 512, 64 << 10, read));
        test.Run(() =>
        {
            Assert.Equal(test.Pool.GetSpan(buffer, 64 << 10), test.Pool.GetSpan(read, 64 << 10));
            test.Pool.Return(buffer);
            test.Pool.Return(read);
        });
        Assert.Equal([(1, IoError.None), (2, IoError.None), (3, IoError.None)], device.Results);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Hundreds_of_operations_at_once_each_answer_once(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var device = new DeviceFixture(test, _path);
        const int Count = 400;
        var buffers = new BufferHandle[Count];
        test.Run(() =>
        {
            for (var i = 0; i < Count; i++)
            {
                Assert.True(test.Pool.TryRent(4096, out buffers[i]));
                test.Pool.GetSpan(buffers[i], 4096).Fill((byte)i);
                device.Device.Write((ulong)i, i * 4096, 4096, buffers[i], false);
            }
        });
        device.WaitFor(Count);
        Assert.Equal(Count, device.Results.Select(r => r.Token).Distinct().Count());
        Assert.All(device.Results, r => Assert.Equal(IoError.None, r.Error));
        var written = ReadFile();
        for (var i = 0; i < Count; i++)
        {
            Assert.Equal((byte)i, written[i * 4096]);
            Assert.Equal((byte)i, written[(i * 4096) + 4095]);
        }

        test.Run(() => Array.ForEach(buffers, test.Pool.Return));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Read_beyond_the_end_fails(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var device = new DeviceFixture(test, _path);
        var buffer = device.Rent(4096, fill: 0);
        device.Do(d => d.Read(1, SizeBytes, 4096, buffer));
        Assert.Equal([(1, IoError.Failed)], device.Results);
        test.Run(() => test.Pool.Return(buffer));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Zeroed_and_discarded_areas_of_a_file_read_as_zeroes(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var device = new DeviceFixture(test, _path);
        var buffer = device.Rent(1 << 20, fill: 0xff);
        device.Do(d => d.Write(1, 0, 1 << 20, buffer, false));
        device.Do(d => d.Zero(2, 4096, 65536, ZeroMode.ZeroNoUnmap));
        device.Do(d => d.Zero(3, 131072, 65536, ZeroMode.ZeroMayUnmap));
        device.Do(d => d.Zero(4, 262144, 65536, ZeroMode.Discard));
        Assert.All(device.Results, r => Assert.Equal(IoError.None, r.Error));
        test.Run(() => test.Pool.Return(buffer));
        var bytes = ReadFile();
        Assert.Equal(0xff, bytes[4095]);
        Assert.All([4096, 131072, 262144], at => Assert.False(bytes.AsSpan(at, 65536).ContainsAnyExcept((byte)0)));
        Assert.Equal(0xff, bytes[4096 + 65536]);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void More_meta_writes_than_may_be_in_the_kernel_all_arrive(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var device = new DeviceFixture(test, _path);
        var page = new byte[4096];
        test.Run(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                page.AsSpan().Fill((byte)(i + 1));
                device.Device.WriteMeta((ulong)i, i * 4096, page);
            }
        });
        device.WaitFor(500);
        device.Do(d => d.FlushMeta(1000));
        device.Do(d => d.ReadMeta(1001, 499 * 4096, 4096));
        Assert.All(device.Results, r => Assert.Equal(IoError.None, r.Error));
        Assert.Equal(4096, device.LastMeta.Length);
        Assert.All(device.LastMeta, b => Assert.Equal(unchecked((byte)500), b));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Close_waits_for_what_is_in_flight(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        var device = new DeviceFixture(test, _path);
        var buffer = device.Rent(1 << 20, fill: 1);
        test.Run(() =>
        {
            for (var i = 0; i < 8; i++)
            {
                device.Device.Write((ulong)i, i << 20, 1 << 20, buffer, false);
            }

            device.Device.Close();
        });
        device.Dispose();
        Assert.Equal(8, device.Results.Count);
        test.Run(() => test.Pool.Return(buffer));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Loop_that_ends_with_operations_in_flight_lets_the_kernel_finish_first(RingBackend backend)
    {
        var test = new LoopFixture(backend);
        var device = new DeviceFixture(test, _path);
        var buffer = device.Rent(1 << 20, fill: 1);
        test.Run(() =>
        {
            for (var i = 0; i < 200; i++)
            {
                device.Device.Write((ulong)i, (i % 8) << 20, 1 << 20, buffer, false);
            }
        });
        test.Dispose();
        Assert.Equal(200, device.Results.Count);
    }

    [Fact]
    public void Second_open_of_a_file_is_refused_and_says_why()
    {
        using var first = OfflineDevice.Open(_path, readOnly: false);
        var refused = Assert.Throws<BlockDeviceException>(() => OfflineDevice.Open(_path, readOnly: false));
        Assert.Contains("in use", refused.Message, StringComparison.Ordinal);
        Assert.Contains(_path, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_that_was_closed_is_free_though_a_new_child_process_still_has_it(bool onLoop)
    {
        int child;
        if (onLoop)
        {
            using var test = new LoopFixture(RingBackend.IoUring);
            using var device = new DeviceFixture(test, _path);
            child = DuplicateDescriptor();
        }
        else
        {
            using var device = OfflineDevice.Open(_path, readOnly: false);
            child = DuplicateDescriptor();
        }

        OfflineDevice.Open(_path, readOnly: false).Dispose();
        _ = Syscall.close(child);
    }

    [Fact]
    public void Missing_path_and_directory_are_refused_by_name()
    {
        Assert.Contains(
            "does not exist",
            Assert.Throws<BlockDeviceException>(() => OfflineDevice.Open(_path + "-no", true)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "neither a block device",
            Assert.Throws<BlockDeviceException>(() => OfflineDevice.Open(Path.GetTempPath(), true)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Offline_writes_of_any_offset_leave_the_bytes_around_them()
    {
        var model = new byte[SizeBytes];
        var random = new Random(5);
        using var device = OfflineDevice.Open(_path, readOnly: false);
        Assert.Equal(SizeBytes, device.Facts.SizeBytes);
        for (var i = 0; i < 50; i++)
        {
            var data = new byte[random.Next(1, i % 10 == 0 ? 3 << 20 : 9000)];
            random.NextBytes(data);
            var offset = random.Next(SizeBytes - data.Length);
            data.CopyTo(model.AsSpan(offset));
            device.Write(offset, data);
        }

        device.Flush();
        var read = new byte[SizeBytes];
        device.Read(0, read);
        Assert.Equal(model, read);
        Assert.Throws<BlockDeviceException>(() => device.Write(SizeBytes - 1, new byte[2]));
    }

    /// <summary>Beside the lock that the device holds; the framework's own files would respect it.</summary>
    private byte[] ReadFile()
    {
        using var device = OfflineDevice.Open(_path, readOnly: true);
        var bytes = new byte[SizeBytes];
        device.Read(0, bytes);
        return bytes;
    }

    /// <summary>What a fork does to the one that has the file open.</summary>
    private int DuplicateDescriptor()
    {
        var found = Directory.GetFiles("/proc/self/fd").Single(entry => new FileInfo(entry).LinkTarget == _path);
        return Syscall.dup(int.Parse(Path.GetFileName(found), CultureInfo.InvariantCulture));
    }
}
