using System.Diagnostics;
using BlockRepl.Core;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Storage;
using Xunit;

namespace BlockRepl.Platform.Tests;

/// <summary>Real block devices: loop devices over files, with blocks of 512 and 4096 bytes. Needs root.</summary>
public sealed class LoopDeviceTests
{
    private const int SizeBytes = 4 << 20;

    public static TheoryData<RingBackend, int> Cases => new()
    {
        { RingBackend.IoUring, 512 },
        { RingBackend.IoUring, 4096 },
        { RingBackend.Epoll, 512 },
        { RingBackend.Epoll, 4096 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_device_reads_writes_zeroes_and_discards(RingBackend backend, int blockBytes)
    {
        using var disk = new LoopDevice(blockBytes);
        using var test = new LoopFixture(backend);
        using (var device = new DeviceFixture(test, disk.Path))
        {
            Assert.True(device.Device.Facts.IsBlockDevice);
            Assert.True(device.Device.Facts.IsDirect);
            Assert.Equal(blockBytes, device.Device.Facts.LogicalBlockBytes);
            Assert.Equal(SizeBytes, device.Device.Facts.SizeBytes);
            var buffer = device.Rent(65536, fill: 0x77);
            device.Do(d => d.Write(1, blockBytes, 65536, buffer, forceUnitAccess: true));
            device.Do(d => d.Zero(2, 8192, 4096, ZeroMode.ZeroNoUnmap));
            device.Do(d => d.Zero(3, 16384, 4096, ZeroMode.ZeroMayUnmap));
            device.Do(d => d.Flush(4));
            device.Do(d => d.Read(5, 0, 65536, buffer));
            device.Do(d => d.Zero(6, 32768, 8192, ZeroMode.Discard));
            Assert.All(device.Results.Take(5), r => Assert.Equal(IoError.None, r.Error));
            Assert.Equal(device.Device.Facts.CanDiscard ? IoError.None : IoError.NotSupported, device.Results[5].Error);
            test.Run(() =>
            {
                var bytes = test.Pool.GetSpan(buffer, 65536).ToArray();
                Assert.Equal(0x77, bytes[blockBytes]);
                Assert.False(bytes.AsSpan(8192, 4096).ContainsAnyExcept((byte)0));
                Assert.False(bytes.AsSpan(16384, 4096).ContainsAnyExcept((byte)0));
                Assert.Equal(0x77, bytes[12288]);
                test.Pool.Return(buffer);
            });
        }
    }

    [Fact]
    public void Device_in_use_is_refused()
    {
        using var disk = new LoopDevice(512);
        using var first = OfflineDevice.Open(disk.Path, readOnly: false);
        var refused = Assert.Throws<BlockDeviceException>(() => OfflineDevice.Open(disk.Path, readOnly: false));
        Assert.Contains("in use", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Offline_write_of_odd_bytes_on_4096_byte_blocks_leaves_the_rest()
    {
        using var disk = new LoopDevice(4096);
        using var device = OfflineDevice.Open(disk.Path, readOnly: false);
        device.Write(1000, "odd"u8);
        device.Flush();
        var read = new byte[5];
        device.Read(999, read);
        Assert.Equal([0, (byte)'o', (byte)'d', (byte)'d', 0], read);
    }

    /// <summary>A loop device over a temporary file, made by losetup.</summary>
    private sealed class LoopDevice : IDisposable
    {
        private readonly string _file =
            System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"blockrepl-loop-{Guid.NewGuid():N}");

        public LoopDevice(int blockBytes)
        {
            if (!Environment.IsPrivilegedProcess || !File.Exists("/dev/loop-control"))
            {
                Assert.Skip("loop devices need root and /dev/loop-control");
            }

            using (var file = File.Create(_file))
            {
                file.SetLength(SizeBytes);
            }

            try
            {
                Path = Run("--find", "--show", "--sector-size", $"{blockBytes}", _file).Trim();
            }
            catch (InvalidOperationException exception)
            {
                File.Delete(_file);
                Assert.Skip("no loop device can be made: " + exception.Message);
            }
        }

        public string Path { get; } = "";

        public void Dispose()
        {
            if (Path.Length > 0)
            {
                Run("--detach", Path);
            }

            File.Delete(_file);
        }

        private static string Run(params string[] arguments)
        {
            var start = new ProcessStartInfo("losetup", arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEnd();
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : throw new InvalidOperationException(error);
        }
    }
}
