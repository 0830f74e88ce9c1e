using BlockRepl.Core;
using BlockRepl.Platform.Storage;
using Xunit;

namespace BlockRepl.Platform.Tests;

/// <summary>A device on a loop that remembers what it was told.</summary>
internal sealed class DeviceFixture : IBlockDeviceHandler, IDisposable
{
    private readonly LoopFixture _test;
    private readonly ManualResetEventSlim _closed = new();
    private readonly ManualResetEventSlim _reached = new();
    private int _wanted = int.MaxValue;

    public DeviceFixture(LoopFixture test, string path, bool readOnly = false)
    {
        _test = test;
        Device = BlockDevice.Open(test.Loop, test.Pool, path, new BlockDeviceOptions { ReadOnly = readOnly }, this);
    }

    public BlockDevice Device { get; }

    public List<(int Token, IoError Error)> Results { get; } = [];

    public byte[] LastMeta { get; private set; } = [];

    public BufferHandle Rent(int bytes, byte fill)
    {
        var buffer = BufferHandle.None;
        _test.Run(() =>
        {
            Assert.True(_test.Pool.TryRent(bytes, out buffer));
            _test.Pool.GetSpan(buffer, bytes).Fill(fill);
        });
        return buffer;
    }

    /// <summary>Submits one operation and waits for its result.</summary>
    public void Do(Action<BlockDevice> action)
    {
        _test.Run(() =>
        {
            _reached.Reset();
            _wanted = Results.Count + 1;
            action(Device);
        });
        _test.Wait(_reached);
    }

    public void WaitFor(int results)
    {
        _test.Run(() =>
        {
            _reached.Reset();
            _wanted = results;
            Check();
        });
        _test.Wait(_reached);
    }

    public void OnDataDone(ulong token, IoError error, int errno)
    {
        Results.Add(((int)token, error));
        Check();
    }

    public void OnMetaDone(ulong token, IoError error, int errno, ReadOnlySpan<byte> data)
    {
        Results.Add(((int)token, error));
        LastMeta = data.ToArray();
        Check();
    }

    public void OnDeviceClosed() => _closed.Set();

    public void Dispose()
    {
        _test.Run(Device.Close);
        _test.Wait(_closed);
    }

    private void Check()
    {
        if (Results.Count >= _wanted)
        {
            _reached.Set();
        }
    }
}
