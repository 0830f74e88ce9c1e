using System.Globalization;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>The guest's own writing program, in the background of its shell.</summary>
internal sealed class GuestLoad : Load
{
    private const string Output = "/tmp/load.out";
    private readonly Guest _guest;
    private readonly int _start;

    public GuestLoad(Guest guest, LoadShape shape, int seed, int volume)
    {
        _guest = guest;
        _start = guest.Starts;
        string device = "/dev/drbd" + volume.ToString(CultureInfo.InvariantCulture);
        long size = shape.Length > 0
            ? shape.Length
            : long.Parse(guest.Run($"blockdev --getsize64 {device}").OrThrow(), CultureInfo.InvariantCulture)
                - shape.From;
        guest.Run(
            $"rm -f /tmp/load.stop /tmp/load.done {Output}; (load {device} {shape.From} {size} {seed} {shape.Count} "
            + $"{shape.LargestBytes} {shape.Streams} {shape.FlushEvery} >{Output} 2>&1; "
            + $"echo ended $? >>{Output}) &").OrThrow();
    }

    /// <summary>The guest that it runs in has not lost its power since.</summary>
    private bool IsThere => _guest.HasPower && !_guest.IsLost && _guest.Starts == _start;

    public override bool HasFailed => !IsThere || Read().Contains("ended 1", StringComparison.Ordinal);

    public override long Done => IsThere
        ? _guest.Run("cat /tmp/load.done").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Sum(l => long.TryParse(l, CultureInfo.InvariantCulture, out long count) ? count : 0)
        : 0;

    public override void WaitForEnd(int seconds = 120)
    {
        Poll.Until(() => Read().Contains("ended ", StringComparison.Ordinal), "the guest's load to end", seconds, Read);
        string output = Read();
        if (!output.Contains("ended 0", StringComparison.Ordinal))
        {
            throw new InvalidOperationException("the guest's load failed: " + output);
        }
    }

    public override void Stop(int seconds = 120)
    {
        if (IsThere)
        {
            _guest.Run("touch /tmp/load.stop").OrThrow();
            Poll.Until(
                () => Read().Contains("ended ", StringComparison.Ordinal), "the guest's load to stop", seconds, Read);
        }
    }

    public override void Dispose()
    {
        if (IsThere)
        {
            _guest.Run("touch /tmp/load.stop");
        }
    }

    private string Read() => _guest.Run($"cat {Output}").Output;
}
