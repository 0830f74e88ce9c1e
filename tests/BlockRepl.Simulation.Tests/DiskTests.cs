using BlockRepl.Core;
using BlockRepl.Simulation.Disk;
using Xunit;

namespace BlockRepl.Simulation.Tests;

public sealed class SimDiskTests
{
    private readonly EventQueue _queue = new();

    [Fact]
    public void A_flushed_write_survives_every_power_failure()
    {
        for (ulong seed = 0; seed < 50; seed++)
        {
            SimDisk disk = NewDisk(seed);
            Write(disk, 0, 1, 8192);
            Flush(disk);
            Write(disk, 0, 2, 4096);
            disk.PowerLoss();
            byte[] content = Read(disk, 0, 8192);
            Assert.All(content[..4096], b => Assert.InRange(b, 1, 2));
            Assert.All(content[4096..], b => Assert.Equal(1, b));
        }
    }

    [Fact]
    public void Unflushed_sectors_are_lost_by_some_power_failures_and_torn_by_others()
    {
        int lost = 0;
        int torn = 0;
        for (ulong seed = 0; seed < 200; seed++)
        {
            SimDisk disk = NewDisk(seed);
            Write(disk, 4096, 7, 4096);
            disk.PowerLoss();
            int kept = Read(disk, 4096, 4096).Count(b => b == 7);
            lost += kept == 0 ? 1 : 0;
            torn += kept is > 0 and < 4096 ? 1 : 0;
            Assert.Equal(0, kept % 512);
        }

        Assert.True(lost > 20, $"{lost}");
        Assert.True(torn > 20, $"{torn}");
    }

    [Fact]
    public void A_killed_process_loses_nothing_that_was_answered()
    {
        SimDisk disk = NewDisk(1);
        Write(disk, 0, 5, 4096);
        disk.KillProcess();
        Assert.All(Read(disk, 0, 4096), b => Assert.Equal(5, b));
    }

    [Fact]
    public void Overlapping_writes_under_way_at_once_are_a_failure()
    {
        SimDisk disk = NewDisk(1);
        disk.Write(0, 4096, new byte[4096], false, _ => { });
        Assert.Throws<SimulationException>(() => disk.Write(512, 512, new byte[512], false, _ => { }));
    }

    [Fact]
    public void A_fault_hits_only_its_address_and_counts()
    {
        SimDisk disk = NewDisk(1);
        DiskFault fault = new(DiskFaultKind.WriteError) { FirstByte = 4096, EndByte = 8192, Times = 1 };
        disk.Faults.Add(fault);
        Assert.Equal(IoError.None, Write(disk, 0, 1, 4096));
        Assert.Equal(IoError.Failed, Write(disk, 4096, 1, 512));
        Assert.Equal(IoError.None, Write(disk, 4096, 1, 512));
        Assert.Equal(1, fault.Hits);
    }

    private SimDisk NewDisk(ulong seed) => new(_queue, new Rng(seed), new DiskSettings { Bytes = 1 << 20 });

    private IoError Write(SimDisk disk, long offset, byte value, int count)
    {
        byte[] data = new byte[count];
        data.AsSpan().Fill(value);
        return Wait(done => disk.Write(offset, count, data, false, done));
    }

    private void Flush(SimDisk disk) => Wait(disk.Flush);

    private byte[] Read(SimDisk disk, long offset, int count)
    {
        byte[] data = new byte[count];
        Wait(done => disk.Read(offset, count, data, done));
        return data;
    }

    private IoError Wait(Action<Action<IoError>> start)
    {
        IoError? answer = null;
        start(e => answer = e);
        while (answer is null && _queue.Step(long.MaxValue / 2))
        {
        }

        return answer!.Value;
    }
}
