using BlockRepl.Core.Sizes;
using Xunit;

namespace BlockRepl.Core.Tests.Sizes;

public sealed class DeviceSizeTests
{
    [Theory]
    // own, peer, la, u, connected, assume -> size, limit ignored
    [InlineData(100, 80, 90, 0, true, false, 80, false)]
    [InlineData(80, 100, 0, 0, true, false, 80, false)]
    [InlineData(100, 0, 90, 0, false, false, 90, false)]
    [InlineData(70, 0, 90, 0, false, false, 70, false)]
    [InlineData(0, 85, 90, 0, true, false, 85, false)]
    [InlineData(0, 95, 90, 0, true, false, 90, false)]
    [InlineData(0, 0, 90, 0, false, false, 90, false)]
    [InlineData(100, 0, 0, 0, false, false, 100, false)]
    [InlineData(0, 100, 0, 0, true, false, 100, false)]
    [InlineData(0, 0, 0, 0, false, false, 0, false)]
    [InlineData(100, 80, 90, 50, true, false, 50, false)]
    [InlineData(100, 80, 90, 80, true, false, 80, false)]
    [InlineData(100, 80, 90, 81, true, false, 80, true)]
    [InlineData(100, 0, 90, 0, false, true, 100, false)]
    [InlineData(100, 80, 90, 0, false, true, 100, false)]
    [InlineData(100, 80, 90, 0, true, true, 80, false)]
    public void The_size_function(
        int own, int peer, int lastAgreed, int limit, bool connected, bool assume, int expected, bool ignored)
    {
        SizeInput input = new((ulong)own, (ulong)peer, (ulong)lastAgreed, (ulong)limit, connected, assume);

        Assert.Equal((ulong)expected, DeviceSize.Compute(input, out bool limitIgnored));
        Assert.Equal(ignored, limitIgnored);
    }

    [Fact]
    public void Both_nodes_compute_the_same_size_while_both_have_disks() => Seeded.Run(1, 10_000, random =>
    {
        ulong a = (ulong)random.Next(1, 100);
        ulong b = (ulong)random.Next(1, 100);
        ulong limit = (ulong)random.Next(0, 100);
        SizeInput atA = new(a, b, (ulong)random.Next(0, 100), limit, true, false);
        SizeInput atB = new(b, a, (ulong)random.Next(0, 100), limit, true, false);

        Assert.Equal(DeviceSize.Compute(atA, out _), DeviceSize.Compute(atB, out _));
    });

    [Fact]
    public void A_lone_node_never_grows() => Seeded.Run(1, 10_000, random =>
    {
        ulong lastAgreed = (ulong)random.Next(1, 100);
        SizeInput alone = new((ulong)random.Next(0, 200), 0, lastAgreed, (ulong)random.Next(0, 200), false, false);

        Assert.True(DeviceSize.Compute(alone, out _) <= lastAgreed);
    });

    [Theory]
    [InlineData(100, 100, 100, SizeChange.Unchanged)]
    [InlineData(120, 120, 100, SizeChange.Grew)]
    [InlineData(120, 120, 0, SizeChange.GrewFromZero)]
    [InlineData(120, 80, 100, SizeChange.Shrank)]
    public void A_change_is_told_from_the_last_agreed_size(int own, int peer, int lastAgreed, SizeChange expected)
    {
        SizeInput input = new((ulong)own, (ulong)peer, (ulong)lastAgreed, 0, true, false);

        SizeVerdict verdict = DeviceSize.Determine(input, layoutChange: false);

        Assert.Equal((expected, SizeError.None), (verdict.Change, verdict.Error));
    }

    [Theory]
    [InlineData(0, SizeError.ImplicitShrink)]
    [InlineData(95, SizeError.DoesNotFit)]
    [InlineData(90, SizeError.None)]
    [InlineData(50, SizeError.None)]
    public void A_larger_activity_log_shrinks_the_data_only_if_that_was_asked_for(int limit, SizeError expected)
    {
        SizeInput input = new(90, 0, 100, (ulong)limit, false, false);

        SizeVerdict verdict = DeviceSize.Determine(input, layoutChange: true);

        Assert.Equal(expected, verdict.Error);
        Assert.Equal(expected == SizeError.None ? (ulong)limit : 100, verdict.Sectors);
        Assert.Equal(SizeError.None, DeviceSize.Determine(input, layoutChange: false).Error);
    }

    [Fact]
    public void Attach_refuses_a_disk_that_is_too_small()
    {
        SizeInput limited = new(100, 0, 100, 101, false, false);
        Assert.Equal(SizeError.DiskTooSmall, DeviceSize.Attach(limited, true, 0).Error);

        SizeInput running = new(100, 0, 100, 0, true, false);
        Assert.Equal(SizeError.DiskTooSmall, DeviceSize.Attach(running, true, 101).Error);
        Assert.Equal(SizeError.None, DeviceSize.Attach(running, true, 100).Error);
    }

    [Fact]
    public void Attach_cuts_off_consistent_data_only_at_the_configured_size()
    {
        SizeInput smaller = new(80, 0, 100, 0, false, false);
        Assert.Equal(SizeError.ImplicitShrink, DeviceSize.Attach(smaller, true, 0).Error);
        SizeVerdict inconsistent = DeviceSize.Attach(smaller, false, 0);
        Assert.Equal((80ul, SizeError.None, false), (inconsistent.Sectors, inconsistent.Error, inconsistent.Truncated));

        SizeVerdict truncated = DeviceSize.Attach(smaller with { Limit = 80 }, true, 0);
        Assert.Equal((80ul, SizeError.None, true), (truncated.Sectors, truncated.Error, truncated.Truncated));
    }

    [Fact]
    public void The_first_attach_grows_from_zero()
    {
        SizeVerdict verdict = DeviceSize.Attach(new SizeInput(100, 0, 0, 0, false, false), false, 0);

        Assert.Equal((100ul, SizeChange.GrewFromZero), (verdict.Sectors, verdict.Change));
    }
}
