using BlockRepl.Core.Resync;
using Xunit;

namespace BlockRepl.Core.Tests.Resync;

public sealed class ResyncMarksTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void At_the_start_everything_is_left()
    {
        ResyncMarks marks = new();
        marks.Start(5 * Second, 1000, isVerify: false);

        Assert.Equal(new ResyncProgress(false, 1000, 1000, 1000, 1, 1, 42), marks.Progress(5 * Second, 1000, 42));
        Assert.Equal(0, marks.SpeedKiBPerSecond(5 * Second, 1000));
        Assert.Equal(1000ul, marks.TotalBlocks);
    }

    [Fact]
    public void The_recent_speed_looks_back_over_at_most_seven_marks()
    {
        // 100 blocks a second, looked at every second for a minute.
        ResyncMarks marks = new();
        marks.Start(0, 10_000, isVerify: false);
        for (int s = 1; s <= 60; s++)
        {
            marks.Advance(s * Second, 10_000 - (100 * (ulong)s));
        }

        // Marks at 60, 57, 54, 51, 48, 45, 42, 39; the oldest but one is shown.
        ResyncProgress progress = marks.Progress(61 * Second, 10_000 - 6_100, 0);
        Assert.Equal(19, progress.MarkSeconds);
        Assert.Equal(10_000ul - 4_200, progress.MarkBlocks);
        Assert.Equal(61, progress.ElapsedSeconds);
        Assert.Equal(400, marks.SpeedKiBPerSecond(61 * Second, 10_000 - 6_100));
    }

    [Fact]
    public void Without_progress_there_is_no_new_mark()
    {
        ResyncMarks marks = new();
        marks.Start(0, 100, isVerify: true);
        marks.Advance(10 * Second, 100);
        marks.Advance(20 * Second, 100);

        ResyncProgress progress = marks.Progress(30 * Second, 100, 0);

        Assert.Equal(30, progress.MarkSeconds);
        Assert.True(progress.IsVerify);
    }

    [Fact]
    public void Marks_are_three_seconds_apart()
    {
        ResyncMarks marks = new();
        marks.Start(0, 1000, isVerify: false);
        for (int i = 1; i <= 29; i++)
        {
            marks.Advance(i * Second / 10, 1000 - (ulong)i);
        }

        // The throttle's speed is that since the mark before the last: still the start.
        Assert.Equal(4 * (400 / 5), marks.SpeedKiBPerSecond(5 * Second, 600));
        marks.Advance(3 * Second, 900);
        marks.Advance(6 * Second, 800);
        Assert.Equal(4 * ((900 - 600) / 7), marks.SpeedKiBPerSecond(10 * Second, 600));
    }

    [Fact]
    public void Pauses_do_not_count()
    {
        ResyncMarks marks = new();
        marks.Start(0, 1000, isVerify: false);
        marks.Pause(10 * Second);
        marks.Pause(12 * Second);
        marks.Advance(15 * Second, 500);
        Assert.Equal(10, marks.Progress(40 * Second, 500, 0).ElapsedSeconds);

        marks.Resume(50 * Second);
        marks.Resume(55 * Second);

        ResyncProgress progress = marks.Progress(60 * Second, 500, 0);
        Assert.Equal(20, progress.ElapsedSeconds);
        Assert.Equal(60, progress.MarkSeconds);
    }

    [Fact]
    public void New_writes_may_leave_more_than_before()
    {
        ResyncMarks marks = new();
        marks.Start(0, 100, isVerify: false);

        Assert.Equal(0, marks.SpeedKiBPerSecond(Second, 200));
    }
}

public sealed class ResyncThrottleTests
{
    [Theory]
    [InlineData(65, false, 251, 250, true)]
    [InlineData(64, false, 251, 250, false)]
    [InlineData(0, true, 251, 250, true)]
    [InlineData(1000, false, 250, 250, false)]
    [InlineData(1000, true, 100_000, 0, false)]
    public void A_resync_holds_back_while_it_is_fast_and_the_disk_is_used(
        long otherSectors, bool waiting, long speed, int minRate, bool expected)
    {
        ResyncThrottle throttle = default;

        Assert.Equal(expected, throttle.MustWait(otherSectors, waiting, speed, minRate));
    }

    [Fact]
    public void Only_what_is_new_since_it_was_noticed_counts()
    {
        ResyncThrottle throttle = default;

        Assert.True(throttle.MustWait(1000, false, 500, 250));
        Assert.False(throttle.MustWait(1050, false, 500, 250));
        Assert.True(throttle.MustWait(1065, false, 500, 250));
        Assert.False(throttle.MustWait(1065, false, 500, 250));
    }

    [Fact]
    public void Many_small_uses_add_up()
    {
        ResyncThrottle throttle = default;

        Assert.False(throttle.MustWait(40, false, 500, 250));
        Assert.True(throttle.MustWait(80, false, 500, 250));
    }
}
