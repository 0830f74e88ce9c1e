using BlockRepl.Simulation.Checks;
using Xunit;

namespace BlockRepl.Simulation.Tests;

public sealed class VolumeModelTests
{
    private readonly VolumeModel _model =
        new(new AppWrite(0, WriteContent.Zero, 0, 0) { Done = 0, Acknowledged = true }, 64);
    private long _moment;
    private ulong _id;

    [Fact]
    public void An_acknowledged_write_supersedes_what_was_done_before_it()
    {
        AppWrite write = Begin(0, 8);
        Assert.True(_model.Visible(3).Allows(0));
        Acknowledge(write, 0, 8);
        Assert.False(_model.Visible(3).Allows(0));
        Assert.True(_model.Visible(3).Allows(write.Id));
        Assert.True(_model.Visible(8).Allows(0));
    }

    [Fact]
    public void Writes_that_ran_at_the_same_time_may_both_be_read()
    {
        AppWrite first = Begin(0, 8);
        AppWrite second = Begin(4, 8);
        Acknowledge(second, 4, 8);
        Acknowledge(first, 0, 8);
        Assert.True(_model.Visible(5).Allows(first.Id) && _model.Visible(5).Allows(second.Id));
        Assert.False(_model.Visible(9).Allows(first.Id));
    }

    [Fact]
    public void A_power_failure_may_leave_the_last_durable_write_or_any_later_one()
    {
        AppWrite first = Begin(0, 1);
        Acknowledge(first, 0, 1);
        _model.Flushed(++_moment, 1);
        AppWrite second = Begin(0, 1);
        Acknowledge(second, 0, 1);
        _model.PowerLoss(++_moment);
        Assert.True(_model.Visible(0).Allows(first.Id) && _model.Visible(0).Allows(second.Id));
        Assert.False(_model.Visible(0).Allows(0));
    }

    [Fact]
    public void A_flush_covers_only_what_was_acknowledged_before_it_was_submitted()
    {
        AppWrite write = Begin(0, 1);
        long flush = ++_moment;
        Acknowledge(write, 0, 1);
        _model.Flushed(flush, 1);
        _model.PowerLoss(++_moment);
        Assert.True(_model.Visible(0).Allows(0));
    }

    [Fact]
    public void A_failed_write_may_or_may_not_be_there()
    {
        AppWrite write = Begin(0, 1);
        write.Done = ++_moment;
        Assert.True(_model.Visible(0).Allows(0) && _model.Visible(0).Allows(write.Id));
        AppWrite next = Begin(0, 1);
        Acknowledge(next, 0, 1);
        Assert.False(_model.Visible(0).Allows(write.Id));
    }

    [Fact]
    public void A_pattern_names_its_write_and_its_place()
    {
        byte[] data = new byte[1024];
        Pattern.Fill(data, 77, 1, 500);
        Assert.Equal(77UL, Pattern.Identify(data.AsSpan(512), 1, 501));
        Assert.Null(Pattern.Identify(data.AsSpan(512), 1, 500));
        Assert.Null(Pattern.Identify(data.AsSpan(512), 0, 501));
        data[700] ^= 1;
        Assert.Null(Pattern.Identify(data.AsSpan(512), 1, 501));
        Assert.Equal(0UL, Pattern.Identify(new byte[512], 1, 501));
    }

    private AppWrite Begin(ulong sector, ulong count)
    {
        AppWrite write = new(++_id, WriteContent.Pattern, 0, ++_moment);
        _model.Begin(write, sector, count);
        return write;
    }

    private void Acknowledge(AppWrite write, ulong sector, ulong count)
    {
        write.Done = ++_moment;
        write.Acknowledged = true;
        write.CertainOn = 1;
        _model.SupersedeVisible(write, sector, count);
    }
}
