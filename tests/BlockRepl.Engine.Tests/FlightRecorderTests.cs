namespace BlockRepl.Engine.Tests;

public class FlightRecorderTests
{
    [Fact]
    public void The_dump_shows_the_last_entries_oldest_first_with_their_age()
    {
        var recorder = new FlightRecorder();
        for (var i = 0; i < FlightRecorder.Capacity + 10; i++)
        {
            recorder.Record(i * 1000L, Flight.Request, i, 0xabc, 1);
        }

        var lines = recorder.Dump().Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(FlightRecorder.Capacity, lines.Length);
        Assert.Matches($@"^ +-{FlightRecorder.Capacity - 1} us Request +10 abc 1$", lines[0]);
        Assert.Matches(@"^ +0 us Request", lines[^1]);
    }

    [Fact]
    public void Recording_allocates_nothing()
    {
        var recorder = new FlightRecorder();
        recorder.Record(1, Flight.Timer);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 10_000; i++)
        {
            recorder.Record(i, Flight.Sent, 1, 2, 3);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
